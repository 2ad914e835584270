//! A market that was silent for long may no longer be where it was. One that a backtest knows by its bars alone is never
//! silent: nothing could be heard of it between two of them.

use crate::domain::DenyReason;
use crate::risk::rule::{RuleSpec, over_count};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "stale-book",
    doc: "book_age_ms_max: how long an instrument's market may have been silent",
    binds_reducing: false,
    check: |c| over_count(c.now.since(c.heard), c.limits.book_age_max_ns, DenyReason::StaleBook),
};
