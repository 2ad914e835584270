//! How many messages, orders and cancels together, a second, a minute and a day.

use super::pace;
use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "message-rates",
    doc: "[risk.strategy_rates] and [risk.rates]: orders and cancels together, a second, a minute, a day",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Count("messages"),
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// Of the strategy, then of all; a second, a minute, a day.
const REASONS: [DenyReason; 6] = [
    DenyReason::StrategyMessagesSecond,
    DenyReason::StrategyMessagesMinute,
    DenyReason::StrategyMessagesDay,
    DenyReason::AllMessagesSecond,
    DenyReason::AllMessagesMinute,
    DenyReason::AllMessagesDay,
];

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let (own, all) = (&c.limits.strategy_rates.messages, &c.limits.rates.messages);
    let [second, minute, day, all_second, all_minute, all_day] = REASONS;
    pace(w, &c.sent.messages(), 1, own, [second, minute, day])?;
    pace(w, &c.sent_all.messages(), 1, all, [all_second, all_minute, all_day])
}
