//! Gross exposure at each level; that of everything is the rule `gross`.

use crate::domain::DenyReason;
use crate::risk::limits::SCALES;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness};
use crate::risk::rules::exposure;
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "scale-gross",
    doc: "gross_notional_max of an instrument, a strategy, a group, an account; open orders counted in full",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Quote,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// By level.
const REASONS: [DenyReason; SCALES] = [
    DenyReason::InstrumentGross,
    DenyReason::StrategyGross,
    DenyReason::GroupGross,
    DenyReason::AccountGross,
    DenyReason::GrossExposure,
];

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    let at_level = |at: usize| (c.scopes[at].gross, c.levels[at].gross_notional_max);
    exposure(w, c.adds.gross, at_level, &REASONS)
}
