//! Orders fill on recorded trades and quotes as the rules say: at the quote for what it shows, at rest when trades go
//! through, after the latencies, at the fees of the tier.

mod support {
    pub mod backtest;
    pub mod history;
}

use algo_trader::domain::{InstrumentId, Price, Qty, Side, Time};
use algo_trader::execution::Record;
use algo_trader::history::Catalogue;
use algo_trader::history::catalogue::SeriesKind;
use algo_trader::history::import::{ImportKind, ImportOptions};
use algo_trader::history::segment::{DepthRow, Num, Row, RowKind};
use algo_trader::market::Bar;
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::PipelineOptions;
use algo_trader::run::backtest::{BacktestOptions, Ran, Source, known_to, run_backtest};
use algo_trader::strategy::{Context, Strategy, StrategySpec};
use std::time::Duration;
use support::backtest::{BEGIN, Happened, config, quote, rows, run, trade};
use support::history::Rng;
use tempfile::tempdir;

const XYZ: &str = "usa:spot:XYZ";
const MS: u64 = 1_000_000;

/// What was done, by the number of quotes seen so far: the script of each strategy acts at the first.
static SCRIPTS: &[StrategySpec] = &[
    script!("buy", |ctx, xyz, what| if let Happened::Quote(_, _) = what
        && ctx.position(xyz).fills == 0
        && ctx.open_orders(xyz).next().is_none()
    {
        let _ = ctx.buy(xyz, Qty(5_000)).at_market().send();
    }),
    script!("bid", |ctx, xyz, what| if let Happened::Quote(_, top) = what
        && top.bid.price == Price(10_001)
        && ctx.open_orders(xyz).next().is_none()
    {
        let _ = ctx.buy(xyz, Qty(5_000)).at_limit(Price(10_001)).send();
    }),
    script!("cross", |ctx, xyz, what| if let Happened::Quote(_, top) = what
        && top.bid.price == Price(10_001)
        && ctx.open_orders(xyz).next().is_none()
    {
        let _ = ctx.buy(xyz, Qty(5_000)).at_limit(Price(10_003)).send();
    }),
    script!("hold", |ctx, xyz, what| if let Happened::Quote(_, top) = what
        && top.is_two_sided()
        && ctx.position(xyz).fills == 0
        && ctx.open_orders(xyz).next().is_none()
    {
        let lots = 10 * 10i64.pow(ctx.instrument(xyz).qty_decimals.into());
        let _ = ctx.buy(xyz, Qty(lots)).at_market().send();
    }),
    script!("low", |ctx, xyz, what| if let Happened::Quote(_, _) = what
        && ctx.position(xyz).fills == 0
        && ctx.open_orders(xyz).next().is_none()
    {
        let _ = ctx.buy(xyz, Qty(5_000)).at_limit(Price(10_001)).send();
    }),
    script!("high", |ctx, xyz, what| if let Happened::Quote(_, _) = what
        && ctx.position(xyz).fills == 0
        && ctx.open_orders(xyz).next().is_none()
    {
        let _ = ctx.sell(xyz, Qty(5_000)).at_limit(Price(10_019)).send();
    }),
    script!("post", |ctx, xyz, what| if let Happened::Quote(_, top) = what
        && top.bid.price == Price(10_001)
        && ctx.open_orders(xyz).next().is_none()
    {
        let _ = ctx.buy(xyz, Qty(5_000)).at_limit(Price(10_003)).post_only().send();
    }),
];

fn ran(strategy: &str, settings: &str, quotes: &[(u64, Row)], trades: &[(u64, Row)]) -> Ran {
    let dir = tempdir().expect("a directory");
    if !quotes.is_empty() {
        rows(dir.path(), XYZ, SeriesKind::Quotes, quotes);
    }
    if !trades.is_empty() {
        let aggregate = matches!(trades[0].1, Row::Trade { aggregate: true, .. });
        let kind = if aggregate { SeriesKind::AggTrades } else { SeriesKind::Trades };
        rows(dir.path(), XYZ, kind, trades);
    }
    let text = format!("{settings}\n[[strategy]]\nname = \"{strategy}\"\ninstruments = [\"{XYZ}\"]");
    let (config, catalogue) = config(dir.path(), &[XYZ], &text);
    run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{strategy}: {e}"))
}

