//! What is told of an order.

use super::super::config::ConfigError;
use super::super::pipeline::PipelineError;
use crate::audit::Body;
use crate::journal::JournalError;
use serde::Serialize;
use thiserror::Error;

/// How an order came about, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Why {
    /// The order's number within its run.
    pub order: u64,
    /// What the venue knows it by.
    pub client_id: String,
    /// The order, and the decision on it, as the audit trail has it.
    pub decision: Body,
    /// The event that it answers.
    pub seq: u64,
    /// Its time.
    pub time: String,
    /// What happened last, the event that the order answers at the end.
    pub events: Vec<Told>,
    /// Best bid and ask as the strategy saw them.
    pub book: String,
    /// Indicator values as the strategy saw them.
    pub indicators: Vec<IndicatorValue>,
    /// The strategy, and its parameters.
    pub strategy: StrategyFacts,
    /// The strategy's position in the instrument then.
    #[serde(rename = "qty")]
    pub position: String,
    /// How it was sized, where the strategy has sizing and asked for a size at this event.
    pub sizing: Option<SizingFacts>,
    /// What the rules said.
    pub rules: Vec<RuleResult>,
    /// What was done with it afterwards.
    pub afterwards: Vec<Told>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The event.
    pub seq: u64,
    /// When.
    pub time: String,
    /// What.
    pub text: String,
}

/// An indicator's values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IndicatorValue {
    /// Such as `sma(20) of binance:spot:BTCUSDT`.
    pub name: String,
    /// Empty while it warmed up.
    pub values: Vec<f64>,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StrategyFacts {
    /// Its label.
    pub label: String,
    /// Which strategy it is.
    pub name: String,
    /// What it does.
    pub doc: String,
    /// Its parameters, given and by default, `name = value`.
    pub params: Vec<String>,
}

/// How an order was sized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SizingFacts {
    /// By which method, with which settings, in words.
    pub method: String,
    /// The asset that is bought or sold.
    pub base: String,
    /// The asset that it is paid with.
    pub quote: String,
    /// The strategy's equity, in the quote asset.
    pub equity: String,
    /// What could be spent or lost, in the quote asset; zero for a fixed quantity.
    pub budget: String,
    /// What one whole of the base asset costs or loses.
    pub unit: String,
    /// What that is: its price, the distance to the stop, or the average true range.
    pub unit_is: &'static str,
    /// The quantity before lots, caps and smallest sizes.
    pub wanted: String,
    /// The quantity that was allowed.
    pub qty: String,
}

/// What a rule said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleResult {
    /// The rule.
    pub rule: String,
    /// Whether it let the order pass.
    pub passed: bool,
    /// Why not, or what it compares.
    pub detail: String,
    /// What it compared, by what it would have denied for; of the rule that denied, that alone. Empty where it compares
    /// no numbers, or had none to compare.
    pub compared: Vec<Compared>,
}

/// A limit that an order was held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// What the order is denied for if it does not pass.
    pub reason: String,
    /// The limit, what the order came to, and their unit.
    #[serde(flatten)]
    pub told: crate::risk::Told,
}

/// Why a journal does not tell.
#[derive(Debug, Error)]
pub enum WhyError {
    /// The journal does not read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal has no such order.
    #[error("{journal}: there is no order {order} in this run")]
    NoOrder {
        /// The journal.
        journal: String,
        /// What was asked for.
        order: String,
    },
    /// The configuration is refused by this version.
    #[error("{journal}: its configuration is refused by this version:\n{error}")]
    Config {
        /// The journal.
        journal: String,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// The run cannot be run again.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The run's instruments do not fit together, or it ended before.
    #[error("{journal}: the run cannot be run again up to event {seq}: {problem}")]
    NotAgain {
        /// The journal.
        journal: String,
        /// The event.
        seq: u64,
        /// Why.
        problem: String,
    },
}
