//! How many orders a second, a minute and a day, of a strategy and of all.

use super::pace;
use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, RuleSpec};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "order-rates",
    doc: "[risk.strategy_rates] and [risk.rates]: orders a second, a minute, a day",
    binds_reducing: false,
    check,
};

#[inline]
fn check(c: &Case<'_>) -> Judged {
    use DenyReason::{
        AllOrdersDay, AllOrdersMinute, AllOrdersSecond, OrderRate, StrategyOrdersDay, StrategyOrdersMinute,
    };
    let (own, all) = (&c.limits.strategy_rates, &c.limits.rates);
    pace(&c.sent.orders, 1, &own.orders, [OrderRate, StrategyOrdersMinute, StrategyOrdersDay])?;
    pace(&c.sent_all.orders, 1, &all.orders, [AllOrdersSecond, AllOrdersMinute, AllOrdersDay])
}
