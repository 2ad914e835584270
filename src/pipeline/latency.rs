//! Latency histograms, one a stage, kept by the thread that runs the stage.

use hdrhistogram::Histogram;

/// The longest latency told apart from longer ones: one minute, ns.
pub const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// A stage's histogram, nanoseconds, three significant digits.
#[derive(Debug, Clone)]
pub struct StageHistogram {
    /// Which stage, or which stretch of the way.
    pub name: &'static str,
    /// What was measured.
    pub doc: &'static str,
    /// The values, ns.
    pub histogram: Histogram<u64>,
}

impl StageHistogram {
    /// An empty histogram; all its memory is taken now.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram accepts.
    #[must_use]
    pub fn new(name: &'static str, doc: &'static str) -> Self {
        let histogram = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("constant bounds are valid");
        Self { name, doc, histogram }
    }

    /// Adds one value, ns; what is over a minute counts as a minute.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.histogram.saturating_record(latency_ns);
    }
}

/// Latency in one stretch of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Events handled, per second.
    pub events_per_s: f64,
    /// Median, ns.
    pub p50_ns: u64,
    /// 99th percentile, ns.
    pub p99_ns: u64,
    /// Events.
    pub count: u64,
}

/// Cuts a run into stretches, to show how latency follows the rate. All its memory is taken at once.
#[derive(Debug)]
pub struct Intervals {
    current: Histogram<u64>,
    begun_raw: u64,
    done: Vec<Interval>,
}

/// Stretches kept; of a longer run the first ones.
const INTERVALS_MAX: usize = 4_096;
/// Length of a stretch, ns: long enough for a percentile, short enough to tell a burst.
const INTERVAL_NS: u64 = 20_000_000;
/// Events between two looks at the time.
const LOOK_EVERY: u64 = 32;

impl Default for Intervals {
    fn default() -> Self {
        Self::new()
    }
}

impl Intervals {
    /// No stretch yet.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram accepts.
    #[must_use]
    pub fn new() -> Self {
        let current = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 2).expect("constant bounds are valid");
        Self { current, begun_raw: 0, done: Vec::with_capacity(INTERVALS_MAX) }
    }

    /// Adds one event's latency, ns; `now_raw` is the stamp at its end.
    #[inline]
    pub fn record(&mut self, latency_ns: u64, now_raw: u64, clock: &super::StampClock) {
        if self.begun_raw == 0 {
            self.begun_raw = now_raw;
        }
        self.current.saturating_record(latency_ns);
        if self.current.len().is_multiple_of(LOOK_EVERY) {
            let elapsed_ns = clock.nanos(self.begun_raw, now_raw);
            if elapsed_ns >= INTERVAL_NS {
                self.cut(elapsed_ns, now_raw);
            }
        }
    }

    fn cut(&mut self, elapsed_ns: u64, now_raw: u64) {
        if self.done.len() < INTERVALS_MAX {
            self.done.push(Interval {
                events_per_s: self.current.len() as f64 * 1e9 / elapsed_ns as f64,
                p50_ns: self.current.value_at_quantile(0.5),
                p99_ns: self.current.value_at_quantile(0.99),
                count: self.current.len(),
            });
        }
        self.current.reset();
        self.begun_raw = now_raw;
    }

    /// The stretches.
    #[must_use]
    pub fn done(self) -> Vec<Interval> {
        self.done
    }
}
