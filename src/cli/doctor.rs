//! `algo-trader doctor`: is this host tuned, and what to change.

use crate::monitor::host::{Finding, HostFacts, Level, cpu_list, findings};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Report<'a> {
    host: &'a HostFacts,
    findings: &'a [Finding],
    problems: usize,
}

/// Looks at this host and writes what was found to `out`, as text or as JSON. True if there is a [`Level::Problem`].
///
/// # Errors
/// When `out` cannot be written to.
pub fn run(json: bool, out: &mut impl Write) -> io::Result<bool> {
    report(&HostFacts::gather(), json, out)
}

/// As [`run`], of a host already looked at.
///
/// # Errors
/// When `out` cannot be written to.
pub fn report(host: &HostFacts, json: bool, out: &mut impl Write) -> io::Result<bool> {
    let findings = findings(host);
    let problems = count(&findings, Level::Problem);
    if json {
        serde_json::to_writer_pretty(&mut *out, &Report { host, findings: &findings, problems })?;
        writeln!(out)?;
    } else {
        write_text(host, &findings, out)?;
    }
    Ok(problems > 0)
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}

fn write_text(host: &HostFacts, findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    let cores = cpu_list::format(&host.cpu.online);
    let model = host.cpu.model.as_deref().unwrap_or("unknown processor");
    let kernel = host.kernel.as_deref().unwrap_or("unknown");
    writeln!(out, "{model}, cores {cores}, Linux {kernel}")?;
    for group in findings.chunk_by(|a, b| a.group == b.group) {
        writeln!(out, "\n{}", group[0].group)?;
        for finding in group {
            write_finding(finding, out)?;
        }
    }
    let [ok, advice, problems, unknown] =
        [Level::Ok, Level::Advice, Level::Problem, Level::Unknown].map(|level| count(findings, level));
    writeln!(out, "\nproblems: {problems}, to consider: {advice}, ok: {ok}, unknown: {unknown}")?;
    if advice + problems > 0 {
        writeln!(out, "scripts/tune-host shows, and with --apply makes, the changes that need no boot.")?;
    }
    Ok(())
}

/// One line; for what is not as it should be, why it matters and the exact change below.
fn write_finding(finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    let mark = match finding.level {
        Level::Ok => "ok",
        Level::Advice => "advice",
        Level::Problem => "PROBLEM",
        Level::Unknown => "unknown",
    };
    writeln!(out, "  {mark:<8} {:<23} {}", finding.check, finding.found)?;
    if !matches!(finding.level, Level::Advice | Level::Problem) {
        return Ok(());
    }
    let lines = [("why", finding.why), ("now", &finding.fix), ("keep", &finding.persistent_fix)];
    for (label, text) in lines.into_iter().filter(|(_, text)| !text.is_empty()) {
        writeln!(out, "           {label:<5} {text}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untuned() -> HostFacts {
        let mut host = HostFacts::default();
        host.cpu.online = vec![0, 1, 2, 3];
        host.memory.transparent_huge_pages = Some("always".into());
        host
    }

    fn text(host: &HostFacts, json: bool) -> (bool, String) {
        let mut out = Vec::new();
        let problem = report(host, json, &mut out).expect("a Vec can be written to");
        (problem, String::from_utf8(out).expect("the report is UTF-8"))
    }

    #[test]
    fn a_problem_is_told_with_the_exact_change() {
        let (problem, text) = text(&untuned(), false);
        assert!(problem);
        assert!(text.contains("PROBLEM  transparent-huge-pages  always\n"), "{text}");
        assert!(
            text.contains("now   echo madvise > /sys/kernel/mm/transparent_hugepage/enabled\n"),
            "{text}"
        );
        assert!(text.contains("problems: 1,"), "{text}");
    }

    #[test]
    fn json_carries_facts_and_findings() {
        let (problem, text) = text(&untuned(), true);
        let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
        assert!(problem);
        assert_eq!(value["problems"], 1);
        assert_eq!(value["host"]["cpu"]["online"], serde_json::json!([0, 1, 2, 3]));
        let levels: Vec<_> =
            value["findings"].as_array().expect("a list").iter().map(|f| &f["level"]).collect();
        assert!(levels.contains(&&serde_json::json!("problem")));
    }

    #[test]
    fn a_host_that_shows_nothing_has_no_problem() {
        assert!(!text(&HostFacts::default(), false).0);
    }
}
