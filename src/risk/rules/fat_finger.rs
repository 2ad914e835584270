//! An order many times as large as those before it is a slip until somebody says otherwise.

use crate::domain::DenyReason;
use crate::risk::recent::SIZES;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "fat-finger",
    doc: "fat_finger_multiple: how many times the average of its last 8 orders a strategy's order may be",
    binds_reducing: false,
    reasons: &[DenyReason::FatFinger],
    unit: Unit::QtyOfSizes,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let (sum, count) = c.recent_sizes;
    if count < SIZES as u32 || c.limits.fat_finger_multiple == u32::MAX {
        return Ok(());
    }
    // qty ÷ (sum ÷ count) > multiple, without a division.
    let qty = i128::from(c.order.qty.0) * i128::from(count);
    over(w, qty, i128::from(sum) * i128::from(c.limits.fat_finger_multiple), DenyReason::FatFinger)
}
