//! The largest value of one order.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, over};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "order-size",
    doc: "order_notional_max",
    binds_reducing: false,
    check: |c| over(c.value, c.limits.order_notional_max.into(), DenyReason::OrderTooLarge),
};
