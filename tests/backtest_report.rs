//! The report of a backtest: whole, self-contained, the same for the same outcome, harmless whatever it is given.

use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::performance::{EquityPoint, FillRow, Outcome, PricePoint, Provenance, RoundTrip};
use algo_trader::domain::{
    Instrument, InstrumentId, Market, Notional, OrderId, Price, Qty, Side, StrategyId, Time,
};
use algo_trader::report::backtest::{BacktestReport, ReportError, write};
use algo_trader::statistics::outcome::Conventions;
use std::fs;
use std::path::Path;

const HOUR_NS: u64 = 3_600_000_000_000;
/// 2024-01-01T00:00:00Z.
const BEGIN: u64 = 1_704_067_200_000_000_000;
const HOSTILE: &str = "<script>alert(1)</script>\"'&";

fn instrument(id: u16, symbol: &str) -> Instrument {
    Instrument {
        id: InstrumentId(id),
        venue: "binance".into(),
        market: Market::Spot,
        symbol: symbol.into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        price_decimals: 2,
        qty_decimals: 3,
        tick: Price(1),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(i64::MAX),
        min_notional: Notional(0),
        maker_fee: FeeRate(0),
        taker_fee: FeeRate(0),
    }
}

/// A made-up run: a walk of prices, a position that is opened every 48 hours and held for 24, `hours` long.
fn outcome(hours: u64, name: &str) -> Outcome {
    let mut outcome = Outcome {
        provenance: Provenance {
            name: name.into(),
            settings: vec![("strategy".into(), name.into()), ("fast".into(), "20".into())],
            sources: vec![format!("binance:spot:{name} trades")],
        },
        currency: "USDT".into(),
        decimals: 8,
        start: 10_000 * 100_000_000,
        from: Time(BEGIN),
        until: Time(BEGIN + hours * HOUR_NS),
        strategies: vec![name.into(), "=idle".into()],
        instruments: vec![instrument(0, "BTCUSDT"), instrument(1, "ETHUSDT")],
        ..Outcome::default()
    };
    let (mut state, mut price, mut cash, mut held) = (7u64, 4_000_000i64, outcome.start, 0i64);
    for hour in 0..hours {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        price += (state >> 33) as i64 % 20_001 - 9_950;
        let time = Time(BEGIN + (hour + 1) * HOUR_NS);
        // 100 thousandths; a notional has five decimals, the currency eight.
        let value = i128::from(price) * 100 * 1_000;
        let side = match hour % 48 {
            10 => Some(Side::Buy),
            34 if held > 0 => Some(Side::Sell),
            _ => None,
        };
        if let Some(side) = side {
            let fee = 150_000_000 + hour as i64;
            cash -= i128::from(fee) + if side == Side::Buy { value } else { -value };
            held += if side == Side::Buy { 100 } else { -100 };
            let (strategy, instrument) = (StrategyId(0), InstrumentId(0));
            outcome.fills.push(FillRow {
                time,
                strategy,
                instrument,
                order: OrderId(hour),
                side,
                qty: Qty(100),
                price: Price(price),
                fee,
                maker: hour % 3 == 0,
                decided: Some([Price(price - 10), Price(price)]),
            });
            if side == Side::Buy {
                outcome.trips.push(RoundTrip {
                    strategy,
                    instrument,
                    side,
                    entry_time: time,
                    exit_time: None,
                    qty: Qty(100),
                    entry_value: Price(price).times(Qty(100)),
                    exit_qty: Qty(0),
                    exit_value: Notional(0),
                    fees: fee,
                    profit: -i128::from(fee),
                    fills: 1,
                });
            } else if let Some(trip) = outcome.trips.last_mut() {
                trip.exit_time = Some(time);
                (trip.exit_qty, trip.exit_value) = (Qty(100), Price(price).times(Qty(100)));
                trip.fees += fee;
                trip.profit = (trip.exit_value.0 - trip.entry_value.0) * 1_000 - i128::from(trip.fees);
                trip.fills = 2;
            }
        }
        let long = if held > 0 { value } else { 0 };
        outcome.equity.push(EquityPoint { time, equity: cash + long, long, short: 0 });
        outcome.prices.push(PricePoint { time, instrument: InstrumentId(0), price: Price(price) });
    }
    if let Some(open) = outcome.trips.last_mut().filter(|trip| trip.exit_time.is_none()) {
        open.profit = (i128::from(price) * 100 - open.entry_value.0) * 1_000 - i128::from(open.fees);
    }
    outcome
}

fn written(outcome: &Outcome, dir: &Path) -> Vec<(String, String)> {
    let written = write(&BacktestReport::of(outcome, &Conventions::default()), dir).expect("it is written");
    let mut files: Vec<_> = [written.html, written.json]
        .into_iter()
        .chain(written.csv)
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("it is text"))
        })
        .collect();
    files.sort();
    files
}

fn file<'a>(files: &'a [(String, String)], name: &str) -> &'a str {
    &files.iter().find(|(found, _)| found == name).expect("it is written").1
}

