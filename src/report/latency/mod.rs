//! The latency report: a page to look at, files for tools, a table for the terminal.
//!
//! Owns: how a [`LatencyReport`] is shown. Measures nothing. Invariant: the page needs no other file and no network,
//! and everything that comes from outside is escaped.

mod findings;
mod hgrm;
mod json;
mod many;
pub mod model;
mod page;
mod plot;
mod table;

pub use model::{
    InstrumentPoint, IntervalSample, LatencyReport, RatePoint, RunFacts, StageLatency, StagePoint,
    TopologyRow,
};
pub use table::{summary_table, summary_table_within};

pub use crate::report::directory::{ReportError, prepare};

use crate::report::directory;
use std::path::{Path, PathBuf};

/// The files of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// The figures for scripts.
    pub json: PathBuf,
    /// One file a stage, in the order of the stages; values in µs.
    pub hgrm: Vec<PathBuf>,
}

/// Writes `index.html`, `latency.json` and a `.hgrm` for each stage into `dir`, which is made if it is not there; an
/// earlier report there is kept, and this one goes into `run-2`, `run-3`, … below it. Each file appears whole.
///
/// # Errors
/// [`ReportError::NotADirectory`] if `dir` or a part of its path is a file, [`ReportError::Io`] if the file system
/// refuses.
pub fn write(report: &LatencyReport, dir: &Path) -> Result<Written, ReportError> {
    let dir = directory::place(dir)?;
    let save = |name: &str, content: &[u8]| directory::save(&dir, name, content);
    let names = file_names(&report.stages);
    let stages = report.stages.iter().zip(&names);
    let hgrm = stages
        .map(|(stage, name)| save(name, hgrm::text(&stage.histogram).as_bytes()))
        .collect::<Result<_, _>>()?;
    let json = json::text(report).map_err(|error| ReportError::Json { name: "latency.json", error })?;
    let json = save("latency.json", json.as_bytes())?;
    // The page last: where it is, what it links to is there too.
    let html = save("index.html", page::text(report, &names).as_bytes())?;
    Ok(Written { html, json, hgrm })
}

/// A distinct, harmless file name for each stage: its name with only letters, digits, `-` and `_` left.
fn file_names(stages: &[StageLatency]) -> Vec<String> {
    distinct_names(&stages.iter().map(|stage| stage.name.clone()).collect::<Vec<_>>())
}

fn distinct_names(stages: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(stages.len());
    for stage in stages {
        let harmless = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        // Short enough for every file system.
        let base: String = stage.chars().map(harmless).take(100).collect();
        let base = if base.is_empty() { "stage".to_owned() } else { base };
        let candidates =
            std::iter::once(format!("{base}.hgrm")).chain((2..).map(|n| format!("{base}-{n}.hgrm")));
        // Case is folded: not every file system tells `Risk` from `risk`.
        let free = |name: &String| !names.iter().any(|taken| taken.eq_ignore_ascii_case(name));
        names.extend(candidates.into_iter().find(free));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;

    #[test]
    fn file_names_are_harmless_and_distinct() {
        let stages: Vec<StageLatency> = ["risk", "../etc/passwd", "Risk", "", "tick → order", "risk"]
            .into_iter()
            .map(|name| StageLatency {
                name: name.into(),
                doc: String::new(),
                histogram: Histogram::new(3).expect("good digits"),
            })
            .collect();
        assert_eq!(
            file_names(&stages),
            [
                "risk.hgrm",
                "---etc-passwd.hgrm",
                "Risk-2.hgrm",
                "stage.hgrm",
                "tick---order.hgrm",
                "risk-3.hgrm"
            ]
        );
    }
}
