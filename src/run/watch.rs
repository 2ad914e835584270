//! Surveillance of a run, beside it: what its journal shows is looked at, and what is found goes into the audit trail.

use super::config::Config;
use crate::audit::Body;
use crate::domain::Instrument;
use crate::journal::Entry;
use crate::surveillance::{Observer, Surveillance};

/// See the module.
pub struct Watch {
    surveillance: Surveillance,
    observer: Observer,
    strategies: Vec<String>,
    instruments: Vec<String>,
}

impl Watch {
    /// What `[surveillance]` asks for.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        Some(Self {
            surveillance: config.surveillance()?,
            observer: Observer::default(),
            strategies: config.strategies.iter().map(|s| s.label.clone()).collect(),
            instruments: config.instruments.all().iter().map(Instrument::name).collect(),
        })
    }

    /// Takes one entry in, and adds what was found to `records`.
    pub(super) fn take(&mut self, entry: &Entry, records: &mut Vec<Body>) {
        let Self { surveillance, observer, strategies, instruments } = self;
        let Some(seen) = observer.take(entry) else { return };
        surveillance.take(&seen, |alert, reaction| {
            let strategy = strategies.get(alert.strategy.index()).cloned().unwrap_or_default();
            let instrument = instruments.get(alert.instrument.index()).cloned().unwrap_or_default();
            let (detector, detail) = (alert.detector, &alert.detail);
            log::warn!("surveillance: {detector} by {strategy} on {instrument}: {detail}");
            records.push(Body::Alert {
                detector: detector.to_owned(),
                reaction: reaction.label().to_owned(),
                strategy,
                instrument,
                detail: alert.detail,
            });
        });
    }
}
