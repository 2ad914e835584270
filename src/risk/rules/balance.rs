//! What is not there cannot be spent.

use crate::domain::{Binds, DenyReason, Measure, Side, Subject};
use crate::risk::rule::{Case, Judged, Nobody, Refusal, RuleSpec, Witness, refusal};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "balance",
    doc: "[paper.balances]: what a spot order needs, its fee included, must be free in its wallet",
    binds_reducing: true,
    reasons: &[DenyReason::InsufficientBalance],
    unit: Unit::Measured,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// The limit is what is free: of the quote asset for a buy, of the base asset for a sell. The order manager and the kill
/// switch leave with that much.
#[inline(always)]
pub(in crate::risk) fn check<W: Witness>(c: &Case<'_>, w: &mut W) -> Judged {
    const REASON: DenyReason = DenyReason::InsufficientBalance;
    let Some(need) = &c.need else { return Ok(()) };
    let subject = if need.side == Side::Buy { Subject::Cost } else { Subject::Sold };
    let measure = Some(Measure { subject, binds: Binds::AtMost });
    if W::LISTENS {
        let (needed, free) = need.rounded();
        w.measured(needed, free, REASON, measure);
    }
    if need.is_met() {
        return Ok(());
    }
    let (needed, free) = need.rounded();
    Err(Refusal { measure, ..refusal(needed, free, REASON) })
}
