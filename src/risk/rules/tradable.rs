//! What has no accounting is not traded.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "tradable",
    doc: "inverse contracts are data only until their accounting is stated",
    binds_reducing: true,
    reasons: &[DenyReason::DataOnly],
    unit: Unit::None,
    check: |c| when(!c.instrument.tradable(), DenyReason::DataOnly),
    measure: None,
};
