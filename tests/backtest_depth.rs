//! On recorded depth every fill of a market maker and a taker is the one that a slow, obvious model gives, for each
//! queue model.

#[path = "support/recordings.rs"]
mod recordings;
mod support {
    pub mod backtest;
    pub mod history;
    pub mod naive_queue;
}

use algo_trader::domain::{InstrumentId, Order, Price, Qty, Side, Time};
use algo_trader::execution::{Record, RecordKind};
use algo_trader::history::recording::{Recording, RecordingOptions};
use algo_trader::market::Top;
use algo_trader::net::FrameSource;
use algo_trader::run::backtest::{BacktestOptions, Ran, Source, run_backtest};
use algo_trader::run::{Config, PipelineOptions};
use algo_trader::strategy::{Context, Strategy, StrategySpec};
use algo_trader::venue::binance::Decoder;
use algo_trader::venue::{Decoded, LevelBuffer};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;
use support::backtest::LIMITS;
use support::naive_queue::{Cancels, Filled, Naive};

/// Quotes both sides, at the touch and some ticks behind it, then takes them back, then sweeps levels; anew every 100 ms.
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
        self.next = ctx.now().plus(Duration::from_millis(100));
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
const ANSWER_DELAY: u64 = 5_000_000;

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
    let mut decisions = decisions.iter().peekable();
    // What is on its way: when it arrives, an order or the number of one to take back.
    let mut flying: VecDeque<(u64, Result<Order, u64>)> = VecDeque::new();
    // When answers enter, at which time passes too.
    let mut ticks: BTreeMap<u64, ()> = BTreeMap::new();
    let arrive = |model: &mut Naive, until: u64, flying: &mut VecDeque<(u64, Result<Order, u64>)>| {
        while flying.front().is_some_and(|(at, _)| *at <= until) {
            match flying.pop_front().expect("there").1 {
                Ok(order) => model.arrive(&order),
                Err(id) => model.cancel(id),
            }
        }
    };
    let mut decide = |model: &mut Naive,
                      now: u64,
                      flying: &mut VecDeque<(u64, Result<Order, u64>)>,
                      ticks: &mut BTreeMap<u64, ()>| {
        if std::mem::take(&mut model.answers) > 0 {
            ticks.insert(now + ANSWER_DELAY, ());
        }
        while let Some((time, record)) = decisions.peek()
            && time.0 <= now
        {
            match record.kind {
                RecordKind::Order => flying.push_back((time.0 + ORDER_LATENCY, Ok(record.order))),
                RecordKind::Cancel => flying.push_back((time.0 + ORDER_LATENCY, Err(record.order.id.0))),
                RecordKind::Denied => {}
                other => panic!("{other:?}"),
            }
            // The denial, or the arrival in a market that may be silent until then.
            ticks.insert(time.0 + ANSWER_DELAY, ());
            decisions.next();
        }
    };
    let mut now = 0;
    while let Some(frame) = recording.next_frame().expect("good") {
        now = frame.received.0.max(now);
        while let Some((&tick, ())) = ticks.first_key_value()
            && tick <= now
        {
            ticks.remove(&tick);
            arrive(&mut model, tick, &mut flying);
            decide(&mut model, tick, &mut flying, &mut ticks);
        }
        let before = now - 1;
        match decoder.decode(&source, frame.bytes, &mut buffer).expect("good") {
            Decoded::Trade(t) => {
                arrive(&mut model, before, &mut flying);
                model.trade(t.aggressor, t.price.0, t.qty.0);
            }
            Decoded::DepthSnapshot(head) => {
                model.snapshot(&head, &buffer.levels);
                arrive(&mut model, before, &mut flying);
                model.moved();
            }
            Decoded::DepthDiff(head) => {
                model.diff(&head, &buffer.levels);
                arrive(&mut model, before, &mut flying);
                model.moved();
            }
            _ => {}
        }
        arrive(&mut model, now, &mut flying);
        decide(&mut model, now, &mut flying, &mut ticks);
    }
    // The run settles what is under way.
    for _ in 0..8 {
        now += ORDER_LATENCY + 2 * ANSWER_DELAY;
        arrive(&mut model, now, &mut flying);
        decide(&mut model, now, &mut flying, &mut ticks);
    }
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
    assert!(makers > 500 && fills.len() - makers > 500, "{makers} of {}", fills.len());
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
fn a_hopeful_queue_fills_more_than_a_careful_one() {
    let Some(folder) = recordings::folder("binance-20240808") else { return };
    let made = |queue: &str| {
        let ran = run(&config(queue), &mut open(&folder));
        ran.outcome.fills.iter().filter(|f| f.maker && f.side == Side::Buy).map(|f| f.qty.0).sum::<i64>()
    };
    let (careful, linear) = (made("risk-averse"), made("power:1"));
    assert!(linear > careful, "{linear} is not more than {careful}");
}
