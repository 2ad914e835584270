//! Data that is late, or a clock that is wrong: the latest trade or depth event says how far the two are apart.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over_count};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "stale-clock",
    doc: "clock_lag_ms_max: how far the venue's clock may be from ours",
    binds_reducing: false,
    reasons: &[DenyReason::StaleClock],
    unit: Unit::Nanos,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    over_count(w, c.clock_lag_ns, c.limits.clock_lag_max_ns, DenyReason::StaleClock)
}
