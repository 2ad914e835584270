//! Sweeps of real backtests: over a history on disk, by the command, on any number of workers.

mod support {
    pub mod backtest;
    pub mod history;
}

use algo_trader::domain::Time;
use algo_trader::domain::params::ParamValue;
use algo_trader::history::import::{ImportKind, ImportOptions, Imported};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::sweep::{
    Axis, Backtests, Choice, Evaluate, EvaluateError, Point, Search, Setting, Space, Span, TargetError, Task,
    search,
};
use algo_trader::statistics::outcome::{Conventions, equity, of_outcome};
use std::fs;
use std::path::Path;
use support::backtest::{LIMITS, config, minutes, run};
use support::history::{Rng, import, plain};
use tempfile::tempdir;

const XYZ: &str = "usa:spot:XYZ";
const CROSS: &str = "[run]\nname = \"cross\"\n[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"usa:spot:XYZ\"]\n\
     [strategy.params]\nfast = 3\nslow = 8\ncapital = \"10000\"\nstop_bps = 40";

/// A walk of prices in bars of a minute.
fn walk(bars: usize) -> Vec<[i64; 4]> {
    let mut rng = Rng(77);
    let mut price = 10_000i64;
    (0..bars)
        .map(|_| {
            let open = price;
            price = (price + rng.below(121) as i64 - 60).max(500);
            let (high, low) =
                (open.max(price) + rng.below(20) as i64, open.min(price) - rng.below(20) as i64);
            [open, high, low, price]
        })
        .collect()
}

fn space(axes: &[&str]) -> Space {
    Space::new(axes.iter().map(|axis| Axis::parse(axis).expect("a good axis")).collect()).expect("good axes")
}

#[test]
fn a_point_of_a_sweep_is_a_backtest_of_its_own() {
    let dir = tempdir().expect("a place");
    minutes(dir.path(), XYZ, &walk(800));
    let (config, catalogue) = config(dir.path(), &[XYZ], CROSS);
    let space = space(&["fast=2..6:2", "slow=4..12:4"]);
    let backtests =
        Backtests::new(&config, &catalogue, &[], &space, Interrupt::default(), Conventions::default())
            .expect("good axes");
    let whole = backtests.whole().expect("there is data");
    let points = space.points(Choice::Grid).expect("few");
    let tasks: Vec<Task> = points.iter().map(|&point| Task::of(point, whole)).collect();
    let stop = Interrupt::default();
    let mut run_all = Search {
        evaluate: &backtests,
        space: &space,
        workers: 2,
        results: None,
        stop: &stop,
        progress: &mut |_| {},
    };
    let done = search(&mut run_all, &tasks).expect("it runs");
    let mut refused = 0;
    for (one, point) in done.iter().zip(points) {
        let mut alone = config.clone();
        for setting in space.settings(point) {
            let entries = &mut alone.strategies[0].params.entries;
            let entry = entries.iter_mut().find(|entry| entry.name == setting.name).expect("it is given");
            entry.value = ParamValue::Integer(setting.value.parse().expect("a number"));
        }
        match (&one.result, run(&alone, &catalogue, &[])) {
            (Ok(evaluation), Ok(ran)) => {
                assert_eq!(evaluation.statistics, of_outcome(&ran.outcome, &Conventions::default()));
                assert!(evaluation.statistics.trades.trades > 10);
            }
            (Err(EvaluateError::Refused(_)), Err(_)) => refused += 1,
            (ours, theirs) => panic!("{ours:?} but {theirs:?}"),
        }
    }
    assert_eq!(refused, 2, "fast 4 and 6 are not less than slow 4");
    // A part of the time is a backtest of that part.
    let half = Span { until: Time((whole.from.0 + whole.until.0) / 2), ..whole };
    let mut shorter = config.clone();
    (shorter.backtest.from, shorter.backtest.until) = (Some(half.from), Some(half.until));
    let settings = [Setting { name: "fast", value: "3" }, Setting { name: "slow", value: "8" }];
    let part = backtests
        .evaluate(&settings, &Task { with_equity: true, ..Task::of(Point(0), half) })
        .expect("it runs");
    let ran = run(&shorter, &catalogue, &[]).expect("it runs");
    assert_eq!(part.statistics, of_outcome(&ran.outcome, &Conventions::default()));
    assert_eq!(part.curve(), equity(&ran.outcome));
}

