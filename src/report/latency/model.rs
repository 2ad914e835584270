//! What a latency report is made of: plain data, filled by whoever measured.

use crate::monitor::host::HostFacts;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A whole measurement.
#[derive(Debug, Clone)]
pub struct LatencyReport {
    /// What was run.
    pub run: RunFacts,
    /// Where it was run.
    pub host: HostFacts,
    /// Which thread did what, on which core.
    pub topology: Vec<TopologyRow>,
    /// Latencies, in the order of the pipeline.
    pub stages: Vec<StageLatency>,
    /// Latency by stretches of one run; drawn where [`LatencyReport::rates`] is empty.
    pub intervals: Vec<IntervalSample>,
    /// Latency by offered rate, one point a run.
    pub rates: Vec<RatePoint>,
    /// What a run costs by how many instruments it holds, one point a run.
    pub instruments: Vec<InstrumentPoint>,
    /// How it was measured: the cost of a stamp, the treatment of coordinated omission.
    pub notes: Vec<String>,
    /// What else was counted: (name, value), shown first.
    pub counts: Vec<(String, String)>,
}

/// What was run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunFacts {
    /// Heading of the page.
    pub title: String,
    /// The command, as one would type it.
    pub command: String,
    /// When it was started, RFC 3339.
    pub started: String,
    /// Version of the program.
    pub version: String,
}

/// One thread of the pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TopologyRow {
    /// Its name.
    pub thread: String,
    /// The stages it runs, in order.
    pub stages: Vec<String>,
    /// The core it is pinned to.
    pub core: Option<usize>,
    /// How it waits: `spin`, `yield` or `backoff`.
    pub wait: String,
}

/// Latencies of one stage.
#[derive(Debug, Clone)]
pub struct StageLatency {
    /// Its name; names a file too.
    pub name: String,
    /// From when to when it was measured.
    pub doc: String,
    /// Latencies, ns.
    pub histogram: Histogram<u64>,
}

/// Latency in one stretch of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct IntervalSample {
    /// Events offered, per second.
    pub offered_per_s: f64,
    /// Median, ns.
    pub p50_ns: u64,
    /// 99th percentile, ns.
    pub p99_ns: u64,
    /// Events measured.
    pub count: u64,
}

/// Latency at one offered rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatePoint {
    /// Frames of the run.
    pub frames: u64,
    /// Events offered, per second.
    pub offered_per_s: f64,
    /// Events that got through, per second.
    pub achieved_per_s: f64,
    /// Median, ns.
    pub p50_ns: u64,
    /// 99th percentile, ns.
    pub p99_ns: u64,
    /// 99.9th percentile, ns.
    pub p999_ns: u64,
    /// Largest, ns.
    pub max_ns: u64,
}

impl RatePoint {
    /// Whether nearly everything offered (98 %) got through: below that, latency is the length of a growing queue.
    #[must_use]
    pub fn kept_up(&self) -> bool {
        self.achieved_per_s >= 0.98 * self.offered_per_s
    }
}

/// One run with so many instruments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InstrumentPoint {
    /// Instruments, each with its book.
    pub instruments: u64,
    /// Strategies that traded on them.
    pub strategies: u64,
    /// Frames handled.
    pub frames: u64,
    /// Frames a second of the whole process, the making of the market included.
    pub frames_per_s: f64,
    /// Frames a second that decoding and the stages alone would manage on one thread: one over the mean of their
    /// latency; none where they ran on several.
    pub stages_frames_per_s: Option<f64>,
    /// The most memory that the run's process held, bytes.
    pub peak_memory_bytes: u64,
    /// The most memory that a process held which only made the same market, bytes.
    pub market_memory_bytes: u64,
    /// Memory of the market stage's books, bytes.
    pub book_bytes: u64,
    /// Latencies, in the order of the pipeline; the whole way is `total`.
    pub stages: Vec<StagePoint>,
}

/// Latency of one stage in one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagePoint {
    /// Its name.
    pub name: String,
    /// Median, ns.
    pub p50_ns: u64,
    /// 99th percentile, ns.
    pub p99_ns: u64,
}

impl InstrumentPoint {
    /// Memory of the run without that of the generated market, bytes.
    #[must_use]
    pub fn own_memory_bytes(&self) -> u64 {
        self.peak_memory_bytes.saturating_sub(self.market_memory_bytes)
    }
}
