//! Intents: what strategies and their order manager ask for, on their way to risk.

use super::manager::Trail;
use crate::domain::{InstrumentId, Order, OrderId, OrderStatus, Price, StrategyId, Time};
use crate::market::Top;
use crate::pipeline::Sequenced;

/// The most requests one strategy may make in one event.
pub const INTENTS_PER_EVENT_MAX: usize = 16;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A new order.
    New(Order),
    /// Take an order back.
    Cancel {
        /// Which.
        order: OrderId,
        /// Whose.
        strategy: StrategyId,
        /// Of what.
        instrument: InstrumentId,
    },
    /// Nothing: the order manager holds this order from now on, which the journal has to know.
    Hold(Order),
    /// Nothing: what else the journal has to know of the order manager.
    Note(Note),
}

/// A change in what the order manager holds that does not follow from orders, answers and trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// The order it is about.
    pub order: OrderId,
    /// Whose.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
    /// What changed.
    pub change: Change,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The held order trails by this distance.
    Trails(Trail),
    /// The held order is held no longer, and ended so.
    Released(OrderStatus),
    /// The held order was triggered, and goes out as soon as it can.
    Due,
    /// What the order fills is protected so; prices are zero where there is none.
    Protected {
        /// Where to leave with a loss.
        stop: Price,
        /// Where to leave with a profit.
        take_profit: Price,
        /// How the stop trails.
        trail: Trail,
    },
    /// Nothing of what the order filled is protected any more.
    Unprotected,
    /// The other order and this one cancel each other.
    Linked(OrderId),
    /// The order is taken back at this time.
    GoodTill(Time),
    /// The next new order of this strategy is a part of, or protects, this other one.
    ChildOf(OrderId),
}

/// One request, with the top of book that the strategy saw.
#[derive(Debug, Clone, Copy)]
pub struct Intent {
    /// The event that caused it.
    pub seq: u64,
    /// What is asked for.
    pub action: Action,
    /// What the market looked like; risk judges by it.
    pub reference: Top,
    /// Whether it goes on with an order of which a part has traded, as the later parts of an iceberg do: it is no order of
    /// its own to rules that look for the same again and again. Only the order manager says so.
    pub(crate) goes_on: bool,
    /// Whether it only reduces, waited here for its price, and is a limit order now that it has come: a kill lets it out, as
    /// it lets its like stay at a venue that waits for prices itself. Only the order manager says so.
    pub(crate) triggered: bool,
}

impl Intent {
    /// A request that stands by itself.
    #[must_use]
    pub const fn new(seq: u64, action: Action, reference: Top) -> Self {
        Self { seq, action, reference, goes_on: false, triggered: false }
    }

    /// The order, if it asks for one.
    #[must_use]
    pub fn new_order(&self) -> Option<&Order> {
        match &self.action {
            Action::New(order) => Some(order),
            _ => None,
        }
    }
}

impl Sequenced for Intent {
    fn seq(&self) -> u64 {
        self.seq
    }
}
