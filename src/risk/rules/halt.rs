//! Nothing but what reduces while trading is halted.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "halt",
    doc: "nothing but reducing orders while trading is halted",
    binds_reducing: false,
    reasons: &[DenyReason::Halted],
    unit: Unit::None,
    check: |c| when(c.halted, DenyReason::Halted),
    measure: None,
};
