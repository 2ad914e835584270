//! Tickers of a whole market in one message: `!miniTicker@arr` and the rolling windows'.
//!
//! Owns: when each is due, by the market's latest event time, and which symbols have traded since the last.

use super::derived::{Made, due};
use super::listing::Listing;
use super::stream_name::Ticker;
use super::ticker_frames;
use crate::domain::Market;
use std::collections::HashMap;

/// Between messages, ms.
const EVERY_MS: u64 = 1_000;

pub(super) struct AllTickers {
    pub market: Market,
    pub name: String,
    ticker: Ticker,
    next_ms: u64,
    /// Trades of each symbol when it was last in a message.
    told: HashMap<String, u64>,
}

impl AllTickers {
    pub fn new(market: Market, name: &str, ticker: Ticker) -> Self {
        Self { market, name: name.to_owned(), ticker, next_ms: 0, told: HashMap::new() }
    }

    /// Makes the message that is due at `now_ms`, unless nothing has traded.
    pub fn take(&mut self, now_ms: u64, listings: &[Listing], made: &mut Made) {
        if !due(&mut self.next_ms, EVERY_MS, now_ms) {
            return;
        }
        let mut rows: Vec<String> = Vec::new();
        for listing in listings.iter().filter(|listing| listing.instrument.market == self.market) {
            let told = self.told.entry(listing.instrument.symbol.clone()).or_default();
            if *told != listing.trade_count {
                *told = listing.trade_count;
                rows.push(ticker_frames::ticker(self.ticker, listing));
            }
        }
        if rows.is_empty() {
            return;
        }
        let (name, rows) = (&self.name, rows.join(","));
        made.add(|out| {
            out.extend_from_slice(format!(r#"{{"stream":"{name}","data":[{rows}]}}"#).as_bytes());
        });
    }
}
