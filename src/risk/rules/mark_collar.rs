//! The collar around the mark: a book that was swept gives no prices.

use super::price::beyond;
use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "mark-collar",
    doc: "mark_collar_bps: how far the price of an order, its limit or the touch, may be beyond the mark",
    binds_reducing: false,
    reasons: &[DenyReason::MarkCollar],
    unit: Unit::Price,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    // One that waits for a price is judged when that price is there.
    if c.mark.0 <= 0 || c.order.kind.is_conditional() {
        return Ok(());
    }
    let (price, mark) = (i128::from(c.reference_price().0), i128::from(c.mark.0));
    beyond(w, c.order.side, price, mark, c.limits.mark_collar_bps, DenyReason::MarkCollar)
}
