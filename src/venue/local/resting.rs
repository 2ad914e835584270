//! Where orders rest: a slab of orders, linked in time order at each price level, levels sorted by price.
//!
//! Owns: one side's levels and the slab both sides share. Knows nothing of matching. Invariant: a level's quantity is
//! the sum of its orders' leaves and is positive; no level is empty.

use crate::domain::{Level, Price, Qty, Side};

/// No order.
pub(super) const NONE: u32 = u32::MAX;

/// A resting order, in its slab place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub number: u64,
    pub account: u32,
    pub side: Side,
    pub price: i64,
    pub leaves: i64,
    prev: u32,
    next: u32,
}

/// Orders in reused places; a place is stable while its order rests.
#[derive(Debug, Default)]
pub(super) struct Slab {
    nodes: Vec<Node>,
    free: Vec<u32>,
}

impl Slab {
    pub fn get(&self, place: u32) -> &Node {
        &self.nodes[place as usize]
    }

    fn get_mut(&mut self, place: u32) -> &mut Node {
        &mut self.nodes[place as usize]
    }

    fn insert(&mut self, node: Node) -> u32 {
        match self.free.pop() {
            Some(place) => {
                self.nodes[place as usize] = node;
                place
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() as u32 - 1
            }
        }
    }
}

/// A price level: a queue of orders, oldest first.
#[derive(Debug, Clone, Copy)]
struct Queue {
    /// The price with the side's sign, so that the best level has the largest key on both sides.
    key: i64,
    qty: i64,
    head: u32,
    tail: u32,
}

/// One side of the book: levels in a vector sorted by key, the best one last, where inserting and removing is cheap.
#[derive(Debug)]
pub(super) struct BookSide {
    sign: i64,
    levels: Vec<Queue>,
}

impl BookSide {
    pub fn new(side: Side) -> Self {
        let sign = if side == Side::Buy { 1 } else { -1 };
        Self { sign, levels: Vec::with_capacity(512) }
    }

    pub fn level_count(&self) -> usize {
        self.levels.len()
    }

    fn find(&self, key: i64) -> Result<usize, usize> {
        match self.levels.last() {
            Some(best) if best.key == key => Ok(self.levels.len() - 1),
            Some(best) if best.key < key => Err(self.levels.len()),
            _ => self.levels.binary_search_by_key(&key, |level| level.key),
        }
    }

    /// The quantity at `price`; zero where there is no level.
    pub fn qty_at(&self, price: i64) -> i64 {
        self.find(self.sign * price).map_or(0, |at| self.levels[at].qty)
    }

    /// The oldest order of the best level.
    pub fn best_head(&self) -> Option<u32> {
        self.levels.last().map(|level| level.head)
    }

    /// Orders, best price first, then oldest.
    pub fn orders<'a>(&'a self, slab: &'a Slab) -> impl Iterator<Item = &'a Node> {
        let follow = |place: u32| (place != NONE).then(|| slab.get(place));
        self.levels
            .iter()
            .rev()
            .flat_map(move |level| std::iter::successors(follow(level.head), move |node| follow(node.next)))
    }

    /// Levels, best first.
    pub fn iter(&self) -> impl Iterator<Item = Level> + '_ {
        self.levels
            .iter()
            .rev()
            .map(|level| Level { price: Price(self.sign * level.key), qty: Qty(level.qty) })
    }

    /// Puts an order at the end of its level's queue. The caller has checked that the level's sum fits.
    pub fn push(
        &mut self,
        slab: &mut Slab,
        number: u64,
        account: u32,
        side: Side,
        price: i64,
        leaves: i64,
    ) -> u32 {
        let key = self.sign * price;
        let at = match self.find(key) {
            Ok(at) => at,
            Err(at) => {
                self.levels.insert(at, Queue { key, qty: 0, head: NONE, tail: NONE });
                at
            }
        };
        let level = &mut self.levels[at];
        let place = slab.insert(Node { number, account, side, price, leaves, prev: level.tail, next: NONE });
        match level.tail {
            NONE => level.head = place,
            tail => slab.get_mut(tail).next = place,
        }
        level.tail = place;
        level.qty += leaves;
        place
    }

    /// Takes `qty` (at most its leaves) from the order at `place`; with nothing left the order is gone, its place freed.
    pub fn take(&mut self, slab: &mut Slab, place: u32, qty: i64) {
        let Ok(at) = self.find(self.sign * slab.get(place).price) else { return };
        self.levels[at].qty -= qty;
        let node = slab.get_mut(place);
        node.leaves -= qty;
        if node.leaves > 0 {
            return;
        }
        let Node { prev, next, .. } = *node;
        match prev {
            NONE => self.levels[at].head = next,
            prev => slab.get_mut(prev).next = next,
        }
        match next {
            NONE => self.levels[at].tail = prev,
            next => slab.get_mut(next).prev = prev,
        }
        slab.free.push(place);
        if self.levels[at].head == NONE {
            self.levels.remove(at);
        }
    }
}
