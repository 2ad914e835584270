//! Trades that the user stream should have told of, and did not.
//!
//! Owns: whether a stream that is there is believed. A trade that was learned by asking, though a session brought the
//! stream since before it was made, is waited for some more; one that the stream does not tell of then either shows that it
//! is deaf, and what else it did not tell is not known: the session is given up, and with the next one everything is asked
//! for.

use super::OrderClient;
use super::ledger::TradeFact;
use super::message::Outputs;
use super::notice::SessionEnd;
use crate::domain::{InstrumentId, Time};
use std::time::Duration;

/// How much later than the answer that spoke of it the stream may tell of a trade.
const GRACE: Duration = Duration::from_secs(2);
/// Trades that are waited for, at most: one is enough to judge by.
const UNTOLD_MAX: usize = 64;

/// A trade that was learned by asking.
#[derive(Debug)]
pub(super) struct Untold {
    instrument: InstrumentId,
    venue_order: u64,
    trade_id: u64,
    /// Sessions that were there by this time should tell of it.
    since: Time,
    due: Time,
}

impl OrderClient {
    /// A trade was learned by asking, which the venue made at `ms`.
    pub(super) fn learned(&mut self, now: Time, instrument: InstrumentId, trade: &TradeFact, ms: u64) {
        let since = self.line.clock.local_time(Time::from_millis(ms)).minus(self.settings.clock_error_max);
        if self.untold.len() < UNTOLD_MAX && self.sessions.streaming_since(since).next().is_some() {
            let &TradeFact { venue_order, trade_id, .. } = trade;
            self.untold.push(Untold { instrument, venue_order, trade_id, since, due: now.plus(GRACE) });
        }
    }

    /// The stream told of a trade.
    pub(super) fn heard_of(&mut self, instrument: InstrumentId, trade: &TradeFact) {
        self.untold.retain(|one| {
            (one.instrument, one.venue_order, one.trade_id) != (instrument, trade.venue_order, trade.trade_id)
        });
    }

    /// Gives up sessions that did not tell of what they should have.
    pub(super) fn poll_untold(&mut self, now: Time, out: &mut Outputs) {
        while let Some(at) = self.untold.iter().position(|one| one.due <= now) {
            let Untold { trade_id, since, .. } = self.untold.swap_remove(at);
            let deaf: Vec<_> = self.sessions.streaming_since(since).collect();
            deaf.into_iter().for_each(|id| self.end_session(now, id, SessionEnd::Untold(trade_id), out));
        }
    }

    /// When a trade has to have been told of.
    pub(super) fn untold_due(&self) -> Time {
        self.untold.iter().map(|one| one.due).min().unwrap_or(Time(u64::MAX))
    }
}
