//! Ours: the live feed as `algo-trader run` has it, inline, spinning, beside a stage that notes when orders are done.

use super::strategy;
use algo_trader::domain::Slot;
use algo_trader::domain::event::Kind;
use algo_trader::market::book::BookKeeper;
use algo_trader::pipeline::{Stage, StageHistogram, StampClock, Threading, Wait};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::pipeline::TradingStage;
use algo_trader::run::{Config, LiveOptions, PipelineOptions, Summary, run_live};
use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a pass gave.
pub struct Ours {
    /// The same, of the first frame of each read.
    pub first: StageHistogram,
    /// Socket readable to order handed over.
    pub latency: StageHistogram,
    /// Frames a second, from the first to the last.
    pub per_second: f64,
    /// Frames that each read brought.
    pub reads: Vec<u32>,
    pub summary: Summary,
}

#[derive(Default)]
struct Marks {
    first: AtomicU64,
    last: AtomicU64,
}

/// The gateway, and a look at the clock after each event of the market.
struct Watched {
    inner: TradingStage,
    clock: StampClock,
    latency: Arc<Mutex<([StageHistogram; 2], Vec<u32>)>>,
    marks: Arc<Marks>,
    read: Option<u64>,
    last_read: u64,
}

/// Stamps of one read differ by less, raw: a slot keeps them in steps of 16.
const SAME_READ: u64 = 64;

impl Stage<BookKeeper> for Watched {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn wants_levels(&self) -> bool {
        self.inner.wants_levels()
    }
    fn room(&self) -> u64 {
        self.inner.room()
    }
    fn on_event_end(&mut self) -> bool {
        self.inner.on_event_end()
    }
    fn on_finish(&mut self) {
        self.inner.on_finish();
    }
    fn on_slot(&mut self, seq: u64, slot: &Slot, books: &BookKeeper) {
        if slot.is_first() {
            let market = matches!(slot.kind(), Kind::Trade | Kind::Quote | Kind::DepthDiff);
            self.read = market.then(|| slot.published().saturating_sub(slot.read_to_publish()));
        }
        self.inner.on_slot(seq, slot, books);
        if slot.is_last()
            && let Some(read) = self.read.take()
        {
            let done = self.clock.raw();
            if self.marks.first.load(Relaxed) == 0 {
                self.marks.first.store(read, Relaxed);
            }
            self.marks.last.store(done, Relaxed);
            let mut kept = self.latency.lock().expect("nobody panics");
            let (latency, reads) = &mut *kept;
            latency[0].record(self.clock.nanos(read, done));
            match reads.last_mut() {
                Some(frames) if read.abs_diff(self.last_read) <= SAME_READ => *frames += 1,
                _ => {
                    latency[1].record(self.clock.nanos(read, done));
                    reads.push(1);
                }
            }
            self.last_read = read;
        }
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self.inner.into_any()
    }
}

/// Follows the configuration's venue until `expected` frames came, or none for a while.
pub fn run(config: &Config, expected: u64, clock: &StampClock) -> Ours {
    let empty = StageHistogram::new("ours", "socket readable to order handed over");
    let latency = Arc::new(Mutex::new(([empty.clone(), empty], Vec::with_capacity(1 << 16))));
    let marks = Arc::new(Marks::default());
    let (kept, stamps, watch) = (Arc::clone(&latency), Arc::clone(&marks), clock.clone());
    let wrap = move |inner: TradingStage| -> TradingStage {
        if inner.name() != "gateway" {
            return inner;
        }
        let (latency, marks) = (Arc::clone(&kept), Arc::clone(&stamps));
        Box::new(Watched { inner, clock: watch.clone(), latency, marks, read: None, last_read: 0 })
    };
    let interrupt = Interrupt::default();
    let end = interrupt.clone();
    let (mut seen, mut since) = (0, Instant::now());
    let options = LiveOptions {
        interrupt,
        progress: Some(Box::new(move |status| {
            if status.frames != seen {
                (seen, since) = (status.frames, Instant::now());
            }
            if status.frames >= expected || since.elapsed() > Duration::from_secs(5) {
                end.raise();
            }
        })),
        pipeline: PipelineOptions {
            threading: Some(Threading::Inline),
            wait: Some(Wait::Spin),
            strategies: strategy::SPECS,
            wrap: Some(Box::new(wrap)),
            ..PipelineOptions::default()
        },
        ..LiveOptions::default()
    };
    let summary = run_live(config, options).unwrap_or_else(|error| panic!("{error}"));
    let frames = summary.feed.map_or(0, |f| f.frames);
    let seconds = clock.nanos(marks.first.load(Relaxed), marks.last.load(Relaxed)) as f64 / 1e9;
    let ([latency, first], reads) = latency.lock().expect("nobody panics").clone();
    Ours { first, latency, per_second: frames as f64 / seconds, reads, summary }
}
