//! Pauses between attempts: they double up to a limit, and half of each is left to chance, so that a thousand clients
//! that lost one server do not come back in the same moment.
//!
//! Has no clock and no source of chance of its own: the caller waits, and gives the seed.

use std::time::Duration;

/// See the module.
#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    attempts: u32,
    random: u64,
}

impl Backoff {
    /// Pauses from `min` to `max`; the same seed gives the same pauses.
    #[must_use]
    pub const fn new(min: Duration, max: Duration, seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Self { min, max, attempts: 0, random: seed | 1 }
    }

    /// The next pause: between half of `min` × 2^attempts and all of it, never over `max`.
    pub fn next_pause(&mut self) -> Duration {
        let factor = 1u32 << self.attempts.min(20);
        self.attempts = self.attempts.saturating_add(1);
        let whole = self.min.saturating_mul(factor).min(self.max);
        whole / 2 + (whole / 2).mul_f64(self.chance())
    }

    /// Attempts since the last success.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// It worked: the next pause is short again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// From 0 to 1.
    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_half_of_each_is_chance() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(5));
        for seed in [0, 1, 42, u64::MAX] {
            let mut backoff = Backoff::new(min, max, seed);
            for attempt in 0..100 {
                let whole = min.saturating_mul(1 << attempt.min(10)).min(max);
                let pause = backoff.next_pause();
                assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
            }
            backoff.reset();
            assert!(backoff.next_pause() <= min);
        }
    }

    #[test]
    fn two_seeds_do_not_come_back_together() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), seed);
            (0..8).map(|_| backoff.next_pause()).collect::<Vec<_>>()
        };
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(9));
    }
}
