//! One instrument's resting paper orders, in price-time order among themselves.

use crate::domain::{Order, OrderId, Price, Qty, Side};

/// Places for resting orders of one instrument.
const RESTING_MAX: usize = 256;

/// Resting orders; few, so a plain list serves.
#[derive(Debug, Default)]
pub struct Resting {
    orders: Vec<(Order, Qty)>,
}

impl Resting {
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Adds an order; false where every place is taken.
    pub fn add(&mut self, order: Order, left: Qty) -> bool {
        if self.orders.capacity() == 0 {
            self.orders.reserve_exact(RESTING_MAX);
        }
        if self.orders.len() >= RESTING_MAX {
            return false;
        }
        self.orders.push((order, left));
        true
    }

    /// Takes an order out.
    pub fn remove(&mut self, id: OrderId) -> Option<Order> {
        let index = self.orders.iter().position(|(o, _)| o.id == id)?;
        Some(self.orders.remove(index).0)
    }

    /// Fills up to `available` of the best order of `side` that a market at `price` has gone through (or, with
    /// `touch`, reached): the order and how much it traded.
    pub fn reached(&mut self, side: Side, price: Price, touch: bool, available: Qty) -> Option<(Order, Qty)> {
        let hit = |o: &Order| {
            o.side == side
                && match side {
                    Side::Buy => price < o.price || (touch && price == o.price),
                    Side::Sell => price > o.price || (touch && price == o.price),
                }
        };
        let better = |a: Price, b: Price| match side {
            Side::Buy => a > b,
            Side::Sell => a < b,
        };
        let mut best: Option<usize> = None;
        for (index, (order, _)) in self.orders.iter().enumerate() {
            if hit(order) && best.is_none_or(|b| better(order.price, self.orders[b].0.price)) {
                best = Some(index);
            }
        }
        let index = best?;
        let (order, left) = &mut self.orders[index];
        let qty = Qty(left.0.min(available.0));
        left.0 -= qty.0;
        let order = *order;
        if left.0 == 0 {
            self.orders.remove(index);
        }
        Some((order, qty))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Extras, InstrumentId, OrderKind, StrategyId, TimeInForce};

    fn order(id: u64, side: Side, price: i64) -> Order {
        Order {
            id: OrderId(id),
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(10),
            price: Price(price),
            extras: Extras::NONE,
        }
    }

    #[test]
    fn the_best_price_fills_first_then_the_earliest_and_touch_is_a_choice() {
        let mut resting = Resting::default();
        assert!(resting.add(order(1, Side::Buy, 100), Qty(10)));
        assert!(resting.add(order(2, Side::Buy, 101), Qty(10)));
        assert!(resting.add(order(3, Side::Buy, 101), Qty(10)));
        let mut hit = |price, touch, qty| {
            resting.reached(Side::Buy, Price(price), touch, Qty(qty)).map(|(o, q)| (o.id.0, q.0))
        };
        assert_eq!(hit(101, false, 5), None);
        assert_eq!(hit(101, true, 5), Some((2, 5)));
        assert_eq!(hit(100, false, 50), Some((2, 5)));
        assert_eq!(hit(100, false, 50), Some((3, 10)));
        assert_eq!(hit(100, false, 50), None);
        assert_eq!(hit(99, false, 3), Some((1, 3)));
        assert!(resting.remove(OrderId(1)).is_some() && resting.is_empty());
    }
}
