//! Whose book is fetched next, and whether the venue's limits allow it now.
//!
//! Owns: the books that are wanted, the pause of each whose request failed, and the budget of requests, of bars too. Invariant: a
//! pause is one book's alone; only the venue's word that too much is asked, and a budget that is used up, hold
//! everything back.

use super::super::exchange_info::{RateKind, RateLimit};
use super::super::limits::{Budget, BudgetSettings, Cost, Permit, Retry, Told, TooMuch};
use crate::domain::{InstrumentId, Market, Time};
use crate::net::Backoff;
use crate::venue::DecodeError;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The first and the longest pause of a book whose request failed.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// Between requests for a book that the venue refuses.
pub const ASIDE: Duration = Duration::from_secs(300);
/// The venue counts weight by the minute of its clock.
const WINDOW_S: u64 = 60;

/// Why a book did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchFailure {
    /// The request failed on the way, or with a 5xx status: it may work next time.
    Transient,
    /// The server's certificate is refused: it was asked nothing.
    Untrusted,
    /// 429, 418 or 403: nothing at all may be asked for a while.
    RateLimited {
        /// Which of them.
        status: u16,
        /// `Retry-After`, where the venue gives it.
        retry_after_s: Option<u64>,
    },
    /// Another 4xx status, for a symbol that is not traded any more say: waiting does not mend it.
    Refused(u16),
    /// It came, and cannot be decoded.
    Unreadable(DecodeError),
}

impl FetchFailure {
    /// Whether waiting does not mend it: the venue refuses the book, or prints other numbers than the instrument has.
    #[must_use]
    pub const fn lasts(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unreadable(DecodeError::Number { .. }))
    }
}

/// See the module.
#[derive(Debug)]
pub struct SnapshotQueue {
    waiting: VecDeque<InstrumentId>,
    in_flight: Option<Permit>,
    /// Of books whose last request failed, until they come.
    pauses: BTreeMap<InstrumentId, Pause>,
    cost: Cost,
    budget: Budget,
    seed: u64,
}

#[derive(Debug)]
struct Pause {
    until: Time,
    backoff: Backoff,
    /// Why it is set aside, where it is.
    aside: Option<FetchFailure>,
}

