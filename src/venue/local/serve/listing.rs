//! One instrument as the server knows it: what its frames say, and the streams made from them.
//!
//! Owns: book, trades, aggregate trades and bars of the instrument. Everything comes from the frames that clients get, so that what REST
//! answers agrees with the streams. Time is the frames' own event time.

use super::super::encode::{AggTrade, Encoder};
use super::super::engine::Fill;
use super::aggregates::Aggregates;
use super::bars::Bars;
use super::book::{Applied, Book, DiffIds};
use super::derived::Derived;
use super::scan;
use super::stream_name::Channel;
use crate::domain::decimal::parse;
use crate::domain::{Instrument, Price, Qty, Side};
use std::collections::VecDeque;

/// Trades that REST can show.
const TRADES_KEPT: usize = 1_000;

/// A trade as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trade {
    pub id: u64,
    pub ms: u64,
    pub price: Price,
    pub qty: Qty,
    pub maker_side: Side,
}

/// What a bar needs of a fill.
pub(super) fn fill(trade_id: u64, price: Price, qty: Qty, maker_side: Side) -> Fill {
    Fill {
        trade_id,
        maker: 0,
        maker_account: 0,
        maker_side,
        maker_leaves: Qty::ZERO,
        taker: 0,
        taker_account: 0,
        price,
        qty,
    }
}

/// What a frame told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News<'a> {
    Trade(Trade),
    Diff(DiffIds, &'a [u8]),
    /// Something else; only its event time matters.
    Other,
}

/// Frames that were not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Oddities {
    pub gaps: u64,
    pub unreadable: u64,
}

pub(super) struct Listing {
    pub instrument: Instrument,
    pub encoder: Encoder,
    pub book: Book,
    pub trades: VecDeque<Trade>,
    pub aggregates: Aggregates,
    pub bars: Bars,
    /// Trades seen.
    pub trade_count: u64,
    /// The latest event time seen, ms.
    pub now_ms: u64,
    pub derived: Vec<Derived>,
    pub oddities: Oddities,
    /// Channels the origin itself sends.
    natives: Vec<Box<[u8]>>,
}

impl Listing {
    pub fn new(instrument: Instrument) -> Self {
        Self {
            encoder: Encoder::new(&instrument),
            book: Book::new(instrument.price_decimals, instrument.qty_decimals),
            instrument,
            trades: VecDeque::new(),
            aggregates: Aggregates::default(),
            bars: Bars::default(),
            trade_count: 0,
            now_ms: 0,
            derived: Vec::new(),
            oddities: Oddities::default(),
            natives: Vec::new(),
        }
    }

    /// Takes note that the origin sends this stream.
    pub fn is_native(&mut self, name: &[u8]) {
        if !self.natives.iter().any(|known| **known == *name) {
            self.natives.push(name.into());
            self.derived.retain(|derived| derived.name.as_bytes() != name);
            if name.ends_with(b"@aggTrade") {
                self.aggregates.be_native();
            }
        }
    }

    /// Begins to make a stream, unless the origin sends it, or it is made already.
    pub fn want(&mut self, name: &str, channel: Channel) {
        let known = self.natives.iter().any(|native| **native == *name.as_bytes())
            || self.derived.iter().any(|derived| derived.name == name);
        if !known && let Some(derived) = Derived::new(name, channel, self) {
            self.derived.push(derived);
        }
    }

    /// Stops making it: nobody listens.
    pub fn unwant(&mut self, name: &str) {
        self.derived.retain(|derived| derived.name != name);
    }

    /// What it last traded at; before its first trade the middle of its book, in whole ticks.
    pub fn last_price(&self) -> Option<Price> {
        let middle = || {
            let (bid, ask) = (self.book.bids().next()?.price.0, self.book.asks().next()?.price.0);
            let tick = self.instrument.tick.0.max(1);
            Some(Price((bid + (ask - bid) / 2) / tick * tick)).filter(|price| price.0 > 0)
        };
        self.trades.back().map(|trade| trade.price).or_else(middle)
    }

    /// Takes in a frame of this instrument.
    pub fn take<'a>(&mut self, channel: &[u8], data: &'a [u8]) -> News<'a> {
        let head = &data[..data.len().min(128)];
        let event_ms = scan::integer(head, br#""E":"#);
        self.now_ms = self.now_ms.max(event_ms.unwrap_or(0));
        // A trade is told apart by its own time, which may be a little before its event's.
        if let Some(ms) = event_ms.filter(|_| channel != b"trade") {
            self.aggregates.pass(ms);
        }
        match channel {
            b"trade" => self.take_trade(data),
            b"aggTrade" => {
                self.take_aggregate(data);
                News::Other
            }
            _ if channel == b"depth" || channel.starts_with(b"depth@") => self.take_diff(data),
            _ => News::Other,
        }
    }

    fn take_trade<'a>(&mut self, data: &'a [u8]) -> News<'a> {
        let Some(trade) = self.read_trade(data) else {
            self.oddities.unreadable += 1;
            return News::Other;
        };
        if self.trades.len() == TRADES_KEPT {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
        self.aggregates.add(&trade);
        self.trade_count += 1;
        self.bars.add(&fill(trade.id, trade.price, trade.qty, trade.maker_side), trade.ms);
        News::Trade(trade)
    }

    fn read_trade(&self, data: &[u8]) -> Option<Trade> {
        let maker_is_buyer = scan::flag(data, br#""m":"#)?;
        Some(Trade {
            id: scan::integer(data, br#""t":"#)?,
            ms: scan::integer(data, br#""T":"#)?,
            price: Price(parse(scan::text(data, br#""p":""#)?, self.instrument.price_decimals).ok()?),
            qty: Qty(parse(scan::text(data, br#""q":""#)?, self.instrument.qty_decimals).ok()?),
            maker_side: if maker_is_buyer { Side::Buy } else { Side::Sell },
        })
    }

    fn take_aggregate(&mut self, data: &[u8]) {
        self.aggregates.be_native();
        match self.read_aggregate(data) {
            Some(aggregate) => self.aggregates.keep(aggregate),
            None => self.oddities.unreadable += 1,
        }
    }

    fn read_aggregate(&self, data: &[u8]) -> Option<AggTrade> {
        let maker_is_buyer = scan::flag(data, br#""m":"#)?;
        Some(AggTrade {
            id: scan::integer(data, br#""a":"#)?,
            first_id: scan::integer(data, br#""f":"#)?,
            last_id: scan::integer(data, br#""l":"#)?,
            price: Price(parse(scan::text(data, br#""p":""#)?, self.instrument.price_decimals).ok()?),
            qty: Qty(parse(scan::text(data, br#""q":""#)?, self.instrument.qty_decimals).ok()?),
            maker_side: if maker_is_buyer { Side::Buy } else { Side::Sell },
            ms: scan::integer(data, br#""T":"#)?,
        })
    }

    fn take_diff<'a>(&mut self, data: &'a [u8]) -> News<'a> {
        let Some(ids) = DiffIds::of(data) else {
            self.oddities.unreadable += 1;
            return News::Other;
        };
        match self.book.apply(ids, data) {
            Applied::Yes | Applied::Old => {}
            Applied::AfterGap => self.oddities.gaps += 1,
            Applied::Unreadable => self.oddities.unreadable += 1,
        }
        News::Diff(ids, data)
    }
}
