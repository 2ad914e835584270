//! No trade with oneself.

use crate::domain::{DenyReason, OrderKind};
use crate::risk::rule::{Case, Judged, RuleSpec, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "self-trade",
    doc: "no order that would meet one of our own resting orders",
    binds_reducing: true,
    reasons: &[DenyReason::SelfTrade],
    unit: Unit::None,
    check,
    measure: None,
};

#[inline]
fn check(c: &Case<'_>) -> Judged {
    let Some(own) = c.own_opposite else { return Ok(()) };
    if c.order.kind.is_conditional() {
        return Ok(());
    }
    let meets = c.order.kind == OrderKind::Market || c.order.side.at_least_as_aggressive(c.order.price, own);
    when(meets, DenyReason::SelfTrade)
}
