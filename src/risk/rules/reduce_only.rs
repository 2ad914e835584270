//! What says that it only reduces must do so.

use crate::domain::{DenyReason, Side};
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "reduce-only",
    doc: "an order that says it only reduces must do so",
    binds_reducing: true,
    reasons: &[DenyReason::NotReducing],
    unit: Unit::Qty,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    if !c.order.reduce_only {
        return Ok(());
    }
    let open = match c.order.side {
        Side::Buy => -i128::from(c.position.0),
        Side::Sell => i128::from(c.position.0),
    };
    // What is on its way out already cannot be left again.
    let asked = i128::from(c.order.qty.0) + i128::from(c.leaving.0);
    over(w, asked, open, DenyReason::NotReducing)
}
