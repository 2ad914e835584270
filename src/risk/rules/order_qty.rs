//! The largest quantity of one order.

use crate::domain::DenyReason;
use crate::domain::decimal::POW10;
use crate::risk::limits::QUOTE_DECIMALS;
use crate::risk::rule::{Case, Judged, RuleSpec, over};

pub(in crate::risk) const RULE: RuleSpec =
    RuleSpec { name: "order-qty", doc: "order_qty_max, in the base asset", binds_reducing: false, check };

#[inline]
fn check(c: &Case<'_>) -> Judged {
    if c.limits.order_qty_max == i64::MAX {
        return Ok(());
    }
    // Both with the decimals of both, so that nothing is rounded.
    let qty = i128::from(c.order.qty.0) * i128::from(POW10[usize::from(QUOTE_DECIMALS)]);
    let scale = i128::from(POW10[usize::from(c.instrument.qty_decimals)]);
    let limit = i128::from(c.limits.order_qty_max) * scale;
    match over(qty, limit, DenyReason::QuantityTooLarge) {
        Ok(()) => Ok(()),
        // Told in units of 10^-8.
        Err(_) => over((qty - 1) / scale + 1, c.limits.order_qty_max.into(), DenyReason::QuantityTooLarge),
    }
}
