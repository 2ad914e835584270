//! A backtest is the same however often and on however many threads it runs, knows nothing of what comes later, and says
//! what is wrong with what it is given.

#[path = "support/recordings.rs"]
mod recordings;
mod support {
    pub mod backtest;
    pub mod history;
    pub mod interrupt;
}

use algo_trader::domain::performance::FillRow;
use algo_trader::domain::{InstrumentId, Notional, OrderStatus, Price, Qty, Side, Time};
use algo_trader::history::Catalogue;
use algo_trader::history::catalogue::{SeriesKind, SeriesName};
use algo_trader::history::import::{Columns, ImportKind, ImportOptions, Imported};
use algo_trader::history::recording::{Recording, RecordingOptions};
use algo_trader::history::segment::{Num, Row};
use algo_trader::market::Bar;
use algo_trader::pipeline::{StopReason, Threading, Wait};
use algo_trader::run::backtest::{
    BacktestError, BacktestOptions, Kept, LookaheadReport, Plan, Ran, Rerun, Source, check_lookahead,
    run_backtest,
};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{Config, PipelineOptions};
use algo_trader::strategy::{Awaited, Condition, Context, IndicatorHandle, Measured, Strategy, StrategySpec};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::backtest::{
    BEGIN, Happened, LIMITS, MINUTE, config, fills, minute, minutes, quote, rows, rows_of, run, some_minutes,
    trade,
};
use support::history::{Rng, import, plain};
use tempfile::tempdir;

const XYZ: &str = "usa:spot:XYZ";

/// A walk of prices in bars.
fn walk(seed: u64, bars: usize) -> Vec<[i64; 4]> {
    let mut rng = Rng(seed);
    let mut price = 10_001i64;
    let mut step = |price: i64| (price + rng.below(121) as i64 - 60).max(500);
    (0..bars)
        .map(|_| {
            let open = step(price);
            let middle = step(open);
            let close = step(middle);
            let (high, low) =
                (step(open.max(close)).max(open).max(close), step(open.min(close)).min(open).min(close));
            price = close;
            [open, high, low, close]
        })
        .collect()
}

const CROSS: &str = "[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"usa:spot:XYZ\"]\n[strategy.params]\n\
     fast = 3\nslow = 8\ncapital = \"10000\"\nstop_bps = 40";

fn on(threading: Threading) -> PipelineOptions {
    PipelineOptions {
        threading: Some(threading),
        wait: Some(Wait::Yield),
        oversubscribe: true,
        ..PipelineOptions::default()
    }
}

#[test]
fn two_runs_and_any_threads_give_the_same_outcome() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(7, 1_500));
    let (config, catalogue) = config(dir.path(), &[XYZ], CROSS);
    let made = |threading| {
        let options = BacktestOptions { pipeline: on(threading), ..BacktestOptions::default() };
        run_backtest(&config, Source::History(&catalogue), options).expect("runs")
    };
    let first = made(Threading::Inline);
    assert!(
        first.outcome.fills.len() > 50 && first.outcome.trips.len() > 20,
        "{}",
        first.outcome.fills.len()
    );
    for threading in [Threading::Inline, Threading::Shared, Threading::Dedicated] {
        let again = made(threading);
        assert_eq!(again.summary.order_stream_sha256, first.summary.order_stream_sha256, "{threading:?}");
        assert!(again.outcome == first.outcome, "{threading:?}");
        assert_eq!(format!("{:?}", again.outcome), format!("{:?}", first.outcome));
    }
    let profit: i128 = first.outcome.trips.iter().map(|trip| trip.profit).sum();
    assert_eq!(first.outcome.start + profit, first.outcome.end(), "round trips add up to what was gained");
}

#[test]
fn recorded_frames_and_their_history_give_the_same_orders_on_any_threads() {
    let Some(folder) = recordings::folder("binance-20240808") else { return };
    let file = folder.join("spot-ethusdt-20240808.gz");
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("history");
    let imported = support::history::import(&history, ImportKind::Capture, &file, &ImportOptions::default());
    imported.expect("imported");
    let catalogue = Catalogue::open(&history).expect("there");
    let text = format!(
        "{LIMITS}\n[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n[backtest]\nqueue = \"log\"\n\
         order_latency = \"event+1300ms\"\n[[strategy]]\nname = \"imbalance-maker\"\n\
         instruments = [\"binance:spot:ETHUSDT\"]"
    );
    let config = Config::from_text_with_built_in(&text, "t.toml").expect("good");
    let over_history = |threading| {
        let options = BacktestOptions { pipeline: on(threading), ..BacktestOptions::default() };
        run_backtest(&config, Source::History(&catalogue), options).expect("runs")
    };
    let over_frames = || {
        let mut frames =
            Recording::open(std::slice::from_ref(&file), &RecordingOptions::default()).expect("a recording");
        run_backtest(&config, Source::Frames(&mut frames), BacktestOptions::default()).expect("runs")
    };
    let first = over_history(Threading::Inline);
    assert!(
        first.summary.execution.orders > 100 && first.outcome.fills.len() > 20,
        "{:?}",
        first.summary.execution
    );
    for again in [over_history(Threading::Shared), over_frames()] {
        assert_eq!(again.summary.order_stream_sha256, first.summary.order_stream_sha256);
        assert_eq!(
            (&again.outcome.fills, &again.outcome.equity),
            (&first.outcome.fills, &first.outcome.equity)
        );
    }
}

#[test]
fn a_part_of_a_recorded_feed_makes_the_round_trips_that_the_whole_makes_from_there_on() {
    let Some(folder) = recordings::folder("binance-20240808") else { return };
    let file = folder.join("spot-ethusdt-20240808.gz");
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("history");
    support::history::import(&history, ImportKind::Capture, &file, &ImportOptions::default())
        .expect("imported");
    let catalogue = Catalogue::open(&history).expect("there");
    let text = "[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n[risk]\nunset = \"default\"\n[[strategy]]\n\
         name = \"imbalance-maker\"\ninstruments = [\"binance:spot:ETHUSDT\"]\n[strategy.params]\nqty = \"0.1\"";
    let mut config = Config::from_text_with_built_in(text, "t.toml").expect("good");
    let trips = |config: &Config, over_history| {
        let mut frames =
            Recording::open(std::slice::from_ref(&file), &RecordingOptions::default()).expect("a recording");
        let source = if over_history { Source::History(&catalogue) } else { Source::Frames(&mut frames) };
        let ran = run_backtest(config, source, BacktestOptions::default()).expect("runs");
        let told = |t: &algo_trader::domain::performance::RoundTrip| {
            (t.entry_time, t.exit_time, t.side, t.qty, t.entry_value, t.exit_value)
        };
        ran.outcome.trips.iter().map(told).collect::<Vec<_>>()
    };
    let whole = trips(&config, true);
    // The only whole book that was ever sent came three minutes before.
    let from = Time(1_723_161_420_000_000_000);
    (config.backtest.from, config.backtest.warm_up) = (Some(from), Duration::from_secs(60));
    let later: Vec<_> = whole.into_iter().filter(|trip| trip.0 >= from).collect();
    assert!(later.len() > 10, "{} round trips", later.len());
    for over_history in [true, false] {
        assert_eq!(trips(&config, over_history), later, "over its history: {over_history}");
    }
}

/// The close of each bar of the history that the present run has, as someone has who works signals out beforehand.
static BEFOREHAND: Mutex<Vec<(u64, i64)>> = Mutex::new(Vec::new());

/// Buys before a rise and sells before a fall.
struct Cheat {
    xyz: InstrumentId,
}

impl Strategy for Cheat {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let known = BEFOREHAND.lock().expect("nobody panicked");
        let now = ctx.now().0;
        let Some(next) = known.iter().find(|(time, _)| *time > now) else { return };
        let held = ctx.position(self.xyz).qty;
        let request = match (next.1 > bar.close.0, held.0) {
            (true, 0) => ctx.buy(self.xyz, Qty(1_000)),
            (false, held) if held > 0 => ctx.sell(self.xyz, Qty(held)),
            _ => return,
        };
        request.at_market().send().expect("sent");
    }
}

