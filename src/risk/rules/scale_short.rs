//! Short exposure at each level.

use crate::domain::DenyReason;
use crate::risk::limits::SCALES;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "scale-short",
    doc: "short_notional_max of an instrument, a strategy, a group, an account, everything; open orders counted in full",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Quote,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// By level.
const REASONS: [DenyReason; SCALES] = [
    DenyReason::InstrumentShort,
    DenyReason::StrategyShort,
    DenyReason::GroupShort,
    DenyReason::AccountShort,
    DenyReason::PortfolioShort,
];

/// What does not add to an exposure is not denied for it: the way out stays open when the market moved it past its limit.
#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    if c.adds.short <= 0 {
        return Ok(());
    }
    for (at, &reason) in REASONS.iter().enumerate() {
        let (scope, limits) = (c.scopes[at], c.levels[at]);
        over(w, scope.short + c.adds.short, limits.short_notional_max.into(), reason)?;
    }
    Ok(())
}
