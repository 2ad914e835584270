//! The indicators equal TA-Lib, value for value.
//!
//! Expected values are written by `scripts/setup-talib` into `$ALGO_TRADER_TALIB_DIR` (default `target/talib`); where
//! they are absent the tests are skipped, or fail under `ALGO_TRADER_REQUIRE_TALIB=1`.

use algo_trader::market::indicator::{AnyIndicator, BarValues, Indicator, REGISTRY, find};
use serde_json::Value;
use std::collections::BTreeSet;
use std::env;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What is asked for.
const RELATIVE: f64 = 1e-9;

/// What counts as equal where the value is about 0: MACD and its histogram are differences of numbers the size of a
/// price, here up to 500, and carry those numbers' rounding, 500 × 2^-53 = 6e-14 an operation, however near to zero
/// they come.
const ABSOLUTE: f64 = 1e-12;

/// Columns before the first indicator's: the close, which most see alone, and the rest of the bar.
const GIVEN: usize = 4;

fn equal(got: f64, want: f64, absolute: f64) -> bool {
    (got - want).abs() <= (RELATIVE * want.abs()).max(absolute)
}

/// What counts as equal of one indicator where its value is small, by the close.
fn absolute(name: &str, close: f64) -> f64 {
    match name.split('(').next().unwrap_or_default() {
        // TA-Lib takes the square of the mean from the mean of squares, both of sums that run through all inputs: the
        // difference carries the rounding of numbers the size of a price squared. Ours is exact; see `window.rs`.
        "stddev" => RELATIVE * close,
        // TA-Lib averages by sums that run through all inputs, here of numbers up to 100.
        "stochastic" => 1e-10,
        // TA-Lib keeps these sums running through all inputs as well, and a slope is a difference of them.
        "linreg" => 1e-12 * close,
        // A difference of prices up to 500, whose rounding is 500 × 2^-53, divided by 0.015 of a mean deviation that
        // is as little as half a cent where a market hardly moves: 8e-10, of an indicator that goes by hundreds.
        "cci" => 1e-9,
        _ => ABSOLUTE,
    }
}

fn talib_file(name: &str) -> Option<String> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/talib");
    let directory = env::var_os("ALGO_TRADER_TALIB_DIR").map_or_else(default, PathBuf::from);
    read_or_skip(&directory.join(name), "ALGO_TRADER_REQUIRE_TALIB", "run scripts/setup-talib")
}

fn recorded_file(name: &str) -> Option<String> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let directory = env::var_os("ALGO_TRADER_SHARED").map_or_else(default, PathBuf::from);
    let what = "set ALGO_TRADER_SHARED to the recordings";
    read_or_skip(&directory.join("indicators").join(name), "ALGO_TRADER_REQUIRE_SHARED", what)
}

fn read_or_skip(path: &Path, required_by: &str, remedy: &str) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if env::var_os(required_by).is_some_and(|v| v == "1") => {
            panic!("{}: {error}; {remedy} ({required_by}=1)", path.display())
        }
        Err(error) => {
            println!("SKIPPED: {}: {error}; {remedy}", path.display());
            None
        }
    }
}

/// One indicator of the file, with the places of its outputs among the columns.
struct Compared {
    name: String,
    indicator: AnyIndicator,
    columns: Vec<usize>,
    lookback: usize,
    leading_nans: Option<usize>,
}

/// The indicators that the header's columns, such as `macd(12,26,9).signal`, are outputs of.
fn compared(header: &str) -> Vec<Compared> {
    let mut all: Vec<Compared> = Vec::new();
    for (column, title) in header.split(';').enumerate().skip(GIVEN) {
        let (key, output) = title.rsplit_once('.').expect("a column is named key.output");
        let (name, params) = key.trim_end_matches(')').split_once('(').expect("a key is name(parameters)");
        let spec = find(name).expect("the column's indicator is in the registry");
        if all.last().is_none_or(|last| last.name != key) {
            let given: Vec<(&str, f64)> = spec
                .params
                .iter()
                .zip(params.split(','))
                .map(|(p, v)| (p.name, v.parse().unwrap()))
                .collect();
            let key_of = spec.key(&given).unwrap();
            assert_eq!(key_of.to_string(), key);
            let indicator = key_of.build().unwrap();
            let lookback = indicator.warm_up() - 1;
            all.push(Compared {
                name: key.to_owned(),
                indicator,
                columns: Vec::new(),
                lookback,
                leading_nans: None,
            });
        }
        let entry = all.last_mut().expect("one was just pushed");
        assert_eq!(spec.outputs[entry.columns.len()], output, "{key}");
        entry.columns.push(column);
    }
    all
}

