//! How fast a strategy may order.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, over_count};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "order-rate",
    doc: "orders_per_second_max for each strategy",
    binds_reducing: false,
    check: |c| {
        let (sent, limit) = (u64::from(c.sent.orders.second) + 1, c.limits.orders_per_second_max);
        over_count(sent, limit.into(), DenyReason::OrderRate)
    },
};
