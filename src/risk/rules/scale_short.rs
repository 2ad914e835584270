//! Short exposure at each level.

use crate::domain::DenyReason;
use crate::risk::limits::SCALES;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness};
use crate::risk::rules::exposure;
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

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let at_level = |at: usize| (c.scopes[at].short, c.levels[at].short_notional_max);
    exposure(w, c.adds.short, at_level, &REASONS)
}
