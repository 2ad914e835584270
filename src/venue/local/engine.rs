//! The matching engine of one instrument: price-time priority.
//!
//! Owns: the book of resting orders, order numbers, trade ids and update ids. Does no I/O, reads no clock, knows no
//! balances or fees. Invariant: the book is never crossed, and an older order at a price trades before a younger one.

use super::resting::{BookSide, Node, Slab};
use crate::domain::{Level, OrderKind, Price, Qty, Side, TimeInForce};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use thiserror::Error;

/// An order as it reaches the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// Whose.
    pub account: u32,
    /// Which way.
    pub side: Side,
    /// How priced.
    pub kind: OrderKind,
    /// How long. A post-only order always stands until cancelled; a market order never rests.
    pub tif: TimeInForce,
    /// The limit, a positive multiple of the tick; not looked at for a market order.
    pub price: Price,
    /// How much, a positive multiple of the lot.
    pub qty: Qty,
}

/// Why the engine refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum RejectReason {
    /// Quantity not positive, or off the lot.
    #[error("quantity is not a positive multiple of the lot")]
    BadQuantity,
    /// Price not positive, or off the tick.
    #[error("price is not a positive multiple of the tick")]
    BadPrice,
    /// The level's sum would not fit 64 bits.
    #[error("quantity does not fit the price level")]
    TooLarge,
    /// A post-only order would trade at once.
    #[error("order would immediately match and take")]
    WouldTrade,
    /// No order with this number rests.
    #[error("unknown order")]
    UnknownOrder,
}

/// What the engine did. Every accepted order gets [`Accepted`](Self::Accepted) first, then its trades, then, unless it
/// rests or is filled, its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchEvent {
    /// The order has a number now.
    Accepted {
        /// The number, rising by one, from 1.
        order: u64,
        /// Whose.
        account: u32,
    },
    /// A resting order met an incoming one.
    Trade(Fill),
    /// Cancelled on request.
    Canceled {
        /// Which.
        order: u64,
        /// Whose.
        account: u32,
        /// What had not traded.
        leaves: Qty,
    },
    /// Made smaller on request, keeping its place in the queue.
    Reduced {
        /// Which.
        order: u64,
        /// Whose.
        account: u32,
        /// What can still trade.
        leaves: Qty,
    },
    /// Ended by its own terms: the rest of a market or IOC order, or a whole FOK order.
    Expired {
        /// Which.
        order: u64,
        /// Whose.
        account: u32,
        /// What had not traded.
        leaves: Qty,
    },
    /// Refused; no number was given and the book is as before.
    Rejected {
        /// Why.
        reason: RejectReason,
    },
}

/// One trade between one resting and one incoming order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Rising by one.
    pub trade_id: u64,
    /// The resting order.
    pub maker: u64,
    /// Its account.
    pub maker_account: u32,
    /// Its side.
    pub maker_side: Side,
    /// What of it still rests.
    pub maker_leaves: Qty,
    /// The incoming order.
    pub taker: u64,
    /// Its account.
    pub taker_account: u32,
    /// At the resting order's price.
    pub price: Price,
    /// How much.
    pub qty: Qty,
}

/// A resting order, as the engine shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestingOrder {
    /// Its number.
    pub order: u64,
    /// Whose.
    pub account: u32,
    /// Which way.
    pub side: Side,
    /// At.
    pub price: Price,
    /// What can still trade.
    pub leaves: Qty,
}

/// Order numbers are already distinct: one multiplication spreads them.
#[derive(Debug, Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(number) * 0x9E37_79B9_7F4A_7C15;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

/// Matches the orders of one instrument by price, then time.
#[derive(Debug)]
pub struct MatchingEngine {
    tick: i64,
    lot: i64,
    slab: Slab,
    places: HashMap<u64, u32, BuildHasherDefault<NumberHasher>>,
    sides: [BookSide; 2],
    /// Prices changed since the last drain, with repeats.
    changed: [Vec<i64>; 2],
    last_order: u64,
    last_trade_id: u64,
    update_id: u64,
}

