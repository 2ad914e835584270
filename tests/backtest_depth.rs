//! On recorded depth every fill of a market maker and a taker is the one that a slow, obvious model gives, for each
//! queue model. What a book does not reach is unknown to a queue, not empty.

#[path = "support/recordings.rs"]
mod recordings;
mod support {
    pub mod backtest;
    pub mod history;
    pub mod naive_queue;
}

use algo_trader::domain::{InstrumentId, Order, Price, Qty, Side, Time};
use algo_trader::execution::{Record, RecordKind};
use algo_trader::history::catalogue::SeriesKind;
use algo_trader::history::recording::{Recording, RecordingOptions};
use algo_trader::history::segment::{DepthRow, Num, Row, RowKind};
use algo_trader::market::Top;
use algo_trader::net::FrameSource;
use algo_trader::run::backtest::{BacktestOptions, Ran, Source, run_backtest};
use algo_trader::run::{Config, PipelineOptions};
use algo_trader::strategy::{Context, Strategy, StrategySpec};
use algo_trader::venue::binance::Decoder;
use algo_trader::venue::{Decoded, LevelBuffer};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;
use support::backtest::{BEGIN, Happened, LIMITS};
use support::naive_queue::{Cancels, Filled, Naive};
use tempfile::tempdir;

/// Quotes both sides, at the touch and some ticks behind it, for 600 ms, then takes them back, then sweeps levels.
struct Busy {
    instrument: InstrumentId,
    next: Time,
    rounds: u64,
}

impl Strategy for Busy {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _: InstrumentId, top: &Top) {
        if !top.is_two_sided() || ctx.now() < self.next {
            return;
        }
        // What is quoted rests a while, so that its place in the queue matters.
        let rests = if self.rounds % 3 == 2 { 600 } else { 100 };
        self.next = ctx.now().plus(Duration::from_millis(rests));
        self.rounds += 1;
        let btc = self.instrument;
        let open: Vec<_> = ctx.open_orders(btc).map(|o| o.order.id).collect();
        for id in open {
            let _ = ctx.cancel(id);
        }
        // Refused requests are no orders; and what sweeps must not meet what still rests here.
        match self.rounds % 3 {
            0 => self.quote(ctx, top),
            1 => {}
            _ => self.sweep(ctx, top),
        }
    }
}

impl Busy {
    fn quote(&self, ctx: &mut Context<'_>, top: &Top) {
        let btc = self.instrument;
        for (n, behind) in [0, 10, 30].into_iter().enumerate() {
            let qty = Qty(50 + 37 * n as i64);
            let _ = ctx.buy(btc, qty).at_limit(Price(top.bid.price.0 - behind)).post_only().send();
            let _ = ctx.sell(btc, qty).at_limit(Price(top.ask.price.0 + behind)).post_only().send();
        }
        let _ = ctx.buy(btc, Qty(20)).at_limit(top.bid.price).send();
    }

    fn sweep(&self, ctx: &mut Context<'_>, top: &Top) {
        let (btc, bid, ask) = (self.instrument, top.bid.price.0, top.ask.price.0);
        let _ = match self.rounds / 3 % 4 {
            0 => ctx.buy(btc, Qty(9_000)).at_limit(Price(ask + 500)).immediate_or_cancel().send(),
            1 => ctx.sell(btc, Qty(12_000)).at_limit(Price(bid - 90)).send(),
            2 => ctx.buy(btc, Qty(6_000)).at_limit(Price(ask + 20)).fill_or_kill().send(),
            _ => ctx.sell(btc, Qty(3_000)).at_market().send(),
        };
    }
}

static BUSY: &[StrategySpec] = &[StrategySpec {
    name: "busy",
    doc: "does a lot",
    params: &[],
    build: |setup| {
        let instrument = setup.one_instrument()?;
        Ok(Box::new(Busy { instrument, next: Time(0), rounds: 0 }))
    },
}];

const ORDER_LATENCY: u64 = 1_700_000;

