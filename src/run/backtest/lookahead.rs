//! Look-ahead: whether anything that was decided depends on what came later.
//!
//! The run is made again over histories that end earlier. What was decided before such an end must be decided again,
//! exactly: same order, same time. A decision that differs was made with knowledge of what the shorter history has not.
//! The ends are put right behind decisions, evenly over the run, where knowing more would show.
//!
//! A run passes over events that its strategies do not wait for, as they [say](crate::strategy::Strategy::awaits). Whether
//! what they say is true is seen by a run in which every event is handed over: it must decide the same.

use super::fault::BacktestError;
use crate::domain::Time;
use crate::execution::Record;

/// A decision of the whole run that a shorter history does not give, or the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Where the history was cut: nothing from here on was there. `None`: it was whole, and every event handed over.
    pub cut: Option<Time>,
    /// When it was decided.
    pub time: Time,
    /// What the whole run decided; `None`: nothing more before the cut.
    pub whole: Option<Record>,
    /// What was decided without knowing later events, or with none passed over.
    pub shorter: Option<Record>,
}

/// A run of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// As it is.
    Whole,
    /// Of a history that ends before this.
    Until(Time),
    /// With no event passed over.
    EveryEvent,
}

impl Rerun {
    /// Where its history ends; `None`: nowhere.
    #[must_use]
    pub fn cut(self) -> Option<Time> {
        if let Self::Until(cut) = self { Some(cut) } else { None }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LookaheadReport {
    /// Where the history was cut.
    pub cuts: Vec<Time>,
    /// Decisions of the whole run.
    pub decisions: usize,
    /// Of each cut, and of the run in which every event is handed over, the first decision that differs.
    pub differences: Vec<Difference>,
}

/// Compares the decisions of a whole run with those of one in which no event is passed over, if it `passes_over` any, and of
/// `count` runs over shorter histories, each made by `run`.
///
/// # Errors
/// What `run` gives.
pub fn check_lookahead(
    count: usize,
    passes_over: bool,
    mut run: impl FnMut(Rerun) -> Result<Vec<(Time, Record)>, BacktestError>,
) -> Result<LookaheadReport, BacktestError> {
    let whole = run(Rerun::Whole)?;
    let mut cuts: Vec<Time> = (1..=count)
        .filter_map(|n| whole.get((whole.len() * n / count.max(1)).saturating_sub(1)))
        .map(|d| d.0)
        .collect();
    cuts.dedup();
    let mut report = LookaheadReport { cuts: Vec::new(), decisions: whole.len(), differences: Vec::new() };
    if passes_over {
        report.differences.extend(first_difference(None, &whole, &run(Rerun::EveryEvent)?));
    }
    for decided in cuts {
        let cut = decided.plus_nanos(1);
        let shorter = run(Rerun::Until(cut))?;
        report.cuts.push(cut);
        report.differences.extend(first_difference(Some(cut), &whole, &shorter));
    }
    Ok(report)
}

fn first_difference(
    cut: Option<Time>,
    whole: &[(Time, Record)],
    shorter: &[(Time, Record)],
) -> Option<Difference> {
    let before =
        |all: &[(Time, Record)]| all.partition_point(|decision| cut.is_none_or(|cut| decision.0 < cut));
    let (a, b) = (&whole[..before(whole)], &shorter[..before(shorter)]);
    // Sequence numbers count events; the same decision is made at the same one.
    let at = (0..a.len().max(b.len())).find(|at| a.get(*at) != b.get(*at))?;
    let (whole, shorter) = (a.get(at), b.get(at));
    let time = whole.or(shorter)?.0;
    Some(Difference { cut, time, whole: whole.map(|d| d.1), shorter: shorter.map(|d| d.1) })
}
