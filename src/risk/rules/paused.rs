//! Nothing but what reduces while the instrument is paused.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "paused",
    doc: "nothing but reducing orders while anybody pauses the instrument",
    binds_reducing: false,
    reasons: &[DenyReason::Paused],
    unit: Unit::None,
    check: |c| check(c, &mut Nobody),
    measure: None,
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, _: &mut impl Witness) -> Judged {
    when(c.paused, DenyReason::Paused)
}
