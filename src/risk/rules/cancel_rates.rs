//! How many cancels a second, a minute and a day. A cancel is never refused: what waits is the next order.

use super::pace;
use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "cancel-rates",
    doc: "[risk.strategy_rates] and [risk.rates]: cancels a second, a minute, a day; above them no new order",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Count("cancels"),
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// Of the strategy, then of all; a second, a minute, a day.
const REASONS: [DenyReason; 6] = [
    DenyReason::StrategyCancelsSecond,
    DenyReason::StrategyCancelsMinute,
    DenyReason::StrategyCancelsDay,
    DenyReason::AllCancelsSecond,
    DenyReason::AllCancelsMinute,
    DenyReason::AllCancelsDay,
];

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let (own, all) = (&c.limits.strategy_rates.cancels, &c.limits.rates.cancels);
    let [second, minute, day, all_second, all_minute, all_day] = REASONS;
    pace(w, &c.sent.cancels, 0, own, [second, minute, day])?;
    pace(w, &c.sent_all.cancels, 0, all, [all_second, all_minute, all_day])
}
