//! The kill switch: what is stopped, and why.

use crate::domain::{DenyReason, InstrumentId, InstrumentTable, Kill, Scope, StrategyId, VenueId, kill};

/// What is stopped.
#[derive(Debug)]
pub(super) struct Switches {
    all: Option<DenyReason>,
    venues: Vec<Option<DenyReason>>,
    strategies: Vec<Option<DenyReason>>,
    instruments: Vec<Option<DenyReason>>,
    venue_of: Vec<VenueId>,
    /// How many are on.
    on: usize,
}

impl Switches {
    pub fn new(table: &InstrumentTable, strategies: usize) -> Self {
        Self {
            all: None,
            venues: vec![None; kill::venues(table).len()],
            strategies: vec![None; strategies],
            instruments: vec![None; table.len()],
            venue_of: kill::venues_of(table),
            on: 0,
        }
    }

    /// Whether anything is stopped.
    #[inline]
    pub fn any(&self) -> bool {
        self.on > 0
    }

    /// Why an order would be stopped, the widest reason first.
    #[inline]
    pub fn stops(&self, strategy: StrategyId, instrument: InstrumentId) -> Option<DenyReason> {
        if self.on == 0 {
            return None;
        }
        let venue = self.venue_of.get(instrument.index()).map_or(usize::MAX, |venue| usize::from(venue.0));
        let at = |list: &[Option<DenyReason>], index: usize| list.get(index).copied().flatten();
        self.all
            .or_else(|| at(&self.venues, venue))
            .or_else(|| at(&self.strategies, strategy.index()))
            .or_else(|| at(&self.instruments, instrument.index()))
    }

    fn switch(&mut self, scope: Scope) -> Option<&mut Option<DenyReason>> {
        match scope {
            Scope::All => Some(&mut self.all),
            Scope::Venue(venue) => self.venues.get_mut(usize::from(venue.0)),
            Scope::Strategy(strategy) => self.strategies.get_mut(strategy.index()),
            Scope::Instrument(instrument) => self.instruments.get_mut(instrument.index()),
        }
    }

    /// Why this is stopped, by its own switch.
    pub fn cause(&mut self, scope: Scope) -> Option<DenyReason> {
        self.switch(scope).and_then(|switch| *switch)
    }

    /// Throws a switch; false where it was on already, and keeps its first reason.
    pub fn kill(&mut self, kill: &Kill) -> bool {
        let Some(switch) = self.switch(kill.scope) else { return false };
        if switch.is_some() {
            return false;
        }
        *switch = Some(kill.cause);
        self.on += 1;
        true
    }

    /// Takes one back; of everything, each one.
    pub fn release(&mut self, scope: Scope) {
        if scope == Scope::All {
            self.all = None;
            for list in [&mut self.venues, &mut self.strategies, &mut self.instruments] {
                list.fill(None);
            }
            self.on = 0;
        } else if let Some(switch) = self.switch(scope)
            && switch.take().is_some()
        {
            self.on -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Market;
    use crate::domain::instrument::tests::sample;

    #[test]
    fn a_switch_stops_its_scope_and_nothing_else_until_it_is_released() {
        let instruments =
            vec![sample(Market::Spot, "A"), sample(Market::UsdM, "A"), sample(Market::UsdM, "B")];
        let table = InstrumentTable::new(instruments).expect("three");
        let mut switches = Switches::new(&table, 2);
        let orders = |switches: &Switches| {
            let mut stopped = Vec::new();
            for strategy in 0..2u8 {
                for instrument in 0..3u16 {
                    if switches.stops(StrategyId(strategy), InstrumentId(instrument)).is_some() {
                        stopped.push((strategy, instrument));
                    }
                }
            }
            stopped
        };
        let all: Vec<(u8, u16)> = (0..2).flat_map(|s| (0..3).map(move |i| (s, i))).collect();
        let cases = [
            (Scope::All, all),
            (Scope::Venue(VenueId(1)), vec![(0, 1), (0, 2), (1, 1), (1, 2)]),
            (Scope::Strategy(StrategyId(1)), vec![(1, 0), (1, 1), (1, 2)]),
            (Scope::Instrument(InstrumentId(2)), vec![(0, 2), (1, 2)]),
        ];
        for (scope, stopped) in &cases {
            let kill = Kill { scope: *scope, cause: DenyReason::Drawdown, flatten: false };
            assert!(switches.kill(&kill) && !switches.kill(&kill), "once");
            assert_eq!(&orders(&switches), stopped);
            assert_eq!(switches.cause(*scope), Some(DenyReason::Drawdown));
            switches.release(*scope);
            assert!(!switches.any() && orders(&switches).is_empty());
        }
        for (scope, _) in &cases {
            switches.kill(&Kill { scope: *scope, cause: DenyReason::Killed, flatten: false });
        }
        switches.release(Scope::Strategy(StrategyId(1)));
        assert!(switches.any());
        switches.release(Scope::All);
        assert!(!switches.any() && orders(&switches).is_empty(), "all is all");
        assert!(!switches.kill(&Kill {
            scope: Scope::Strategy(StrategyId(9)),
            cause: DenyReason::Killed,
            flatten: false
        }));
    }
}
