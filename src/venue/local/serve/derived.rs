//! Streams the origin does not send, made from those it does: aggregate trades, bars, tickers, best levels, slower
//! diffs.
//!
//! Owns: when each is due, by event time, and what it gathers in between.

use super::super::encode::DiffIds as PrintedIds;
use super::book::DiffIds;
use super::interval::Interval;
use super::listing::{Listing, News};
use super::scan;
use super::stream_name::{Channel, Ticker};
use super::ticker_frames;
use crate::domain::decimal::parse;
use crate::domain::{Level, Market};
use std::collections::BTreeMap;

/// A bar is called closed so long after its end, ms: trades come a little after their time.
const CLOSE_GRACE_MS: u64 = 250;

/// Frames made, one after another, in combined form.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub bytes: Vec<u8>,
    pub ends: Vec<usize>,
}

impl Made {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }
}

pub(super) struct Derived {
    pub name: String,
    kind: Kind,
}

enum Kind {
    AggTrade { next_id: u64 },
    Kline { interval: Interval, open_ms: u64, next_ms: u64, every_ms: u64 },
    Ticker { ticker: Ticker, next_ms: u64 },
    Partial { levels: usize, every_ms: u64, next_ms: u64, shown: u64 },
    Diff(Gathered),
}

/// Diffs of some time, as one.
struct Gathered {
    every_ms: u64,
    next_ms: u64,
    first: Option<u64>,
    last: u64,
    /// The last id of what was sent before.
    prev: u64,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Derived {
    /// `None` for a channel that cannot be made.
    pub fn new(name: &str, channel: Channel, of: &Listing) -> Option<Self> {
        let now_ms = of.now_ms;
        let kind = match channel {
            Channel::AggTrade => Kind::AggTrade { next_id: of.aggregates.next_id() },
            Channel::Kline(interval) => Kind::Kline {
                interval,
                open_ms: interval.opening(now_ms),
                next_ms: 0,
                every_ms: if interval.is_short() { 1_000 } else { 2_000 },
            },
            Channel::Ticker(ticker) => Kind::Ticker { ticker, next_ms: 0 },
            Channel::Partial(levels, every_ms) => {
                Kind::Partial { levels, every_ms: every_ms.max(1), next_ms: 0, shown: 0 }
            }
            Channel::Diff(every_ms) => Kind::Diff(Gathered {
                every_ms: every_ms.max(1),
                next_ms: 0,
                first: None,
                last: 0,
                prev: 0,
                bids: BTreeMap::new(),
                asks: BTreeMap::new(),
            }),
            Channel::Trade | Channel::BookTicker | Channel::AllTickers(_) | Channel::Other => return None,
        };
        Some(Self { name: name.to_owned(), kind })
    }

    fn channel(&self) -> &str {
        self.name.split_once('@').map_or("", |(_, channel)| channel)
    }

    /// Makes what is due once this news, already in the listing, has come.
    pub fn take(&mut self, news: News<'_>, of: &Listing, made: &mut Made) {
        let now_ms = of.now_ms;
        match (&mut self.kind, news) {
            (Kind::AggTrade { next_id }, _) => aggregates(next_id, of, made),
            (Kind::Diff(gathered), News::Diff(ids, diff)) => gathered.add(ids, diff, of),
            _ => {}
        }
        let channel = self.channel().to_owned();
        match &mut self.kind {
            Kind::Kline { interval, open_ms, next_ms, every_ms } => {
                while now_ms >= interval.next(*open_ms) + CLOSE_GRACE_MS {
                    if let Some(bar) = of.bars.bar(interval, *open_ms) {
                        made.add(|out| of.encoder.kline(out, now_ms, &channel, interval.label, &bar, true));
                    }
                    let next = interval.next(*open_ms);
                    // After a long silence the bars in between have nothing to tell.
                    let kept = interval.opening(now_ms.saturating_sub(600 * (next - *open_ms)));
                    *open_ms = next.max(kept);
                }
                if due(next_ms, *every_ms, now_ms)
                    && let Some(bar) = of.bars.bar(interval, *open_ms)
                {
                    made.add(|out| of.encoder.kline(out, now_ms, &channel, interval.label, &bar, false));
                }
            }
            Kind::Ticker { ticker, next_ms } => {
                if due(next_ms, 1_000, now_ms) {
                    made.add(|out| ticker_frames::write_combined(out, &channel, *ticker, of));
                }
            }
            Kind::Partial { levels, every_ms, next_ms, shown } => {
                if of.book.is_synced() && of.book.update_id() != *shown && due(next_ms, *every_ms, now_ms) {
                    let id = of.book.update_id();
                    let (bids, asks) = (of.book.bids().take(*levels), of.book.asks().take(*levels));
                    if of.instrument.market == Market::Spot {
                        made.add(|out| of.encoder.partial(out, &channel, id, bids, asks));
                    } else {
                        let ids = PrintedIds { first: *shown + 1, last: id, prev: *shown };
                        made.add(|out| of.encoder.depth(out, &channel, now_ms, ids, bids, asks));
                    }
                    *shown = id;
                }
            }
            Kind::Diff(gathered) => gathered.send_when_due(&channel, of, made),
            Kind::AggTrade { .. } => {}
        }
    }
}

impl Derived {
    /// Makes what was gathered and will not become more: the origin has ended.
    pub fn finish(&mut self, of: &Listing, made: &mut Made) {
        let channel = self.channel().to_owned();
        match &mut self.kind {
            Kind::AggTrade { next_id } => aggregates(next_id, of, made),
            Kind::Diff(gathered) => gathered.send(&channel, of, made),
            Kind::Kline { .. } | Kind::Ticker { .. } | Kind::Partial { .. } => {}
        }
    }
}

/// Whether the next moment of a grid of `every_ms` has come; moves it on if so.
pub(super) fn due(next_ms: &mut u64, every_ms: u64, now_ms: u64) -> bool {
    if now_ms < *next_ms {
        return false;
    }
    *next_ms = now_ms - now_ms % every_ms + every_ms;
    true
}

/// Those that have become whole since.
fn aggregates(next_id: &mut u64, of: &Listing, made: &mut Made) {
    for whole in of.aggregates.since(*next_id) {
        made.add(|out| of.encoder.agg_trade(out, whole));
        *next_id = whole.id + 1;
    }
}

impl Gathered {
    fn add(&mut self, ids: DiffIds, diff: &[u8], of: &Listing) {
        if self.first.is_none() {
            self.first = Some(ids.first);
            self.prev = ids.prev.unwrap_or_else(|| ids.first.saturating_sub(1));
        }
        self.last = ids.last;
        let decimals = (of.instrument.price_decimals, of.instrument.qty_decimals);
        for (key, side) in [(br#""b":["#, &mut self.bids), (br#""a":["#, &mut self.asks)] {
            // One that cannot be read is counted where the book takes it.
            let _ = scan::levels(diff, key, |price, qty| {
                side.insert(parse(price, decimals.0).ok()?, parse(qty, decimals.1).ok()?);
                Some(())
            });
        }
    }

    fn send_when_due(&mut self, channel: &str, of: &Listing, made: &mut Made) {
        if self.next_ms == 0 {
            self.next_ms = of.now_ms - of.now_ms % self.every_ms + self.every_ms;
        }
        if self.first.is_some() && due(&mut self.next_ms, self.every_ms, of.now_ms) {
            self.send(channel, of, made);
        }
    }

    fn send(&mut self, channel: &str, of: &Listing, made: &mut Made) {
        let Some(first) = self.first.take() else { return };
        let ids = PrintedIds { first, last: self.last, prev: self.prev };
        let level = |(&price, &qty): (&i64, &i64)| Level::new(price, qty);
        let (bids, asks) = (self.bids.iter().rev().map(level), self.asks.iter().map(level));
        made.add(|out| of.encoder.depth(out, channel, of.now_ms, ids, bids, asks));
        self.bids.clear();
        self.asks.clear();
    }
}
