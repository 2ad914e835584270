//! A configured sizing decides how much is traded, in whole runs of each built-in strategy; one that a strategy would
//! ignore, or could never trade by, is refused with its line.

mod support {
    pub mod backtest;
    pub mod history;
}

use algo_trader::domain::event::Event;
use algo_trader::domain::order::ReportKind;
use algo_trader::domain::{InstrumentTable, OrderKind, Position, Side};
use algo_trader::execution::RecordKind;
use algo_trader::journal::{Entry, JournalReader, Resumed, recover};
use algo_trader::pipeline::Threading;
use algo_trader::run::{Config, LiveOptions, PipelineOptions, ReplayOptions, replay_frames, run_live};
use algo_trader::strategy::StrategySpec;
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use std::path::Path;
use std::time::Duration;
use support::backtest::{Happened, config, fills, minutes, run};
use tempfile::tempdir;

const XYZ: &str = "usa:spot:XYZ";

/// Minutes that swing by a tenth around 350.00, each opening a little off the close before it.
fn swings() -> Vec<[i64; 4]> {
    let close =
        |n: usize| 35_000 + (3_500.0 * (n as f64 / 3.0).sin() + 700.0 * (n as f64 * 1.7).sin()) as i64;
    (1..400)
        .map(|n| {
            let (open, close) = (close(n - 1) + 13, close(n));
            [open, open.max(close) + 40, open.min(close) - 40, close]
        })
        .collect()
}

/// The average true range over `period` bars after the last of `bars`, by its definition, in hundredths.
fn average_true_range(bars: &[[i64; 4]], period: usize) -> Option<f64> {
    let ranges: Vec<f64> = bars
        .windows(2)
        .map(|pair| {
            let ([_, high, low, _], before) = (pair[1], pair[0][3]);
            (high.max(before) - low.min(before)) as f64
        })
        .collect();
    let first = ranges.get(..period)?.iter().sum::<f64>() / period as f64;
    Some(ranges[period..].iter().fold(first, |value, range| value + (range - value) / period as f64))
}

/// What an entry is decided by: equity in units of 10^-5 (a hundredth of a dollar times a thousandth of a share), and
/// the bars up to the decision.
struct Decided<'a> {
    equity: i64,
    bars: &'a [[i64; 4]],
}

impl Decided<'_> {
    fn close(&self) -> i64 {
        self.bars[self.bars.len() - 1][3]
    }
}