/// (ms since the beginning, quantity, price, whether it rested) of each fill.
fn filled(ran: &Ran) -> Vec<(u64, i64, i64, bool)> {
    let fills = ran.outcome.fills.iter();
    fills.map(|f| ((f.time.0 - BEGIN) / MS, f.qty.0, f.price.0, f.maker)).collect()
}

const fn at(ms: u64) -> u64 {
    BEGIN + ms * MS
}

#[test]
fn a_market_order_takes_what_the_quote_shows_when_it_arrives() {
    let quotes = [
        quote(at(0), (10_000, 7_000), (10_002, 3_000)),
        // The order of the first quote has not arrived yet: 1 ms.
        quote(at(1), (10_000, 7_000), (10_004, 2_000)),
        quote(at(16), (10_000, 7_000), (10_005, 9_000)),
    ];
    let ran = ran("buy", "", &quotes, &[]);
    // It arrived as the second quote came; the answer takes 5 ms. What was not shown expired.
    assert_eq!(filled(&ran), [(6, 2_000, 10_004, false)]);
    assert_eq!((ran.summary.execution.orders, ran.summary.live_orders), (1, 0));
    let late = "[backtest]\norder_latency = \"15ms\"\ndata_latency = \"2ms\"\nanswer_latency = \"30ms\"";
    // 17 ms after the first quote by what we see; told 28 ms after that.
    let ran = self::ran("buy", late, &quotes, &[]);
    assert_eq!(filled(&ran), [(45, 5_000, 10_005, false)]);
}

#[test]
fn a_resting_order_fills_when_trades_go_through_it_or_the_quote_comes_to_it() {
    let quotes =
        [quote(at(0), (10_001, 7_000), (10_003, 3_000)), quote(at(100), (9_998, 1_000), (10_002, 1_000))];
    let trades = [
        trade(at(10), 10_001, 2_000, Side::Sell, false),
        trade(at(20), 10_000, 1_500, Side::Sell, false),
        trade(at(30), 9_999, 700, Side::Buy, false),
    ];
    // At its price nothing; beyond it what was traded; what buyers find there the quotes tell.
    assert_eq!(filled(&ran("bid", "", &quotes, &trades)), [(25, 1_500, 10_001, true)]);
    let touch = "[paper]\nfill = \"touch\"";
    assert_eq!(
        filled(&ran("bid", touch, &quotes, &trades)),
        [(15, 2_000, 10_001, true), (25, 1_500, 10_001, true)]
    );
    let came = [
        quotes[0],
        quote(at(40), (9_998, 1_000), (10_001, 1_200)),
        quote(at(50), (9_998, 1_000), (10_001, 1_200)),
    ];
    assert_eq!(filled(&ran("bid", "", &came, &[])), [(45, 1_200, 10_001, true)], "the same quote once");
}

#[test]
fn a_limit_that_crosses_takes_and_then_rests_and_post_only_is_refused() {
    let quotes =
        [quote(at(0), (10_001, 7_000), (10_003, 3_000)), quote(at(100), (9_998, 1_000), (10_002, 900))];
    let trades = [trade(at(50), 10_002, 800, Side::Sell, false)];
    assert_eq!(
        filled(&ran("cross", "", &quotes, &trades)),
        [(6, 3_000, 10_003, false), (55, 800, 10_003, true), (105, 900, 10_003, true)]
    );
    let refused = ran("post", "", &quotes, &trades);
    assert_eq!((filled(&refused), refused.summary.execution.rejected), (vec![], 1));
}

#[test]
fn trades_alone_are_the_market_with_slippage() {
    let trades: Vec<_> =
        (0..4).map(|n| trade(at(10 * n), 10_001 + n as i64, 100, Side::Buy, false)).collect();
    // The order of the first trade arrives at 1 ms, which is told 5 ms later, before the second.
    assert_eq!(filled(&ran("buy", "", &[], &trades)), [(6, 5_000, 10_001, false)]);
    let slipped = "[backtest]\nslippage_bps = 20";
    assert_eq!(filled(&ran("buy", slipped, &[], &trades)), [(6, 5_000, 10_022, false)]);
    let summed: Vec<_> = (0..4).map(|n| trade(at(10 * n), 10_001 + n as i64, 100, Side::Buy, true)).collect();
    assert_eq!(
        filled(&ran("buy", "", &[], &summed)),
        [(6, 5_000, 10_001, false)],
        "aggregate trades do as well"
    );
}