/// Says that it waits for rising bars, and sells at others too.
struct Hasty {
    xyz: InstrumentId,
    average: IndicatorHandle,
}

impl Strategy for Hasty {
    fn heeds_quotes(&self) -> bool {
        false
    }
    fn awaits(&self, _: InstrumentId, _: Qty) -> Awaited {
        Awaited::when(Condition::above(Measured::Close, self.average))
    }
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let Some(average) = ctx.indicator(self.average) else { return };
        let held = ctx.position(self.xyz).qty;
        let request = match (bar.close.0 as f64 * 0.01 > average[0], held.0) {
            (true, 0) => ctx.buy(self.xyz, Qty(1_000)),
            (false, held) if held > 0 => ctx.sell(self.xyz, Qty(held)),
            _ => return,
        };
        request.at_market().send().expect("sent");
    }
}

static CHEATS: &[StrategySpec] = &[
    StrategySpec {
        name: "cheat",
        doc: "knows what comes",
        params: &[],
        build: |setup| Ok(Box::new(Cheat { xyz: setup.one_instrument()? })),
    },
    StrategySpec {
        name: "hasty",
        doc: "acts on what it does not wait for",
        params: &[],
        build: |setup| {
            let xyz = setup.one_instrument()?;
            Ok(Box::new(Hasty { xyz, average: setup.indicator(xyz, "ema", &[9])? }))
        },
    },
];

#[test]
fn a_strategy_that_knows_what_comes_is_caught_and_an_honest_one_is_not() {
    let dir = tempdir().expect("a directory");
    let bars = walk(11, 400);
    minutes(dir.path(), XYZ, &bars);
    let closes: Vec<(u64, i64)> = (1u64..).zip(&bars).map(|(n, bar)| (BEGIN + n * MINUTE, bar[3])).collect();
    let check = |text: &str| {
        let (config, catalogue) = config(dir.path(), &[XYZ], text);
        check_lookahead(12, true, |rerun| {
            let cut = rerun.cut();
            let there = closes.iter().filter(|(time, _)| cut.is_none_or(|cut| *time < cut.0)).copied();
            *BEFOREHAND.lock().expect("nobody panicked") = there.collect();
            let pipeline = PipelineOptions { strategies: CHEATS, ..PipelineOptions::default() };
            let every_event = rerun == Rerun::EveryEvent;
            let options =
                BacktestOptions { cut, decisions: true, every_event, pipeline, ..BacktestOptions::default() };
            run_backtest(&config, Source::History(&catalogue), options).map(|ran| ran.decisions)
        })
        .expect("runs")
    };
    let honest = check(CROSS);
    assert!(honest.decisions > 20 && honest.cuts.len() > 5, "{honest:?}");
    assert_eq!(honest.differences, []);
    let caught = check("[[strategy]]\nname = \"cheat\"\ninstruments = [\"usa:spot:XYZ\"]");
    assert!(caught.decisions > 20 && caught.differences.len() == caught.cuts.len(), "{caught:?}");
    let first = caught.differences[0];
    assert!(first.whole.is_some() && first.shorter.is_none(), "{first:?}");
    assert!(first.cut.is_some_and(|cut| first.time < cut), "{first:?}");
    let hasty = check("[[strategy]]\nname = \"hasty\"\ninstruments = [\"usa:spot:XYZ\"]");
    assert_eq!(hasty.differences.len(), 1, "{hasty:?}");
    assert!(hasty.decisions > 0 && hasty.differences[0].cut.is_none(), "{hasty:?}");
}

static TIMED: &[StrategySpec] = &[
    script!("late", |ctx, xyz, what| match what {
        Happened::Bar(n, _) if n % 7 == 0 => {
            ctx.wake_after(Duration::from_secs(20)).expect("a timer");
        }
        // Between two bars, by time alone; what comes of it is answered between them too.
        Happened::Timer => {
            ctx.buy(xyz, Qty(1_000)).at_limit(Price(100)).send().expect("sent");
        }
        Happened::Order(order, _) if order.status == OrderStatus::Open => {
            ctx.cancel(order.order.id).expect("it is open");
        }
        _ => {}
    }),
    script!("at-once", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => {
            ctx.wake_after(Duration::ZERO).expect("a timer");
        }
        Happened::Timer => {
            let begun = Time(BEGIN + MINUTE);
            let n = ctx.now().since(begun) / 1_000;
            assert!(n < 2_000_000, "nobody ends it");
            if n == 50_000 {
                ENDS.lock().expect("nobody panicked").raise();
            }
            assert!(ctx.now() > begun && ctx.position(xyz).qty == Qty(0));
            ctx.wake_after(Duration::ZERO).expect("a timer");
        }
        _ => {}
    }),
];

/// Ended by the strategy `at-once`.
static ENDS: std::sync::LazyLock<Mutex<Interrupt>> = std::sync::LazyLock::new(Mutex::default);

#[test]
fn a_decision_by_time_alone_is_no_knowledge_of_what_comes() {
    let report = late("", 200);
    assert!(report.decisions > 40 && report.cuts.len() > 5, "{report:?}");
    assert_eq!(report.differences, []);
}

#[test]
fn nor_is_one_after_all_that_happened_on_the_market() {
    // The last bar's timer is due twenty seconds after it, while the end waits for orders that take longer.
    let report = late("[backtest]\norder_latency = \"30s\"", 203);
    let last = report.cuts.last().expect("some");
    assert!(*last > Time(BEGIN + 203 * MINUTE + 20_000_000_000), "{report:?}");
    assert_eq!(report.differences, []);
}

/// A check of the strategy `late` over so many bars.
fn late(settings: &str, bars: usize) -> LookaheadReport {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(5, bars));
    let text = format!("{settings}\n[[strategy]]\nname = \"late\"\ninstruments = [\"{XYZ}\"]");
    let (config, catalogue) = config(dir.path(), &[XYZ], &text);
    let report = check_lookahead(12, true, |rerun| {
        let pipeline = PipelineOptions { strategies: TIMED, ..PipelineOptions::default() };
        let (cut, every_event) = (rerun.cut(), rerun == Rerun::EveryEvent);
        let options =
            BacktestOptions { cut, decisions: true, every_event, pipeline, ..BacktestOptions::default() };
        run_backtest(&config, Source::History(&catalogue), options).map(|ran| ran.decisions)
    });
    report.expect("runs")
}

#[test]
fn timers_that_set_the_next_at_once_let_time_go_on_and_can_be_ended() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(5, 3));
    let (config, catalogue) =
        config(dir.path(), &[XYZ], "[[strategy]]\nname = \"at-once\"\ninstruments = [\"usa:spot:XYZ\"]");
    let pipeline = PipelineOptions { strategies: TIMED, ..PipelineOptions::default() };
    let interrupt = ENDS.lock().expect("nobody panicked").clone();
    let options = BacktestOptions { pipeline, interrupt, ..BacktestOptions::default() };
    let ran = run_backtest(&config, Source::History(&catalogue), options).expect("it ends");
    assert_eq!(ran.summary.stopped, Some(StopReason::Interrupted));
}

const FUTURE: &str = "binance:usdm:XYZUSDT";

#[test]
fn a_recorded_feed_is_traded_on_whatever_orders_fill_by() {
    let Some(folder) = recordings::folder("binance-20240808") else { return };
    let path = folder.join("usdm-btcusdt-20240808.gz");
    for fill in ["depth", "quotes", "trades"] {
        let text = format!(
            "[backtest]\nfill = \"{fill}\"\n[instruments]\nfiles = [\"instruments/binance-usdm.toml\"]\n[[strategy]]\n\
             name = \"ma-cross\"\ninstruments = [\"binance:usdm:BTCUSDT\"]\n[strategy.params]\nfast = 5\nslow = 20\n\
             qty = \"0.1\""
        );
        let config = Config::from_text_with_built_in(&format!("{LIMITS}\n{text}"), "fill.toml")
            .unwrap_or_else(|e| panic!("{e}"));
        let mut recording =
            Recording::open(std::slice::from_ref(&path), &RecordingOptions::default()).expect("a recording");
        let ran = run_backtest(&config, Source::Frames(&mut recording), BacktestOptions::default());
        let fills = ran.unwrap_or_else(|e| panic!("{fill}: {e}")).outcome.fills.len();
        assert!(fills >= 10, "{fill}: {fills} fills");
    }
}

