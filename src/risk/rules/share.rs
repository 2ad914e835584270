//! Concentration: no instrument, strategy, group or account with too large a part of the whole gross exposure.

use crate::domain::DenyReason;
use crate::risk::limits::{SCALES, Scale};
use crate::risk::rule::{Case, Judged, Nobody, RuleSpec, Witness, refusal, times};
use crate::risk::units::Unit;

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "share",
    doc: "share_pct_max: part of the whole gross exposure that an instrument, strategy, group or account may have, \
          judged above share_from",
    binds_reducing: false,
    reasons: &REASONS,
    unit: Unit::Percent,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// By level; the whole has all of the whole.
const REASONS: [DenyReason; SCALES - 1] = [
    DenyReason::InstrumentShare,
    DenyReason::StrategyShare,
    DenyReason::GroupShare,
    DenyReason::AccountShare,
];

#[inline(always)]
pub(in crate::risk) fn check<W: Witness>(c: &Case<'_>, w: &mut W) -> Judged {
    if c.adds.gross <= 0 {
        return Ok(());
    }
    let whole = c.scopes[Scale::Portfolio as usize].gross + c.adds.gross;
    for (at, &reason) in REASONS.iter().enumerate() {
        let (scope, limits) = (c.scopes[at], c.levels[at]);
        let gross = scope.gross + c.adds.gross;
        if limits.share_pct_max == u32::MAX || gross <= i128::from(c.limits.share_from) {
            continue;
        }
        let (part, room) = (times(gross, 100), times(whole, limits.share_pct_max));
        let told = || part.checked_div(whole).unwrap_or(100);
        if W::LISTENS {
            w.saw(told(), limits.share_pct_max.into(), reason);
        }
        if part > room {
            return Err(refusal(told(), limits.share_pct_max.into(), reason));
        }
    }
    Ok(())
}
