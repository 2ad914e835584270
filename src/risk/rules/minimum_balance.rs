//! What has to stay in the wallet, fees taken off.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, refusal};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "minimum-balance",
    doc: "quote_free_min: what a spot buy, its fee included, must leave free of the quote asset",
    binds_reducing: false,
    reasons: &[DenyReason::MinimumBalance],
    unit: Unit::Quote,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let (Some(left), limit) = (c.quote_left, i128::from(c.limits.quote_free_min)) else { return Ok(()) };
    w.saw(left, limit, DenyReason::MinimumBalance);
    if left < limit { Err(refusal(left, limit, DenyReason::MinimumBalance)) } else { Ok(()) }
}
