//! The book of one instrument: exact levels of both sides.
//!
//! Owns: prices and sides; each [`BookSide`] only knows keys that rise from best to worst. Knows nothing of update
//! ids or of whether what it holds is right: that is [`BookSync`](super::BookSync)'s. Invariant: after every update it
//! equals a sorted map fed with the same updates, whatever the prices; odd ones only cost time.

use super::side::BookSide;
use crate::domain::{Level, Price, Qty, Side};

/// 7,168 ticks a side, with room for 3,584 more levels beyond: 250 KiB a book. On the recordings the dense part takes
/// two thirds (BTCUSDT spot, whose tick is fine) to 98 % of all updates.
const WINDOW_WORDS: usize = 112;
const FAR_SLOTS: usize = 4_096;

/// Bids and asks. Allocates when made, and later only to grow beyond 3,584 levels a side outside the dense part.
#[derive(Debug)]
pub struct Book {
    bids: BookSide<WINDOW_WORDS>,
    asks: BookSide<WINDOW_WORDS>,
}

/// The key of a bid: best (highest) price first. Not a negation, which `i64::MIN` has none of.
#[inline(always)]
const fn bid_key(price: i64) -> i64 {
    !price
}

impl Book {
    /// An empty book of an instrument with this tick, in price units.
    ///
    /// Prices off the tick grid are held exactly all the same, but slower. A tick outside 1 to 2^46 counts as 1 or 2^46.
    #[must_use]
    pub fn new(tick: Price) -> Self {
        Self { bids: BookSide::new(tick.0, bid_key(0), FAR_SLOTS), asks: BookSide::new(tick.0, 0, FAR_SLOTS) }
    }

    /// Sets the whole quantity at a price. Zero (or less) removes the level; an unknown one is passed over.
    #[inline]
    pub fn set(&mut self, side: Side, level: Level) {
        let qty = level.qty.0.max(0);
        match side {
            Side::Buy => self.bids.set(bid_key(level.price.0), qty),
            Side::Sell => self.asks.set(level.price.0, qty),
        }
    }

    /// [`set`](Self::set) for each of some levels of one side, in turn.
    #[inline]
    pub fn set_all(&mut self, side: Side, levels: &[Level]) {
        match side {
            Side::Buy => levels.iter().for_each(|l| self.bids.set(bid_key(l.price.0), l.qty.0.max(0))),
            Side::Sell => levels.iter().for_each(|l| self.asks.set(l.price.0, l.qty.0.max(0))),
        }
    }

