//! The venue's clock against ours.
//!
//! Each question with a time in its answer bounds the offset: the venue stamped it between our sending and our
//! receiving. The tightest bound of late counts (that of the fastest round trip), and grows as it ages. A bound that
//! contradicts it means that one of the clocks was set, and replaces everything. Invariant: if rates differ by less than
//! [`DRIFT_PPM`], the true offset is within [`VenueClock::error_ms`] of [`VenueClock::offset_ms`].

use crate::domain::Time;
use std::time::Duration;

/// By how much clocks that nobody disciplines drift apart, in millionths.
const DRIFT_PPM: i128 = 50;
/// Venue times have whole milliseconds, cut.
const STAMP: i128 = 1_000_000;

/// What one question told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bound {
    /// Venue less ours, ns: the middle.
    offset: i128,
    /// Half its width, ns.
    error: i128,
    at: Time,
}

impl Bound {
    fn error_at(&self, now: Time) -> i128 {
        self.error + i128::from(now.since(self.at)) * DRIFT_PPM / 1_000_000
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct VenueClock {
    best: Option<Bound>,
    /// A request was refused for its time: what is known serves as a guess until the next look.
    refused: bool,
    error_max: i128,
    age_max: u64,
    last: Time,
}

impl VenueClock {
    /// A clock that is trusted while it may be off by `error_max` at most and was looked at within `age_max`.
    #[must_use]
    pub fn new(error_max: Duration, age_max: Duration) -> Self {
        Self {
            best: None,
            refused: false,
            error_max: i128::try_from(error_max.as_nanos()).unwrap_or(i128::MAX),
            age_max: u64::try_from(age_max.as_nanos()).unwrap_or(u64::MAX),
            last: Time(0),
        }
    }

    /// Takes in that the venue's clock said `server_ms` between `sent` and `received`. Returns whether the offset is
    /// another than could be thought before.
    pub fn measured(&mut self, sent: Time, received: Time, server_ms: u64) -> bool {
        let (from, to) = (i128::from(sent.0), i128::from(received.0.max(sent.0)));
        let server = i128::from(server_ms) * STAMP;
        // server + [0, 1 ms) is a moment between `sent` and `received`.
        let (low, high) = (server - to, server + STAMP - from);
        let fresh = Bound { offset: (low + high) / 2, error: (high - low) / 2 + 1, at: received };
        self.last = received;
        let Some(best) = self.best.filter(|_| !self.refused) else {
            self.best = Some(fresh);
            self.refused = false;
            return true;
        };
        let apart = (fresh.offset - best.offset).abs() > fresh.error + best.error_at(received);
        if apart || fresh.error <= best.error_at(received) {
            self.best = Some(fresh);
        }
        apart
    }

    /// Trusts nothing until the next look: a request was refused for its time.
    pub fn distrust(&mut self) {
        self.refused = true;
    }

    /// Whether requests can be dated.
    #[must_use]
    pub fn trusted(&self, now: Time) -> bool {
        // Time that went back tells nothing of how old the look is.
        !self.refused
            && self.best.is_some_and(|best| best.error_at(now) <= self.error_max)
            && now.since(self.last) <= self.age_max
    }

    /// When it is trusted no more, unless it is looked at before.
    #[must_use]
    pub fn trusted_until(&self) -> Time {
        self.last.plus_nanos(self.age_max)
    }

    /// The venue's time; ours where nothing is known.
    #[must_use]
    pub fn venue_time(&self, now: Time) -> Time {
        let shifted = i128::from(now.0) + self.best.map_or(0, |best| best.offset);
        Time(u64::try_from(shifted.max(0)).unwrap_or(u64::MAX))
    }

    /// Our time at a moment of the venue's.
    #[must_use]
    pub fn local_time(&self, venue: Time) -> Time {
        let shifted = i128::from(venue.0) - self.best.map_or(0, |best| best.offset);
        Time(u64::try_from(shifted.max(0)).unwrap_or(u64::MAX))
    }

    /// Venue less ours, ns; none where nothing is known.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        let offset = self.best.map_or(0, |best| best.offset);
        i64::try_from(offset).unwrap_or(if offset < 0 { i64::MIN } else { i64::MAX })
    }

    /// Venue less ours, ms.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        let offset = self.best.map_or(0, |best| best.offset);
        i64::try_from(offset.div_euclid(STAMP)).unwrap_or(0)
    }

    /// By how much the offset may be off, ms, rounded up.
    #[must_use]
    pub fn error_ms(&self, now: Time) -> u64 {
        let error = self.best.map_or(i128::MAX, |best| best.error_at(now));
        u64::try_from(error.div_euclid(STAMP) + 1).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> VenueClock {
        VenueClock::new(Duration::from_millis(500), Duration::from_secs(200))
    }

    fn ms(ms: u64) -> Time {
        Time::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn the_fastest_round_trip_counts() {
        let mut clock = clock();
        assert!(!clock.trusted(ms(0)));
        // The venue is 2,000 ms ahead; the answer took 300 ms back.
        assert!(clock.measured(ms(0), ms(310), 1_700_000_002_010));
        assert!(clock.trusted(ms(310)) && (clock.error_ms(ms(310)) > 100));
        assert!(!clock.measured(ms(1_000), ms(1_010), 1_700_000_003_005));
        assert!((1_999..=2_001).contains(&clock.offset_ms()), "{}", clock.offset_ms());
        // A slow one afterwards changes nothing.
        assert!(!clock.measured(ms(2_000), ms(2_400), 1_700_000_004_390));
        assert!((1_999..=2_001).contains(&clock.offset_ms()));
        assert!(clock.error_ms(ms(2_400)) <= 8);
    }

    #[test]
    fn a_clock_that_was_set_is_believed_at_once() {
        let mut clock = clock();
        clock.measured(ms(0), ms(2), 1_700_000_000_001);
        assert!(clock.measured(ms(1_000), ms(1_300), 1_700_000_006_150));
        assert!((4_900..=5_100).contains(&clock.offset_ms()));
    }

    #[test]
    fn an_old_look_and_a_vague_one_are_not_trusted() {
        let mut clock = clock();
        clock.measured(ms(0), ms(2_000), 1_700_000_001_000);
        assert!(!clock.trusted(ms(2_000)), "a second either way");
        clock.measured(ms(3_000), ms(3_010), 1_700_000_003_005);
        assert!(clock.trusted(ms(3_010)) && !clock.trusted(ms(300_000)));
        clock.distrust();
        assert!(!clock.trusted(ms(3_010)));
    }

    proptest::proptest! {
        #[test]
        fn the_true_offset_is_within_the_error(
            offset in -100_000_000_000i64..100_000_000_000,
            trips in proptest::collection::vec((0u64..3_000_000_000, 0u64..3_000_000_000, 0u64..10_000_000_000), 1..30)
        ) {
            let mut clock = clock();
            let mut now = 1_700_000_000_000_000_000u64;
            for (there, back, pause) in trips {
                now += pause;
                let sent = Time(now);
                let stamp = (i128::from(now + there) + i128::from(offset)) / STAMP;
                now += there + back;
                clock.measured(sent, Time(now), stamp as u64);
                let wrong = (i128::from(clock.venue_time(Time(now)).0) - i128::from(now) - i128::from(offset)).abs();
                proptest::prop_assert!(wrong <= i128::from(clock.error_ms(Time(now))) * STAMP);
            }
        }
    }
}