#[test]
fn a_strategy_has_its_book_whatever_fills_its_orders_and_on_whatever_threads() {
    let Some(folder) = recordings::folder("binance-20240808") else { return };
    let path = folder.join("spot-ethusdt-20240808.gz");
    for fill in ["depth", "quotes", "trades"] {
        let text = format!(
            "{LIMITS}\n[backtest]\nfill = \"{fill}\"\nequity_seconds = 1\n[instruments]\n\
             files = [\"instruments/binance-spot.toml\"]\n[[strategy]]\nname = \"imbalance-maker\"\n\
             instruments = [\"binance:spot:ETHUSDT\"]"
        );
        let config = Config::from_text_with_built_in(&text, "book.toml").unwrap_or_else(|e| panic!("{e}"));
        let made = |threading| {
            let mut recording = Recording::open(std::slice::from_ref(&path), &RecordingOptions::default())
                .expect("a recording");
            let options = BacktestOptions { pipeline: on(threading), ..BacktestOptions::default() };
            run_backtest(&config, Source::Frames(&mut recording), options)
                .unwrap_or_else(|e| panic!("{fill}: {e}"))
        };
        let inline = made(Threading::Inline);
        assert!(inline.summary.execution.orders > 100, "{fill}: {:?}", inline.summary.execution);
        for threading in [Threading::Shared, Threading::Dedicated] {
            let other = made(threading);
            assert_eq!(other.outcome, inline.outcome, "{fill} {threading:?}");
            assert_eq!(other.summary.order_stream_sha256, inline.summary.order_stream_sha256);
        }
    }
}

static FUTURES: &[StrategySpec] = &[
    script!("hold-long", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, Qty(10_000)).at_market().send().expect("sent");
    }),
    script!("hold-and-bid", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, Qty(1_000)).at_market().send().expect("sent");
        ctx.buy(xyz, Qty(1_000)).at_limit(Price(8_200)).send().expect("sent");
    }),
    script!("hold-and-stop", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => drop(ctx.buy(xyz, Qty(1_000)).at_market().send()),
        Happened::Bar(2, _) => drop(ctx.sell(xyz, Qty(1_000)).stop_at(Price(9_000)).reduce_only().send()),
        _ => {}
    }),
    script!("enter-at-hour", |ctx, xyz, what| if let Happened::Bar(60, _) = what {
        ctx.buy(xyz, Qty(10_000)).at_market().send().expect("sent");
    }),
    script!("leave-at-hour", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => drop(ctx.buy(xyz, Qty(10_000)).at_market().send()),
        Happened::Bar(60, _) => drop(ctx.sell(xyz, Qty(10_000)).at_market().send()),
        _ => {}
    }),
    script!("turn-at-hour", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => drop(ctx.sell(xyz, Qty(10_000)).at_market().send()),
        Happened::Bar(60, _) => drop(ctx.buy(xyz, Qty(20_000)).at_market().send()),
        _ => {}
    }),
    script!("enter-at-second", |ctx, xyz, what| if let Happened::Bar(2, _) = what {
        ctx.buy(xyz, Qty(10_000)).at_market().send().expect("sent");
    }),
    script!("enter-at-third", |ctx, xyz, what| if let Happened::Bar(3, _) = what {
        ctx.buy(xyz, Qty(10_000)).at_market().send().expect("sent");
    }),
    script!("two-chases", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        for _ in 0..2 {
            ctx.buy(xyz, Qty(40_000)).at_limit(Price(10_100)).send().expect("sent");
        }
    }),
    script!("chase-behind-market", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, Qty(40_000)).at_market().send().expect("sent");
        ctx.buy(xyz, Qty(40_000)).at_limit(Price(10_100)).immediate_or_cancel().send().expect("sent");
    }),
    script!("hold-short", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.sell(xyz, Qty(10_000)).at_market().send().expect("sent");
    }),
];

/// A run of one of [`FUTURES`]: ten contracts over these bars.
fn future(strategy: &str, settings: &str, bars: &[[i64; 4]]) -> Ran {
    let bars: Vec<(u64, [i64; 4])> = (0u64..).zip(bars.iter().copied()).collect();
    future_of(strategy, settings, &bars)
}

/// The same of bars that do not follow one on another.
fn future_of(strategy: &str, settings: &str, bars: &[(u64, [i64; 4])]) -> Ran {
    let dir = tempdir().expect("a directory");
    some_minutes(dir.path(), FUTURE, bars);
    let text =
        format!("[backtest]\n{settings}\n[[strategy]]\nname = \"{strategy}\"\ninstruments = [\"{FUTURE}\"]");
    let (config, catalogue) = config(dir.path(), &[FUTURE], &text);
    run(&config, &catalogue, FUTURES).unwrap_or_else(|e| panic!("{strategy}: {e}"))
}

/// Bars that stay at a price, in hundredths.
fn flat(price: i64, count: usize) -> Vec<[i64; 4]> {
    vec![[price; 4]; count]
}

#[test]
fn longs_pay_funding_and_shorts_receive_it_at_the_venues_hours() {
    // From midnight, so that 8 hours are 480 bars; ten contracts at 100.01 are worth 1,000.10.
    let bars = flat(10_001, 490);
    let rate = "balance = \"5000\"\nfunding_rate = \"0.0001\"";
    let long = future("hold-long", rate, &bars);
    assert_eq!(long.outcome.funding.len(), 1);
    let paid = long.outcome.funding[0];
    assert_eq!((minute(paid.time), paid.qty, paid.paid), (480, Qty(10_000), 10_001_000), "0.10001");
    let lost = long.outcome.start - long.outcome.end();
    assert_eq!(lost, long.outcome.fee(10_001_000), "equity has it in it");
    let short = future("hold-short", rate, &bars);
    assert_eq!(short.outcome.funding[0].paid, -10_001_000);
    assert_eq!(short.outcome.end() - short.outcome.start, short.outcome.fee(10_001_000));
    assert_eq!(future("hold-long", "balance = \"5000\"", &bars).outcome.funding, []);
}

#[test]
fn what_fills_in_the_moment_of_funding_pays_it() {
    let hourly = |latency: &str| {
        format!(
            "balance = \"5000\"\nfunding_rate = \"0.0001\"\nfunding_hours = 1\norder_latency = \"{latency}\""
        )
    };
    let paid = |ran: &Ran| -> Vec<_> {
        ran.outcome.funding.iter().map(|f| (minute(f.time), f.qty.0, f.paid)).collect()
    };
    // At the end of the hour, when the next bar opens.
    let hour = 60;
    let bars = flat(10_001, 65);
    for (strategy, at_once, later) in [
        ("enter-at-hour", Some((10_000, 10_001_000)), None),
        ("leave-at-hour", None, Some((10_000, 10_001_000))),
        ("turn-at-hour", Some((10_000, 10_001_000)), Some((-10_000, -10_001_000))),
    ] {
        for (latency, expected) in [("0ns", at_once), ("1ns", later)] {
            let ran = future(strategy, &hourly(latency), &bars);
            assert_eq!(ran.outcome.fills.last().map(|fill| minute(fill.time)), Some(60), "{strategy}");
            let expected: Vec<_> = expected.map(|(qty, paid)| (hour, qty, paid)).into_iter().collect();
            assert_eq!(paid(&ran), expected, "{strategy} after {latency}");
        }
    }
    // Trades, each a bar: what is bought at one arrives with the hour, also where it is the last that there is.
    let traded = |strategy: &str, latency: &str, [second, third]: [i64; 2]| {
        let dir = tempdir().expect("a directory");
        let trades = [-1_000, second, third].map(|ms| {
            let time = (BEGIN + 60 * MINUTE).saturating_add_signed(ms * 1_000_000);
            trade(time, 10_001, 1_000, Side::Buy, false)
        });
        rows(dir.path(), FUTURE, SeriesKind::Trades, &trades);
        let text = format!(
            "[market]\nbar = \"tick:1\"\nincomplete_bars = \"give\"\n[backtest]\n{}\n[[strategy]]\n\
             name = \"{strategy}\"\ninstruments = [\"{FUTURE}\"]",
            hourly(latency)
        );
        let (config, catalogue) = config(dir.path(), &[FUTURE], &text);
        paid(&run(&config, &catalogue, FUTURES).unwrap_or_else(|e| panic!("{e}")))
    };
    let all = vec![(hour, 10_000, 10_001_000)];
    assert_eq!(traded("enter-at-second", "1ms", [-1, 50]), all);
    assert_eq!(traded("enter-at-second", "1ms", [-2, 50]), all);
    assert_eq!(traded("enter-at-second", "1ms", [0, 50]), []);
    assert_eq!(traded("enter-at-third", "0ns", [-1, 0]), all);
}

