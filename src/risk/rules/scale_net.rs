//! Net exposure at each level: of longs and shorts together, were the open orders of the worse side to fill.

use crate::domain::DenyReason;
use crate::risk::limits::SCALES;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "scale-net",
    doc: "net_notional_max of an instrument, a strategy, a group, an account, everything; open orders counted in full",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Quote,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// By level.
const REASONS: [DenyReason; SCALES] = [
    DenyReason::InstrumentNet,
    DenyReason::StrategyNet,
    DenyReason::GroupNet,
    DenyReason::AccountNet,
    DenyReason::PortfolioNet,
];

/// A buy can only take the net up and a sell only down, so only that side is judged: the other way stays open.
#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    for (at, &reason) in REASONS.iter().enumerate() {
        let (scope, limits) = (c.scopes[at], c.levels[at]);
        let limit = i128::from(limits.net_notional_max);
        if c.adds.up > 0 {
            over(w, scope.up + c.adds.up, limit, reason)?;
        }
        if c.adds.down < 0 {
            over(w, -(scope.down + c.adds.down), limit, reason)?;
        }
    }
    Ok(())
}
