//! Instruments that are not to be traded; what is held of them may be closed.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "restricted",
    doc: "restricted: instruments that are not to be traded",
    binds_reducing: false,
    reasons: &[DenyReason::Restricted],
    unit: Unit::None,
    check: |c| check(c, &mut Nobody),
    measure: None,
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, _: &mut impl Witness) -> Judged {
    when(c.restricted, DenyReason::Restricted)
}