#[test]
fn nobody_trades_past_an_order_whatever_his_side_where_trades_are_all_there_is() {
    use Side::{Buy, Sell};
    let first = trade(at(0), 10_011, 100, Buy, false);
    let filled = |strategy: &str, fill: &str, then: &[(i64, Side)]| {
        let then = (1..).zip(then).map(|(n, (price, side))| trade(at(100 * n), *price, 2_000, *side, false));
        let trades: Vec<_> = std::iter::once(first).chain(then).collect();
        let ran = ran(strategy, &format!("[paper]\nfill = \"{fill}\""), &[], &trades);
        ran.outcome.fills.iter().map(|f| ((f.time.0 - BEGIN) / MS / 100, f.qty.0)).collect::<Vec<_>>()
    };
    for fill in ["through", "touch"] {
        for side in [Buy, Sell] {
            assert_eq!(filled("low", fill, &[(10_000, side), (9_990, side)]), [(1, 2_000), (2, 2_000)]);
            assert_eq!(filled("high", fill, &[(10_020, side), (10_030, side)]), [(1, 2_000), (2, 2_000)]);
        }
        // At its price and before it nobody of its own side trades with it.
        assert_eq!(filled("low", fill, &[(10_001, Buy), (10_002, Buy), (10_002, Sell)]), []);
        assert_eq!(filled("high", fill, &[(10_019, Sell), (10_018, Sell), (10_018, Buy)]), []);
        let met = if fill == "touch" { vec![(1, 2_000)] } else { vec![] };
        assert_eq!(filled("low", fill, &[(10_001, Sell)]), met);
        assert_eq!(filled("high", fill, &[(10_019, Buy)]), met);
    }
}

#[test]
fn an_interruption_leaves_no_quote_to_trade_at() {
    let quotes = [0, 100].map(|ms| quote(at(ms), (10_000, 7_000), (10_002 + ms as i64, 9_000)));
    let filled = |interrupted: bool| {
        let dir = tempdir().expect("a directory");
        let (kind, levels) = (RowKind::Interrupted, &[]);
        let row =
            DepthRow { kind, first_id: 0, last_id: 0, prev_id: 0, venue_time: Time(0), levels, bids: 0 };
        let between = interrupted.then_some((at(0) + MS / 2, Row::Depth(row)));
        let fed: Vec<_> = [quotes[0]].into_iter().chain(between).chain([quotes[1]]).collect();
        rows(dir.path(), XYZ, SeriesKind::Feed, &fed);
        let text = format!("[[strategy]]\nname = \"buy\"\ninstruments = [\"{XYZ}\"]");
        let (config, catalogue) = config(dir.path(), &[XYZ], &text);
        let ran = run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{e}"));
        (self::filled(&ran), ran.summary.execution.rejected)
    };
    assert_eq!(filled(false), (vec![(6, 5_000, 10_002, false)], 0));
    // The order of the first quote arrives when it holds no longer; that of the next meets that.
    assert_eq!(filled(true), (vec![(106, 5_000, 10_102, false)], 1));
}

#[test]
fn fees_are_those_of_the_tier() {
    let quotes =
        [quote(at(0), (10_001, 7_000), (10_003, 9_000)), quote(at(9), (10_001, 7_000), (10_003, 9_001))];
    let tiers = "[[backtest.tier]]\nvolume = \"0\"\nmaker = \"0.0002\"\ntaker = \"0.0005\"\n\
                 [[backtest.tier]]\nvolume = \"1000000\"\nmaker = \"0\"\ntaker = \"0.0001\"";
    let ran = ran("buy", tiers, &quotes, &[]);
    // 5 × 100.03 × 0.0005.
    assert_eq!(ran.outcome.fills.iter().map(|f| f.fee).collect::<Vec<_>>(), [25_007_500]);
    assert_eq!(ran.outcome.trips[0].fees, 25_007_500);
    let lost = ran.outcome.start - ran.outcome.end();
    // Bought at 100.03, worth the middle of the quotes.
    assert!((ran.outcome.number(lost) - 0.05 - 0.250_075).abs() < 1e-12, "{lost}");
}

