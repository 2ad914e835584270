//! Walk-forward: the best parameters of one stretch of time, judged on the next, again and again.

use super::objective::Objective;
use super::{Done, Point, Search, Space, SweepError, Task, Window, rank, search};
use crate::domain::Time;
use crate::report::sweep::{WalkForwardReport, WindowReport};
use crate::statistics::moments::mean;
use crate::statistics::{Inputs, Periods, Sample, Statistics, statistics};

const YEAR_NS: f64 = 365.0 * 86_400.0 * 1e9;

/// Runs all points on every training stretch, takes the best of each by `objective`, and runs that on the testing
/// stretch after it, warmed up by the training stretch. The curves of the testing stretches, one after another, are what a trader who refitted like this
/// would have had; nothing in them was known when their parameters were chosen. Where no parameters were worth it nothing
/// was earned: such a stretch counts with all its periods. `risk_free` is what cash earns in a year, as a fraction.
///
/// # Errors
/// As [`search`].
pub fn walk_forward(
    run: &mut Search<'_>,
    points: &[Point],
    windows: &[Window],
    objective: &Objective,
    trades_min: u64,
    risk_free: f64,
) -> Result<WalkForwardReport, SweepError> {
    let space = run.space;
    let train: Vec<Task> =
        windows.iter().flat_map(|window| points.iter().map(|&point| Task::of(point, window.train))).collect();
    let trained = search(run, &train)?;
    // With no points there are no results, and no chunks of none.
    let by_window = trained.chunks(points.len().max(1));
    let chosen: Vec<Option<Point>> = by_window.map(|done| best(space, done, objective, trades_min)).collect();
    let test: Vec<Task> = windows
        .iter()
        .zip(&chosen)
        .filter_map(|(window, point)| {
            // Who trades on has seen what was trained on. Where nobody trades, any run says what periods there are.
            let watched_from = Some(window.train.from);
            let point = point.or(points.first().copied())?;
            Some(Task { watched_from, with_equity: true, ..Task::of(point, window.test) })
        })
        .collect();
    let tested = search(run, &test)?;
    let ran = Ran { points, chosen: &chosen, trained: &trained, tested: &tested };
    Ok(report(space, windows, &ran, objective, risk_free))
}

fn best(space: &Space, done: &[Done], objective: &Objective, trades_min: u64) -> Option<Point> {
    let ranking = rank(space, done, objective, trades_min);
    let first = ranking.candidates.first()?;
    first.objective?;
    Some(space.at(&first.places))
}

/// What was run, and what was chosen of it.
struct Ran<'a> {
    points: &'a [Point],
    chosen: &'a [Option<Point>],
    trained: &'a [Done],
    tested: &'a [Done],
}

