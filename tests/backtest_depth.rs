//! On recorded depth every fill of a market maker and a taker is the one that a slow, obvious model gives, for each
//! queue model.

#[path = "support/recordings.rs"]
mod recordings;
mod support {
    pub mod backtest;
    pub mod history;
    pub mod naive_queue;
}

use algo_trader::domain::{InstrumentId, Order, Price, Qty, Time};
use algo_trader::execution::{Record, RecordKind};
use algo_trader::history::recording::{Recording, RecordingOptions};
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
use support::backtest::LIMITS;
use support::naive_queue::{Cancels, Filled, Naive};

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
