//! `[hours]` and a strategy's `hours`: which calendar holds for what.

use super::check::Checks;
use super::instruments::Instruments;
use crate::calendar::{BUILT_IN, Calendar, Hours};
use crate::domain::params::not_known;
use crate::domain::{InstrumentTable, StrategyId, Time};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use toml::Spanned;

/// A calendar, and whether its sessions before and after the main one count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoursConfig {
    /// The calendar's name.
    pub calendar: String,
    /// Whether its sessions before and after the main one count.
    pub extended: bool,
}

/// What stands after a calendar's name where all its sessions count.
const EXTENDED: &str = " extended";

impl fmt::Display for HoursConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.calendar, if self.extended { EXTENDED } else { "" })
    }
}

impl HoursConfig {
    /// `"us-equity"`, or `"us-equity extended"`.
    pub(super) fn check(given: &Spanned<String>, checks: &mut Checks<'_>) -> Option<Self> {
        let text = given.get_ref();
        let (name, extended) = match text.strip_suffix(EXTENDED) {
            Some(name) => (name, true),
            None => (text.as_str(), false),
        };
        let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        if !known.contains(&name) {
            checks.refuse(&given.span(), not_known("a calendar", name, &known));
            return None;
        }
        Some(Self { calendar: name.to_owned(), extended })
    }
}

/// `[hours]`: calendars by venue and market (`"usa:spot"`).
pub(super) fn check(
    raw: &BTreeMap<String, Spanned<String>>,
    instruments: &Instruments,
    checks: &mut Checks<'_>,
) -> BTreeMap<String, HoursConfig> {
    let mut all = BTreeMap::new();
    for (place, given) in raw {
        let trades = |table: &InstrumentTable| {
            table.all().iter().any(|i| format!("{}:{}", i.venue, i.market) == *place)
        };
        if instruments.table.as_ref().is_some_and(|table| !trades(table)) {
            checks.refuse(
                &given.span(),
                "must be of a venue and market of the instruments, such as \"binance:spot\"",
            );
        }
        if let Some(hours) = HoursConfig::check(given, checks) {
            all.insert(place.clone(), hours);
        }
    }
    all
}

/// What is told of a calendar that ends within so long after a run.
const ENDS_SOON_NS: u64 = 60 * 24 * 3_600 * 1_000_000_000;

impl super::Config {
    /// What is to be told of calendars whose days are known no further than `until`, or not much: a sentence each. `until` is
    /// the present of a run, or the last moment of a history.
    #[must_use]
    pub fn hours_that_end(&self, until: Time) -> Vec<String> {
        let hours = self.trading_hours();
        let near = |ends: &Time| ends.0 <= until.0.saturating_add(ENDS_SOON_NS);
        let ending =
            hours.each().into_iter().filter_map(|calendar| Some((calendar, calendar.ends().filter(near)?)));
        let told = ending.map(|(calendar, ends)| {
            let name = calendar.name();
            let means = "from there on it counts as closed: nothing is traded but what reduces a position";
            if ends <= until {
                format!("[hours] {name}: its days are known up to {ends} ALONE, and this goes on to {until}: {means}")
            } else {
                format!("[hours] {name}: its days are known up to {ends} alone, which is soon: {means}")
            }
        });
        told.collect()
    }

    /// When which instrument and which strategy may trade.
    #[must_use]
    pub fn trading_hours(&self) -> Hours {
        let mut made: BTreeMap<&str, Arc<Calendar>> = BTreeMap::new();
        let mut hours = Hours::none();
        let mut calendar = |name: &'_ str| -> Option<Arc<Calendar>> {
            let (name, _) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
            if !made.contains_key(name) {
                // Built-in calendars are good, as their test proves.
                made.insert(name, Arc::new(Calendar::built_in(name).ok()?));
            }
            made.get(name).cloned()
        };
        for instrument in self.instruments.all() {
            let Some(of) = self.hours.get(&format!("{}:{}", instrument.venue, instrument.market)) else {
                continue;
            };
            if let Some(calendar) = calendar(&of.calendar) {
                hours.of_instrument(instrument.id, calendar, of.extended);
            }
        }
        for (id, strategy) in (0u8..).zip(&self.strategies) {
            let Some(of) = &strategy.hours else { continue };
            if let Some(calendar) = calendar(&of.calendar) {
                hours.of_strategy(StrategyId(id), calendar, of.extended);
            }
        }
        hours
    }
}
