//! Quote stuffing: orders sent and taken back so fast and in such numbers that nobody can have meant them to trade.

use super::activity::{Act, Recent, Seen};
use super::{Alert, Detector, SECOND};
use crate::domain::{InstrumentId, OrderId, StrategyId, Time};
use std::collections::HashMap;

/// When it is called that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StuffingSettings {
    /// Within this window, ns.
    pub window_ns: u64,
    /// So many orders were sent and taken back.
    pub orders: usize,
    /// And at most this part of all orders of the window traded at all.
    pub traded: f64,
    /// And half of them lived no longer than this, ns.
    pub median_life_ns: u64,
}

impl Default for StuffingSettings {
    fn default() -> Self {
        Self { window_ns: SECOND, orders: 40, traded: 0.05, median_life_ns: SECOND / 5 }
    }
}

/// What became of an order.
#[derive(Clone, Copy)]
struct Gone {
    strategy: StrategyId,
    instrument: InstrumentId,
    life_ns: u64,
    traded: bool,
}

struct Live {
    strategy: StrategyId,
    sent: Time,
    left: i64,
    traded: bool,
}

/// See the module.
pub struct Stuffing {
    settings: StuffingSettings,
    live: HashMap<OrderId, Live>,
    gone: Recent<Gone>,
}

impl Stuffing {
    /// A detector with these settings.
    #[must_use]
    pub fn new(settings: StuffingSettings) -> Self {
        Self { settings, live: HashMap::new(), gone: Recent::new(settings.window_ns) }
    }

    fn ended(&mut self, time: Time, instrument: InstrumentId, order: OrderId) -> Option<Alert> {
        let Live { strategy, sent, traded, .. } = self.live.remove(&order)?;
        self.gone.push(time, Gone { strategy, instrument, life_ns: time.since(sent), traded });
        if traded || self.gone.len() < self.settings.orders {
            return None;
        }
        let same = |gone: &&Gone| gone.strategy == strategy && gone.instrument == instrument;
        let of: Vec<Gone> = self.gone.iter().map(|(_, gone)| gone).filter(same).copied().collect();
        let mut lives: Vec<u64> = of.iter().filter(|gone| !gone.traded).map(|gone| gone.life_ns).collect();
        if lives.len() < self.settings.orders {
            return None;
        }
        let traded = (of.len() - lives.len()) as f64 / of.len() as f64;
        let middle = lives.len() / 2;
        let median = *lives.select_nth_unstable(middle).1;
        if traded > self.settings.traded || median > self.settings.median_life_ns {
            return None;
        }
        let count = lives.len();
        self.gone.clear();
        let detail = format!(
            "{count} orders sent and taken back within {} ms, half of them within {:.1} ms; {:.0} % traded",
            self.settings.window_ns / 1_000_000,
            median as f64 / 1e6,
            100.0 * traded
        );
        Some(Alert { detector: self.name(), time, strategy, instrument, detail })
    }
}

impl Detector for Stuffing {
    fn name(&self) -> &'static str {
        "quote-stuffing"
    }

    fn take(&mut self, seen: &Seen) -> Option<Alert> {
        match seen.act {
            Act::Order { order, strategy, qty, .. } => {
                self.live.insert(order, Live { strategy, sent: seen.time, left: qty.0, traded: false });
                None
            }
            Act::Fill { order, qty, .. } => {
                let live = self.live.get_mut(&order)?;
                live.left = live.left.saturating_sub(qty.0);
                let Live { strategy, sent, left, traded } = *live;
                live.traded = true;
                if left <= 0 {
                    self.live.remove(&order);
                }
                if !traded {
                    let life_ns = seen.time.since(sent);
                    let gone = Gone { strategy, instrument: seen.instrument, life_ns, traded: true };
                    self.gone.push(seen.time, gone);
                }
                None
            }
            Act::Ended { order } => {
                // One that traded in part was counted when it did.
                if self.live.get(&order).is_some_and(|live| live.traded) {
                    self.live.remove(&order);
                    return None;
                }
                self.ended(seen.time, seen.instrument, order)
            }
            // Nobody saw it: nothing was taken back.
            Act::Refused { order } => {
                self.live.remove(&order);
                None
            }
            Act::Cancel { .. } | Act::Trade { .. } => None,
        }
    }
}
