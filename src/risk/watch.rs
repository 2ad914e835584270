//! What risk tells others, without waiting for them: each change of the kill switch, each pause by an operator
//! or for a difference with the venue, to
//! whoever keeps them over a restart, and now and then a snapshot of all that it knows.
//!
//! The stage writes no file: another thread does.

use super::snapshot::{RiskSnapshot, SharedSnapshot};
use crate::domain::{DenyReason, InstrumentId, Kill, Refused, Scope, Time};
use std::sync::{Arc, MutexGuard};

/// Changes that may wait for the other thread: more than there are switches in any run that is real, with what each changes
/// for an instrument, which is told once.
const SLOTS: usize = 4_096;

/// What happened to the kill switch, or to a pause that a person has to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    /// It was thrown.
    Killed(Kill),
    /// It was released.
    Released(Scope),
    /// An operator paused an instrument.
    Paused(InstrumentId),
    /// An operator let go of it.
    Resumed(InstrumentId),
    /// It is held back, for what the venue says that the account has is not what fills imply.
    Differs(InstrumentId),
    /// That holds it back no longer.
    Agrees(InstrumentId),
    /// What was to close a position of it, for a kill, was not taken.
    NotClosed(InstrumentId, Unclosed),
    /// What was not closed for want of a person's look ([`Unclosed::Unlooked`]) waits for that no longer: it was looked at, is
    /// closed by a kill of this run, by a stop of its own, or is let go of.
    Decided(InstrumentId),
    /// Nothing is held of it any more that a kill closes, whatever came to nothing before.
    Closed(InstrumentId),
}

/// Why what was to close a position was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclosed {
    /// The venue refused it.
    Refused(Refused),
    /// Risk denied it.
    Denied(DenyReason),
    /// It ended at the venue without a trade.
    Untraded,
    /// An order that may still close it has no answer: what became of it is asked, and nothing else sent meanwhile.
    Unanswered,
    /// Nothing is sent: no orders are taken for it now.
    Suspended,
    /// Nothing is sent: its price is not known on both sides.
    NoMarket,
    /// Nothing is sent: what is held is less than a lot, and yet worth what an order may be.
    LessThanALot,
    /// Nothing was sent: it is an earlier run's kill that closes it, and what the account has is not what fills imply. Whether
    /// there is anything to close a person has to say.
    Unlooked,
}

impl Unclosed {
    /// Whether it is too little for an order, as a part is that is asked for where the venue refused all.
    #[must_use]
    pub fn is_small(self) -> bool {
        use DenyReason::{LotSize, MarketLotSize, MinNotional, Notional};
        matches!(self, Self::Denied(LotSize | MarketLotSize | MinNotional | Notional))
    }

    /// Whether it is that nothing is sent, which is told each second for as long as it is so.
    #[must_use]
    pub fn sends_nothing(self) -> bool {
        matches!(self, Self::Unanswered | Self::Suspended | Self::NoMarket | Self::LessThanALot)
    }
}

/// The stage's end.
#[derive(Debug)]
pub struct WatchSender {
    changes: rtrb::Producer<(Switched, Time)>,
    snapshot: SharedSnapshot,
}

/// The other end.
#[derive(Debug)]
pub struct WatchReceiver {
    changes: rtrb::Consumer<(Switched, Time)>,
    snapshot: SharedSnapshot,
}

/// Both ends.
#[must_use]
pub fn watch() -> (WatchSender, WatchReceiver) {
    let (sender, receiver) = rtrb::RingBuffer::new(SLOTS);
    let snapshot = SharedSnapshot::default();
    let shared = Arc::clone(&snapshot);
    (WatchSender { changes: sender, snapshot: shared }, WatchReceiver { changes: receiver, snapshot })
}

impl WatchSender {
    /// Tells what happened at `now`.
    pub(crate) fn tell(&mut self, switched: Switched, now: Time) {
        // Nobody reads any more, or far too slowly: what is stopped stays stopped in this run all the same.
        let _ = self.changes.push((switched, now));
    }

    /// The snapshot, to be written; none while it is read.
    pub(super) fn snapshot(&self) -> Option<MutexGuard<'_, RiskSnapshot>> {
        self.snapshot.try_lock().ok()
    }
}

impl WatchReceiver {
    /// The next change, and when it was.
    pub fn next_change(&mut self) -> Option<(Switched, Time)> {
        self.changes.pop().ok()
    }

    /// Where snapshots are.
    #[must_use]
    pub fn snapshot(&self) -> SharedSnapshot {
        Arc::clone(&self.snapshot)
    }
}
