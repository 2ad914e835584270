//! Strategies: the trait, the context they trade through, the order manager beneath it, and the built-in ones.
//!
//! Owns: what strategies want. Sends intents to risk and to nobody else; a strategy never sees a socket, a clock or
//! another strategy. Invariant: the same events give the same intents, whatever else runs in the process.

mod awaited;
pub mod context;
pub mod desk;
mod flatten;
pub mod imbalance_maker;
pub mod intent;
pub mod ma_cross;
pub mod manager;
pub mod registry;
pub mod rsi_reversion;
pub mod sizing;
pub mod stage;
pub mod stopped;

pub use awaited::{Awaited, Condition, Measured};
pub use context::{Bracket, Context, OrderRequest, Protect};
pub use flatten::ClosingPace;
pub use intent::{Action, Change, Intent, Note};
pub use manager::Protection;
pub use registry::{BUILT_IN, StrategySpec};
pub use sizing::{NoSize, Sized, Sizer};
pub use stage::StrategyStage;

use crate::domain::event::{Report, Trade};
use crate::domain::order::OrderState;
use crate::domain::params::{ConfigProblem, Params};
use crate::domain::{DenyReason, InstrumentId, InstrumentTable, Qty, StrategyId};
use crate::market::book::Book;
use crate::market::{Bar, IndicatorRequest, Top};

