//! Trades: each is booked once, to the order that it is of.
//!
//! Owns: what becomes of a trade that an event, a list or an answer tells of, and trades whose order is not known: of one
//! placed elsewhere, or of ours whose number was not told yet.

use super::OrderClient;
use super::earlier::tell_seen;
use super::event::trade_row;
use super::ledger::{AMOUNT_DECIMALS, Booking, TradeFact, booking, moved, shown};
use super::message::Outputs;
use super::notice::Notice;
use super::orders::OrderKey;
use super::tracked::Fill;
use crate::domain::event::FEE_DECIMALS;
use crate::domain::{AssetCode, InstrumentId, Side, Time};
use std::collections::BTreeMap;

/// Trades kept whose order is not known.
const UNCLAIMED_MAX: usize = 4_096;

/// A trade whose order is not known: of one placed elsewhere, or of ours whose number was not told yet.
#[derive(Debug)]
pub(super) struct Unclaimed {
    pub instrument: InstrumentId,
    pub venue_order: u64,
    pub fill: Fill,
    /// Whether it was told as made elsewhere.
    pub told: bool,
    /// What it moved, by asset.
    pub moved: [(String, i128); 3],
    side: Side,
}

/// What a trade cost in a third asset, in units of 10^-8, rounded up; an asset whose name is too long for a report is
/// only told.
fn third(booking: &Booking, trade: &TradeFact) -> Option<(AssetCode, i64)> {
    let asset = booking.third.then(|| AssetCode::of(&trade.commission_asset)).flatten()?;
    let unit = 10i128.pow(u32::from(AMOUNT_DECIMALS - FEE_DECIMALS));
    let units = trade.commission.div_euclid(unit) + i128::from(trade.commission.rem_euclid(unit) != 0);
    Some((asset, i64::try_from(units).ok()?))
}

impl OrderClient {
    /// Books the rows of a list of trades; returns how many there are, how many were new, and the last one's number.
    pub(super) fn trade_rows(
        &mut self,
        now: Time,
        instrument: InstrumentId,
        rows: &serde_json::Value,
        out: &mut Outputs,
    ) -> Option<(usize, u64, u64)> {
        let rows = rows.as_array()?;
        let listed = self.instruments.get(instrument)?;
        let trades: Option<Vec<TradeFact>> =
            rows.iter().map(|row| trade_row(row, &listed.instrument)).collect();
        let trades = trades?;
        let newest = trades.iter().map(|trade| trade.trade_id).max().unwrap_or(0);
        let mut new = 0;
        for (trade, row) in trades.iter().zip(rows) {
            if self.trade(now, instrument, None, trade, out) {
                new += 1;
                if let Some(ms) = row.get("time").and_then(serde_json::Value::as_u64) {
                    self.learned(now, instrument, trade, ms);
                }
            }
        }
        Some((rows.len(), new, newest))
    }

    /// Books a trade, unless it is booked; returns whether it was new. `key` is its order's, where that is known.
    pub(super) fn trade(
        &mut self,
        now: Time,
        instrument: InstrumentId,
        key: Option<OrderKey>,
        trade: &TradeFact,
        out: &mut Outputs,
    ) -> bool {
        let Some(listed) = self.instruments.get(instrument) else { return false };
        let key = key.or_else(|| self.orders.find_venue(instrument, trade.venue_order));
        let tracked = key.and_then(|key| self.orders.get_mut(key)).filter(|one| one.reported.is_some());
        let of_earlier = tracked.is_some();
        // What the earlier run booked is in what it left.
        if tracked.is_some_and(|earlier| !earlier.is_news(trade.trade_id)) {
            return false;
        }
        let booking = match self.ledger.book(listed, trade) {
            Some(booked) => booked,
            None if of_earlier => booking(listed, trade),
            None => return false,
        };
        let paid = third(&booking, trade);
        if booking.third {
            let (asset, amount) = (trade.commission_asset.clone(), shown(trade.commission));
            out.notice(Notice::ThirdAssetCommission { asset, amount });
        }
        let &TradeFact { trade_id, qty, price, side, maker, .. } = trade;
        let Booking { fee, fee_asset, .. } = booking;
        match key {
            Some(key) => {
                let fill = Fill { trade_id, qty, price, fee, fee_asset, paid, maker };
                self.change(now, key, out, |order, out| {
                    order.venue_id = trade.venue_order;
                    order.fill(&fill, out);
                });
            }
            None => {
                let fill = Fill { trade_id, qty, price, fee, fee_asset, paid, maker };
                let venue_order = trade.venue_order;
                let (base, quote) = moved(listed, trade);
                let of = &listed.instrument;
                let moved = [
                    (of.base.clone(), base),
                    (of.quote.clone(), quote),
                    (trade.commission_asset.clone(), -trade.commission),
                ];
                if self.unclaimed.len() >= UNCLAIMED_MAX {
                    self.unclaimed.remove(0);
                }
                self.unclaimed.push(Unclaimed { instrument, venue_order, fill, told: false, moved, side });
                self.tell_external(out);
            }
        }
        true
    }

    /// Tells of trades that are no order's of ours. While an order's number is not known, they may be its.
    pub(super) fn tell_external(&mut self, out: &mut Outputs) {
        if self.unclaimed.iter().all(|one| one.told) {
            return;
        }
        let nameless: Vec<InstrumentId> = self
            .orders
            .unfinished()
            .filter(|(_, order)| order.venue_id == 0)
            .map(|(_, order)| order.order.instrument)
            .collect();
        let (mut told, mut seen) = (Vec::new(), BTreeMap::new());
        for one in self.unclaimed.iter_mut().filter(|one| !one.told && !nameless.contains(&one.instrument)) {
            one.told = true;
            told.extend(one.moved.iter().cloned());
            let (instrument, side) = (one.instrument, one.side);
            let Fill { trade_id, qty, price, .. } = one.fill;
            let newest: &mut u64 = seen.entry(instrument).or_default();
            *newest = trade_id.max(*newest);
            out.notice(Notice::ExternalFill { instrument, trade_id, side, qty, price });
        }
        told.iter().for_each(|(asset, amount)| self.tell_moved(asset, *amount, out));
        seen.into_iter().for_each(|(instrument, newest)| tell_seen(instrument, newest, out));
    }
}
