//! Sweeps: one run after another with other parameters, and what their results are worth together.
//!
//! Owns: which sets of parameters there are ([`Space`]), that each is run once on any number of threads ([`search`]),
//! that what has been run is not run again ([`ResultsFile`]), how results are ranked ([`rank`]), and fitting on one
//! stretch of time what is judged on the next ([`walk_forward`]). What a run is the search does not know: it
//! asks [`Evaluate`], which [`Backtests`] are.
//!
//! Invariant: the same space, seed and data give the same report, to the byte, whatever the number of workers and
//! however often it was interrupted. Workers therefore share nothing but the number of the next task, and results are
//! put in order by task, never by when they came.

mod backtests;
mod error;
mod file;
pub mod objective;
mod rank;
mod search;
mod space;
mod walk;
mod window;

pub use backtests::{Backtests, TargetError};
pub use error::{EvaluateError, SpaceError, SweepError};
pub use file::ResultsFile;
pub use objective::{OBJECTIVES, Objective};
pub use rank::{Ranking, rank};
pub use search::{Done, Progress, Search, Task, search};
pub use space::{Axis, Choice, Point, Space};
pub use walk::walk_forward;
pub use window::{Span, WalkForward, Window};

use crate::statistics::{Sample, Statistics};
use serde::{Deserialize, Serialize};

/// One parameter of a run: its axis' name, and the value as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The axis.
    pub name: &'a str,
    /// As a person writes it; whoever evaluates knows what kind it is of.
    pub value: &'a str,
}

/// What one run gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Its figures.
    pub statistics: Statistics,
    /// What the account was worth over time, in nanoseconds since 1970; of use where runs are put one after another,
    /// and else left empty, since it is kept for every run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equity: Vec<(u64, f64)>,
}

impl Evaluation {
    /// The curve as points.
    #[must_use]
    pub fn curve(&self) -> Vec<Sample> {
        self.equity.iter().map(|&(time, value)| Sample::new(crate::domain::Time(time), value)).collect()
    }
}

/// Runs one set of parameters. Called from several threads at once.
pub trait Evaluate: Sync {
    /// Runs `settings`, which are those of the task's point, over the task's span; the same arguments give the same result.
    ///
    /// # Errors
    /// [`EvaluateError::Refused`] for a set that cannot be, such as a fast average slower than the slow one, which is
    /// left out of the ranking; [`EvaluateError::Failed`] if the run failed.
    fn evaluate(&self, settings: &[Setting<'_>], task: &Task) -> Result<Evaluation, EvaluateError>;
}
