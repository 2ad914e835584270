//! The matching engine does what a slow, obviously correct one does.

use algo_trader::domain::{Level, OrderKind, Price, Qty, Side, TimeInForce};
use algo_trader::venue::local::engine::{Fill, MatchEvent, MatchingEngine, NewOrder, RejectReason};
use proptest::prelude::*;

const TICK: i64 = 5;
const LOT: i64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Resting {
    number: u64,
    account: u32,
    side: Side,
    price: i64,
    leaves: i64,
}

/// Every resting order in one vector in order of arrival; whatever is needed is found by looking at all of them.
#[derive(Default)]
struct NaiveEngine {
    orders: Vec<Resting>,
    last_number: u64,
    last_trade_id: u64,
}

impl NaiveEngine {
    /// Orders of the other side that `order` may trade with, best price first, then oldest.
    fn matches(&self, order: &NewOrder) -> Vec<Resting> {
        let mut found: Vec<Resting> = self.orders.iter().copied().filter(|o| o.side != order.side).collect();
        if order.kind != OrderKind::Market {
            found.retain(|o| match order.side {
                Side::Buy => o.price <= order.price.0,
                Side::Sell => o.price >= order.price.0,
            });
        }
        found.sort_by_key(|o| (if order.side == Side::Buy { o.price } else { -o.price }, o.number));
        found
    }

    fn submit(&mut self, order: &NewOrder, events: &mut Vec<MatchEvent>) {
        let priced = order.kind != OrderKind::Market;
        let matches = self.matches(order);
        let problem = if order.qty.0 <= 0 || order.qty.0 % LOT != 0 {
            Some(RejectReason::BadQuantity)
        } else if priced && (order.price.0 <= 0 || order.price.0 % TICK != 0) {
            Some(RejectReason::BadPrice)
        } else if order.kind == OrderKind::PostOnly && !matches.is_empty() {
            Some(RejectReason::WouldTrade)
        } else {
            None
        };
        if let Some(reason) = problem {
            return events.push(MatchEvent::Rejected { reason });
        }
        self.last_number += 1;
        let (number, account) = (self.last_number, order.account);
        events.push(MatchEvent::Accepted { order: number, account });
        let available: i64 = matches.iter().map(|o| o.leaves).sum();
        let mut leaves = order.qty.0;
        let post_only = order.kind == OrderKind::PostOnly;
        if post_only || order.tif != TimeInForce::Fok || available >= leaves {
            for maker in matches {
                let qty = leaves.min(maker.leaves);
                if qty == 0 {
                    break;
                }
                leaves -= qty;
                self.last_trade_id += 1;
                events.push(MatchEvent::Trade(Fill {
                    trade_id: self.last_trade_id,
                    maker: maker.number,
                    maker_account: maker.account,
                    maker_side: maker.side,
                    maker_leaves: Qty(maker.leaves - qty),
                    taker: number,
                    taker_account: account,
                    price: Price(maker.price),
                    qty: Qty(qty),
                }));
                self.shrink(maker.number, qty);
            }
        }
        if leaves == 0 {
            return;
        }
        if priced && (post_only || order.tif == TimeInForce::Gtc) {
            let (side, price) = (order.side, order.price.0);
            self.orders.push(Resting { number, account, side, price, leaves });
        } else {
            events.push(MatchEvent::Expired { order: number, account, leaves: Qty(leaves) });
        }
    }

    fn shrink(&mut self, number: u64, by: i64) {
        for order in &mut self.orders {
            if order.number == number {
                order.leaves -= by;
            }
        }
        self.orders.retain(|order| order.leaves > 0);
    }

    /// `by` = `None` cancels.
    fn reduce(&mut self, order: u64, by: Option<i64>, events: &mut Vec<MatchEvent>) {
        let Some(found) = self.orders.iter().copied().find(|o| o.number == order) else {
            return events.push(MatchEvent::Rejected { reason: RejectReason::UnknownOrder });
        };
        let (account, by) = (found.account, by.unwrap_or(found.leaves));
        if by <= 0 || (by % LOT != 0) {
            return events.push(MatchEvent::Rejected { reason: RejectReason::BadQuantity });
        }
        self.shrink(order, by);
        events.push(if by >= found.leaves {
            MatchEvent::Canceled { order, account, leaves: Qty(found.leaves) }
        } else {
            MatchEvent::Reduced { order, account, leaves: Qty(found.leaves - by) }
        });
    }

