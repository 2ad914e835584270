//! No trade with oneself.
//!
//! What only reduces a position is not held up by what rests: a stop that waited for the other side to go would not stop.
//! It goes out with the mode of the venue by which the one that rests ends, so that they do not trade either.

use crate::domain::{DenyReason, OrderKind, Side};
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, refusal};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "self-trade",
    doc: "no order that would meet one of our own resting orders",
    binds_reducing: false,
    reasons: &[DenyReason::SelfTrade],
    unit: Unit::Price,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// The limit is the price of the resting order, which a buy must be below and a sell above.
#[inline(always)]
pub(in crate::risk) fn check<W: Witness>(c: &Case<'_>, w: &mut W) -> Judged {
    let Some(own) = c.own_opposite else { return Ok(()) };
    if c.order.kind.is_conditional() {
        return Ok(());
    }
    let meets = c.order.kind == OrderKind::Market || c.order.side.at_least_as_aggressive(c.order.price, own);
    if !W::LISTENS && !meets {
        return Ok(());
    }
    let sign = if c.order.side == Side::Buy { 1 } else { -1 };
    let limit = sign * i128::from(own.0);
    // At the market: at any price.
    let value =
        if c.order.kind == OrderKind::Market { i128::MAX } else { sign * i128::from(c.order.price.0) };
    w.saw(value, limit, DenyReason::SelfTrade);
    if meets { Err(refusal(value, limit, DenyReason::SelfTrade)) } else { Ok(()) }
}
