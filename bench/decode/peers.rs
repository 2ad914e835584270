//! What the decoder is measured against. None of these checks what it reads.

use algo_trader::domain::decimal::POW10;
use algo_trader::domain::event::{DepthHead, Quote, Trade};
use algo_trader::domain::{InstrumentId, InstrumentTable, Level, Market, Price, Qty, Side, Time};
use algo_trader::net::SourceInfo;
use algo_trader::venue::binance::number::parse_decimal;
use algo_trader::venue::{Decoded, LevelBuffer};
use serde::Deserialize;
use simd_json::Buffers;

/// What was read, so that all ways can be seen to read the same.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sum {
    prices: i128,
    levels: u64,
    ids: u64,
}

impl Sum {
    /// Adds one message.
    #[inline]
    pub fn read(&mut self, decoded: Decoded, levels: &LevelBuffer) {
        let (price, id) = match decoded {
            Decoded::Trade(t) => (t.price.0 ^ t.qty.0, t.id),
            Decoded::Quote(q) => (q.bid.price.0 ^ q.bid.qty.0 ^ q.ask.price.0 ^ q.ask.qty.0, q.update_id),
            Decoded::DepthDiff(d) | Decoded::DepthSnapshot(d) => {
                // Two levels, not all: the sum must not be what is measured.
                let ends = [levels.levels.first(), levels.levels.last()];
                (ends.iter().flatten().fold(0, |sum, l| sum ^ l.price.0 ^ l.qty.0), d.last_id)
            }
            _ => (0, 0),
        };
        self.prices += i128::from(price);
        self.levels += levels.levels.len() as u64;
        self.ids = self.ids.wrapping_add(id);
    }
}

#[derive(Deserialize)]
struct Combined<T> {
    data: T,
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "the venue's names")]
struct TradeFrame<'a> {
    s: &'a str,
    t: u64,
    p: &'a str,
    q: &'a str,
    T: u64,
    m: bool,
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "the venue's names")]
struct QuoteFrame<'a> {
    u: u64,
    s: &'a str,
    b: &'a str,
    B: &'a str,
    a: &'a str,
    A: &'a str,
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "the venue's names")]
struct DiffFrame<'a> {
    E: u64,
    T: Option<u64>,
    s: &'a str,
    U: u64,
    u: u64,
    pu: Option<u64>,
    #[serde(borrow)]
    b: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    a: Vec<[&'a str; 2]>,
}

#[derive(Deserialize)]
#[allow(non_snake_case, reason = "the venue's names")]
struct BookFrame<'a> {
    lastUpdateId: u64,
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

/// simd-json into serde structs, with reused buffers and our own fast number parser; told each frame's kind.
pub struct Derive {
    table: InstrumentTable,
    scratch: Vec<u8>,
    buffers: Buffers,
}

fn parsed<'a, T: Deserialize<'a>>(scratch: &'a mut [u8], buffers: &mut Buffers) -> T {
    simd_json::serde::from_slice_with_buffers(scratch, buffers).expect("the frame is good")
}

impl Derive {
    /// For these instruments.
    pub fn new(table: &InstrumentTable) -> Self {
        Self { table: table.clone(), scratch: Vec::new(), buffers: Buffers::new(256 * 1024) }
    }

    /// Decodes one frame.
    pub fn decode(
        &mut self,
        kind: usize,
        source: &SourceInfo,
        frame: &[u8],
        out: &mut LevelBuffer,
    ) -> Decoded {
        self.scratch.clear();
        self.scratch.extend_from_slice(frame);
        out.levels.clear();
        let (text, buffers, table) = (&mut self.scratch[..], &mut self.buffers, &self.table);
        let find = |symbol: &str| {
            let id = table.find(source.market, symbol.as_bytes()).expect("a known instrument");
            let instrument = table.get(id);
            (id, instrument.price_decimals, instrument.qty_decimals)
        };
        let number = |text: &str, decimals| parse_decimal(text.as_bytes(), decimals).expect("a number");
        match kind {
            0 => {
                let t = parsed::<Combined<TradeFrame>>(text, buffers).data;
                let (instrument, price_decimals, qty_decimals) = find(t.s);
                Decoded::Trade(Trade {
                    instrument,
                    price: Price(number(t.p, price_decimals)),
                    qty: Qty(number(t.q, qty_decimals)),
                    id: t.t,
                    venue_time: Time::from_millis(t.T),
                    aggressor: if t.m { Side::Sell } else { Side::Buy },
                    aggregate: false,
                })
            }
            1 => {
                let q = parsed::<Combined<QuoteFrame>>(text, buffers).data;
                let (instrument, price, qty) = find(q.s);
                Decoded::Quote(Quote {
                    instrument,
                    bid: Level::new(number(q.b, price), number(q.B, qty)),
                    ask: Level::new(number(q.a, price), number(q.A, qty)),
                    update_id: q.u,
                })
            }
            2 => {
                let d = parsed::<Combined<DiffFrame>>(text, buffers).data;
                let (instrument, price, qty) = find(d.s);
                let sides = d.b.iter().chain(&d.a);
                out.levels.extend(sides.map(|[p, q]| Level::new(number(p, price), number(q, qty))));
                Decoded::DepthDiff(DepthHead {
                    instrument,
                    first_id: d.U,
                    last_id: d.u,
                    prev_id: d.pu.unwrap_or(0),
                    venue_time: Time::from_millis(d.T.unwrap_or(d.E)),
                    bids: d.b.len() as u32,
                    asks: d.a.len() as u32,
                })
            }
            _ => {
                let d: BookFrame = parsed(text, buffers);
                let (instrument, price, qty) =
                    find(source.symbol.as_deref().expect("a source with a symbol"));
                let sides = d.bids.iter().chain(&d.asks);
                out.levels.extend(sides.map(|[p, q]| Level::new(number(p, price), number(q, qty))));
                Decoded::DepthSnapshot(DepthHead {
                    instrument,
                    first_id: d.lastUpdateId,
                    last_id: d.lastUpdateId,
                    prev_id: 0,
                    venue_time: Time(0),
                    bids: d.bids.len() as u32,
                    asks: d.asks.len() as u32,
                })
            }
        }
    }
}

