//! Layering and spoofing: large orders on one side that are taken back, untraded, once a small one on the other side has
//! traded.
//!
//! Who adds to a position moves the target that leaves it: that is taken back too, and asked for again at once, for as much
//! and more. So of orders that only reduce what comes again in time was not taken back; what does not was, and is told then.

use super::activity::{Act, Recent, Seen};
use super::{Alert, Detector, SECOND};
use crate::domain::{InstrumentId, OrderId, Side, StrategyId, Time};
use std::collections::HashMap;

/// When it is called that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpoofingSettings {
    /// What rests on the other side is so many times the order that traded and what rests beside it: who makes a market
    /// has as much on both sides.
    pub size_ratio: f64,
    /// It was sent at most so long before the fill, ns.
    pub before_ns: u64,
    /// It is taken back at most so long after the fill, ns.
    pub after_ns: u64,
    /// At least this part of it is taken back untraded.
    pub withdrawn: f64,
    /// So many times within the window below.
    pub episodes: usize,
    /// The window, ns.
    pub window_ns: u64,
}

impl Default for SpoofingSettings {
    fn default() -> Self {
        Self {
            size_ratio: 4.0,
            before_ns: 30 * SECOND,
            after_ns: 3 * SECOND,
            withdrawn: 0.8,
            episodes: 2,
            window_ns: 600 * SECOND,
        }
    }
}

struct Resting {
    strategy: StrategyId,
    instrument: InstrumentId,
    side: Side,
    sent: Time,
    qty: i64,
    left: i64,
    /// Whether it has a price to rest at.
    rests: bool,
    /// Whether it can only make the position smaller.
    reduces: bool,
}

/// A fill, and what rested on the other side then.
struct Suspicion {
    strategy: StrategyId,
    instrument: InstrumentId,
    /// The order that traded.
    order: OrderId,
    filled: i64,
    /// Orders that rested, with what of each was left.
    facing: Vec<(OrderId, i64)>,
    total: i64,
    withdrawn: i64,
    orders: usize,
    /// Its side.
    side: Side,
    /// How much of what only reduces was taken back, and may come again, and since when.
    away: i64,
    away_since: Time,
}

/// See the module.
pub struct Spoofing {
    settings: SpoofingSettings,
    resting: HashMap<OrderId, Resting>,
    suspicions: Recent<Suspicion>,
    episodes: Recent<(StrategyId, InstrumentId)>,
}

impl Spoofing {
    /// A detector with these settings.
    #[must_use]
    pub fn new(settings: SpoofingSettings) -> Self {
        Self {
            settings,
            resting: HashMap::new(),
            // What is taken back at the last moment may come again as long after.
            suspicions: Recent::new(settings.after_ns.saturating_mul(2)),
            episodes: Recent::new(settings.window_ns),
        }
    }

    /// One of our orders traded: does much more rest on the other side?
    fn filled(&mut self, time: Time, order: OrderId) {
        let Some(&Resting { strategy, instrument, side, qty, .. }) = self.resting.get(&order) else { return };
        let after = self.settings.after_ns;
        if self.suspicions.iter().any(|(at, known)| known.order == order && time.since(*at) <= after) {
            return;
        }
        let before = self.settings.before_ns;
        let faces = |r: &Resting| {
            r.instrument == instrument
                && r.strategy == strategy
                && r.side == side.opposite()
                && r.rests
                && r.left > 0
                && time.since(r.sent) <= before
        };
        let facing: Vec<(OrderId, i64)> =
            self.resting.iter().filter(|(_, r)| faces(r)).map(|(id, r)| (*id, r.left)).collect();
        let total = facing.iter().map(|(_, left)| *left).fold(0i64, i64::saturating_add);
        let beside = self.resting.iter().filter(|(id, r)| {
            **id != order && r.instrument == instrument && r.strategy == strategy && r.side == side && r.rests
        });
        let meant = beside.map(|(_, r)| r.left).fold(qty, i64::saturating_add);
        if total > 0 && total as f64 >= self.settings.size_ratio * meant as f64 {
            let orders = facing.len();
            self.suspicions.push(
                time,
                Suspicion {
                    strategy,
                    instrument,
                    order,
                    filled: qty,
                    facing,
                    total,
                    withdrawn: 0,
                    orders,
                    side: side.opposite(),
                    away: 0,
                    away_since: time,
                },
            );
        }
    }

