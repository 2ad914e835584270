//! Live runs against the tests' own small venue: their configuration, and the comparison of books at the end.

#![allow(dead_code, reason = "each user takes a part")]

#[path = "live_run.rs"]
mod live_run;
pub use live_run::LiveRun;

use super::wire::{Book, Venue};
use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::{Instrument, InstrumentId, InstrumentTable, Market, Notional, Price, Qty};
use algo_trader::run::{Config, Summary};
use std::collections::BTreeMap;

pub fn symbols(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("S{i}USDT")).collect()
}

pub fn table(symbols: &[String]) -> InstrumentTable {
    let instrument = |symbol: &String| Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market: Market::Spot,
        symbol: symbol.clone(),
        base: symbol.trim_end_matches("USDT").into(),
        quote: "USDT".into(),
        price_decimals: 8,
        qty_decimals: 8,
        tick: Price(1_000_000),
        lot: Qty(100_000),
        min_qty: Qty(100_000),
        max_qty: Qty(i64::MAX / 1_000_000),
        min_notional: Notional(0),
        maker_fee: FeeRate(100_000),
        taker_fee: FeeRate(100_000),
    };
    InstrumentTable::new(symbols.iter().map(instrument).collect()).expect("distinct")
}

/// A configuration that follows `venue` quickly and trades its first symbol.
pub fn config(venue: &Venue, symbols: &[String], more: &str) -> Config {
    // Patient where the test is not about patience: a machine that has no time is no venue that has failed.
    let usual = [
        format!("ca_file = {:?}", venue.ca_file.path()),
        "silence_ms = 20000".into(),
        "open_timeout_ms = 20000".into(),
        "reconnect_min_ms = 20".into(),
        "reconnect_max_ms = 200".into(),
        "overlap_ms = 300".into(),
    ];
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let given: Vec<String> = more.lines().map(key).collect();
    let fast: Vec<_> = usual.into_iter().filter(|line| !given.contains(&key(line))).collect();
    let fast = fast.join("\n");
    let text = format!(
        r#"
[market]
fetch_bars = "off"
[risk]
unset = "default"
[paper]
fill = "touch"
[venue]
{fast}
{more}
[venue.spot]
weight_per_minute = 1000000
{}
[[strategy]]
name = "imbalance-maker"
instruments = ["binance:spot:{}"]
[strategy.params]
threshold = 0.05
levels = 3
qty = "0.100"
hold_ms = 50
"#,
        venue.endpoints(),
        symbols[0],
    );
    Config::from_text_with_instruments(&text, "test", table(symbols))
        .unwrap_or_else(|error| panic!("{error}"))
}

impl LiveRun {
    /// Stops the market, lets what is under way arrive, ends the run, and compares every book with the venue's.
    pub fn end_and_compare(&mut self, venue: &Venue) -> Summary {
        venue.freeze();
        self.until_quiet();
        let summary = self.good();
        let told: u64 =
            summary.live.as_ref().expect("live").markets.iter().map(|m| m.counts.interruptions).sum();
        assert_eq!(self.interruptions(), told, "each interruption is an event");
        let theirs: BTreeMap<String, Book> = venue.books();
        let ours = self.books();
        for (symbol, book) in &theirs {
            let (bids, asks, last_id) = ours.get(symbol).unwrap_or_else(|| panic!("{symbol} is invalid"));
            assert_eq!(*last_id, book.last_id, "{symbol}: at another update id");
            assert!(*bids == book.bids && *asks == book.asks, "{symbol}: other levels");
        }
        assert_eq!(
            self.replayed().order_stream_sha256,
            summary.order_stream_sha256,
            "the journal replays to it"
        );
        summary
    }
}