fn config(queue: &str) -> Config {
    let text = format!(
        "{LIMITS}\n[instruments]\nfiles = [\"instruments/binance-usdm.toml\"]\n[paper]\norder_latency_us = 1700\n\
         [backtest]\nqueue = \"{queue}\"\n[[strategy]]\nname = \"busy\"\ninstruments = [\"binance:usdm:BTCUSDT\"]"
    );
    Config::from_text_with_built_in(&text, "depth.toml").expect("good")
}

fn run(config: &Config, recording: &mut Recording) -> Ran {
    let pipeline = PipelineOptions { strategies: BUSY, ..PipelineOptions::default() };
    let options = BacktestOptions { decisions: true, pipeline, ..BacktestOptions::default() };
    run_backtest(config, Source::Frames(recording), options).expect("runs")
}

fn open(folder: &Path) -> Recording {
    let file = folder.join("usdm-btcusdt-20240808.gz");
    Recording::open(&[file], &RecordingOptions::default()).expect("a recording")
}

/// What the model makes of the same frames and the same decisions.
fn naive(
    cancels: Cancels,
    config: &Config,
    recording: &mut Recording,
    decisions: &[(Time, Record)],
) -> Vec<Filled> {
    let source = recording.sources()[0].clone();
    let (mut decoder, mut buffer) = (Decoder::new(&config.instruments), LevelBuffer::new());
    let mut model = Naive::new(cancels);
    // What is on its way: when it arrives, an order or the number of one to take back.
    let mut flying: VecDeque<(u64, Result<Order, u64>)> = VecDeque::new();
    for (time, record) in decisions {
        match record.kind {
            RecordKind::Order => flying.push_back((time.0 + ORDER_LATENCY, Ok(record.order))),
            RecordKind::Cancel => flying.push_back((time.0 + ORDER_LATENCY, Err(record.order.id.0))),
            RecordKind::Denied => {}
            other => panic!("{other:?}"),
        }
    }
    // Each meets the market as it is once its moment is over.
    let mut arrive = |model: &mut Naive, before: u64| {
        while flying.front().is_some_and(|(at, _)| *at < before) {
            match flying.pop_front().expect("there").1 {
                Ok(order) => model.arrive(&order),
                Err(id) => model.cancel(id),
            }
        }
    };
    let mut now = 0;
    while let Some(frame) = recording.next_frame().expect("good") {
        now = frame.received.0.max(now);
        arrive(&mut model, now);
        match decoder.decode(&source, frame.bytes, &mut buffer).expect("good") {
            Decoded::Trade(t) => model.trade(t.aggressor, t.price.0, t.qty.0, t.venue_time.0),
            Decoded::DepthSnapshot(head) => {
                model.snapshot(&head, &buffer.levels);
                model.moved(head.venue_time.0);
            }
            Decoded::DepthDiff(head) => {
                model.diff(&head, &buffer.levels);
                model.moved(head.venue_time.0);
            }
            _ => {}
        }
    }
    // The run settles what is under way.
    arrive(&mut model, u64::MAX);
    model.fills
}

fn compare(queue: &str, cancels: Cancels) {
    let Some(folder) = recordings::folder("binance-20240808") else { return };
    let config = config(queue);
    let mut recording = open(&folder);
    let ran = run(&config, &mut recording);
    let fills: Vec<Filled> =
        ran.outcome.fills.iter().map(|f| (f.order.0, f.qty.0, f.price.0, f.maker)).collect();
    let expected = naive(cancels, &config, &mut open(&folder), &ran.decisions);
    let makers = fills.iter().filter(|f| f.3).count();
    println!(
        "{queue}: {} orders, {makers} maker and {} taker fills",
        ran.summary.execution.orders,
        fills.len() - makers
    );
    let first = (0..fills.len().max(expected.len())).find(|at| fills.get(*at) != expected.get(*at));
    if let Some(at) = first {
        panic!(
            "{queue}: fill {at} of {}: {:?}, the model says {:?}",
            fills.len(),
            fills.get(at),
            expected.get(at)
        );
    }
    assert!(makers > 200 && fills.len() - makers > 500, "{makers} of {}", fills.len());
}

