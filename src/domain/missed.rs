//! A bar that a run saw not whole.
//!
//! The market stage, which makes bars of trades, tells of it; the feed, which may ask the venue, acts on it.

use super::{InstrumentId, Time};

/// A time bar that was withheld, since it lacks, or may lack, trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedBar {
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Where it begins.
    pub start: Time,
    /// Where the one begins that was handed out last, if one was: those in between are missing too.
    pub after: Option<Time>,
}

/// What there is to tell of an instrument's time bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarNews {
    /// One was withheld.
    Missed(MissedBar),
    /// One of the run's own trades was handed out, and none before it: those of before the run come too late from now on.
    First(InstrumentId),
}