#[test]
fn funding_that_was_due_several_times_between_two_events_is_paid_as_often() {
    // Ten contracts at 100.01 bought in the second bar; a day later the third comes.
    let dir = tempdir().expect("a directory");
    let mut text = String::from("time,open,high,low,close,volume\n");
    for minute in [0, 1, 1_441] {
        text += &format!("{},100.01,100.01,100.01,100.01,1000\n", (BEGIN + minute * MINUTE) / 1_000_000);
    }
    let path = support::history::plain(dir.path(), "BTC.csv", &text);
    let options = ImportOptions {
        instrument: Some(FUTURE.into()),
        base: Some("XYZ".into()),
        quote: Some("USD".into()),
        columns: Columns { every: Some("1m".into()), given: Vec::new() },
        ..ImportOptions::default()
    };
    support::history::import(&dir.path().join("history"), ImportKind::Csv, &path, &options)
        .expect("good bars");
    for (hours, times) in [(1, 24), (6, 4), (8, 3), (24, 1)] {
        let text = format!(
            "[backtest]\nbalance = \"5000\"\nfunding_rate = \"0.0001\"\nfunding_hours = {hours}\n[[strategy]]\n\
             name = \"hold-long\"\ninstruments = [\"{FUTURE}\"]"
        );
        let (config, catalogue) = config(dir.path(), &[FUTURE], &text);
        let ran = run(&config, &catalogue, FUTURES).unwrap_or_else(|e| panic!("{e}"));
        let paid: i64 = ran.outcome.funding.iter().map(|paid| paid.paid).sum();
        assert_eq!(paid, times * 10_001_000, "every {hours} hours");
    }
}

#[test]
fn funding_rates_of_a_file_are_paid_when_they_were() {
    let bars = flat(10_001, 490);
    let dir = tempdir().expect("a directory");
    let at = |bar: u64| (BEGIN + bar * MINUTE) / 1_000_000;
    let ran = |strategy: &str, text: &str| {
        let path = dir.path().join("rates.csv");
        std::fs::write(&path, text).expect("can be written");
        let settings = format!("balance = \"5000\"\nfunding_file = \"{}\"", path.display());
        future(strategy, &settings, &bars)
    };
    let paid = |ran: &Ran| {
        let funding = ran.outcome.funding.iter();
        funding.map(|paid| (minute(paid.time), paid.paid)).collect::<Vec<_>>()
    };
    // Not in order; the first came before anything was held, and the last after the end.
    let own = format!(
        "time,instrument,rate\n{},{FUTURE},-0.0001\n\n{}, {FUTURE} ,0.0002\n{},{FUTURE},0.05\n{},{FUTURE},0.05\n",
        at(200),
        at(60),
        at(0),
        at(500)
    );
    let dump = format!(
        "\u{feff}calc_time,funding_interval_hours,last_funding_rate\n{},8,0.00020000\n{},8,-0.0001\n",
        at(60),
        at(200)
    );
    for text in [own, dump] {
        let long = ran("hold-long", &text);
        assert_eq!(paid(&long), [(60, 20_002_000), (200, -10_001_000)], "{text}");
        assert_eq!(long.outcome.start - long.outcome.end(), long.outcome.fee(10_001_000));
        assert_eq!(paid(&ran("hold-short", &text)), [(60, -20_002_000), (200, 10_001_000)]);
    }
}

#[test]
fn a_file_of_funding_rates_that_are_of_another_time_is_told() {
    let dir = tempdir().expect("a directory");
    let path = dir.path().join("rates.csv");
    let told = |text: &str, more: &str| {
        std::fs::write(&path, text).expect("can be written");
        // A tier, so that nothing is told of fees.
        let tier = "[[backtest.tier]]\nvolume = \"0\"\nmaker = \"0\"\ntaker = \"0\"";
        let settings = format!("balance = \"5000\"\nfunding_file = \"{}\"\n{more}\n{tier}", path.display());
        future("hold-long", &settings, &flat(10_001, 490)).notes
    };
    let rate = |bar: i64| format!("{},0.0001\n", (BEGIN as i64 / 60_000_000_000 + bar) * 60_000);
    let within = format!("time,rate\n{}{}", rate(-420), rate(60));
    assert_eq!(told(&within, ""), Vec::<String>::new());
    let [hole] = &told(&format!("time,rate\n{}{}", rate(-9_000), rate(60)), "")[..] else {
        panic!("one note")
    };
    assert!(hole.contains(&format!("of {FUTURE} have holes within the run (1, the first from ")), "{hole}");
    let [outside] = &told(&format!("time,rate\n{}{}", rate(-9_000), rate(9_000)), "")[..] else {
        panic!("one note")
    };
    let day = |bar: i64| Time((BEGIN as i64 + bar * MINUTE as i64) as u64).to_string();
    assert!(outside.contains("NO FUNDING RATE") && outside.contains("rates.csv"), "{outside}");
    assert!(outside.contains(&format!("of {} to {}", day(-9_000), day(9_000))), "{outside}");
    assert!(outside.contains(&format!("within the run, {}", day(0)[..10].to_owned())), "{outside}");
    assert!(told("time,rate\n", "")[0].contains("it has none"));
    // What begins late or ends early leaves a part unpaid; a single rate may be one of every eight hours.
    let one = |rates: [i64; 2]| told(&format!("time,rate\n{}{}", rate(rates[0]), rate(rates[1])), "");
    let [late] = &one([300, 480])[..] else { panic!("one note") };
    let expected = format!("rates.csv: the FUNDING RATES of {FUTURE} begin at {}", day(300));
    assert!(late.contains(&expected), "{late}");
    let [early] = &one([0, 100])[..] else { panic!("one note") };
    assert!(early.contains(&format!("{FUTURE} end at {}, and the run at ", day(100))), "{early}");
    assert_eq!(told(&format!("time,rate\n{}", rate(60)), ""), Vec::<String>::new());
}

