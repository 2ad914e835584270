//! Nothing but what reduces while trading is halted.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, when};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "halt",
    doc: "nothing but reducing orders while trading is halted",
    binds_reducing: false,
    check: |c| when(c.halted, DenyReason::Halted),
};
