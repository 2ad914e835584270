//! The kill switch, thrown by a person or by a loss limit.
//!
//! What only reduces and leaves at once passes: it cannot rest, and is how what is stopped is closed, and how a protection
//! leaves. So does what only reduces and waits for its price, unless what is stopped is being closed: it is as good as what
//! was there when the switch was thrown, and stays, as the target does that stands beside one that waits with the order
//! manager. What of it waited with the order manager and is a limit order once its
//! price has come passes too, and may rest: denied, it would leave the position bare at the worst moment.

use crate::domain::DenyReason;
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "kill",
    doc: "the kill switch, and the loss limits that throw it; only what reduces and leaves at once passes, \
          and, unless positions are closed, what reduces and waits for its price",
    binds_reducing: true,
    reasons: KILLS,
    unit: Unit::None,
    check: |c| check(c, &mut Nobody),
    measure: None,
};

/// Of a person's kill, of the losses, and of surveillance.
const KILLS: &[DenyReason] = &[
    DenyReason::Killed,
    DenyReason::DailyLoss,
    DenyReason::StrategyDailyLoss,
    DenyReason::Drawdown,
    DenyReason::StrategyDrawdown,
    DenyReason::ConsecutiveLosses,
    DenyReason::LossVelocity,
    DenyReason::Surveillance,
];

#[inline(always)]
pub(in crate::risk) fn check(c: &Case<'_>, _: &mut impl Witness) -> Judged {
    match c.killed {
        None => Ok(()),
        Some(_) if c.spared || c.order.leaves_at_once(c.of_bars) => Ok(()),
        Some(reason) => refuse(reason),
    }
}

#[cold]
fn refuse(reason: DenyReason) -> Judged {
    Err(reason.into())
}