/// Runs `strategy` over [`swings`] and compares each entry, in thousandths of a share, with `expected`. How many there
/// were.
fn entries(strategy: &str, capital: i64, expected: impl Fn(&Decided<'_>) -> i64) -> usize {
    let (dir, bars) = (tempdir().expect("a directory"), swings());
    minutes(dir.path(), XYZ, &bars);
    let text = format!("[[strategy]]\ninstruments = [\"{XYZ}\"]\n{strategy}");
    let (config, catalogue) = config(dir.path(), &[XYZ], &text);
    let of = &config.instruments.all()[0];
    assert_eq!((of.price_decimals, of.qty_decimals, of.lot.0), (2, 3, 1), "units of this test");
    let ran = run(&config, &catalogue, &[]).unwrap_or_else(|e| panic!("{e}"));
    assert!(ran.summary.denials.is_empty(), "{:?}", ran.summary.denials);
    let (mut cash, mut held, mut entries) = (capital * 100_000, 0, 0);
    for (minute, qty, price) in fills(&ran) {
        if held == 0 {
            // What fills at the open of a minute was decided at the close of the one before.
            let minute = usize::try_from(minute).expect("few minutes");
            let decided = Decided { equity: cash, bars: &bars[..minute] };
            assert_eq!(qty, expected(&decided), "entry {entries}, in minute {minute}");
            entries += 1;
        }
        (cash, held) = (cash - qty * price, held + qty);
    }
    assert_ne!(cash, capital * 100_000, "something was earned or lost");
    entries
}

const CROSS: &str = "name = \"ma-cross\"\nparams = { fast = 2, slow = 4, qty = \"7\"";
const REVERSION: &str = "name = \"rsi-reversion\"\n\
     params = { rsi_period = 2, oversold = 40.0, overbought = 60.0, bb_period = 4, bb_deviations = 0.5, qty = \"7\" }";

#[test]
fn a_cross_of_averages_trades_what_its_sizing_says() {
    let sized =
        |stop_bps: u32, sizing: &str| format!("{CROSS}, stop_bps = {stop_bps} }}\nsizing = {{ {sizing} }}");
    let fixed = sized(0, "method = \"fixed-notional\", notional = \"1234.56\"");
    assert!(entries(&fixed, 0, |d| 123_456_000 / d.close()) > 20);
    // Half of the equity, and no order above 4,900.
    let share = sized(
        0,
        "method = \"percent-of-equity\", percent = 50.0, capital = \"10000\", notional_max = \"4900\"",
    );
    assert!(entries(&share, 10_000, |d| (d.equity / 2).min(490_000_000) / d.close()) > 20);
    // Half a per cent of it, if the stop is reached: 80 hundredths of a per cent below the close, rounded up.
    let risk = sized(80, "method = \"risk-per-trade\", percent = 0.5, capital = \"10000\"");
    assert!(entries(&risk, 10_000, |d| d.equity / 200 / (d.close() * 80 + 9_999).div_euclid(10_000)) > 20);
}

#[test]
fn a_reversion_trades_what_its_sizing_says() {
    let sized = |sizing: &str| format!("{REVERSION}\nsizing = {{ {sizing} }}");
    let share = sized("method = \"percent-of-equity\", percent = 20.0, capital = \"10000\"");
    assert!(entries(&share, 10_000, |d| d.equity / 5 / d.close()) > 20);
    let range = sized("method = \"volatility-target\", percent = 0.25, atr_period = 5, capital = \"10000\"");
    let by_range = |d: &Decided<'_>| {
        let range = average_true_range(d.bars, 5).expect("known before anything is traded");
        d.equity / 400 / range.ceil() as i64
    };
    assert!(entries(&range, 10_000, by_range) > 20);
}

/// Runs a maker that rests 4,321 of the quote asset over a minute of a generated market.
fn maker(journal: &Path, resumed: Option<Resumed>) {
    let text = "[risk]\nunset = \"default\"\n[paper]\nfill = \"touch\"\n[[strategy]]\nname = \"imbalance-maker\"\n\
                instruments = [\"binance:usdm:BTCUSDT\"]\nsizing = { method = \"fixed-notional\", notional = \"4321\" }\n\
                params = { levels = 3, threshold = 0.1, qty = \"0.777\", hold_ms = 500 }\n";
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let config = Config::from_text_with_instruments(text, "maker.toml", table).expect("good");
    let mut flow = FlowConfig::new(7, demo_instruments()).with_events_per_s(400);
    flow.duration = Duration::from_secs(60);
    let pipeline = PipelineOptions {
        threading: Some(Threading::Inline),
        journal: Some(journal.to_owned()),
        resumed,
        ..PipelineOptions::default()
    };
    let mut market = FlowSource::new(&flow).expect("a market that can be made");
    replay_frames(&config, &mut market, ReplayOptions { pipeline, ..ReplayOptions::default() })
        .expect("a good run");
}

#[test]
fn a_maker_rests_what_its_sizing_says() {
    let dir = tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    maker(&journal, None);
    let mut journal = JournalReader::open(&journal).expect("a journal");
    let (mut held, mut entries) = (0, [0, 0]);
    while let Some(item) = journal.next_entry().expect("it reads") {
        match item {
            Entry::Slot(slot) => {
                if let Event::Report(report) = slot.event()
                    && report.kind == ReportKind::Fill
                {
                    held += report.side.signed(report.qty).0;
                }
            }
            Entry::Record(record) if record.kind == RecordKind::Order => {
                let order = &record.order;
                if held == 0 {
                    assert_eq!(order.kind, OrderKind::PostOnly, "it rests");
                    // 4,321 in hundredths, over the price in hundredths, in lots of a thousandth.
                    assert_eq!(order.qty.0, 432_100 * 1_000 / order.price.0, "{order:?}");
                    entries[usize::from(order.side == Side::Sell)] += 1;
                } else {
                    assert_eq!(order.qty.0, i64::abs(held), "what is held is offered: {order:?}");
                }
            }
            _ => {}
        }
    }
    assert!(entries.iter().all(|n| *n > 20), "{entries:?}");
}