    fn ended(&mut self, time: Time, order: OrderId) -> Option<Alert> {
        let resting = self.resting.remove(&order)?;
        self.suspicions.forget(time);
        let after = self.settings.after_ns;
        for (_, suspicion) in self.suspicions.iter_mut().filter(|(at, _)| time.since(*at) <= after) {
            let Some(at) = suspicion.facing.iter().position(|(id, _)| *id == order) else { continue };
            let (_, left) = suspicion.facing.swap_remove(at);
            // What traded in the meantime was meant to.
            let left = left.min(resting.left);
            if resting.reduces {
                suspicion.away = suspicion.away.saturating_add(left);
                suspicion.away_since = time;
            } else {
                suspicion.withdrawn = suspicion.withdrawn.saturating_add(left);
            }
        }
        self.look(time)
    }

    /// An order never came to the market: nothing rested, and nothing is taken back.
    fn refused(&mut self, order: OrderId) {
        self.resting.remove(&order);
        for (_, suspicion) in self.suspicions.iter_mut() {
            let Some(at) = suspicion.facing.iter().position(|(id, _)| *id == order) else { continue };
            let (_, left) = suspicion.facing.swap_remove(at);
            suspicion.total = suspicion.total.saturating_sub(left);
            suspicion.orders = suspicion.orders.saturating_sub(1);
        }
    }

    /// An order that only reduces stands for what was taken back of its like.
    fn came_again(&mut self, strategy: StrategyId, instrument: InstrumentId, side: Side, qty: i64) {
        for (_, suspicion) in self.suspicions.iter_mut() {
            if (suspicion.strategy, suspicion.instrument, suspicion.side) == (strategy, instrument, side) {
                suspicion.away = suspicion.away.saturating_sub(qty).max(0);
            }
        }
    }

    /// What was taken back and did not come again in time stays away.
    fn stays_away(&mut self, time: Time) -> Option<Alert> {
        let after = self.settings.after_ns;
        let mut any = false;
        for (_, suspicion) in self.suspicions.iter_mut() {
            if suspicion.away > 0 && time.since(suspicion.away_since) > after {
                suspicion.withdrawn = suspicion.withdrawn.saturating_add(suspicion.away);
                (suspicion.away, any) = (0, true);
            }
        }
        if any { self.look(time) } else { None }
    }

    /// Whether enough was taken back of what faced one of the fills.
    fn look(&mut self, time: Time) -> Option<Alert> {
        let mut found = None;
        for (_, suspicion) in self.suspicions.iter_mut() {
            let enough = self.settings.withdrawn * suspicion.total as f64;
            if suspicion.total > 0 && suspicion.withdrawn as f64 >= enough {
                found = Some((
                    suspicion.strategy,
                    suspicion.instrument,
                    suspicion.filled,
                    suspicion.withdrawn,
                    suspicion.orders,
                ));
                // Told once.
                suspicion.total = 0;
                suspicion.facing.clear();
            }
        }
        let (strategy, instrument, filled, withdrawn, orders) = found?;
        self.episodes.push(time, (strategy, instrument));
        let episodes = self.episodes.iter().filter(|(_, of)| *of == (strategy, instrument)).count();
        (episodes >= self.settings.episodes).then(|| Alert {
            detector: self.name(),
            time,
            strategy,
            instrument,
            detail: format!(
                "{withdrawn} in {orders} orders taken back untraded after {filled} traded on the other side, {episodes} times"
            ),
        })
    }
}