#[test]
fn a_bad_file_of_funding_rates_is_told_by_its_line() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), FUTURE, &flat(10_001, 3));
    let path = dir.path().join("rates.csv");
    let text = format!(
        "[backtest]\nbalance = \"5000\"\nfunding_file = \"{}\"\n[[strategy]]\nname = \"hold-long\"\n\
         instruments = [\"{FUTURE}\"]",
        path.display()
    );
    let (config, catalogue) = config(dir.path(), &[FUTURE], &text);
    let told = || run(&config, &catalogue, FUTURES).expect_err("a bad file").to_string();
    assert!(told().contains("rates.csv"), "it is not there: {}", told());
    for (text, line, expected) in [
        ("", 1, "columns time (ms) and rate"),
        ("time,price\n1,2\n", 1, "columns time (ms) and rate"),
        ("time,rate\n1700000000000,0.0001\nsoon,0.0001\n", 3, "a time in ms"),
        ("time,rate\n\n0,0.0001\n", 3, "a time in ms"),
        ("time,rate\n1700000000000000,0.0001\n", 2, "a time in ms"),
        ("time,rate\n1700000000,0.0001\n", 2, "a time in ms since 1970, of 2000"),
        ("time,rate\n1700000000000,NaN\n", 2, "at most 8 decimals"),
        ("time,rate\n1700000000000,0.000000001\n", 2, "at most 8 decimals"),
        ("time,rate\n1700000000000\n", 2, "the 2 fields of the heading, and has 1"),
        ("time,rate\n1700000000000,0,0001\n", 2, "the 2 fields of the heading, and has 3"),
        ("time,rate\n1700000000000,0.0001,x\n", 2, "the 2 fields of the heading, and has 3"),
        ("time,rate\n1700000000000,00010000\n", 2, "a rate from -0.05 to 0.05"),
        ("time,rate\n1700000000000,0.05\n1700028800000,-0.05000001\n", 3, "a rate from -0.05 to 0.05"),
        ("time,instrument,rate\n1700000000000,usa:spot:XYZ,0.0001\n", 2, "\"usa:spot:XYZ\" is no USD-M"),
        (
            "time,rate\n1700028800000,0.0001\n\n1700000000000,0.0001\n1700028800000,0.0001\n",
            5,
            "which line 2 gives already",
        ),
    ] {
        std::fs::write(&path, text).expect("can be written");
        let told = told();
        assert!(told.contains(&format!("rates.csv:{line}")) && told.contains(expected), "{text:?}: {told}");
    }
}

#[test]
fn what_a_loss_limit_stops_is_left_all_the_same() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(7, 1_500));
    let cross = "[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"usa:spot:XYZ\"]\n[strategy.params]\n\
                 fast = 3\nslow = 8\nqty = \"100\"\nstop_bps = 0";
    let (mut config, catalogue) = config(dir.path(), &[XYZ], cross);
    // 0.5 of the currency: soon lost, within a round trip.
    config.risk.limits.losses.drawdown_max = 50_000_000;
    let ran = run(&config, &catalogue, &[]).expect("runs");
    let [.., last] = &ran.outcome.trips[..] else { panic!("something was bought") };
    assert!(last.exit_time.is_some(), "it is not held to the end: {last:?}");
    assert!(ran.summary.denials.iter().any(|denial| denial.0 == "drawdown"), "{:?}", ran.summary.denials);
    assert!(ran.outcome.trips.len() < 20, "nothing more is bought: {}", ran.outcome.trips.len());
}

#[test]
fn a_turn_is_protected_as_an_entry_from_flat_is_and_one_that_is_denied_is_a_way_out() {
    // Even, so that it is short; up, so that it turns long; down, so that it turns short; and up at once, past the stop of that.
    let mut bars: Vec<[i64; 4]> = Vec::new();
    let mut go = |count: i64, step: i64| {
        for _ in 0..count {
            let open = bars.last().map_or(10_000, |bar| bar[3]);
            let close = open + step;
            bars.push([open, open.max(close), open.min(close), close]);
        }
    };
    go(12, 0);
    go(10, 20);
    go(8, -40);
    go(1, 600);
    let cross = |more: &str| {
        let dir = tempdir().expect("a directory");
        minutes(dir.path(), FUTURE, &bars);
        let text = format!(
            "{more}\n[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"{FUTURE}\"]\n[strategy.params]\n\
             fast = 2\nslow = 5\nqty = \"1\"\nstop_bps = 100"
        );
        let (mut config, catalogue) = config(dir.path(), &[FUTURE], &text);
        if more.is_empty() {
            return fills(&run(&config, &catalogue, &[]).expect("runs"));
        }
        // Of two in one order risk lets none through: the turn is denied, and what was held is closed.
        config.risk.limits.order_notional_max = 15_000_000_000;
        fills(&run(&config, &catalogue, &[]).expect("runs"))
    };
    let turned = cross("");
    let qtys: Vec<i64> = turned.iter().map(|fill| fill.1).collect();
    assert_eq!(qtys, [-1_000, 2_000, -2_000, 1_000], "{turned:?}");
    let (sold, left) = (turned[2].2, turned[3].2);
    assert!((10..=11).contains(&((left - sold) * 1_000 / sold)), "left by its stop: {turned:?}");
    let denied = cross("[run]\nname = \"denied\"");
    let qtys: Vec<i64> = denied.iter().map(|fill| fill.1).collect();
    assert_eq!(qtys, [-1_000, 1_000, -1_000, 1_000], "{denied:?}");
}

#[test]
fn what_the_margin_does_not_bear_is_rejected_and_what_it_bears_no_more_is_liquidated() {
    let bars = flat(10_001, 4);
    // 1,000.10 ÷ 10 is 100.01 of margin.
    let refused = future("hold-long", "balance = \"100\"\nleverage = 10", &bars);
    assert_eq!((fills(&refused), refused.summary.execution.rejected), (vec![], 1));
    let enough = future("hold-long", "balance = \"101\"\nleverage = 10", &bars);
    assert_eq!(fills(&enough), [(1, 10_000, 10_001)]);
    // A short; the price rises until 101 and the loss leave less than 0.5 % of the position.
    let mut rise = flat(10_001, 2);
    rise.extend([[10_001, 10_401, 10_001, 10_401], [10_401, 11_001, 10_401, 11_001], [11_001; 4]]);
    let lost = future("hold-short", "balance = \"101\"\nleverage = 10", &rise);
    let fills = fills(&lost);
    assert_eq!(fills.len(), 2, "{fills:?}");
    assert_eq!((fills[0], fills[1].1), ((1, -10_000, 10_001), 10_000));
    // (101 + 10 × 100.01 − 10 p) < 0.005 × 10 p, on the way from 104.01 to 110.01.
    assert_eq!(fills[1].2, 10_957, "at the price that took the margin: {fills:?}");
    // On its way down to 80 the price comes to where 15 bear the position no more, and only then to the bid.
    let mut fall = flat(10_001, 3);
    fall.extend([[10_001, 10_001, 8_000, 8_000], [8_000; 4]]);
    let gone = future("hold-and-bid", "balance = \"15\"\nleverage = 20", &fall);
    let fills_of = |ran: &Ran| -> Vec<_> {
        ran.outcome.fills.iter().map(|f| (f.side.signed(f.qty).0, f.price.0)).collect()
    };
    assert_eq!(fills_of(&gone), [(1_000, 10_001), (-1_000, 8_543)], "(15 + p − 100.01) < 0.005 p");
    let stopped = future("hold-and-stop", "balance = \"15\"\nleverage = 20", &fall);
    assert_eq!(fills_of(&stopped), [(1_000, 10_001), (-1_000, 9_000)], "it is left before that");
    // Of two limits that cross the last price, each worth 4,040 where 5,000 is the most, one fills at the open, or rests where
    // the open is beyond it.
    let margin = "balance = \"1000\"\nleverage = 5";
    let waiting = |strategy: &str, settings: &str, next: [i64; 4]| {
        // The next bar opens long after the first has closed.
        fills_of(&future_of(strategy, settings, &[(0, [10_001; 4]), (5, next), (6, [10_000; 4])]))
    };
    for strategy in ["two-chases", "chase-behind-market"] {
        assert_eq!(waiting(strategy, margin, [10_001; 4]), [(40_000, 10_001)], "{strategy}");
    }
    assert_eq!(waiting("two-chases", margin, [10_200, 10_200, 10_000, 10_000]), [(40_000, 10_100)]);
    assert_eq!(waiting("two-chases", "balance = \"1000\"\nleverage = 10", [10_001; 4]).len(), 2);
    let row = lost.outcome.fills[1];
    assert_eq!(row.fee, i64::try_from(row.price.times(row.qty).0 * 1_250_000 / 10i128.pow(5)).expect("fits"));
    assert_eq!(lost.outcome.trips.len(), 1);
    assert_eq!(lost.outcome.start + lost.outcome.trips[0].profit, lost.outcome.end());
    assert_ne!(lost.outcome.trips[0].exit_value, Notional::ZERO);
}

