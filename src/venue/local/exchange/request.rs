//! What a client asks for, before it is checked.

use super::client_id::ClientId;
use super::order::{OrderType, StpMode, Tag};
use super::refusal::Refusal;
use crate::domain::{Notional, Price, Qty, Side, TimeInForce};

/// A new order as it was asked for; nothing of it is believed. Quantities are in the units of the symbol's instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRequest {
    /// Which way.
    pub side: Side,
    /// How priced.
    pub kind: OrderType,
    /// How long: for `LIMIT` and conditional limit orders, and only for those.
    pub tif: Option<TimeInForce>,
    /// How much: for all but a market order by `quote_qty`.
    pub qty: Option<Qty>,
    /// How much of the quote asset to spend or to receive: market orders only.
    pub quote_qty: Option<Notional>,
    /// The limit.
    pub price: Option<Price>,
    /// The price that a conditional order waits for.
    pub stop_price: Option<Price>,
    /// How far the last price must come back from its best, in ten-thousandths: conditional orders, instead of a stop
    /// price or from it on.
    pub trailing_delta: Option<u32>,
    /// The most to show at once; for orders that can rest and are good till cancelled.
    pub iceberg_qty: Option<Qty>,
    /// The client's id; the venue gives one where there is none.
    pub client_id: Option<ClientId>,
    /// Against trading with itself; the symbol's default where there is none.
    pub stp: Option<StpMode>,
    /// What the client's strategy calls itself.
    pub tag: Tag,
}

impl OrderRequest {
    /// A request for `qty` with nothing else said.
    #[must_use]
    pub const fn new(side: Side, kind: OrderType, qty: Qty) -> Self {
        Self {
            side,
            kind,
            tif: None,
            qty: Some(qty),
            quote_qty: None,
            price: None,
            stop_price: None,
            trailing_delta: None,
            iceberg_qty: None,
            client_id: None,
            stp: None,
            tag: Tag::NONE,
        }
    }

    /// A `LIMIT` order that is good till cancelled.
    #[must_use]
    pub const fn limit(side: Side, price: Price, qty: Qty) -> Self {
        let mut request = Self::new(side, OrderType::Limit, qty);
        request.price = Some(price);
        request.tif = Some(TimeInForce::Gtc);
        request
    }

    /// Whether just what its type needs is there.
    pub(super) fn check_shape(&self) -> Result<(), Refusal> {
        let market = self.kind == OrderType::Market;
        let timed = self.kind.is_priced() && self.kind != OrderType::LimitMaker;
        let (conditional, trails) = (self.kind.is_conditional(), self.trailing_delta.is_some());
        let shown = [
            ("timeInForce", self.tif.is_some(), timed, timed),
            ("quantity", self.qty.is_some(), !(market && self.quote_qty.is_some()), true),
            ("quoteOrderQty", self.quote_qty.is_some(), false, market && self.qty.is_none()),
            ("price", self.price.is_some(), self.kind.is_priced(), self.kind.is_priced()),
            ("stopPrice", self.stop_price.is_some(), conditional && !trails, conditional),
            ("trailingDelta", trails, false, conditional),
            ("icebergQty", self.iceberg_qty.is_some(), false, self.kind.is_priced()),
        ];
        for (name, sent, needed, allowed) in shown {
            match (sent, needed, allowed) {
                (false, true, _) => return Err(Refusal::Mandatory(name)),
                (true, _, false) if name == "timeInForce" => return Err(Refusal::TimeInForceNotRequired),
                (true, _, false) => return Err(Refusal::NotRequired(name)),
                _ => {}
            }
        }
        let passing = self.tif.is_some_and(|tif| tif != TimeInForce::Gtc);
        if self.iceberg_qty.is_some_and(|qty| qty.0 != 0) && passing {
            return Err(Refusal::UnsupportedCombination);
        }
        Ok(())
    }
}

/// Which order is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRef {
    /// By the venue's id.
    pub number: Option<u64>,
    /// By the client's; with both, they must agree.
    pub client_id: Option<ClientId>,
}

impl From<u64> for OrderRef {
    fn from(number: u64) -> Self {
        Self { number: Some(number), client_id: None }
    }
}

impl From<ClientId> for OrderRef {
    fn from(client_id: ClientId) -> Self {
        Self { number: None, client_id: Some(client_id) }
    }
}
