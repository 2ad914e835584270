//! Bars of the local market, for its kline frames.
//!
//! Owns: open, high, low, close and volumes of one interval. Invariant: bars of an interval follow each other without
//! a gap; one without trades stands at the last price.

use super::engine::Fill;
use crate::domain::{Notional, Price, Qty, Side};

/// The bar being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bar {
    pub interval_ms: u64,
    pub open_ms: u64,
    pub open: Price,
    pub high: Price,
    pub low: Price,
    pub close: Price,
    pub volume: Qty,
    pub quote: Notional,
    pub taker_buy_volume: Qty,
    pub taker_buy_quote: Notional,
    /// First and last trade id, where there are trades.
    pub first_id: u64,
    pub last_id: u64,
    pub trades: u64,
}

impl Bar {
    /// The bar around `now_ms`, standing at `price`.
    pub fn new(interval_ms: u64, now_ms: u64, price: Price) -> Self {
        Self {
            interval_ms,
            open_ms: now_ms - now_ms % interval_ms,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            quote: Notional::ZERO,
            taker_buy_volume: Qty::ZERO,
            taker_buy_quote: Notional::ZERO,
            first_id: 0,
            last_id: 0,
            trades: 0,
        }
    }

    /// The last millisecond that belongs to it.
    pub fn close_ms(&self) -> u64 {
        self.open_ms + self.interval_ms - 1
    }

    /// Takes in a trade.
    pub fn add(&mut self, fill: &Fill) {
        if self.trades == 0 {
            (self.open, self.high, self.low) = (fill.price, fill.price, fill.price);
            self.first_id = fill.trade_id;
        }
        self.high = self.high.max(fill.price);
        self.low = self.low.min(fill.price);
        self.close = fill.price;
        self.last_id = fill.trade_id;
        self.trades += 1;
        let quote = fill.price.times(fill.qty);
        self.volume = Qty(self.volume.0.saturating_add(fill.qty.0));
        self.quote = self.quote.plus(quote);
        if fill.maker_side == Side::Sell {
            self.taker_buy_volume = Qty(self.taker_buy_volume.0.saturating_add(fill.qty.0));
            self.taker_buy_quote = self.taker_buy_quote.plus(quote);
        }
    }

    /// Takes in the next shorter bar, one that begins within this one.
    pub fn merge(&mut self, next: &Self) {
        if next.trades == 0 {
            return;
        }
        if self.trades == 0 {
            (self.open, self.high, self.low, self.first_id) = (next.open, next.high, next.low, next.first_id);
        }
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.last_id = next.last_id;
        self.trades += next.trades;
        self.volume = Qty(self.volume.0.saturating_add(next.volume.0));
        self.quote = self.quote.plus(next.quote);
        self.taker_buy_volume = Qty(self.taker_buy_volume.0.saturating_add(next.taker_buy_volume.0));
        self.taker_buy_quote = self.taker_buy_quote.plus(next.taker_buy_quote);
    }
}
