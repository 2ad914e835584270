//! The report of a backtest, or tear sheet: a page to look at, files for tools.
//!
//! Owns: how an [`Outcome`] and its [`Statistics`] are shown. Works out nothing that `statistics` has not. Invariants:
//! the page needs no other file and no network; everything that comes from outside is escaped; nothing in the files
//! depends on when or where they were written, so the same outcome gives the same bytes.

mod csv;
pub(in crate::report) mod curves;
mod distribution;
mod json;
mod months;
mod page;
mod prices;
mod tables;
pub(in crate::report) mod text;

pub use crate::report::directory::ReportError;

use crate::domain::performance::Outcome;
use crate::report::directory;
use crate::statistics::Statistics;
use crate::statistics::outcome::{Conventions, Share, by_instrument, by_strategy, of_outcome};
use std::path::{Path, PathBuf};

/// The files of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// The figures for scripts.
    pub json: PathBuf,
    /// Tables for spreadsheets and notebooks: trades, equity, fills.
    pub csv: Vec<PathBuf>,
}

/// An outcome with all that is worked out of it.
#[derive(Debug, Clone)]
pub struct BacktestReport<'a> {
    /// What happened.
    pub outcome: &'a Outcome,
    /// Its figures.
    pub statistics: Statistics,
    /// One a strategy.
    pub strategies: Vec<Share>,
    /// One an instrument that was traded.
    pub instruments: Vec<Share>,
}

impl<'a> BacktestReport<'a> {
    /// Works everything out.
    #[must_use]
    pub fn of(outcome: &'a Outcome, by: &Conventions) -> Self {
        Self {
            outcome,
            statistics: of_outcome(outcome, by),
            strategies: by_strategy(outcome),
            instruments: by_instrument(outcome),
        }
    }

    /// `result.json`: the figures for scripts.
    ///
    /// # Errors
    /// [`ReportError::Json`] for a figure that JSON cannot carry, of which the statistics have none.
    pub fn json(&self) -> Result<String, ReportError> {
        json::text(self).map_err(|error| ReportError::Json { name: "result.json", error })
    }
}

/// Writes `index.html`, `result.json`, `trades.csv`, `equity.csv` and `fills.csv` into `dir`, which is made if it is
/// not there; an earlier report there is kept, and this one goes into `run-2`, `run-3`, … below it. Each file appears whole.
///
/// # Errors
/// [`ReportError::NotADirectory`] if `dir` or a part of its path is a file, [`ReportError::Io`] if the file system
/// refuses.
pub fn write(report: &BacktestReport<'_>, dir: &Path) -> Result<Written, ReportError> {
    let dir = directory::place(dir)?;
    let save = |name: &str, content: &str| directory::save(&dir, name, content.as_bytes());
    let csv = vec![
        save("trades.csv", &csv::trades(report.outcome))?,
        save("equity.csv", &csv::equity(report.outcome))?,
        save("fills.csv", &csv::fills(report.outcome))?,
    ];
    let json = save("result.json", &report.json()?)?;
    // The page last: where it is, what it links to is there too.
    let html = save("index.html", &page::text(report))?;
    Ok(Written { html, json, csv })
}
