//! Marking the close: our own aggressive trades in the last moments of a session that move the price it is valued at.

use super::activity::{Act, Recent, Seen, bps};
use super::{Alert, Detector, SECOND};
use crate::calendar::Calendar;
use crate::domain::{InstrumentId, Price, Side, StrategyId, Time};
use std::collections::HashMap;
use std::sync::Arc;

/// When it is called that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CloseSettings {
    /// The last moments are so long, ns.
    pub last_ns: u64,
    /// Our aggressive fills one way are at least this part of all that traded in them.
    pub share: f64,
    /// And the price moved that way by at least so much, hundredths of a per cent.
    pub move_bps: f64,
    /// With at least so many fills.
    pub fills: usize,
}

impl Default for CloseSettings {
    fn default() -> Self {
        Self { last_ns: 120 * SECOND, share: 0.25, move_bps: 5.0, fills: 3 }
    }
}

#[derive(Clone, Copy)]
struct Traded {
    price: Price,
    qty: i64,
}

#[derive(Clone, Copy)]
struct Own {
    strategy: StrategyId,
    side: Side,
    qty: i64,
}

/// What happened in one instrument within the last moments' length.
struct Lately {
    market: Recent<Traded>,
    own: Recent<Own>,
    /// The close that was told of last, and whose trades.
    told: Vec<(StrategyId, Time)>,
}

/// See the module.
pub struct Close {
    settings: CloseSettings,
    calendars: HashMap<InstrumentId, Arc<Calendar>>,
    lately: HashMap<InstrumentId, Lately>,
}

impl Close {
    /// A detector for instruments whose market closes; others have no close that could be marked.
    #[must_use]
    pub fn new(settings: CloseSettings, calendars: HashMap<InstrumentId, Arc<Calendar>>) -> Self {
        Self { settings, calendars, lately: HashMap::new() }
    }
}

impl Detector for Close {
    fn name(&self) -> &'static str {
        "marking-the-close"
    }

    fn take(&mut self, seen: &Seen) -> Option<Alert> {
        let (time, instrument) = (seen.time, seen.instrument);
        let calendar = self.calendars.get(&instrument)?;
        let window = self.settings.last_ns;
        let close = calendar.next_close(time, false)?;
        if close.since(time) > window || !calendar.is_open(time, false) {
            return None;
        }
        let lately = self.lately.entry(instrument).or_insert_with(|| Lately {
            market: Recent::new(window),
            own: Recent::new(window),
            told: Vec::new(),
        });
        match seen.act {
            Act::Trade { price, qty, .. } => lately.market.push(time, Traded { price, qty: qty.0 }),
            Act::Fill { strategy, side, qty, maker: false, .. } => {
                lately.own.push(time, Own { strategy, side, qty: qty.0 });
            }
            _ => return None,
        }
        lately.own.forget(time);
        lately.market.forget(time);
        let (_, last) = lately.own.iter().next_back()?;
        let Own { strategy, side, .. } = *last;
        let own = lately.own.iter().filter(|(_, own)| own.strategy == strategy && own.side == side);
        let (fills, qty) =
            own.fold((0usize, 0i64), |(n, sum), (_, own)| (n + 1, sum.saturating_add(own.qty)));
        let all = lately.market.iter().map(|(_, t)| t.qty).fold(0i64, i64::saturating_add);
        let (first, now) = (lately.market.iter().next()?.1.price, lately.market.iter().next_back()?.1.price);
        let up = bps(first, now);
        let moved = if side == Side::Buy { up } else { -up };
        let share = if all > 0 { qty as f64 / all as f64 } else { 0.0 };
        let marks =
            fills >= self.settings.fills && share >= self.settings.share && moved >= self.settings.move_bps;
        if !marks || lately.told.contains(&(strategy, close)) {
            return None;
        }
        lately.told.retain(|told| told.1 == close);
        lately.told.push((strategy, close));
        let detail = format!(
            "{fills} {side}s, {:.0} % of what traded, moved the price by {moved:.1} bps, {:.0} s before the close",
            100.0 * share,
            close.since(time) as f64 / 1e9
        );
        Some(Alert { detector: "marking-the-close", time, strategy, instrument, detail })
    }
}
