//! Surveillance of a run, beside it: what its journal shows is looked at, and what is found goes into the audit trail.
//!
//! A warning is recorded and logged. To throttle a strategy or to halt trading is for whoever can send commands into the
//! run: a [`Reactor`], which is told and says whether it could. What became of it is in the record. In a live run that
//! is the control thread: `reactions` are the two ends between it and the trail's thread.

use super::alerts::{self, Alerts};
use super::config::Config;
use crate::audit::Body;
use crate::domain::Instrument;
use crate::journal::Entry;
use crate::surveillance::{Observer, Reaction, Surveillance};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::time::Duration;

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

/// A reaction that waits to be carried out, and by which it is told what became of it.
#[derive(Debug)]
pub(super) struct Wanted {
    pub what: Reacting,
    pub done: Sender<Result<(), String>>,
}

/// How long a reaction waits for whoever carries it out.
const CARRIED_OUT_WITHIN: Duration = Duration::from_secs(2);

/// A reactor, and where its reactions arrive.
pub(super) fn reactions() -> (Reactor, Receiver<Wanted>) {
    let (wanted, arrives) = unbounded();
    let reactor = move |what: &Reacting| {
        let (done, told) = bounded(1);
        let over = || "the run has ended".to_owned();
        wanted.send(Wanted { what: what.clone(), done }).map_err(|_| over())?;
        match told.recv_timeout(CARRIED_OUT_WITHIN) {
            Ok(done) => done,
            Err(error) if error.is_timeout() => Err("nobody answered in time".to_owned()),
            Err(_) => Err(over()),
        }
    };
    (Box::new(reactor), arrives)
}

/// See the module.
pub struct Watch {
    surveillance: Surveillance,
    observer: Observer,
    strategies: Vec<String>,
    instruments: Vec<String>,
    reactor: Option<Reactor>,
    alerts: Alerts,
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
            alerts: Alerts::default(),
        }
    }

    /// The same with somebody who acts on what is more than a warning.
    #[must_use]
    pub fn reacting_by(mut self, reactor: Reactor) -> Self {
        self.reactor = Some(reactor);
        self
    }

    /// The same where nobody acts yet.
    #[must_use]
    pub(super) fn reacting_else_by(self, reactor: Reactor) -> Self {
        if self.reactor.is_some() { self } else { self.reacting_by(reactor) }
    }

    /// The same where what is found is an alert too.
    #[must_use]
    pub(super) fn alerting(mut self, alerts: Alerts) -> Self {
        self.alerts = alerts;
        self
    }

    /// Whether anything that it may find is more than a warning.
    #[must_use]
    pub fn reacts(&self) -> bool {
        self.surveillance.reacts()
    }

    /// Takes one entry in, and adds what was found to `records`.
    pub(super) fn take(&mut self, entry: &Entry, records: &mut Vec<Body>) {
        let Self { surveillance, observer, strategies, instruments, reactor, alerts } = self;
        let Some(seen) = observer.take(entry) else { return };
        surveillance.take(&seen, |alert, reaction| {
            let strategy = strategies.get(alert.strategy.index()).cloned().unwrap_or_default();
            let instrument = instruments.get(alert.instrument.index()).cloned().unwrap_or_default();
            let (detector, detail, at) = (alert.detector.to_owned(), alert.detail, alert.time);
            log::warn!("surveillance: {detector} by {strategy} on {instrument}: {detail}");
            let why = format!("{detector}: {detail}");
            let what = Reacting { reaction, strategy: strategy.clone(), instrument: instrument.clone(), why };
            let done = react(reactor, &what);
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
            alerts.raise(alerts::Alert::found(&detector, &what, &reaction, at));
            records.push(Body::Alert { detector, reaction, strategy, instrument, detail });
        });
    }
}

fn react(reactor: &mut Option<Reactor>, what: &Reacting) -> Result<(), String> {
    match (what.reaction, reactor) {
        (Reaction::Warn, _) => Ok(()),
        (_, Some(reactor)) => reactor(what),
        (_, None) => Err("nothing in this run takes commands".to_owned()),
    }
}
