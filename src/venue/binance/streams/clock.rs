//! This host's clock against the venue's, by the times of its trades: none can come before it was made.

use crate::domain::Time;

/// The least age of what came is kept of so long, and of as long before.
const WINDOW_NS: u64 = 30_000_000_000;

/// How much older than their own time trades are when they come, at least: what they take on their way and what this host's
/// clock is ahead by, less what it is behind by.
#[derive(Debug, Clone, Copy)]
pub struct LeastAge {
    /// Of this window and of the one before, ns.
    least: [i64; 2],
    ends: Time,
}

impl Default for LeastAge {
    fn default() -> Self {
        Self { least: [i64::MAX; 2], ends: Time(0) }
    }
}

impl LeastAge {
    /// A trade of this time came at `now`.
    #[inline]
    pub fn take(&mut self, venue_time: Time, now: Time) {
        if now >= self.ends {
            self.least = [i64::MAX, self.least[0]];
            self.ends = now.plus_nanos(WINDOW_NS);
        }
        let age = i64::try_from(now.since(venue_time)).unwrap_or(i64::MAX);
        let ahead = i64::try_from(venue_time.since(now)).unwrap_or(i64::MAX);
        self.least[0] = self.least[0].min(if ahead > 0 { -ahead } else { age });
    }

    /// By how much the host's clock is behind the venue's, at least, ns.
    pub fn behind_ns(&self) -> u64 {
        // One trade that is dated wrongly is no clock: what is old enough disproves it.
        let [this, before] = self.least;
        let least = if before == i64::MAX { this } else { this.max(before) };
        least.min(0).unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_clock_that_is_behind_is_known_by_trades_from_the_future_and_forgotten_once_it_is_set() {
        let mut age = LeastAge::default();
        let mut behind = Vec::new();
        for second in 0..150u64 {
            let venue = Time((1_000 + second) * S);
            // Two minutes behind, and put right after a minute; trades take 50 ms.
            let now = if second < 60 { venue.0 - 120 * S } else { venue.0 } + S / 20;
            age.take(venue, Time(now));
            behind.push(age.behind_ns());
        }
        assert!(behind[..60].iter().all(|ns| *ns == 120 * S - S / 20), "{behind:?}");
        assert!(behind[120..].iter().all(|ns| *ns == 0), "{behind:?}");
    }
}
