//! The kill switch's scopes by their names, as people write them and files keep them.

use crate::domain::{InstrumentId, InstrumentTable, Scope, StrategyId, VenueId, kill};
use crate::run::config::Config;
use thiserror::Error;

/// What scopes are called in one run. Numbers differ from run to run; names are what is kept.
#[derive(Debug, Clone, Default)]
pub struct ScopeNames {
    venues: Vec<String>,
    strategies: Vec<String>,
    instruments: Vec<String>,
}

/// A name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Of that kind nothing is called so.
    #[error("there is no {kind} {name:?} in this run; there are: {known}")]
    Unknown {
        /// What kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
        /// What would do.
        known: String,
    },
    /// No such kind.
    #[error("{0:?} is no scope: use all, venue NAME, strategy LABEL or instrument VENUE:MARKET:SYMBOL")]
    NoScope(String),
}

impl ScopeNames {
    /// The names of a run.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let table: &InstrumentTable = &config.instruments;
        Self {
            venues: kill::venues(table),
            strategies: config.strategies.iter().map(|s| s.label.clone()).collect(),
            instruments: table.all().iter().map(|i| i.name()).collect(),
        }
    }

    /// The venues, each part of one by itself.
    #[must_use]
    pub fn venues(&self) -> &[String] {
        &self.venues
    }

    /// The strategies, by label.
    #[must_use]
    pub fn strategies(&self) -> &[String] {
        &self.strategies
    }

    /// The instruments.
    #[must_use]
    pub fn instruments(&self) -> &[String] {
        &self.instruments
    }

    /// The scopes that a text such as `strategy ma-cross` names. A venue without its market is all of its parts.
    ///
    /// # Errors
    /// [`NameError`], with what would do.
    pub fn read(&self, text: &str) -> Result<Vec<Scope>, NameError> {
        let text = text.trim();
        let (kind, name) = text.split_once(' ').map_or((text, ""), |(kind, name)| (kind, name.trim()));
        let unknown = |kind, known: &[String]| NameError::Unknown {
            kind,
            name: name.to_owned(),
            known: known.join(", "),
        };
        let find = |list: &[String]| list.iter().position(|known| known == name);
        match kind {
            "all" if name.is_empty() => Ok(vec![Scope::All]),
            "venue" => {
                let part = |known: &String| known == name || known.split(':').next() == Some(name);
                let found: Vec<Scope> = (0u8..)
                    .zip(&self.venues)
                    .filter(|(_, known)| part(known))
                    .map(|(id, _)| Scope::Venue(VenueId(id)))
                    .collect();
                if found.is_empty() { Err(unknown("venue", &self.venues)) } else { Ok(found) }
            }
            "strategy" => find(&self.strategies)
                .and_then(|at| u8::try_from(at).ok())
                .map(|at| vec![Scope::Strategy(StrategyId(at))])
                .ok_or_else(|| unknown("strategy", &self.strategies)),
            "instrument" => find(&self.instruments)
                .and_then(|at| u16::try_from(at).ok())
                .map(|at| vec![Scope::Instrument(InstrumentId(at))])
                .ok_or_else(|| unknown("instrument", &self.instruments)),
            _ => Err(NameError::NoScope(text.to_owned())),
        }
    }

    /// The instrument of this name.
    ///
    /// # Errors
    /// [`NameError`], with what would do.
    pub fn instrument(&self, name: &str) -> Result<InstrumentId, NameError> {
        let name = name.trim();
        let at = self.instruments.iter().position(|known| known == name);
        at.and_then(|at| u16::try_from(at).ok()).map(InstrumentId).ok_or_else(|| NameError::Unknown {
            kind: "instrument",
            name: name.to_owned(),
            known: self.instruments.join(", "),
        })
    }

    /// An instrument's name.
    #[must_use]
    pub fn of(&self, instrument: InstrumentId) -> String {
        let name = self.instruments.get(instrument.index());
        name.cloned().unwrap_or_else(|| Scope::Instrument(instrument).to_string())
    }

    /// The scope's name, which [`read`](Self::read) takes.
    #[must_use]
    pub fn show(&self, scope: Scope) -> String {
        let named = |kind: &str, list: &[String], at: usize| {
            list.get(at).map_or_else(|| scope.to_string(), |name| format!("{kind} {name}"))
        };
        match scope {
            Scope::All => "all".to_owned(),
            Scope::Venue(venue) => named("venue", &self.venues, usize::from(venue.0)),
            Scope::Strategy(strategy) => named("strategy", &self.strategies, strategy.index()),
            Scope::Instrument(instrument) => named("instrument", &self.instruments, instrument.index()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_and_what_is_wrong_is_told_with_what_would_do() {
        let config = Config::embedded_default();
        let names = ScopeNames::new(&config);
        for scope in [
            Scope::All,
            Scope::Venue(VenueId(1)),
            Scope::Strategy(StrategyId(2)),
            Scope::Instrument(InstrumentId(0)),
        ] {
            assert_eq!(names.read(&names.show(scope)), Ok(vec![scope]));
        }
        let parts = kill::venues(&config.instruments).len();
        assert_eq!(names.read("venue binance").map(|scopes| scopes.len()), Ok(parts));
        let said = names.read("strategy ma-crosss").expect_err("no such").to_string();
        assert!(said.contains("ma-cross, rsi-reversion"), "{said}");
        for wrong in ["", "everything", "all of it", "instrument", "venue kraken"] {
            assert!(names.read(wrong).is_err(), "{wrong}");
        }
    }
}
