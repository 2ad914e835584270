//! Long exposure at each level.

use crate::domain::DenyReason;
use crate::risk::limits::SCALES;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness};
use crate::risk::rules::exposure;
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "scale-long",
    doc: "long_notional_max of an instrument, a strategy, a group, an account, everything; open orders counted in full",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Quote,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// By level.
const REASONS: [DenyReason; SCALES] = [
    DenyReason::InstrumentLong,
    DenyReason::StrategyLong,
    DenyReason::GroupLong,
    DenyReason::AccountLong,
    DenyReason::PortfolioLong,
];

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let at_level = |at: usize| (c.scopes[at].long, c.levels[at].long_notional_max);
    exposure(w, c.adds.long, at_level, &REASONS)
}
