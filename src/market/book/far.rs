//! Levels far from the touch: an open-addressed table from price to quantity.
//!
//! Far levels are set and removed often and read almost never, so they need no order. Deletion shifts entries back
//! rather than leaving tombstones: the table never degrades and never has to be rebuilt.

/// No price is this low.
const EMPTY: i64 = i64::MIN;
/// Entries of a new table: a book then stays under 256 KiB. It grows when seven eighths are taken.
const CAPACITY: usize = 6_016;

/// See the module.
#[derive(Debug, Clone)]
pub struct Far {
    entries: Box<[(i64, i64)]>,
    len: usize,
    grown: u64,
}

impl Far {
    pub fn new() -> Self {
        Self { entries: vec![(EMPTY, 0); CAPACITY].into_boxed_slice(), len: 0, grown: 0 }
    }

    #[inline]
    fn home(&self, price: i64) -> usize {
        let mixed = (price as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // The high half scaled to the table: no division, and any length will do.
        (((mixed >> 32) * self.entries.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() { 0 } else { at + 1 }
    }

    /// Steps from `from` forward to `to`, around the end.
    #[inline]
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.entries.len() - from }
    }

    #[inline]
    pub fn set(&mut self, price: i64, qty: i64) {
        let mut at = self.home(price);
        loop {
            let entry = &mut self.entries[at];
            if entry.0 == price {
                if qty == 0 {
                    self.remove_at(at);
                } else {
                    entry.1 = qty;
                }
                return;
            }
            if entry.0 == EMPTY {
                if qty != 0 {
                    *entry = (price, qty);
                    self.len += 1;
                    if self.len * 8 > self.entries.len() * 7 {
                        self.grow();
                    }
                }
                return;
            }
            at = self.after(at);
        }
    }

    fn remove_at(&mut self, mut hole: usize) {
        let mut at = hole;
        loop {
            at = self.after(at);
            let entry = self.entries[at];
            if entry.0 == EMPTY {
                break;
            }
            // An entry may fill the hole unless its home lies cyclically after the hole.
            if self.distance(self.home(entry.0), at) >= self.distance(hole, at) {
                self.entries[hole] = entry;
                hole = at;
            }
        }
        self.entries[hole] = (EMPTY, 0);
        self.len -= 1;
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![(EMPTY, 0); self.entries.len() * 2].into_boxed_slice();
        let old = std::mem::replace(&mut self.entries, larger);
        self.len = 0;
        self.grown += 1;
        for &(price, qty) in old.iter().filter(|e| e.0 != EMPTY) {
            self.set(price, qty);
        }
    }

    pub fn clear(&mut self) {
        if self.len > 0 {
            self.entries.fill((EMPTY, 0));
            self.len = 0;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.entries.iter().copied().filter(|e| e.0 != EMPTY)
    }

    /// Removes the first level from `at` on that `pick` accepts: where it was, and what. Going on from the same place
    /// visits every level once, since removing only moves levels that were not yet visited, or were and stay refused.
    pub fn take_next(&mut self, at: usize, pick: impl Fn(i64) -> bool) -> Option<(usize, i64, i64)> {
        let found = self.entries[at..].iter().position(|e| e.0 != EMPTY && pick(e.0))?;
        let at = at + found;
        let (price, qty) = self.entries[at];
        self.remove_at(at);
        Some((at, price, qty))
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn grown(&self) -> u64 {
        self.grown
    }

    pub fn memory_bytes(&self) -> usize {
        size_of_val(&*self.entries)
    }
}
