//! The gross exposure of everything, open orders counted as if they had filled.

use crate::domain::DenyReason;
use crate::risk::limits::Scale;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "gross",
    doc: "gross_notional_max over all strategies and instruments, open orders counted in full",
    binds_reducing: false,
    reasons: &[DenyReason::GrossExposure],
    unit: Unit::Quote,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    if c.adds.gross <= 0 {
        return Ok(());
    }
    let gross = c.scopes[Scale::Portfolio as usize].gross + c.adds.gross;
    over(w, gross, c.limits.gross_notional_max.into(), DenyReason::GrossExposure)
}
