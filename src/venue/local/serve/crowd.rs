//! The market that is served, as the orders of accounts meet it.
//!
//! Owns: the way from frames to the exchange's crowd. A frame is sent first, byte for byte, then met: so a fill is told
//! after the trade or the book that brought it.
//!
//! What is sent to listeners is not changed: orders of accounts are matched against what the frames show, and neither
//! they nor their trades are shown in them. Depth, trades and update ids are then those of the origin alone, generated
//! or recorded, and agree with each other; the price is that an account does not see its own order in the public book,
//! and that ids of its trades are of another row than those of the public ones.

use super::super::api::Api;
use super::super::exchange::{SymbolId, SymbolStatus};
use super::listing::Listing;
use super::scan;
use super::server::Server;
use crate::domain::{Level, Market, Time};
use std::time::Instant;

/// Levels of a side that orders can meet.
const LEVELS: usize = 500;

impl Server {
    /// Lets accounts meet the books that were seeded, before the first frame: they are what REST shows until then. A market
    /// that has not traded yet is taken to stand at the middle of its book, so that stops know on which side of it they are.
    pub(super) fn show_seeded(&mut self) {
        if !self.meets_market {
            return;
        }
        let now = self.now();
        for listing in self.exchange.listings(Market::Spot) {
            if let Some(id) = self.api.exchange().symbol(&listing.instrument.symbol) {
                show_as_it_stands(&mut self.api, id, listing, now);
            }
        }
    }

    /// Gives a symbol of spot another state. One that trades again does so at the book and the last price that listeners know,
    /// not at those of before it was halted.
    pub(super) fn set_status(&mut self, id: SymbolId, symbol: &str, status: SymbolStatus) {
        let now = self.now();
        self.api.change(now, |exchange, _| exchange.set_status(id, status));
        let listing = self.exchange.listing(Market::Spot, symbol);
        if let Some(listing) = listing.filter(|_| self.meets_market && status == SymbolStatus::Trading) {
            show_as_it_stands(&mut self.api, id, listing, now);
        }
    }

    /// Lets accounts meet what a frame of spot has just told.
    pub(super) fn let_meet(&mut self, source: usize, frame: &[u8], at: Instant) {
        if !self.meets_market {
            return;
        }
        let spot = self.feed.sources.get(source).filter(|info| info.market == Market::Spot);
        let Some(symbol) = spot.and_then(|info| info.symbol.as_ref()).map(|symbol| symbol.to_uppercase())
        else {
            return;
        };
        let parts = scan::combined(frame);
        let channel = parts.as_ref().and_then(|parts| parts.name.split(|byte| *byte == b'@').nth(1));
        // A frame without a stream is a snapshot.
        let is_book = parts.is_none() || channel == Some(b"depth");
        if !is_book && channel != Some(b"trade") {
            return;
        }
        let Some(listing) = self.exchange.listing(Market::Spot, &symbol) else { return };
        let Some(id) = self.api.exchange().symbol(&symbol) else { return };
        let now = self.now();
        if is_book {
            if !listing.book.is_synced() {
                return;
            }
            show(&mut self.api, id, listing, now);
        } else {
            // One that could not be read is not in the listing.
            let trade_id = parts.and_then(|parts| scan::integer(parts.data, br#""t":"#));
            let Some(trade) = listing.trades.back().copied().filter(|trade| Some(trade.id) == trade_id)
            else {
                return;
            };
            let told = (trade.maker_side, trade.price, trade.qty);
            self.api.change(now, |exchange, out| exchange.crowd_traded(now.0 / 1_000_000, id, told, out));
        }
        self.spread(at);
    }
}

/// Shows the exchange the book and the last price of a listing, between frames.
fn show_as_it_stands(api: &mut Api, id: SymbolId, listing: &Listing, now: Time) {
    if !listing.book.is_synced() {
        return;
    }
    if let Some(last) = listing.last_price() {
        api.change(now, |exchange, _| exchange.set_last_price(id, last));
    }
    show(api, id, listing, now);
}

/// Shows the exchange the book of a listing.
fn show(api: &mut Api, id: SymbolId, listing: &Listing, now: Time) {
    let bids: Vec<Level> = listing.book.bids().take(LEVELS).collect();
    let asks: Vec<Level> = listing.book.asks().take(LEVELS).collect();
    api.change(now, |exchange, out| exchange.show_crowd(now.0 / 1_000_000, id, &bids, &asks, out));
}
