//! The stamp clock: raw time-stamp-counter readings, for measuring only.
//!
//! No decision is ever taken from it; decisions take the sequencer's time from the slot.

use std::sync::OnceLock;

/// Reads raw stamps and turns differences of them into nanoseconds.
#[derive(Debug, Clone)]
pub struct StampClock {
    clock: quanta::Clock,
}

impl Default for StampClock {
    fn default() -> Self {
        Self::new()
    }
}

impl StampClock {
    /// Calibrates against the monotonic clock; takes some milliseconds the first time in a process.
    #[must_use]
    pub fn new() -> Self {
        Self { clock: quanta::Clock::new() }
    }

    /// A raw stamp.
    #[inline]
    #[must_use]
    pub fn raw(&self) -> u64 {
        self.clock.raw()
    }

    /// Nanoseconds between two raw stamps; zero if `end` is before `start`.
    #[inline]
    #[must_use]
    pub fn nanos(&self, start: u64, end: u64) -> u64 {
        self.clock.delta_as_nanos(start, end)
    }

    /// What one stamp costs on this host, nanoseconds: the mean over many, taken the first time that a process asks. It takes
    /// half a millisecond, and a sweep asks after each of its runs.
    #[must_use]
    pub fn cost_ns(&self) -> f64 {
        const STAMPS: u32 = 20_000;
        static COST_NS: OnceLock<f64> = OnceLock::new();
        *COST_NS.get_or_init(|| {
            let begin = self.raw();
            let mut last = begin;
            for _ in 0..STAMPS {
                last = std::hint::black_box(self.raw());
            }
            self.nanos(begin, last) as f64 / f64::from(STAMPS)
        })
    }
}
