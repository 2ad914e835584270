//! Which calendar holds for what: by instrument and by strategy.
//!
//! Enforced where orders are placed (`strategy/desk.rs`), by the sequencer's time. An order that was placed while it was
//! open is seen through: a stop that waits goes out when it is triggered, and protection is never held back.

use super::hours::Calendar;
use crate::domain::{InstrumentId, StrategyId, Time};
use std::sync::Arc;

/// Calendars by instrument and strategy. What has none may trade at any time.
#[derive(Debug, Clone, Default)]
pub struct Hours {
    instruments: Vec<Option<Times>>,
    strategies: Vec<Option<Times>>,
}

/// A calendar, and whether its sessions before and after the main one count.
#[derive(Debug, Clone)]
struct Times {
    calendar: Arc<Calendar>,
    extended: bool,
}

impl Hours {
    /// No calendar for anything.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether there is no calendar for anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instruments.iter().chain(&self.strategies).all(Option::is_none)
    }

    /// Gives an instrument its calendar.
    pub fn of_instrument(&mut self, id: InstrumentId, calendar: Arc<Calendar>, extended: bool) {
        put(&mut self.instruments, id.index(), Times { calendar, extended });
    }

    /// Gives a strategy its calendar.
    pub fn of_strategy(&mut self, id: StrategyId, calendar: Arc<Calendar>, extended: bool) {
        put(&mut self.strategies, id.index(), Times { calendar, extended });
    }

    /// The instruments that have a calendar, with it.
    pub fn calendars(&self) -> impl Iterator<Item = (InstrumentId, &Arc<Calendar>)> {
        let ids = (0..=u16::MAX).map(InstrumentId);
        ids.zip(&self.instruments).filter_map(|(id, times)| Some((id, &times.as_ref()?.calendar)))
    }

    /// Each calendar that anything has, once.
    #[must_use]
    pub fn each(&self) -> Vec<&Calendar> {
        let mut all: Vec<&Calendar> = Vec::new();
        for times in self.instruments.iter().chain(&self.strategies).flatten() {
            if all.iter().all(|known| known.name() != times.calendar.name()) {
                all.push(&times.calendar);
            }
        }
        all
    }

    /// Whether this strategy may trade this instrument at `time`: both are open.
    #[inline]
    #[must_use]
    pub fn is_open(&self, strategy: StrategyId, instrument: InstrumentId, time: Time) -> bool {
        let open = |all: &[Option<Times>], at: usize| match all.get(at) {
            Some(Some(times)) => times.calendar.is_open(time, times.extended),
            _ => true,
        };
        open(&self.instruments, instrument.index()) && open(&self.strategies, strategy.index())
    }
}

fn put(all: &mut Vec<Option<Times>>, at: usize, times: Times) {
    if all.len() <= at {
        all.resize(at + 1, None);
    }
    all[at] = Some(times);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_the_instrument_and_the_strategy_have_to_be_open() {
        let calendar = |name| Arc::new(Calendar::built_in(name).expect("built in"));
        let at = |text: &str| {
            let moment: jiff::Timestamp = text.parse().expect("a moment");
            Time(u64::try_from(moment.as_nanosecond()).expect("after 1970"))
        };
        let mut hours = Hours::none();
        let (stock, coin) = (InstrumentId(3), InstrumentId(4));
        assert!(hours.is_empty() && hours.is_open(StrategyId(0), stock, at("2024-07-06T15:00:00Z")));
        hours.of_instrument(stock, calendar("us-equity"), true);
        hours.of_strategy(StrategyId(1), calendar("us-equity"), false);
        // Before the main session in New York.
        let early = at("2024-07-05T12:00:00Z");
        assert!(hours.is_open(StrategyId(0), stock, early) && !hours.is_open(StrategyId(1), stock, early));
        assert!(hours.is_open(StrategyId(0), coin, early) && !hours.is_open(StrategyId(1), coin, early));
        let main = at("2024-07-05T15:00:00Z");
        assert!(hours.is_open(StrategyId(1), stock, main) && hours.is_open(StrategyId(1), coin, main));
        let weekend = at("2024-07-06T15:00:00Z");
        assert!(!hours.is_open(StrategyId(0), stock, weekend) && hours.is_open(StrategyId(0), coin, weekend));
    }
}
