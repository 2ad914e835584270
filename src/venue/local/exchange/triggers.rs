//! Orders that wait for a price, or for one that comes back.
//!
//! Owns: when an order is due. One that trails begins with the first trade at or past its stop price, or with the next one
//! where it has none, and is due once a trade is so far behind the best since then: below the highest for a sell, above
//! the lowest for a buy.

use crate::domain::Side;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A delta is in so many parts of the price.
const DELTA_UNIT: i128 = 10_000;

/// An order that trails.
#[derive(Debug, Clone, Copy)]
struct Trail {
    side: Side,
    delta: u32,
    /// It does not wait for a stop price any more, or never did.
    free: bool,
    /// The best since it began.
    best: Option<i64>,
}

impl Trail {
    /// Whether a price is so far behind the best.
    fn is_back(&self, price: i64) -> bool {
        let Some(best) = self.best else { return false };
        let (price, best, delta) = (i128::from(price) * DELTA_UNIT, i128::from(best), i128::from(self.delta));
        match self.side {
            Side::Sell => price <= best * (DELTA_UNIT - delta),
            Side::Buy => price >= best * (DELTA_UNIT + delta),
        }
    }

    fn follow(&mut self, price: i64) {
        let best = self.best.unwrap_or(price);
        self.best = Some(if self.side == Side::Sell { best.max(price) } else { best.min(price) });
    }
}

/// Waiting orders by the price they wait for, and those whose price has come.
#[derive(Debug, Default)]
pub(super) struct Triggers {
    /// Those that trigger at or above.
    rising: BTreeSet<(i64, u64)>,
    /// Those that trigger at or below.
    falling: BTreeSet<(i64, u64)>,
    trails: BTreeMap<u64, Trail>,
    due: VecDeque<u64>,
}

impl Triggers {
    pub fn wait(&mut self, number: u64, stop: i64, rising: bool) {
        if rising {
            self.rising.insert((stop, number))
        } else {
            self.falling.insert((stop, number))
        };
    }

    /// An order trails: from the price on that it [waits](Self::wait) for, or where it is `free`, from the next trade on.
    pub fn trail(&mut self, number: u64, side: Side, delta: u32, free: bool) {
        self.trails.insert(number, Trail { side, delta, free, best: None });
    }

    pub fn forget(&mut self, number: u64, stop: i64) {
        self.rising.remove(&(stop, number));
        self.falling.remove(&(stop, number));
        self.trails.remove(&number);
    }

    /// A trade: the orders that it triggers become due, oldest first, after those that are due already. Returns those
    /// that begin to trail.
    pub fn trade(&mut self, price: i64) -> Vec<u64> {
        let mut found = Vec::new();
        while let Some(first) = self.rising.first().copied().filter(|(stop, _)| *stop <= price) {
            self.rising.remove(&first);
            found.push(first.1);
        }
        while let Some(last) = self.falling.last().copied().filter(|(stop, _)| *stop >= price) {
            self.falling.remove(&last);
            found.push(last.1);
        }
        let mut begun = Vec::new();
        found.retain(|number| match self.trails.get_mut(number) {
            Some(trail) => {
                trail.free = true;
                false
            }
            None => true,
        });
        self.trails.retain(|&number, trail| {
            if trail.is_back(price) {
                found.push(number);
                return false;
            }
            if trail.free {
                begun.extend(trail.best.is_none().then_some(number));
                trail.follow(price);
            }
            true
        });
        found.sort_unstable();
        self.due.extend(found);
        begun
    }

    /// Makes an order due, after those that are already.
    pub fn push_due(&mut self, number: u64) {
        self.due.push_back(number);
    }

    /// The next order whose price has come.
    pub fn next_due(&mut self) -> Option<u64> {
        self.due.pop_front()
    }
}