#[test]
fn fills_on_recorded_depth_are_the_models_where_cancels_are_behind() {
    compare("risk-averse", Cancels::Behind);
}

#[test]
fn fills_on_recorded_depth_are_the_models_where_cancels_go_by_a_power() {
    compare("power:3", Cancels::Power(3.0));
}

#[test]
fn fills_on_recorded_depth_are_the_models_where_cancels_go_by_the_logarithm() {
    compare("log", Cancels::Log);
}

#[test]
fn a_hopeful_queue_fills_otherwise_than_a_careful_one() {
    let Some(folder) = recordings::folder("binance-20240808") else { return };
    let made = |queue: &str| {
        let ran = run(&config(queue), &mut open(&folder));
        ran.outcome.fills.iter().filter(|f| f.maker).map(|f| (f.order, f.qty)).collect::<Vec<_>>()
    };
    // The models differ on this market, so that one in place of another would show above.
    let (careful, cubes, log) = (made("risk-averse"), made("power:3"), made("log"));
    assert!(careful != cubes && cubes != log && careful != log);
}

const XYZ: &str = "usa:spot:XYZ";

/// Each bids for ten, once, where the market is at 100.00: there, or 0.10 below.
static BIDS: &[StrategySpec] = &[
    script!("bid", |ctx, xyz, what| bid_once(ctx, xyz, &what, 10_000)),
    script!("low", |ctx, xyz, what| bid_once(ctx, xyz, &what, 9_990)),
];

fn bid_once(ctx: &mut Context<'_>, xyz: InstrumentId, what: &Happened<'_>, price: i64) {
    if let Happened::Quote(_, top) = what
        && top.bid.price == Price(10_000)
        && ctx.position(xyz).fills == 0
        && ctx.open_orders(xyz).next().is_none()
    {
        let _ = ctx.buy(xyz, Qty(10_000)).at_limit(Price(price)).send();
    }
}

/// What a feed tells, each 100 ms after the one before.
#[derive(Debug, Clone)]
enum Told {
    /// Five levels a side from this bid down, the first of this quantity, the others of 50.
    Book(RowKind, i64, i64),
    /// Bids: price and quantity.
    Bids(Vec<(i64, i64)>),
    /// A sale of so many at a price, with a number.
    Sold(i64, i64, u64),
    Interrupted,
}
use Told::{Bids, Book, Interrupted, Sold};

const PARTIAL: RowKind = RowKind::Partial;
const SNAPSHOT: RowKind = RowKind::Snapshot;

