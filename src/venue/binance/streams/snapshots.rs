//! Whose book is fetched next, and whether the venue's weight limits allow it now.

use crate::domain::{InstrumentId, Market, Time};
use crate::net::Backoff;
use std::collections::VecDeque;
use std::time::Duration;

/// Why a book did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchFailure {
    /// The request failed on the way, or with a 5xx status: it may work next time.
    Transient,
    /// 429 or 418: nothing more may be asked until then, seconds from now.
    RateLimited {
        /// `Retry-After`; 60 where the venue does not say.
        retry_after_s: u64,
    },
    /// Another 4xx status: asking again soon will not help.
    Refused(u16),
}

/// See the module.
#[derive(Debug)]
pub struct SnapshotQueue {
    waiting: VecDeque<InstrumentId>,
    in_flight: Option<InstrumentId>,
    /// Weight of one request.
    weight: u64,
    /// Weight used in this minute of the clock, which is how the venue counts.
    used: u64,
    per_minute: u64,
    minute: u64,
    not_before: Time,
    backoff: Backoff,
}

/// The weight of a depth request.
pub const fn weight(market: Market, levels: u32) -> u32 {
    match (market, levels) {
        (Market::Spot, ..=100) => 5,
        (Market::Spot, 101..=500) => 25,
        (Market::Spot, 501..=1_000) => 50,
        (Market::Spot, _) => 250,
        (_, ..=50) => 2,
        (_, 51..=100) => 5,
        (_, 101..=500) => 10,
        (_, _) => 20,
    }
}

/// The path of a depth request, with its query.
pub fn path(market: Market, symbol: &str, levels: u32) -> String {
    let base = match market {
        Market::Spot => "/api/v3",
        Market::UsdM => "/fapi/v1",
        Market::CoinM => "/dapi/v1",
    };
    // Futures take these numbers alone.
    let futures = [5, 10, 20, 50, 100, 500].into_iter().find(|n| *n >= levels).unwrap_or(1_000);
    let levels = if market == Market::Spot { levels } else { futures };
    format!("{base}/depth?symbol={symbol}&limit={levels}")
}

impl SnapshotQueue {
    /// An empty queue that uses at most `per_minute` of weight.
    pub fn new(market: Market, levels: u32, per_minute: u32, seed: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            in_flight: None,
            weight: weight(market, levels).into(),
            used: 0,
            per_minute: per_minute.into(),
            minute: 0,
            not_before: Time(0),
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(30), seed),
        }
    }

    /// This book is wanted.
    pub fn want(&mut self, instrument: InstrumentId) {
        if !self.waiting.contains(&instrument) {
            self.waiting.push_back(instrument);
        }
    }

    /// This book is wanted no more; what is on its way comes to nothing.
    pub fn forget(&mut self, instrument: InstrumentId) {
        self.waiting.retain(|waiting| *waiting != instrument);
    }

    /// The next one to ask for, if one may be asked for now.
    pub fn next(&mut self, now: Time) -> Option<InstrumentId> {
        let minute = now.0 / 60_000_000_000;
        if minute != self.minute {
            (self.minute, self.used) = (minute, 0);
        }
        if self.in_flight.is_some() || now < self.not_before || self.used + self.weight > self.per_minute {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.used += self.weight;
        self.in_flight = Some(next);
        Some(next)
    }

    /// An answer came; `used` is the weight that the venue has counted this minute.
    pub fn answered(&mut self, used: Option<u64>) {
        self.in_flight = None;
        self.backoff.reset();
        if let Some(used) = used {
            // Others may share this address, and clocks differ: the venue's count is the one that matters.
            self.used = self.used.max(used);
        }
    }

    /// None came.
    pub fn failed(&mut self, failure: &FetchFailure, now: Time) {
        self.in_flight = None;
        let pause = match failure {
            FetchFailure::Transient | FetchFailure::Refused(_) => self.backoff.next_pause(),
            FetchFailure::RateLimited { retry_after_s } => {
                Duration::from_secs((*retry_after_s).clamp(1, 86_400))
            }
        };
        self.not_before = now.plus(pause);
    }

    /// Whether something waits or is on its way.
    #[cfg(test)]
    fn busy(&self) -> bool {
        !self.waiting.is_empty() || self.in_flight.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetches_keep_within_the_weight_of_a_minute() {
        let mut queue = SnapshotQueue::new(Market::Spot, 1_000, 4_800, 1);
        for id in 0..300 {
            queue.want(InstrumentId(id));
        }
        let (mut now, mut times) = (Time(1_000_000_000_000), Vec::new());
        while queue.busy() {
            if queue.next(now).is_some() {
                queue.answered(None);
                times.push(now.0);
            }
            now = now.plus_nanos(10_000_000);
        }
        assert_eq!(times.len(), 300);
        let minutes: Vec<u64> = times.iter().map(|t| t / 60_000_000_000).collect();
        let most = minutes.iter().map(|m| minutes.iter().filter(|n| *n == m).count()).max();
        assert_eq!(most, Some(96), "50 each, of 4,800");
    }

    #[test]
    fn a_refusal_for_too_many_requests_is_obeyed() {
        let mut queue = SnapshotQueue::new(Market::UsdM, 1_000, 1_920, 1);
        queue.want(InstrumentId(1));
        let now = Time(1_020_000_000_000);
        assert_eq!(queue.next(now), Some(InstrumentId(1)));
        assert_eq!(queue.next(now), None, "one at a time");
        queue.failed(&FetchFailure::RateLimited { retry_after_s: 7 }, now);
        queue.want(InstrumentId(1));
        assert_eq!(queue.next(now.plus_nanos(6_999_999_999)), None);
        assert_eq!(queue.next(now.plus_nanos(7_000_000_000)), Some(InstrumentId(1)));
        queue.answered(Some(1_920));
        queue.want(InstrumentId(2));
        assert_eq!(
            queue.next(now.plus_nanos(7_000_000_001)),
            None,
            "the venue says that the minute is used up"
        );
    }

    #[test]
    fn paths_and_weights_are_the_markets() {
        assert_eq!(path(Market::Spot, "BTCUSDT", 5_000), "/api/v3/depth?symbol=BTCUSDT&limit=5000");
        assert_eq!(path(Market::UsdM, "BTCUSDT", 5_000), "/fapi/v1/depth?symbol=BTCUSDT&limit=1000");
        assert_eq!(path(Market::CoinM, "BTCUSD_PERP", 100), "/dapi/v1/depth?symbol=BTCUSD_PERP&limit=100");
        assert_eq!(path(Market::UsdM, "X", 200), "/fapi/v1/depth?symbol=X&limit=500");
        assert_eq!((weight(Market::Spot, 1_000), weight(Market::UsdM, 1_000)), (50, 20));
    }
}
