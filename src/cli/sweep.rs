//! `algo-trader sweep`: a backtest again and again with other parameters.

use super::status_line::StatusLine;
use super::{Outcome, backtest};
use crate::domain::Time;
use crate::history::Catalogue;
use crate::report::sweep::{AxisValues, SweepReport, write};
use crate::run::Config;
use crate::run::config::{parse_span, parse_time, span_label};
use crate::run::interrupt::Interrupt;
use crate::run::sweep::{
    Axis, Backtests, Choice, Done, OBJECTIVES, Objective, Point, Progress, Ranking, ResultsFile, Search,
    Space, Span, SweepError, Task, WalkForward, rank, search, walk_forward,
};
use crate::statistics::outcome::Conventions;
use crate::strategy::StrategySpec;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader sweep --config my.toml --param fast=5..50:5 --param slow=20..200:20 --report sweep
  algo-trader sweep --config my.toml --param fast=2..100 --param slow=10..400 --random 500 --seed 7
  algo-trader sweep --config my.toml --param fast=5,10,20 --param slow=50,100 --walk-forward 365d,90d --anchored
  algo-trader sweep --config my.toml --param trend.fast=5..50:5 --results sweep.jsonl   (goes on where it was stopped)

Ctrl-C ends it after the runs under way, and ranks what was run until then; with --results the same command goes on from there.

A parameter is written LABEL.PARAMETER, or PARAMETER where the configuration has one strategy; its values are a list, \
whose members may be ranges FROM..TO or FROM..TO:STEP.

Next: algo-trader backtest --config my.toml --report DIR, with the parameters that were found")]
pub struct Args {
    /// Configuration file; the built-in one where not given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The history's directory
    #[arg(long, visible_alias = "dir", value_name = "DIR")]
    history: Option<PathBuf>,
    /// The first day or moment, UTC: 2024-08-08, 2024-08-08T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Time>,
    /// The first day or moment not any more
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Time>,
    /// Watch so much before each run without orders, so that indicators are ready: 90d, 12h, 30m, 45s
    #[arg(long, value_name = "LENGTH", value_parser = backtest::span)]
    warm_up: Option<Duration>,
    /// A parameter to vary and its values: fast=5..50:5
    #[arg(long = "param", value_name = "NAME=VALUES", required = true)]
    params: Vec<String>,
    /// Run so many combinations, drawn at random, in place of all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    random: Option<u64>,
    /// What random combinations are drawn by
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// What the best has most of; a run that was ruined is not ranked
    #[arg(long, value_name = "NAME", default_value = OBJECTIVES[0].name, value_parser = objective)]
    objective: &'static Objective,
    /// Rank only runs with at least so many closed trades
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_trades: u64,
    /// Choose on a stretch of time and judge on the next, which it warms up, again and again: 365d,90d (d, h, m or s)
    #[arg(long, value_name = "TRAIN,TEST", value_parser = stretches)]
    walk_forward: Option<(Duration, Duration)>,
    /// Let every training stretch begin at the beginning
    #[arg(long, requires = "walk_forward")]
    anchored: bool,
    /// Runs at once; as many as there are cores where not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Keep results in this file, and go on from those that are there
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Write a page with heat maps, and all figures, into this directory; beside earlier ones they go into run-2,
    /// run-3, … there
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// A year's return without risk, for Sharpe and Sortino ratios: 0.03
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = rate)]
    risk_free: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Time, String> {
    parse_time(text)
        .ok_or_else(|| "expected a day or a moment, UTC: 2024-08-08 or 2024-08-08T12:00:00Z".into())
}

fn objective(text: &str) -> Result<&'static Objective, String> {
    Objective::named(text)
}

/// A fraction a year, of less than all.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (-0.5..1.0).contains(&rate) => Ok(rate),
        _ => Err("expected a fraction from -0.5 to 1, such as 0.03 for 3 %".into()),
    }
}

fn stretches(text: &str) -> Result<(Duration, Duration), String> {
    let both = text
        .split_once(',')
        .and_then(|(train, test)| Some((parse_span(train.trim())?, parse_span(test.trim())?)));
    both.ok_or_else(|| "expected two stretches such as 365d,90d or 48h,12h".into())
}

