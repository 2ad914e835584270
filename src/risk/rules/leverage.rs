//! Gross exposure over equity, at each level.

use crate::domain::DenyReason;
use crate::risk::limits::SCALES;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, refusal, times};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "leverage",
    doc: "leverage_max: gross exposure over capital and profit, of an instrument, a strategy, a group, an account, all",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Times,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// By level.
const REASONS: [DenyReason; SCALES] = [
    DenyReason::InstrumentLeverage,
    DenyReason::StrategyLeverage,
    DenyReason::GroupLeverage,
    DenyReason::AccountLeverage,
    DenyReason::PortfolioLeverage,
];

#[inline(always)]
pub(in crate::risk) fn check<W: Witness>(c: &Case<'_>, w: &mut W) -> Judged {
    if c.adds.gross <= 0 {
        return Ok(());
    }
    // Without equity there is no leverage that would do.
    let equity = c.equity.max(0);
    for (at, &reason) in REASONS.iter().enumerate() {
        let (scope, limits) = (c.scopes[at], c.levels[at]);
        if limits.leverage_max == u32::MAX {
            continue;
        }
        let gross = times(scope.gross + c.adds.gross, 100);
        // Rounded up: what is refused is told as more than its limit.
        let told = || if equity > 0 { gross / equity + i128::from(gross % equity != 0) } else { i128::MAX };
        if W::LISTENS {
            w.saw(told(), limits.leverage_max.into(), reason);
        }
        if gross > times(equity, limits.leverage_max) {
            return Err(refusal(told(), limits.leverage_max.into(), reason));
        }
    }
    Ok(())
}
