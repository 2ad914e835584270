//! The book: a window of ticks around the touch in plain arrays, everything else in a table.
//!
//! Each side is a ladder whose rungs are ticks; asks are mirrored (rung = −tick), so that on both sides a higher rung
//! is a better price. A bitmap of occupied rungs finds the next best level in a few instructions. Invariant: every
//! level on the tick grid inside the window is in the window, and no level outside it is better than the window's top.

use super::far::Far;
use crate::domain::{Level, Price, Qty, Side};

/// Rungs of a window: with 64 words of 64 bits, one summary word finds any of them.
const RUNGS: usize = 4_096;
const WORDS: usize = RUNGS / 64;
/// Rungs kept free above the best when the window is moved: prices can improve this far before it moves again.
const HEADROOM: i64 = RUNGS as i64 / 4;
/// A best closer than this to the window's worst end has drifted: the window follows.
const DRIFT: i64 = RUNGS as i64 / 16;

/// One instrument's bids and asks.
#[derive(Debug, Clone)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
}

#[derive(Debug, Clone)]
struct Ladder {
    /// 1 for bids, −1 for asks.
    sign: i64,
    tick: i64,
    /// Rung of slot 0.
    base: i64,
    qty: Box<[i64; RUNGS]>,
    occupied: [u64; WORDS],
    summary: u64,
    count: usize,
    far: Far,
    /// Levels in `far` whose price is not a multiple of the tick: rare, exact, and slow.
    off_grid: usize,
    /// The best slot, or `RUNGS` when the window is empty.
    best: usize,
}

impl Book {
    /// An empty book; all its memory is taken now.
    ///
    /// `tick` is the smallest price step; one not above zero is taken as one unit.
    #[must_use]
    pub fn new(tick: Price) -> Self {
        let tick = tick.0.max(1);
        Self { bids: Ladder::new(1, tick), asks: Ladder::new(-1, tick) }
    }

    #[inline]
    fn side(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    /// Sets the whole quantity at a price; zero removes the level, and removing what is not there is nothing.
    #[inline]
    pub fn set(&mut self, side: Side, level: Level) {
        match side {
            Side::Buy => self.bids.set(level.price.0, level.qty.0),
            Side::Sell => self.asks.set(level.price.0, level.qty.0),
        }
    }

    /// Removes every level.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// The highest bid.
    #[inline]
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.best()
    }

    /// The lowest ask.
    #[inline]
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.best()
    }

    /// Whether the best bid is at or above the best ask.
    #[inline]
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        match (self.best_bid(), self.best_ask()) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }

    /// A side's levels within the dense window, best first; the first few thousand ticks, without allocating.
    pub fn near(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.side(side).near()
    }

    /// All levels of a side, best first. Sorts the far ones: not for the hot path.
    #[must_use]
    pub fn levels(&self, side: Side) -> Vec<Level> {
        self.side(side).all()
    }

    /// Quantity of the best `n` levels within the dense window.
    #[must_use]
    pub fn qty_of_best(&self, side: Side, n: usize) -> i128 {
        self.near(side).take(n).map(|l| i128::from(l.qty.0)).sum()
    }

    /// Levels of a side.
    #[must_use]
    pub fn len(&self, side: Side) -> usize {
        self.side(side).count + self.side(side).far.len()
    }

    /// Whether both sides are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len(Side::Buy) + self.len(Side::Sell) == 0
    }

    /// How often the room for far levels had to grow (an allocation).
    #[must_use]
    pub fn overflow_grown(&self) -> u64 {
        self.bids.far.grown() + self.asks.far.grown()
    }

    /// Memory held, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let side = |l: &Ladder| size_of_val(&*l.qty) + l.far.memory_bytes();
        size_of::<Self>() + side(&self.bids) + side(&self.asks)
    }

    /// Changes the tick; every level stays what it is.
    pub fn set_tick(&mut self, tick: Price) {
        let tick = tick.0.max(1);
        for ladder in [&mut self.bids, &mut self.asks] {
            let levels = ladder.all();
            ladder.clear();
            ladder.tick = tick;
            for level in levels {
                ladder.set(level.price.0, level.qty.0);
            }
        }
    }
}

impl Ladder {
    fn new(sign: i64, tick: i64) -> Self {
        Self {
            sign,
            tick,
            base: 0,
            qty: Box::new([0; RUNGS]),
            occupied: [0; WORDS],
            summary: 0,
            count: 0,
            far: Far::new(),
            off_grid: 0,
            best: RUNGS,
        }
    }

