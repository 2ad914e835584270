//! Surveillance: whether what our own strategies do looks like what a market's rules forbid.
//!
//! Strategies are written to earn, and some of what earns is forbidden whatever it was meant to be: orders that are not
//! meant to trade (layering, spoofing, quote stuffing), trades that change no owner (wash trades), trades that are made to
//! move a price (momentum ignition, marking the close). A detector sees our orders and fills and the market's trades, in
//! their order, and says when they fit such a pattern. It does not know what was meant; who reads the alert decides.
//!
//! That two of our orders never meet is not left to a detector: the risk rule `self-trade` denies an order that would
//! meet a resting one of any of our strategies. The detector of wash trades finds what that cannot: strategies that
//! trade with each other by way of the market.
//!
//! Each detector is a pure function of what it was shown: no clock, no chance. Thresholds are in its settings; their
//! defaults are for liquid markets and are to be raised or lowered by what the alerts turn out to be. Sources of the
//! patterns: the market abuse regulation of the EU (Delegated Regulation 2016/522, annex II) and FINRA rules 2020, 5210
//! and 6140, as the guidance describes them.
//!
//! Owns: the detectors and what is done about an alert. Sends nothing itself: who feeds it acts.

mod activity;
mod close;
mod ignition;
mod observer;
mod spoofing;
mod stuffing;
mod wash;

pub use activity::{Act, Seen};
pub use close::{Close, CloseSettings};
pub use ignition::{Ignition, IgnitionSettings};
pub use observer::Observer;
pub use spoofing::{Spoofing, SpoofingSettings};
pub use stuffing::{Stuffing, StuffingSettings};
pub use wash::{Wash, WashSettings};

use crate::domain::{InstrumentId, StrategyId, Time};

/// What is done about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    /// It is recorded and logged.
    Warn,
    /// The strategy is stopped for a while: its open orders are taken back, and no new ones pass.
    Throttle,
    /// Everything is stopped until an operator releases it.
    Halt,
}

impl Reaction {
    /// For how long an alert is not repeated where one that only warns is not for `quiet_ns`. What stops is over when a
    /// throttle ends or an operator releases: the pattern that comes after that is stopped anew, not passed over.
    fn quiet_ns(self, quiet_ns: u64) -> u64 {
        match self {
            Self::Warn => quiet_ns,
            Self::Throttle | Self::Halt => quiet_ns.min(STOPPED_AGAIN_NS),
        }
    }

    /// The name used in configuration and output.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Throttle => "throttle",
            Self::Halt => "halt",
        }
    }
}

/// A pattern that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// By which detector.
    pub detector: &'static str,
    /// When.
    pub time: Time,
    /// Whose orders.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
    /// What was seen, in numbers.
    pub detail: String,
}

/// Something that looks for one pattern.
pub trait Detector: Send {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Takes in what happened next; an alert where that completes the pattern.
    fn take(&mut self, seen: &Seen) -> Option<Alert>;
}

/// Every detector, with what is done about its alerts.
pub struct Surveillance {
    detectors: Vec<(Box<dyn Detector>, Reaction)>,
    /// An alert that is no more than one is not repeated for the same detector, strategy and instrument within this time, ns.
    quiet_ns: u64,
    last: Vec<(&'static str, StrategyId, InstrumentId, Time)>,
}

impl Surveillance {
    /// These detectors.
    #[must_use]
    pub fn new(detectors: Vec<(Box<dyn Detector>, Reaction)>, quiet_ns: u64) -> Self {
        Self { detectors, quiet_ns, last: Vec::new() }
    }

    /// Whether anything is done about any alert but to warn.
    #[must_use]
    pub fn reacts(&self) -> bool {
        self.detectors.iter().any(|(_, reaction)| *reaction != Reaction::Warn)
    }

    /// Takes in what happened next, and hands out what was found, with what is to be done about it.
    pub fn take(&mut self, seen: &Seen, mut alert: impl FnMut(Alert, Reaction)) {
        for (detector, reaction) in &mut self.detectors {
            let Some(found) = detector.take(seen) else { continue };
            let same = |known: &&mut (&'static str, StrategyId, InstrumentId, Time)| {
                known.0 == found.detector && known.1 == found.strategy && known.2 == found.instrument
            };
            match self.last.iter_mut().find(same) {
                Some(known) if found.time.since(known.3) < reaction.quiet_ns(self.quiet_ns) => continue,
                Some(known) => known.3 = found.time,
                None => self.last.push((found.detector, found.strategy, found.instrument, found.time)),
            }
            alert(found, *reaction);
        }
    }
}

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// What is stopped already is not stopped again within this time, ns: orders that were under way complete patterns too.
const STOPPED_AGAIN_NS: u64 = 5 * SECOND;
