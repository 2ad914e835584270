//! Time bars from trades.
//!
//! A trade belongs to the bar of its venue time. A bar closes when a trade of a later bar comes, or, in a silent
//! market, when the sequencer's time has passed its end by a grace. Bars without trades are not made.

use super::message::Bar;
use crate::domain::event::Trade;
use crate::domain::{InstrumentId, Time};

/// Makes one instrument's bars of one length.
#[derive(Debug, Clone)]
pub struct BarBuilder {
    instrument: InstrumentId,
    length_ns: u64,
    grace_ns: u64,
    bar: Option<Bar>,
    closed_until: Time,
    late: u64,
}

impl BarBuilder {
    /// Bars of `length_ns` nanoseconds, aligned to the epoch.
    #[must_use]
    pub fn new(instrument: InstrumentId, length_ns: u64, grace_ns: u64) -> Self {
        Self { instrument, length_ns: length_ns.max(1), grace_ns, bar: None, closed_until: Time(0), late: 0 }
    }

    /// Trades that came after their bar had closed; they are in no bar.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }

    /// When the open bar closes for want of trades, if one is open.
    #[inline]
    #[must_use]
    pub fn closes_at(&self) -> Option<Time> {
        self.bar.map(|bar| bar.start.plus_nanos(self.length_ns + self.grace_ns))
    }

    /// The bar that time alone closes at `now`.
    #[inline]
    pub fn on_time(&mut self, now: Time) -> Option<Bar> {
        match self.closes_at() {
            Some(at) if now >= at => self.close(),
            _ => None,
        }
    }

    /// The bar that this trade closes, if it does; the trade then begins the next one.
    #[inline]
    pub fn on_trade(&mut self, trade: &Trade) -> Option<Bar> {
        let start = Time(trade.venue_time.0 - trade.venue_time.0 % self.length_ns);
        let closed = match self.bar {
            Some(open) if open.start < start => self.close(),
            _ => None,
        };
        if start < self.closed_until {
            self.late += 1;
            return closed;
        }
        match &mut self.bar {
            Some(bar) => {
                bar.high = bar.high.max(trade.price);
                bar.low = bar.low.min(trade.price);
                bar.close = trade.price;
                bar.volume.0 = bar.volume.0.saturating_add(trade.qty.0);
                bar.trades = bar.trades.saturating_add(1);
            }
            None => {
                self.bar = Some(Bar {
                    instrument: self.instrument,
                    start,
                    open: trade.price,
                    high: trade.price,
                    low: trade.price,
                    close: trade.price,
                    volume: trade.qty,
                    trades: 1,
                });
            }
        }
        closed
    }

    fn close(&mut self) -> Option<Bar> {
        let bar = self.bar.take()?;
        self.closed_until = bar.start.plus_nanos(self.length_ns);
        Some(bar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Qty, Side};

    fn trade(at: u64, price: i64, qty: i64) -> Trade {
        Trade {
            instrument: InstrumentId(0),
            price: Price(price),
            qty: Qty(qty),
            id: 0,
            venue_time: Time(at),
            aggressor: Side::Buy,
            aggregate: false,
        }
    }

    #[test]
    fn a_bar_holds_its_trades_and_closes_on_the_next_ones_trade() {
        let mut bars = BarBuilder::new(InstrumentId(0), 100, 10);
        assert_eq!(bars.on_trade(&trade(110, 5, 1)), None);
        assert_eq!(bars.on_trade(&trade(150, 9, 2)), None);
        assert_eq!(bars.on_trade(&trade(199, 3, 3)), None);
        let bar = bars.on_trade(&trade(200, 4, 1)).expect("the bar of 100 to 199 closes");
        assert_eq!((bar.start, bar.open.0, bar.high.0, bar.low.0, bar.close.0), (Time(100), 5, 9, 3, 3));
        assert_eq!((bar.volume.0, bar.trades), (6, 3));
    }

    #[test]
    fn silence_closes_a_bar_after_its_grace_and_a_late_trade_is_counted() {
        let mut bars = BarBuilder::new(InstrumentId(0), 100, 10);
        bars.on_trade(&trade(110, 5, 1));
        assert_eq!(bars.on_time(Time(209)), None);
        assert!(bars.on_time(Time(210)).is_some());
        assert_eq!(bars.on_trade(&trade(190, 5, 1)), None);
        assert_eq!(bars.late(), 1);
        assert_eq!(bars.closes_at(), None);
    }
}
