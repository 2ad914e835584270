//! No price without a book.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "book",
    doc: "no order on a book that is not synchronised or has an empty side",
    binds_reducing: true,
    reasons: &[DenyReason::BookInvalid],
    unit: Unit::None,
    check: |c| when(!c.top.is_two_sided(), DenyReason::BookInvalid),
    measure: None,
};
