//! No price without a book.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "book",
    doc: "no order on a book that is not synchronised or has an empty side",
    binds_reducing: true,
    reasons: &[DenyReason::BookInvalid],
    unit: Unit::None,
    check: |c| check(c, &mut Nobody),
    measure: None,
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, _: &mut impl Witness) -> Judged {
    when(!c.top.is_two_sided(), DenyReason::BookInvalid)
}
