//! The collar around the book.

use crate::domain::{DenyReason, Side};
use crate::risk::rule::{Case, Judged, RuleSpec, basis_points, over, when};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "price",
    doc: "price_collar_bps: how far a limit may be beyond the touch",
    binds_reducing: true,
    check,
};

#[inline]
fn check(c: &Case<'_>) -> Judged {
    let order = c.order;
    if !order.kind.has_limit() {
        return Ok(());
    }
    when(order.price.0 <= 0, DenyReason::BadPrice)?;
    let (price, stop) = (i128::from(order.price.0), order.extras.stop_price.0);
    // One that waits for a price is an order when the touch is there.
    let touch = i128::from(match order.side {
        _ if stop != 0 => stop,
        Side::Buy => c.top.ask.price.0,
        Side::Sell => c.top.bid.price.0,
    });
    beyond(order.side, price, touch, c.limits.price_collar_bps, DenyReason::BadPrice)
}

/// Denies a price that is further beyond `from` than the collar: above it for a buy, below it for a sell.
#[inline]
pub(super) fn beyond(side: Side, price: i128, from: i128, bps: u32, reason: DenyReason) -> Judged {
    let room = basis_points(from, bps);
    match side {
        Side::Buy => over(price, from + room, reason),
        Side::Sell => over(-price, room - from, reason),
    }
}
