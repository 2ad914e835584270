//! How many cancels a second, a minute and a day. A cancel is never refused: what waits is the next order.

use super::pace;
use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, RuleSpec};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "cancel-rates",
    doc: "[risk.strategy_rates] and [risk.rates]: cancels a second, a minute, a day; above them no new order",
    binds_reducing: false,
    check,
};

#[inline]
fn check(c: &Case<'_>) -> Judged {
    use DenyReason::{
        AllCancelsDay, AllCancelsMinute, AllCancelsSecond, StrategyCancelsDay, StrategyCancelsMinute,
        StrategyCancelsSecond,
    };
    let (own, all) = (&c.limits.strategy_rates, &c.limits.rates);
    let reasons = [StrategyCancelsSecond, StrategyCancelsMinute, StrategyCancelsDay];
    pace(&c.sent.cancels, 0, &own.cancels, reasons)?;
    pace(&c.sent_all.cancels, 0, &all.cancels, [AllCancelsSecond, AllCancelsMinute, AllCancelsDay])
}
