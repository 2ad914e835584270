//! Streams the origin does not send, made from those it does: aggregate trades, bars, best levels, slower diffs.
//!
//! Owns: when each is due, by event time, and what it gathers in between.

use super::super::encode::{AggTrade, DiffIds as PrintedIds};
use super::book::DiffIds;
use super::listing::{Listing, News, Trade};
use super::scan;
use super::stream_name::{Channel, Interval};
use crate::domain::decimal::parse;
use crate::domain::{Level, Market, Qty};
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

    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }
}

pub(super) struct Derived {
    pub name: String,
    kind: Kind,
}

enum Kind {
    AggTrade { next_id: u64, open: Option<AggTrade> },
    Kline { interval: Interval, open_ms: u64, next_ms: u64, every_ms: u64 },
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
            Channel::AggTrade => {
                Kind::AggTrade { next_id: of.trades.back().map_or(1, |trade| trade.id + 1), open: None }
            }
            Channel::Kline(interval) => Kind::Kline {
                interval,
                open_ms: now_ms - now_ms % interval.ms,
                next_ms: 0,
                every_ms: if interval.ms == 1_000 { 1_000 } else { 2_000 },
            },
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
            Channel::Trade | Channel::BookTicker | Channel::Other => return None,
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
            (Kind::AggTrade { next_id, open }, News::Trade(trade)) => {
                aggregate(next_id, open, &trade, of, made)
            }
            (Kind::AggTrade { open, .. }, _) => {
                if let Some(whole) = open.take() {
                    made.add(|out| of.encoder.agg_trade(out, &whole));
                }
            }
            (Kind::Diff(gathered), News::Diff(ids, diff)) => gathered.add(ids, diff, of),
            _ => {}
        }
        let channel = self.channel().to_owned();
        match &mut self.kind {
            Kind::Kline { interval, open_ms, next_ms, every_ms } => {
                while now_ms >= *open_ms + interval.ms + CLOSE_GRACE_MS {
                    if let Some(bar) = of.bars.bar(interval.ms, *open_ms) {
                        made.add(|out| of.encoder.kline(out, now_ms, interval.label, &bar, true));
                    }
                    // After a long silence the bars in between have nothing to tell.
                    let current = now_ms - now_ms % interval.ms;
                    *open_ms = (*open_ms + interval.ms).max(current.saturating_sub(600 * interval.ms));
                }
                if due(next_ms, *every_ms, now_ms)
                    && let Some(bar) = of.bars.bar(interval.ms, *open_ms)
                {
                    made.add(|out| of.encoder.kline(out, now_ms, interval.label, &bar, false));
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
            Kind::AggTrade { open, .. } => {
                if let Some(whole) = open.take() {
                    made.add(|out| of.encoder.agg_trade(out, &whole));
                }
            }
            Kind::Diff(gathered) => gathered.send(&channel, of, made),
            Kind::Kline { .. } | Kind::Partial { .. } => {}
        }
    }
}

/// Whether the next moment of a grid of `every_ms` has come; moves it on if so.
fn due(next_ms: &mut u64, every_ms: u64, now_ms: u64) -> bool {
    if now_ms < *next_ms {
        return false;
    }
    *next_ms = now_ms - now_ms % every_ms + every_ms;
    true
}

fn aggregate(next_id: &mut u64, open: &mut Option<AggTrade>, trade: &Trade, of: &Listing, made: &mut Made) {
    if let Some(whole) = open {
        let same = (whole.price, whole.maker_side, whole.ms) == (trade.price, trade.maker_side, trade.ms);
        if same {
            whole.last_id = trade.id;
            whole.qty = Qty(whole.qty.0.saturating_add(trade.qty.0));
            return;
        }
        made.add(|out| of.encoder.agg_trade(out, whole));
    }
    *open = Some(AggTrade {
        id: *next_id,
        first_id: trade.id,
        last_id: trade.id,
        price: trade.price,
        qty: trade.qty,
        maker_side: trade.maker_side,
        ms: trade.ms,
    });
    *next_id += 1;
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
