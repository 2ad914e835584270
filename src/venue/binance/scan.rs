//! The fast path: frames in the very shape Binance prints, read from left to right without building anything.
//!
//! Owns: the shapes of trade, aggregate trade, best bid and ask, depth diff, partial book and snapshot, as printed by
//! each market. Invariant: every byte is either compared with the byte expected there or is part of a number, so
//! that an answer is the [reference path](super::tape)'s answer; any other shape, wrong value or unknown instrument
//! gives `None`, and the reference path says what it is.

use super::cursor::Cursor;
use super::symbols::{Entry, Symbols};
use crate::domain::event::{DepthHead, Quote, Trade};
use crate::domain::{Level, Price, Qty, Side, Time};
use crate::net::SourceInfo;
use crate::venue::Decoded;

/// Reads `frame`, appending the levels of depth messages to `levels`.
#[inline]
pub(super) fn scan(
    symbols: &Symbols,
    source: &SourceInfo,
    frame: &[u8],
    levels: &mut Vec<Level>,
) -> Option<Decoded> {
    let mut c = Cursor { rest: frame };
    if !c.lit(b"{\"stream\":\"") {
        c.expect(b"{")?;
        let message = raw(&mut c, symbols, source, levels)?;
        return c.rest.is_empty().then_some(message);
    }
    let entry = symbols.lower(source.market, c.rest)?;
    c.skip(entry.len)?;
    let partial = c.stream_kind()?;
    c.expect(b"\",\"data\":{")?;
    let message = combined(&mut c, entry, partial, levels)?;
    (c.rest == b"}").then_some(message)
}

/// A message whose stream has named the instrument.
#[inline(always)]
fn combined(c: &mut Cursor, entry: &Entry, partial: bool, levels: &mut Vec<Level>) -> Option<Decoded> {
    let of_futures = !c.lit(b"\"u\":");
    if of_futures {
        if c.lit(b"\"lastUpdateId\":") {
            return book(c, entry, levels).map(Decoded::DepthPartial);
        }
        c.expect(b"\"e\":\"")?;
    }
    // One place for both forms, so that the code for it is there once.
    if !of_futures || c.lit(b"bookTicker\",\"u\":") {
        let update_id = c.int()?;
        if of_futures || !c.lit(b",\"e\":\"bookTicker\",") {
            c.expect(b",")?;
        }
        return quote(c, entry, update_id);
    }
    if c.lit(b"depthUpdate\",\"E\":") {
        let head = diff(c, entry, levels)?;
        return Some(if partial { Decoded::DepthPartial(head) } else { Decoded::DepthDiff(head) });
    }
    if c.lit(b"trade\",\"E\":") {
        return trade(c, entry);
    }
    c.expect(b"aggTrade\",\"E\":")?;
    aggregate(c, entry)
}

/// A message of a raw stream, or a REST snapshot.
#[cold]
fn raw(c: &mut Cursor, symbols: &Symbols, source: &SourceInfo, levels: &mut Vec<Level>) -> Option<Decoded> {
    if !c.rest.starts_with(b"\"lastUpdateId\":") {
        // The symbol is further on; the shape is then checked as if the stream had named it.
        let at = c.rest.windows(5).take(100).position(|w| w == b"\"s\":\"")? + 5;
        let entry = symbols.upper(source.market, c.rest.get(at..)?)?;
        return combined(c, entry, false, levels);
    }
    let named = c.rest.windows(10).take(100).position(|w| w == b"\"symbol\":\"");
    let entry = match (named, &source.symbol) {
        (Some(at), _) => symbols.upper(source.market, c.rest.get(at + 10..)?)?,
        (None, Some(symbol)) => symbols.exact(source.market, symbol)?,
        (None, None) => return None,
    };
    c.expect(b"\"lastUpdateId\":")?;
    book(c, entry, levels).map(Decoded::DepthSnapshot)
}

#[inline]
fn trade(c: &mut Cursor, entry: &Entry) -> Option<Decoded> {
    c.int()?;
    let futures_time = if c.lit(b",\"T\":") { Some(c.int()?) } else { None };
    c.symbol(entry)?;
    c.expect(b",\"t\":")?;
    let id = c.int()?;
    let (price, qty) = c.price_and_qty(entry)?;
    let (time, sold) = match futures_time {
        Some(time) => {
            c.expect(b",\"X\":\"MARKET\",\"m\":")?;
            (time, c.boolean()?)
        }
        None => c.spot_tail()?,
    };
    c.expect(b"}")?;
    made(entry, price, qty, id, time, sold, false)
}