    /// The rung of a price, if the price is on the grid.
    #[inline]
    fn rung(&self, price: i64) -> Option<i64> {
        let quotient = price / self.tick;
        (quotient * self.tick == price).then_some(quotient * self.sign)
    }

    #[inline]
    fn price(&self, slot: usize) -> i64 {
        (self.base + slot as i64) * self.sign * self.tick
    }

    #[inline]
    fn set(&mut self, price: i64, qty: i64) {
        let Some(rung) = self.rung(price) else { return self.set_off_grid(price, qty) };
        let slot = rung.wrapping_sub(self.base);
        if (slot as u64) < RUNGS as u64 {
            self.set_slot(slot as usize, qty);
        } else {
            self.set_outside(rung, price, qty);
        }
    }

    #[inline]
    fn set_slot(&mut self, slot: usize, qty: i64) {
        let slot = slot & (RUNGS - 1);
        let held = &mut self.qty[slot];
        let was = *held;
        *held = qty;
        let (word, bit) = (slot / 64, 1u64 << (slot % 64));
        if qty != 0 {
            if was == 0 {
                self.occupied[word] |= bit;
                self.summary |= 1 << word;
                self.count += 1;
                if self.best == RUNGS || slot > self.best {
                    self.best = slot;
                }
            }
        } else if was != 0 {
            self.occupied[word] &= !bit;
            if self.occupied[word] == 0 {
                self.summary &= !(1 << word);
            }
            self.count -= 1;
            if slot == self.best {
                self.best_removed();
            }
        }
    }

    #[inline]
    fn best_removed(&mut self) {
        self.best = self.top_slot();
        if self.best == RUNGS || (self.best as i64) < DRIFT {
            self.follow();
        }
    }

    #[inline]
    fn top_slot(&self) -> usize {
        if self.summary == 0 {
            return RUNGS;
        }
        let word = 63 - self.summary.leading_zeros() as usize;
        word * 64 + 63 - self.occupied[word].leading_zeros() as usize
    }

    /// The window is empty or its best has drifted low: move it to where the best is, if levels outside matter.
    #[cold]
    fn follow(&mut self) {
        if self.far.len() == self.off_grid {
            return;
        }
        let best = if self.best == RUNGS {
            let (sign, tick) = (self.sign, self.tick);
            self.far.iter().filter(|(p, _)| p % tick == 0).map(|(p, _)| p / tick * sign).max()
        } else {
            Some(self.base + self.best as i64)
        };
        if let Some(best) = best {
            self.recentre(best);
        }
    }

    #[cold]
    fn set_outside(&mut self, rung: i64, price: i64, qty: i64) {
        let better = rung >= self.base + RUNGS as i64;
        if qty != 0 && (better || (self.count == 0 && self.far.len() == self.off_grid)) {
            self.recentre(rung);
            return self.set_slot((rung - self.base) as usize, qty);
        }
        self.far.set(price, qty);
    }

    #[cold]
    fn set_off_grid(&mut self, price: i64, qty: i64) {
        let before = self.far.len();
        self.far.set(price, qty);
        self.off_grid = self.off_grid + self.far.len() - before;
    }

    /// Moves the window so that `best` has headroom above it; levels change between window and table as needed.
    #[cold]
    fn recentre(&mut self, best: i64) {
        let base = best.saturating_add(HEADROOM - RUNGS as i64);
        let old_base = self.base;
        if base == old_base {
            return;
        }
        let mut leaving = [0u64; WORDS];
        std::mem::swap(&mut leaving, &mut self.occupied);
        self.summary = 0;
        self.count = 0;
        self.base = base;
        // Shift in the order that never overwrites what has still to be moved.
        let shift = old_base - base;
        let taken = |slot: &usize| leaving[slot / 64] >> (slot % 64) & 1 == 1;
        if shift > 0 {
            (0..RUNGS).rev().filter(taken).for_each(|slot| self.shift(slot, shift));
        } else {
            (0..RUNGS).filter(taken).for_each(|slot| self.shift(slot, shift));
        }
        let (sign, tick) = (self.sign, self.tick);
        let entering = |p: i64| p % tick == 0 && ((p / tick * sign).wrapping_sub(base) as u64) < RUNGS as u64;
        let mut at = 0;
        while let Some((next, price, qty)) = self.far.take_next(at, entering) {
            at = next;
            self.put((price / tick * sign - base) as usize, qty);
        }
        self.best = self.top_slot();
    }