fn report(
    space: &Space,
    windows: &[Window],
    ran: &Ran<'_>,
    objective: &Objective,
    risk_free: f64,
) -> WalkForwardReport {
    let &Ran { points, chosen, trained, tested } = ran;
    let of = |done: &[Done], window_span, point| {
        let found = done.iter().find(|one| one.task.point == point && one.task.span == window_span);
        found.and_then(|one| one.result.as_ref().ok()).cloned()
    };
    let mut chain = Chain::default();
    let rows: Vec<WindowReport> = windows
        .iter()
        .enumerate()
        .map(|(n, window)| {
            let point = chosen.get(n).copied().flatten();
            let inside = point.and_then(|point| of(trained, window.train, point));
            let outside = point.and_then(|point| of(tested, window.test, point));
            match &outside {
                Some(outside) => chain.add(&outside.curve()),
                None => {
                    let any = points.first().and_then(|&point| of(tested, window.test, point));
                    let times = any.map(|any| any.curve().iter().map(|point| point.time).collect());
                    chain.stand_still(times.unwrap_or_else(|| vec![window.test.from, window.test.until]));
                }
            }
            WindowReport {
                train_from: window.train.from,
                test_from: window.test.from,
                test_until: window.test.until,
                values: point.map(|point| space.settings(point).iter().map(|s| s.value.to_owned()).collect()),
                in_sample: inside.map(|inside| inside.statistics),
                in_sample_objective: None,
                out_of_sample: outside.map(|outside| outside.statistics),
                out_of_sample_objective: None,
            }
        })
        .map(|mut row| {
            row.in_sample_objective = row.in_sample.as_ref().and_then(objective.of);
            row.out_of_sample_objective = row.out_of_sample.as_ref().and_then(objective.of);
            row
        })
        .collect();
    // By time alone, since compounding makes more of what a short stretch earned than of what another lost.
    let a_year = |statistics: &Statistics, from: Time, until: Time| {
        let years = until.since(from) as f64 / YEAR_NS;
        statistics.total_return.map(|earned| earned / years)
    };
    let annual =
        |of: &dyn Fn(&WindowReport) -> Option<f64>| mean(&rows.iter().filter_map(of).collect::<Vec<_>>());
    let inside = annual(&|row| a_year(row.in_sample.as_ref()?, row.train_from, row.test_from));
    let outside = annual(&|row| a_year(row.out_of_sample.as_ref()?, row.test_from, row.test_until));
    let whole = statistics(&Inputs {
        equity: &chain.points,
        // Of the whole: a stretch may be too short to tell how far apart its points lie, or whether its market closes.
        periods: Some(Periods::fitting(&chain.points)),
        risk_free,
        ..Inputs::default()
    });
    WalkForwardReport {
        efficiency: inside
            .zip(outside)
            .filter(|(inside, _)| *inside > 0.0)
            .map(|(inside, outside)| outside / inside),
        windows: rows,
        out_of_sample: whole,
        curve: chain.points.iter().map(|point| (point.time.0, point.value)).collect(),
    }
}

/// Curves one after another, each beginning at what the one before ended with; 1 at first.
#[derive(Default)]
struct Chain {
    points: Vec<Sample>,
}

impl Chain {
    fn worth(&self) -> f64 {
        self.points.last().map_or(1.0, |last| last.value)
    }

    fn add(&mut self, curve: &[Sample]) {
        let Some(first) = curve.first().filter(|first| first.value > 0.0) else { return };
        let worth = self.worth();
        // The first of a later curve is where the one before ended, which a bar that was under way may have done later.
        let skipped = usize::from(!self.points.is_empty());
        let ended = self.points.last().map(|last| last.time);
        let later = curve.iter().skip(skipped).filter(|p| ended.is_none_or(|ended| p.time > ended));
        let scaled = later.map(|p| Sample::new(p.time, worth * p.value / first.value));
        self.points.extend(scaled);
    }

    /// Nothing was traded at these times: no parameters were worth it.
    fn stand_still(&mut self, times: Vec<Time>) {
        let (worth, ended) = (self.worth(), self.points.last().map(|last| last.time));
        let later = times.into_iter().filter(|time| ended.is_none_or(|ended| *time > ended));
        self.points.extend(later.map(|time| Sample::new(time, worth)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_put_one_after_another_by_growth() {
        let curve = |points: &[(u64, f64)]| -> Vec<Sample> {
            points.iter().map(|&(time, value)| Sample::new(Time(time), value)).collect()
        };
        let mut chain = Chain::default();
        chain.add(&curve(&[(0, 100.0), (10, 110.0)]));
        chain.stand_still([8, 10, 12, 15].map(Time).to_vec());
        chain.add(&curve(&[(15, 1_000.0), (25, 500.0), (30, 2_000.0)]));
        chain.add(&curve(&[]));
        let shown: Vec<(u64, f64)> =
            chain.points.iter().map(|p| (p.time.0, (p.value * 1e9).round() / 1e9)).collect();
        assert_eq!(shown, [(0, 1.0), (10, 1.1), (12, 1.1), (15, 1.1), (25, 0.55), (30, 2.2)]);
    }
}
