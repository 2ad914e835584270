//! What a strategy did of late: sizes, orders that could be repeats, and trades the same way.

use crate::domain::{InstrumentId, Order, Price, Qty, Side, Time};

/// Orders whose sizes are averaged.
pub(super) const SIZES: usize = 8;
/// Orders of a strategy that are compared with a new one. Whoever sends more of them within the window of duplicates is
/// compared with the last of them.
const ORDERS: usize = 1_024;

/// Sizes and ways of one strategy in one instrument; first, and in one cache line, what every order reads.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Habits {
    sum: i64,
    traded: Time,
    ordered: Time,
    same_way: u32,
    count: u8,
    side: Side,
    sizes: [i64; SIZES],
}

const _: () = assert!(size_of::<Habits>() == 96);

impl Habits {
    pub const NONE: Self = Self {
        sum: 0,
        traded: Time(0),
        ordered: Time(0),
        same_way: 0,
        count: 0,
        side: Side::Buy,
        sizes: [0; SIZES],
    };

    /// Something of each cache line.
    #[inline]
    pub fn peek(&self) -> [i64; 2] {
        [self.sum, self.sizes[SIZES - 1]]
    }

    /// Sum and number of the last sizes.
    #[inline]
    pub fn sizes(&self) -> (i64, u32) {
        (self.sum, u32::from(self.count).min(SIZES as u32))
    }

    /// Whether an order of late could be repeated by another.
    #[inline]
    pub fn may_repeat(&self, now: Time, window_ns: u64) -> bool {
        now.since(self.ordered) < window_ns
    }

    /// An order was approved.
    #[inline]
    pub fn ordered(&mut self, qty: Qty, now: Time) {
        self.ordered = now;
        let at = self.count as usize % SIZES;
        // Sums of eight are kept within 64 bits.
        let qty = qty.0.clamp(0, i64::MAX / SIZES as i64);
        self.sum += qty - self.sizes[at];
        self.sizes[at] = qty;
        // From SIZES to twice that and back, so that the place goes round.
        self.count = if self.count as usize == 2 * SIZES - 1 { SIZES as u8 } else { self.count + 1 };
    }

    /// An order traded for the first time.
    #[inline]
    pub fn traded(&mut self, side: Side, now: Time, window_ns: u64) {
        let goes_on = side == self.side && now.since(self.traded) <= window_ns;
        self.same_way = if goes_on { self.same_way.saturating_add(1) } else { 1 };
        (self.side, self.traded) = (side, now);
    }

    /// Trades the same way so far, whichever that is, that a next one could go on with.
    pub fn standing(&self, now: Time, window_ns: u64) -> u32 {
        self.same_way(self.side, now, window_ns)
    }

    /// Trades that way so far, if the next one would go on with them.
    #[inline]
    pub fn same_way(&self, side: Side, now: Time, window_ns: u64) -> u32 {
        if side == self.side && now.since(self.traded) <= window_ns { self.same_way } else { 0 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ordered {
    at: Time,
    price: Price,
    qty: Qty,
    instrument: InstrumentId,
    side: Side,
}

/// The last orders of one strategy, round a ring. It grows while its oldest could still be repeated, so a strategy that
/// orders now and then keeps to a few cache lines.
#[derive(Debug)]
pub(super) struct LastOrders {
    ring: Vec<Ordered>,
    /// Where the oldest is; the newest stands before it.
    next: usize,
}

impl LastOrders {
    /// None; without a window none is ever kept.
    pub fn new(window_ns: u64) -> Self {
        Self { ring: Vec::with_capacity(if window_ns == 0 { 0 } else { ORDERS }), next: 0 }
    }

    /// When the same was ordered last, within the window before `now`.
    #[inline]
    pub fn same(&self, order: &Order, now: Time, window_ns: u64) -> Option<Time> {
        // The newest first, round the ring.
        let mut at = self.next;
        for _ in 0..self.ring.len() {
            at = if at == 0 { self.ring.len() } else { at } - 1;
            let o = &self.ring[at];
            if now.since(o.at) >= window_ns {
                break;
            }
            if o.price == order.price
                && o.qty == order.qty
                && o.instrument == order.instrument
                && o.side == order.side
            {
                return Some(o.at);
            }
        }
        None
    }

    /// An order was approved.
    #[inline]
    pub fn ordered(&mut self, order: &Order, now: Time, window_ns: u64) {
        let &Order { price, qty, instrument, side, .. } = order;
        let ordered = Ordered { at: now, price, qty, instrument, side };
        if window_ns == 0 {
            return;
        }
        let is_full = self.ring.len() == ORDERS;
        match self.ring.get_mut(self.next) {
            Some(oldest) if is_full || now.since(oldest.at) >= window_ns => *oldest = ordered,
            _ => self.ring.insert(self.next, ordered),
        }
        self.next += 1;
        if self.next == self.ring.len() {
            self.next = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Extras, OrderId, OrderKind, StrategyId, TimeInForce};

    fn order(price: i64) -> Order {
        Order {
            id: OrderId(1),
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(1),
            price: Price(price),
            extras: Extras::NONE,
        }
    }

    #[test]
    fn the_average_is_of_the_last_eight() {
        let mut habits = Habits::NONE;
        let mut all = Vec::new();
        for qty in 1..100 {
            habits.ordered(Qty(qty * qty), Time(0));
            all.push(qty * qty);
            let last = &all[all.len().saturating_sub(SIZES)..];
            assert_eq!(habits.sizes(), (last.iter().sum(), last.len() as u32));
        }
    }

    #[test]
    fn the_same_order_is_found_within_the_window_however_many_came_between() {
        let mut last = LastOrders::new(1_000);
        let mut all: Vec<(u64, i64)> = Vec::new();
        let (mut now, mut random) = (10_000u64, 1u64);
        let mut habits = Habits::NONE;
        for _ in 0..5_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Now and then a pause, in which the window passes, or part of it.
            now += if random >> 50 & 31 == 0 { random >> 33 & 2_047 } else { random >> 33 & 15 };
            let price = (random >> 40 & 63) as i64;
            let naive =
                all.iter().rev().find(|(at, p)| *p == price && now - at < 1_000).map(|(at, _)| Time(*at));
            assert_eq!(last.same(&order(price), Time(now), 1_000), naive);
            assert!(naive.is_none() || habits.may_repeat(Time(now), 1_000));
            last.ordered(&order(price), Time(now), 1_000);
            habits.ordered(Qty(1), Time(now));
            assert!(!habits.may_repeat(Time(now + 1_000), 1_000));
            all.push((now, price));
        }
        assert_eq!(LastOrders::new(0).same(&order(1), Time(now), 0), None);
    }

    #[test]
    fn trades_the_same_way_are_counted_until_another_way_or_a_pause() {
        let mut habits = Habits::NONE;
        for n in 1..4u32 {
            habits.traded(Side::Sell, Time(u64::from(n) * 10), 10);
            assert_eq!(habits.same_way(Side::Sell, Time(u64::from(n) * 10 + 10), 10), n);
        }
        assert_eq!(habits.same_way(Side::Buy, Time(35), 10), 0);
        assert_eq!(habits.same_way(Side::Sell, Time(41), 10), 0, "a pause");
        habits.traded(Side::Buy, Time(36), 10);
        assert_eq!(habits.same_way(Side::Buy, Time(36), 10), 1);
    }
}
