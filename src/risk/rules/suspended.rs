//! Nothing at all while nothing can be sent: the venue's side of it would only come back rejected.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, when};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "suspended",
    doc: "no order while none can be sent to the instrument's part of the venue",
    binds_reducing: true,
    check: |c| when(c.suspended, DenyReason::Suspended),
};