impl MatchingEngine {
    /// An empty book. `tick` and `lot` below 1 count as 1.
    #[must_use]
    pub fn new(tick: Price, lot: Qty) -> Self {
        Self {
            tick: tick.0.max(1),
            lot: lot.0.max(1),
            slab: Slab::default(),
            places: HashMap::default(),
            sides: [BookSide::new(Side::Buy), BookSide::new(Side::Sell)],
            changed: [Vec::with_capacity(1024), Vec::with_capacity(1024)],
            last_order: 0,
            last_trade_id: 0,
            update_id: 0,
        }
    }

    /// The same engine, going on from these ids: the next trade and update get the ids after them.
    #[must_use]
    pub fn continuing_from(mut self, trade_id: u64, update_id: u64) -> Self {
        self.last_trade_id = trade_id;
        self.update_id = update_id;
        self
    }

    /// Takes in an order, appending what happens to `events`; returns its number unless it was rejected.
    pub fn submit(&mut self, order: &NewOrder, events: &mut Vec<MatchEvent>) -> Option<u64> {
        let price = if order.kind == OrderKind::Market { None } else { Some(order.price) };
        if let Err(reason) = self.check(order, price) {
            events.push(MatchEvent::Rejected { reason });
            return None;
        }
        self.last_order += 1;
        let number = self.last_order;
        let account = order.account;
        events.push(MatchEvent::Accepted { order: number, account });
        let all_or_nothing = order.tif == TimeInForce::Fok && order.kind != OrderKind::PostOnly;
        let leaves = if all_or_nothing && !self.can_fill(order, price) {
            order.qty.0
        } else {
            self.trade(order, price, number, events)
        };
        if leaves > 0 {
            match price {
                Some(price) if order.kind == OrderKind::PostOnly || order.tif == TimeInForce::Gtc => {
                    self.rest(order, number, price, leaves);
                }
                _ => events.push(MatchEvent::Expired { order: number, account, leaves: Qty(leaves) }),
            }
        }
        Some(number)
    }

    /// Cancels a resting order; returns whether there was one.
    pub fn cancel(&mut self, order: u64, events: &mut Vec<MatchEvent>) -> bool {
        let Some(&place) = self.places.get(&order) else {
            events.push(MatchEvent::Rejected { reason: RejectReason::UnknownOrder });
            return false;
        };
        let node = *self.slab.get(place);
        self.take(place, node.leaves);
        events.push(MatchEvent::Canceled { order, account: node.account, leaves: Qty(node.leaves) });
        true
    }

    /// Makes a resting order smaller by `by` without losing its place; all of it, or more, cancels it. Returns whether
    /// it was done.
    pub fn reduce(&mut self, order: u64, by: Qty, events: &mut Vec<MatchEvent>) -> bool {
        let Some(&place) = self.places.get(&order) else {
            events.push(MatchEvent::Rejected { reason: RejectReason::UnknownOrder });
            return false;
        };
        if by.0 <= 0 || by.0 % self.lot != 0 {
            events.push(MatchEvent::Rejected { reason: RejectReason::BadQuantity });
            return false;
        }
        let node = *self.slab.get(place);
        if by.0 >= node.leaves {
            return self.cancel(order, events);
        }
        self.take(place, by.0);
        events.push(MatchEvent::Reduced { order, account: node.account, leaves: Qty(node.leaves - by.0) });
        true
    }

