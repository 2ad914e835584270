//! Intents: what strategies ask for, on their way to risk.

use crate::domain::{InstrumentId, Order, OrderId, StrategyId};
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
}

impl Sequenced for Intent {
    fn seq(&self) -> u64 {
        self.seq
    }
}
