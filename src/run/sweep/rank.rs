//! From results to a ranking: the best by an objective, how much of it luck explains, and whether it stands alone.

use super::objective::Objective;
use super::{Done, EvaluateError, Point, Space};
use crate::report::sweep::{Alone, Candidate};
use crate::statistics::Statistics;
use crate::statistics::sharpe::{Estimate, deflated};
use crate::statistics::tail::quantile;
use std::collections::HashMap;

/// Fewer results than this have no middle to stand out from.
const ALONE_FROM: usize = 5;

/// All results in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// The best first; those without an objective last, in the order of their numbers.
    pub candidates: Vec<Candidate>,
    /// Parameters that do not go together.
    pub refused: usize,
    /// Why the first of those.
    pub first_refusal: Option<String>,
    /// Runs that failed: their parameters and what was wrong.
    pub failed: Vec<(Vec<String>, String)>,
    /// Whether the best one stands alone.
    pub alone: Option<Alone>,
}

/// Ranks results by `objective`; those with fewer than `trades_min` closed trades have none, and those that were ruined: what
/// an account made that owed more than it had could not have been made.
///
/// Beside each stands its deflated Sharpe ratio: how likely its true Sharpe ratio is above what the best of as many
/// unskilled trials would show, whatever the objective.
#[must_use]
pub fn rank(space: &Space, done: &[Done], objective: &Objective, trades_min: u64) -> Ranking {
    let mut ranking =
        Ranking { candidates: Vec::new(), refused: 0, first_refusal: None, failed: Vec::new(), alone: None };
    let mut results: Vec<(Point, Statistics, Option<f64>)> = Vec::new();
    for one in done {
        match &one.result {
            Ok(evaluation) => {
                let statistics = evaluation.statistics;
                let enough = statistics.trades.trades >= trades_min;
                let value =
                    if enough && !statistics.is_ruined() { (objective.of)(&statistics) } else { None };
                results.push((one.task.point, statistics, value));
            }
            Err(EvaluateError::Refused(why)) => {
                ranking.refused += 1;
                ranking.first_refusal.get_or_insert_with(|| why.clone());
            }
            Err(EvaluateError::Failed(why)) => {
                ranking.failed.push((values(space, one.task.point), why.clone()));
            }
        }
    }
    let ratios: Vec<f64> = results.iter().filter_map(|(_, s, _)| s.sharpe_per_period).collect();
    results.sort_by(|(a, _, x), (b, _, y)| {
        let worth = |value: &Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
        worth(y).total_cmp(&worth(x)).then(a.cmp(b))
    });
    ranking.alone = alone(space, &results);
    ranking.candidates = results
        .into_iter()
        .map(|(point, statistics, value)| Candidate {
            values: values(space, point),
            places: space.places(point),
            objective: value,
            deflated_sharpe: estimate(&statistics).and_then(|of| deflated(&of, &ratios)),
            statistics,
        })
        .collect();
    ranking
}

fn values(space: &Space, point: Point) -> Vec<String> {
    space.settings(point).iter().map(|setting| setting.value.to_owned()).collect()
}

fn estimate(statistics: &Statistics) -> Option<Estimate> {
    Some(Estimate {
        sharpe: statistics.sharpe_per_period?,
        returns: statistics.returns,
        skew: statistics.skew?,
        excess_kurtosis: statistics.excess_kurtosis?,
    })
}

/// Whether the best result's neighbours, a step away on one axis (where few of these were run, the nearest of all),
/// keep less than half of what sets it apart from the middle of all results. A peak without a slope is more likely luck
/// than a good choice.
fn alone(space: &Space, sorted: &[(Point, Statistics, Option<f64>)]) -> Option<Alone> {
    let ranked: Vec<(Point, f64)> =
        sorted.iter().filter_map(|(point, _, value)| Some((*point, (*value)?))).collect();
    if ranked.len() < ALONE_FROM {
        return None;
    }
    let (best_point, best) = ranked[0];
    let all: Vec<f64> = ranked.iter().map(|(_, value)| *value).collect();
    let middle = quantile(&all, 0.5)?;
    let neighbours = neighbours(space, best_point, &ranked);
    let near = quantile(&neighbours, 0.5)?;
    (near < middle + (best - middle) / 2.0).then_some(Alone {
        best,
        neighbours: near,
        neighbours_count: neighbours.len(),
        middle,
    })
}

fn neighbours(space: &Space, best: Point, ranked: &[(Point, f64)]) -> Vec<f64> {
    let values: HashMap<Point, f64> = ranked.iter().copied().collect();
    let places = space.places(best);
    let steps = (0..places.len()).flat_map(|axis| [(axis, -1), (axis, 1)]);
    let beside = steps.filter_map(|(axis, step)| {
        let mut beside = places.clone();
        beside[axis] =
            places[axis].checked_add_signed(step).filter(|&p| p < space.axes()[axis].values.len())?;
        values.get(&space.at(&beside)).copied()
    });
    let beside: Vec<f64> = beside.collect();
    if beside.len() >= places.len() {
        return beside;
    }
    // Distances on axes of different lengths are compared as shares of these.
    let distance = |point: Point| {
        let squares =
            space.places(point).into_iter().zip(&places).zip(space.axes()).map(|((a, &b), axis)| {
                let share = a.abs_diff(b) as f64 / (axis.values.len().max(2) - 1) as f64;
                share * share
            });
        squares.sum::<f64>()
    };
    let mut others: Vec<(f64, Point, f64)> = ranked
        .iter()
        .filter(|(point, _)| *point != best)
        .map(|&(point, value)| (distance(point), point, value))
        .collect();
    others.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    others.into_iter().take(2 * places.len()).map(|(_, _, value)| value).collect()
}
