//! The kill switch: what is stopped, and why.
//!
//! What a person or surveillance stopped is stopped by a limit of losses as well, once that is met: it is then the
//! limit's, so that whoever releases it knows what for, and what the limit is to close is closed. Each limit does so once.

use crate::domain::{DenyReason, InstrumentId, InstrumentTable, Kill, Scope, StrategyId, VenueId, kill};

/// A switch that is on.
#[derive(Debug, Clone, Copy)]
struct Thrown {
    /// Why orders are denied: what threw it, or, from then on, the first limit of losses that was met since.
    cause: DenyReason,
    /// The limits of losses that threw it, or would have, a bit each.
    limits: u8,
    /// Whether what is open is closed, too.
    flatten: bool,
    /// Whether an earlier run's kill alone closes it.
    carried: bool,
}

/// What throwing a switch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threw {
    /// Nothing new: it is on already, and not for want of this limit of losses.
    Nothing,
    /// It is on already, and closes what is open from now on, or does by more than an earlier run's word.
    Closes,
    /// It is on, or is by a limit of losses that it was not on by.
    New,
}

/// What is stopped.
#[derive(Debug)]
pub(super) struct Switches {
    all: Option<Thrown>,
    venues: Vec<Option<Thrown>>,
    strategies: Vec<Option<Thrown>>,
    instruments: Vec<Option<Thrown>>,
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
        let at = |list: &[Option<Thrown>], index: usize| list.get(index).copied().flatten();
        self.all
            .or_else(|| at(&self.venues, venue))
            .or_else(|| at(&self.strategies, strategy.index()))
            .or_else(|| at(&self.instruments, instrument.index()))
            .map(|thrown| thrown.cause)
    }

    fn switch(&mut self, scope: Scope) -> Option<&mut Option<Thrown>> {
        match scope {
            Scope::All => Some(&mut self.all),
            Scope::Venue(venue) => self.venues.get_mut(usize::from(venue.0)),
            Scope::Strategy(strategy) => self.strategies.get_mut(strategy.index()),
            Scope::Instrument(instrument) => self.instruments.get_mut(instrument.index()),
        }
    }

    /// Why this is stopped, by its own switch.
    pub fn cause(&mut self, scope: Scope) -> Option<DenyReason> {
        self.switch(scope).and_then(|switch| *switch).map(|thrown| thrown.cause)
    }

    /// Whether this limit of losses threw its own switch, or would have.
    pub fn is_thrown_by(&mut self, scope: Scope, limit: DenyReason) -> bool {
        let limit = bit(limit);
        self.switch(scope).and_then(|switch| *switch).is_some_and(|thrown| thrown.limits & limit != 0)
    }

    /// Whether what is open of this is closed, by any of its switches.
    pub fn closes(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.closing(strategy, instrument).next().is_some()
    }

    /// Whether it is closed by kills of an earlier run alone.
    pub fn closes_by_carried(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.closes(strategy, instrument) && self.closing(strategy, instrument).all(|thrown| thrown.carried)
    }

    /// The switches that close what is open of this.
    fn closing(&self, strategy: StrategyId, instrument: InstrumentId) -> impl Iterator<Item = Thrown> {
        let venue = self.venue_of.get(instrument.index()).map_or(usize::MAX, |venue| usize::from(venue.0));
        let at = |list: &[Option<Thrown>], index: usize| list.get(index).copied().flatten();
        let of = [
            self.all,
            at(&self.venues, venue),
            at(&self.strategies, strategy.index()),
            at(&self.instruments, instrument.index()),
        ];
        of.into_iter().flatten().filter(|thrown| thrown.flatten)
    }

    /// Throws a switch.
    pub fn kill(&mut self, kill: &Kill) -> Threw {
        let &Kill { scope, cause, flatten, carried } = kill;
        let carried = carried && flatten;
        let limit = bit(cause);
        let Some(switch) = self.switch(scope) else { return Threw::Nothing };
        let Some(thrown) = switch else {
            *switch = Some(Thrown { cause, limits: limit, flatten, carried });
            self.on += 1;
            return Threw::New;
        };
        let closes = flatten && (!thrown.flatten || (thrown.carried && !carried));
        if closes {
            (thrown.flatten, thrown.carried) = (true, carried);
        }
        if thrown.limits | limit == thrown.limits {
            return if closes { Threw::Closes } else { Threw::Nothing };
        }
        if thrown.limits == 0 {
            thrown.cause = cause;
        }
        thrown.limits |= limit;
        Threw::New
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

/// The bit of a limit of losses; none of what is no such limit.
const fn bit(cause: DenyReason) -> u8 {
    if cause.is_of_losses() { 1 << (cause as u8 - DenyReason::DailyLoss as u8) } else { 0 }
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
            let kill = Kill { scope: *scope, cause: DenyReason::Drawdown, flatten: false, carried: false };
            assert_eq!((switches.kill(&kill), switches.kill(&kill)), (Threw::New, Threw::Nothing), "once");
            let closing = Kill { flatten: true, ..kill };
            let closed = |switches: &Switches| -> Vec<(u8, u16)> {
                let closes = |(s, i): &(u8, u16)| switches.closes(StrategyId(*s), InstrumentId(*i));
                (0..2).flat_map(|s| (0..3).map(move |i| (s, i))).filter(closes).collect()
            };
            assert!(closed(&switches).is_empty());
            assert_eq!((switches.kill(&closing), switches.kill(&closing)), (Threw::Closes, Threw::Nothing));
            assert_eq!((&closed(&switches), switches.kill(&kill)), (stopped, Threw::Nothing));
            assert_eq!(&orders(&switches), stopped);
            assert_eq!(switches.cause(*scope), Some(DenyReason::Drawdown));
            switches.release(*scope);
            assert!(!switches.any() && orders(&switches).is_empty());
        }
        for (scope, _) in &cases {
            switches.kill(&Kill { scope: *scope, cause: DenyReason::Killed, flatten: false, carried: false });
        }
        switches.release(Scope::Strategy(StrategyId(1)));
        assert!(switches.any());
        switches.release(Scope::All);
        assert!(!switches.any() && orders(&switches).is_empty(), "all is all");
        let nobodys = Kill {
            scope: Scope::Strategy(StrategyId(9)),
            cause: DenyReason::Killed,
            flatten: false,
            carried: false,
        };
        assert_eq!(switches.kill(&nobodys), Threw::Nothing);
    }

    #[test]
    fn what_an_earlier_run_was_to_close_is_closed_by_its_word_alone_until_it_is_said_again() {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "A")]).expect("one");
        let mut switches = Switches::new(&table, 1);
        let (strategy, instrument) = (StrategyId(0), InstrumentId(0));
        let (all, of) = (Scope::All, Scope::Instrument(instrument));
        let kill = |scope, carried| Kill { scope, cause: DenyReason::Killed, flatten: true, carried };
        let by_carried = |switches: &Switches| switches.closes_by_carried(strategy, instrument);
        assert!(!by_carried(&switches), "nothing closes it");
        assert_eq!(
            (switches.kill(&kill(all, true)), switches.kill(&kill(all, true))),
            (Threw::New, Threw::Nothing)
        );
        assert!(by_carried(&switches) && switches.closes(strategy, instrument));
        // By another switch, too, as long as that is on.
        assert_eq!((switches.kill(&kill(of, false)), by_carried(&switches)), (Threw::New, false));
        switches.release(of);
        assert!(by_carried(&switches));
        assert_eq!((switches.kill(&kill(all, false)), by_carried(&switches)), (Threw::Closes, false));
        assert_eq!((switches.kill(&kill(all, true)), by_carried(&switches)), (Threw::Nothing, false));
    }

    #[test]
    fn a_limit_of_losses_throws_once_what_another_threw_and_gives_it_its_name() {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "A")]).expect("one");
        use DenyReason::{DailyLoss, Drawdown, Killed, Surveillance};
        for first in [Killed, Surveillance] {
            let mut switches = Switches::new(&table, 1);
            let mut thrown = |cause| {
                let new = switches.kill(&Kill { scope: Scope::All, cause, flatten: false, carried: false });
                (new == Threw::New, switches.cause(Scope::All))
            };
            assert_eq!(thrown(first), (true, Some(first)));
            assert_eq!(thrown(Killed), (false, Some(first)), "a person says nothing new");
            assert_eq!(thrown(Drawdown), (true, Some(Drawdown)));
            assert_eq!(thrown(Drawdown), (false, Some(Drawdown)), "once");
            assert_eq!(
                thrown(DailyLoss),
                (true, Some(Drawdown)),
                "another limit, and the first is its reason"
            );
            assert_eq!(thrown(first), (false, Some(Drawdown)));
            switches.release(Scope::All);
            assert!(!switches.any(), "it is one switch");
            let anew =
                switches.kill(&Kill { scope: Scope::All, cause: Drawdown, flatten: false, carried: false });
            assert_eq!(anew, Threw::New);
        }
    }
}