#[test]
fn a_share_of_the_equity_begins_with_the_balance_in_a_backtest_and_is_refused_unwritten_with_live_orders() {
    let dir = tempdir().expect("a directory");
    let bars = swings();
    minutes(dir.path(), XYZ, &bars);
    let first = |backtest: &str, capital: &str| {
        let sizing = format!("sizing = {{ method = \"percent-of-equity\", percent = 100{capital} }}");
        let text = format!(
            "[backtest]\n{backtest}\n[[strategy]]\ninstruments = [\"{XYZ}\"]\n{CROSS}, stop_bps = 0 }}\n{sizing}"
        );
        let (config, catalogue) = config(dir.path(), &[XYZ], &text);
        let ran = run(&config, &catalogue, &[]).unwrap_or_else(|e| panic!("{e}"));
        let (minute, qty, _) = fills(&ran)[0];
        let decided_at = bars[usize::try_from(minute).expect("few minutes") - 1][3];
        let settings = ran.outcome.provenance.settings;
        let sizing = settings.into_iter().find(|(key, _)| key == "ma-cross.sizing").expect("it is told");
        (qty.abs(), decided_at, sizing.1)
    };
    for (backtest, capital, counted) in [
        ("balance = \"250000\"", "", 250_000),
        ("", "", 100_000),
        ("balance = \"250000\"", ", capital = \"10000\"", 10_000),
    ] {
        let (qty, close, told) = first(backtest, capital);
        assert_eq!(qty, counted * 100_000 / close, "all of {counted}, in thousandths of a share: {told}");
        assert!(told.contains(&format!("capital=\"{counted}\"")), "{told}");
    }

    let started = |sizing: &str| {
        let text = format!(
            "[risk]\nunset = \"default\"\n[trading]\nmode = \"live\"\n[[strategy]]\nname = \"ma-cross\"\n\
             instruments = [\"binance:spot:BTCUSDT\"]\nsizing = {{ {sizing} }}\n"
        );
        let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
        let config = Config::from_text_with_instruments(&text, "live.toml", table).expect("good");
        run_live(&config, LiveOptions::default()).expect_err("no key, no journal").to_string()
    };
    let said = started("method = \"percent-of-equity\", percent = 100");
    let why = "needs capital for live orders, the part of the account that ma-cross is to size its orders by: write capital = ";
    assert!(said.starts_with("live.toml:8:10: strategy.sizing = ") && said.contains(why), "{said}");
    for good in [
        "method = \"percent-of-equity\", capital = \"500\"",
        "method = \"fixed-notional\", notional = \"50\"",
    ] {
        let said = started(good);
        assert!(said.starts_with("live orders need a journal"), "{said}");
    }
}

/// Orders of [`maker`] for what it was to rest, and what it left to go on with.
fn maker_entries(journal: &Path, resumed: Option<Resumed>) -> (usize, Resumed) {
    maker(journal, resumed);
    let mut reader = JournalReader::open(journal).expect("a journal");
    let mut sized = 0;
    while let Some(item) = reader.next_entry().expect("it reads") {
        if let Entry::Record(record) = item
            && record.kind == RecordKind::Order
        {
            let order = &record.order;
            sized += usize::from(order.price.0 > 0 && order.qty.0 == 432_100 * 1_000 / order.price.0);
        }
    }
    (sized, recover(journal).expect("it reads").1.resume())
}

#[test]
fn a_run_that_goes_on_with_another_sizes_its_orders_as_that_did() {
    let dir = tempdir().expect("a directory");
    let (before, mut left) = maker_entries(&dir.path().join("a.journal"), None);
    // The simulated venue of the next run knows nothing of what was open.
    for desk in &mut left.desks {
        desk.orders.clear();
        desk.positions.fill(Position::default());
    }
    let (after, _) = maker_entries(&dir.path().join("b.journal"), Some(left));
    assert!(before > 40 && after > 40, "{before} before and {after} after");
}

