//! The reference path: any JSON in any order, through simd-json's tape.
//!
//! Owns: what a frame means. Invariant: after the largest frame has been seen, decoding allocates nothing (scratch,
//! buffers and tape are reused); of two fields with one name the last counts; nesting is bounded by simd-json, which
//! does not recurse.

use super::interruption::KIND;
use super::number::{parse_decimal, parse_truncated};
use crate::domain::event::{BarOrigin, DepthHead, Kline, Quote, Trade};
use crate::domain::{Instrument, InstrumentTable, Level, Notional, Price, Qty, Side, Time};
use crate::net::SourceInfo;
use crate::venue::{DecodeError, Decoded};
use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape, fill_tape_padded};
use std::mem;

/// Bytes of a frame for which there is room before the first one.
const FRAME_BYTES_USUAL: usize = 256 * 1024;

/// What simd-json works in.
pub(super) struct Parser {
    scratch: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Parser {
    pub fn new() -> Self {
        Self {
            scratch: Vec::with_capacity(FRAME_BYTES_USUAL + INPUT_PADDING),
            buffers: Buffers::new(FRAME_BYTES_USUAL),
            tape: Tape(Vec::with_capacity(FRAME_BYTES_USUAL / 4)),
        }
    }

    /// Decodes `frame`, appending the levels of depth messages to `levels`.
    pub fn decode(
        &mut self,
        table: &InstrumentTable,
        source: &SourceInfo,
        frame: &[u8],
        levels: &mut Vec<Level>,
    ) -> Result<Decoded, DecodeError> {
        self.scratch.clear();
        self.scratch.extend_from_slice(frame);
        self.scratch.resize(frame.len() + INPUT_PADDING, b' ');
        let mut tape = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let result = fill_tape_padded(&mut self.scratch, frame.len(), &mut self.buffers, &mut tape)
            .map_err(|_| DecodeError::Json)
            .and_then(|()| message(table, source, &tape.0, levels));
        self.tape = tape.reset();
        result
    }
}

/// Where the fields of one object are on the tape, by name.
struct Fields<'t> {
    nodes: &'t [Node<'t>],
    at: [u32; 64],
}

/// The place of a field's name in [`Fields::at`]; `None` for names that mean nothing to us.
#[inline(always)]
const fn slot(name: &[u8]) -> Option<usize> {
    match name {
        [letter @ (b'A'..=b'Z' | b'a'..=b'z')] => Some((*letter - b'@') as usize),
        b"pu" => Some(27),
        b"lastUpdateId" => Some(28),
        b"bids" => Some(29),
        b"asks" => Some(30),
        b"symbol" => Some(31),
        b"stream" => Some(59),
        b"data" => Some(60),
        _ => None,
    }
}

impl<'t> Fields<'t> {
    fn new(nodes: &'t [Node<'t>]) -> Self {
        Self { nodes, at: [0; 64] }
    }

    /// Notes the fields of the object at `start`; false if there is none. (Not a constructor: the 256 bytes of places
    /// would be copied on return.)
    #[inline]
    fn read(&mut self, start: usize) -> bool {
        let Some(Node::Object { len, .. }) = self.nodes.get(start) else { return false };
        let mut rest = &self.nodes[start + 1..];
        for _ in 0..*len {
            let [Node::String(name), value, ..] = rest else { break };
            if let Some(slot) = slot(name.as_bytes()) {
                self.at[slot] = (self.nodes.len() - rest.len() + 1) as u32;
            }
            let span = match value {
                Node::Object { count, .. } | Node::Array { count, .. } => 2 + count,
                _ => 2,
            };
            rest = rest.get(span..).unwrap_or(&[]);
        }
        true
    }

    /// Where the field's value is on the tape. Place 0 is the root, so it stands for none.
    #[inline(always)]
    fn place(&self, name: &str) -> Option<usize> {
        let at = self.at[slot(name.as_bytes())?];
        (at != 0).then_some(at as usize)
    }

    #[inline(always)]
    fn node(&self, name: &str) -> Option<&'t Node<'t>> {
        self.nodes.get(self.place(name)?)
    }

    #[inline(always)]
    fn text(&self, name: &'static str) -> Result<&'t str, DecodeError> {
        match self.node(name) {
            Some(Node::String(text)) => Ok(text),
            _ => Err(DecodeError::Field(name)),
        }
    }

    #[inline(always)]
    fn int(&self, name: &'static str) -> Result<u64, DecodeError> {
        match self.node(name) {
            Some(Node::Static(StaticNode::U64(value))) => Ok(*value),
            Some(Node::Static(StaticNode::I64(value))) => {
                u64::try_from(*value).map_err(|_| DecodeError::Impossible(name))
            }
            _ => Err(DecodeError::Field(name)),
        }
    }

    #[inline(always)]
    fn boolean(&self, name: &'static str) -> Result<bool, DecodeError> {
        match self.node(name) {
            Some(Node::Static(StaticNode::Bool(value))) => Ok(*value),
            _ => Err(DecodeError::Field(name)),
        }
    }

    /// A decimal that is not negative.
    #[inline(always)]
    fn decimal(&self, name: &'static str, decimals: u8) -> Result<i64, DecodeError> {
        number(self.text(name)?, name, decimals)
    }

    /// A price above zero.
    #[inline(always)]
    fn price(&self, name: &'static str, instrument: &Instrument) -> Result<Price, DecodeError> {
        match self.decimal(name, instrument.price_decimals)? {
            0 => Err(DecodeError::Impossible(name)),
            price => Ok(Price(price)),
        }
    }

    #[inline(always)]
    fn qty(&self, name: &'static str, instrument: &Instrument) -> Result<Qty, DecodeError> {
        self.decimal(name, instrument.qty_decimals).map(Qty)
    }

    /// The venue's time: of the transaction where it is said, else of the event, else zero.
    #[inline(always)]
    fn time(&self) -> Result<Time, DecodeError> {
        let name = if self.node("T").is_some() { "T" } else { "E" };
        if self.node(name).is_none() {
            return Ok(Time(0));
        }
        self.int(name).map(Time::from_millis)
    }

    /// Appends the levels of one side; how many they are.
    #[inline]
    fn side(
        &self,
        name: &'static str,
        instrument: &Instrument,
        levels: &mut Vec<Level>,
    ) -> Result<u32, DecodeError> {
        let wrong = DecodeError::Field(name);
        let start = self.place(name).ok_or(wrong)?;
        let Some(Node::Array { len, count }) = self.nodes.get(start) else { return Err(wrong) };
        let inside = self.nodes.get(start + 1..start + 1 + count).ok_or(wrong)?;
        if inside.len() != 3 * len {
            return Err(wrong);
        }
        for level in inside.chunks_exact(3) {
            let [Node::Array { len: 2, .. }, Node::String(price), Node::String(qty)] = level else {
                return Err(wrong);
            };
            let price = number(price, name, instrument.price_decimals)?;
            let qty = number(qty, name, instrument.qty_decimals)?;
            if price == 0 {
                return Err(DecodeError::Impossible(name));
            }
            levels.push(Level::new(price, qty));
        }
        // A frame is at most 8 MiB: its levels fit.
        Ok(*len as u32)
    }
}

