//! Which instruments take no orders, and by whose word.
//!
//! Whoever holds an instrument back lets go of it himself: an instrument trades when nobody holds it. So the venue's
//! word that a symbol trades again does not undo what a person paused.
//!
//! | held back by | lets pass | over a restart |
//! | --- | --- | --- |
//! | a pause of one instrument | cancels, and what only reduces | what a difference or an operator paused stays; the venue and the pairs file say it anew |
//! | a ration of a venue's part: the rest of its rate limit is kept | cancels, and what only reduces | said anew |
//! | a suspension of a venue's part: nothing can be sent | cancels | said anew |

use super::event::Command;
use super::ids::InstrumentId;
use super::instrument::InstrumentTable;
use super::kill::{VenueId, venues_of};
use std::fmt;

/// By whose word an instrument is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PausedBy {
    /// The venue: the symbol does not trade, is not listed, or is being looked at for the first time. The journals of
    /// before name nobody, and mean this.
    Venue = 0,
    /// A difference between the venue's numbers and ours that stayed.
    Difference = 1,
    /// The file that says how pairs are to be.
    File = 2,
    /// An operator.
    Operator = 3,
}

impl PausedBy {
    /// Everyone who can.
    pub const ALL: [Self; 4] = [Self::Venue, Self::Difference, Self::File, Self::Operator];

    pub(super) const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::Venue),
            1 => Some(Self::Difference),
            2 => Some(Self::File),
            3 => Some(Self::Operator),
            _ => None,
        }
    }

    /// A short name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Venue => "venue",
            Self::Difference => "difference",
            Self::File => "pairs file",
            Self::Operator => "operator",
        }
    }

    /// Whether it holds over a restart: nobody else would say it again.
    #[must_use]
    pub const fn is_kept(self) -> bool {
        matches!(self, Self::Difference | Self::Operator)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for PausedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Set where the instrument's part of a venue is suspended; the lowest bits are those of [`PausedBy`].
const SUSPENDED: u8 = 1 << 7;
/// Set where what is left of its rate limit is kept for what only reduces.
const RATIONED: u8 = 1 << 6;

/// What holds each instrument back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pauses {
    holds: Vec<u8>,
    venue_of: Vec<VenueId>,
}

impl Pauses {
    /// Nothing is held back.
    #[must_use]
    pub fn new(table: &InstrumentTable) -> Self {
        Self { holds: vec![0; table.len()], venue_of: venues_of(table) }
    }

    /// Becomes the same as another, in the room that is there.
    pub fn copy_from(&mut self, other: &Self) {
        self.holds.clone_from(&other.holds);
        self.venue_of.clone_from(&other.venue_of);
    }

    /// Who holds an instrument back: each by [`PausedBy::label`], and `suspended` or `rationed` where its part of the venue
    /// is.
    pub fn holders(&self, instrument: InstrumentId) -> impl Iterator<Item = &'static str> + '_ {
        let by = PausedBy::ALL.into_iter().filter(move |by| self.is_paused_by(instrument, *by));
        let is = move |bit| self.holds.get(instrument.index()).is_some_and(|holds| holds & bit != 0);
        let parts = [(SUSPENDED, "suspended"), (RATIONED, "rationed")];
        by.map(PausedBy::label)
            .chain(parts.into_iter().filter(move |(bit, _)| is(*bit)).map(|(_, label)| label))
    }

    /// Takes a command in; whether it was one of those that pause or let pass.
    pub fn take(&mut self, command: Command) -> bool {
        let (bit, on) = match command {
            Command::Pause(_, by) => (by.bit(), true),
            Command::Unpause(_, by) => (by.bit(), false),
            Command::Suspend(_) => (SUSPENDED, true),
            Command::Reopen(_) => (SUSPENDED, false),
            Command::Ration(_) => (RATIONED, true),
            Command::Unration(_) => (RATIONED, false),
            Command::Halt
            | Command::Resume
            | Command::Kill(_)
            | Command::Release(_)
            | Command::Account(_) => {
                return false;
            }
        };
        for (index, (holds, venue)) in self.holds.iter_mut().zip(&self.venue_of).enumerate() {
            if concerns(command, index, *venue) {
                *holds = if on { *holds | bit } else { *holds & !bit };
            }
        }
        true
    }

