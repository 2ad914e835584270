//! One side of a book: a dense window near the touch and a table for everything else.
//!
//! Owns: which of the two holds a level, and where the window is. Knows no prices: keys rise from best to worst.
//!
//! Invariants: a level is in one place only; a key on the grid and within the window is in the window. `near` counts
//! the table's levels at or before the window's edge, which compete for the best: off-grid ones, and ones better than
//! the window's start. `near_best` is the best of them while there are any. The window is empty only if the table is
//! too, or if `edge` is `i64::MAX`, when every level of the table is near.

use super::far::{Change, FarLevel, FarLevels};
use super::window::Window;

/// Unusual updates suffered before the window is moved: moving costs some microseconds, and so is shared by many.
const PATIENCE: u32 = 8;

/// Levels an iterator takes from the unordered table at a time.
const BATCH: usize = 32;

/// Levels of one side by key.
#[derive(Debug)]
pub struct BookSide<const WORDS: usize> {
    window: Window<WORDS>,
    far: FarLevels,
    edge: i64,
    near: usize,
    near_best: i64,
    /// A key on the tick grid.
    phase: i64,
    patience: u32,
}

impl<const WORDS: usize> BookSide<WORDS> {
    /// An empty side. `phase` is any key on the tick grid; `far_slots` is the table's size.
    #[must_use]
    pub fn new(tick: i64, phase: i64, far_slots: usize) -> Self {
        Self {
            window: Window::new(tick),
            far: FarLevels::new(far_slots),
            edge: i64::MAX,
            near: 0,
            near_best: i64::MAX,
            phase,
            patience: PATIENCE,
        }
    }

    /// Sets the quantity at `key`; zero removes.
    #[inline(always)]
    pub fn set(&mut self, key: i64, qty: i64) {
        match self.window.place(key) {
            Some(at) => {
                self.window.set(at, qty);
                if self.window.has_drifted() {
                    self.after_drift();
                }
            }
            None if key > self.edge => {
                self.far.set(key, qty);
            }
            None => self.set_near(key, qty),
        }
    }

    /// The quantity at `key`; zero where there is no level.
    #[inline]
    #[must_use]
    pub fn get(&self, key: i64) -> i64 {
        match self.window.place(key).map(|at| self.window.get(at)) {
            Some(qty) if qty != 0 => qty,
            _ => self.far.get(key),
        }
    }

    /// Key and quantity of the best level.
    #[inline]
    #[must_use]
    pub fn best(&self) -> Option<(i64, i64)> {
        let best = self.window.best();
        if self.near > 0 { self.best_with_near(best) } else { best }
    }

    #[cold]
    fn best_with_near(&self, window: Option<(i64, i64)>) -> Option<(i64, i64)> {
        match window {
            Some((key, qty)) if key < self.near_best => Some((key, qty)),
            _ => Some((self.near_best, self.far.get(self.near_best))),
        }
    }

    /// The best level lies deep in the window, or the window is empty.
    #[cold]
    fn after_drift(&mut self) {
        if self.window.is_empty() {
            if self.near < self.far.len() {
                // The invariant: an empty window must not hide the table's levels.
                return self.recenter();
            }
            self.edge = i64::MAX;
        }
        if !self.is_empty() {
            self.suffer();
        }
    }

    /// A key that is neither in the window's grid nor beyond its edge.
    #[cold]
    fn set_near(&mut self, key: i64, qty: i64) {
        if self.far.is_empty() && self.edge == i64::MAX && qty != 0 {
            // No level outside, and no edge yet: the first level says where the window is.
            if self.window.is_empty() {
                self.window.move_to(key, self.phase, |_, _| ());
            }
            if !self.window.is_empty() || self.window.place(key).is_some() {
                self.edge = self.window.edge();
                return self.set(key, qty);
            }
        }
        match self.far.set(key, qty) {
            Change::Inserted => {
                self.near_best = if self.near == 0 { key } else { self.near_best.min(key) };
                self.near += 1;
                self.suffer();
            }
            Change::Removed => {
                self.near -= 1;
                if self.near > 0 && key == self.near_best {
                    // The smallest of all is the smallest of the near.
                    self.near_best = self.far.min_key().unwrap_or(i64::MAX);
                }
                if self.window.is_empty() {
                    self.after_drift();
                }
            }
            Change::None => {}
        }
    }

    fn suffer(&mut self) {
        self.patience = self.patience.saturating_sub(1);
        if self.patience == 0 {
            self.recenter();
        }
    }

    /// Moves the window to the best level, and each level to where it then belongs.
    fn recenter(&mut self) {
        self.patience = PATIENCE;
        let near = if self.near > 0 { Some(self.near_best) } else { None };
        let inside = self.window.best().map(|(key, _)| key);
        let Some(best) = near.into_iter().chain(inside).min().or_else(|| self.far.min_key()) else { return };
        let Self { window, far, phase, .. } = self;
        if window.move_to(best, *phase, |key, qty| {
            far.set(key, qty);
        }) {
            let (first, last) = (window.base(), window.edge());
            far.take_range(first, last, |FarLevel { key, qty }| match window.place(key) {
                Some(at) => {
                    window.set(at, qty);
                    true
                }
                None => false,
            });
        }
        // With nothing in the window (the best is off the grid, or too extreme to be placed) all compete.
        self.edge = if self.window.is_empty() { i64::MAX } else { self.window.edge() };
        (self.near, self.near_best) = self.far.up_to(self.edge);
    }