#[inline(always)]
fn number(text: &str, field: &'static str, decimals: u8) -> Result<i64, DecodeError> {
    match parse_decimal(text.as_bytes(), decimals) {
        Ok(value) if value >= 0 => Ok(value),
        Ok(_) => Err(DecodeError::Impossible(field)),
        Err(error) => Err(DecodeError::Number { field, error }),
    }
}

fn message(
    table: &InstrumentTable,
    source: &SourceInfo,
    nodes: &[Node],
    levels: &mut Vec<Level>,
) -> Result<Decoded, DecodeError> {
    let mut inner = Fields::new(nodes);
    // The usual wrapper, seen without looking for its fields.
    if let [
        Node::Object { len: 2, .. },
        Node::String("stream"),
        Node::String(stream),
        Node::String("data"),
        ..,
    ] = nodes
        && inner.read(4)
    {
        return event(table, source, &inner, Some(stream), levels);
    }
    let mut root = Fields::new(nodes);
    if !root.read(0) {
        // Arrays and bare values (`!miniTicker@arr`) are none of our kinds.
        return Ok(Decoded::Ignored);
    }
    match root.place("data") {
        None => event(table, source, &root, None, levels),
        Some(data) if inner.read(data) => event(table, source, &inner, Some(root.text("stream")?), levels),
        Some(_) => Ok(Decoded::Ignored),
    }
}

/// One message; `stream` names its stream where streams are combined.
fn event(
    table: &InstrumentTable,
    source: &SourceInfo,
    fields: &Fields,
    stream: Option<&str>,
    levels: &mut Vec<Level>,
) -> Result<Decoded, DecodeError> {
    if fields.node("e").is_none() {
        if fields.node("lastUpdateId").is_some() {
            return book(table, source, fields, stream, levels);
        }
        // Spot's best bid and ask does not say what it is. Answers to requests have no `u`.
        if fields.node("u").is_none() {
            return Ok(Decoded::Ignored);
        }
    }
    let kind = if fields.node("e").is_some() { fields.text("e")? } else { "bookTicker" };
    let is_interruption = kind == KIND && stream.is_some_and(|stream| split_stream(stream).1 == KIND);
    if !is_interruption && !matches!(kind, "trade" | "aggTrade" | "bookTicker" | "depthUpdate" | "kline") {
        return Ok(Decoded::Ignored);
    }
    // Futures print fills that were not made on the book (X is NA, price and size may be 0): not market data.
    if matches!(fields.node("X"), Some(Node::String("NA"))) && kind == "trade" {
        return Ok(Decoded::Ignored);
    }
    let Some(id) = table.find(source.market, fields.text("s")?.as_bytes()) else {
        return Ok(Decoded::UnknownInstrument);
    };
    let instrument = table.get(id);
    match kind {
        "trade" => trade(instrument, fields, false),
        "aggTrade" => trade(instrument, fields, true),
        "bookTicker" => quote(instrument, fields),
        "depthUpdate" => diff(instrument, fields, stream, levels),
        KIND => Ok(Decoded::Interrupted(id)),
        _ => kline(instrument, fields),
    }
}

