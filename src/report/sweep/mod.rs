//! The report of a sweep: a page with heat maps and the ranking, files for tools.
//!
//! Owns: how the results of many runs are shown together. Invariants: as of every report, the page needs nothing else,
//! what comes from outside is escaped, and the same results give the same bytes, in whatever order they came.

mod heat;
mod page;

pub use super::directory::ReportError;

use super::directory;
use super::setting;
use crate::domain::Time;
use crate::statistics::{Statistics, stamp};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What was searched, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepReport {
    /// What was run.
    pub name: String,
    /// Settings that bear on the result, in the order in which they are told.
    #[serde(serialize_with = "setting::serialize")]
    pub settings: Vec<(String, String)>,
    /// Each axis with its values.
    pub axes: Vec<AxisValues>,
    /// What it is ranked by.
    pub objective: String,
    /// What that is.
    pub objective_doc: String,
    /// How many combinations there are, of which as many as there are candidates, refusals and failures were run.
    pub combinations: u64,
    /// Combinations that cannot be.
    pub refused: usize,
    /// Runs that failed: their parameters and what was wrong.
    pub failed: Vec<(Vec<String>, String)>,
    /// A warning: the best one's neighbours are much worse.
    pub alone: Option<Alone>,
    /// The best first.
    pub candidates: Vec<Candidate>,
    /// Where one was asked for.
    pub walk_forward: Option<WalkForwardReport>,
}

/// A parameter and its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AxisValues {
    /// The parameter.
    pub name: String,
    /// In order.
    pub values: Vec<String>,
}

/// One set of parameters with its result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// A value an axis.
    pub values: Vec<String>,
    /// Where these are on the axes.
    #[serde(skip)]
    pub places: Vec<usize>,
    /// What it is ranked by; none where that is not defined, or there were too few trades.
    pub objective: Option<f64>,
    /// The probability that its true Sharpe ratio is above what luck alone would make the best of as many.
    pub deflated_sharpe: Option<f64>,
    /// All its figures.
    pub statistics: Statistics,
}

/// What is said of a best result that stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Alone {
    /// Its objective.
    pub best: f64,
    /// The median of its neighbours'.
    pub neighbours: f64,
    /// How many these are.
    pub neighbours_count: usize,
    /// The median of all.
    pub middle: f64,
}

/// What refitting again and again would have given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WalkForwardReport {
    /// In order of time.
    pub windows: Vec<WindowReport>,
    /// Figures of the testing stretches, one after another; those of fills and positions are the windows'.
    #[serde(serialize_with = "of_curve")]
    pub out_of_sample: Statistics,
    /// Mean return a year, not compounded, while testing / while training (Pardo's walk-forward efficiency); none where training earned
    /// nothing.
    pub efficiency: Option<f64>,
    /// What one unit became over the testing stretches: ns since 1970, worth. In JSON the moments are text.
    #[serde(serialize_with = "of_moments")]
    pub curve: Vec<(u64, f64)>,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowReport {
    /// Where training begins.
    #[serde(serialize_with = "stamp::serialize")]
    pub train_from: Time,
    /// Where testing begins, and training ends.
    #[serde(serialize_with = "stamp::serialize")]
    pub test_from: Time,
    /// Where testing ends.
    #[serde(serialize_with = "stamp::serialize")]
    pub test_until: Time,
    /// The best parameters of training; none where none had an objective.
    pub values: Option<Vec<String>>,
    /// Their figures while training.
    pub in_sample: Option<Statistics>,
    /// What they were chosen by.
    pub in_sample_objective: Option<f64>,
    /// Their figures while testing.
    pub out_of_sample: Option<Statistics>,
    /// The same figure while testing.
    pub out_of_sample_objective: Option<f64>,
}

/// Figures of a curve: what only fills and positions tell is not among them.
fn of_curve<S: serde::Serializer>(figures: &Statistics, to: S) -> Result<S::Ok, S::Error> {
    let mut figures = serde_json::to_value(figures).map_err(serde::ser::Error::custom)?;
    if let Some(figures) = figures.as_object_mut() {
        for name in ["time_in_market", "mean_exposure", "turnover", "traded", "fees", "funding", "trades"] {
            figures.remove(name);
        }
        figures.retain(|name, _| !name.starts_with("slippage"));
    }
    figures.serialize(to)
}

fn of_moments<S: serde::Serializer>(curve: &[(u64, f64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(curve.iter().map(|(time, worth)| (stamp::shown(Time(*time)), worth)))
}

impl SweepReport {
    /// The best candidate, if any has an objective.
    #[must_use]
    pub fn best(&self) -> Option<&Candidate> {
        self.candidates.first().filter(|candidate| candidate.objective.is_some())
    }

    /// `sweep.json`.
    ///
    /// # Errors
    /// [`ReportError::Json`] for a figure that JSON cannot carry, of which the statistics have none.
    pub fn json(&self) -> Result<String, ReportError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| ReportError::Json { name: "sweep.json", error })?;
        Ok(text + "\n")
    }

    /// The warning of a best result that stands alone, in a sentence.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let alone = self.alone.as_ref()?;
        Some(format!(
            "the best set of parameters stands alone: its {} is {:.4}, the median of its {} neighbours {:.4}, of all \
             {:.4}; such a peak is more likely luck than a good choice",
            self.objective, alone.best, alone.neighbours_count, alone.neighbours, alone.middle
        ))
    }
}

/// The files of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// Everything, for scripts.
    pub json: PathBuf,
}

/// Writes `index.html` and `sweep.json` into `dir`, which is made if it is not there; an earlier report there is kept, and
/// this one goes into `run-2`, `run-3`, … below it.
///
/// # Errors
/// [`ReportError::NotADirectory`] if `dir` or a part of its path is a file, [`ReportError::Io`] if the file system
/// refuses.
pub fn write(report: &SweepReport, dir: &Path) -> Result<Written, ReportError> {
    let dir = directory::place(dir)?;
    let json = directory::save(&dir, "sweep.json", report.json()?.as_bytes())?;
    let html = directory::save(&dir, "index.html", page::text(report).as_bytes())?;
    Ok(Written { html, json })
}
