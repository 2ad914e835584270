//! Trading hours of the instrument's market and of the strategy.
//!
//! What was placed before a market closed stays; what the order manager holds is judged when it goes out.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, when};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "trading-hours",
    doc: "outside the sessions that [hours] gives the market, or hours gives the strategy; what reduces passes",
    binds_reducing: false,
    reasons: &[DenyReason::TradingHours],
    unit: Unit::None,
    check: |c| check(c, &mut Nobody),
    measure: None,
};

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, _: &mut impl Witness) -> Judged {
    when(c.closed, DenyReason::TradingHours)
}
