//! What an instrument traded in a stretch of time: the numbers of tickers.
//!
//! Owns: their definitions. Windows begin on whole minutes, as Binance has it for rolling windows, so one may be up to
//! 59,999 ms longer than its name says; `open_ms` is where it really begins.

use super::super::bar::Bar;
use super::listing::Listing;
use crate::domain::decimal::Scaled;
use crate::domain::{Price, Qty};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
/// The stretch of the average price.
const AVERAGE_MINUTES: u64 = 5;

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub open_ms: u64,
    pub close_ms: u64,
    pub bar: Bar,
    /// The price of the trade before the window; that of its first trade where there is none.
    pub before: Price,
    pub last_qty: Qty,
}

/// The average price of the last minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Average {
    pub minutes: u64,
    pub price: Price,
    /// When the last trade was.
    pub last_ms: u64,
}

impl Window {
    pub fn change(&self) -> i64 {
        self.bar.close.0.saturating_sub(self.bar.open.0)
    }

    /// Of the opening price, with three decimals, rounded to the nearest.
    pub fn change_percent(&self) -> String {
        let open = i128::from(self.bar.open.0);
        let change = i128::from(self.change()) * 100_000;
        let half = change.signum() * open / 2;
        let value = (change + half).checked_div(open).unwrap_or(0);
        Scaled { value, decimals: 3 }.to_string()
    }

    /// By volume, cut to the price's decimals.
    pub fn average(&self) -> Price {
        average(&self.bar).unwrap_or(self.bar.close)
    }
}

fn average(bar: &Bar) -> Option<Price> {
    let units = bar.quote.0.checked_div(i128::from(bar.volume.0))?;
    i64::try_from(units).ok().map(Price)
}

impl Listing {
    /// From the minute of `length_ms` ago to now. Without trades it stands at the last price, or at zero where nothing
    /// has ever traded.
    pub fn window(&self, length_ms: u64) -> Window {
        let from = self.now_ms.saturating_sub(length_ms);
        self.window_between(from - from % MINUTE_MS, self.now_ms)
    }

    /// The last 24 hours.
    pub fn day(&self) -> Window {
        self.window(DAY_MS)
    }

    /// From a whole minute on.
    pub fn window_between(&self, open_ms: u64, close_ms: u64) -> Window {
        let last = self.trades.back();
        let (minutes, before) = self.bars.minutes_from(open_ms);
        let standing = last.map_or(Price(0), |trade| trade.price);
        let mut bar = Bar::new(MINUTE_MS, open_ms, standing);
        minutes.for_each(|minute| bar.merge(minute));
        let before = before.unwrap_or(bar.open);
        Window { open_ms, close_ms, bar, before, last_qty: last.map_or(Qty::ZERO, |trade| trade.qty) }
    }

    /// By volume, over the last five minutes; the last price where nothing traded in them.
    pub fn average(&self) -> Average {
        let from = self.now_ms.saturating_sub(AVERAGE_MINUTES * MINUTE_MS);
        let last = self.trades.back();
        let mut bar = Bar::new(1_000, from, last.map_or(Price(0), |trade| trade.price));
        self.bars.seconds_from(from).for_each(|second| bar.merge(second));
        let price = average(&bar).unwrap_or(bar.close);
        Average { minutes: AVERAGE_MINUTES, price, last_ms: last.map_or(0, |trade| trade.ms) }
    }
}
