//! A market that was silent for long may no longer be where it was. One that a backtest knows by its bars alone is never
//! silent: nothing could be heard of it between two of them.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over_count};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "stale-book",
    doc: "book_age_ms_max: how long an instrument's market may have been silent",
    binds_reducing: false,
    reasons: &[DenyReason::StaleBook],
    unit: Unit::Nanos,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    over_count(w, c.now.since(c.heard), c.limits.book_age_max_ns, DenyReason::StaleBook)
}
