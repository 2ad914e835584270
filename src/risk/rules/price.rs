//! The collar around the book.

use crate::domain::{DenyReason, Side};
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, basis_points, over, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "price",
    doc: "price_collar_bps: how far a limit may be beyond the touch",
    binds_reducing: true,
    reasons: &[DenyReason::BadPrice],
    unit: Unit::Price,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
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
    beyond(w, order.side, price, touch, c.limits.price_collar_bps, DenyReason::BadPrice)
}

/// Denies a price that is further beyond `from` than the collar: above it for a buy, below it for a sell.
#[inline(always)]
pub(super) fn beyond<W: Witness>(
    w: &mut W,
    side: Side,
    price: i128,
    from: i128,
    bps: u32,
    reason: DenyReason,
) -> Judged {
    let room = basis_points(from, bps);
    let (value, limit) = match side {
        Side::Buy => (price, from + room),
        Side::Sell => (-price, room - from),
    };
    if W::LISTENS {
        w.saw(value, if bps == u32::MAX { i128::MAX } else { limit }, reason);
    }
    over(&mut Nobody, value, limit, reason)
}
