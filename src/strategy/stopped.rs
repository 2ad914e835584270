//! What a kill stopped, as the strategy stage heard of it: what would wait here meanwhile is refused.
//!
//! Risk judges orders when they go out. One that waits goes out when its price comes, which may be after a release: it was
//! asked for while nothing was to be traded, and would be by then. Invariant: it says what the commands in the ring say, so
//! it is the same in a replay.

use crate::domain::event::Command;
use crate::domain::{InstrumentId, InstrumentTable, Scope, StrategyId, VenueId, kill};

/// See the module.
#[derive(Debug, Clone)]
pub struct Stopped {
    venue_of: Vec<VenueId>,
    scopes: Vec<Scope>,
}

impl Stopped {
    /// Nothing; with room for whatever there is to stop.
    #[must_use]
    pub fn new(table: &InstrumentTable) -> Self {
        let scopes = 1 + kill::venues(table).len() + usize::from(u8::MAX) + 1 + table.len();
        Self { venue_of: kill::venues_of(table), scopes: Vec::with_capacity(scopes) }
    }

    /// Takes a command in, of which those that stop and let go matter.
    pub fn take(&mut self, command: &Command) {
        match command {
            Command::Kill(kill) if !self.scopes.contains(&kill.scope) => self.scopes.push(kill.scope),
            Command::Release(scope) => self.scopes.retain(|s| s != scope && *scope != Scope::All),
            _ => {}
        }
    }

    /// Whether a strategy's orders of an instrument are stopped.
    #[must_use]
    pub fn is_stopped(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.scopes.iter().any(|scope| scope.has(&self.venue_of, strategy, instrument))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{DenyReason, Kill, Market};

    #[test]
    fn what_is_stopped_is_so_until_it_is_let_go() {
        let both = vec![sample(Market::Spot, "A"), sample(Market::UsdM, "A")];
        let mut stopped = Stopped::new(&InstrumentTable::new(both).expect("two instruments"));
        let is_stopped = |stopped: &Stopped| {
            let of =
                |strategy, instrument| stopped.is_stopped(StrategyId(strategy), InstrumentId(instrument));
            [of(0, 0), of(0, 1), of(1, 0), of(1, 1)]
        };
        let scopes = [
            (Scope::All, [true; 4]),
            (Scope::Venue(VenueId(1)), [false, true, false, true]),
            (Scope::Strategy(StrategyId(1)), [false, false, true, true]),
            (Scope::Instrument(InstrumentId(0)), [true, false, true, false]),
        ];
        let kill =
            |scope| Command::Kill(Kill { scope, cause: DenyReason::Killed, flatten: false, carried: false });
        for (scope, expected) in scopes {
            for _ in 0..2 {
                stopped.take(&kill(scope));
            }
            assert_eq!(is_stopped(&stopped), expected, "{scope:?}");
            stopped.take(&Command::Release(scope));
            assert_eq!(is_stopped(&stopped), [false; 4], "{scope:?}");
        }
        scopes.iter().for_each(|(scope, _)| stopped.take(&kill(*scope)));
        stopped.take(&Command::Release(Scope::Venue(VenueId(0))));
        assert_eq!(is_stopped(&stopped), [true; 4]);
        stopped.take(&Command::Release(Scope::All));
        assert_eq!(is_stopped(&stopped), [false; 4], "all is all");
    }
}