#[test]
fn what_is_missing_or_wrong_is_told_before_anything_runs() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(3, 30));
    let told = |names: &[&str], text: &str| -> String {
        let (config, catalogue) = config(dir.path(), names, text);
        run(&config, &catalogue, &[]).expect_err("is refused").to_string()
    };
    assert_eq!(told(&[XYZ], ""), "no strategy is configured: add a [[strategy]] to test.toml");
    let error = told(&[XYZ], &format!("[backtest]\nseries = [\"trades\"]\n{CROSS}"));
    assert!(error.contains("trades") && error.contains("bars-1m"), "{error}");
    assert!(error.starts_with(XYZ), "it is another's, may be: {error}");
    let error = told(&[XYZ], &format!("[backtest]\nfill = \"depth\"\n{CROSS}"));
    assert!(error.contains("needs depth") && error.contains("bars-1m"), "{error}");
    let error = told(&[XYZ], &format!("[backtest]\nfrom = \"2031-01-01\"\n{CROSS}"));
    assert!(error.starts_with("no event lies in the range") && error.contains("2031-01-01"), "{error}");
    let text =
        format!("{LIMITS}\n[backtest]\nfrom = \"2024-01-02\"\nuntil = \"2024-01-01\"\nqueue = \"fifo\"");
    let error = Config::from_text(&text, "t.toml", dir.path()).expect_err("is refused").to_string();
    assert!(error.contains("backtest.until = \"2024-01-01\": must be later than from"), "{error}");
    assert!(error.contains("backtest.queue = \"fifo\": must be risk-averse, log, or power:"), "{error}");
    let none = "[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n[[strategy]]\nname = \"ma-cross\"\n\
                instruments = [\"binance:spot:BTCUSDT\"]";
    let config = Config::from_text_with_built_in(none, "t.toml").expect("good");
    let catalogue = Catalogue::open(&dir.path().join("history")).expect("there");
    let error = run(&config, &catalogue, &[]).expect_err("has no such series");
    assert!(matches!(error, BacktestError::NoSeries { .. }) && error.is_of_usage());
    assert!(error.to_string().contains("usa:spot:XYZ bars-1m"), "{error}");
}

static EVERY_BAR: &[StrategySpec] = &[script!("every-bar", |ctx, xyz, what| {
    if let Happened::Bar(..) = what {
        ctx.buy(xyz, Qty(1_000)).at_market().send().expect("sent");
    }
})];

const BY_TRADES: &str =
    "fill = \"trades\"\n[[strategy]]\nname = \"every-bar\"\ninstruments = [\"usa:spot:XYZ\"]";

#[test]
fn what_an_instrument_has_in_several_series_is_read_of_one() {
    let adjusted = SeriesName { adjusted: true, ..SeriesName::new(XYZ, SeriesKind::Trades) };
    let of = |kind| SeriesName::new(XYZ, kind);
    let minutely = SeriesName { every: Some("1m".to_owned()), ..of(SeriesKind::Quotes) };
    let [trades, aggregates] = [SeriesKind::Trades, SeriesKind::AggTrades].map(of);
    let [feed, depth, quotes] = [SeriesKind::Feed, SeriesKind::Depth, SeriesKind::Quotes].map(of);
    for (all, what, good) in [
        // Each trade would come twice.
        (&[&feed, &trades][..], "trades in several series, trades and feed,", "--series feed "),
        // One price and another in turn.
        (&[&trades, &adjusted], "trades in several series, trades and trades-adjusted,", "--series trades "),
        // Whatever the aggregate ones are of, they would say nothing beside the others.
        (&[&trades, &aggregates], "trades in several series, trades and agg_trades,", "--series trades "),
        (
            &[&depth, &feed, &quotes],
            "depth in several series, depth and feed,",
            "--series feed --series quotes ",
        ),
        (&[&trades, &quotes, &minutely], "quotes in several series, quotes and", "--series quotes "),
    ] {
        let dir = tempdir().expect("a directory");
        for (n, name) in all.iter().enumerate() {
            let at = BEGIN + n as u64 * MINUTE;
            rows_of(
                dir.path(),
                name,
                &[trade(at, 10_000, 1_000, Side::Buy, name.kind == SeriesKind::AggTrades)],
            );
        }
        let text = format!("[backtest]\n{BY_TRADES}");
        let (config, catalogue) = config(dir.path(), &[XYZ], &text);
        let error = run(&config, &catalogue, EVERY_BAR).expect_err("several have it");
        let said = error.to_string();
        assert!(error.is_of_usage() && said.contains(what) && said.contains(good), "{said}");
        let named = format!("[backtest]\nseries = [\"{}\"]\n{BY_TRADES}", all[0].label());
        let (config, catalogue) = support::backtest::config(dir.path(), &[XYZ], &named);
        let ran = run(&config, &catalogue, EVERY_BAR);
        assert_eq!(ran.is_ok(), all[0].kind != SeriesKind::Depth, "{named}");
    }
}

#[test]
fn quotes_that_a_feed_has_are_not_read_of_a_series_of_quotes_as_well() {
    let dir = tempdir().expect("a directory");
    let at = |n: u64| BEGIN + n * MINUTE;
    let feed = [
        quote(at(0), (9_999, 1_000), (10_000, 1_000)),
        trade(at(1), 10_000, 1_000, Side::Buy, false),
        trade(at(2), 10_000, 1_000, Side::Buy, false),
    ];
    rows(dir.path(), XYZ, SeriesKind::Feed, &feed);
    rows(dir.path(), XYZ, SeriesKind::Quotes, &[quote(at(0) + 1, (8_999, 1_000), (9_000, 1_000))]);
    let ran = |series: &str| {
        let by_quotes = BY_TRADES.replace("\"trades\"", "\"quotes\"");
        let (config, catalogue) = config(dir.path(), &[XYZ], &format!("[backtest]\n{series}\n{by_quotes}"));
        run(&config, &catalogue, EVERY_BAR)
    };
    let error = ran("").expect_err("both have them");
    let said = error.to_string();
    assert!(error.is_of_usage() && said.contains("quotes in several series,"), "{said}");
    assert!(said.contains("feed") && said.contains("such as --series feed (or"), "{said}");
    assert!(ran("series = [\"feed\"]").is_ok());
}

/// A bar of twenty seconds that ends then, as a feed brings it.
fn told_bar(at: u64) -> (u64, Row<'static>) {
    let bar = Row::Bar {
        prices: [Num::new(9_000, 2); 4],
        volume: Num::new(1_000, 3),
        turnover: 0,
        trades: 1,
        open_time: Time(at - MINUTE / 3),
        close_time: Time(at - 1),
        closed: true,
    };
    (at, bar)
}

#[test]
fn bars_that_a_feed_brought_do_not_count_beside_a_series_of_bars() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(4, 5));
    let feed: Vec<_> = (0..15)
        .flat_map(|n| {
            let at = BEGIN + n * MINUTE / 3;
            let top = quote(at + 1, (9_999, 1_000), (10_000, 1_000));
            [told_bar(at), top, trade(at + 2, 10_000, 1_000, Side::Buy, false)]
        })
        .collect();
    rows(dir.path(), XYZ, SeriesKind::Feed, &feed);
    let (config, catalogue) = config(dir.path(), &[XYZ], &format!("[backtest]\n{BY_TRADES}"));
    orders_at_each_of_five_bars(&config, &catalogue);
}

/// With what is read kept for other runs, and without.
fn orders_at_each_of_five_bars(config: &Config, catalogue: &Catalogue) {
    let kept = Arc::new(Kept::new(None, None, 1 << 20));
    for kept in [None, Some(kept)] {
        let pipeline = PipelineOptions { strategies: EVERY_BAR, ..PipelineOptions::default() };
        let options = BacktestOptions { kept, pipeline, ..BacktestOptions::default() };
        let ran = run_backtest(config, Source::History(catalogue), options).expect("it runs");
        assert_eq!(ran.summary.execution.orders, 5, "one a minute");
    }
}

#[test]
fn nor_do_they_where_orders_fill_by_the_series_of_bars() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(4, 5));
    let feed: Vec<_> = (1..=15)
        .flat_map(|n| {
            let at = BEGIN + n * MINUTE / 3;
            [told_bar(at), trade(at + 2, 10_000, 1_000, Side::Buy, false)]
        })
        .collect();
    rows(dir.path(), XYZ, SeriesKind::Feed, &feed);
    let by_bars = BY_TRADES.replace("\"trades\"", "\"bars\"");
    let (config, catalogue) = config(dir.path(), &[XYZ], &format!("[backtest]\n{by_bars}"));
    orders_at_each_of_five_bars(&config, &catalogue);
}

