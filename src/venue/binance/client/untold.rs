//! Trades that the user stream should have told of, and did not.
//!
//! Owns: whether a stream that is there is believed. A trade that was learned by asking, though a session brought the
//! stream since before it was made, is waited for some more; one that the stream does not tell of then either shows that it
//! is deaf, and what else it did not tell is not known: the session is given up, and with the next one everything is asked
//! for. Where that one does no better it is the venue that is late, and each is waited for twice as long: a session that is
//! given up brings nothing sooner.

use super::OrderClient;
use super::ledger::TradeFact;
use super::message::Outputs;
use super::notice::SessionEnd;
use crate::domain::{InstrumentId, Time};
use std::time::Duration;

/// How much later than the answer that spoke of it the stream may tell of a trade, at first and at most.
const GRACE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// A stream that was never late for so long is as good as one that never was.
const QUIET: Duration = Duration::from_secs(600);
/// Trades that are waited for, at most: one is enough to judge by.
const UNTOLD_MAX: usize = 64;

/// A trade that was learned by asking.
#[derive(Debug)]
struct Waited {
    instrument: InstrumentId,
    venue_order: u64,
    trade_id: u64,
    /// Sessions that were there by this time should tell of it.
    since: Time,
    learned: Time,
    due: Time,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Untold {
    waited: Vec<Waited>,
    grace: Duration,
    /// When the stream was late last, or given up.
    late_at: Time,
}

impl Untold {
    pub fn new() -> Self {
        Self { waited: Vec::new(), grace: GRACE.0, late_at: Time(0) }
    }

    fn grace(&mut self, now: Time) -> Duration {
        if self.late_at.plus(QUIET) <= now {
            self.grace = GRACE.0;
        }
        self.grace
    }

    fn gave_up(&mut self, now: Time) {
        self.grace = self.grace.saturating_mul(2).min(GRACE.1);
        self.late_at = now;
    }
}

impl OrderClient {
    /// A trade was learned by asking, which the venue made at `ms`.
    pub(super) fn learned(&mut self, now: Time, instrument: InstrumentId, trade: &TradeFact, ms: u64) {
        let since = self.line.clock.local_time(Time::from_millis(ms)).minus(self.settings.clock_error_max);
        let untold = &mut self.untold;
        if untold.waited.len() < UNTOLD_MAX && self.sessions.streaming_since(since).next().is_some() {
            let &TradeFact { venue_order, trade_id, .. } = trade;
            let due = now.plus(untold.grace(now));
            untold.waited.push(Waited { instrument, venue_order, trade_id, since, learned: now, due });
        }
    }

    /// The stream told of a trade.
    pub(super) fn heard_of(&mut self, now: Time, instrument: InstrumentId, trade: &TradeFact) {
        let untold = &mut self.untold;
        let is = |one: &Waited| {
            (one.instrument, one.venue_order, one.trade_id) == (instrument, trade.venue_order, trade.trade_id)
        };
        if untold.waited.iter().any(|one| is(one) && one.learned.plus(GRACE.0) < now) {
            untold.late_at = now;
        }
        untold.waited.retain(|one| !is(one));
    }

    /// Gives up sessions that did not tell of what they should have.
    pub(super) fn poll_untold(&mut self, now: Time, out: &mut Outputs) {
        while let Some(at) = self.untold.waited.iter().position(|one| one.due <= now) {
            let Waited { trade_id, since, .. } = self.untold.waited.swap_remove(at);
            let deaf: Vec<_> = self.sessions.streaming_since(since).collect();
            if !deaf.is_empty() {
                self.untold.gave_up(now);
            }
            deaf.into_iter().for_each(|id| self.end_session(now, id, SessionEnd::Untold(trade_id), out));
        }
    }

    /// When a trade has to have been told of.
    pub(super) fn untold_due(&self) -> Time {
        self.untold.waited.iter().map(|one| one.due).min().unwrap_or(Time(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_that_is_given_up_doubles_the_wait_until_all_was_quiet_for_a_while() {
        let mut untold = Untold::new();
        let mut at = Time::from_millis(1_700_000_000_000);
        let waits = [2, 4, 8, 16, 32, 60, 60].map(Duration::from_secs);
        for wait in waits {
            at = at.plus(Duration::from_secs(100));
            assert_eq!(untold.grace(at), wait);
            untold.gave_up(at);
        }
        assert_eq!(untold.grace(at.plus(QUIET).minus(Duration::from_nanos(1))), GRACE.1);
        assert_eq!(untold.grace(at.plus(QUIET)), GRACE.0);
    }
}
