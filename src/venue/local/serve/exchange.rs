//! Every instrument of the venue, kept up to date by the frames on their way to clients.
//!
//! Owns: the listings and which instrument a frame is of. Knows no connection.

use super::all_tickers::AllTickers;
use super::book::BookView;
use super::derived::Made;
use super::listing::{Listing, Oddities};
use super::stream_name::Channel;
use super::{scan, stream_name};
use crate::domain::{Instrument, Market};
use std::collections::HashMap;

/// What a frame of the origin was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// A stream's frame, to be sent.
    Stream,
    /// A REST snapshot: for the books.
    Snapshot,
    /// Neither; not sent.
    Unknown,
}

#[derive(Default)]
pub(super) struct Exchange {
    listings: Vec<Listing>,
    /// By the symbol as stream names have it, per market.
    by_symbol: [HashMap<Box<[u8]>, usize>; 3],
    /// Streams of whole markets that somebody listens to.
    all_tickers: Vec<AllTickers>,
    /// Snapshots that could not be read.
    unreadable_snapshots: u64,
}

impl Exchange {
    pub fn list(&mut self, instrument: Instrument) {
        let symbol = instrument.symbol.to_lowercase().into_bytes().into_boxed_slice();
        let market = instrument.market as usize;
        if !self.by_symbol[market].contains_key(&symbol) {
            self.by_symbol[market].insert(symbol, self.listings.len());
            self.listings.push(Listing::new(instrument));
        }
    }

    fn find(&self, market: Market, lower: &[u8]) -> Option<usize> {
        self.by_symbol[market as usize].get(lower).copied()
    }

    /// The instrument with this symbol, in upper case as the venue writes it.
    pub fn listing(&self, market: Market, symbol: &str) -> Option<&Listing> {
        if symbol.chars().any(char::is_lowercase) {
            return None;
        }
        self.find(market, symbol.to_lowercase().as_bytes()).map(|at| &self.listings[at])
    }

    pub fn listings(&self, market: Market) -> impl Iterator<Item = &Listing> {
        self.listings.iter().filter(move |listing| listing.instrument.market == market)
    }

    pub fn book(&self, market: Market, symbol: &str, levels: usize) -> Option<BookView> {
        self.listing(market, symbol)?.book.view(levels)
    }

    pub fn oddities(&self) -> Oddities {
        let mut sum = Oddities { gaps: 0, unreadable: self.unreadable_snapshots };
        for listing in &self.listings {
            sum.gaps += listing.oddities.gaps;
            sum.unreadable += listing.oddities.unreadable;
        }
        sum
    }

    /// Looks at a frame before the feed begins: books are seeded with the first snapshots, and channels noted.
    pub fn foresee(&mut self, market: Market, symbol: Option<&str>, frame: &[u8]) {
        if scan::is_snapshot(frame) {
            let unseeded = symbol
                .and_then(|symbol| self.find(market, symbol.to_lowercase().as_bytes()))
                .is_some_and(|at| !self.listings[at].book.is_synced());
            if unseeded {
                self.seed(market, symbol, frame);
            }
        } else if let Some(at) = scan::combined(frame).and_then(|c| self.find(market, symbol_of(c.name))) {
            let name = scan::combined(frame).map_or(&b""[..], |c| c.name);
            self.listings[at].is_native(name);
        }
    }

    fn seed(&mut self, market: Market, symbol: Option<&str>, frame: &[u8]) {
        let found = symbol.and_then(|symbol| self.find(market, symbol.to_lowercase().as_bytes()));
        let seeded = found.is_some_and(|at| self.listings[at].book.seed(frame));
        self.unreadable_snapshots += u64::from(!seeded);
    }

    /// Takes in the next frame of the origin; what streams are made of it goes into `made`.
    pub fn take(&mut self, market: Market, symbol: Option<&str>, frame: &[u8], made: &mut Made) -> Taken {
        made.clear();
        let Some(combined) = scan::combined(frame) else {
            if scan::is_snapshot(frame) {
                self.seed(market, symbol, frame);
                return Taken::Snapshot;
            }
            return Taken::Unknown;
        };
        let symbol = symbol_of(combined.name);
        let Some(at) = self.find(market, symbol) else { return Taken::Stream };
        let listing = &mut self.listings[at];
        let channel = combined.name.get(symbol.len() + 1..).unwrap_or_default();
        let news = listing.take(channel, combined.data);
        if !listing.derived.is_empty() {
            listing.is_native(combined.name);
            let mut derived = std::mem::take(&mut listing.derived);
            derived.iter_mut().for_each(|derived| derived.take(news, listing, made));
            listing.derived = derived;
        }
        let now_ms = listing.now_ms;
        for all in self.all_tickers.iter_mut().filter(|all| all.market == market) {
            all.take(now_ms, &self.listings, made);
        }
        Taken::Stream
    }

    /// What streams made here still have to send once the origin has ended.
    pub fn finish(&mut self) -> Vec<(Market, Made)> {
        let finished = self.listings.iter_mut().map(|listing| {
            let mut made = Made::default();
            listing.aggregates.close();
            let mut derived = std::mem::take(&mut listing.derived);
            derived.iter_mut().for_each(|derived| derived.finish(listing, &mut made));
            listing.derived = derived;
            (listing.instrument.market, made)
        });
        finished.collect()
    }

    /// A stream has its first listener.
    pub fn want(&mut self, market: Market, name: &str) {
        let Some((symbol, channel)) = stream_name::parse(market, name) else { return };
        if let Channel::AllTickers(ticker) = channel {
            self.all_tickers.push(AllTickers::new(market, name, ticker));
            return;
        }
        match self.find(market, symbol.as_bytes()) {
            Some(at) if channel != Channel::Other => self.listings[at].want(name, channel),
            _ => log::warn!("{market}: {name} is subscribed to, and nothing is ever sent on it"),
        }
    }

    /// A stream has lost its last listener.
    pub fn unwant(&mut self, market: Market, name: &str) {
        self.all_tickers.retain(|all| all.market != market || all.name != name);
        let symbol = symbol_of(name.as_bytes());
        if let Some(at) = self.find(market, symbol) {
            self.listings[at].unwant(name);
        }
    }
}

fn symbol_of(name: &[u8]) -> &[u8] {
    memchr::memchr(b'@', name).map_or(name, |at| &name[..at])
}
