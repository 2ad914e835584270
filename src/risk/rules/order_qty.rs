//! The largest quantity of one order.

use crate::domain::DenyReason;
use crate::domain::decimal::POW10;
use crate::risk::limits::QUOTE_DECIMALS;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "order-qty",
    doc: "order_qty_max, in the base asset",
    binds_reducing: false,
    reasons: &[DenyReason::QuantityTooLarge],
    unit: Unit::Base,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check<W: Witness>(c: &Case<'_>, w: &mut W) -> Judged {
    if c.limits.order_qty_max == i64::MAX {
        return Ok(());
    }
    // Both with the decimals of both, so that nothing is rounded.
    let qty = i128::from(c.order.qty.0) * i128::from(POW10[usize::from(QUOTE_DECIMALS)]);
    let scale = i128::from(POW10[usize::from(c.qty_decimals)]);
    let limit = i128::from(c.limits.order_qty_max) * scale;
    // Told in units of 10^-8.
    let told = || (qty - 1) / scale + 1;
    if W::LISTENS {
        w.saw(told(), c.limits.order_qty_max.into(), DenyReason::QuantityTooLarge);
    }
    match over(&mut Nobody, qty, limit, DenyReason::QuantityTooLarge) {
        Ok(()) => Ok(()),
        Err(_) => over(&mut Nobody, told(), c.limits.order_qty_max.into(), DenyReason::QuantityTooLarge),
    }
}
