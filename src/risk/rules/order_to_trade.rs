//! Orders for each trade: venues ask for few, and a strategy that trades nothing has gone astray.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over_count};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "order-to-trade",
    doc: "order_to_trade_max: orders of a strategy for each of its trades of the day, judged above order_to_trade_from",
    binds_reducing: false,
    reasons: &[DenyReason::OrderToTrade],
    unit: Unit::Count("orders"),
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let orders = u64::from(c.sent.orders.day) + 1;
    if orders <= u64::from(c.limits.order_to_trade_from) || c.limits.order_to_trade_max == u32::MAX {
        return Ok(());
    }
    let room = u64::from(c.limits.order_to_trade_max) * u64::from(c.trades_today.max(1));
    over_count(w, orders, room, DenyReason::OrderToTrade)
}
