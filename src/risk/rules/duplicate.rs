//! The same order again, a moment later, is a mistake. The later parts of an iceberg are no order again.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, refusal};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "duplicate",
    doc: "duplicate_window_ms: no second order of one strategy with the same side, price and quantity within it",
    binds_reducing: false,
    reasons: &[DenyReason::Duplicate],
    unit: Unit::Nanos,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let Some(before) = c.same_before else { return Ok(()) };
    let (passed, window) = (c.now.since(before), c.limits.duplicate_window_ns);
    w.saw(passed.into(), window.into(), DenyReason::Duplicate);
    if passed < window { Err(refusal(passed.into(), window.into(), DenyReason::Duplicate)) } else { Ok(()) }
}
