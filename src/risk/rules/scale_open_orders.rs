//! Open orders at each level: those in flight, and those of which nothing is known, among them.

use crate::domain::DenyReason;
use crate::risk::limits::SCALES;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, over_count};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "scale-open-orders",
    doc: "open_orders_max of an instrument, a strategy, a group, an account, everything",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Count("orders"),
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// By level.
const REASONS: [DenyReason; SCALES] = [
    DenyReason::InstrumentOrders,
    DenyReason::StrategyOrders,
    DenyReason::GroupOrders,
    DenyReason::AccountOrders,
    DenyReason::PortfolioOrders,
];

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    for (at, &reason) in REASONS.iter().enumerate() {
        let (scope, limits) = (c.scopes[at], c.levels[at]);
        over_count(w, u64::from(scope.orders) + 1, limits.open_orders_max.into(), reason)?;
    }
    Ok(())
}
