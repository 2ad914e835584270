//! Repeated executions: a strategy that trades the same way again and again is held back. An iceberg, in however many parts
//! it goes out, trades once.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over_count};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "same-way",
    doc: "same_way_max: orders of a strategy in one instrument that traded the same way one after the other, within \
          same_way_window_ms of each other",
    binds_reducing: false,
    reasons: &[DenyReason::SameWay],
    unit: Unit::Count("trades"),
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    over_count(w, u64::from(c.same_way) + 1, c.limits.same_way_max.into(), DenyReason::SameWay)
}
