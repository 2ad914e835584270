//! Nothing but what reduces while trading is halted.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "halt",
    doc: "nothing but reducing orders while trading is halted",
    binds_reducing: false,
    reasons: &[DenyReason::Halted],
    unit: Unit::None,
    check: |c| check(c, &mut Nobody),
    measure: None,
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, _: &mut impl Witness) -> Judged {
    when(c.halted, DenyReason::Halted)
}
