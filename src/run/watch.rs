//! Surveillance of a run, beside it: what its journal shows is looked at, and what is found goes into the audit trail.
//!
//! A warning is recorded and logged. To throttle a strategy or to halt trading is for whoever can send commands into the
//! run: a [`Reactor`], which is told and says whether it could. What became of it is in the record.

use super::config::Config;
use crate::audit::Body;
use crate::domain::Instrument;
use crate::journal::Entry;
use crate::surveillance::{Observer, Reaction, Surveillance};

/// What is to be done, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reacting {
    /// What: to throttle, or to halt.
    pub reaction: Reaction,
    /// Whose orders, by label.
    pub strategy: String,
    /// Of what.
    pub instrument: String,
    /// The detector, and what it saw.
    pub why: String,
}

/// Throttles and halts; an error says why it could not.
pub type Reactor = Box<dyn FnMut(&Reacting) -> Result<(), String> + Send>;

/// See the module.
pub struct Watch {
    surveillance: Surveillance,
    observer: Observer,
    strategies: Vec<String>,
    instruments: Vec<String>,
    reactor: Option<Reactor>,
}

impl Watch {
    /// What `[surveillance]` asks for.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        Some(Self::with(config.surveillance()?, config))
    }

    /// The same with these detectors.
    #[must_use]
    pub fn with(surveillance: Surveillance, config: &Config) -> Self {
        Self {
            surveillance,
            observer: Observer::default(),
            strategies: config.strategies.iter().map(|s| s.label.clone()).collect(),
            instruments: config.instruments.all().iter().map(Instrument::name).collect(),
            reactor: None,
        }
    }

    /// The same with somebody who acts on what is more than a warning.
    #[must_use]
    pub fn reacting_by(mut self, reactor: Reactor) -> Self {
        self.reactor = Some(reactor);
        self
    }

    /// Takes one entry in, and adds what was found to `records`.
    pub(super) fn take(&mut self, entry: &Entry, records: &mut Vec<Body>) {
        let Self { surveillance, observer, strategies, instruments, reactor } = self;
        let Some(seen) = observer.take(entry) else { return };
        surveillance.take(&seen, |alert, reaction| {
            let strategy = strategies.get(alert.strategy.index()).cloned().unwrap_or_default();
            let instrument = instruments.get(alert.instrument.index()).cloned().unwrap_or_default();
            let (detector, detail) = (alert.detector.to_owned(), alert.detail);
            log::warn!("surveillance: {detector} by {strategy} on {instrument}: {detail}");
            let why = format!("{detector}: {detail}");
            let done = react(
                reactor,
                Reacting { reaction, strategy: strategy.clone(), instrument: instrument.clone(), why },
            );
            let reaction = match done {
                Ok(()) => reaction.label().to_owned(),
                Err(problem) => {
                    log::error!(
                        "surveillance: {} was asked for, and could not be: {problem}",
                        reaction.label()
                    );
                    format!("{} not done: {problem}", reaction.label())
                }
            };
            records.push(Body::Alert { detector, reaction, strategy, instrument, detail });
        });
    }
}

fn react(reactor: &mut Option<Reactor>, what: Reacting) -> Result<(), String> {
    match (what.reaction, reactor) {
        (Reaction::Warn, _) => Ok(()),
        (_, Some(reactor)) => reactor(&what),
        (_, None) => Err("nothing in this run takes commands".to_owned()),
    }
}
