//! `[surveillance]`: what is done about which pattern.

use super::check::Checks;
use super::choices::choices;
use super::raw::{Given, RawSurveillance};
use crate::surveillance::{
    Close, CloseSettings, Detector, Ignition, IgnitionSettings, Reaction, Spoofing, SpoofingSettings,
    Stuffing, StuffingSettings, Surveillance, Wash, WashSettings,
};

choices! {
    /// What is done about a pattern.
    OnAlert {
        /// Nothing: nobody looks.
        Off = "off",
        /// It is recorded in the audit trail and logged.
        Warn = "warn",
        /// The strategy is stopped for a while.
        Throttle = "throttle",
        /// Everything is stopped until an operator releases it.
        Halt = "halt",
    }
}

impl OnAlert {
    const fn reaction(self) -> Option<Reaction> {
        match self {
            Self::Off => None,
            Self::Warn => Some(Reaction::Warn),
            Self::Throttle => Some(Reaction::Throttle),
            Self::Halt => Some(Reaction::Halt),
        }
    }
}

/// `[surveillance]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveillanceConfig {
    /// Layering and spoofing.
    pub spoofing: OnAlert,
    /// Quote stuffing.
    pub quote_stuffing: OnAlert,
    /// Wash trades.
    pub wash_trades: OnAlert,
    /// Momentum ignition.
    pub momentum_ignition: OnAlert,
    /// Marking the close.
    pub marking_the_close: OnAlert,
    /// Seconds in which an alert is not repeated.
    pub quiet_seconds: u32,
    /// Seconds for which a strategy is throttled.
    pub throttle_seconds: u32,
}

impl SurveillanceConfig {
    pub(super) fn check(raw: &RawSurveillance, checks: &mut Checks<'_>) -> Self {
        let mut choice = |given: &Given<String>| checks.choice(given, OnAlert::ALL, OnAlert::Warn);
        Self {
            spoofing: choice(&raw.spoofing),
            quote_stuffing: choice(&raw.quote_stuffing),
            wash_trades: choice(&raw.wash_trades),
            momentum_ignition: choice(&raw.momentum_ignition),
            marking_the_close: choice(&raw.marking_the_close),
            quiet_seconds: checks.integer(&raw.quiet_seconds, 1..=86_400, 60),
            throttle_seconds: checks.integer(&raw.throttle_seconds, 1..=86_400, 60),
        }
    }
}

impl super::Config {
    /// The detectors that `[surveillance]` asks for; none where all are off.
    #[must_use]
    pub fn surveillance(&self) -> Option<Surveillance> {
        let s = &self.surveillance;
        let calendars =
            self.trading_hours().calendars().map(|(id, calendar)| (id, calendar.clone())).collect();
        let all: [(OnAlert, Box<dyn Detector>); 5] = [
            (s.spoofing, Box::new(Spoofing::new(SpoofingSettings::default()))),
            (s.quote_stuffing, Box::new(Stuffing::new(StuffingSettings::default()))),
            (s.wash_trades, Box::new(Wash::new(WashSettings::default()))),
            (s.momentum_ignition, Box::new(Ignition::new(IgnitionSettings::default()))),
            (s.marking_the_close, Box::new(Close::new(CloseSettings::default(), calendars))),
        ];
        let asked = all.into_iter().filter_map(|(on, detector)| Some((detector, on.reaction()?)));
        let asked: Vec<_> = asked.collect();
        let quiet_ns = u64::from(s.quiet_seconds) * 1_000_000_000;
        (!asked.is_empty()).then(|| Surveillance::new(asked, quiet_ns))
    }
}