    /// The orders of a side in the order in which they trade: best price first, then oldest.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        self.sides[side as usize].orders(&self.slab).map(shown)
    }

    /// The next order number, for an order that a caller matches itself, with [`orders`](Self::orders),
    /// [`fill`](Self::fill) and [`place`](Self::place).
    pub fn take_number(&mut self) -> u64 {
        self.last_order += 1;
        self.last_order
    }

    /// Trades `qty`, at most what it shows, of a resting order; returns the trade's id, or `None` where there is no
    /// such order or quantity.
    pub fn fill(&mut self, maker: u64, qty: Qty) -> Option<u64> {
        let place = *self.places.get(&maker)?;
        if qty.0 <= 0 || qty.0 > self.slab.get(place).leaves {
            return None;
        }
        self.take(place, qty.0);
        self.last_trade_id += 1;
        Some(self.last_trade_id)
    }

    /// Puts an order that was matched by the caller at the end of its price's queue.
    ///
    /// # Errors
    /// Where it is off the grid, does not fit, or would cross the book.
    pub fn place(&mut self, order: &RestingOrder) -> Result<(), RejectReason> {
        let new = NewOrder {
            account: order.account,
            side: order.side,
            kind: OrderKind::PostOnly,
            tif: TimeInForce::Gtc,
            price: order.price,
            qty: order.leaves,
        };
        self.check(&new, Some(order.price))?;
        self.rest(&new, order.order, order.price, order.leaves.0);
        Ok(())
    }

    /// The best level of a side.
    #[inline]
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.depth(side).next()
    }

    /// The levels of a side, best first.
    pub fn depth(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.sides[side as usize].iter()
    }

    /// How many levels a side has.
    #[must_use]
    pub fn level_count(&self, side: Side) -> usize {
        self.sides[side as usize].level_count()
    }

    /// How many orders rest.
    #[must_use]
    pub fn order_count(&self) -> usize {
        self.places.len()
    }

    /// A resting order, if it still rests.
    #[must_use]
    pub fn order(&self, order: u64) -> Option<RestingOrder> {
        Some(shown(self.slab.get(*self.places.get(&order)?)))
    }

    /// The id of the book's state: it rises by one each time a level's quantity changes.
    #[must_use]
    pub fn update_id(&self) -> u64 {
        self.update_id
    }

    /// The id of the last trade.
    #[must_use]
    pub fn last_trade_id(&self) -> u64 {
        self.last_trade_id
    }

    /// Whether a level has changed since the last drain.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.changed.iter().any(|prices| !prices.is_empty())
    }

    /// Puts every level changed since the last drain into `bids` and `asks`, which are cleared first: best first, each
    /// price once, with its quantity now (zero: the level is gone).
    pub fn drain_changes(&mut self, bids: &mut Vec<Level>, asks: &mut Vec<Level>) {
        for (side, out) in [(Side::Buy, bids), (Side::Sell, asks)] {
            self.compact(side);
            let book = &self.sides[side as usize];
            out.clear();
            out.extend(
                self.changed[side as usize].drain(..).map(|price| Level::new(price, book.qty_at(price))),
            );
        }
    }

    fn check(&self, order: &NewOrder, price: Option<Price>) -> Result<(), RejectReason> {
        if order.qty.0 <= 0 || order.qty.0 % self.lot != 0 {
            return Err(RejectReason::BadQuantity);
        }
        let Some(price) = price else { return Ok(()) };
        if price.0 <= 0 || price.0 % self.tick != 0 {
            return Err(RejectReason::BadPrice);
        }
        if self.sides[order.side as usize].qty_at(price.0).checked_add(order.qty.0).is_none() {
            return Err(RejectReason::TooLarge);
        }
        let crosses = |best: Level| order.side.at_least_as_aggressive(price, best.price);
        if order.kind == OrderKind::PostOnly && self.best(order.side.opposite()).is_some_and(crosses) {
            return Err(RejectReason::WouldTrade);
        }
        Ok(())
    }

    fn can_fill(&self, order: &NewOrder, limit: Option<Price>) -> bool {
        let mut wanted = order.qty.0;
        for level in self.depth(order.side.opposite()) {
            if limit.is_some_and(|limit| !order.side.at_least_as_aggressive(limit, level.price)) {
                return false;
            }
            wanted = wanted.saturating_sub(level.qty.0);
            if wanted <= 0 {
                return true;
            }
        }
        false
    }

    /// Trades an incoming order against the other side, best price and oldest order first; returns what is left.
    fn trade(
        &mut self,
        order: &NewOrder,
        limit: Option<Price>,
        number: u64,
        events: &mut Vec<MatchEvent>,
    ) -> i64 {
        let mut leaves = order.qty.0;
        while leaves > 0 {
            let Some(place) = self.sides[order.side.opposite() as usize].best_head() else { break };
            let maker = *self.slab.get(place);
            if limit.is_some_and(|limit| !order.side.at_least_as_aggressive(limit, Price(maker.price))) {
                break;
            }
            // Self-trade prevention goes here: `maker.account == order.account` ends one of the two instead.
            let qty = leaves.min(maker.leaves);
            leaves -= qty;
            self.last_trade_id += 1;
            self.take(place, qty);
            events.push(MatchEvent::Trade(Fill {
                trade_id: self.last_trade_id,
                maker: maker.number,
                maker_account: maker.account,
                maker_side: maker.side,
                maker_leaves: Qty(maker.leaves - qty),
                taker: number,
                taker_account: order.account,
                price: Price(maker.price),
                qty: Qty(qty),
            }));
        }
        leaves
    }

    fn rest(&mut self, order: &NewOrder, number: u64, price: Price, leaves: i64) {
        let book = &mut self.sides[order.side as usize];
        let place = book.push(&mut self.slab, number, order.account, order.side, price.0, leaves);
        self.places.insert(number, place);
        self.touch(order.side, price.0);
    }

    fn take(&mut self, place: u32, qty: i64) {
        let node = *self.slab.get(place);
        self.sides[node.side as usize].take(&mut self.slab, place, qty);
        if qty == node.leaves {
            self.places.remove(&node.number);
        }
        self.touch(node.side, node.price);
    }

    fn touch(&mut self, side: Side, price: i64) {
        self.update_id += 1;
        let changed = &self.changed[side as usize];
        if changed.last() == Some(&price) {
            return;
        }
        if changed.len() == changed.capacity() {
            // Nobody drains: repeats go, so that memory is bounded by the prices there have been. Growing while still
            // half full keeps the cost of sorting amortised.
            self.compact(side);
            let changed = &mut self.changed[side as usize];
            if changed.len() > changed.capacity() / 2 {
                changed.reserve(changed.capacity());
            }
        }
        self.changed[side as usize].push(price);
    }

    /// Sorts a side's changed prices, best first, and removes repeats.
    fn compact(&mut self, side: Side) {
        let changed = &mut self.changed[side as usize];
        match side {
            Side::Buy => changed.sort_unstable_by(|a, b| b.cmp(a)),
            Side::Sell => changed.sort_unstable(),
        }
        changed.dedup();
    }
}

