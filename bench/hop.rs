//! The hop from thread to thread, beside a bare disruptor poller: `cargo bench --bench hop`.
//!
//! Ours is the pipeline's own: `Sequencer::publish` on one core, a `Group` that spins on another, from the slot's stamp
//! to the first stage's entry. The peer writes the same 64-byte slot with the same stamps into a bare ring, polls it
//! and stamps on entry, and does nothing else. Both are offered 20,000 events a second, evenly, in interleaved rounds.
//! Needs two cores; a shared machine shows in everything above the median.
//!
//! `--json` prints one object; `--rounds N`; `--millis N` a round; `--rate N` events a second.

#[path = "support.rs"]
mod support;

use algo_trader::domain::event::Trade;
use algo_trader::domain::{InstrumentId, Price, Qty, Side, Slot, Time};
use algo_trader::pipeline::group::GroupResult;
use algo_trader::pipeline::{
    Group, Idle, Progress, Sampler, Stage, StageHistogram, StampClock, Stop, Wait, build_ring,
};
use algo_trader::run::sequencer::{Sequencer, SequencerParts};
use core_affinity::CoreId;
use disruptor::{BusySpin, Polling, Producer, build_single_producer};
use std::any::Any;
use std::hint::{black_box, spin_loop};
use std::thread;
use std::time::Duration;
use support::Rounds;

/// The ratio of medians to reach.
const TARGET: f64 = 1.2;
/// A bare hop takes a tenth of this; a median above it says that other programs had the cores.
const QUIET_NS: f64 = 2_000.0;
const RING_SLOTS: usize = 4_096;
/// The most slots a poll takes, as the pipeline's.
const BATCH_SLOTS_MAX: u64 = 64;
const PERCENTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// A stage that only looks.
struct Looks {
    sum: u64,
}