#[test]
fn slippage_at_quotes_is_half_the_spread_and_what_the_market_moved() {
    let shown = [
        quote(at(0), (10_000, 9_000), (10_004, 9_000)),
        quote(at(1_000), (10_000, 8_000), (10_004, 9_000)),
        quote(at(2_000), (10_010, 8_000), (10_014, 9_000)),
        quote(at(3_000), (10_010, 7_000), (10_014, 9_000)),
    ];
    for (latency, price) in [("1ms", 10_004), ("2500ms", 10_014)] {
        let ran = ran("buy", &format!("[backtest]\norder_latency = \"{latency}\""), &shown, &[]);
        assert_eq!(ran.outcome.fills.len(), 1, "{latency}");
        let fill = ran.outcome.fills[0];
        assert_eq!(
            (fill.price, fill.decided),
            (Price(price), Some([Price(10_000), Price(10_004)])),
            "{latency}"
        );
        let all = algo_trader::statistics::outcome::of_outcome(&ran.outcome, &Default::default());
        let cost = (price - 10_002) as f64 / 100.0 * 5.0;
        assert!((all.slippage.expect("known") - cost).abs() < 1e-12, "{latency}: {:?}", all.slippage);
        let bps = cost / (100.02 * 5.0) * 1e4;
        assert!((all.slippage_bps.expect("known") - bps).abs() < 1e-9, "{latency}: {:?}", all.slippage_bps);
    }
}

const FUTURE: &str = "binance:usdm:ABCUSDT";
const OTHER: &str = "binance:usdm:DEFUSDT";

#[test]
fn quotes_alone_say_what_a_future_is_worth_to_funding_and_margin() {
    let dir = tempdir().expect("a directory");
    let hour = 3_600_000;
    // A day at 100, then 60: ten are worth 1,000, and 240 of margin and 400 of loss leave nothing.
    let bid = |at_ms: u64, bid: i64| quote(at(at_ms), (bid, 50_000), (bid + 2, 50_000));
    let day = (0..24).map(|n| bid(n * hour, 10_000));
    let quotes: Vec<_> =
        day.chain([bid(24 * hour, 9_000), bid(25 * hour, 6_000), bid(26 * hour, 5_900)]).collect();
    rows(dir.path(), FUTURE, SeriesKind::Quotes, &quotes);
    let ran = |settings: &str| {
        let text =
            format!("[backtest]\n{settings}\n[[strategy]]\nname = \"hold\"\ninstruments = [\"{FUTURE}\"]");
        let (config, catalogue) = config(dir.path(), &[FUTURE], &text);
        run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{e}"))
    };
    let held = ran("balance = \"5000\"\nfunding_rate = \"0.0001\"\nfunding_hours = 8");
    let paid: Vec<_> =
        held.outcome.funding.iter().map(|f| ((f.time.0 - BEGIN) / MS / hour, f.price.0)).collect();
    assert_eq!(paid, [(8, 10_001), (16, 10_001), (24, 9_001)], "at the middle");
    let lost = ran("balance = \"240\"\nleverage = 5");
    let fills = filled(&lost);
    assert_eq!(fills.len(), 2, "bought, and liquidated: {fills:?}");
    assert_eq!((fills[1].0 / hour, fills[1].2), (25, 6_001), "at the middle that took the margin");
}

#[test]
fn depth_alone_says_what_a_position_is_worth() {
    let dir = tempdir().expect("a directory");
    let mut text = String::from("exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n");
    for (n, bid) in [100.00, 100.00, 100.00, 104.00].into_iter().enumerate() {
        for (side, price) in [("bid", bid), ("ask", bid + 0.02)] {
            let us = 1_723_075_201_000_000u64 + n as u64 * 60_000_000;
            text += &format!("binance-futures,ABCUSDT,{us},{us},true,{side},{price:.2},500.000\n");
        }
    }
    let name = "binance-futures_incremental_book_L2_2024-08-08_ABCUSDT.csv";
    let path = support::history::plain(dir.path(), name, &text);
    let imported = support::history::import(
        &dir.path().join("history"),
        ImportKind::Tardis,
        &path,
        &ImportOptions::default(),
    );
    assert!(imported.is_ok(), "{imported:?}");
    let text = format!("[[strategy]]\nname = \"hold\"\ninstruments = [\"{FUTURE}\"]");
    let (config, catalogue) = config(dir.path(), &[FUTURE], &text);
    let ran = run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(ran.outcome.fills.len(), 1, "{:?}", ran.outcome.fills);
    let fill = ran.outcome.fills[0];
    assert_eq!(fill.price.0, 10_002);
    // Ten bought at 100.02 with a fee; the middle is 104.01 in the end.
    let (of, fee) = (fill.instrument, ran.outcome.fee(fill.fee));
    let gained = ran.outcome.amount(of, Price(10_401).times(fill.qty))
        - ran.outcome.amount(of, Price(10_002).times(fill.qty));
    assert_eq!(ran.outcome.end() - ran.outcome.start, gained - fee);
    assert_eq!(ran.outcome.trips[0].profit, gained - fee);
}