/// A trading algorithm. Every method has an empty default: implement what you need.
///
/// Calls come in ring order. Whatever is done through the [`Context`] leaves for risk at the same event.
///
/// A run that goes on with another's journal (`run --recover`) makes each strategy anew, by its
/// [`build`](registry::StrategySpec::build). What the desk kept is there again before the first call:
/// [positions](Context::position) with what they earned, [open orders](Context::open_orders) and
/// [protections](Context::protections), those that only the order manager holds among them. What the strategy kept itself is
/// not: its fields are those of a new one, timers that were set never come, and indicators, and the range of a sizing, begin with
/// the bars of before that the venue gives. So what it has to know of a position it asks the context for, at each call, and
/// [`on_fill`](Self::on_fill) and [`on_order`](Self::on_order) may speak of orders that this one never sent.
pub trait Strategy: Send {
    /// The best bid or ask of a subscribed instrument changed, or whether it can be trusted did.
    fn on_quote(&mut self, _ctx: &mut Context<'_>, _instrument: InstrumentId, _top: &Top) {}
    /// A trade happened in the market.
    fn on_trade(&mut self, _ctx: &mut Context<'_>, _trade: &Trade) {}
    /// The depth of a book changed; called only for strategies that asked with [`Setup::want_book`].
    fn on_book(&mut self, _ctx: &mut Context<'_>, _instrument: InstrumentId, _book: &Book) {}
    /// A bar closed. In a live run those of before it come first, where the venue was asked for them (`[market] fetch_bars`),
    /// and in a backtest those of its warm-up: what is ordered at such a one is refused as
    /// [`WarmingUp`](crate::domain::PlaceError::WarmingUp), which is no fault. What is only noted at a bar, to be done later,
    /// asks [`Context::is_of_before`] first.
    fn on_bar(&mut self, _ctx: &mut Context<'_>, _bar: &Bar) {}
    /// One of this strategy's orders traded.
    fn on_fill(&mut self, _ctx: &mut Context<'_>, _fill: &Report) {}
    /// One of this strategy's orders changed state; `denied` says why, if risk denied it.
    fn on_order(&mut self, _ctx: &mut Context<'_>, _order: &OrderState, _denied: Option<DenyReason>) {}
    /// Whether [`on_quote`](Self::on_quote) would do anything now. A backtest over bars passes over those moments of a
    /// bar at which nobody has anything to do; what says no here is not called at them.
    fn heeds_quotes(&self) -> bool {
        true
    }
    /// What [`on_bar`](Self::on_bar) of this instrument's bars waits for, by what the strategy knows now. A backtest over
    /// bars passes over those that bring nothing of it, as long as [quotes are not heeded](Self::heeds_quotes) and no order
    /// is open; live, and wherever there is more to an event, each bar is handed over. So it has to be true: at a bar that
    /// is not waited for, `on_bar` does nothing and changes nothing. `held` is what is held of the instrument.
    fn awaits(&self, _instrument: InstrumentId, _held: Qty) -> Awaited {
        Awaited::ANY_BAR
    }
    /// A timer asked for with [`Context::wake_after`] is due.
    fn on_timer(&mut self, _ctx: &mut Context<'_>, _timer: u64) {}
}

/// A handle on an indicator that the market stage computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndicatorHandle(pub(crate) u16);

/// Whether a strategy that is sized says where its entries would be left with a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stops {
    /// Of each entry.
    Given,
    /// Never: a method that goes by the loss is refused.
    None,
}

/// What a strategy is given to set itself up: its instruments, its parameters, the indicators it may ask for.
pub struct Setup<'a> {
    /// Its place in the configuration.
    pub strategy: StrategyId,
    /// What it may trade.
    pub instruments: &'a [InstrumentId],
    /// All instruments of the run.
    pub table: &'a InstrumentTable,
    /// Its parameters, checked against its table.
    pub params: &'a Params,
    pub(crate) indicators: &'a mut Vec<IndicatorRequest>,
    pub(crate) wants_book: &'a mut bool,
    pub(crate) sized: &'a mut Option<Stops>,
    pub(crate) has_sizing: bool,
}

/// Why a strategy could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Parameters that are each in range and make no sense together.
    #[error("{0}")]
    Parameters(&'static str),
    /// The strategy trades another number of instruments than it was given.
    #[error("trades {wanted} and was given {given} instruments")]
    Instruments {
        /// What it trades.
        wanted: &'static str,
        /// How many it was given.
        given: usize,
    },
    /// An indicator that does not exist or refuses its parameters.
    #[error("indicator {name}: {problem}")]
    Indicator {
        /// Which.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// More indicators than a run can hold (65,535).
    #[error("too many indicators in one run")]
    TooManyIndicators,
}

impl Setup<'_> {
    /// Asks for an indicator of `instrument` by its registry name and parameters (see `algo-trader list indicators`).
    /// Asking twice, by whatever strategy, computes it once. A parameter of which the list says so, such as the deviations
    /// of bands, is given in thousandths: `&[20, 2_000]` are bands over 20 bars, two deviations away.
    ///
    /// # Errors
    /// [`SetupError::Indicator`] where the name or parameters are wrong.
    pub fn indicator(
        &mut self,
        instrument: InstrumentId,
        name: &str,
        params: &[i64],
    ) -> Result<IndicatorHandle, SetupError> {
        let request = IndicatorRequest::new(instrument, name, params)
            .map_err(|problem| SetupError::Indicator { name: name.to_owned(), problem })?;
        let slot = self.indicators.iter().position(|r| *r == request).unwrap_or_else(|| {
            self.indicators.push(request);
            self.indicators.len() - 1
        });
        u16::try_from(slot).map(IndicatorHandle).map_err(|_| SetupError::TooManyIndicators)
    }

    /// Asks for [`Strategy::on_book`].
    pub fn want_book(&mut self) {
        *self.wants_book = true;
    }

    /// Says that entries are sized by [`Context::size`]. Where a strategy does not say so, a configured `sizing` would be
    /// ignored, and is refused instead.
    pub fn size_entries(&mut self, stops: Stops) {
        *self.sized = Some(stops);
    }

    /// The size of an entry where no `sizing` is configured, from a decimal parameter: in the instrument's units, exact.
    /// Where one is, it decides, and the parameter is not read: [`Context::size_or`] will not come back to it.
    ///
    /// # Errors
    /// A problem with its place, where the parameter has more decimals than the instrument's quantities.
    pub fn qty(&self, param: &str, instrument: InstrumentId) -> Result<Qty, ConfigProblem> {
        if self.has_sizing {
            return Ok(Qty::ZERO);
        }
        self.params.decimal(param, self.table.get(instrument).qty_decimals).map(Qty)
    }

    /// The one instrument of a strategy that trades one.
    ///
    /// # Errors
    /// [`SetupError::Instruments`] if it was given another number.
    pub fn one_instrument(&self) -> Result<InstrumentId, SetupError> {
        match self.instruments {
            [one] => Ok(*one),
            other => Err(SetupError::Instruments { wanted: "one instrument", given: other.len() }),
        }
    }
}