/// (Which of what was told filled it, how much), of each fill of a strategy.
fn filled(strategy: &str, told: &[Told]) -> Vec<(usize, i64)> {
    let dir = tempdir().expect("a directory");
    let level = |(price, qty): (i64, i64)| (Num::new(price, 2), Num::new(1_000 * qty, 3));
    let levels: Vec<Vec<_>> = told
        .iter()
        .map(|told| match told {
            Book(_, bid, first) => {
                let qty = |n: i64| if n == 0 { *first } else { 50 };
                let bids = (0..5).map(|n| level((bid - n, qty(n))));
                bids.chain((1..6).map(|n| level((bid + n, 50)))).collect()
            }
            Bids(bids) => bids.iter().copied().map(level).collect(),
            Sold(..) | Interrupted => Vec::new(),
        })
        .collect();
    let every = 100_000_000;
    let rows: Vec<(u64, Row<'_>)> = (1u64..)
        .zip(told)
        .zip(&levels)
        .map(|((n, told), levels)| {
            let time = BEGIN + n * every;
            let depth = |kind, bids, prev_id| {
                let venue_time = Time(time);
                Row::Depth(DepthRow {
                    kind,
                    first_id: prev_id + 1,
                    last_id: n,
                    prev_id,
                    venue_time,
                    levels,
                    bids,
                })
            };
            let row = match *told {
                Book(kind, ..) => depth(kind, 5, n - 1),
                Bids(ref bids) => depth(RowKind::Diff, bids.len(), 0),
                Interrupted => depth(RowKind::Interrupted, 0, n - 1),
                Sold(price, qty, id) => {
                    let (price, qty) = level((price, qty));
                    let (venue_time, aggressor, aggregate) = (Time(time), Side::Sell, false);
                    Row::Trade { price, qty, id, venue_time, aggressor, aggregate }
                }
            };
            (time, row)
        })
        .collect();
    support::backtest::rows(dir.path(), XYZ, SeriesKind::Feed, &rows);
    let text = format!("[[strategy]]\nname = \"{strategy}\"\ninstruments = [\"{XYZ}\"]");
    let (config, catalogue) = support::backtest::config(dir.path(), &[XYZ], &text);
    let ran = support::backtest::run(&config, &catalogue, BIDS).unwrap_or_else(|e| panic!("{e}"));
    let fills = ran.outcome.fills.iter();
    fills.map(|f| (((f.time.0 - BEGIN) / every) as usize - 1, f.qty.0 / 1_000)).collect()
}

#[test]
fn a_queue_stands_still_while_a_partial_book_does_not_reach_it() {
    for kind in [PARTIAL, SNAPSHOT] {
        for away in [0, 5, 6, 40] {
            let told = [
                Book(kind, 10_000, 100),
                Book(kind, 10_000 + away, 100),
                Book(kind, 10_000, 100),
                Sold(10_000, 1, 1),
                Sold(10_000, 99, 2),
                Sold(10_000, 4, 3),
            ];
            assert_eq!(filled("bid", &told), [(5, 4)], "{kind:?} {away}");
        }
        // A level that it reaches and shows nothing of is empty.
        let told =
            [Book(kind, 10_000, 100), Book(kind, 10_000, 0), Book(kind, 10_000, 100), Sold(10_000, 4, 1)];
        assert_eq!(filled("bid", &told), [(3, 4)], "{kind:?}");
    }
}

#[test]
fn an_order_where_a_partial_book_does_not_reach_is_behind_what_it_first_shows_there() {
    for kind in [PARTIAL, SNAPSHOT] {
        let told = [
            Book(kind, 10_000, 100),
            Sold(9_990, 300, 1),
            Book(kind, 9_990, 80),
            Sold(9_990, 80, 2),
            Sold(9_990, 4, 3),
        ];
        assert_eq!(filled("low", &told), [(4, 4)], "{kind:?}");
        // Nobody trades past it, whatever a book shows.
        let told = [Book(kind, 10_000, 100), Sold(9_990, 300, 1), Sold(9_989, 1, 2)];
        assert_eq!(filled("low", &told), [(2, 10)], "{kind:?}");
    }
}

#[test]
fn a_queue_outlives_a_snapshot_that_does_not_reach_it() {
    let begun = [Book(SNAPSHOT, 10_000, 100), Bids(vec![(9_000, 1)]), Bids(vec![(9_000, 2)])];
    let comes_back = [
        Bids((10_001..10_007).map(|bid| (bid, 0)).chain([(10_000, 100)]).collect()),
        Sold(10_000, 100, 1),
        Sold(10_000, 4, 2),
    ];
    let ran = |between: &[Told]| filled("bid", &[&begun, between, &comes_back].concat());
    let away = [Interrupted, Book(SNAPSHOT, 10_006, 100), Bids(vec![(9_000, 1)])];
    assert_eq!(ran(&away), [(8, 4)]);
    // In one book all is told of: what was taken away there was.
    let taken = [Bids(vec![(10_000, 0)]), Bids(vec![(9_000, 3)])];
    assert_eq!(ran(&taken), [(6, 10)]);
}

#[test]
fn trades_that_are_numbered_anew_after_an_interruption_fill_what_rests() {
    let again = [Book(PARTIAL, 10_000, 40), Sold(10_000, 44, 500)];
    let ran = |between: &[Told]| {
        filled("bid", &[&[Book(PARTIAL, 10_000, 100), Sold(10_000, 60, 500)], between, &again].concat())
    };
    assert_eq!(ran(&[Interrupted]), [(4, 4)]);
    assert_eq!(ran(&[]), [], "the same trade once");
}
