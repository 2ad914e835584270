//! What is not there cannot be spent.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "balance",
    doc: "[paper.balances]: what a spot order needs, its fee included, must be free in its wallet",
    binds_reducing: true,
    reasons: &[DenyReason::InsufficientBalance],
    unit: Unit::None,
    check: |c| when(!c.payable, DenyReason::InsufficientBalance),
    measure: None,
};
