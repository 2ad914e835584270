//! A limit that nobody wrote down denies.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "limits-set",
    doc: "every limit must be written in [risk], if only as \"none\"",
    binds_reducing: false,
    reasons: &[DenyReason::LimitUnset],
    unit: Unit::None,
    check: |c| check(c, &mut Nobody),
    measure: None,
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, _: &mut impl Witness) -> Judged {
    when(c.limits.unset, DenyReason::LimitUnset)
}