/// Turns at each bar, by a limit order that it takes back after a while where it has not filled, or by the market.
struct Turns {
    instrument: InstrumentId,
}

impl Strategy for Turns {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let lots = 10 * 10i64.pow(ctx.instrument(self.instrument).qty_decimals.into());
        let held = ctx.position(self.instrument).qty.0;
        let qty = Qty(if held == 0 { lots } else { 2 * lots });
        let till = ctx.now().plus_nanos(77_000_000);
        let order = if held > 0 { ctx.sell(self.instrument, qty) } else { ctx.buy(self.instrument, qty) };
        let sent = match bar.close.0 % 3 {
            0 => order.at_market().send(),
            1 => order.at_limit(bar.close).send(),
            _ => order.at_limit(bar.close).good_till(till).send(),
        };
        if sent.is_ok() {
            let _ = ctx.wake_after(Duration::from_millis(120));
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _: u64) {
        let open: Vec<_> = ctx.open_orders(self.instrument).map(|o| o.order.id).collect();
        for id in open {
            let _ = ctx.cancel(id);
        }
    }
}

/// Watches its instrument and does nothing.
struct Idle;

impl Strategy for Idle {}

static BESIDE: &[StrategySpec] = &[
    StrategySpec {
        name: "turns",
        doc: "turns at each bar",
        params: &[],
        build: |setup| Ok(Box::new(Turns { instrument: setup.one_instrument()? })),
    },
    StrategySpec { name: "idle", doc: "does nothing", params: &[], build: |_| Ok(Box::new(Idle)) },
];

/// What a run over a future does beside another instrument with trades every `beside_us`.
fn beside(latency: &str, beside_us: u64, threading: Threading) -> Ran {
    let dir = tempdir().expect("a directory");
    let mut rng = Rng(5);
    let (mut time, mut price) = (BEGIN, 10_000i64);
    let (end, mut trades) = (BEGIN + 30_000 * MS, Vec::new());
    while time < end {
        time =
            if trades.is_empty() { BEGIN } else { time + 100_000 + rng.below(70) * rng.below(90) * 41_000 };
        price = (price + rng.below(21) as i64 - 10).max(9_000);
        let aggressor = if rng.below(2) == 0 { Side::Buy } else { Side::Sell };
        trades.push(trade(time, price, 1_000 + rng.below(90_000) as i64, aggressor, false));
    }
    rows(dir.path(), FUTURE, SeriesKind::Trades, &trades);
    let others: Vec<_> = (0..30_000_000 / beside_us)
        .map(|n| {
            let (time, price, qty) =
                (BEGIN + n * beside_us * 1_000, Num::new(500 + n as i64 % 7, 2), Num::new(1, 0));
            let (venue_time, aggressor, aggregate) = (Time(time - n % 9 * 1_000_000), Side::Buy, false);
            (time, Row::Trade { price, qty, id: n, venue_time, aggressor, aggregate })
        })
        .collect();
    rows(dir.path(), OTHER, SeriesKind::Trades, &others);
    let times: String = (1..30).map(|n| format!("{},{FUTURE},0.0001\n", BEGIN / MS + n * 900)).collect();
    let rates = support::history::plain(dir.path(), "rates.csv", &format!("time,instrument,rate\n{times}"));
    let text = format!(
        "[market]\nbar = \"time:1s\"\nbar_grace_ms = 50\n[backtest]\nbalance = \"240\"\nleverage = 10\n\
         order_latency = \"{latency}\"\nfunding_file = \"{}\"\n[[strategy]]\nname = \"turns\"\ninstruments = \
         [\"{FUTURE}\"]\n[[strategy]]\nname = \"idle\"\ninstruments = [\"{OTHER}\"]",
        rates.display()
    );
    let (config, catalogue) = config(dir.path(), &[FUTURE, OTHER], &text);
    let (threading, oversubscribe) = (Some(threading), true);
    let wait = Some(Wait::Yield);
    let pipeline =
        PipelineOptions { strategies: BESIDE, threading, wait, oversubscribe, ..PipelineOptions::default() };
    let options = BacktestOptions { decisions: true, pipeline, ..BacktestOptions::default() };
    run_backtest(&config, Source::History(&catalogue), options).unwrap_or_else(|e| panic!("{latency}: {e}"))
}