/// Runs every indicator of the file over its bars, and gives these.
fn compare(file: &str, text: &str) -> Vec<BarValues> {
    let mut lines = text.lines();
    let mut all = compared(lines.next().expect("the file has a header"));
    let names: BTreeSet<&str> = all.iter().map(|c| c.name.split('(').next().unwrap()).collect();
    assert_eq!(names, REGISTRY.iter().map(|s| s.name).collect(), "every indicator is compared");
    let mut bars = Vec::new();
    for (n, line) in lines.enumerate() {
        let row: Vec<f64> = line.split(';').map(|v| v.parse().expect("a number")).collect();
        let bar = BarValues { close: row[0], high: row[1], low: row[2], volume: row[3] };
        bars.push(bar);
        for one in &mut all {
            let want: Vec<f64> = one.columns.iter().map(|&column| row[column]).collect();
            let got = one.indicator.update_bar(&bar);
            let Some(got) = got else {
                assert!(want.iter().all(|v| v.is_nan()), "{file} {} at {n}: nothing, not {want:?}", one.name);
                continue;
            };
            one.leading_nans.get_or_insert(n);
            let ok = got
                .as_slice()
                .iter()
                .zip(&want)
                .all(|(&got, &want)| equal(got, want, absolute(&one.name, bar.close)));
            assert!(ok, "{file} {} at {n}: {:?}, not {want:?}", one.name, got.as_slice());
        }
    }
    for one in &all {
        assert_eq!(one.leading_nans, Some(one.lookback), "{file} {}: warm-up", one.name);
    }
    bars
}

/// As in `scripts/talib-expected`.
fn walk(count: usize, low: i64, high: i64, reach: i64, moves: impl Fn(usize) -> bool) -> Vec<i64> {
    let (mut state, mut at) = (42u64, (low + high) / 2);
    (0..count)
        .map(|n| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let step = (state >> 33) as i64 % (2 * reach + 1) - reach;
            if moves(n) {
                at += if (low..=high).contains(&(at + step)) { step } else { -step };
            }
            at
        })
        .collect()
}

/// As in `scripts/talib-expected`: bars about closes in whole units.
fn bars(closes: &[i64], per_unit: f64, moves: impl Fn(usize) -> bool) -> Vec<BarValues> {
    let mut state = 43u64;
    let mut draw = |reach: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % reach) as i64
    };
    let bar = |(n, &close): (usize, &i64)| {
        let [up, down, volume] = [61, 61, 1_000].map(&mut draw);
        let (up, down) = if moves(n) { (up, down) } else { (0, 0) };
        BarValues {
            high: (close + up) as f64 / per_unit,
            low: (close - down) as f64 / per_unit,
            close: close as f64 / per_unit,
            volume: volume as f64,
        }
    };
    closes.iter().enumerate().map(bar).collect()
}

#[test]
fn a_hundred_thousand_bars_give_talibs_values() {
    let Some(text) = talib_file("walk.csv") else { return };
    let compared = compare("walk.csv", &text);
    assert_eq!(compared, bars(&walk(100_000, 5_000, 50_000, 100, |_| true), 100.0, |_| true));
}

#[test]
fn bars_that_stand_still_give_talibs_values() {
    let Some(text) = talib_file("plateaus.csv") else { return };
    let compared = compare("plateaus.csv", &text);
    let moves = |n: usize| n % 500 >= 400;
    assert_eq!(compared, bars(&walk(20_000, 200, 2_000, 8, moves), 4.0, moves));
}