    /// Whether a command that pauses or lets pass is about this instrument.
    #[must_use]
    pub fn concerned(&self, command: Command, instrument: InstrumentId) -> bool {
        let index = instrument.index();
        self.venue_of.get(index).is_some_and(|venue| concerns(command, index, *venue))
    }

    /// Whether anybody holds it back.
    #[inline]
    #[must_use]
    pub fn is_paused(&self, instrument: InstrumentId) -> bool {
        self.holds.get(instrument.index()).is_some_and(|holds| *holds != 0)
    }

    /// Whether nothing can be sent for it.
    #[inline]
    #[must_use]
    pub fn is_suspended(&self, instrument: InstrumentId) -> bool {
        self.holds.get(instrument.index()).is_some_and(|holds| holds & SUSPENDED != 0)
    }

    /// Whether it is paused by this word.
    #[must_use]
    pub fn is_paused_by(&self, instrument: InstrumentId, by: PausedBy) -> bool {
        self.holds.get(instrument.index()).is_some_and(|holds| holds & by.bit() != 0)
    }
}

fn concerns(command: Command, index: usize, venue: VenueId) -> bool {
    match command {
        Command::Pause(instrument, _) | Command::Unpause(instrument, _) => instrument.index() == index,
        Command::Suspend(of) | Command::Reopen(of) | Command::Ration(of) | Command::Unration(of) => {
            of == venue
        }
        Command::Halt | Command::Resume | Command::Kill(_) | Command::Release(_) | Command::Account(_) => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Market;
    use crate::domain::instrument::tests::sample;

    const BTC: InstrumentId = InstrumentId(0);
    const ETH: InstrumentId = InstrumentId(1);
    const PERPETUAL: InstrumentId = InstrumentId(2);

    fn pauses() -> Pauses {
        let all = vec![
            sample(Market::Spot, "BTCUSDT"),
            sample(Market::Spot, "ETHUSDT"),
            sample(Market::UsdM, "BTCUSDT"),
        ];
        Pauses::new(&InstrumentTable::new(all).expect("distinct"))
    }

    #[test]
    fn an_instrument_trades_when_nobody_holds_it() {
        for first in PausedBy::ALL {
            for second in PausedBy::ALL.into_iter().filter(|by| *by != first) {
                let mut pauses = pauses();
                assert!(pauses.take(Command::Pause(ETH, first)) && pauses.take(Command::Pause(ETH, second)));
                assert!(!pauses.is_paused(BTC));
                pauses.take(Command::Unpause(ETH, first));
                assert!(pauses.is_paused(ETH), "{second} holds it still");
                assert!(!pauses.is_paused_by(ETH, first) && pauses.is_paused_by(ETH, second));
                pauses.take(Command::Unpause(ETH, second));
                assert!(!pauses.is_paused(ETH));
            }
        }
    }

    #[test]
    fn a_part_of_a_venue_is_suspended_and_no_other() {
        let mut pauses = pauses();
        pauses.take(Command::Pause(BTC, PausedBy::Operator));
        assert!(pauses.take(Command::Suspend(VenueId(0))));
        assert!(pauses.is_suspended(BTC) && pauses.is_suspended(ETH) && !pauses.is_paused(PERPETUAL));
        assert!(pauses.concerned(Command::Reopen(VenueId(0)), ETH));
        assert!(!pauses.concerned(Command::Reopen(VenueId(0)), PERPETUAL));
        pauses.take(Command::Reopen(VenueId(0)));
        assert!(pauses.is_paused(BTC), "the operator has not let go");
        assert!(!pauses.is_suspended(BTC) && !pauses.is_paused(ETH));
        assert!(!pauses.take(Command::Halt), "that is none of these");
    }

    #[test]
    fn where_the_rate_limit_is_rationed_all_is_held_back_but_nothing_is_suspended() {
        let mut pauses = pauses();
        assert!(pauses.take(Command::Ration(VenueId(0))));
        assert!(pauses.is_paused(BTC) && !pauses.is_suspended(BTC) && !pauses.is_paused(PERPETUAL));
        assert_eq!(pauses.holders(ETH).collect::<Vec<_>>(), ["rationed"]);
        pauses.take(Command::Suspend(VenueId(0)));
        pauses.take(Command::Unration(VenueId(0)));
        assert_eq!(pauses.holders(ETH).collect::<Vec<_>>(), ["suspended"]);
        pauses.take(Command::Reopen(VenueId(0)));
        assert!(!pauses.is_paused(ETH));
    }
}