#[test]
fn ticks_without_ids_of_a_venue_make_whole_bars_over_midnight() {
    const BTC: &str = "binance:spot:BTCUSDT";
    let dir = tempdir().expect("a directory");
    let bars = |history: &Path| {
        let text = "[market]\nbar = \"time:1h\"\n[[strategy]]\nname = \"every-bar\"\ninstruments = [\"binance:spot:BTCUSDT\"]";
        let (config, catalogue) = config(history, &[BTC], text);
        let ran = run(&config, &catalogue, EVERY_BAR).expect("it runs");
        let totals = ran.summary.book_totals();
        (ran.summary.execution.orders, totals.incomplete_bars, totals.missing_trades)
    };
    let place = dir.path().join("binance/tick/btcusdt");
    std::fs::create_dir_all(&place).expect("made");
    for day in ["20240101", "20240102", "20240103"] {
        let hour = |hour: u64| format!("{},{}.5,0.01\n", hour * 3_600_000 + 1_800_000, 100 + hour);
        let text: String = (0..24).map(hour).collect();
        let path = plain(&place, &format!("{day}_btcusdt_tick_trade.csv"), &text);
        let options = ImportOptions::default();
        let imported = import(&dir.path().join("history"), ImportKind::CryptoBars, &path, &options);
        assert!(matches!(imported, Ok(Imported::Added(..))), "{imported:?}");
    }
    // The last bar is over only with the history.
    assert_eq!(bars(dir.path()), (71, 0, 0));
    // In a history of earlier they are numbered by day and row.
    let earlier = tempdir().expect("a directory");
    let tick = |n: u64| {
        let (time, row) = trade(BEGIN + n * 60 * MINUTE + MINUTE, 10_000 + n as i64, 10, Side::Buy, false);
        let Row::Trade { price, qty, venue_time, aggressor, aggregate, .. } = row else { panic!("{row:?}") };
        let id = (20_220_108 + n / 24) << 32 | (n % 24 + 1);
        (time, Row::Trade { price, qty, id, venue_time, aggressor, aggregate })
    };
    rows(earlier.path(), BTC, SeriesKind::Trades, &(0..72).map(tick).collect::<Vec<_>>());
    assert_eq!(bars(earlier.path()), (71, 0, 0));
}

/// Runs the program; its exit status, standard output and messages.
fn program(args: &[&str]) -> (Option<i32>, String, String) {
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_algo-trader")).args(args).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn that_no_bar_came_or_too_few_is_told_apart_from_no_signal() {
    let dir = tempdir().expect("a directory");
    let told = |dir: &Path| {
        let text = format!("{LIMITS}\n[backtest]\nqty_decimals = 3\n{CROSS}");
        let (file, history) = (dir.join("my.toml"), dir.join("history"));
        std::fs::write(&file, text).expect("can be written");
        let [file, history] = [file, history].map(|path| path.display().to_string());
        let (status, out, messages) = program(&["backtest", "--config", &file, "--history", &history]);
        assert_eq!(status, Some(0), "{messages}");
        out
    };
    minutes(dir.path(), XYZ, &walk(5, 3));
    let few = told(dir.path());
    assert!(few.contains("of 2 still warming up") && !few.contains("not one closed"), "{few}");
    let dir = tempdir().expect("a directory");
    let quotes =
        [quote(BEGIN, (10_000, 7_000), (10_002, 3_000)), quote(BEGIN + 1, (10_000, 7_000), (10_002, 5_000))];
    rows(dir.path(), XYZ, SeriesKind::Quotes, &quotes);
    let none = told(dir.path());
    assert!(
        none.contains("usa:spot:XYZ: not one closed") && none.contains("2 of 2 still warming up"),
        "{none}"
    );
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(5, 300));
    let enough = told(dir.path());
    assert!(!enough.contains("warming up") && !enough.contains("not one closed"), "{enough}");
}

#[test]
fn trades_that_are_missing_and_late_are_told_with_a_backtest() {
    let dir = tempdir().expect("a directory");
    // A trade a second for five minutes, of which some are missing by their ids, and one that is of a bar long closed.
    let gone = [74, 75, 204];
    let trades: Vec<(u64, Row)> = (0..300u64)
        .filter(|n| !gone.contains(n))
        .map(|n| {
            let (time, price, qty) = (BEGIN + n * 1_000_000_000, Num::new(10_000, 2), Num::new(1_000, 3));
            let venue_time = Time(if n == 290 { BEGIN + 1 } else { time });
            let (id, aggressor, aggregate) = (n + 1, Side::Buy, false);
            (time, Row::Trade { price, qty, id, venue_time, aggressor, aggregate })
        })
        .collect();
    rows(dir.path(), "binance:spot:XYZUSD", SeriesKind::Trades, &trades);
    let text = format!(
        "{LIMITS}\n[market]\nbar = \"time:10s\"\n[backtest]\nqty_decimals = 3\n{}",
        CROSS.replace(XYZ, "binance:spot:XYZUSD")
    );
    let (file, history) = (dir.path().join("my.toml"), dir.path().join("history"));
    std::fs::write(&file, text).expect("can be written");
    let [file, history] = [file, history].map(|path| path.display().to_string());
    let args = ["backtest", "--config", &file, "--history", &history];
    let (status, out, messages) = program(&args);
    assert_eq!(status, Some(0), "{messages}");
    for told in
        ["3 trades are missing by their ids", "bars lack trades", "1 trades came after their time bar"]
    {
        assert!(out.contains(told), "{told}: {out}");
    }
    let (_, out, _) = program(&[&args[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let count = |key: &str| json[key].as_u64();
    let counts = ["missing_trades", "late_trades", "ahead_trades"].map(count);
    assert_eq!(counts, [Some(3), Some(1), Some(0)], "{json:#}");
    // Of each place where some are missing one at least.
    assert!(count("incomplete_bars") >= Some(2), "{json:#}");
}

#[test]
fn a_check_that_is_interrupted_finds_nothing() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(5, 40_000));
    let (file, history) = (dir.path().join("my.toml"), dir.path().join("history"));
    let text =
        format!("{LIMITS}\n[backtest]\nqty_decimals = 3\nhistory = \"{}\"\n{CROSS}", history.display());
    std::fs::write(&file, text).expect("can be written");
    // More than a thousand runs of some ten milliseconds: it is nowhere near its end.
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_algo-trader"))
        .args(["backtest", "--check-lookahead", "10000", "--config", &file.display().to_string()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    support::interrupt::interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(output.stdout.is_empty() && told.contains("interrupted"), "{told}");
}

#[test]
fn what_a_run_that_was_cut_short_leaves_says_so() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(5, 3_000));
    let (config, catalogue) = config(dir.path(), &[XYZ], CROSS);
    let ran = |interrupt: Interrupt| {
        let options = BacktestOptions { interrupt, ..BacktestOptions::default() };
        run_backtest(&config, Source::History(&catalogue), options).expect("runs")
    };
    let said = |ran: &Ran| ran.outcome.provenance.settings.iter().find(|(key, _)| key == "stopped").cloned();
    let whole = ran(Interrupt::default());
    assert_eq!((whole.events, said(&whole)), (12_000, None));
    let interrupt = Interrupt::default();
    interrupt.raise();
    let cut = ran(interrupt);
    assert!(cut.events < 8_000, "{}", cut.events);
    assert_eq!(said(&cut), Some(("stopped".into(), "interrupted".into())));
}

#[test]
fn how_many_events_there_will_be_is_told_before() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(5, 2_000));
    let (mut config, catalogue) = config(dir.path(), &[XYZ], CROSS);
    let told_and_were = |config: &Config| {
        let options = BacktestOptions::default();
        let ran = run_backtest(config, Source::History(&catalogue), options).expect("runs");
        (Plan::of_history(config, &catalogue).expect("there is data").events, ran.events)
    };
    assert_eq!(told_and_were(&config), (8_000, 8_000));
    config.backtest.from = Some(Time(BEGIN + 500 * MINUTE));
    config.backtest.until = Some(Time(BEGIN + 1_500 * MINUTE));
    let (told, were) = told_and_were(&config);
    assert!(told.abs_diff(were) < 20 && were == 4_000, "{told} {were}");
}

