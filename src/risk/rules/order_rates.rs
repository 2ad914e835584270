//! How many orders a second, a minute and a day, of a strategy and of all.

use super::pace;
use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "order-rates",
    doc: "[risk.strategy_rates] and [risk.rates]: orders a second, a minute, a day",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Count("orders"),
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// Of the strategy, then of all; a second, a minute, a day. The first is that of the rule `order-rate`, by whose limit a
/// strategy's orders a second are judged.
const REASONS: [DenyReason; 6] = [
    DenyReason::OrderRate,
    DenyReason::StrategyOrdersMinute,
    DenyReason::StrategyOrdersDay,
    DenyReason::AllOrdersSecond,
    DenyReason::AllOrdersMinute,
    DenyReason::AllOrdersDay,
];

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let (own, all) = (&c.limits.strategy_rates.orders, &c.limits.rates.orders);
    let [second, minute, day, all_second, all_minute, all_day] = REASONS;
    pace(w, &c.sent.orders, 1, own, [second, minute, day])?;
    pace(w, &c.sent_all.orders, 1, all, [all_second, all_minute, all_day])
}
