//! What one run may have otherwise than its configuration says, and why it cannot be assembled.

use super::TradingStage;
use crate::domain::params::ConfigProblem;
use crate::domain::{InstrumentId, OrderId, StrategyId};
use crate::execution::fills::{FillSettings, MarketModel};
use crate::execution::live::HandoverSender;
use crate::execution::score::ScoreSettings;
use crate::journal::{JournalError, JournalWriter, Lineage, Resumed};
use crate::market::{IndicatorRequest, KnownIndicators, Sourcing, TopSource};
use crate::pipeline::{Threading, TopologyError, Wait};
use crate::risk::Carried;
use crate::risk::watch::WatchSender;
use crate::strategy::{ClosingPace, Strategy, StrategySpec};
use crate::venue::VenueTerms;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// What may differ from the configuration for one run.
#[derive(Default)]
pub struct PipelineOptions {
    /// Instead of `[pipeline] threading`.
    pub threading: Option<Threading>,
    /// Instead of `[pipeline] wait`.
    pub wait: Option<Wait>,
    /// Instead of `[pipeline] oversubscribe = false`.
    pub oversubscribe: bool,
    /// Instead of `[journal] path`.
    pub journal: Option<PathBuf>,
    /// A ready-made journal writer, for tests.
    pub journal_writer: Option<JournalWriter>,
    /// Answers come from the events themselves (a journal is replayed), not from the stages.
    pub answers_recorded: bool,
    /// The feed is live: time is the wall clock's.
    pub live: bool,
    /// The run's epoch, where the configuration gives none.
    pub epoch: u64,
    /// What the venue told of its instruments, instead of what instrument files say.
    pub terms: Option<VenueTerms>,
    /// The number that the venue gives the account that orders are sent for, where it says one.
    pub account: Option<u64>,
    /// What an earlier run left, to go on with; its epoch is then this run's.
    pub resumed: Option<Resumed>,
    /// Where the run stands among those that went on one with another.
    pub lineage: Option<Lineage>,
    /// What losses and the day's counts go on from.
    pub carried: Option<Carried>,
    /// Risk's wallets do not follow what moves in the account elsewhere: the journal that is replayed is from before they did.
    pub ignores_account: bool,
    /// What makes that a kill's closing is asked for less and less often; another than the usual where the journal that is
    /// replayed is from before.
    pub closing_pace: ClosingPace,
    /// What protects a position is taken back for an earlier run's kill even while nothing is closed by it: the journal that is
    /// replayed is from before it stayed.
    pub bares_what_waits: bool,
    /// Orders are handed to a thread that sends them, by this lane, instead of to the paper gateway.
    pub handover: Option<HandoverSender>,
    /// What stands in place of a venue and its feed in a backtest.
    pub simulation: Option<Simulation>,
    /// Is told each change of the kill switch.
    pub watch: Option<WatchSender>,
    /// Commands come from outside, by [`Pipeline::commands`](super::Pipeline::commands).
    pub commanded: bool,
    /// Risk keeps what its rules compared for this order, to tell why; only with `answers_recorded`.
    pub asked: Option<OrderId>,
    /// More strategies than the built-in ones.
    pub strategies: &'static [StrategySpec],
    /// Another stage in place of the named one, for tests: it is given the real one.
    pub wrap: Option<StageWrapper>,
    /// Another strategy in place of each, for tests: it is given the real one.
    pub wrap_strategies: Option<StrategyWrapper>,
    /// Events come from a test: its thread stays where it is, since many of them share its core, and no trade was before.
    pub by_hand: bool,
}

/// What stands in place of a venue and its feed in a backtest.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// How orders fill.
    pub fills: FillSettings,
    /// What each instrument's tops and bars are made of.
    pub sourcing: Vec<Sourcing>,
    /// What is to be scored.
    pub score: ScoreSettings,
    /// Values of indicators that are known already.
    pub known: Option<Arc<dyn KnownIndicators>>,
}

impl Simulation {
    /// Instruments that are known by their bars alone.
    pub(super) fn of_bars(&self) -> Vec<bool> {
        self.sourcing.iter().map(|sourcing| sourcing.top == TopSource::Bars).collect()
    }

    /// Instruments whose orders fill by their books.
    pub(super) fn with_books(&self) -> Vec<bool> {
        let of_depth = |model: &MarketModel| matches!(model, MarketModel::Depth { .. });
        self.fills.models.iter().map(of_depth).collect()
    }

    /// Instruments whose books are looked at: by what fills orders, or, whatever does, by strategies.
    pub(super) fn with_market_books(&self, lent: &[bool], requests: &[IndicatorRequest]) -> Vec<bool> {
        let mut looked_at = self.with_books();
        for (looked_at, lent) in looked_at.iter_mut().zip(lent) {
            *looked_at |= lent;
        }
        for request in requests.iter().filter(|request| request.is_of_book()) {
            looked_at[request.instrument.index()] = true;
        }
        looked_at
    }
}

/// Wraps a stage, for tests.
pub type StageWrapper = Box<dyn FnMut(TradingStage) -> TradingStage + Send>;

/// Wraps a strategy, for tests: its place in the configuration, what it may trade, and itself.
pub type StrategyWrapper =
    Box<dyn FnMut(StrategyId, &[InstrumentId], Box<dyn Strategy>) -> Box<dyn Strategy> + Send>;

/// Why a pipeline cannot be assembled.
#[derive(Debug, Error)]
pub enum PipelineError {
    /// The threads asked for cannot be.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Strategies do not fit; each problem with file and line.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Strategies(Vec<ConfigProblem>),
    /// A strategy does not fit its instruments or indicators.
    #[error("strategy {label:?}: {problem}")]
    Setup {
        /// Which.
        label: String,
        /// Why.
        problem: String,
    },
    /// What a strategy asks for is computed of bars, and none will be made.
    #[error(
        "{file}: [venue] streams has neither \"trade\" nor \"aggTrade\", so no bar of {instrument} is made, and {indicator} \
         never has a value: add one of them (bars are made of trades; klines make none)"
    )]
    NoBars {
        /// The configuration.
        file: String,
        /// Of what.
        instrument: String,
        /// The indicator.
        indicator: &'static str,
    },
    /// More strategies than a run can hold.
    #[error("a run holds at most 255 strategies, and {0} are configured")]
    TooManyStrategies(usize),
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(#[source] std::io::Error),
}

impl PipelineError {
    /// Whether it is of the moment, as a disk that is full, and not of what was asked for.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Journal(JournalError::Io { .. }) | Self::Thread(_))
    }
}