impl Stage for Looks {
    fn name(&self) -> &'static str {
        "looks"
    }

    fn on_slot(&mut self, seq: u64, slot: &Slot, _shared: &()) {
        self.sum = black_box(self.sum ^ seq ^ slot.published());
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn slot(n: u64) -> Slot {
    Slot::trade(&Trade {
        instrument: InstrumentId(0),
        price: Price(600_000),
        qty: Qty(5),
        id: n,
        venue_time: Time(n),
        aggressor: Side::Buy,
        aggregate: false,
    })
}

/// How many, how far apart.
#[derive(Clone, Copy)]
struct Offer {
    events: u64,
    gap_ns: u64,
}

impl Offer {
    /// Calls `publish` for each event when it is due; what was missed is offered at once.
    fn run(self, clock: &StampClock, mut publish: impl FnMut(u64)) {
        let begun = clock.raw();
        for n in 0..self.events {
            while clock.nanos(begun, clock.raw()) < n * self.gap_ns {
                spin_loop();
            }
            publish(n);
        }
    }
}

fn pin(core: CoreId) {
    assert!(core_affinity::set_for_current(core), "core {} is not ours to use", core.id);
}

/// Time for the other thread to be pinned and spinning.
const SETTLE: Duration = Duration::from_millis(20);

fn ours(core: CoreId, offer: Offer, clock: &StampClock) -> StageHistogram {
    let mut ring = build_ring(RING_SLOTS, 1);
    let (stop, progress) = (Stop::new(), Progress::default());
    let poller = ring.pollers.remove(0);
    let stages: Vec<Box<dyn Stage>> = vec![Box::new(Looks { sum: 0 })];
    let group =
        Group::new(poller, stages, (), clock.clone(), Sampler::every(), stop.clone(), Some(progress.clone()));
    let consumer = thread::spawn(move || -> GroupResult {
        pin(core);
        group.run(Idle::new(Wait::Spin))
    });
    let mut sequencer = Sequencer::new(SequencerParts {
        producer: ring.producer,
        ring_slots: RING_SLOTS,
        local: None,
        progress,
        answers: Vec::new(),
        // Never waited for: a producer that waits for a late consumer would hide how late it was.
        floor_ns: 60_000_000_000,
        clock: clock.clone(),
        idle: Idle::new(Wait::Spin),
        stop,
        live: false,
        simulated: false,
    });
    thread::sleep(SETTLE);
    offer.run(clock, |n| {
        sequencer.advance(Time(1 + n * offer.gap_ns)).expect("nothing stops");
        sequencer.publish(slot(n), clock.raw()).expect("nothing stops");
    });
    let _ = sequencer.finish();
    let result = consumer.join().expect("the group ends");
    result.latencies.into_iter().next().expect("the hop comes first")
}

fn bare(core: CoreId, offer: Offer, clock: &StampClock) -> StageHistogram {
    let (mut poller, builder) = build_single_producer(RING_SLOTS, Slot::default, BusySpin).new_event_poller();
    let mut producer = builder.build();
    let consumer_clock = clock.clone();
    let consumer = thread::spawn(move || {
        pin(core);
        let mut hop = StageHistogram::new("bare", "slot published to entry");
        let mut sum = 0;
        loop {
            match poller.take(BATCH_SLOTS_MAX) {
                Ok(mut guard) => {
                    for slot in &mut guard {
                        let entered = consumer_clock.raw();
                        hop.record(consumer_clock.nanos(slot.published(), entered));
                        sum = black_box(sum ^ slot.published());
                    }
                }
                Err(Polling::NoEvents) => spin_loop(),
                Err(Polling::Shutdown) => return hop,
            }
        }
    });
    thread::sleep(SETTLE);
    offer.run(clock, |n| {
        let mut slot = slot(n);
        slot.stamp(Time(n * offer.gap_ns), clock.raw(), 0);
        producer.publish(|place| *place = slot);
    });
    drop(producer);
    consumer.join().expect("the poller ends")
}

fn main() {
    let rounds = support::number("--rounds", 21).max(1);
    let millis = support::number("--millis", 100).max(1) as u64;
    let rate = support::number("--rate", 20_000).max(1) as u64;
    let offer = Offer { events: (rate * millis / 1_000).max(1), gap_ns: 1_000_000_000 / rate };
    let host = support::host();
    // Asked before anything is pinned: afterwards the answer is the pinned thread's own mask.
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let [first, second, ..] = cores[..] else {
        println!("SKIPPED: a hop between two spinning threads needs two cores");
        return;
    };
    pin(first);
    let clock = StampClock::new();
    let mut ways: [[Rounds; PERCENTILES.len()]; 2] = Default::default();
    for round in 0..=rounds {
        for turn in 0..2 {
            let way = (turn + round) % 2;
            let hop = if way == 0 { ours(second, offer, &clock) } else { bare(second, offer, &clock) };
            assert_eq!(hop.histogram.len(), offer.events, "every event has to arrive");
            // The first round warms up.
            for (at, rounds) in PERCENTILES.iter().zip(&mut ways[way]).filter(|_| round > 0) {
                rounds.push(hop.histogram.value_at_quantile(*at) as f64);
            }
        }
    }
    let [ours, bare] = &ways;
    let ratio = ours[0].median() / bare[0].median();
    let quiet = bare[0].median() <= QUIET_NS;
    if support::wants_json() {
        let way = |way: &[Rounds; 3]| {
            let both = |r: &Rounds| serde_json::json!({"median": r.median(), "min": r.min()});
            serde_json::json!({"p50": both(&way[0]), "p90": both(&way[1]), "p99": both(&way[2])})
        };
        println!(
            "{}",
            serde_json::json!({"host": host, "rounds": rounds, "rate": rate, "events": offer.events,
                "target": TARGET, "ours_ns": way(ours), "bare_ns": way(bare), "ratio": ratio, "quiet": quiet,
                "ratio_of_minima": ours[0].min() / bare[0].min()})
        );
        return;
    }
    println!(
        "{rate} events/s, {} events a round; {rounds} interleaved rounds; median ns (min)\nhost: {host}, on cores {} and {}\n",
        offer.events, first.id, second.id
    );
    println!("{:<6}{:>16}{:>16}{:>8}", "", "group", "bare poller", "ratio");
    for (row, name) in ["p50", "p90", "p99"].iter().enumerate() {
        let cell = |r: &Rounds| format!("{:.0} ({:.0})", r.median(), r.min());
        let (a, b) = (&ours[row], &bare[row]);
        println!("{name:<6}{:>16}{:>16}{:>8.2}", cell(a), cell(b), a.median() / b.median());
    }
    let verdict = if quiet { support::verdict(ratio, TARGET) } else { "not judged: other programs run here" };
    println!("\np50 ratio {ratio:.2}: target {TARGET} {verdict}");
}