    /// Removes every level; keeps the room.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// The highest bid.
    #[inline]
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.best().map(|(key, qty)| Level::new(bid_key(key), qty))
    }

    /// The lowest ask.
    #[inline]
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.best().map(|(key, qty)| Level::new(key, qty))
    }

    /// The whole quantity at a price; zero where there is no level.
    #[inline]
    #[must_use]
    pub fn qty_at(&self, side: Side, price: Price) -> Qty {
        Qty(match side {
            Side::Buy => self.bids.get(bid_key(price.0)),
            Side::Sell => self.asks.get(price.0),
        })
    }

    /// Best bid and best ask, where there are both.
    #[inline]
    #[must_use]
    pub fn top(&self) -> Option<(Level, Level)> {
        Some((self.best_bid()?, self.best_ask()?))
    }

    /// The levels of a side, best first. Allocates nothing; beyond the dense part it costs microseconds.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let (levels, flip) = match side {
            Side::Buy => (self.bids.iter(), true),
            Side::Sell => (self.asks.iter(), false),
        };
        levels.map(move |(key, qty)| Level::new(if flip { bid_key(key) } else { key }, qty))
    }

    /// The summed quantity of the best `n` levels of a side, in quantity units.
    #[must_use]
    pub fn qty_within(&self, side: Side, n: usize) -> i128 {
        self.levels(side).take(n).map(|level| i128::from(level.qty.0)).sum()
    }

    /// How many levels a side has.
    #[must_use]
    pub fn len(&self, side: Side) -> usize {
        match side {
            Side::Buy => self.bids.len(),
            Side::Sell => self.asks.len(),
        }
    }

    /// Whether both sides are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// Whether the best bid is at or above the best ask, as it never is on a working venue outside an auction.
    #[inline]
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        match (self.bids.best(), self.asks.best()) {
            (Some((bid, _)), Some((ask, _))) => bid_key(bid) >= ask,
            _ => false,
        }
    }

    /// The tick the book is laid out for, in price units.
    #[must_use]
    pub const fn tick(&self) -> Price {
        Price(self.asks.tick())
    }

    /// Lays the book out anew for another tick, with the levels it has. Allocates: not for the hot path.
    pub fn set_tick(&mut self, tick: Price) {
        let mut other = Self::new(tick);
        for side in [Side::Buy, Side::Sell] {
            self.levels(side).for_each(|level| other.set(side, level));
        }
        *self = other;
    }

    /// How often the room beyond the dense part had to grow, which allocates.
    #[must_use]
    pub const fn overflow_grown(&self) -> u64 {
        self.bids.grown() + self.asks.grown()
    }

    /// All memory of the book, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.bids.heap_bytes() + self.asks.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(levels: &[(Side, i64, i64)]) -> Book {
        let mut book = Book::new(Price(10));
        levels.iter().for_each(|&(side, price, qty)| book.set(side, Level::new(price, qty)));
        book
    }

    #[test]
    fn the_best_comes_first_on_both_sides() {
        use Side::{Buy, Sell};
        let mut book = book(&[
            (Buy, 990, 1),
            (Buy, 1_000, 2),
            (Buy, 10, 3),
            (Sell, 1_010, 4),
            (Sell, 1_030, 5),
            (Sell, 9_999_990, 6),
        ]);
        assert_eq!(book.top(), Some((Level::new(1_000, 2), Level::new(1_010, 4))));
        let prices = |book: &Book, side| book.levels(side).map(|l| l.price.0).collect::<Vec<_>>();
        assert_eq!(prices(&book, Buy), [1_000, 990, 10]);
        assert_eq!(prices(&book, Sell), [1_010, 1_030, 9_999_990]);
        assert_eq!((book.qty_within(Sell, 2), book.qty_within(Sell, 9), book.len(Buy)), (9, 15, 3));
        book.set(Buy, Level::new(1_000, 0));
        book.set(Buy, Level::new(777, 0));
        assert_eq!(book.best_bid(), Some(Level::new(990, 1)));
        book.clear();
        assert!(book.is_empty() && book.top().is_none());
    }

    #[test]
    fn a_book_is_crossed_when_bid_meets_ask() {
        let mut book = book(&[(Side::Buy, 1_000, 1), (Side::Sell, 1_010, 1)]);
        assert!(!book.is_crossed());
        book.set(Side::Buy, Level::new(1_010, 1));
        assert!(book.is_crossed());
    }

    #[test]
    fn prices_off_the_grid_count_for_the_best() {
        let mut book = book(&[
            (Side::Buy, 1_000, 1),
            (Side::Buy, 1_005, 2),
            (Side::Sell, 1_020, 1),
            (Side::Sell, 1_013, 3),
        ]);
        assert_eq!(book.top(), Some((Level::new(1_005, 2), Level::new(1_013, 3))));
        book.set_tick(Price(1));
        assert_eq!(book.top(), Some((Level::new(1_005, 2), Level::new(1_013, 3))));
        assert_eq!((book.tick(), book.len(Side::Buy)), (Price(1), 2));
        book.set(Side::Buy, Level::new(1_005, 0));
        assert_eq!(book.best_bid(), Some(Level::new(1_000, 1)));
    }

    #[test]
    fn a_book_takes_no_more_than_256_kib() {
        let mut book = book(&[]);
        (1..3_000).for_each(|i| book.set(Side::Buy, Level::new(i * 1_000, 1)));
        assert!(book.memory_bytes() <= 256 * 1024, "{}", book.memory_bytes());
        assert_eq!(book.overflow_grown(), 0);
    }

    #[test]
    fn absurd_prices_and_ticks_are_held_too() {
        for tick in [i64::MIN, 0, 1, i64::MAX] {
            let mut book = Book::new(Price(tick));
            for price in [i64::MIN, -1, 0, 1, i64::MAX] {
                book.set(Side::Buy, Level::new(price, 1));
                book.set(Side::Sell, Level::new(price, 1));
            }
            assert_eq!(book.top(), Some((Level::new(i64::MAX, 1), Level::new(i64::MIN, 1))));
            assert_eq!((book.len(Side::Buy), book.len(Side::Sell)), (5, 5));
        }
    }
}
