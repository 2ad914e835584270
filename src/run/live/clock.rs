//! The clocks that a live run goes by.
//!
//! Owns: that none of them goes back, and that one does not jump ahead either.

use crate::domain::Time;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock; where the host's is put back, it goes on as if it had not been. Deadlines hang on it: of connections, of
/// answers, of orders. What is signed goes by the venue's clock, measured against this one.
pub(in crate::run) fn wall_clock() -> Time {
    static AHEAD: AtomicU64 = AtomicU64::new(0);
    // In this order: a thread that has to wait in between reads a host that is late, never one that is ahead.
    let host = host();
    goes_on(&AHEAD, elapsed(), host)
}

/// The wall clock as it was at the first reading, and what has elapsed since: nobody sets it. What is asked of the venue for
/// orders goes by it. A wall clock that is put forward would end the silence that the venue asked for, turn the windows of
/// its limits before their time, and take what is under way for lost, until the venue's clock is measured anew.
pub(in crate::run) fn steady_clock() -> Time {
    static BEGUN: OnceLock<u64> = OnceLock::new();
    counts_on(&BEGUN, elapsed(), host)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn host() -> u64 {
    nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn elapsed() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    nanos(BEGUN.get_or_init(Instant::now).elapsed())
}

/// What has elapsed since the host's clock was read once.
fn counts_on(begun: &OnceLock<u64>, elapsed: u64, host: impl FnOnce() -> u64) -> Time {
    let begun = *begun.get_or_init(|| host().saturating_sub(elapsed));
    Time(begun.saturating_add(elapsed))
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

    #[test]
    fn the_steady_clock_goes_on_whatever_the_hosts_is_set_to() {
        const S: u64 = 1_000_000_000;
        let begun = OnceLock::new();
        let at = |elapsed_s: u64, host_s: u64| counts_on(&begun, elapsed_s * S, || host_s * S).0 / S;
        assert_eq!((at(10, 1_010), at(20, 1_020)), (1_010, 1_020));
        // Forward by 600 s, and back by 300 s.
        assert_eq!((at(30, 1_630), at(40, 740)), (1_030, 1_040));
        let first = steady_clock();
        assert!(steady_clock() >= first && first.since(wall_clock()) < 60 * S);
    }
}
