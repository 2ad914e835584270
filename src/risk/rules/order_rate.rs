//! How fast a strategy may order.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over_count};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "order-rate",
    doc: "orders_per_second_max for each strategy",
    binds_reducing: false,
    reasons: &[DenyReason::OrderRate],
    unit: Unit::Count("orders"),
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let (sent, limit) = (u64::from(c.sent.orders.second) + 1, c.limits.orders_per_second_max);
    over_count(w, sent, limit.into(), DenyReason::OrderRate)
}