    /// How many levels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.window.len() + self.far.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.is_empty() && self.far.is_empty()
    }

    /// Removes every level; keeps the room.
    pub fn clear(&mut self) {
        self.window.clear();
        self.far.clear();
        (self.edge, self.near, self.near_best, self.patience) = (i64::MAX, 0, i64::MAX, PATIENCE);
    }

    /// Levels, best first. Allocates nothing; beyond the window it costs a pass of the table for every 32 levels.
    pub fn iter(&self) -> Levels<'_, WORDS> {
        Levels {
            side: self,
            slot: 0,
            batch: [FarLevel::default(); BATCH],
            at: 0,
            held: 0,
            far_left: self.far.len(),
        }
    }

    /// How often the table had to allocate more room.
    #[must_use]
    pub const fn grown(&self) -> u64 {
        self.far.grown()
    }

    /// The tick size in price units.
    #[must_use]
    pub const fn tick(&self) -> i64 {
        self.window.tick()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.window.heap_bytes() + self.far.heap_bytes()
    }
}

/// The levels of a side, best first: window and table merged.
#[derive(Debug)]
pub struct Levels<'a, const WORDS: usize> {
    side: &'a BookSide<WORDS>,
    slot: usize,
    /// The next best of the table, in order; `batch[at..held]` are not given out yet.
    batch: [FarLevel; BATCH],
    at: usize,
    held: usize,
    far_left: usize,
}

impl<const WORDS: usize> Levels<'_, WORDS> {
    fn far_next(&mut self) -> Option<FarLevel> {
        if self.far_left == 0 {
            return None;
        }
        if self.at == self.held {
            let after = (self.held > 0).then(|| self.batch[self.held - 1].key);
            self.held = 0;
            for level in self.side.far.iter().filter(|level| after.is_none_or(|key| level.key > key)) {
                if self.held == BATCH && level.key > self.batch[BATCH - 1].key {
                    continue;
                }
                let to = self.batch[..self.held].partition_point(|held| held.key < level.key);
                self.held = (self.held + 1).min(BATCH);
                self.batch.copy_within(to..self.held - 1, to + 1);
                self.batch[to] = level;
            }
            self.at = 0;
        }
        self.batch[..self.held].get(self.at).copied()
    }
}

impl<const WORDS: usize> Iterator for Levels<'_, WORDS> {
    type Item = (i64, i64);

    fn next(&mut self) -> Option<(i64, i64)> {
        let inside = self.side.window.next(self.slot);
        // Beyond the edge all is worse than the window: no need to look there while the window has levels.
        let outside = if self.side.near > 0 || inside.is_none() { self.far_next() } else { None };
        match (inside, outside) {
            (Some((slot, key, qty)), far) if far.is_none_or(|level| key < level.key) => {
                self.slot = slot + 1;
                Some((key, qty))
            }
            (_, Some(level)) => {
                self.at += 1;
                self.far_left -= 1;
                Some((level.key, level.qty))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const TICK: i64 = 5;

    fn check(side: &BookSide<3>, map: &BTreeMap<i64, i64>) {
        assert_eq!(side.best(), map.iter().next().map(|(&k, &q)| (k, q)));
        assert_eq!(side.len(), map.len());
        assert_eq!(side.is_empty(), map.is_empty());
        assert!(side.iter().eq(map.iter().map(|(&k, &q)| (k, q))));
        assert_eq!(side.near, side.far.up_to(side.edge).0);
        assert!(!side.window.is_empty() || side.far.is_empty() || side.edge == i64::MAX);
    }

    fn set(side: &mut BookSide<3>, map: &mut BTreeMap<i64, i64>, key: i64, qty: i64) {
        side.set(key, qty);
        if qty == 0 {
            map.remove(&key);
        } else {
            map.insert(key, qty);
        }
    }

    /// Where a generated update falls: near a wandering middle on the grid, off the grid, far, or at the extremes.
    fn step() -> impl Strategy<Value = (u8, i64, i64)> {
        (0u8..40, -150i64..150, prop_oneof![Just(0i64), 1i64..1_000])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn a_side_equals_a_map_after_every_update(phase in -9i64..9, steps in prop::collection::vec(step(), 1..600)) {
            let mut side = BookSide::<3>::new(TICK, phase, 8);
            let mut map = BTreeMap::new();
            let mut middle = 0i64;
            for (what, offset, qty) in steps {
                let key = phase + TICK * (middle + offset);
                match what {
                    0 => middle += offset * 20,
                    1..=4 => middle += offset / 8,
                    5..=7 => set(&mut side, &mut map, key + offset, qty),
                    8..=9 => set(&mut side, &mut map, key + TICK * offset * 1_000, qty),
                    10 => set(&mut side, &mut map, if offset < 0 { i64::MIN } else { i64::MAX }, qty),
                    // The touch is eaten away, level by level, as in a crash.
                    11..=14 => for _ in 0..offset / 16 {
                        if let Some((best, _)) = side.best() { set(&mut side, &mut map, best, 0); }
                    },
                    _ => set(&mut side, &mut map, key, qty),
                }
                check(&side, &map);
            }
            while let Some((best, _)) = side.best() {
                set(&mut side, &mut map, best, 0);
                check(&side, &map);
            }
            side.clear();
            set(&mut side, &mut map, 77, 7);
            check(&side, &map);
        }
    }

    #[test]
    fn the_window_follows_the_touch_both_ways() {
        let mut side = BookSide::<3>::new(1, 0, 1 << 10);
        for start in [(1..5_000).collect::<Vec<i64>>(), (1..5_000).rev().collect()] {
            for best in start {
                side.set(best, 1);
                side.set(best + 1, 2);
                side.set(best - 1, 0);
                side.set(best + 2, 0);
                assert_eq!(side.best(), Some((best, 1)));
            }
            assert!(side.far.len() < 64, "the touch is in the window, not in the table");
        }
        assert_eq!(side.grown(), 0);
    }
}
