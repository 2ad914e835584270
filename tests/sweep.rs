//! Sweeps: the same report whatever the workers and interruptions, honest about luck, and blind to what comes after.

use algo_trader::domain::Time;
use algo_trader::report::sweep::{AxisValues, SweepReport, write};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::sweep::{
    Axis, Choice, Done, Evaluate, EvaluateError, Evaluation, Objective, Point, Progress, ResultsFile, Search,
    Setting, Space, Span, SweepError, Task, WalkForward, rank, search, walk_forward,
};
use algo_trader::statistics::{Inputs, Periods, Sample, statistics};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const DAY_NS: u64 = 86_400_000_000_000;
const SUBJECT: &str = "a made-up market";

fn lcg(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Neighbouring numbers become strangers.
fn mixed(of: u64) -> u64 {
    let mixed = (of ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) ^ (mixed >> 29)
}

/// A market that pays by `skill`, which is a drift a day for each set of parameters and moment, over noise that is
/// the same for the same parameters and day.
struct Market<F> {
    skill: F,
    calls: AtomicUsize,
    asked: Mutex<Vec<(Vec<String>, Task)>>,
    fails: AtomicBool,
}

impl<F: Fn(&[f64], u64) -> f64 + Sync> Market<F> {
    fn new(skill: F) -> Self {
        Self { skill, calls: AtomicUsize::new(0), asked: Mutex::default(), fails: AtomicBool::new(false) }
    }
}

impl<F: Fn(&[f64], u64) -> f64 + Sync> Evaluate for Market<F> {
    fn evaluate(&self, of: &[Setting<'_>], task: &Task) -> Result<Evaluation, EvaluateError> {
        let &Task { span, with_equity, .. } = task;
        let n = self.calls.fetch_add(1, Ordering::Relaxed);
        let texts: Vec<String> = of.iter().map(|setting| setting.value.to_owned()).collect();
        self.asked.lock().expect("no panic").push((texts, *task));
        let values: Vec<f64> = of.iter().map(|setting| setting.value.parse().expect("numbers")).collect();
        if values.len() == 2 && values[0] >= values[1] {
            return Err(EvaluateError::Refused("the first must be less than the second".into()));
        }
        if self.fails.load(Ordering::Relaxed) && n.is_multiple_of(5) {
            return Err(EvaluateError::Failed("no luck".into()));
        }
        // Some take longer than others, so that they overtake each other.
        std::thread::sleep(Duration::from_micros((n as u64 * 7919) % 300));
        let mut worth = 1_000.0;
        let mut equity = vec![Sample::new(span.from, worth)];
        for day in span.from.0 / DAY_NS..span.until.0 / DAY_NS {
            let mut state = values.iter().fold(mixed(day), |state, v| mixed(state ^ (*v * 8.0) as u64));
            let noise = (0..6).map(|_| lcg(&mut state) % 2_001).sum::<u64>() as f64 / 6_000.0 - 1.0;
            worth *= 1.0 + noise * 0.01 + (self.skill)(&values, day);
            equity.push(Sample::new(Time((day + 1) * DAY_NS), worth));
        }
        let all = statistics(&Inputs {
            equity: &equity,
            periods: Some(Periods::points(365.0)),
            ..Inputs::default()
        });
        let kept =
            if with_equity { equity.iter().map(|p| (p.time.0, p.value)).collect() } else { Vec::new() };
        Ok(Evaluation { statistics: all, equity: kept })
    }
}

fn space(axes: &[&str]) -> Space {
    Space::new(axes.iter().map(|axis| Axis::parse(axis).expect("a good axis")).collect()).expect("good axes")
}

fn days(from: u64, until: u64) -> Span {
    Span { from: Time(from * DAY_NS), until: Time(until * DAY_NS) }
}

fn tasks(space: &Space, choice: Choice, span: Span) -> Vec<Task> {
    let points = space.points(choice).expect("few points");
    points.into_iter().map(|point| Task::of(point, span)).collect()
}

fn run(
    evaluate: &dyn Evaluate,
    space: &Space,
    tasks: &[Task],
    workers: usize,
    results: Option<&mut ResultsFile>,
) -> Result<Vec<Done>, SweepError> {
    let stop = Interrupt::default();
    search(&mut Search { evaluate, space, workers, results, stop: &stop, progress: &mut |_| {} }, tasks)
}

fn report(space: &Space, done: &[Done], objective: &str) -> SweepReport {
    let objective = Objective::named(objective).expect("there is one");
    let ranking = rank(space, done, objective, 0);
    SweepReport {
        name: "test".into(),
        settings: vec![("subject".into(), SUBJECT.into())],
        axes: space
            .axes()
            .iter()
            .map(|a| AxisValues { name: a.name.clone(), values: a.values.clone() })
            .collect(),
        objective: objective.name.into(),
        objective_doc: objective.doc.into(),
        combinations: space.size(),
        refused: ranking.refused,
        failed: ranking.failed,
        alone: ranking.alone,
        candidates: ranking.candidates,
        walk_forward: None,
    }
}

/// A smooth hill over two parameters, highest at 12 and 30.
fn hill(values: &[f64], _: u64) -> f64 {
    let far = ((values[0] - 12.0) / 10.0).powi(2) + ((values[1] - 30.0) / 20.0).powi(2);
    0.002 * (-far).exp()
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let space = space(&["fast=4..20:4", "slow=10..50:5"]);
    for choice in [Choice::Grid, Choice::Random { count: 17, seed: 3 }] {
        let tasks = tasks(&space, choice, days(0, 300));
        let reports: Vec<String> = [1, 2, 5]
            .into_iter()
            .map(|workers| {
                let market = Market::new(hill);
                let done = run(&market, &space, &tasks, workers, None).expect("it runs");
                assert_eq!(market.calls.into_inner(), tasks.len(), "each is run once");
                report(&space, &done, "sharpe").json().expect("JSON")
            })
            .collect();
        assert!(reports.iter().all(|text| *text == reports[0]));
    }
}

#[test]
fn an_interrupted_sweep_goes_on_where_it_was_cut() {
    let dir = tempfile::tempdir().expect("a place");
    let path = dir.path().join("results.jsonl");
    let space = space(&["fast=4..20:4", "slow=10..50:10"]);
    let tasks = tasks(&space, Choice::Grid, days(0, 100));
    let whole = report(&space, &run(&Market::new(hill), &space, &tasks, 2, None).expect("it runs"), "sharpe");
    // Stopped after seven results.
    let stop = Interrupt::default();
    let mut results = ResultsFile::open(&path, &space, SUBJECT).expect("a new file");
    let mut progress = |at: Progress| {
        if at.done >= 7 {
            stop.raise();
        }
    };
    // Of what is not asked for by then, nothing is done before the stop.
    let (stopping, begun) = (stop.clone(), AtomicUsize::new(0));
    let market = Market::new(move |values: &[f64], day| {
        if day == 0 && begun.fetch_add(1, Ordering::Relaxed) >= 9 {
            while !stopping.is_raised() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        hill(values, day)
    });
    let mut part = Search {
        evaluate: &market,
        space: &space,
        workers: 2,
        results: Some(&mut results),
        stop: &stop,
        progress: &mut progress,
    };
    let stopped = search(&mut part, &tasks).expect_err("it was stopped");
    let SweepError::Interrupted { done, total: 25 } = &stopped else { panic!("{stopped}") };
    assert!(
        (7..=24).contains(&done.len())
            && stopped.to_string().contains(&format!("after {} of 25", done.len()))
    );
    // What there is can be ranked; parameters that do not go together may be among it.
    let part = report(&space, done, "sharpe");
    assert_eq!(part.candidates.len() + part.refused, done.len());
    drop(results);
    let bytes = fs::read(&path).expect("readable");
    // Cut anywhere, as a kill may leave it.
    for cut in (0..=bytes.len()).rev().step_by(397).chain([0, 1, 9, 10, 40, bytes.len() - 1]) {
        fs::write(&path, &bytes[..cut]).expect("writable");
        let mut results = ResultsFile::open(&path, &space, SUBJECT).expect("a file of this sweep");
        let kept = results.len();
        assert_eq!(
            kept,
            bytes[..cut].iter().filter(|b| **b == b'\n').count().saturating_sub(1),
            "cut at {cut}"
        );
        let market = Market::new(hill);
        let done = run(&market, &space, &tasks, 3, Some(&mut results)).expect("it goes on");
        assert_eq!(market.calls.into_inner(), tasks.len() - kept, "only what is missing is run");
        assert_eq!(report(&space, &done, "sharpe"), whole, "cut at {cut}");
        // And what was written is whole.
        drop(results);
        let again = ResultsFile::open(&path, &space, SUBJECT).expect("a file of this sweep");
        assert_eq!(again.len(), tasks.len());
    }
}

#[test]
fn results_of_something_else_and_damaged_ones_are_refused() {
    let dir = tempfile::tempdir().expect("a place");
    let path = dir.path().join("results.jsonl");
    let (one, other) = (space(&["a=1,2,3"]), space(&["a=1,2,4"]));
    let tasks = tasks(&one, Choice::Grid, days(0, 20));
    let market = Market::new(|_: &[f64], _| 0.0);
    let mut results = ResultsFile::open(&path, &one, SUBJECT).expect("a new file");
    run(&market, &one, &tasks, 1, Some(&mut results)).expect("it runs");
    drop(results);
    let refused = |space: &Space, subject: &str| {
        let error = ResultsFile::open(&path, space, subject).expect_err("it is refused");
        assert!(matches!(error, SweepError::OtherSweep { .. }), "{error}");
    };
    let bytes = fs::read(&path).expect("readable");
    refused(&other, SUBJECT);
    refused(&one, "another market");
    assert_eq!(fs::read(&path).expect("readable"), bytes, "a file of others is left as it is");
    let text = String::from_utf8(bytes).expect("text");
    let damaged: Vec<String> =
        text.lines().enumerate().map(|(n, l)| if n == 2 { l.replace(':', ";") } else { l.into() }).collect();
    fs::write(&path, damaged.join("\n") + "\n").expect("writable");
    let error = ResultsFile::open(&path, &one, SUBJECT).expect_err("a line is damaged");
    assert!(error.to_string().contains("results.jsonl:3: not a result"), "{error}");
    for foreign in ["not ours, without a line", "not ours\nwith lines\n", "\n"] {
        fs::write(&path, foreign).expect("writable");
        refused(&one, SUBJECT);
    }
}

#[test]
fn a_results_file_has_one_sweep_at_a_time() {
    let dir = tempfile::tempdir().expect("a place");
    let path = dir.path().join("results.jsonl");
    let space = space(&["a=1,2,3"]);
    let first = ResultsFile::open(&path, &space, SUBJECT).expect("a new file");
    let error = ResultsFile::open(&path, &space, SUBJECT).expect_err("it is written");
    assert!(matches!(error, SweepError::Busy { .. }), "{error}");
    drop(first);
    ResultsFile::open(&path, &space, SUBJECT).expect("free again");
}

#[test]
fn a_result_that_was_changed_is_refused_by_its_line() {
    let dir = tempfile::tempdir().expect("a place");
    let path = dir.path().join("results.jsonl");
    let space = space(&["a=1,2,3"]);
    let tasks = tasks(&space, Choice::Grid, days(0, 20));
    let market = Market::new(|values: &[f64], day| values[0] * (day % 3) as f64 * 0.001);
    let mut results = ResultsFile::open(&path, &space, SUBJECT).expect("a new file");
    run(&market, &space, &tasks, 1, Some(&mut results)).expect("it runs");
    drop(results);
    let text = fs::read_to_string(&path).expect("readable");
    let lines: Vec<&str> = text.lines().collect();
    // Each digit of the second result, the checksum's own among them, one up.
    for at in (0..lines[2].len()).filter(|&at| lines[2].as_bytes()[at].is_ascii_digit()) {
        let mut line = lines[2].as_bytes().to_vec();
        line[at] = b'0' + (line[at] - b'0' + 1) % 10;
        let line = String::from_utf8(line).expect("text");
        fs::write(&path, [lines[0], lines[1], &line, lines[3], ""].join("\n")).expect("writable");
        let error = ResultsFile::open(&path, &space, SUBJECT).expect_err("changed");
        // A digit of a number may make it none.
        assert!(
            error.to_string().contains("results.jsonl:3: ") && error.to_string().contains("remove the line"),
            "{error}"
        );
    }
    // One without its checksum is no better, but in a file of before, in which no line has one.
    let bare = |line: &str| format!("{}}}", line.split_once(",\"crc32\"").expect("a checksum").0);
    let bared = |head: &str| [head, &bare(lines[1]), &bare(lines[2]), lines[3], ""].join("\n");
    fs::write(&path, bared(lines[0])).expect("writable");
    let error = ResultsFile::open(&path, &space, SUBJECT).expect_err("not whole");
    assert!(error.to_string().contains("results.jsonl:2: is not as it was written"), "{error}");
    fs::write(&path, bared(&lines[0].replace(",\"checked\":true", ""))).expect("writable");
    assert_eq!(ResultsFile::open(&path, &space, SUBJECT).expect("of before").len(), 3);
}

#[test]
fn what_failed_is_told_and_tried_again() {
    let dir = tempfile::tempdir().expect("a place");
    let path = dir.path().join("results.jsonl");
    let space = space(&["a=1..20"]);
    let tasks = tasks(&space, Choice::Grid, days(0, 20));
    let market = Market::new(|_: &[f64], _| 0.0);
    market.fails.store(true, Ordering::Relaxed);
    let mut results = ResultsFile::open(&path, &space, SUBJECT).expect("a new file");
    let done = run(&market, &space, &tasks, 1, Some(&mut results)).expect("it runs");
    let told = report(&space, &done, "sharpe");
    assert_eq!((told.failed.len(), told.candidates.len()), (4, 16));
    drop(results);
    let mut results = ResultsFile::open(&path, &space, SUBJECT).expect("a file of this sweep");
    let market = Market::new(|_: &[f64], _| 0.0);
    let done = run(&market, &space, &tasks, 1, Some(&mut results)).expect("it runs");
    assert_eq!(market.calls.into_inner(), 4);
    assert_eq!(report(&space, &done, "sharpe").candidates.len(), 20);
}

#[test]
fn the_ranking_is_that_of_a_plain_sort() {
    let space = space(&["fast=4..20:4", "slow=10..50:5"]);
    let done = run(&Market::new(hill), &space, &tasks(&space, Choice::Grid, days(0, 200)), 2, None)
        .expect("it runs");
    for objective in ["sharpe", "total-return", "max-drawdown"] {
        let of = Objective::named(objective).expect("there is one").of;
        let mut naive: Vec<(f64, Point)> = done
            .iter()
            .filter_map(|one| Some((of(&one.result.as_ref().ok()?.statistics)?, one.task.point)))
            .collect();
        naive.sort_by(|a, b| b.0.partial_cmp(&a.0).expect("numbers").then(a.1.cmp(&b.1)));
        let ranked = report(&space, &done, objective);
        let places: Vec<Point> = ranked.candidates.iter().map(|c| space.at(&c.places)).collect();
        assert_eq!(places, naive.iter().map(|(_, point)| *point).collect::<Vec<_>>(), "{objective}");
        // fast 12, 16, 20 are not below slow 10, 15, 20: 3 + 2 + 1 or so.
        let refused = space.points(Choice::Grid).expect("few").len() - naive.len();
        assert_eq!((ranked.refused, refused > 3), (refused, true));
    }
}

#[test]
fn luck_is_told_from_skill() {
    let space = space(&["a=1..200"]);
    let deflated = |skill: fn(&[f64], u64) -> f64| {
        let done = run(&Market::new(skill), &space, &tasks(&space, Choice::Grid, days(0, 500)), 2, None);
        let report = report(&space, &done.expect("it runs"), "sharpe");
        let best = report.best().expect("a best one").clone();
        (
            best.deflated_sharpe.expect("defined"),
            best.statistics.probabilistic_sharpe.expect("defined"),
            best.values,
        )
    };
    let (luck, naive, _) = deflated(|_, _| 0.0);
    assert!(
        naive > 0.98 && luck < 0.95,
        "the best of noise looks good ({naive}) until it is deflated ({luck})"
    );
    let (skill, _, values) = deflated(|values, _| if values[0] == 77.0 { 0.0012 } else { 0.0 });
    assert!(skill > 0.95 && values == ["77"], "{skill} {values:?}");
}

#[test]
fn a_peak_without_a_slope_is_warned_of_and_a_hill_is_not() {
    let space = space(&["fast=1..15", "slow=20..40:2"]);
    let alone = |skill: fn(&[f64], u64) -> f64| {
        let done = run(&Market::new(skill), &space, &tasks(&space, Choice::Grid, days(0, 2_000)), 2, None);
        report(&space, &done.expect("it runs"), "sharpe")
    };
    let spike = alone(|values, _| if values == [8.0, 30.0] { 0.002 } else { 0.0 });
    assert_eq!(spike.best().expect("a best one").values, ["8", "30"]);
    let told = spike.alone.expect("a spike stands alone");
    assert_eq!(told.neighbours_count, 4);
    assert!(told.neighbours < told.best / 2.0);
    assert!(spike.warning().expect("a warning").contains("stands alone"));
    let hill = alone(hill);
    assert_eq!(hill.alone, None, "a hill does not");
}

#[test]
fn what_was_ruined_is_not_chosen_whatever_came_of_it() {
    // The first owes more than it has, and ends with ten times as much.
    let skill = |values: &[f64], day: u64| match (values[0] as u64, day) {
        (0, 5) => -2.0,
        (0, 6) => -11.0,
        _ => 0.0,
    };
    let space = space(&["phase=0,1"]);
    let done = run(&Market::new(skill), &space, &tasks(&space, Choice::Grid, days(0, 100)), 1, None);
    let done = done.expect("it runs");
    for objective in ["total-return", "sharpe", "cagr"] {
        let candidates = report(&space, &done, objective).candidates;
        let shown: Vec<_> =
            candidates.iter().map(|c| (c.values[0].as_str(), c.objective.is_some())).collect();
        assert_eq!(shown, [("1", true), ("0", false)], "{objective}");
    }
}

#[test]
fn a_walk_forward_chooses_by_the_past_alone_and_chains_what_came_after() {
    // What is good changes every hundred days; the first value is its phase.
    let skill = |values: &[f64], day: u64| if (day / 100) % 3 == values[0] as u64 { 0.004 } else { -0.001 };
    let space = space(&["phase=0,1,2"]);
    let points = space.points(Choice::Grid).expect("few");
    let walk = WalkForward {
        train: Duration::from_nanos(60 * DAY_NS),
        test: Duration::from_nanos(20 * DAY_NS),
        anchored: false,
    };
    let windows = walk.windows(days(0, 900)).expect("they fit");
    assert_eq!(windows.len(), 42);
    let objective = Objective::named("total-return").expect("there is one");
    let result_of = |workers: usize, trades_min: u64, risk_free: f64| {
        let market = Market::new(skill);
        let stop = Interrupt::default();
        let mut run = Search {
            evaluate: &market,
            space: &space,
            workers,
            results: None,
            stop: &stop,
            progress: &mut |_| {},
        };
        let report = walk_forward(&mut run, &points, &windows, objective, trades_min, risk_free);
        (report.expect("it runs"), market.asked.into_inner().expect("no panic"))
    };
    let result = |workers: usize| result_of(workers, 0, 0.0);
    let (report, asked) = result(1);
    assert_eq!(report, result(4).0);
    let (trained, tested) = asked.split_at(points.len() * windows.len());
    let alone = |task: &Task| task.watched_from.is_none();
    assert!(trained.iter().all(|(_, t)| alone(t) && windows.iter().any(|window| window.train == t.span)));
    let judged: Vec<_> = tested.iter().map(|(_, task)| (task.watched_from, task.span)).collect();
    let expected: Vec<_> = windows.iter().map(|window| (Some(window.train.from), window.test)).collect();
    assert_eq!(judged, expected, "one run a window is judged, which has seen what was trained on");
    let mut worth = 1.0;
    for (row, window) in report.windows.iter().zip(&windows) {
        // The naive choice: all on the training stretch, the best of them.
        let market = Market::new(skill);
        let growth = |phase: &str, span| {
            let (of, task) = ([Setting { name: "phase", value: phase }], Task::of(points[0], span));
            market.evaluate(&of, &task).expect("it runs").statistics.total_return.expect("defined")
        };
        let mut best = ["0", "1", "2"].map(|phase| (growth(phase, window.train), phase));
        best.sort_by(|a, b| b.0.partial_cmp(&a.0).expect("numbers"));
        assert_eq!(row.values.as_deref(), Some(&[best[0].1.to_owned()][..]));
        worth *= 1.0 + growth(best[0].1, window.test);
    }
    let end = report.out_of_sample.end_equity;
    assert!((end / worth - 1.0).abs() < 1e-9, "{end} {worth}");
    assert!(report.efficiency.expect("training earned") < 1.0);
    let spans: HashSet<u64> = report.curve.iter().map(|(time, _)| *time).collect();
    assert_eq!(spans.len(), report.curve.len(), "no moment is there twice");

    // What cash earns counts for what is out of sample together, as for each of its stretches.
    let curve: Vec<Sample> =
        report.curve.iter().map(|(time, value)| Sample::new(Time(*time), *value)).collect();
    for risk_free in [0.0, 0.3] {
        let found = result_of(1, 0, risk_free).0.out_of_sample;
        let periods = Some(found.periods);
        let expected = statistics(&Inputs { equity: &curve, periods, risk_free, ..Inputs::default() });
        assert_eq!((found.sharpe, found.sortino), (expected.sharpe, expected.sortino));
    }
    // Where nothing was worth it, nothing was earned: in as many periods as there were.
    let (still, _) = result_of(1, u64::MAX, 0.0);
    assert!(still.windows.iter().all(|row| row.values.is_none()));
    let (still, traded) = (&still.out_of_sample, &report.out_of_sample);
    assert_eq!((still.returns, still.end, still.total_return), (traded.returns, traded.end, Some(0.0)));
}

#[test]
fn the_page_has_a_heat_map_needs_nothing_else_and_is_harmless() {
    let dir = tempfile::tempdir().expect("a place");
    let space = space(&["<script>alert(1)</script>=4..20:4", "slow=10..50:5"]);
    let done = run(&Market::new(hill), &space, &tasks(&space, Choice::Grid, days(0, 200)), 2, None)
        .expect("it runs");
    let mut report = report(&space, &done, "sharpe");
    report.name = "<img src=x>".into();
    let files = write(&report, &dir.path().join("deep/er")).expect("it is written");
    let page = fs::read_to_string(&files.html).expect("text");
    for bad in ["<script", "<img", "http:", "https:", "src=x>", "NaN", "<link"] {
        assert!(!page.contains(bad) || bad == "src=x>" && page.contains("&lt;img src=x&gt;"), "{bad}");
    }
    let cells = page.matches("<td class=\"cell").count();
    assert_eq!(cells, report.candidates.len(), "a cell a candidate");
    assert_eq!(page.matches("<td class=\"cell best\"").count(), 1);
    assert_eq!(page.matches("<td class=\"none\">").count(), report.refused);
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&files.json).expect("text")).expect("JSON");
    assert_eq!(json["candidates"].as_array().expect("a list").len(), report.candidates.len());
    assert!(!Path::new(&files.html).with_file_name("page.css").exists());
}