    fn depth(&self, side: Side) -> Vec<Level> {
        let mut prices: Vec<i64> = self.orders.iter().filter(|o| o.side == side).map(|o| o.price).collect();
        prices.sort_unstable();
        prices.dedup();
        if side == Side::Buy {
            prices.reverse();
        }
        let at = |price| self.orders.iter().filter(move |o| o.side == side && o.price == price);
        prices.into_iter().map(|price| Level::new(price, at(price).map(|o| o.leaves).sum())).collect()
    }
}

#[derive(Debug, Clone)]
enum Operation {
    Submit(NewOrder),
    /// The n-th order from the last.
    Cancel(u64),
    Reduce(u64, i64),
    Drain,
}

fn operation() -> impl Strategy<Value = Operation> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let kind = prop_oneof![1 => Just(OrderKind::Market), 6 => Just(OrderKind::Limit), 2 => Just(OrderKind::PostOnly)];
    let tif =
        prop_oneof![5 => Just(TimeInForce::Gtc), 1 => Just(TimeInForce::Ioc), 1 => Just(TimeInForce::Fok)];
    let price = prop_oneof![30 => (15i64..30).prop_map(|p| p * TICK), 1 => -3i64..200];
    let qty = prop_oneof![30 => (1i64..20).prop_map(|q| q * LOT), 1 => -1i64..4];
    let submit = (0u32..3, side, kind, tif, price, qty).prop_map(|(account, side, kind, tif, price, qty)| {
        Operation::Submit(NewOrder { account, side, kind, tif, price: Price(price), qty: Qty(qty) })
    });
    prop_oneof![
        6 => submit,
        2 => (0u64..30).prop_map(Operation::Cancel),
        2 => (0u64..30, -1i64..25).prop_map(|(back, by)| Operation::Reduce(back, by)),
        1 => Just(Operation::Drain),
    ]
}

/// Applies drained changes to a book kept from changes alone.
fn follow(book: &mut Vec<Level>, changes: &[Level]) {
    for change in changes {
        book.retain(|level| level.price != change.price);
        if change.qty != Qty::ZERO {
            book.push(*change);
        }
    }
}

fn best_first(mut levels: Vec<Level>, side: Side) -> Vec<Level> {
    levels.sort_by_key(|level| if side == Side::Buy { -level.price.0 } else { level.price.0 });
    levels
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_engine_trades_what_the_naive_engine_trades_in_the_same_order(
        operations in prop::collection::vec(operation(), 1..200),
    ) {
        let (mut engine, mut naive) = (MatchingEngine::new(Price(TICK), Qty(LOT)), NaiveEngine::default());
        let (mut events, mut expected) = (Vec::new(), Vec::new());
        let (mut bids, mut asks, mut followed) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        for operation in operations {
            events.clear();
            expected.clear();
            let before = engine.update_id();
            let book_before = [naive.depth(Side::Buy), naive.depth(Side::Sell)];
            match operation {
                Operation::Submit(order) => {
                    engine.submit(&order, &mut events);
                    naive.submit(&order, &mut expected);
                }
                Operation::Cancel(back) => {
                    let number = (naive.last_number + 1).saturating_sub(back);
                    engine.cancel(number, &mut events);
                    naive.reduce(number, None, &mut expected);
                }
                Operation::Reduce(back, by) => {
                    let number = (naive.last_number + 1).saturating_sub(back);
                    engine.reduce(number, Qty(by), &mut events);
                    naive.reduce(number, Some(by), &mut expected);
                }
                Operation::Drain => {
                    engine.drain_changes(&mut bids, &mut asks);
                    follow(&mut followed[0], &bids);
                    follow(&mut followed[1], &asks);
                    for side in [Side::Buy, Side::Sell] {
                        prop_assert_eq!(best_first(followed[side as usize].clone(), side), naive.depth(side));
                    }
                }
            }
            prop_assert_eq!(&events, &expected);
            for side in [Side::Buy, Side::Sell] {
                let depth = naive.depth(side);
                prop_assert_eq!(engine.depth(side).collect::<Vec<_>>(), depth.clone());
                prop_assert_eq!(engine.best(side), depth.first().copied());
                prop_assert_eq!(engine.level_count(side), depth.len());
            }
            prop_assert_eq!(engine.order_count(), naive.orders.len());
            let changed = book_before != [naive.depth(Side::Buy), naive.depth(Side::Sell)];
            prop_assert_eq!(changed, engine.update_id() > before);
        }
    }
}
