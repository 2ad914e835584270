//! The crowd: those on the market who have no account here.
//!
//! Owns: the quantities that the crowd shows at each price, and its trades. They rest in the same book as the orders of
//! accounts, by price and time, and have no money: what an account pays them leaves the exchange, what it receives of
//! them comes in. Invariant: the crowd never stands across an account's order; where it would, the two trade.
//!
//! What is known of the crowd is what a market shows: quantities per price, and trades. So its orders are a model:
//!
//! - What a level has when an order of an account comes stands before it. A level that grows has more behind; one that
//!   shrinks without a trade loses its youngest first, so an order gains no place by the cancels of others: it waits at
//!   least as long as on the real market.
//! - A trade is met by makers in their order: orders of accounts at better prices first, then at its price the crowd and
//!   the accounts by time. What an account has of it, the crowd has not, though its next book may say that it had.
//! - A book says anew what is there: what an account took of the crowd is back with the next one. Orders of accounts move
//!   nobody but each other.
//! - Where a symbol is not traded, nobody meets anybody: what is told of the crowd meanwhile is passed over, and no price
//!   of then triggers anything. The first book and trade after it find the orders that were left.

use super::batch::{Batch, Counters, Details};
use super::event::{Event, LastFill};
use super::exchange_state::Exchange;
use super::market::Market;
use super::order::{ExecutionType, OrderStatus, SymbolId};
use super::rules::SymbolStatus;
use crate::domain::{Level, Price, Qty, Side};
use crate::venue::local::engine::RestingOrder;
use std::collections::BTreeMap;

/// The engine's account of the crowd; those of the exchange are counted from zero.
const CROWD: u32 = u32::MAX;

/// What the crowd shows on one side: orders at each price, oldest first.
pub(super) type Shown = BTreeMap<i64, Vec<u64>>;

impl Exchange {
    /// Says what the crowd shows now, best first. An account's order that it would stand across trades with it, at
    /// the order's own price. Quantities are cut to whole lots; prices off the tick are passed over.
    pub fn show_crowd(
        &mut self,
        ms: u64,
        symbol: SymbolId,
        bids: &[Level],
        asks: &[Level],
        out: &mut Vec<Event>,
    ) {
        self.unasked(ms, symbol, out, |batch| {
            let more =
                [(Side::Buy, batch.retract(Side::Buy, bids)), (Side::Sell, batch.retract(Side::Sell, asks))];
            for (side, levels) in more {
                levels.into_iter().for_each(|level| batch.show(side, level));
            }
        });
    }

    /// Says that the crowd traded, at a price and with makers on a side. Orders of accounts whose turn it was are met
    /// by it, up to its quantity; what stands before them at the price is less by it.
    pub fn crowd_traded(
        &mut self,
        ms: u64,
        symbol: SymbolId,
        (maker_side, price, qty): (Side, Price, Qty),
        out: &mut Vec<Event>,
    ) {
        self.unasked(ms, symbol, out, |batch| {
            batch.pass(maker_side, price, qty.0);
            batch.mark(price);
        });
    }

    fn unasked(
        &mut self,
        now_ms: u64,
        symbol: SymbolId,
        out: &mut Vec<Event>,
        change: impl FnOnce(&mut Batch<'_>),
    ) {
        let Some(market) = self.markets.get_mut(usize::from(symbol.0)) else { return };
        if market.rules.status != SymbolStatus::Trading {
            return;
        }
        market.forget_old();
        let counters: &mut Counters = &mut self.counters;
        let mut batch = Batch { market, funds: &mut self.funds, counters, now_ms, out };
        change(&mut batch);
        batch.finish();
    }
}

impl Market {
    fn is_crowd(&self, number: u64) -> bool {
        self.get(number).is_none()
    }

    /// What is met first on a side.
    fn first(&self, side: Side) -> Option<RestingOrder> {
        self.engine.orders(side).next()
    }

    fn leaves(&self, number: u64) -> i64 {
        self.engine.order(number).map_or(0, |order| order.leaves.0)
    }
}

impl Batch<'_> {
    /// Takes back what the crowd shows no more; returns what it shows in addition.
    fn retract(&mut self, side: Side, levels: &[Level]) -> Vec<Level> {
        let of = &self.market.rules.instrument;
        let (tick, lot) = (of.tick.0.max(1), of.lot.0.max(1));
        let fits = levels.iter().filter(|level| level.price.0 > 0 && level.price.0 % tick == 0);
        let mut wanted: BTreeMap<i64, i64> =
            fits.map(|level| (level.price.0, level.qty.0 / lot * lot)).filter(|(_, qty)| *qty > 0).collect();
        let mut more = Vec::new();
        let mut kept = Shown::new();
        for (price, mut numbers) in std::mem::take(&mut self.market.crowd[side as usize]) {
            let want = wanted.remove(&price).unwrap_or(0);
            numbers.retain(|number| self.market.engine.order(*number).is_some());
            let shown: i64 = numbers.iter().map(|number| self.market.leaves(*number)).sum();
            self.withdraw(&mut numbers, shown - want);
            if shown < want {
                more.push(Level::new(price, want - shown));
            }
            if !numbers.is_empty() {
                kept.insert(price, numbers);
            }
        }
        self.market.crowd[side as usize] = kept;
        more.extend(wanted.into_iter().map(|(price, qty)| Level::new(price, qty)));
        // Best first, so that an order that is met is met by the best of the crowd.
        more.sort_unstable_by_key(|level| if side == Side::Buy { -level.price.0 } else { level.price.0 });
        more
    }

