//! The rules, one file each. Their order is that of the table in `risk/rule.rs`.
//!
//! A rule is a function of its [`Case`](super::rule::Case) and nothing else: no clock, no memory.

pub(super) mod balance;
pub(super) mod book;
pub(super) mod cancel_rates;
pub(super) mod duplicate;
pub(super) mod fat_finger;
pub mod filters;
pub(super) mod gross;
pub(super) mod halt;
pub(super) mod kill;
pub(super) mod leverage;
pub(super) mod limits_set;
pub(super) mod mark_collar;
pub(super) mod message_rates;
pub(super) mod minimum_balance;
pub(super) mod open_orders;
pub(super) mod order_qty;
pub(super) mod order_rate;
pub(super) mod order_rates;
pub(super) mod order_size;
pub(super) mod order_to_trade;
pub(super) mod paused;
pub(super) mod position;
pub(super) mod price;
pub(super) mod reduce_only;
pub(super) mod restricted;
pub(super) mod same_way;
pub(super) mod scale_gross;
pub(super) mod scale_long;
pub(super) mod scale_net;
pub(super) mod scale_open_orders;
pub(super) mod scale_short;
pub(super) mod self_trade;
pub(super) mod share;
pub(super) mod stale_book;
pub(super) mod stale_clock;
pub(super) mod suspended;
pub(super) mod tradable;
pub(super) mod trading_hours;

#[cfg(test)]
pub(super) mod tests;

use super::limits::{Pace, SCALES};
use super::rates::Pulse;
use super::rule::{Judged, Witness, over, over_count};
use crate::domain::DenyReason;

/// Denies where `sent` and `more` are over the second's, the minute's or the day's limit.
#[inline(always)]
fn pace(
    w: &mut impl Witness,
    sent: &Pulse,
    more: u64,
    limits: &Pace,
    [second, minute, day]: [DenyReason; 3],
) -> Judged {
    over_count(w, u64::from(sent.second) + more, limits.second.into(), second)?;
    over_count(w, u64::from(sent.minute) + more, limits.minute.into(), minute)?;
    over_count(w, u64::from(sent.day) + more, limits.day.into(), day)
}

/// Denies what would take an exposure of some level over its limit; `at_level` tells a level's exposure and limit. What
/// does not add to it is not denied for it: the way out stays open when the market moved it past its limit.
#[inline(always)]
fn exposure(
    w: &mut impl Witness,
    more: i128,
    at_level: impl Fn(usize) -> (i128, i64),
    reasons: &[DenyReason; SCALES],
) -> Judged {
    if more <= 0 {
        return Ok(());
    }
    for (at, &reason) in reasons.iter().enumerate() {
        let (held, limit) = at_level(at);
        over(w, held + more, limit.into(), reason)?;
    }
    Ok(())
}
