//! Open orders of a strategy in one instrument.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over_count};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "open-orders",
    doc: "open_orders_max for each strategy and instrument",
    binds_reducing: false,
    reasons: &[DenyReason::OpenOrders],
    unit: Unit::Count("orders"),
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    over_count(w, u64::from(c.open_orders) + 1, c.limits.open_orders_max.into(), DenyReason::OpenOrders)
}
