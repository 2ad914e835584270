//! Gross exposure over equity, at each level.

use crate::domain::DenyReason;
use crate::risk::limits::SCALES;
use crate::risk::rule::{Case, Judged, RuleSpec, refusal, times};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "leverage",
    doc: "leverage_max: gross exposure over capital and profit, of an instrument, a strategy, a group, an account, all",
    binds_reducing: false,
    check,
};

/// By level.
const REASONS: [DenyReason; SCALES] = [
    DenyReason::InstrumentLeverage,
    DenyReason::StrategyLeverage,
    DenyReason::GroupLeverage,
    DenyReason::AccountLeverage,
    DenyReason::PortfolioLeverage,
];

#[inline]
fn check(c: &Case<'_>) -> Judged {
    if c.adds.gross <= 0 {
        return Ok(());
    }
    // Without equity there is no leverage that would do.
    let equity = c.equity.max(0);
    for ((scope, limits), reason) in c.scopes.iter().zip(&c.limits.scales).zip(REASONS) {
        if limits.leverage_max == u32::MAX {
            continue;
        }
        let gross = times(scope.gross + c.adds.gross, 100);
        if gross > times(equity, limits.leverage_max) {
            let told = gross.checked_div(equity).unwrap_or(i128::MAX);
            return Err(refusal(told, limits.leverage_max.into(), reason));
        }
    }
    Ok(())
}
