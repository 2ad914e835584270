//! Latency histograms, one a stage, kept by the thread that runs the stage.
//!
//! While a run goes on a latency is one addition to a plain array ([`Tally`]), laid out as an HDR histogram's counts
//! are; the histogram is made of it at the end, and is the one that recording into it would have given.

use super::tally::Tally;
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

/// Where a stage's latencies are added up while it runs; a [`StageHistogram`] once it is done.
#[derive(Debug)]
pub struct StageTally {
    /// Which stage, or which stretch of the way.
    pub name: &'static str,
    /// What is measured.
    pub doc: &'static str,
    tally: Tally<SUB_BITS>,
}

/// 2^11 values a power of two, or three significant digits, as in [`StageHistogram`].
const SUB_BITS: u32 = 11;

impl StageTally {
    /// Nothing yet; all memory is taken now.
    #[must_use]
    pub fn new(name: &'static str, doc: &'static str) -> Self {
        Self { name, doc, tally: Tally::new(LATENCY_NS_MAX) }
    }

    /// Adds one value, ns; what is over a minute counts as a minute.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.tally.record(latency_ns);
    }

    /// The histogram of what was recorded.
    #[must_use]
    pub fn done(&self) -> StageHistogram {
        let mut done = StageHistogram::new(self.name, self.doc);
        for (value, count) in self.tally.counts() {
            done.histogram.saturating_record_n(value, count);
        }
        done
    }
}

/// Which events are stamped stage by stage.
///
/// A stamp costs some 17 ns and its histogram 7, so six stages on one thread would spend more time on being measured
/// than on most events. The choice hashes the sequence number: it follows no pattern that events could have too, and
/// repeats in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    threshold: u64,
}

impl Sampler {
    /// Takes every event.
    #[must_use]
    pub const fn every() -> Self {
        Self { threshold: u64::MAX }
    }

    /// Takes one event in `n` on average; 0 and 1 take every one.
    #[must_use]
    pub const fn one_in(n: u32) -> Self {
        if n <= 1 { Self::every() } else { Self { threshold: u64::MAX / n as u64 } }
    }

    /// Whether it takes the event of this sequence number.
    #[inline]
    #[must_use]
    pub const fn takes(self, seq: u64) -> bool {
        // Fibonacci hashing: multiplication by 2^64 over the golden ratio.
        seq.wrapping_mul(0x9E37_79B9_7F4A_7C15) <= self.threshold
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
    /// 2^8 values a power of two: two significant digits.
    current: Tally<8>,
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
    #[must_use]
    pub fn new() -> Self {
        let current = Tally::new(LATENCY_NS_MAX);
        Self { current, begun_raw: 0, done: Vec::with_capacity(INTERVALS_MAX) }
    }

    /// Adds one event's latency, ns; `now_raw` is the stamp at its end.
    #[inline]
    pub fn record(&mut self, latency_ns: u64, now_raw: u64, clock: &super::StampClock) {
        if self.begun_raw == 0 {
            self.begun_raw = now_raw;
        }
        self.current.record(latency_ns);
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
        self.current.clear();
        self.begun_raw = now_raw;
    }

    /// The stretches.
    #[must_use]
    pub fn done(self) -> Vec<Interval> {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_up_is_the_histogram_that_recording_gives() {
        let mut tally = StageTally::new("x", "y");
        let mut recorded = StageHistogram::new("x", "y");
        let mut random = 0x9E37_79B9_7F4A_7C15u64;
        let odd = [0, 1, 2, 2_046, 2_047, 2_048, 2_049, 4_095, 4_096, LATENCY_NS_MAX - 1, LATENCY_NS_MAX];
        for n in 0..200_000 {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            let value = odd.get(n).copied().unwrap_or_else(|| (random >> 29) >> (random % 36));
            tally.record(value);
            recorded.record(value);
        }
        let done = tally.done().histogram;
        assert_eq!(done, recorded.histogram);
        assert_eq!((done.len(), done.min(), done.max()), (200_000, 0, recorded.histogram.max()));
        tally.record(u64::MAX);
        assert_eq!(tally.done().histogram.len(), 200_001, "what is too long counts as the longest");
    }

    #[test]
    fn a_sample_has_its_share_of_every_pattern() {
        let sampler = Sampler::one_in(16);
        for (step, offset) in [(1u64, 0u64), (2, 1), (3, 0), (3, 2), (16, 5), (48, 7)] {
            let taken = (0..160_000).filter(|n| sampler.takes(n * step + offset)).count();
            assert!((9_000..=11_000).contains(&taken), "every {step}th from {offset}: {taken}");
        }
        assert!((0..1_000).all(|seq| Sampler::every().takes(seq) && Sampler::one_in(1).takes(seq)));
    }
}