/// The bare positional scan: steps over what it takes for granted and reads digits. Told kind and instrument.
pub struct Bare {
    table: InstrumentTable,
}

struct At<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl At<'_> {
    #[inline(always)]
    fn skip(&mut self, text: &str) {
        self.at += text.len();
    }

    #[inline(always)]
    fn word(&self, at: usize) -> (u64, u32) {
        let eight = match self.bytes[at..].first_chunk::<8>() {
            Some(eight) => *eight,
            None => std::array::from_fn(|i| self.bytes.get(at + i).copied().unwrap_or(0)),
        };
        let values = u64::from_le_bytes(eight) ^ 0x3030_3030_3030_3030;
        let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
        (values, others.trailing_zeros() / 8)
    }

    #[inline(always)]
    fn join(values: u64, count: u32) -> u64 {
        let v = values << (32 - 4 * count) << (32 - 4 * count);
        let v = (v & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2561) >> 8;
        let v = (v & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
        (v & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32
    }

    #[inline(always)]
    fn int<const WORDS: bool>(&mut self) -> u64 {
        let mut value = 0;
        loop {
            if WORDS {
                let (values, digits) = self.word(self.at);
                value = value * POW10[digits as usize] as u64 + Self::join(values, digits);
                self.at += digits as usize;
                if digits < 8 {
                    return value;
                }
            } else {
                let digit = self.bytes[self.at].wrapping_sub(b'0');
                if digit > 9 {
                    return value;
                }
                value = value * 10 + u64::from(digit);
                self.at += 1;
            }
        }
    }

    #[inline(always)]
    fn decimal<const WORDS: bool>(&mut self, decimals: u8) -> i64 {
        if WORDS {
            let (values, digits) = self.word(self.at);
            let whole = Self::join(values, digits);
            self.at += digits as usize;
            if decimals == 0 {
                return whole as i64;
            }
            let (values, _) = self.word(self.at + 1);
            self.at += 1 + usize::from(decimals);
            return whole as i64 * POW10[usize::from(decimals)]
                + Self::join(values, u32::from(decimals)) as i64;
        }
        let mut value = 0;
        loop {
            match self.bytes[self.at] {
                b'"' => return value,
                b'.' => {}
                digit => value = value * 10 + i64::from(digit.wrapping_sub(b'0')),
            }
            self.at += 1;
        }
    }

    #[inline(always)]
    fn side<const WORDS: bool>(&mut self, price: u8, qty: u8, out: &mut Vec<Level>) -> u32 {
        let mut count = 0;
        self.skip("[");
        while self.bytes[self.at] != b']' {
            self.at += usize::from(self.bytes[self.at] == b',');
            self.skip("[\"");
            let price = self.decimal::<WORDS>(price);
            self.skip("\",\"");
            out.push(Level::new(price, self.decimal::<WORDS>(qty)));
            self.skip("\"]");
            count += 1;
        }
        self.skip("]");
        count
    }
}

impl Bare {
    /// For these instruments.
    pub fn new(table: &InstrumentTable) -> Self {
        Self { table: table.clone() }
    }

    /// Decodes one frame.
    pub fn decode<const WORDS: bool>(
        &self,
        kind: usize,
        source: &SourceInfo,
        frame: &[u8],
        out: &mut LevelBuffer,
    ) -> Decoded {
        out.levels.clear();
        let (instrument, price, qty, symbol) = match source.market {
            Market::Spot => (InstrumentId(0), 8, 8, "BTCUSDT"),
            Market::UsdM => (InstrumentId(2), 2, 3, "BTCUSDT"),
            Market::CoinM => (InstrumentId(4), 1, 0, "BTCUSD_PERP"),
        };
        debug_assert_eq!(self.table.get(instrument).price_decimals, price);
        let mut c = At { bytes: frame, at: 0 };
        let futures = source.market != Market::Spot;
        if kind < 3 {
            c.skip("{\"stream\":\"");
            c.skip(symbol);
        }
        match kind {
            0 => {
                c.skip("@trade\",\"data\":{\"e\":\"trade\",\"E\":");
                c.int::<WORDS>();
                let mut time = 0;
                if futures {
                    c.skip(",\"T\":");
                    time = c.int::<WORDS>();
                }
                c.skip(",\"s\":\"\",\"t\":");
                c.skip(symbol);
                let id = c.int::<WORDS>();
                c.skip(",\"p\":\"");
                let price = Price(c.decimal::<WORDS>(price));
                c.skip("\",\"q\":\"");
                let qty = Qty(c.decimal::<WORDS>(qty));
                if futures {
                    c.skip("\",\"X\":\"MARKET");
                } else {
                    c.skip("\",\"T\":");
                    time = c.int::<WORDS>();
                }
                c.skip(if futures { "\",\"m\":" } else { ",\"m\":" });
                let aggressor = if frame[c.at] == b't' { Side::Sell } else { Side::Buy };
                let venue_time = Time::from_millis(time);
                Decoded::Trade(Trade { instrument, price, qty, id, venue_time, aggressor, aggregate: false })
            }
            1 => {
                c.skip("@bookTicker\",\"data\":{");
                if source.market == Market::UsdM {
                    c.skip("\"e\":\"bookTicker\",");
                }
                c.skip("\"u\":");
                let update_id = c.int::<WORDS>();
                if source.market == Market::CoinM {
                    c.skip(",\"e\":\"bookTicker\",\"ps\":\"BTCUSD\"");
                }
                c.skip(",\"s\":\"\",\"b\":\"");
                c.skip(symbol);
                let bid_price = c.decimal::<WORDS>(price);
                c.skip("\",\"B\":\"");
                let bid = Level::new(bid_price, c.decimal::<WORDS>(qty));
                c.skip("\",\"a\":\"");
                let ask_price = c.decimal::<WORDS>(price);
                c.skip("\",\"A\":\"");
                let ask = Level::new(ask_price, c.decimal::<WORDS>(qty));
                Decoded::Quote(Quote { instrument, bid, ask, update_id })
            }
            2 => {
                c.skip(if futures { "@depth@0ms" } else { "@depth@100ms" });
                c.skip("\",\"data\":{\"e\":\"depthUpdate\",\"E\":");
                let mut time = c.int::<WORDS>();
                if futures {
                    c.skip(",\"T\":");
                    time = c.int::<WORDS>();
                }
                c.skip(",\"s\":\"\"");
                c.skip(symbol);
                if source.market == Market::CoinM {
                    c.skip(",\"ps\":\"BTCUSD\"");
                }
                c.skip(",\"U\":");
                let first_id = c.int::<WORDS>();
                c.skip(",\"u\":");
                let last_id = c.int::<WORDS>();
                let mut prev_id = 0;
                if futures {
                    c.skip(",\"pu\":");
                    prev_id = c.int::<WORDS>();
                }
                c.skip(",\"b\":");
                let bids = c.side::<WORDS>(price, qty, &mut out.levels);
                c.skip(",\"a\":");
                let asks = c.side::<WORDS>(price, qty, &mut out.levels);
                let venue_time = Time::from_millis(time);
                Decoded::DepthDiff(DepthHead {
                    instrument,
                    first_id,
                    last_id,
                    prev_id,
                    venue_time,
                    bids,
                    asks,
                })
            }
            _ => {
                c.skip("{\"lastUpdateId\":");
                let last_id = c.int::<WORDS>();
                // Futures say times, and more, here: a snapshot is rare enough to search.
                c.at = frame.windows(8).position(|w| w == b"\"bids\":[").expect("a snapshot has bids");
                c.skip("\"bids\":");
                let bids = c.side::<WORDS>(price, qty, &mut out.levels);
                c.skip(",\"asks\":");
                let asks = c.side::<WORDS>(price, qty, &mut out.levels);
                let (first_id, prev_id, venue_time) = (last_id, 0, Time(0));
                Decoded::DepthSnapshot(DepthHead {
                    instrument,
                    first_id,
                    last_id,
                    prev_id,
                    venue_time,
                    bids,
                    asks,
                })
            }
        }
    }
}