fn shown(node: &Node) -> RestingOrder {
    RestingOrder {
        order: node.number,
        account: node.account,
        side: node.side,
        price: Price(node.price),
        leaves: Qty(node.leaves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> MatchingEngine {
        MatchingEngine::new(Price(10), Qty(5))
    }

    fn limit(account: u32, side: Side, price: i64, qty: i64) -> NewOrder {
        let (kind, tif) = (OrderKind::Limit, TimeInForce::Gtc);
        NewOrder { account, side, kind, tif, price: Price(price), qty: Qty(qty) }
    }

    #[test]
    fn an_order_trades_at_the_resting_price_oldest_first() {
        let (mut engine, mut events) = (engine().continuing_from(700, 40), Vec::new());
        engine.submit(&limit(1, Side::Sell, 1010, 10), &mut events);
        engine.submit(&limit(2, Side::Sell, 1000, 10), &mut events);
        engine.submit(&limit(3, Side::Sell, 1000, 10), &mut events);
        events.clear();
        assert_eq!(engine.submit(&limit(4, Side::Buy, 1010, 15), &mut events), Some(4));
        let fill = |trade_id, maker, maker_account, maker_leaves, qty| {
            MatchEvent::Trade(Fill {
                trade_id,
                maker,
                maker_account,
                maker_side: Side::Sell,
                maker_leaves: Qty(maker_leaves),
                taker: 4,
                taker_account: 4,
                price: Price(1000),
                qty: Qty(qty),
            })
        };
        let accepted = MatchEvent::Accepted { order: 4, account: 4 };
        assert_eq!(events, [accepted, fill(701, 2, 2, 0, 10), fill(702, 3, 3, 5, 5)]);
        assert_eq!(engine.update_id(), 45, "three orders rested, two levels' quantities fell");
    }

    #[test]
    fn what_is_off_the_grid_is_refused_and_leaves_no_trace() {
        let (mut engine, mut events) = (engine(), Vec::new());
        engine.submit(&limit(1, Side::Sell, 1000, 10), &mut events);
        events.clear();
        let post_only = NewOrder { kind: OrderKind::PostOnly, ..limit(1, Side::Buy, 1000, 5) };
        let cases = [
            (limit(1, Side::Buy, 995, 5), RejectReason::BadPrice),
            (limit(1, Side::Buy, 0, 5), RejectReason::BadPrice),
            (limit(1, Side::Buy, -10, 5), RejectReason::BadPrice),
            (limit(1, Side::Buy, 990, 4), RejectReason::BadQuantity),
            (limit(1, Side::Buy, 990, 0), RejectReason::BadQuantity),
            (limit(1, Side::Sell, 1000, i64::MAX / 5 * 5), RejectReason::TooLarge),
            (post_only, RejectReason::WouldTrade),
        ];
        for (order, reason) in cases {
            events.clear();
            assert_eq!(engine.submit(&order, &mut events), None);
            assert_eq!(events, [MatchEvent::Rejected { reason }]);
        }
        events.clear();
        assert!(!engine.cancel(99, &mut events) && !engine.reduce(1, Qty(3), &mut events));
        assert_eq!((engine.order_count(), engine.update_id()), (1, 1));
    }

    #[test]
    fn all_or_nothing_is_all_or_nothing() {
        let (mut engine, mut events) = (engine(), Vec::new());
        engine.submit(&limit(1, Side::Sell, 1000, 10), &mut events);
        engine.submit(&limit(1, Side::Sell, 1010, 10), &mut events);
        let fok = |price, qty| NewOrder { tif: TimeInForce::Fok, ..limit(2, Side::Buy, price, qty) };
        events.clear();
        engine.submit(&fok(1000, 15), &mut events);
        assert_eq!(events[1], MatchEvent::Expired { order: 3, account: 2, leaves: Qty(15) });
        assert_eq!(engine.update_id(), 2);
        engine.submit(&fok(1010, 15), &mut events);
        assert_eq!(engine.best(Side::Sell), Some(Level::new(1010, 5)));
    }

    #[test]
    fn changes_are_drained_once_best_first_with_the_quantity_now() {
        let (mut engine, mut events) = (engine(), Vec::new());
        for (side, price) in [(Side::Buy, 980), (Side::Buy, 990), (Side::Sell, 1010), (Side::Sell, 1000)] {
            engine.submit(&limit(1, side, price, 10), &mut events);
        }
        engine.cancel(1, &mut events);
        engine.reduce(2, Qty(5), &mut events);
        let (mut bids, mut asks) = (vec![Level::new(1, 1)], Vec::new());
        engine.drain_changes(&mut bids, &mut asks);
        assert_eq!(bids, [Level::new(990, 5), Level::new(980, 0)]);
        assert_eq!(asks, [Level::new(1000, 10), Level::new(1010, 10)]);
        assert!(!engine.has_changes());
    }

    #[test]
    fn memory_for_changes_is_bounded_where_nobody_drains() {
        let (mut engine, mut events) = (engine(), Vec::new());
        for turn in 0..20_000 {
            engine.submit(&limit(1, Side::Buy, 10 + turn % 7 * 10, 5), &mut events);
            events.clear();
        }
        assert!(engine.changed[0].capacity() <= 1024, "{}", engine.changed[0].capacity());
    }
}