#[test]
fn results_are_of_all_that_they_depend_on() {
    let dir = tempdir().expect("a place");
    minutes(dir.path(), XYZ, &walk(50));
    let file = dir.path().join("rates.csv");
    let subject = |more: &str, rates: &str| {
        fs::write(&file, rates).expect("writable");
        let text = format!("{more}\n{CROSS}");
        let (config, catalogue) = config(dir.path(), &[XYZ], &text);
        let space = space(&["fast=2,3"]);
        let (stop, by) = (Interrupt::default(), Conventions::default());
        Backtests::new(&config, &catalogue, &[], &space, stop, by).expect("good axes").subject()
    };
    let rated = format!("[backtest]\nfunding_file = \"{}\"", file.display());
    let plain = subject("", "");
    assert_eq!(plain, subject("", "another"), "a file that nobody reads");
    let streams = |all: &str| subject(&format!("[venue]\nstreams = [{all}]"), "");
    assert_eq!(plain, streams(r#""trade", "bookTicker""#), "the same trades count");
    let of_rates = subject(&rated, "");
    let others = [
        streams(r#""aggTrade", "bookTicker""#),
        of_rates.clone(),
        subject(&rated, "another"),
        subject("[hours]\n\"usa:spot\" = \"always\"", ""),
        subject("[pipeline]\nanswer_delay_us = 7", ""),
        subject("[backtest]\nwarm_up = \"1h\"", ""),
        subject("[backtest]\ndata_latency = \"2ms\"", ""),
        subject("[paper]\norder_latency_us = 7", ""),
    ];
    for (n, other) in others.iter().enumerate() {
        assert!(*other != plain && !others[..n].contains(other), "{n}");
    }
    let of_strategy = |more: &str| {
        let text = CROSS.replace("[strategy.params]", &format!("{more}\n[strategy.params]"));
        let text = text.replace("capital = \"10000\"", "qty = \"1\"");
        let (config, catalogue) = config(dir.path(), &[XYZ], &text);
        let (stop, by) = (Interrupt::default(), Conventions::default());
        let space = space(&["fast=2,3"]);
        Backtests::new(&config, &catalogue, &[], &space, stop, by).expect("good axes").subject()
    };
    let sized = |percent: &str| {
        of_strategy(&format!(
            "sizing = {{ method = \"percent-of-equity\", percent = {percent}, capital = \"1000\" }}"
        ))
    };
    let all = [of_strategy(""), of_strategy("hours = \"always\""), sized("5.0"), sized("6.0")];
    for (n, one) in all.iter().enumerate() {
        assert!(!all[..n].contains(one), "{n}");
    }
}

#[test]
fn results_are_of_the_factors_that_prices_were_adjusted_by() {
    let dir = tempdir().expect("a place");
    let (bars, factors) = (dir.path().join("daily"), dir.path().join("factors"));
    fs::create_dir_all(&bars).and(fs::create_dir_all(&factors)).expect("made");
    let day = |n: u64| format!("202408{:02} 00:00,100000,110000,90000,100100,500\n", n + 5);
    let bars = plain(&bars, "xyz.csv", &(0..5).map(day).collect::<String>());
    let subject = |split: &str| {
        plain(&factors, "xyz.csv", &format!("20240806,1,{split}\n20501231,1,1\n"));
        let history = dir.path().join("history");
        let _ = fs::remove_dir_all(&history);
        let options = ImportOptions { adjust: Some(factors.clone()), ..ImportOptions::default() };
        let imported = import(&history, ImportKind::Stocks, &bars, &options);
        assert!(matches!(imported, Ok(Imported::Added(..))), "{imported:?}");
        let (config, catalogue) = config(dir.path(), &[XYZ], CROSS);
        let (stop, by) = (Interrupt::default(), Conventions::default());
        let space = space(&["fast=2,3"]);
        Backtests::new(&config, &catalogue, &[], &space, stop, by).expect("good axes").subject()
    };
    let half = subject("0.5");
    assert_eq!(half, subject("0.5"), "imported again, it is what it was");
    assert_ne!(half, subject("0.7"), "prices before the split are others, of as many decimals");
}

#[test]
fn an_axis_that_is_no_parameter_is_told() {
    let dir = tempdir().expect("a place");
    minutes(dir.path(), XYZ, &walk(50));
    let two = format!(
        "{CROSS}\n[[strategy]]\nname = \"ma-cross\"\nlabel = \"other\"\ninstruments = [\"usa:spot:XYZ\"]"
    );
    let told = |text: &str, axis: &str| {
        let (config, catalogue) = config(dir.path(), &[XYZ], text);
        let space = space(&[axis]);
        Backtests::new(&config, &catalogue, &[], &space, Interrupt::default(), Conventions::default()).err()
    };
    assert!(told(CROSS, "fast=2,3").is_none() && told(&two, "other.fast=2,3").is_none());
    assert!(matches!(told(&two, "fast=2,3"), Some(TargetError::Ambiguous { .. })));
    let text = |error: Option<TargetError>| error.expect("it is refused").to_string();
    assert!(text(told(CROSS, "fats=2,3")).contains("did you mean fast?"));
    assert!(text(told(CROSS, "ma-crosss.fast=2,3")).contains("did you mean ma-cross?"));
    assert!(text(told(CROSS, "fast=2,high")).contains("fast = high: must be an integer from 2"));
    assert!(text(told(CROSS, "stop_bps=6000")).contains("stop_bps = 6000"));
}

fn command(dir: &Path, args: &[&str]) -> u8 {
    let config = dir.join("test.toml");
    let history = dir.join("history");
    let mut all = vec!["algo-trader"];
    all.extend_from_slice(args);
    let (config, history) = (config.to_str().expect("UTF-8"), history.to_str().expect("UTF-8"));
    all.extend_from_slice(&["--config", config, "--history", history]);
    algo_trader::cli::run_with(all, &[])
}

#[test]
fn the_commands_write_the_same_reports_every_time() {
    let dir = tempdir().expect("a place");
    minutes(dir.path(), XYZ, &walk(1_200));
    fs::write(dir.path().join("test.toml"), format!("{LIMITS}\n{CROSS}")).expect("writable");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let results = path("results.jsonl");
    let sweep = |report: &str, more: &[&str]| {
        let mut args =
            vec!["sweep", "--param", "fast=2..6", "--param", "slow=8..20:4", "--walk-forward", "6h,3h"];
        let report = path(report);
        args.extend_from_slice(&["--report", &report]);
        args.extend_from_slice(more);
        assert_eq!(command(dir.path(), &args), 0);
        let text = |name: &str| fs::read_to_string(Path::new(&report).join(name)).expect("it is written");
        (text("sweep.json"), text("index.html"))
    };
    let one = sweep("one", &["--workers", "1"]);
    assert_eq!(one, sweep("two", &["--workers", "2"]));
    assert_eq!(one, sweep("kept", &["--results", &results]));
    let kept = fs::read(&results).expect("readable");
    assert_eq!(one, sweep("again", &["--results", &results]));
    assert_eq!(fs::read(&results).expect("readable"), kept, "nothing was run again");
    let json: serde_json::Value = serde_json::from_str(&one.0).expect("JSON");
    assert_eq!(json["candidates"].as_array().expect("a list").len(), 20);
    assert_eq!(json["walk_forward"]["windows"].as_array().expect("a list").len(), 4);
    assert_eq!(one.1.matches("<td class=\"cell").count(), 20);

    let backtest = |report: &str| {
        let report = path(report);
        assert_eq!(command(dir.path(), &["backtest", "--report", &report]), 0);
        fs::read_to_string(Path::new(&report).join("result.json")).expect("it is written")
    };
    let result = backtest("sheet");
    assert_eq!(result, backtest("sheet-again"));
    let json: serde_json::Value = serde_json::from_str(&result).expect("JSON");
    assert!(json["statistics"]["trades"]["trades"].as_u64().expect("a count") > 10);
    // Never over an earlier report, and what is in the way is told before anything is run.
    let again = backtest("sheet");
    assert_eq!(
        (again, fs::read_to_string(path("sheet/run-2/result.json")).ok()),
        (result.clone(), Some(result))
    );
    fs::write(path("file"), "x").expect("writable");
    let file = path("file");
    assert_eq!(command(dir.path(), &["backtest", "--report", &file]), 2);
    assert_eq!(command(dir.path(), &["sweep", "--param", "fast=2..3", "--report", &file]), 2);
    // Bad usage is told apart from failure.
    assert_eq!(command(dir.path(), &["sweep", "--param", "fast"]), 2);
    assert_eq!(command(dir.path(), &["sweep", "--param", "nothing=1,2"]), 2);
    assert_eq!(command(dir.path(), &["sweep", "--param", "fast=2,3", "--walk-forward", "9d,9d"]), 2);
    // Where nothing can be run, an empty ranking is no answer.
    assert_eq!(command(dir.path(), &["sweep", "--param", "fast=60", "--param", "slow=50"]), 2);
    assert_eq!(command(dir.path(), &["sweep", "--param", "fast=3,60", "--param", "slow=50"]), 0);
}
