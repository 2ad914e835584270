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

#[inline]
fn check(c: &Case<'_>, w: &mut impl Witness) -> Judged {
    for ((scope, limits), reason) in c.scopes.iter().zip(c.levels).zip(REASONS) {
        over_count(w, u64::from(scope.orders) + 1, limits.open_orders_max.into(), reason)?;
    }
    Ok(())
}