/// Why there is no sweep: told, and its exit status.
fn refused(error: &dyn std::fmt::Display) -> Outcome {
    eprintln!("{error}");
    Outcome::BadUsage
}

pub fn run(args: Args, strategies: &'static [StrategySpec]) -> Outcome {
    let axes: Result<Vec<Axis>, _> = args.params.iter().map(|text| Axis::parse(text)).collect();
    let space = match axes.and_then(Space::new) {
        Ok(space) => space,
        Err(error) => return refused(&error),
    };
    let choice = match args.random {
        Some(count) => Choice::Random { count, seed: args.seed },
        None => Choice::Grid,
    };
    let points = match space.points(choice) {
        Ok(points) => points,
        Err(error) => return refused(&error),
    };
    let (mut config, catalogue) =
        match backtest::load(args.config.as_deref(), args.history.as_deref(), true, &[]) {
            Ok((config, Some(Ok(catalogue)))) => (config, catalogue),
            Ok((_, Some(Err(error)))) => {
                eprintln!("{error}");
                return Outcome::Failed;
            }
            Ok((_, None)) => return refused(&"there is no history to run over"),
            Err(error) => return refused(&error),
        };
    let b = &mut config.backtest;
    (b.from, b.until) = (args.from.or(b.from), args.until.or(b.until));
    b.warm_up = args.warm_up.unwrap_or(b.warm_up);
    super::logging::start_log(&config, "sweep");
    if let Err(outcome) = super::output::prepare_report(args.report.as_deref()) {
        return outcome;
    }
    swept(&args, &config, &catalogue, strategies, &space, &points)
}

