//! How many messages, orders and cancels together, a second, a minute and a day.

use super::pace;
use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, RuleSpec};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "message-rates",
    doc: "[risk.strategy_rates] and [risk.rates]: orders and cancels together, a second, a minute, a day",
    binds_reducing: false,
    check,
};

#[inline]
fn check(c: &Case<'_>) -> Judged {
    use DenyReason::{
        AllMessagesDay, AllMessagesMinute, AllMessagesSecond, StrategyMessagesDay, StrategyMessagesMinute,
        StrategyMessagesSecond,
    };
    let (own, all) = (&c.limits.strategy_rates, &c.limits.rates);
    let reasons = [StrategyMessagesSecond, StrategyMessagesMinute, StrategyMessagesDay];
    pace(&c.sent.messages(), 1, &own.messages, reasons)?;
    pace(&c.sent_all.messages(), 1, &all.messages, [AllMessagesSecond, AllMessagesMinute, AllMessagesDay])
}
