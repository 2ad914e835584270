//! Wash trades: our strategies trade with each other, so that volume shows and no owner changes.

use super::activity::{Act, Recent, Seen, bps};
use super::{Alert, Detector, SECOND};
use crate::domain::{InstrumentId, Price, Side, StrategyId};

/// When it is called that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WashSettings {
    /// A buy and a sell of two strategies are one pair if they are at most so far apart in time, ns.
    pub together_ns: u64,
    /// And their prices at most so far, hundredths of a per cent.
    pub price_bps: f64,
    /// And the smaller quantity is at least this part of the larger.
    pub size_part: f64,
    /// So many pairs within the window below.
    pub pairs: usize,
    /// The window, ns.
    pub window_ns: u64,
}

impl Default for WashSettings {
    fn default() -> Self {
        Self { together_ns: SECOND, price_bps: 1.0, size_part: 0.9, pairs: 3, window_ns: 120 * SECOND }
    }
}

#[derive(Clone, Copy)]
struct Filled {
    instrument: InstrumentId,
    strategy: StrategyId,
    side: Side,
    price: Price,
    qty: i64,
    trade_id: u64,
    paired: bool,
}

/// See the module.
pub struct Wash {
    settings: WashSettings,
    fills: Recent<Filled>,
    pairs: Recent<(InstrumentId, StrategyId, StrategyId)>,
}

impl Wash {
    /// A detector with these settings.
    #[must_use]
    pub fn new(settings: WashSettings) -> Self {
        Self { settings, fills: Recent::new(settings.together_ns), pairs: Recent::new(settings.window_ns) }
    }
}

impl Detector for Wash {
    fn name(&self) -> &'static str {
        "wash-trades"
    }

    fn take(&mut self, seen: &Seen) -> Option<Alert> {
        let Act::Fill { strategy, side, price, qty, trade_id, .. } = seen.act else { return None };
        let (time, instrument) = (seen.time, seen.instrument);
        self.fills.forget(time);
        let one = Filled { instrument, strategy, side, price, qty: qty.0, trade_id, paired: false };
        let settings = self.settings;
        let meets = |other: &Filled| {
            let parts = one.qty.min(other.qty) as f64 / one.qty.max(other.qty).max(1) as f64;
            other.instrument == instrument
                && other.side != side
                && !other.paired
                && other.strategy != strategy
                && bps(other.price, price).abs() <= settings.price_bps
                && parts >= settings.size_part
        };
        // The same trade of the venue on both sides is one beyond doubt.
        let same = |other: &Filled| {
            other.instrument == instrument
                && other.side != side
                && trade_id != 0
                && other.trade_id == trade_id
        };
        let sure = self.fills.iter().any(|(_, other)| same(other));
        let found =
            self.fills.iter_mut().rev().find(|(_, other)| if sure { same(other) } else { meets(other) });
        let Some((_, other)) = found else {
            self.fills.push(time, one);
            return None;
        };
        other.paired = true;
        let with = other.strategy;
        let both = (instrument, strategy.min(with), strategy.max(with));
        self.pairs.push(time, both);
        let pairs = self.pairs.iter().filter(|(_, of)| *of == both).count();
        if !sure && pairs < settings.pairs {
            return None;
        }
        let detail = match sure {
            true => format!("trade {trade_id} has us on both sides, with strategy {}", with.0),
            false => {
                format!("{pairs} pairs of buys and sells with strategy {}, alike in price and size", with.0)
            }
        };
        Some(Alert { detector: self.name(), time, strategy, instrument, detail })
    }
}
