//! Ticker frames, written as the venue prints them.
//!
//! Owns: the JSON of `24hrTicker`, `24hrMiniTicker`, the rolling windows' and `avgPrice`.

use super::listing::Listing;
use super::stream_name::Ticker;
use super::window::Window;
use crate::domain::decimal::Scaled;
use crate::domain::{Level, Notional, Price, Qty};
use std::fmt::{Display, Write};

/// Fields of one JSON object.
struct Object<'a> {
    text: String,
    of: &'a Listing,
}

impl<'a> Object<'a> {
    fn event(kind: &str, of: &'a Listing) -> Self {
        let mut text = String::with_capacity(512);
        // Writing into a string does not fail, here and below.
        let _ = write!(text, r#"{{"e":"{kind}","E":{},"s":"{}""#, of.now_ms, of.instrument.symbol);
        Self { text, of }
    }

    fn raw(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.text, r#","{name}":{value}"#);
    }

    fn text(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.text, r#","{name}":"{value}""#);
    }

    fn price(&mut self, name: &str, price: Price) {
        let decimals = self.of.instrument.price_decimals;
        self.text(name, Scaled { value: price.0.into(), decimals });
    }

    fn qty(&mut self, name: &str, qty: Qty) {
        let decimals = self.of.instrument.qty_decimals;
        self.text(name, Scaled { value: qty.0.into(), decimals });
    }

    fn notional(&mut self, name: &str, notional: Notional) {
        let (value, decimals) = self.of.encoder.printed_notional(notional);
        self.text(name, Scaled { value: value.into(), decimals });
    }

    fn change(&mut self, window: &Window) {
        self.price("p", Price(window.change()));
        self.text("P", window.change_percent());
    }

    fn span(&mut self, window: &Window) {
        let bar = &window.bar;
        self.raw("O", window.open_ms);
        self.raw("C", window.close_ms);
        self.raw("F", id(bar.first_id, bar.trades));
        self.raw("L", id(bar.last_id, bar.trades));
        self.raw("n", bar.trades);
    }

    fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// A trade's id, −1 where nothing traded.
pub(super) fn id(id: u64, trades: u64) -> i64 {
    if trades == 0 { -1 } else { i64::try_from(id).unwrap_or(i64::MAX) }
}

/// The ticker of an instrument.
pub(super) fn ticker(ticker: Ticker, of: &Listing) -> String {
    match ticker {
        Ticker::Mini => mini(&of.day(), of),
        Ticker::Full => full(&of.day(), of),
        Ticker::Rolling { label, ms } => rolling(label, &of.window(ms), of),
        Ticker::Average => average(of),
    }
}

/// The ticker of an instrument as a frame of a combined stream.
pub(super) fn write_combined(out: &mut Vec<u8>, channel: &str, kind: Ticker, of: &Listing) {
    let symbol = of.instrument.symbol.to_lowercase();
    let data = ticker(kind, of);
    out.extend_from_slice(format!(r#"{{"stream":"{symbol}@{channel}","data":{data}}}"#).as_bytes());
}

fn mini(window: &Window, of: &Listing) -> String {
    let (mut object, bar) = (Object::event("24hrMiniTicker", of), &window.bar);
    for (name, price) in [("c", bar.close), ("o", bar.open), ("h", bar.high), ("l", bar.low)] {
        object.price(name, price);
    }
    object.qty("v", bar.volume);
    object.notional("q", bar.quote);
    object.end()
}

fn full(window: &Window, of: &Listing) -> String {
    let (mut object, bar) = (Object::event("24hrTicker", of), &window.bar);
    object.change(window);
    object.price("w", window.average());
    object.price("x", window.before);
    object.price("c", bar.close);
    object.qty("Q", window.last_qty);
    let none = Level::new(0, 0);
    let (bid, ask) = (of.book.bids().next().unwrap_or(none), of.book.asks().next().unwrap_or(none));
    object.price("b", bid.price);
    object.qty("B", bid.qty);
    object.price("a", ask.price);
    object.qty("A", ask.qty);
    for (name, price) in [("o", bar.open), ("h", bar.high), ("l", bar.low)] {
        object.price(name, price);
    }
    object.qty("v", bar.volume);
    object.notional("q", bar.quote);
    object.span(window);
    object.end()
}

fn rolling(label: &str, window: &Window, of: &Listing) -> String {
    let (mut object, bar) = (Object::event(&format!("{label}Ticker"), of), &window.bar);
    object.change(window);
    for (name, price) in [("o", bar.open), ("h", bar.high), ("l", bar.low), ("c", bar.close)] {
        object.price(name, price);
    }
    object.price("w", window.average());
    object.qty("v", bar.volume);
    object.notional("q", bar.quote);
    object.span(window);
    object.end()
}

fn average(of: &Listing) -> String {
    let average = of.average();
    let mut object = Object::event("avgPrice", of);
    object.text("i", format_args!("{}m", average.minutes));
    object.price("w", average.price);
    object.raw("T", average.last_ms);
    object.end()
}
