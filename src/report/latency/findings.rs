//! The part of the page about the host: what it is, and what the checks say of it.

use crate::monitor::host::{Finding, HostFacts, Level, cpu_list, findings};
use crate::report::html::escape;
use std::collections::BTreeSet;

/// The section's content.
pub(super) fn section(host: &HostFacts) -> String {
    let rows: String = facts(host)
        .into_iter()
        .map(|(name, value)| format!("<tr><th scope=\"row\">{name}</th><td>{}</td></tr>\n", escape(&value)))
        .collect();
    let (open, quiet): (Vec<Finding>, Vec<Finding>) = findings(host)
        .into_iter()
        .partition(|finding| matches!(finding.level, Level::Problem | Level::Advice));
    let count = |level| open.iter().chain(&quiet).filter(|finding| finding.level == level).count();
    let (problems, advice) = (count(Level::Problem), count(Level::Advice));
    let (ok, unknown) = (count(Level::Ok), count(Level::Unknown));
    format!(
        "<div class=\"scroll\"><table class=\"facts\"><tbody>\n{rows}</tbody></table></div>\n\
         <h3>Findings <small>problems: {problems} · to consider: {advice} · ok: {ok} · unknown: {unknown}</small></h3>\n\
         {}<details><summary>What is as it should be, or not shown by this host</summary>{}</details>\n",
        table(sorted(open)),
        table(quiet),
    )
}

/// Problems before advice.
fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| finding.level != Level::Problem);
    findings
}

fn facts(host: &HostFacts) -> Vec<(&'static str, String)> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".into());
    let list = |cores: &[usize]| if cores.is_empty() { "none".to_owned() } else { cpu_list::format(cores) };
    let cpu = &host.cpu;
    let memory = host
        .memory
        .total_kib
        .map_or_else(|| "–".into(), |kib| format!("{:.1} GiB", kib as f64 / 1_048_576.0));
    let governors: BTreeSet<&str> = cpu.governors.values().map(String::as_str).collect();
    let governor = if governors.is_empty() {
        "not exposed".to_owned()
    } else {
        governors.into_iter().collect::<Vec<_>>().join(", ")
    };
    let parameters =
        if host.kernel_parameters.is_empty() { "–".into() } else { host.kernel_parameters.join(" ") };
    vec![
        ("Processor", or_dash(&cpu.model)),
        (
            "Cores",
            format!(
                "{} online, isolated: {}, tickless: {}",
                list(&cpu.online),
                list(&cpu.isolated),
                list(&cpu.nohz_full)
            ),
        ),
        ("Governor", governor),
        ("Memory", memory),
        ("Kernel", or_dash(&host.kernel)),
        ("Kernel parameters", parameters),
        ("Clock source", or_dash(&host.clock.source)),
        ("Virtual machine", cpu.hypervisor.map_or("–", |yes| if yes { "yes" } else { "no" }).to_owned()),
        ("Load, one minute", cpu.load_1m.map_or_else(|| "–".into(), |load| format!("{load:.2}"))),
    ]
}

fn table(findings: Vec<Finding>) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let row = |finding: Finding| {
        let (class, mark) = match finding.level {
            Level::Problem => ("problem", "problem"),
            Level::Advice => ("advice", "consider"),
            Level::Ok => ("ok", "ok"),
            Level::Unknown => ("unknown", "unknown"),
        };
        let mut change = String::new();
        if matches!(finding.level, Level::Problem | Level::Advice) {
            for (label, text) in [("now", &finding.fix), ("for good", &finding.persistent_fix)] {
                if !text.is_empty() {
                    change.push_str(&format!(
                        "<div><small>{label}</small> <code>{}</code></div>",
                        escape(text)
                    ));
                }
            }
        }
        format!(
            "<tr><td><span class=\"badge {class}\">{mark}</span></td><td><b>{}</b><div class=\"quiet\">{}</div></td>\
             <td><p>{}</p>{change}</td></tr>\n",
            escape(finding.check),
            escape(&finding.found),
            escape(finding.why),
        )
    };
    let rows: String = findings.into_iter().map(row).collect();
    format!("<div class=\"scroll\"><table class=\"findings\"><tbody>\n{rows}</tbody></table></div>\n")
}
