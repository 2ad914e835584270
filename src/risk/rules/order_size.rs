//! The largest value of one order.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "order-size",
    doc: "order_notional_max",
    binds_reducing: false,
    reasons: &[DenyReason::OrderTooLarge],
    unit: Unit::Quote,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    over(w, c.value, c.limits.order_notional_max.into(), DenyReason::OrderTooLarge)
}
