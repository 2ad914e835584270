//! Who hears what the rules compare: nobody where orders are judged to be sent, a recorder where somebody asks why.
//!
//! A rule is written once. For what trades it is compiled with [`Nobody`], which leaves nothing of the telling behind;
//! [`WatchedRules`] runs it once more with a list that keeps each comparison.

use super::rule::{Case, Judged, RULES, RuleList, check_all, fit};
use crate::domain::{DenyReason, Measure, OrderId};

/// Hears what a rule compares.
pub trait Witness {
    /// Whether anybody hears it, so that nothing is worked out for nobody.
    const LISTENS: bool;

    /// An order that comes to `value` was held against `limit`; `reason` is what it is denied for if it does not pass.
    #[inline]
    fn saw(&mut self, value: i128, limit: i128, reason: DenyReason) {
        self.measured(value, limit, reason, None);
    }

    /// The same where the reason does not say what the limit is of.
    fn measured(&mut self, value: i128, limit: i128, reason: DenyReason, measure: Option<Measure>);
}

/// Nobody: what trades.
#[derive(Debug)]
pub(super) struct Nobody;

impl Witness for Nobody {
    const LISTENS: bool = false;

    #[inline]
    fn measured(&mut self, _: i128, _: i128, _: DenyReason, _: Option<Measure>) {}
}

/// A limit that an order was held against, in the unit of its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// What the order is denied for if it does not pass.
    pub reason: DenyReason,
    /// The limit; the largest number where there is none.
    pub limit: i64,
    /// What the order came to.
    pub value: i64,
    /// What the limit is of and how it binds, where the reason does not say that.
    pub measure: Option<Measure>,
}

impl Witness for Vec<Comparison> {
    const LISTENS: bool = true;

    fn measured(&mut self, value: i128, limit: i128, reason: DenyReason, measure: Option<Measure>) {
        self.push(Comparison { reason, limit: fit(limit), value: fit(value), measure });
    }
}

/// What the rules said of one order: each that was run, with what it compared, in their order.
pub type Heard = Vec<(&'static str, Vec<Comparison>)>;

/// All of the rules, as [`EveryRule`](super::EveryRule) runs them, and what they compared for one order. It allocates, and
/// judges that order twice: for replays that ask why, not for what trades.
#[derive(Debug)]
pub struct WatchedRules {
    order: OrderId,
    heard: Heard,
}

impl WatchedRules {
    /// Rules that keep what they compare for `order`.
    #[must_use]
    pub fn of(order: OrderId) -> Self {
        Self { order, heard: Vec::new() }
    }

    /// What they compared; of an order that was judged more than once, the last time.
    #[must_use]
    pub fn heard(&self) -> &Heard {
        &self.heard
    }
}

impl RuleList for WatchedRules {
    fn check(&mut self, case: &Case<'_>, reducing: bool) -> Judged {
        if case.order.id == self.order {
            self.heard.clear();
            for rule in RULES.iter().filter(|rule| !reducing || rule.binds_reducing) {
                let mut compared = Vec::new();
                let judged = match rule.measure {
                    Some(measure) => measure(case, &mut compared),
                    None => (rule.check)(case),
                };
                self.heard.push((rule.name, compared));
                if judged.is_err() {
                    break;
                }
            }
        }
        check_all(case, reducing)
    }
}
