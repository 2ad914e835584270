//! The clock that a live run goes by.
//!
//! Owns: that it never goes back.

use crate::domain::Time;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock; where the host's is put back, it goes on as if it had not been. Deadlines hang on it: of connections, of
/// answers, of orders. What is signed goes by the venue's clock, measured against this one.
pub(in crate::run) fn wall_clock() -> Time {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    static AHEAD: AtomicU64 = AtomicU64::new(0);
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let begun = BEGUN.get_or_init(Instant::now);
    // In this order: a thread that has to wait in between reads a host that is late, never one that is ahead.
    let host = nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    let elapsed = nanos(begun.elapsed());
    goes_on(&AHEAD, elapsed, host)
}

/// The host's time, or what it would be, had it never been put back: the most that it was ever ahead of what has elapsed by a
/// clock that only goes forward, and that.
fn goes_on(ahead: &AtomicU64, elapsed: u64, host: u64) -> Time {
    let now = host.saturating_sub(elapsed);
    let most = ahead.fetch_max(now, Ordering::Relaxed);
    // Once a run; less is a thread that had to wait between two readings.
    if most > now.saturating_add(SET_BACK_NS) && !SET_BACK.swap(true, Ordering::Relaxed) {
        log::warn!(
            "the host's clock was put back by {:.1} s: this run's goes on without that until it ends",
            (most - now) as f64 / 1e9
        );
    }
    Time(most.max(now).saturating_add(elapsed))
}

/// What is told of a clock that is put back.
const SET_BACK_NS: u64 = 500_000_000;
static SET_BACK: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_where_the_hosts_is_put_back_and_follows_it_where_it_is_put_forward() {
        const S: u64 = 1_000_000_000;
        let ahead = AtomicU64::new(0);
        let at = |elapsed_s: u64, host_s: u64| goes_on(&ahead, elapsed_s * S, host_s * S).0 / S;
        assert_eq!((at(10, 1_010), at(20, 1_020)), (1_010, 1_020));
        // Back by 300 s; forward again by as much; and further.
        assert_eq!((at(30, 730), at(31, 731)), (1_030, 1_031));
        assert_eq!((at(40, 1_040), at(50, 5_050), at(60, 5_060)), (1_040, 5_050, 5_060));
        let first = wall_clock();
        assert!(wall_clock() >= first);
    }
}