#[inline]
fn aggregate(c: &mut Cursor, entry: &Entry) -> Option<Decoded> {
    c.int()?;
    let id = if c.lit(b",\"a\":") {
        let id = c.int()?;
        c.symbol(entry)?;
        id
    } else {
        c.symbol(entry)?;
        c.expect(b",\"a\":")?;
        c.int()?
    };
    let (price, qty) = c.price_and_qty(entry)?;
    c.expect(b",\"f\":")?;
    c.int()?;
    c.expect(b",\"l\":")?;
    c.int()?;
    c.expect(b",\"T\":")?;
    let time = c.int()?;
    c.expect(b",\"m\":")?;
    let sold = c.boolean()?;
    if c.lit(b",\"M\":") {
        c.boolean()?;
    }
    c.expect(b"}")?;
    made(entry, price, qty, id, time, sold, true)
}

#[inline(always)]
fn made(
    entry: &Entry,
    price: i64,
    qty: i64,
    id: u64,
    time: u64,
    sold: bool,
    aggregate: bool,
) -> Option<Decoded> {
    (price > 0).then_some(Decoded::Trade(Trade {
        instrument: entry.id,
        price: Price(price),
        qty: Qty(qty),
        id,
        venue_time: Time::from_millis(time),
        aggressor: if sold { Side::Sell } else { Side::Buy },
        aggregate,
    }))
}

/// From the symbol on.
#[inline(always)]
fn quote(c: &mut Cursor, entry: &Entry, update_id: u64) -> Option<Decoded> {
    c.expect(b"\"s\":\"")?;
    c.upper_symbol(entry)?;
    c.pair()?;
    c.expect(b",\"b\":\"")?;
    let bid_price = c.decimal(entry.price_decimals)?;
    c.expect(b"\",\"B\":\"")?;
    let bid_qty = c.decimal(entry.qty_decimals)?;
    c.expect(b"\",\"a\":\"")?;
    let ask_price = c.decimal(entry.price_decimals)?;
    c.expect(b"\",\"A\":\"")?;
    let ask_qty = c.decimal(entry.qty_decimals)?;
    if c.lit(b"\",\"T\":") {
        c.int()?;
        c.expect(b",\"E\":")?;
        c.int()?;
        c.expect(b"}")?;
    } else {
        c.expect(b"\"}")?;
    }
    Some(Decoded::Quote(Quote {
        instrument: entry.id,
        bid: Level::new(bid_price, bid_qty),
        ask: Level::new(ask_price, ask_qty),
        update_id,
    }))
}

/// From the event time on.
#[inline]
fn diff(c: &mut Cursor, entry: &Entry, levels: &mut Vec<Level>) -> Option<DepthHead> {
    let mut time = c.int()?;
    if c.lit(b",\"T\":") {
        time = c.int()?;
    }
    c.symbol(entry)?;
    c.pair()?;
    c.expect(b",\"U\":")?;
    let first_id = c.int()?;
    c.expect(b",\"u\":")?;
    let last_id = c.int()?;
    let prev_id = if c.lit(b",\"pu\":") { c.int()? } else { 0 };
    if first_id > last_id {
        return None;
    }
    c.expect(b",\"b\":[")?;
    let bids = c.side(entry, levels)?;
    c.expect(b",\"a\":[")?;
    let asks = c.side(entry, levels)?;
    c.expect(b"}")?;
    let venue_time = Time::from_millis(time);
    Some(DepthHead { instrument: entry.id, first_id, last_id, prev_id, venue_time, bids, asks })
}

/// From the update id on.
#[inline]
fn book(c: &mut Cursor, entry: &Entry, levels: &mut Vec<Level>) -> Option<DepthHead> {
    let last_id = c.int()?;
    let mut time = 0;
    if c.lit(b",\"E\":") {
        c.int()?;
        c.expect(b",\"T\":")?;
        time = c.int()?;
    }
    if c.lit(b",\"symbol\":\"") {
        c.upper_symbol(entry)?;
        if c.lit(b",\"pair\":\"") {
            c.plain_text()?;
        }
    }
    c.expect(b",\"bids\":[")?;
    let bids = c.side(entry, levels)?;
    c.expect(b",\"asks\":[")?;
    let asks = c.side(entry, levels)?;
    c.expect(b"}")?;
    let venue_time = Time::from_millis(time);
    Some(DepthHead { instrument: entry.id, first_id: last_id, last_id, prev_id: 0, venue_time, bids, asks })
}