#[test]
fn what_is_read_beside_what_is_traded_changes_nothing_of_it() {
    for latency in ["0s", "1ms", "event*2+1ms", "30ms", "400ms"] {
        let alone = beside(latency, 30_000_000, Threading::Inline);
        let (fills, paid) = (&alone.outcome.fills, &alone.outcome.funding);
        // Places in the ring count what is beside too.
        let decided = |ran: &Ran| {
            let placed = |(time, record): &(Time, Record)| (*time, Record { seq: 0, ..*record });
            ran.decisions.iter().map(placed).collect::<Vec<_>>()
        };
        assert!(fills.len() > 15 && paid.len() > 15, "{latency}: {} {}", fills.len(), paid.len());
        for (beside_us, threading) in
            [(900_000, Threading::Inline), (1_700, Threading::Inline), (1_700, Threading::Shared)]
        {
            let busy = beside(latency, beside_us, threading);
            let what = format!("{latency}, {beside_us} {threading:?}");
            let (one, other) = (decided(&alone), decided(&busy));
            assert_eq!(one.iter().zip(&other).find(|(one, other)| one != other), None, "{what}");
            assert_eq!(one.len(), other.len(), "{what}");
            assert_eq!((fills, paid), (&busy.outcome.fills, &busy.outcome.funding), "{what}");
        }
    }
}

#[test]
fn funding_is_paid_up_to_the_last_event_of_the_market_whatever_the_latency() {
    let dir = tempdir().expect("a directory");
    let histogram = support::history::plain(dir.path(), "ways.hgrm", "1000.0 1.0 1 inf\n");
    let measured = format!("file:{}", histogram.display());
    let hour = 3_600_000;
    let paid = |latency: &str, last_ms: u64| {
        let dir = tempdir().expect("a directory");
        let quotes =
            [0, hour, last_ms].map(|ms| quote(at(ms), (10_000, 50_000 + ms as i64), (10_002, 50_000)));
        rows(dir.path(), FUTURE, SeriesKind::Quotes, &quotes);
        let text = format!(
            "[backtest]\nbalance = \"5000\"\nfunding_rate = \"0.0001\"\nfunding_hours = 8\n\
             order_latency = \"{latency}\"\n[[strategy]]\nname = \"hold\"\ninstruments = [\"{FUTURE}\"]"
        );
        let (config, catalogue) = config(dir.path(), &[FUTURE], &text);
        let ran = run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{latency}: {e}"));
        ran.outcome.funding.len()
    };
    for latency in ["0s", "1ms", "2s", "event*2", &measured] {
        let of = |last_ms| paid(latency, last_ms);
        assert_eq!([of(8 * hour - 1), of(8 * hour), of(8 * hour + 1)], [0, 1, 1], "{latency}");
    }
}

#[test]
fn what_else_lies_in_the_history_makes_no_tick_finer() {
    let dir = tempdir().expect("a directory");
    let coarse = [trade(BEGIN, 10_001, 1_000, Side::Buy, false)];
    let (price, qty) = (Num::new(1_000_001, 4), Num::new(1, 3));
    let side = |price| (price, qty);
    let fine = [(BEGIN, Row::Quote { bid: side(price), ask: side(price), update_id: 1 })];
    rows(dir.path(), XYZ, SeriesKind::Trades, &coarse);
    rows(dir.path(), XYZ, SeriesKind::Quotes, &fine);
    let catalogue = Catalogue::open(&dir.path().join("history")).expect("it is there");
    let decimals = |kinds: &[&str]| {
        let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        known_to(&catalogue, &[XYZ.to_owned()], &kinds, 3)[0].price_decimals
    };
    assert_eq!([decimals(&["trades"]), decimals(&["quotes"]), decimals(&[])], [2, 4, 4]);
    assert_eq!(decimals(&["bars-1d"]), 4, "what it does not have is told of elsewhere");
}
