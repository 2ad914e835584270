//! Layering and spoofing: large orders on one side that are taken back, untraded, once a small one on the other side has
//! traded.

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
            suspicions: Recent::new(settings.after_ns),
            episodes: Recent::new(settings.window_ns),
        }
    }

    /// One of our orders traded: does much more rest on the other side?
    fn filled(&mut self, time: Time, order: OrderId) {
        let Some(&Resting { strategy, instrument, side, qty, .. }) = self.resting.get(&order) else { return };
        if self.suspicions.iter().any(|(_, known)| known.order == order) {
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
            let suspicion =
                Suspicion { strategy, instrument, order, filled: qty, facing, total, withdrawn: 0, orders };
            self.suspicions.push(time, suspicion);
        }
    }

    fn ended(&mut self, time: Time, order: OrderId) -> Option<Alert> {
        let resting = self.resting.remove(&order)?;
        self.suspicions.forget(time);
        let mut found = None;
        for (_, suspicion) in self.suspicions.iter_mut() {
            let Some(at) = suspicion.facing.iter().position(|(id, _)| *id == order) else { continue };
            let (_, left) = suspicion.facing.swap_remove(at);
            // What traded in the meantime was meant to.
            suspicion.withdrawn = suspicion.withdrawn.saturating_add(left.min(resting.left));
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
        match act {
            Act::Order { order, strategy, side, price, qty } => {
                let (qty, rests) = (qty.0, price.0 > 0);
                let resting = Resting { strategy, instrument, side, sent: time, qty, left: qty, rests };
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
            Act::Ended { order } => self.ended(time, order),
            Act::Cancel { .. } | Act::Trade { .. } => None,
        }
    }
}