/// The symbol and the rest of a stream's name: `btcusdt`, `depth20@100ms`.
fn split_stream(stream: &str) -> (&str, &str) {
    stream.split_once('@').unwrap_or((stream, ""))
}

#[inline]
fn trade(i: &Instrument, f: &Fields, aggregate: bool) -> Result<Decoded, DecodeError> {
    Ok(Decoded::Trade(Trade {
        instrument: i.id,
        price: f.price("p", i)?,
        qty: f.qty("q", i)?,
        id: f.int(if aggregate { "a" } else { "t" })?,
        venue_time: Time::from_millis(f.int("T")?),
        aggressor: if f.boolean("m")? { Side::Sell } else { Side::Buy },
        aggregate,
    }))
}

/// Best bid and ask; the price of an empty side may be zero.
#[inline]
fn quote(i: &Instrument, f: &Fields) -> Result<Decoded, DecodeError> {
    Ok(Decoded::Quote(Quote {
        instrument: i.id,
        bid: Level { price: Price(f.decimal("b", i.price_decimals)?), qty: f.qty("B", i)? },
        ask: Level { price: Price(f.decimal("a", i.price_decimals)?), qty: f.qty("A", i)? },
        update_id: f.int("u")?,
    }))
}

/// A depth diff, or a partial book, which futures print alike: the stream's name tells them apart.
fn diff(
    i: &Instrument,
    f: &Fields,
    stream: Option<&str>,
    levels: &mut Vec<Level>,
) -> Result<Decoded, DecodeError> {
    let (first_id, last_id) = (f.int("U")?, f.int("u")?);
    if first_id > last_id {
        return Err(DecodeError::Impossible("u"));
    }
    let head = DepthHead {
        instrument: i.id,
        first_id,
        last_id,
        prev_id: if f.node("pu").is_some() { f.int("pu")? } else { 0 },
        venue_time: f.time()?,
        bids: f.side("b", i, levels)?,
        asks: f.side("a", i, levels)?,
    };
    let kind = stream.map_or("", |s| split_stream(s).1);
    let partial = kind.strip_prefix("depth").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
    Ok(if partial { Decoded::DepthPartial(head) } else { Decoded::DepthDiff(head) })
}

/// A REST snapshot, or spot's partial book where streams are combined.
fn book(
    table: &InstrumentTable,
    source: &SourceInfo,
    f: &Fields,
    stream: Option<&str>,
    levels: &mut Vec<Level>,
) -> Result<Decoded, DecodeError> {
    let symbol = match (stream, &source.symbol) {
        (Some(stream), _) => split_stream(stream).0,
        (None, _) if f.node("symbol").is_some() => f.text("symbol")?,
        (None, Some(symbol)) => symbol,
        (None, None) => return Err(DecodeError::Field("symbol")),
    };
    let Some(id) = table.find(source.market, symbol.as_bytes()) else {
        return Ok(Decoded::UnknownInstrument);
    };
    let i = table.get(id);
    let last_id = f.int("lastUpdateId")?;
    let head = DepthHead {
        instrument: id,
        first_id: last_id,
        last_id,
        prev_id: 0,
        venue_time: f.time()?,
        bids: f.side("bids", i, levels)?,
        asks: f.side("asks", i, levels)?,
    };
    Ok(if stream.is_some() { Decoded::DepthPartial(head) } else { Decoded::DepthSnapshot(head) })
}

/// A bar. Its quote volume is cut, not refused, at the notional's decimals: COIN-M prints a base volume there, with
/// more of them, and no order depends on the digits.
fn kline(i: &Instrument, f: &Fields) -> Result<Decoded, DecodeError> {
    let start = f.place("k").ok_or(DecodeError::Field("k"))?;
    let mut k = Fields::new(f.nodes);
    if !k.read(start) {
        return Err(DecodeError::Field("k"));
    }
    let quote_volume = parse_truncated(k.text("q")?.as_bytes(), i.notional_decimals())
        .map_err(|error| DecodeError::Number { field: "q", error })?;
    if quote_volume < 0 {
        return Err(DecodeError::Impossible("q"));
    }
    Ok(Decoded::Kline(Kline {
        instrument: i.id,
        open: k.price("o", i)?,
        high: k.price("h", i)?,
        low: k.price("l", i)?,
        close: k.price("c", i)?,
        volume: k.qty("v", i)?,
        open_time: Time::from_millis(k.int("t")?),
        close_time: Time::from_millis(k.int("T")?),
        trades: k.int("n")?,
        quote_volume: Notional(quote_volume),
        closed: k.boolean("x")?,
        origin: BarOrigin::Told,
    }))
}
