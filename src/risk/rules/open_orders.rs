//! Open orders of a strategy in one instrument.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, over_count};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "open-orders",
    doc: "open_orders_max for each strategy and instrument",
    binds_reducing: false,
    check: |c| {
        over_count(u64::from(c.open_orders) + 1, c.limits.open_orders_max.into(), DenyReason::OpenOrders)
    },
};