#[test]
fn recorded_bars_give_talibs_values() {
    let Some(quotes) = recorded_file("quotes.csv") else { return };
    let Some(text) = talib_file("quotes.csv") else { return };
    let compared: Vec<f64> = compare("quotes.csv", &text).iter().map(|bar| bar.close).collect();
    assert_eq!(compared, closes(&quotes));
}

/// Bars of a minute as a vendor's zip has them, prices in ten-thousandths; `at` is the first column of theirs.
fn minutes(path: &Path, at: usize) -> Vec<BarValues> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).expect("it opens")).expect("a zip");
    let mut text = String::new();
    zip.by_index(0).expect("a file in it").read_to_string(&mut text).expect("text");
    let bar = |line: &str| {
        let fields: Vec<f64> = line.split(',').map(|field| field.parse().expect("a number")).collect();
        let price = |n: usize| fields[at + n] / 10_000.0;
        BarValues { high: price(1), low: price(2), close: price(3), volume: fields[at + 4] }
    };
    text.lines().map(bar).collect()
}

#[test]
fn every_recorded_file_of_minutes_gives_talibs_values() {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let shared = env::var_os("ALGO_TRADER_SHARED").map_or_else(default, PathBuf::from);
    let Ok(folder) = std::fs::read_dir(shared.join("stocks/minute")) else {
        assert!(
            env::var_os("ALGO_TRADER_REQUIRE_SHARED").is_none_or(|v| v != "1"),
            "stocks/minute is absent"
        );
        return println!("SKIPPED: no {}/stocks/minute; set ALGO_TRADER_SHARED", shared.display());
    };
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    let mut all = 0;
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "zip")) {
        let stem = path.file_stem().expect("a name").to_str().expect("UTF-8");
        let sides: &[(&str, usize)] =
            if stem.ends_with("_trade") { &[("", 1)] } else { &[("-bid", 1), ("-ask", 6)] };
        for &(side, at) in sides {
            let name = format!("minute-{stem}{side}.csv");
            let Some(text) = talib_file(&name) else { return };
            let bars = minutes(path, at);
            assert_eq!(compare(&name, &text), bars, "{name}");
            all += bars.len();
        }
    }
    assert!(all > 5_000, "{all} bars");
}

fn closes(quotes: &str) -> Vec<f64> {
    quotes.lines().skip(1).map(|line| line.split(',').nth(4).unwrap().parse().unwrap()).collect()
}

/// Compares the default indicator with recorded values from input `from` on; `fields` are its outputs, `None` where
/// the recording has none.
fn compare_recorded(name: &str, file: &str, fields: &[Option<&str>], from: usize) {
    let Some(quotes) = recorded_file("quotes.csv") else { return };
    let Some(text) = recorded_file(file) else { return };
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut indicator = find(name).unwrap().default_key().build().unwrap();
    let prices = closes(&quotes);
    assert_eq!(rows.len(), prices.len());
    for (n, (row, price)) in rows.iter().zip(prices).enumerate() {
        let got = indicator.update(price);
        for (place, field) in fields.iter().enumerate().filter_map(|(place, f)| Some((place, (*f)?))) {
            let got = got.map(|v| v.as_slice()[place]);
            let want = row[field].as_f64();
            if n >= from {
                let ok = got.zip(want).is_some_and(|(got, want)| equal(got, want, ABSOLUTE));
                assert!(ok || (got, want) == (None, None), "{name}.{field} at {n}: {got:?}, not {want:?}");
            }
        }
    }
}

#[test]
fn recorded_results_of_another_library_agree_where_its_conventions_do() {
    compare_recorded("sma", "sma.json", &[Some("sma")], 0);
    compare_recorded("ema", "ema.json", &[Some("ema")], 0);
    compare_recorded("rsi", "rsi.json", &[Some("rsi")], 0);
    compare_recorded("bollinger", "bb.json", &[Some("upperBand"), Some("sma"), Some("lowerBand")], 0);
    // That library seeds the fast average with the first twelve values, TA-Lib with the newest twelve of twenty-six:
    // the difference fades by 11/13 an input, the signal's by 4/5, and is below 1e-12 after some 200.
    compare_recorded("macd", "macd.json", &[Some("macd"), Some("signal"), Some("histogram")], 225);
}
