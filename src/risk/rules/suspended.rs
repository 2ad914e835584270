//! Nothing at all while nothing can be sent: the venue's side of it would only come back rejected.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "suspended",
    doc: "no order while none can be sent to the instrument's part of the venue",
    binds_reducing: true,
    reasons: &[DenyReason::Suspended],
    unit: Unit::None,
    check: |c| check(c, &mut Nobody),
    measure: None,
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, _: &mut impl Witness) -> Judged {
    when(c.suspended, DenyReason::Suspended)
}
