//! What has no accounting is not traded.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "tradable",
    doc: "inverse contracts are data only until their accounting is stated",
    binds_reducing: true,
    reasons: &[DenyReason::DataOnly],
    unit: Unit::None,
    check: |c| check(c, &mut Nobody),
    measure: None,
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, _: &mut impl Witness) -> Judged {
    when(!c.tradable, DenyReason::DataOnly)
}