#[test]
fn a_range_has_the_bars_that_open_in_it() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(5, 30));
    let (mut config, catalogue) = config(dir.path(), &[XYZ], CROSS);
    let at = |minute: u64| Time(BEGIN + minute * MINUTE);
    // The first that opens at or after the one moment, the last that opens before the other.
    for (from, until, (first, end)) in [
        (at(5), at(10), (5, 10)),
        (at(5).plus_nanos(1), at(10), (6, 10)),
        (Time(at(5).0 - 1), Time(at(9).0 + 1), (5, 10)),
        (at(5), at(9), (5, 9)),
        (at(0), at(1), (0, 1)),
        (at(29), at(99), (29, 30)),
    ] {
        (config.backtest.from, config.backtest.until) = (Some(from), Some(until));
        let ran = run(&config, &catalogue, &[]).expect("runs");
        assert_eq!((ran.outcome.from, ran.outcome.until), (at(first), at(end)), "{from} {until}");
        assert_eq!(ran.events, 4 * (end - first));
    }
    (config.backtest.from, config.backtest.until) = (Some(at(5).plus_nanos(1)), Some(at(6)));
    let none = run(&config, &catalogue, &[]).expect_err("no bar lies there");
    assert!(matches!(none, BacktestError::Nothing { .. }), "{none}");
}

#[test]
fn a_warm_up_makes_of_a_part_what_it_is_in_the_whole() {
    const FIXED: &str = "[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"usa:spot:XYZ\"]\n[strategy.params]\n\
         fast = 5\nslow = 60\nqty = \"2\"\nstop_bps = 0";
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(9, 3_000));
    let (whole, catalogue) = config(dir.path(), &[XYZ], FIXED);
    let all = run(&whole, &catalogue, &[]).expect("runs").outcome;
    // When it held nothing: after each round trip.
    let flat: Vec<Time> = all.trips.iter().filter_map(|trip| trip.exit_time).collect();
    assert!(flat.len() > 30, "{}", flat.len());
    let shown = |fills: &[FillRow]| -> Vec<_> {
        fills.iter().map(|f| (f.time, f.side, f.qty, f.price, f.fee)).collect()
    };
    for exit in flat.into_iter().step_by(7) {
        // At the end of a bar, within one, and far from any.
        for from in [Time((exit.0 / MINUTE + 1) * MINUTE), exit.plus_nanos(1)] {
            let mut part = whole.clone();
            part.backtest.from = Some(from);
            part.backtest.warm_up = Duration::from_nanos(from.0 - BEGIN);
            let ran = |every_event, kept| {
                let options = BacktestOptions { every_event, kept, ..BacktestOptions::default() };
                run_backtest(&part, Source::History(&catalogue), options).expect("runs")
            };
            let every = ran(true, None);
            let later: Vec<FillRow> = all.fills.iter().filter(|fill| fill.time >= from).cloned().collect();
            assert_eq!(shown(&every.outcome.fills), shown(&later), "{from}");
            let begun = every.outcome.equity.first().map(|point| (point.time >= from, point.equity));
            assert_eq!((every.outcome.from >= from, begun), (true, Some((true, all.start))));
            assert!(every.outcome.from.0 < from.0 + MINUTE, "{from}");
            for kept in [None, Some(Arc::new(Kept::new(Some(Time(BEGIN)), None, 1 << 30)))] {
                let passed = ran(false, kept);
                assert_eq!(passed.outcome, every.outcome, "{from}");
                assert_eq!(passed.summary.order_stream_sha256, every.summary.order_stream_sha256);
            }
        }
    }
    // With nothing known, a part begins otherwise.
    let mut cold = whole.clone();
    cold.backtest.from = Some(Time(BEGIN + 1_000 * MINUTE));
    let first = |ran: Ran| ran.outcome.fills.first().map(|fill| fill.time);
    let begun_cold = first(run(&cold, &catalogue, &[]).expect("runs"));
    assert!(begun_cold >= Some(Time(BEGIN + 1_060 * MINUTE)), "{begun_cold:?}");
    cold.backtest.warm_up = Duration::from_secs(60 * 60);
    let begun_warm = first(run(&cold, &catalogue, &[]).expect("runs"));
    assert!(begun_warm < begun_cold, "{begun_warm:?} {begun_cold:?}");
    // Its length is before a moment, and a run is not the time before it.
    (cold.backtest.from, cold.backtest.until) = (None, None);
    let none = run(&cold, &catalogue, &[]).expect_err("before what?");
    assert!(matches!(none, BacktestError::WarmUp), "{none}");
    cold.backtest.from = Some(Time(BEGIN + 3_000 * MINUTE + 1));
    let none = run(&cold, &catalogue, &[]).expect_err("nothing is left");
    assert!(matches!(none, BacktestError::Nothing { .. }), "{none}");
}

#[test]
fn the_program_gives_the_same_bytes_twice_and_says_what_is_wrong() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(5, 200));
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (file, history) = (path("my.toml"), path("history"));
    let text = format!("{LIMITS}\n[backtest]\nqty_decimals = 3\nhistory = \"{history}\"\n{CROSS}");
    std::fs::write(&file, text).expect("can be written");
    let json = |more: &[&str]| {
        let mut args = vec!["backtest", "--config", file.as_str(), "--json"];
        args.extend(more);
        let (code, out, told) = program(&args);
        assert_eq!(code, Some(0), "{told}");
        let mut value: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        value.as_object_mut().expect("an object").remove("machine").expect("what depends on the machine");
        value.to_string()
    };
    let first = json(&[]);
    assert!(first.contains("\"trades\":[{") && first.contains("\"currency\":\"USD\""), "{first}");
    // By the names, and in the forms, that other commands and the report have them.
    let named: serde_json::Value = serde_json::from_str(&first).expect("JSON");
    let is_text = |value: &serde_json::Value| value.as_str().is_some_and(|text| !text.is_empty());
    assert!(is_text(&named["start_equity"]) && is_text(&named["end_equity"]), "{first}");
    assert!(is_text(&named["settings"][0]["key"]) && is_text(&named["settings"][0]["value"]), "{first}");
    assert!(named["equity"][0].as_array().is_some_and(|point| point.iter().all(is_text)), "{first}");
    assert!(is_text(&named["trades"][0]["qty"]), "{first}");
    assert_eq!(json(&[]), first);
    assert_eq!(json(&["--threading", "shared"]), first);
    let (code, out, told) = program(&["backtest", "--config", &file, "--check-lookahead", "3"]);
    assert!(
        code == Some(0) && out.contains("no decision depends on what came later, or on what was passed"),
        "{out}{told}"
    );
    let (code, out, told) = program(&["backtest", "--config", &file]);
    assert!(code == Some(0) && out.contains("round trips"), "{out}{told}");
    assert!(told.contains("traded without fees") && told.lines().count() == 1, "{told}");

    let refused = |args: &[&str], code: i32, what: &str| {
        let mut all = vec!["backtest", "--config", file.as_str()];
        all.extend(args);
        let (found, out, told) = program(&all);
        assert!(found == Some(code) && out.is_empty() && told.contains(what), "{found:?} {out} {told}");
    };
    refused(&["--from", "2024-01-02", "--until", "2024-01-01"], 2, "must be later than");
    refused(&["--series", "bars-5m"], 2, "bars-1m");
    refused(&["--fill", "quotes"], 2, "needs quotes");
    refused(&["--until", "1990-01-01"], 2, "no event lies in the range");
    let none = path("none");
    refused(&["--history", none.as_str()], 2, "there is no history here");
    refused(&["--from", "yesterday"], 2, "2024-08-08");
}