    fn shift(&mut self, slot: usize, shift: i64) {
        let qty = std::mem::take(&mut self.qty[slot]);
        let to = slot as i64 + shift;
        if (0..RUNGS as i64).contains(&to) {
            self.put(to as usize, qty);
        } else {
            let price = (self.base + to) * self.sign * self.tick;
            self.far.set(price, qty);
        }
    }

    fn put(&mut self, slot: usize, qty: i64) {
        self.qty[slot] = qty;
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.summary |= 1 << (slot / 64);
        self.count += 1;
    }

    fn clear(&mut self) {
        if self.count > 0 {
            self.qty.fill(0);
            self.occupied = [0; WORDS];
            self.summary = 0;
            self.count = 0;
        }
        self.far.clear();
        self.off_grid = 0;
        self.best = RUNGS;
    }

    #[inline]
    fn best(&self) -> Option<Level> {
        let near =
            (self.best < RUNGS).then(|| Level::new(self.price(self.best), self.qty[self.best & (RUNGS - 1)]));
        if self.off_grid == 0 { near } else { self.best_with_off_grid(near) }
    }

    #[cold]
    fn best_with_off_grid(&self, near: Option<Level>) -> Option<Level> {
        let far = self.far.iter().map(|(p, q)| Level::new(p, q));
        near.into_iter().chain(far).max_by_key(|l| l.price.0 * self.sign)
    }

    fn near(&self) -> impl Iterator<Item = Level> + '_ {
        let mut words = self.summary;
        let mut word = 0usize;
        let mut bits = 0u64;
        std::iter::from_fn(move || {
            while bits == 0 {
                if words == 0 {
                    return None;
                }
                word = 63 - words.leading_zeros() as usize;
                words &= !(1 << word);
                bits = self.occupied[word];
            }
            let bit = 63 - bits.leading_zeros() as usize;
            bits &= !(1 << bit);
            let slot = word * 64 + bit;
            Some(Level { price: Price(self.price(slot)), qty: Qty(self.qty[slot]) })
        })
    }

    fn all(&self) -> Vec<Level> {
        let mut all: Vec<_> = self.near().chain(self.far.iter().map(|(p, q)| Level::new(p, q))).collect();
        all.sort_unstable_by_key(|l| std::cmp::Reverse(l.price.0 * self.sign));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn agrees(book: &Book, bids: &BTreeMap<i64, i64>, asks: &BTreeMap<i64, i64>, whole: bool) {
        assert_eq!(book.best_bid(), bids.last_key_value().map(|(p, q)| Level::new(*p, *q)));
        assert_eq!(book.best_ask(), asks.first_key_value().map(|(p, q)| Level::new(*p, *q)));
        if whole {
            let b: Vec<_> = bids.iter().rev().map(|(p, q)| Level::new(*p, *q)).collect();
            let a: Vec<_> = asks.iter().map(|(p, q)| Level::new(*p, *q)).collect();
            assert_eq!(book.levels(Side::Buy), b);
            assert_eq!(book.levels(Side::Sell), a);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
        #[test]
        fn the_book_equals_an_ordered_map(
            updates in proptest::collection::vec(
                (proptest::bool::ANY, 1i64..60_000, 0i64..3, 0u8..20), 1..300)
        ) {
            let mut book = Book::new(Price(5));
            let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
            for (buy, rough, qty, grid) in updates {
                // Most prices are on the grid and many repeat, so that removals hit.
                let price = if grid == 0 { rough } else { (rough % 8_000 + 1) * 5 };
                let price = if grid > 10 { 20_000 + price % 50 * 5 } else { price };
                let (side, map) = if buy { (Side::Buy, &mut bids) } else { (Side::Sell, &mut asks) };
                book.set(side, Level::new(price, qty));
                if qty == 0 { map.remove(&price); } else { map.insert(price, qty); }
                agrees(&book, &bids, &asks, true);
            }
            book.set_tick(Price(10));
            agrees(&book, &bids, &asks, true);
            book.clear();
            agrees(&book, &BTreeMap::new(), &BTreeMap::new(), true);
        }
    }

    #[test]
    fn a_book_takes_no_more_than_its_share_of_memory() {
        assert!(Book::new(Price(1)).memory_bytes() <= 256 * 1024);
    }
}
