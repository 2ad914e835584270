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
        .enumerate()
        .filter_map(|(n, (window, point))| {
            // Who trades on has seen what was trained on. Where nobody trades, any run says what periods there are.
            let watched_from = Some(window.train.from);
            let point = point.or_else(|| any_good(&trained, points.len(), n))?;
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

/// The first point whose run over this training stretch was good; what one refuses for its parameters is refused everywhere.
fn any_good(trained: &[Done], points: usize, window: usize) -> Option<Point> {
    let done = trained.chunks(points.max(1)).nth(window)?;
    done.iter().find(|one| one.result.is_ok()).map(|one| one.task.point)
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
                    let any = any_good(trained, points.len(), n);
                    let any = any.and_then(|point| of(tested, window.test, point));
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
        // As in what is added: the first is where a run begins, and no period's end.
        let skipped = usize::from(ended.is_some());
        let later = times.into_iter().skip(skipped).filter(|time| ended.is_none_or(|ended| *time > ended));
        self.points.extend(later.map(|time| Sample::new(time, worth)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Axis, Choice, Evaluate, EvaluateError, Evaluation, Setting, Span};
    use super::*;
    use crate::run::interrupt::Interrupt;

    const HOUR: u64 = 3_600_000_000_000;

    /// When a market of weekdays closes, and opens on the first of these days since Thursday, 1970-01-01.
    fn weekdays(from: u64, until: u64) -> Vec<Sample> {
        let days: Vec<u64> = (from..until).filter(|day| !matches!(day % 7, 2 | 3)).collect();
        let opens = days.first().map(|day| 24 * day + 14);
        let closes = days.iter().map(|day| 24 * day + 21);
        opens.into_iter().chain(closes).map(|hour| Sample::new(Time(hour * HOUR), 100.0)).collect()
    }

    #[test]
    fn a_stretch_that_stands_still_has_the_sessions_of_one_that_is_traded() {
        let (mut traded, mut still) = (Chain::default(), Chain::default());
        for (from, until) in [(0, 4), (4, 60), (60, 200)] {
            // The second begins with a Monday's open, which is a session of its own for who takes it for a close.
            let curve = weekdays(from, until);
            traded.add(&curve);
            still.stand_still(curve.iter().map(|point| point.time).collect());
        }
        assert_eq!(still.points, traded.points);
    }

    /// A market of weekdays in which a set of parameters is refused if its value is not above 20.
    struct Weekdays;

    impl Evaluate for Weekdays {
        fn evaluate(&self, of: &[Setting<'_>], task: &Task) -> Result<Evaluation, EvaluateError> {
            if of.iter().any(|setting| setting.value == "60") {
                return Err(EvaluateError::Refused("fast must be less than slow".into()));
            }
            let equity = weekdays(task.span.from.0 / HOUR / 24, task.span.until.0 / HOUR / 24);
            let statistics = statistics(&Inputs { equity: &equity, ..Inputs::default() });
            Ok(Evaluation { statistics, equity: equity.iter().map(|p| (p.time.0, p.value)).collect() })
        }
    }

    #[test]
    fn a_stretch_without_a_choice_counts_all_its_periods_though_the_first_parameters_are_refused() {
        let space = Space::new(vec![Axis::parse("fast=60,10,20").expect("an axis")]).expect("axes");
        let points = space.points(Choice::Grid).expect("few");
        let day = |day: u64| Time(day * 24 * HOUR);
        let windows = [(4, 60), (60, 130), (130, 200)].map(|(from, until)| Window {
            train: Span { from: day(0), until: day(from) },
            test: Span { from: day(from), until: day(until) },
        });
        let stop = Interrupt::default();
        let mut run = Search {
            evaluate: &Weekdays,
            space: &space,
            workers: 1,
            results: None,
            stop: &stop,
            progress: &mut |_| {},
        };
        let objective = Objective::named("total-return").expect("there is one");
        // Nothing trades so often.
        let report = walk_forward(&mut run, &points, &windows, objective, u64::MAX, 0.0).expect("it runs");
        let expected = weekdays(4, 200);
        let times: Vec<u64> = report.curve.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, expected.iter().map(|point| point.time.0).collect::<Vec<_>>());
    }

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
