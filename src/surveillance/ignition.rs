//! Momentum ignition: a burst of our own aggressive trades that moves the price, and a sale into what it set off.

use super::activity::{Act, Recent, Seen, bps};
use super::{Alert, Detector, SECOND};
use crate::domain::{InstrumentId, Price, Side, StrategyId, Time};
use std::collections::HashMap;

/// When it is called that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IgnitionSettings {
    /// The burst is at most so long, ns.
    pub burst_ns: u64,
    /// It has at least so many of our fills.
    pub fills: usize,
    /// They are at least this part of what traded that way.
    pub share: f64,
    /// The price moved by at least so much, hundredths of a per cent.
    pub move_bps: f64,
    /// What was bought is sold, or the other way round, at most so long after, ns.
    pub unwind_ns: u64,
    /// At least this part of it.
    pub unwound: f64,
}

impl Default for IgnitionSettings {
    fn default() -> Self {
        Self {
            burst_ns: 5 * SECOND,
            fills: 5,
            share: 0.5,
            move_bps: 8.0,
            unwind_ns: 60 * SECOND,
            unwound: 0.5,
        }
    }
}

/// A burst that moved the price.
struct Burst {
    side: Side,
    ended: Time,
    qty: i64,
    /// What our fills of it cost on average.
    average: f64,
    moved_bps: f64,
    share: f64,
    unwound: i64,
}

#[derive(Clone, Copy)]
struct Own {
    side: Side,
    price: Price,
    qty: i64,
}

#[derive(Clone, Copy)]
struct Traded {
    price: Price,
    qty: i64,
    aggressor: Side,
}

/// See the module.
pub struct Ignition {
    settings: IgnitionSettings,
    market: HashMap<InstrumentId, Recent<Traded>>,
    own: HashMap<(InstrumentId, StrategyId), Recent<Own>>,
    bursts: HashMap<(InstrumentId, StrategyId), Burst>,
}

impl Ignition {
    /// A detector with these settings.
    #[must_use]
    pub fn new(settings: IgnitionSettings) -> Self {
        Self { settings, market: HashMap::new(), own: HashMap::new(), bursts: HashMap::new() }
    }

    /// Whether our recent fills that way are a burst that moved the price.
    fn burst(&mut self, key: (InstrumentId, StrategyId), side: Side, now: Time) -> Option<Burst> {
        let own: Vec<Own> =
            self.own.get(&key)?.iter().map(|(_, own)| *own).filter(|o| o.side == side).collect();
        if own.len() < self.settings.fills {
            return None;
        }
        let market = self.market.get_mut(&key.0)?;
        market.forget(now);
        let (first, last) = (market.iter().next()?.1.price, market.iter().next_back()?.1.price);
        let up = bps(first, last);
        let moved_bps = if side == Side::Buy { up } else { -up };
        let that_way = market.iter().filter(|(_, t)| t.aggressor == side).map(|(_, t)| t.qty);
        let all: i64 = that_way.fold(0, i64::saturating_add);
        let qty: i64 = own.iter().map(|o| o.qty).fold(0, i64::saturating_add);
        let share = if all > 0 { qty as f64 / all as f64 } else { 1.0 };
        if moved_bps < self.settings.move_bps || share < self.settings.share {
            return None;
        }
        let cost: f64 = own.iter().map(|o| o.price.0 as f64 * o.qty as f64).sum();
        Some(Burst { side, ended: now, qty, average: cost / qty.max(1) as f64, moved_bps, share, unwound: 0 })
    }
}

impl Detector for Ignition {
    fn name(&self) -> &'static str {
        "momentum-ignition"
    }

    fn take(&mut self, seen: &Seen) -> Option<Alert> {
        let (time, instrument) = (seen.time, seen.instrument);
        let window = self.settings.burst_ns;
        match seen.act {
            Act::Trade { price, qty, aggressor } => {
                let market = self.market.entry(instrument).or_insert_with(|| Recent::new(window));
                market.push(time, Traded { price, qty: qty.0, aggressor });
                None
            }
            Act::Fill { strategy, side, price, qty, maker, .. } => {
                let key = (instrument, strategy);
                if let Some(burst) = self.bursts.get_mut(&key) {
                    if time.since(burst.ended) > self.settings.unwind_ns {
                        self.bursts.remove(&key);
                    } else if burst.side != side {
                        let gain = price.0 as f64 - burst.average;
                        let gains = if burst.side == Side::Buy { gain > 0.0 } else { gain < 0.0 };
                        burst.unwound = burst.unwound.saturating_add(if gains { qty.0 } else { 0 });
                        if burst.unwound as f64 >= self.settings.unwound * burst.qty as f64 {
                            let detail = format!(
                                "a burst of {}s, {:.0} % of what traded that way, moved the price by {:.1} bps; {:.0} % of it \
                                 was left at a profit within {:.1} s",
                                burst.side,
                                100.0 * burst.share,
                                burst.moved_bps,
                                100.0 * burst.unwound as f64 / burst.qty.max(1) as f64,
                                time.since(burst.ended) as f64 / 1e9
                            );
                            self.bursts.remove(&key);
                            self.own.remove(&key);
                            return Some(Alert { detector: self.name(), time, strategy, instrument, detail });
                        }
                    }
                }
                if !maker {
                    let own = self.own.entry(key).or_insert_with(|| Recent::new(window));
                    own.push(time, Own { side, price, qty: qty.0 });
                    if let Some(burst) = self.burst(key, side, time) {
                        self.bursts.insert(key, burst);
                    }
                }
                None
            }
            Act::Order { .. } | Act::Refused { .. } | Act::Ended { .. } | Act::Cancel { .. } => None,
        }
    }
}
