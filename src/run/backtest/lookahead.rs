//! Look-ahead: whether anything that was decided depends on what came later.
//!
//! The run is made again over histories that end earlier. What was decided before such an end must be decided again,
//! exactly: same order, same time. A decision that differs was made with knowledge of what the shorter history has not.
//! The ends are put right behind decisions, evenly over the run, where knowing more would show.

use super::fault::BacktestError;
use crate::domain::Time;
use crate::execution::Record;

/// A decision of the whole run that a shorter history does not give, or the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Where the history was cut: nothing from here on was there.
    pub cut: Time,
    /// When it was decided.
    pub time: Time,
    /// What the whole run decided; `None`: nothing more before the cut.
    pub whole: Option<Record>,
    /// What was decided without knowing later events.
    pub shorter: Option<Record>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LookaheadReport {
    /// Where the history was cut.
    pub cuts: Vec<Time>,
    /// Decisions of the whole run.
    pub decisions: usize,
    /// Of each cut the first decision that differs.
    pub differences: Vec<Difference>,
}

/// Compares the decisions of a whole run with those of `count` runs over shorter histories, each made by `run`, which is
/// told where the history ends; `None`: nowhere.
///
/// # Errors
/// What `run` gives.
pub fn check_lookahead(
    count: usize,
    mut run: impl FnMut(Option<Time>) -> Result<Vec<(Time, Record)>, BacktestError>,
) -> Result<LookaheadReport, BacktestError> {
    let whole = run(None)?;
    let mut cuts: Vec<Time> = (1..=count)
        .filter_map(|n| whole.get((whole.len() * n / count.max(1)).saturating_sub(1)))
        .map(|d| d.0)
        .collect();
    cuts.dedup();
    let mut report = LookaheadReport { cuts: Vec::new(), decisions: whole.len(), differences: Vec::new() };
    for decided in cuts {
        let cut = decided.plus_nanos(1);
        let shorter = run(Some(cut))?;
        report.cuts.push(cut);
        report.differences.extend(first_difference(cut, &whole, &shorter));
    }
    Ok(report)
}

fn first_difference(cut: Time, whole: &[(Time, Record)], shorter: &[(Time, Record)]) -> Option<Difference> {
    let before = |all: &[(Time, Record)]| all.partition_point(|decision| decision.0 < cut);
    let (a, b) = (&whole[..before(whole)], &shorter[..before(shorter)]);
    // Sequence numbers count events; the same decision is made at the same one.
    let at = (0..a.len().max(b.len())).find(|at| a.get(*at) != b.get(*at))?;
    let (whole, shorter) = (a.get(at), b.get(at));
    let time = whole.or(shorter).map_or(cut, |decision| decision.0);
    Some(Difference { cut, time, whole: whole.map(|d| d.1), shorter: shorter.map(|d| d.1) })
}