    /// Takes back `excess` of a level's orders, the youngest first.
    fn withdraw(&mut self, numbers: &mut Vec<u64>, mut excess: i64) {
        while excess > 0 {
            let Some(&youngest) = numbers.last() else { return };
            let leaves = self.market.leaves(youngest);
            if leaves <= excess {
                self.market.engine.cancel(youngest, &mut Vec::new());
                numbers.pop();
            } else {
                self.market.engine.reduce(youngest, Qty(excess), &mut Vec::new());
            }
            excess -= leaves.min(excess);
        }
    }

    /// Shows more of the crowd at a price; orders of accounts that it would stand across are met first.
    fn show(&mut self, side: Side, level: Level) {
        let left = self.meet(side, level.price, level.qty.0);
        if left == 0 {
            return;
        }
        // What is left of the crowd's other side there is older news.
        let opposite = side.opposite();
        while let Some(stale) = self.market.first(opposite) {
            let crosses = side.at_least_as_aggressive(level.price, stale.price);
            if !crosses || !self.market.is_crowd(stale.order) {
                break;
            }
            self.market.engine.cancel(stale.order, &mut Vec::new());
        }
        let number = self.market.engine.take_number();
        let order =
            RestingOrder { order: number, account: CROWD, side, price: level.price, leaves: Qty(left) };
        // Refused only where the level's sum would not fit: then the crowd shows less than it has.
        if self.market.engine.place(&order).is_ok() {
            self.market.crowd[side as usize].entry(level.price.0).or_default().push(number);
        }
    }

    /// The order of an account that is met first on a side, by a taker with this limit.
    fn first_own(&self, side: Side, limit: Price) -> Option<RestingOrder> {
        let within = |at: &RestingOrder| side.opposite().at_least_as_aggressive(limit, at.price);
        self.market.engine.orders(side).take_while(within).find(|at| !self.market.is_crowd(at.order))
    }

    /// Lets the crowd, on `side`, trade `qty`, whole lots, with accounts' orders down to a price; returns what is left.
    fn meet(&mut self, side: Side, limit: Price, qty: i64) -> i64 {
        let mut left = qty;
        while left > 0
            && let Some(maker) = self.first_own(side.opposite(), limit)
        {
            let traded = maker.leaves.0.min(left);
            left -= traded;
            self.filled_by_crowd(maker.order, Qty(traded));
        }
        left
    }

    /// A trade of the crowd goes through the makers of a side.
    fn pass(&mut self, side: Side, price: Price, qty: i64) {
        let of = &self.market.rules.instrument;
        let (tick, lot) = (of.tick.0.max(1), of.lot.0.max(1));
        let better = Price(if side == Side::Buy { price.0 + tick } else { price.0 - tick });
        let mut left = self.meet(side.opposite(), better, qty / lot * lot);
        let is_better = |at: &RestingOrder| side.at_least_as_aggressive(at.price, better);
        while left > 0 {
            let next = self.market.engine.orders(side).find(|at| !is_better(at));
            let Some(maker) = next.filter(|at| at.price == price) else { return };
            let traded = maker.leaves.0.min(left);
            left -= traded;
            if self.market.is_crowd(maker.order) {
                self.market.engine.reduce(maker.order, Qty(traded), &mut Vec::new());
            } else {
                self.filled_by_crowd(maker.order, Qty(traded));
            }
        }
    }

    /// An account's resting order trades with the crowd.
    fn filled_by_crowd(&mut self, maker: u64, qty: Qty) {
        let price = self.market.order(maker).price;
        let Some(trade_id) = self.market.engine.fill(maker, qty) else { return };
        self.end_sibling(maker, OrderStatus::Expired);
        self.mark(price);
        self.tell_side(maker, trade_id, price, qty, true);
        self.pay_crowd(maker, price, qty);
    }

    /// One side of a trade: its money, its report, and what becomes of its order.
    pub(super) fn tell_side(&mut self, number: u64, trade_id: u64, price: Price, qty: Qty, maker: bool) {
        let commission = self.settle(number, price, qty, maker);
        let fill = LastFill { trade_id, price, qty, maker, commission };
        let kept = !maker || self.refresh(number);
        self.report(number, ExecutionType::Trade, Details { fill: Some(fill), ..Details::default() });
        if !kept {
            self.unkept(number);
        }
        self.tell_list_done(number);
        self.let_follow(number);
    }

    /// What the other side of an account's trade with the crowd took out of the exchange and brought into it.
    pub(super) fn pay_crowd(&mut self, number: u64, price: Price, qty: Qty) {
        let side = self.market.order(number).side;
        let base = i128::from(qty.0) * self.market.base.scale;
        let quote = price.times(qty).0 * self.market.quote.scale;
        let sign = if side == Side::Buy { 1 } else { -1 };
        self.funds.across(self.market.base.asset, sign * base);
        self.funds.across(self.market.quote.asset, -sign * quote);
    }
}
