//! An order that is not over, as risk remembers it.

use crate::domain::order::OrderState;
use crate::domain::{Order, OrderId, Price, Time};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct LiveOrder {
    /// The order and where it stands.
    pub state: OrderState,
    /// The price that it is valued at.
    pub price: Price,
    /// What of it has not traded is worth, units of 10^-8 quote.
    pub value: i128,
    /// The order that it is a part of, or protects.
    pub parent: Option<OrderId>,
    /// The other order of its list, where that is counted for both: of the two only one can trade.
    pub counted_by: Option<OrderId>,
    /// When the kill switch asked for its cancel.
    pub asked_at: Option<Time>,
}

impl LiveOrder {
    pub const fn new(order: Order, price: Price, value: i128) -> Self {
        Self { state: OrderState::new(order), price, value, parent: None, counted_by: None, asked_at: None }
    }
}