impl Detector for Spoofing {
    fn name(&self) -> &'static str {
        "spoofing"
    }

    fn take(&mut self, seen: &Seen) -> Option<Alert> {
        let Seen { time, instrument, act } = *seen;
        let stayed_away = self.stays_away(time);
        let found = match act {
            Act::Order { order, strategy, side, price, qty, reduces } => {
                let (qty, rests) = (qty.0, price.0 > 0);
                if reduces && rests {
                    self.came_again(strategy, instrument, side, qty);
                }
                let sent = time;
                let resting = Resting { strategy, instrument, side, sent, qty, left: qty, rests, reduces };
                self.resting.insert(order, resting);
                None
            }
            Act::Fill { order, qty, .. } => {
                self.filled(time, order);
                if let Some(resting) = self.resting.get_mut(&order) {
                    resting.left = resting.left.saturating_sub(qty.0);
                    if resting.left <= 0 {
                        self.resting.remove(&order);
                    }
                }
                None
            }
            Act::Refused { order } => {
                self.refused(order);
                None
            }
            Act::Ended { order } => self.ended(time, order),
            Act::Cancel { .. } | Act::Trade { .. } => None,
        };
        found.or(stayed_away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Qty};

    const MILLIS: u64 = SECOND / 1_000;

    /// Twice: 500 to sell rest, 10 are bought, the 500 are taken back, and so much comes again so long after. When the alert
    /// is heard, ms after the second taking back, of which another trade comes every 100.
    fn heard(reduces: bool, again: i64, after_ms: u64) -> Option<u64> {
        heard_where(reduces, again, after_ms, |order| Act::Ended { order })
    }

    /// The same, where the 500 end like this.
    fn heard_where(reduces: bool, again: i64, after_ms: u64, end: fn(OrderId) -> Act) -> Option<u64> {
        let mut spoofing = Spoofing::new(SpoofingSettings::default());
        let (instrument, strategy) = (InstrumentId(0), StrategyId(0));
        let mut told = None;
        for episode in 0..2u64 {
            let begin = episode * 60 * SECOND;
            let order = |id, side, qty, reduces| {
                let order = OrderId(episode * 10 + id);
                Act::Order { order, strategy, side, price: Price(100), qty: Qty(qty), reduces }
            };
            let (order_of, price, maker, trade_id) = (OrderId(episode * 10 + 2), Price(100), true, episode);
            let (side, qty) = (Side::Buy, Qty(10));
            let fill = Act::Fill { order: order_of, strategy, side, price, qty, maker, trade_id };
            let trade = Act::Trade { price, qty: Qty(1), aggressor: Side::Sell };
            let mut acts = vec![
                (0, order(1, Side::Sell, 500, reduces)),
                (1_000, order(2, Side::Buy, 10, false)),
                (2_000, fill),
                (3_000, end(OrderId(episode * 10 + 1))),
            ];
            acts.extend((1..90).map(|n| (3_000 + n * 100, trade)));
            if again > 0 {
                acts.push((3_000 + after_ms, order(3, Side::Sell, again, true)));
            }
            acts.sort_by_key(|(at, _)| *at);
            for (at, act) in acts {
                let time = Time(begin + at * MILLIS);
                if spoofing.take(&Seen { time, instrument, act }).is_some() {
                    assert!(episode == 1 && told.is_none(), "at the second, once");
                    told = at.checked_sub(3_000);
                }
            }
        }
        told
    }

    #[test]
    fn a_target_that_is_moved_was_not_taken_back_and_one_that_stays_away_was() {
        assert_eq!(heard(false, 0, 0), Some(0));
        assert_eq!(heard_where(false, 0, 0, |order| Act::Refused { order }), None, "it never rested");
        assert_eq!(heard(false, 510, 200), Some(0), "what may open is an offer that was withdrawn");
        assert_eq!(heard(true, 510, 200), None);
        assert_eq!(heard(true, 0, 0), Some(3_100));
        assert_eq!(heard(true, 510, 3_050), Some(3_050), "too late");
        assert_eq!(heard(true, 50, 200), Some(3_100), "for a tenth");
        assert_eq!(heard(true, 150, 200), None, "most of it is what counts");
    }
}
