//! Orders that did not come to the market: denied here, or refused by the venue. Who looks on asks why nothing is traded.

use crate::domain::{DenyReason, InstrumentId, Refused, Time};

/// The orders of one strategy that came to nothing since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TurnedAway {
    /// How many risk denied.
    pub denied: u64,
    /// The last of them.
    pub last_denied: Option<TurnedAwayOrder<DenyReason>>,
    /// How many the venue refused.
    pub refused: u64,
    /// The last of them.
    pub last_refused: Option<TurnedAwayOrder<Refused>>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnedAwayOrder<Why> {
    /// Why.
    pub why: Why,
    /// Of what.
    pub instrument: InstrumentId,
    /// When, by the run's clock.
    pub at: Time,
}

impl TurnedAway {
    /// Risk denied one.
    pub(super) fn deny(&mut self, why: DenyReason, instrument: InstrumentId, at: Time) {
        self.denied += 1;
        self.last_denied = Some(TurnedAwayOrder { why, instrument, at });
    }

    /// The venue refused one.
    pub(super) fn refuse(&mut self, why: Refused, instrument: InstrumentId, at: Time) {
        self.refused += 1;
        self.last_refused = Some(TurnedAwayOrder { why, instrument, at });
    }
}
