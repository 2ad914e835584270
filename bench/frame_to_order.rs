//! From a frame's bytes to an order's bytes, one thread, beside the usual way: `cargo bench --bench frame_to_order`.
//!
//! Ours is the real pipeline with everything in the feed's thread: decoder, ring, books, strategy, order manager, risk,
//! order states, order-stream hash, encoder. Its strategy answers every event with an immediate-or-cancel order 1 %
//! below an average of the middle price, which the simulated venue lets expire. The peer is what one writes first:
//! simd-json into serde structs, ordered maps, the same average, the same encoder; it is told each frame's kind, checks
//! no risk, keeps no order. Frames lie in memory for both, and rounds are interleaved.
//!
//! `frame → order` is what one frame takes until its order's bytes are there. Ours then also books the two answers of
//! every order (accepted, expired), which the peer never does: `with answers` counts that too. COIN-M is data only: its
//! frames are decoded and kept by both, and neither sends an order.
//!
//! `--json` prints one object; `--rounds N`; `--count N --only ours|peer` repeats one way, for callgrind and perf.

#[path = "frame_to_order/market.rs"]
mod market;
#[path = "frame_to_order/peer.rs"]
mod peer;
#[allow(dead_code, reason = "one of the decoder's peers is ours too")]
#[path = "decode/peers.rs"]
mod peers;
#[path = "frame_to_order/strategy.rs"]
mod strategy;
#[path = "support.rs"]
mod support;

use algo_trader::net::FrameSource;
use algo_trader::pipeline::{StageHistogram, StampClock, Threading};
use algo_trader::run::feed::Feed;
use algo_trader::run::{Config, Pipeline, PipelineOptions, Summary};
use algo_trader::venue::binance::encode::OrderBytes;
use market::{KINDS, Loaded, kind_of};
use std::hint::black_box;
use std::time::Duration;
use support::Rounds;

/// The ratio to reach.
const TARGET: f64 = 0.40;

/// No limit binds.
const UNBOUND: &str = include_str!("unbound.toml");
const EVERY_EVENT: &str = r#"
[instruments]
files = ["instruments/binance-spot.toml", "instruments/binance-usdm.toml", "instruments/binance-coinm.toml"]
[[strategy]]
name = "every-event"
instruments = ["binance:spot:BTCUSDT", "binance:spot:ETHUSDT", "binance:usdm:BTCUSDT", "binance:usdm:ETHUSDT"]
"#;

/// What one pass over all frames took.
struct Pass {
    /// Frame to order bytes, ns, all frames.
    frames_ns: u64,
    /// Everything, answers among it.
    all_ns: u64,
    orders: u64,
    refused: u64,
    by_kind: Vec<StageHistogram>,
}

impl Pass {
    fn new() -> Self {
        let by_kind = KINDS.iter().map(|kind| StageHistogram::new(kind, "frame to order bytes")).collect();
        Self { frames_ns: 0, all_ns: 0, orders: 0, refused: 0, by_kind }
    }

    fn frame(&mut self, kind: usize, ns: u64) {
        self.frames_ns += ns;
        self.by_kind[kind].record(ns);
    }

    fn p50(&self, kind: usize) -> f64 {
        self.by_kind[kind].histogram.value_at_quantile(0.5) as f64
    }
}

fn ours(config: &Config, frames: &mut Loaded) -> Pass {
    let options = PipelineOptions {
        threading: Some(Threading::Inline),
        strategies: strategy::SPECS,
        ..PipelineOptions::default()
    };
    let mut pipeline =
        Pipeline::build(config, options).unwrap_or_else(|error| panic!("no pipeline: {error}"));
    let clock = pipeline.clock.clone();
    let mut feed = Feed::new(&config.instruments, clock.clone());
    feed.sampler = pipeline.sampler;
    let sources = frames.sources().to_vec();
    let mut pass = Pass::new();
    frames.rewind();
    while let Some(frame) = frames.next_frame().expect("frames in memory") {
        let kind = kind_of(frame.bytes);
        let begun = clock.raw();
        // What frame() would do first: answers that are due by now enter. Apart, so that it can be told apart.
        pipeline.sequencer.advance(frame.received).expect("no stage fails");
        let read = clock.raw();
        let source = &sources[usize::from(frame.source.0)];
        feed.frame(source, &frame, read, &mut pipeline.sequencer).expect("no stage fails");
        let done = clock.raw();
        pass.all_ns += clock.nanos(begun, done);
        pass.frame(kind, clock.nanos(read, done));
    }
    pipeline.sequencer.settle(0).expect("no stage fails");
    let summary = Summary::collect(config, pipeline, Some(feed), 0, Duration::from_secs(1), None);
    assert_eq!(summary.stopped, None);
    assert_eq!(summary.feed.map(|f| f.decode_errors), Some(0));
    assert_eq!(summary.execution.denials, 0, "{:?}", summary.denials);
    pass.orders = summary.execution.orders;
    pass.refused = summary.refused.total();
    pass
}

