//! Time as the sequencer gives it: nanoseconds since the Unix epoch, UTC.

use std::fmt;
use std::time::Duration;

/// A moment, nanoseconds since 1970-01-01T00:00:00Z; good until the year 2554.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// The moment `nanos` later; saturating.
    #[inline]
    #[must_use]
    pub const fn plus_nanos(self, nanos: u64) -> Time {
        Time(self.0.saturating_add(nanos))
    }

    /// The moment `duration` earlier; saturating.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The moment `duration` later; saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Time {
        self.plus_nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Nanoseconds from `earlier` until this moment; zero if `earlier` is later.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// From venue milliseconds; saturating.
    #[inline]
    #[must_use]
    pub const fn from_millis(millis: u64) -> Time {
        Time(millis.saturating_mul(1_000_000))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(stamp) => write!(f, "{stamp:.6}"),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}