/// The weight of a request for a book of so many levels a side.
#[must_use]
pub const fn snapshot_weight(market: Market, levels: u32) -> u32 {
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
        // The configured figure is a share of the venue's limit already.
        let settings = BudgetSettings {
            use_percent: 100,
            cancel_reserve: 0,
            kept_percent: 0,
            ..BudgetSettings::default()
        };
        let kind = RateKind::RequestWeight;
        let limit = RateLimit { kind, window_s: WINDOW_S, limit: per_minute.into(), count: None };
        Self {
            waiting: VecDeque::new(),
            in_flight: None,
            pauses: BTreeMap::new(),
            cost: Cost::query(snapshot_weight(market, levels)),
            budget: Budget::new(settings, &[limit]),
            seed,
        }
    }

    /// This book is wanted.
    pub fn want(&mut self, instrument: InstrumentId) {
        if !self.waiting.contains(&instrument) {
            self.waiting.push_back(instrument);
        }
    }

    /// This book is wanted no more; what is on its way comes to nothing. Its pause stays: who asks again soon is not
    /// answered better.
    pub fn forget(&mut self, instrument: InstrumentId) {
        self.waiting.retain(|waiting| *waiting != instrument);
    }

    /// The next one to ask for, if one may be asked for now.
    pub fn next(&mut self, now: Time) -> Option<InstrumentId> {
        if self.in_flight.is_some() {
            return None;
        }
        let may = |id: &InstrumentId| self.pauses.get(id).is_none_or(|pause| now >= pause.until);
        let at = self.waiting.iter().position(may)?;
        self.in_flight = Some(self.budget.ask(self.cost, now).ok()?);
        self.waiting.remove(at)
    }

    /// An answer came; `used` is the weight that the venue has counted this minute.
    pub fn answered(&mut self, used: Option<u64>, now: Time) {
        if let Some(permit) = self.in_flight.take() {
            let told = used.map(|used| Told::one(RateKind::RequestWeight, WINDOW_S, used));
            self.budget.answered(permit, &told.unwrap_or_default(), now);
        }
    }

    /// Whether a question of this weight, for something else than a book, may be asked now; if so, it counts as asked.
    pub fn ask(&mut self, weight: u32, now: Time) -> bool {
        if self.in_flight.is_none() {
            self.in_flight = self.budget.ask(Cost::query(weight), now).ok();
            return self.in_flight.is_some();
        }
        false
    }

    /// No answer came to what was asked.
    pub fn unanswered(&mut self, failure: &FetchFailure, now: Time) {
        if let Some(permit) = self.in_flight.take() {
            self.budget.lost(permit, now);
        }
        if let FetchFailure::RateLimited { status, retry_after_s } = *failure {
            let retry = retry_after_s.map_or(Retry::Unsaid, |s| Retry::After(s.max(1)));
            self.budget.refused(TooMuch { status, code: None, retry }, now);
        }
    }

    /// The answer was of use. Says whether the book had been set aside.
    pub fn came(&mut self, instrument: InstrumentId) -> bool {
        self.pauses.remove(&instrument).is_some_and(|pause| pause.aside.is_some())
    }

    /// The answer was of no use: what is served from a cache is not newer at once.
    pub fn too_old(&mut self, instrument: InstrumentId, now: Time) {
        let pause = self.pause(instrument);
        pause.until = now.plus(pause.backoff.next_pause());
    }

    /// None came. Says whether that is news, so that a failure that lasts is told once.
    pub fn failed(&mut self, instrument: InstrumentId, failure: &FetchFailure, now: Time) -> bool {
        self.unanswered(failure, now);
        let pause = match *failure {
            FetchFailure::RateLimited { .. } => return true,
            _ if failure.lasts() => self.pause(instrument),
            _ => {
                let pause = self.pause(instrument);
                if pause.aside.is_none() {
                    pause.until = now.plus(pause.backoff.next_pause());
                    return pause.backoff.attempts() == 1;
                }
                pause
            }
        };
        pause.until = now.plus(ASIDE);
        let why = if failure.lasts() { Some(*failure) } else { pause.aside };
        std::mem::replace(&mut pause.aside, why).is_none()
    }

    /// It is not asked for before `until`.
    pub fn hold(&mut self, instrument: InstrumentId, until: Time) {
        let pause = self.pause(instrument);
        pause.until = pause.until.max(until);
    }

    /// Books set aside now.
    pub fn aside(&self) -> usize {
        self.pauses.values().filter(|pause| pause.aside.is_some()).count()
    }

    /// Why a book is set aside, if it is.
    pub fn aside_for(&self, instrument: InstrumentId) -> Option<FetchFailure> {
        self.pauses.get(&instrument)?.aside
    }

    fn pause(&mut self, instrument: InstrumentId) -> &mut Pause {
        let seed = self.seed.wrapping_add(u64::from(instrument.0).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let backoff = || Backoff::new(PAUSE.0, PAUSE.1, seed);
        let new = || Pause { until: Time(0), backoff: backoff(), aside: None };
        self.pauses.entry(instrument).or_insert_with(new)
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
                queue.answered(None, now);
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
        let too_many = FetchFailure::RateLimited { status: 429, retry_after_s: Some(7) };
        assert!(queue.failed(InstrumentId(1), &too_many, now));
        queue.want(InstrumentId(1));
        queue.want(InstrumentId(2));
        assert_eq!(queue.next(now.plus_nanos(6_999_999_999)), None);
        assert_eq!(queue.next(now.plus_nanos(7_000_000_000)), Some(InstrumentId(1)));
        queue.answered(Some(1_920), now.plus_nanos(7_000_000_000));
        assert_eq!(
            queue.next(now.plus_nanos(7_000_000_001)),
            None,
            "the venue says that the minute is used up"
        );
    }

    /// Lets `ms` pass in steps of one; gives what was asked for, and how long after the beginning.
    fn pass(
        queue: &mut SnapshotQueue,
        now: &mut Time,
        ms: u64,
        mut answer: impl FnMut(&mut SnapshotQueue, InstrumentId, Time),
    ) -> Vec<(u16, u64)> {
        let (begin, mut asked) = (*now, Vec::new());
        for _ in 0..ms {
            if let Some(id) = queue.next(*now) {
                asked.push((id.0, now.since(begin) / 1_000_000));
                answer(queue, id, *now);
            }
            *now = now.plus_nanos(1_000_000);
        }
        asked
    }

    #[test]
    fn a_book_that_fails_waits_longer_each_time_and_delays_no_other() {
        let mut queue = SnapshotQueue::new(Market::Spot, 100, 1_000_000, 1);
        let mut now = Time(1_000_000_000_000);
        queue.want(InstrumentId(1));
        let mut news = 0;
        let asked = pass(&mut queue, &mut now, 60_000, |queue, id, now| {
            if id == InstrumentId(1) {
                news += u32::from(queue.failed(id, &FetchFailure::Transient, now));
                queue.want(id);
                queue.want(InstrumentId(2));
            } else {
                queue.answered(None, now);
                assert!(!queue.came(id));
            }
        });
        let of = |id: u16| asked.iter().filter(|(i, _)| *i == id).map(|(_, at)| *at).collect::<Vec<_>>();
        let (failing, other) = (of(1), of(2));
        assert_eq!(
            other,
            failing.iter().map(|at| at + 1).collect::<Vec<_>>(),
            "each the moment it is wanted"
        );
        let pauses: Vec<u64> = failing.windows(2).map(|w| w[1] - w[0]).collect();
        assert!((100..=201).contains(&pauses[0]) && pauses.len() >= 6, "{pauses:?}");
        assert!(pauses.iter().any(|p| *p > 5_000) && pauses.iter().all(|p| *p <= 30_001), "{pauses:?}");
        assert_eq!(news, 1, "told once");
    }

    #[test]
    fn a_refused_book_is_set_aside_and_asked_for_rarely_until_it_comes() {
        let mut queue = SnapshotQueue::new(Market::Spot, 100, 1_000_000, 1);
        let mut now = Time(1_000_000_000_000);
        queue.want(InstrumentId(1));
        let mut news = 0;
        let asked = pass(&mut queue, &mut now, 1_000_000, |queue, id, now| {
            // A failure on the way changes nothing of what the venue said.
            let later = now.0 > 1_300_000_000_000;
            let failure = if later { FetchFailure::Transient } else { FetchFailure::Refused(400) };
            news += u32::from(queue.failed(id, &failure, now));
            // A connection lost and opened anew is no reason to ask sooner.
            queue.forget(id);
            queue.want(id);
        });
        assert_eq!(asked, [(1, 0), (1, 300_000), (1, 600_000), (1, 900_000)]);
        assert_eq!((news, queue.aside()), (1, 1));
        let asked = pass(&mut queue, &mut now, 300_000, |queue, id, now| {
            queue.answered(None, now);
            assert!(queue.came(id));
        });
        assert_eq!((asked.len(), queue.aside()), (1, 0));
        assert!(queue.failed(InstrumentId(1), &FetchFailure::Refused(400), now), "news again");
    }

    #[test]
    fn the_venues_firewall_stops_everything_for_as_long_as_it_blocks() {
        let mut queue = SnapshotQueue::new(Market::Spot, 100, 1_000_000, 1);
        let mut now = Time(1_000_000_000_000);
        queue.want(InstrumentId(1));
        assert_eq!(queue.next(now), Some(InstrumentId(1)));
        queue.failed(InstrumentId(1), &FetchFailure::RateLimited { status: 403, retry_after_s: None }, now);
        queue.want(InstrumentId(2));
        let asked = pass(&mut queue, &mut now, 301_000, |queue, _, now| queue.answered(None, now));
        assert_eq!((asked, queue.aside()), (vec![(2, 300_000)], 0));
    }

    #[test]
    fn paths_and_weights_are_the_markets() {
        assert_eq!(path(Market::Spot, "BTCUSDT", 5_000), "/api/v3/depth?symbol=BTCUSDT&limit=5000");
        assert_eq!(path(Market::UsdM, "BTCUSDT", 5_000), "/fapi/v1/depth?symbol=BTCUSDT&limit=1000");
        assert_eq!(path(Market::CoinM, "BTCUSD_PERP", 100), "/dapi/v1/depth?symbol=BTCUSD_PERP&limit=100");
        assert_eq!(path(Market::UsdM, "X", 200), "/fapi/v1/depth?symbol=X&limit=500");
        assert_eq!((snapshot_weight(Market::Spot, 1_000), snapshot_weight(Market::UsdM, 1_000)), (50, 20));
    }
}