#[test]
fn the_same_outcome_is_the_same_bytes() {
    let (one, two) = (tempfile::tempdir().expect("a place"), tempfile::tempdir().expect("a place"));
    let files = written(&outcome(2_000, "walk"), one.path());
    assert_eq!(files, written(&outcome(2_000, "walk"), two.path()));
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["equity.csv", "fills.csv", "index.html", "result.json", "trades.csv"]);
    let other = written(&outcome(2_001, "walk"), two.path());
    assert!(files.iter().zip(&other).all(|(a, b)| a.0 == b.0));
    assert_ne!(file(&files, "result.json"), file(&other, "result.json"));
}

#[test]
fn the_page_needs_nothing_else_and_shows_everything() {
    let dir = tempfile::tempdir().expect("a place");
    let files = written(&outcome(3_000, "walk"), dir.path());
    let page = file(&files, "index.html");
    for outside in ["http:", "https:", "src=", "<link", "@import", "url(", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for id in
        ["equity", "figures", "months", "distribution", "drawdowns", "strategies", "instruments", "prices"]
    {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    for bad in ["NaN", "inf", "Infinity"] {
        assert!(!page.split(|c: char| !c.is_alphanumeric()).any(|word| word == bad), "{bad}");
    }
    let opened = page.matches("<svg").count();
    assert_eq!(opened, page.matches("</svg>").count());
    assert_eq!(opened, 5, "equity, drawdown, exposure, distribution, price");
}

#[test]
fn names_from_outside_are_harmless() {
    let dir = tempfile::tempdir().expect("a place");
    let mut outcome = outcome(500, HOSTILE);
    outcome.instruments[0].symbol = HOSTILE.into();
    outcome.currency = HOSTILE.into();
    let files = written(&outcome, dir.path());
    let page = file(&files, "index.html");
    assert!(!page.contains("<script") && !page.contains("alert(1)<"), "markup got through");
    assert!(page.contains("&lt;script&gt;"));
    let trades = file(&files, "trades.csv");
    assert!(trades.lines().nth(1).expect("a trade").starts_with("\"<script>alert(1)</script>\"\"'&\","));
    serde_json::from_str::<serde_json::Value>(file(&files, "result.json")).expect("it is JSON");
}

#[test]
fn the_files_say_what_the_outcome_says_to_the_last_digit() {
    let dir = tempfile::tempdir().expect("a place");
    let outcome = outcome(1_000, "walk");
    let files = written(&outcome, dir.path());
    let json: serde_json::Value = serde_json::from_str(file(&files, "result.json")).expect("it is JSON");
    let exact = |units: i128| format!("{}.{:08}", units / 100_000_000, units % 100_000_000);
    let shortest = |units: i128| exact(units).trim_end_matches('0').trim_end_matches('.').to_owned();
    assert_eq!(json["start_equity"], "10000");
    assert_eq!(json["end_equity"], shortest(outcome.end()));
    let closed = outcome.trips.iter().filter(|trip| trip.exit_time.is_some()).count();
    assert_eq!(json["statistics"]["trades"]["trades"], closed);
    assert_eq!(json["open_trades"], outcome.trips.len() - closed);
    assert_eq!(json["from"], "2024-01-01T00:00:00Z");
    // The profits of all trades, the open one at the last price, are what the account gained.
    let gained = outcome.end() - outcome.start;
    let sign = if gained < 0 { "-" } else { "" };
    assert_eq!(json["strategies"][0]["profit"], format!("{sign}{}", shortest(gained.abs())));
    assert_eq!(json["strategies"][0]["strategy"], outcome.strategies[0]);
    assert_eq!(json["instruments"][0]["instrument"], outcome.instruments[0].name());
    let equity: Vec<&str> = file(&files, "equity.csv").lines().collect();
    assert_eq!(equity.len(), 2 + outcome.equity.len(), "a header, the start, the points");
    assert_eq!(equity[1], "2024-01-01T00:00:00Z,10000.00000000,0,0,0");
    let last: Vec<&str> = equity.last().expect("points").split(',').collect();
    assert_eq!(last[1], exact(outcome.end()));
    assert_eq!(file(&files, "fills.csv").lines().count(), 1 + outcome.fills.len());
}

#[test]
fn outcomes_in_which_nothing_happened_have_a_report_too() {
    let dir = tempfile::tempdir().expect("a place");
    for outcome in [Outcome::default(), outcome(0, "none"), outcome(1, "one"), outcome(5, "few")] {
        let files = written(&outcome, dir.path());
        assert!(file(&files, "index.html").contains("Nothing was traded"));
        let json: serde_json::Value = serde_json::from_str(file(&files, "result.json")).expect("it is JSON");
        assert_eq!(json["statistics"]["trades"]["trades"], 0);
    }
}

#[test]
fn a_long_run_has_a_page_that_a_browser_can_show() {
    let dir = tempfile::tempdir().expect("a place");
    let files = written(&outcome(200_000, "long"), dir.path());
    let page = file(&files, "index.html");
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains("all are in <a href=\"trades.csv\">"));
}

#[test]
fn a_file_in_the_way_is_told() {
    let dir = tempfile::tempdir().expect("a place");
    let path = dir.path().join("report");
    fs::write(&path, "x").expect("writable");
    let outcome = outcome(10, "walk");
    let error =
        write(&BacktestReport::of(&outcome, &Conventions::default()), &path).expect_err("a file is there");
    assert!(matches!(&error, ReportError::NotADirectory(at) if *at == path), "{error}");
}
