//! A strategy's position in one instrument, were its open orders to fill. What makes it smaller is not denied.

use crate::domain::{DenyReason, Notional, Qty, Side};
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "position",
    doc: "position_notional_max, as if every open order of that side filled; what makes the position smaller passes",
    binds_reducing: false,
    reasons: &[DenyReason::PositionLimit],
    unit: Unit::Quote,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let worst = match c.order.side {
        Side::Buy => i128::from(c.position.0) + i128::from(c.open_buy.0) + i128::from(c.order.qty.0),
        Side::Sell => i128::from(c.position.0) - i128::from(c.open_sell.0) - i128::from(c.order.qty.0),
    };
    // The way out stays open when the market moved what is held past its limit.
    let held = i128::from(c.position.0);
    if worst.signum() == held.signum() && worst.abs() < held.abs() {
        return Ok(());
    }
    let price = c.reference_price();
    let value = match i64::try_from(worst.abs()) {
        Ok(qty) => price.times(Qty(qty)),
        Err(_) => Notional(i128::from(price.0).saturating_mul(worst.abs())),
    };
    over(w, c.quote_units(value), c.limits.position_notional_max.into(), DenyReason::PositionLimit)
}
