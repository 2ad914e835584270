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

#[cfg(test)]
mod tests {
    use super::*;

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