static OWN: &[StrategySpec] = &[script!("own", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
    let qty = algo_trader::domain::Qty(1_000);
    ctx.buy(xyz, qty).at_market().send().expect("sent");
})];

/// What a strategy over a minute of history is refused for.
fn refused(strategy: &str) -> String {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &swings()[..2]);
    let text = format!("[[strategy]]\ninstruments = [\"{XYZ}\"]\n{strategy}");
    let (config, catalogue) = config(dir.path(), &[XYZ], &text);
    match run(&config, &catalogue, OWN) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_sizing_that_would_be_ignored_or_never_trade_is_refused_with_its_line() {
    let fixed = "{ method = \"fixed-qty\", qty = \"1\" }";
    assert_eq!(
        refused(&format!("name = \"own\"\nsizing = {fixed}")),
        format!(
            "test.toml:20:10: strategy.sizing = {fixed}: would be ignored: own as it is configured here does not ask for \
             sizes; leave sizing out"
        )
    );
    assert_eq!(refused("name = \"own\""), "");
    let all_in = refused(&format!("{CROSS}, capital = \"1000\" }}\nsizing = {fixed}"));
    assert!(all_in.contains("would be ignored: ma-cross as it is configured here"), "{all_in}");
    assert_eq!(refused(&format!("{CROSS} }}\nsizing = {fixed}")), "");
    let risk = "{ method = \"risk-per-trade\" }";
    for (strategy, name) in [
        (format!("{CROSS}, stop_bps = 0 }}"), "ma-cross"),
        (REVERSION.to_owned(), "rsi-reversion"),
        ("name = \"imbalance-maker\"".to_owned(), "imbalance-maker"),
    ] {
        let said = refused(&format!("{strategy}\nsizing = {risk}"));
        let why = format!(
            ": strategy.sizing = {risk}: risk-per-trade goes by the loss at a stop, and {name} as it is configured here \
             enters without one: it would never trade; choose one of fixed-qty, fixed-notional, percent-of-equity, \
             volatility-target, kelly, equal-risk"
        );
        assert!(said.starts_with("test.toml:") && said.ends_with(&why), "{said}");
    }
    assert_eq!(refused(&format!("{CROSS}, stop_bps = 1 }}\nsizing = {risk}")), "");
}

#[test]
fn a_share_of_nothing_is_refused_with_the_numbers_that_it_came_from() {
    let said = |more: &str| refused(&format!("{CROSS} }}\nsizing = {{ method = \"kelly\"{more} }}"));
    let share = "kelly's share is 0 with win_percent = ";
    for (more, numbers) in [
        // Its defaults are even odds, of which there is nothing to win.
        ("", "50, payoff = 1, part = 0.5, percent_max = 10"),
        (", win_percent = 40", "40, payoff = 1, part = 0.5, percent_max = 10"),
        (", win_percent = 60, part = 0.0", "60, payoff = 1, part = 0, percent_max = 10"),
        (", win_percent = 60, percent_max = 0", "60, payoff = 1, part = 0.5, percent_max = 0"),
    ] {
        let said = said(more);
        assert!(said.starts_with("test.toml:") && said.contains(": strategy.sizing = {"), "{said}");
        assert!(said.contains(&format!("{share}{numbers}, so it would never trade")), "{said}");
    }
    assert_eq!(said(", win_percent = 60"), "");
    assert_eq!(said(", payoff = 1.5"), "");
}

#[test]
fn a_quantity_that_a_sizing_takes_the_place_of_need_not_fit_the_instrument() {
    // The instrument has thousandths of a share.
    let strategies = ["ma-cross", "rsi-reversion", "imbalance-maker"]
        .map(|name| format!("name = \"{name}\"\nparams = {{ qty = \"0.0001\" }}"));
    for strategy in strategies {
        let said = refused(&strategy);
        assert!(
            said.contains("params.qty") && said.contains("decimals, the precision of the instrument"),
            "{said}"
        );
        assert_eq!(refused(&format!("{strategy}\nsizing = {{ method = \"fixed-qty\", qty = \"1\" }}")), "");
    }
}
