//! A limit that nobody wrote down denies.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "limits-set",
    doc: "every limit must be written in [risk], if only as \"none\"",
    binds_reducing: false,
    reasons: &[DenyReason::LimitUnset],
    unit: Unit::None,
    check: |c| when(c.limits.unset, DenyReason::LimitUnset),
    measure: None,
};
