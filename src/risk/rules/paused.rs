//! Nothing but what reduces while the instrument is paused.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "paused",
    doc: "nothing but reducing orders while anybody pauses the instrument",
    binds_reducing: false,
    reasons: &[DenyReason::Paused],
    unit: Unit::None,
    check: |c| when(c.paused, DenyReason::Paused),
    measure: None,
};