fn peer(config: &Config, frames: &mut Loaded, clock: &StampClock) -> Pass {
    let mut trader = peer::Trader::new(&config.instruments);
    let mut bytes = OrderBytes::new();
    let sources = frames.sources().to_vec();
    let mut pass = Pass::new();
    frames.rewind();
    while let Some(frame) = frames.next_frame().expect("frames in memory") {
        let kind = kind_of(frame.bytes);
        let source = &sources[usize::from(frame.source.0)];
        let read = clock.raw();
        pass.orders += u64::from(trader.frame(kind, source, &frame, &mut bytes));
        black_box(bytes.as_bytes());
        let done = clock.raw();
        pass.frame(kind, clock.nanos(read, done));
    }
    pass.all_ns = pass.frames_ns;
    pass
}

/// One way's rounds.
#[derive(Default)]
struct Way {
    frames_ns: Rounds,
    all_ns: Rounds,
    p50: [Rounds; KINDS.len()],
    orders: u64,
    refused: u64,
}

impl Way {
    fn push(&mut self, pass: &Pass, frames: f64) {
        self.frames_ns.push(pass.frames_ns as f64 / frames);
        self.all_ns.push(pass.all_ns as f64 / frames);
        for (kind, p50) in self.p50.iter_mut().enumerate() {
            p50.push(pass.p50(kind));
        }
        (self.orders, self.refused) = (pass.orders, pass.refused);
    }

    fn json(&self) -> serde_json::Value {
        let both = |r: &Rounds| serde_json::json!({"median": r.median(), "min": r.min()});
        let kinds: serde_json::Map<_, _> =
            KINDS.iter().zip(&self.p50).map(|(kind, p50)| ((*kind).to_owned(), both(p50))).collect();
        serde_json::json!({"ns_a_frame": both(&self.frames_ns), "ns_a_frame_with_answers": both(&self.all_ns),
            "p50_ns_by_kind": kinds, "orders": self.orders, "refused": self.refused})
    }
}

fn main() {
    let rounds = support::number("--rounds", 5).max(1);
    // Asked before anything is pinned: afterwards there is one core.
    let host = support::host();
    let config = Config::from_text_with_built_in(&format!("{UNBOUND}{EVERY_EVENT}"), "frame_to_order")
        .unwrap_or_else(|error| panic!("the benchmark's configuration: {error}"));
    let mut frames = market::recorded().unwrap_or_else(market::generated);
    let clock = StampClock::new();
    let count = support::number("--count", 0);
    if count > 0 {
        let only = support::argument("--only").unwrap_or_else(|| "ours".into());
        for _ in 0..count {
            match only.as_str() {
                "ours" => drop(ours(&config, &mut frames)),
                "peer" => drop(peer(&config, &mut frames, &clock)),
                _ => panic!("--only takes ours or peer"),
            }
        }
        return;
    }
    // Untimed: it also pins this thread, so that both ways run on the same core.
    ours(&config, &mut frames);
    let mut ways = [Way::default(), Way::default()];
    for round in 0..rounds {
        for turn in 0..2 {
            let way = (turn + round) % 2;
            let pass = if way == 0 { ours(&config, &mut frames) } else { peer(&config, &mut frames, &clock) };
            ways[way].push(&pass, frames.len() as f64);
        }
    }
    let [ours, peer] = &ways;
    let ratio = ours.frames_ns.median() / peer.frames_ns.median();
    let with_answers = ours.all_ns.median() / peer.all_ns.median();
    if support::wants_json() {
        println!(
            "{}",
            serde_json::json!({"what": frames.what, "host": host, "rounds": rounds, "target": TARGET,
                "frames": frames.len(), "ours": ours.json(), "peer": peer.json(), "ratio": ratio,
                "ratio_with_answers": with_answers})
        );
        return;
    }
    println!("{}: {} frames; {rounds} interleaved rounds; medians (min)", frames.what, frames.len());
    println!("host: {host}");
    println!("orders: ours {} ({} refused), peer {}\n", ours.orders, ours.refused, peer.orders);
    println!("{:<26}{:>16}{:>16}{:>8}", "ns", "ours", "peer", "ratio");
    let line = |name: &str, ours: &Rounds, peer: &Rounds| {
        let cell = |r: &Rounds| format!("{:.0} ({:.0})", r.median(), r.min());
        println!("{name:<26}{:>16}{:>16}{:>8.3}", cell(ours), cell(peer), ours.median() / peer.median());
    };
    line("frame → order, mean", &ours.frames_ns, &peer.frames_ns);
    line("with answers, mean", &ours.all_ns, &peer.all_ns);
    for (kind, name) in KINDS.iter().enumerate() {
        line(&format!("{name}, p50"), &ours.p50[kind], &peer.p50[kind]);
    }
    println!("\nframe → order ratio {ratio:.3}: target {TARGET} {}", support::verdict(ratio, TARGET));
    println!("with answers {with_answers:.3}: {}", support::verdict(with_answers, TARGET));
}
