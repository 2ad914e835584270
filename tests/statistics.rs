//! Statistics equal those of quantstats and empyrical on the same equity curves.
//!
//! What these libraries say is in `tests/expected/statistics.json`, written by `scripts/statistics-expected`; the
//! curves are made here again, from the same generator.

use algo_trader::domain::Time;
use algo_trader::statistics::sharpe::{Estimate, deflated};
use algo_trader::statistics::{
    ClosedTrade, Inputs, Periods, Sample, Statistics, TradeStatistics, statistics,
};
use serde_json::Value;

const DAY_NS: u64 = 86_400_000_000_000;
const RELATIVE: f64 = 1e-9;

fn expected() -> Value {
    serde_json::from_str(include_str!("expected/statistics.json")).expect("the file is JSON")
}

/// As in `scripts/statistics-expected`.
fn steps(seed: u64, reach: i64, drift: i64) -> impl Iterator<Item = i64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        drift + (state >> 33) as i64 % (2 * reach + 1) - reach
    })
}

fn curve(case: &Value, seed_offset: u64) -> Vec<Sample> {
    let number = |key: &str| case[key].as_i64().expect("an integer");
    let moves = steps(number("seed") as u64 + seed_offset, number("reach"), number("drift"));
    let mut cents = number("start");
    let later = moves.take(number("count") as usize - 1).map(|step| {
        cents += step;
        cents
    });
    let values = [number("start")].into_iter().chain(later.collect::<Vec<_>>());
    (0..).zip(values).map(|(day, cents)| Sample::new(Time(day * DAY_NS), cents as f64 / 100.0)).collect()
}

/// The figure of that name; max_drawdown stands for its depth, and what is beside a benchmark is of the benchmark.
fn figure(all: &Value, name: &str) -> Option<f64> {
    match name {
        "max_drawdown" => all["max_drawdown"]["depth"].as_f64(),
        "alpha" | "beta" => all["benchmark"][name].as_f64(),
        _ => all[name].as_f64(),
    }
}

fn compare(case: &str, ours: &Value, library: &str, theirs: &Value) -> usize {
    let theirs = theirs.as_object().expect("an object");
    for (name, want) in theirs {
        let (got, want) = (figure(ours, name), want.as_f64().expect("a number"));
        let near = got.is_some_and(|got| (got - want).abs() <= RELATIVE * want.abs().max(1e-3));
        assert!(near, "{case}: {name} is {got:?}, and {want} by {library}");
    }
    theirs.len()
}

fn of_case(case: &Value) -> (Statistics, Vec<f64>) {
    let (equity, benchmark) = (curve(case, 0), curve(case, 100));
    let all = statistics(&Inputs {
        equity: &equity,
        benchmark: Some(&benchmark),
        periods: Some(Periods::points(case["periods"].as_f64().expect("a number"))),
        risk_free: case["risk_free"].as_f64().expect("a number"),
        ..Inputs::default()
    });
    (all, algo_trader::statistics::periods::returns(&equity))
}

#[test]
fn curves_have_the_figures_that_two_libraries_give_them() {
    let expected = expected();
    let mut compared = 0;
    for case in expected["curves"].as_array().expect("a list") {
        let (all, _) = of_case(case);
        let ours = serde_json::to_value(all).expect("it serialises");
        let name = case["name"].as_str().expect("a name");
        for library in ["empyrical", "quantstats"] {
            compared += compare(name, &ours, library, &case["expected"][library]);
        }
    }
    assert_eq!(compared, 10 * 28, "every figure of every curve");
}

#[test]
fn the_deflated_ratio_is_what_its_formula_gives_by_scipys_normal_distribution() {
    for case in expected()["curves"].as_array().expect("a list") {
        let (_, returns) = of_case(case);
        let of = Estimate::of(&returns, 0.0).expect("returns that vary");
        let deviation = algo_trader::statistics::moments::deviation(&returns).expect("returns that vary");
        let trial = |n: i32| {
            let moved: Vec<f64> = returns.iter().map(|r| r + f64::from(n) * 1e-5).collect();
            algo_trader::statistics::moments::mean(&moved).expect("returns") / deviation
        };
        let got = deflated(&of, &(0..20).map(trial).collect::<Vec<_>>()).expect("defined");
        let want = case["expected"]["scipy"]["deflated_sharpe"].as_f64().expect("a number");
        assert!((got - want).abs() <= RELATIVE * want, "{}: {got} is not {want}", case["name"]);
    }
}

#[test]
fn trades_have_the_figures_that_quantstats_and_numpy_give_them() {
    let expected = &expected()["trades"];
    let number = |key: &str| expected[key].as_i64().expect("an integer");
    let mut moves = steps(number("seed") as u64, number("reach"), number("drift"));
    let trades: Vec<ClosedTrade> = (0..number("count") as u64)
        .map(|n| {
            let cents = if n % 7 == 6 { 0 } else { moves.next().expect("endless") };
            ClosedTrade { entry: Time(n), exit: Time(n + 1), profit: cents as f64 / 100.0, cost: 1_000.0 }
        })
        .collect();
    let ours = serde_json::to_value(TradeStatistics::of(&trades)).expect("it serialises");
    let compared: usize = ["quantstats", "numpy"]
        .into_iter()
        .map(|library| compare("trades", &ours, library, &expected["expected"][library]))
        .sum();
    assert_eq!(compared, 9, "every figure");
}