fn swept(
    args: &Args,
    config: &Config,
    catalogue: &Catalogue,
    strategies: &'static [StrategySpec],
    space: &Space,
    points: &[Point],
) -> Outcome {
    let interrupt = Interrupt::install().unwrap_or_default();
    let by = Conventions { periods: None, risk_free: args.risk_free };
    let backtests = match Backtests::new(config, catalogue, strategies, space, interrupt.clone(), by) {
        Ok(backtests) => backtests,
        Err(error) => return refused(&error),
    };
    let whole = match backtests.whole() {
        Ok(whole) if whole.from < whole.until => whole,
        Ok(_) => return refused(&"no data lies between --from and --until"),
        Err(error) => return refused(&error),
    };
    let told = config.hours_that_end(whole.until).into_iter().chain(config.quotes_that_are_mixed());
    told.for_each(|told| eprintln!("warning: {told}"));
    let windows = args
        .walk_forward
        .map(|(train, test)| WalkForward { train, test, anchored: args.anchored }.windows(whole));
    let windows = match windows.transpose() {
        Ok(windows) => windows,
        Err(error) => return refused(&error),
    };
    let mut results = match &args.results {
        Some(path) => match ResultsFile::open(path, space, &backtests.subject()) {
            Ok(results) => Some(results),
            Err(error) => return refused(&error),
        },
        None => None,
    };
    let workers =
        args.workers.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let mut progress = progress(args.results.is_none());
    let mut run = Search {
        evaluate: &backtests,
        space,
        workers,
        results: results.as_mut(),
        stop: &interrupt,
        progress: &mut *progress,
    };
    let tasks: Vec<Task> = points.iter().map(|&point| Task::of(point, whole)).collect();
    let (done, mut stopped) = match part_of(search(&mut run, &tasks)) {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    let ranking = rank(space, &done, args.objective, args.min_trades);
    let is_none_run = stopped.is_none() && ranking.candidates.is_empty() && ranking.failed.is_empty();
    if let Some(why) = ranking.first_refusal.as_ref().filter(|_| is_none_run) {
        drop(progress);
        return refused(&format!("all {} sets of parameters are refused; the first: {why}", ranking.refused));
    }
    let mut walk = None;
    if let (None, Some(windows)) = (&stopped, &windows) {
        match walk_forward(&mut run, points, windows, args.objective, args.min_trades, args.risk_free) {
            Ok(report) => walk = Some(report),
            Err(error @ SweepError::Interrupted { .. }) => stopped = Some(format!("walk-forward: {error}")),
            Err(error) => return failed(&error),
        }
    }
    drop(progress);
    backtests.blind_books().iter().for_each(|told| eprintln!("warning: {told}"));
    if let Some(why) = &ranking.first_refusal {
        eprintln!("{} sets of parameters were refused; the first: {why}", ranking.refused);
    }
    let mut report = SweepReport { walk_forward: walk, ..report(args, config, space, whole, ranking) };
    // What is kept of a sweep that was cut short says so.
    report.settings.extend(stopped.as_ref().map(|why| (STOPPED.to_owned(), why.clone())));
    let outcome = shown(args, &report);
    if let Some(why) = stopped {
        eprintln!("{why}");
        return Outcome::Failed;
    }
    outcome
}

/// The setting that says that a sweep was cut short.
const STOPPED: &str = "stopped";

/// The results of a search, and where it was interrupted, that it was: what was run until then is worth as much as before.
fn part_of(found: Result<Vec<Done>, SweepError>) -> Result<(Vec<Done>, Option<String>), SweepError> {
    match found {
        Ok(done) => Ok((done, None)),
        Err(SweepError::Interrupted { done, total }) if !done.is_empty() => {
            let told = SweepError::Interrupted { done: done.clone(), total }.to_string();
            Ok((done, Some(told)))
        }
        Err(error) => Err(error),
    }
}

fn failed(error: &SweepError) -> Outcome {
    eprintln!("{error}");
    Outcome::Failed
}

/// A line of progress with what is left, where standard error is a terminal.
/// Where results are not kept, one that goes on for long says how they would be.
fn progress(is_lost: bool) -> Box<dyn FnMut(Progress)> {
    /// Seconds that are left where it goes on for long.
    const LONG: f64 = 60.0;
    let Some(mut status) = StatusLine::new() else { return Box::new(|_| {}) };
    let begun = Instant::now();
    Box::new(move |at: Progress| {
        let run = (at.done - at.earlier).max(1) as f64;
        let left = begun.elapsed().as_secs_f64() / run * (at.total - at.done) as f64;
        let kept = if at.earlier > 0 { format!(", {} from before", at.earlier) } else { String::new() };
        let hint = if is_lost && left > LONG { "; --results FILE would keep them" } else { "" };
        status.show(&format!("{} of {} runs{kept}, {left:.0} s left{hint}", at.done, at.total));
    })
}

fn report(args: &Args, config: &Config, space: &Space, whole: Span, ranking: Ranking) -> SweepReport {
    let axis = |axis: &Axis| AxisValues { name: axis.name.clone(), values: axis.values.clone() };
    let mut settings = vec![
        ("from".to_owned(), whole.from.to_string()),
        ("until".to_owned(), whole.until.to_string()),
        ("least trades".to_owned(), args.min_trades.to_string()),
    ];
    if !config.backtest.warm_up.is_zero() {
        settings.push(("warm-up".to_owned(), span_label(config.backtest.warm_up)));
    }
    if let Some(count) = args.random {
        settings.push(("random".to_owned(), format!("{count} combinations, seed {}", args.seed)));
    }
    if let Some((train, test)) = args.walk_forward {
        let kind = if args.anchored { "anchored" } else { "rolling" };
        let days = |stretch: Duration| stretch.as_secs_f64() / 86_400.0;
        settings.push((
            "walk-forward".to_owned(),
            format!("{kind}, {} days of training, {} of testing", days(train), days(test)),
        ));
    }
    SweepReport {
        name: config.run.name.clone(),
        settings,
        axes: space.axes().iter().map(axis).collect(),
        objective: args.objective.name.to_owned(),
        objective_doc: args.objective.doc.to_owned(),
        combinations: space.size(),
        refused: ranking.refused,
        failed: ranking.failed,
        alone: ranking.alone,
        candidates: ranking.candidates,
        walk_forward: None,
    }
}

fn shown(args: &Args, report: &SweepReport) -> Outcome {
    let mut outcome = if report.failed.is_empty() { Outcome::Done } else { Outcome::Failed };
    if args.json {
        match report.json() {
            Ok(json) => print!("{json}"),
            Err(error) => {
                eprintln!("{error}");
                outcome = Outcome::Failed;
            }
        }
    } else {
        print!("{}", text(report));
    }
    for (values, why) in &report.failed {
        eprintln!("{}: {why}", values.join(", "));
    }
    if let Some(warning) = report.warning() {
        eprintln!("warning: {warning}");
    }
    if let Some(dir) = &args.report {
        match write(report, dir) {
            Ok(written) => eprintln!("sweep report: {}", written.html.display()),
            Err(error) => {
                eprintln!("{error}");
                outcome = Outcome::Failed;
            }
        }
    }
    outcome
}

/// The best twenty, and the walk-forward.
fn text(report: &SweepReport) -> String {
    const ROWS: usize = 20;
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let stopped = report.settings.iter().find(|(name, _)| name == STOPPED);
    let mut out = stopped.map_or_else(String::new, |(_, why)| format!("INTERRUPTED: {why}\n\n"));
    let _ = writeln!(
        out,
        "{} runs, {} refused, {} failed; ranked by {}\n",
        report.candidates.len() + report.refused + report.failed.len(),
        report.refused,
        report.failed.len(),
        report.objective
    );
    let mut heads: Vec<String> = report.axes.iter().map(|axis| axis.name.clone()).collect();
    heads.extend(["objective", "deflated", "return", "sharpe", "drawdown", "trades"].map(str::to_owned));
    let mut rows = vec![heads];
    for candidate in report.candidates.iter().take(ROWS) {
        let s = &candidate.statistics;
        let mut row = candidate.values.clone();
        row.extend([
            figure(candidate.objective),
            figure(candidate.deflated_sharpe),
            figure(s.total_return),
            figure(s.sharpe),
            figure(s.max_drawdown.map(|fall| fall.depth)),
            s.trades.trades.to_string(),
        ]);
        rows.push(row);
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", cells.join("  "));
    }
    let ruined = report.candidates.iter().filter(|candidate| candidate.statistics.is_ruined()).count();
    if ruined > 0 {
        let _ = writeln!(
            out,
            "\nRUINED: nothing was left in {ruined} of {} runs: their ratios are until then, and they have no objective",
            report.candidates.len()
        );
    }
    let all = &report.candidates;
    if ruined < all.len() && all.iter().all(|candidate| candidate.objective.is_none()) {
        let _ = writeln!(
            out,
            "\nNOT RANKED: no run has a {}: it needs several points of the equity curve within a run ([backtest] equity_seconds \
             says how far apart), and trades",
            report.objective
        );
    }
    if let Some(walk) = &report.walk_forward {
        let _ = writeln!(out, "\nwalk-forward over {} windows", walk.windows.len());
        for window in &walk.windows {
            let values = window.values.as_ref().map_or_else(|| "none".to_owned(), |values| values.join(", "));
            let _ = writeln!(
                out,
                "  {} to {}: {values}; {} {} while training, {} while testing",
                window.test_from,
                window.test_until,
                report.objective,
                figure(window.in_sample_objective),
                figure(window.out_of_sample_objective)
            );
        }
        let blind = walk.windows.iter().filter(|window| window.values.is_none()).count();
        if blind > 0 {
            let _ = writeln!(
                out,
                "  {blind} of {} windows chose nothing: no run has a {} while training, for which [backtest] equity_seconds may be \
                 too long",
                walk.windows.len(),
                report.objective
            );
        }
        let idle = walk.windows.iter().filter(|w| w.out_of_sample.as_ref().is_some_and(|s| s.traded == 0.0));
        let idle = idle.count();
        if idle > 0 {
            let _ = writeln!(out, "  {idle} of {} windows traded nothing while testing", walk.windows.len());
        }
        let _ = writeln!(
            out,
            "  together: return {}, sharpe {}, efficiency {}",
            figure(walk.out_of_sample.total_return),
            figure(walk.out_of_sample.sharpe),
            figure(walk.efficiency)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sweep::Candidate;
    use crate::run::sweep::{Evaluate, EvaluateError, Evaluation, Setting};
    use crate::statistics::periods::Sample;
    use crate::statistics::{Inputs, statistics};

    /// A report of these.
    fn report_of(settings: Vec<(String, String)>, candidates: Vec<Candidate>) -> SweepReport {
        SweepReport {
            name: "few".into(),
            settings,
            axes: Vec::new(),
            objective: String::new(),
            objective_doc: String::new(),
            combinations: 5,
            refused: 0,
            failed: Vec::new(),
            alone: None,
            candidates,
            walk_forward: None,
        }
    }

    /// Interrupted while it runs the third.
    struct Few(Interrupt);

    impl Evaluate for Few {
        fn evaluate(&self, settings: &[Setting<'_>], _task: &Task) -> Result<Evaluation, EvaluateError> {
            if settings[0].value == "3" {
                self.0.raise();
                return Err(EvaluateError::Failed("interrupted".into()));
            }
            Ok(Evaluation { statistics: statistics(&Inputs::default()), equity: Vec::new() })
        }
    }

    #[test]
    fn what_was_run_until_an_interrupt_is_ranked_and_says_so() {
        let space = Axis::parse("fast=1..5").and_then(|axis| Space::new(vec![axis])).expect("a good axis");
        let points = space.points(Choice::Grid).expect("few");
        let whole = Span { from: Time(0), until: Time(1) };
        let tasks: Vec<Task> = points.iter().map(|&point| Task::of(point, whole)).collect();
        let (stop, progress) = (Interrupt::default(), &mut |_| {});
        let few = Few(stop.clone());
        let mut run =
            Search { evaluate: &few, space: &space, workers: 1, results: None, stop: &stop, progress };
        let (done, stopped) = part_of(search(&mut run, &tasks)).expect("two are worth something");
        let ranking = rank(&space, &done, &OBJECTIVES[0], 0);
        assert_eq!((ranking.candidates.len(), ranking.failed.len()), (2, 0));
        let settings = stopped.into_iter().map(|why| (STOPPED.to_owned(), why)).collect();
        let report = report_of(settings, ranking.candidates);
        let told = text(&report);
        assert!(told.starts_with("INTERRUPTED: interrupted after 2 of 5 runs"), "{told}");
        assert!(told.contains("\n2 runs, 0 refused"), "{told}");
        // Of nothing there is nothing to rank.
        assert!(part_of(search(&mut run, &tasks)).is_err());
    }

    #[test]
    fn what_was_ruined_has_no_objective_and_it_is_told_why() {
        let space = Axis::parse("fast=1..2").and_then(|axis| Space::new(vec![axis])).expect("a good axis");
        let whole = Span { from: Time(0), until: Time(1) };
        let done = |ends: [f64; 2]| -> Vec<Done> {
            let points = space.points(Choice::Grid).expect("few").into_iter().zip(ends);
            let of = |(point, end): (Point, f64)| {
                let equity =
                    [100.0, 90.0, 95.0, end].into_iter().zip(0u64..).map(|(v, n)| Sample::new(Time(n), v));
                let equity: Vec<Sample> = equity.collect();
                let statistics = statistics(&Inputs { equity: &equity, ..Inputs::default() });
                Done {
                    task: Task::of(point, whole),
                    result: Ok(Evaluation { statistics, equity: Vec::new() }),
                }
            };
            points.map(of).collect()
        };
        let told =
            |ends| text(&report_of(Vec::new(), rank(&space, &done(ends), &OBJECTIVES[4], 0).candidates));
        let one = told([-10.0, 110.0]);
        assert!(one.contains("\nRUINED: nothing was left in 1 of 2 runs"), "{one}");
        assert!(!told([90.0, 110.0]).contains("RUINED"));
        assert!(!one.contains("NOT RANKED"), "{one}");
        // A beginning and an end are one return.
        let two = [Sample::new(Time(0), 100.0), Sample::new(Time(900_000_000_000), 155.0)];
        let statistics = statistics(&Inputs { equity: &two, ..Inputs::default() });
        let result = Ok(Evaluation { statistics, equity: Vec::new() });
        let short = [Done { task: Task::of(Point(0), whole), result }];
        let told = text(&report_of(Vec::new(), rank(&space, &short, &OBJECTIVES[0], 0).candidates));
        assert!(told.contains("\nNOT RANKED: no run has a ") && told.contains("equity_seconds"), "{told}");
    }
}
