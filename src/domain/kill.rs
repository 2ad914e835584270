//! The kill switch as it travels through the ring: what is stopped, why, and whether positions are closed.
//!
//! Operators, signals and files turn it on by the reason [`DenyReason::Killed`], a loss limit by its own.

use super::ids::{InstrumentId, StrategyId};
use super::instrument::{Instrument, InstrumentTable};
use super::reason::DenyReason;
use std::fmt;

/// One part of one venue, such as `binance:spot`: its place in [`venues`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VenueId(pub u8);

/// What a kill or a release is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    All,
    /// All instruments of one part of a venue.
    Venue(VenueId),
    /// All orders of one strategy.
    Strategy(StrategyId),
    /// All orders of one instrument.
    Instrument(InstrumentId),
}

/// A stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kill {
    /// What is stopped.
    pub scope: Scope,
    /// Why: [`DenyReason::Killed`] by a person, or the loss limit that was reached. Orders are denied by this reason.
    pub cause: DenyReason,
    /// Whether open positions are closed at the market.
    pub flatten: bool,
    /// Whether it is an earlier run's, which this one goes on with: while the venue's numbers and ours differ, nothing is
    /// closed by it. Journals of before tell it of none.
    pub carried: bool,
}

impl Scope {
    pub(super) fn code(self) -> u64 {
        match self {
            Scope::All => 0,
            Scope::Venue(venue) => 1 | u64::from(venue.0) << 8,
            Scope::Strategy(strategy) => 2 | u64::from(strategy.0) << 8,
            Scope::Instrument(instrument) => 3 | u64::from(instrument.0) << 8,
        }
    }

    pub(super) fn read(code: u64) -> Option<Self> {
        let id = code >> 8;
        match code as u8 {
            0 => Some(Scope::All),
            1 => u8::try_from(id).ok().map(|id| Scope::Venue(VenueId(id))),
            2 => u8::try_from(id).ok().map(|id| Scope::Strategy(StrategyId(id))),
            3 => u16::try_from(id).ok().map(|id| Scope::Instrument(InstrumentId(id))),
            _ => None,
        }
    }

    /// Whether a strategy's orders of an instrument are in it; `venue_of` is what [`venues_of`] says.
    #[must_use]
    pub fn has(self, venue_of: &[VenueId], strategy: StrategyId, instrument: InstrumentId) -> bool {
        match self {
            Scope::All => true,
            Scope::Venue(venue) => venue_of.get(instrument.index()) == Some(&venue),
            Scope::Strategy(of) => of == strategy,
            Scope::Instrument(of) => of == instrument,
        }
    }

    /// The instrument that the event is of, for readers that know nothing of scopes.
    pub(super) fn instrument(self) -> InstrumentId {
        match self {
            Scope::Instrument(instrument) => instrument,
            _ => InstrumentId(0),
        }
    }
}

impl Kill {
    pub(super) fn terms(&self) -> u64 {
        u64::from(self.cause as u8) | u64::from(self.flatten) << 8 | u64::from(self.carried) << 9
    }

    pub(super) fn read(scope: u64, terms: u64) -> Option<Self> {
        let cause = DenyReason::from_code(terms as u8)?;
        Some(Self {
            scope: Scope::read(scope)?,
            cause,
            flatten: terms >> 8 & 1 != 0,
            carried: terms >> 9 & 1 != 0,
        })
    }
}

/// The parts of venues that a table has instruments of, in the order of their first instruments.
#[must_use]
pub fn venues(table: &InstrumentTable) -> Vec<String> {
    venues_in(table.all())
}

/// The same of a table's instruments.
#[must_use]
pub fn venues_in(instruments: &[Instrument]) -> Vec<String> {
    let mut venues: Vec<String> = Vec::new();
    for instrument in instruments {
        let name = format!("{}:{}", instrument.venue, instrument.market);
        if !venues.contains(&name) {
            venues.push(name);
        }
    }
    venues
}

/// The part of a venue that each instrument belongs to.
#[must_use]
pub fn venues_of(table: &InstrumentTable) -> Vec<VenueId> {
    let all = venues(table);
    let of = |i: &Instrument| {
        let name = format!("{}:{}", i.venue, i.market);
        let at = all.iter().position(|venue| *venue == name).unwrap_or_default();
        VenueId(u8::try_from(at).unwrap_or(u8::MAX))
    };
    table.all().iter().map(of).collect()
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::All => f.write_str("all"),
            Scope::Venue(venue) => write!(f, "venue {}", venue.0),
            Scope::Strategy(strategy) => write!(f, "strategy {}", strategy.0),
            Scope::Instrument(instrument) => write!(f, "instrument {}", instrument.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Slot;
    use crate::domain::event::{Command, Event};

    #[test]
    fn kills_and_releases_read_back_from_their_slots() {
        let scopes = [
            Scope::All,
            Scope::Venue(VenueId(255)),
            Scope::Strategy(StrategyId(254)),
            Scope::Instrument(InstrumentId(65_533)),
        ];
        for scope in scopes {
            for (cause, flatten, carried) in [
                (DenyReason::Killed, false, false),
                (DenyReason::LossVelocity, true, false),
                (DenyReason::Killed, true, true),
            ] {
                let command = Command::Kill(Kill { scope, cause, flatten, carried });
                let slot = Slot::from_canonical(&Slot::command(command).canonical());
                assert_eq!(slot.event(), Event::Command(command));
            }
            let slot = Slot::command(Command::Release(scope));
            assert_eq!(slot.event(), Event::Command(Command::Release(scope)));
        }
        let terms = DenyReason::Killed as u64 | 1 << 8;
        let older = Kill::read(0, terms).expect("a kill");
        assert!(older.flatten && !older.carried, "a journal of before closes as it did");
        assert_eq!(Kill::read(9, DenyReason::Killed as u64), None, "no such scope");
        assert_eq!(Kill::read(0, 255), None, "no such reason");
    }
}
