//! The far part of one side: levels outside the dense window, in a hash table of cache lines.
//!
//! Owns: levels by key, in no order. A bucket is one cache line of four levels, searched and written without
//! branches; levels never move, so deleting leaves no tombstones however long it runs.
//! Invariant: a slot is free exactly where its quantity is zero, and its key is then `FREE_KEY`, so that a search
//! by range need not look at quantities. A level lies in its home bucket or in a later one, and every bucket it was
//! passed on from counts it in `passed_on`.

/// Levels in a bucket.
const SLOTS: usize = 4;
const FULL: u32 = (1 << SLOTS) - 1;
/// The worst key there can be; a level may have it too, so the quantity decides.
const FREE_KEY: i64 = i64::MAX;

/// A level by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FarLevel {
    /// The key; keys rise from best to worst.
    pub key: i64,
    /// The quantity, never zero.
    pub qty: i64,
}

/// What [`FarLevels::set`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A level that was not there.
    Inserted,
    /// A level went.
    Removed,
    /// The number of levels is as it was.
    None,
}

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Bucket {
    keys: [i64; SLOTS],
    qtys: [i64; SLOTS],
}

impl Bucket {
    const FREE: Bucket = Bucket { keys: [FREE_KEY; SLOTS], qtys: [0; SLOTS] };

    /// A bit for the slot that holds `key`, if one does, and a bit for every slot in use.
    #[inline(always)]
    fn look(&self, key: i64) -> (u32, u32) {
        let (mut found, mut used) = (0, 0);
        for slot in 0..SLOTS {
            used |= u32::from(self.qtys[slot] != 0) << slot;
            found |= u32::from(self.keys[slot] == key) << slot;
        }
        (found & used, used)
    }

    #[inline(always)]
    fn put(&mut self, slots: u32, key: i64, qty: i64) {
        let slot = slots.trailing_zeros() as usize % SLOTS;
        self.keys[slot] = if qty == 0 { FREE_KEY } else { key };
        self.qtys[slot] = qty;
    }
}

/// Levels by key. Allocates only to grow, and counts that.
#[derive(Debug)]
pub struct FarLevels {
    buckets: Vec<Bucket>,
    /// For each bucket, the levels that came to it and were passed on to the next since it was full.
    passed_on: Vec<u32>,
    shift: u32,
    len: usize,
    grown: u64,
}

impl FarLevels {
    /// Room for seven eighths of `levels` (rounded up to a power of two, at least 8) before it grows.
    #[must_use]
    pub fn new(levels: usize) -> Self {
        let buckets = (levels / SLOTS).next_power_of_two().max(2);
        Self {
            buckets: vec![Bucket::FREE; buckets],
            passed_on: vec![0; buckets],
            shift: 64 - buckets.trailing_zeros(),
            len: 0,
            grown: 0,
        }
    }

    #[inline(always)]
    fn home(&self, key: i64) -> usize {
        ((key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    #[inline(always)]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.buckets.len() - 1)
    }

    /// Sets the quantity at `key`; zero removes.
    #[inline]
    pub fn set(&mut self, key: i64, qty: i64) -> Change {
        let home = self.home(key);
        let bucket = &mut self.buckets[home];
        let (found, used) = bucket.look(key);
        if found == 0 && (used == FULL || self.passed_on[home] > 0) {
            return self.set_passed_on(home, key, qty);
        }
        // Setting, removing, and removing what is not there are one: a zero written to a free slot leaves it free.
        bucket.put(if found != 0 { found } else { !used }, key, qty);
        self.count(found != 0, qty != 0)
    }

    #[inline(always)]
    fn count(&mut self, had: bool, has: bool) -> Change {
        self.len = self.len + usize::from(has) - usize::from(had);
        if self.len * 8 > self.buckets.len() * SLOTS * 7 {
            self.grow();
        }
        match (had, has) {
            (false, true) => Change::Inserted,
            (true, false) => Change::Removed,
            _ => Change::None,
        }
    }

    /// The bucket that holds `key`, if one does.
    fn bucket_of(&self, key: i64) -> Option<usize> {
        let mut at = self.home(key);
        // At most once round: in a small table every bucket may have passed something on.
        for _ in 0..self.buckets.len() {
            if self.buckets[at].look(key).0 != 0 {
                return Some(at);
            }
            if self.passed_on[at] == 0 {
                break;
            }
            at = self.after(at);
        }
        None
    }

    /// A level that is not in its home bucket, or finds no room there.
    #[cold]
    fn set_passed_on(&mut self, home: usize, key: i64, qty: i64) -> Change {
        let holder = self.bucket_of(key);
        let mut at = home;
        if let Some(holder) = holder {
            let (found, _) = self.buckets[holder].look(key);
            self.buckets[holder].put(found, key, qty);
            while qty == 0 && at != holder {
                self.passed_on[at] -= 1;
                at = self.after(at);
            }
        } else if qty != 0 {
            // There always is room: the table grows before it is full.
            while self.buckets[at].look(key).1 == FULL {
                self.passed_on[at] += 1;
                at = self.after(at);
            }
            let (_, used) = self.buckets[at].look(key);
            self.buckets[at].put(!used, key, qty);
        }
        self.count(holder.is_some(), qty != 0)
    }

    #[cold]
    fn grow(&mut self) {
        let mut larger = Self::new(self.buckets.len() * SLOTS * 2);
        for level in self.iter() {
            larger.set(level.key, level.qty);
        }
        larger.grown = self.grown + 1;
        *self = larger;
    }

    /// Takes out every level with a key from `first` to `last` for which `take` says so.
    pub fn take_range(&mut self, first: i64, last: i64, mut take: impl FnMut(FarLevel) -> bool) {
        for at in 0..self.buckets.len() {
            for slot in 0..SLOTS {
                let Bucket { keys, qtys } = &self.buckets[at];
                let level = FarLevel { key: keys[slot], qty: qtys[slot] };
                // Few keys are in range, so the order of these tests spares nearly all mispredictions.
                if level.key >= first && level.key <= last && level.qty != 0 && take(level) {
                    self.set(level.key, 0);
                }
            }
        }
    }

    /// How many levels have a key up to `last`, and the best of those keys (`i64::MAX` if there is none).
    #[must_use]
    pub fn up_to(&self, last: i64) -> (usize, i64) {
        let mut found = (0, i64::MAX);
        for Bucket { keys, qtys } in &self.buckets {
            for (&key, &qty) in keys.iter().zip(qtys) {
                if key <= last && qty != 0 {
                    found = (found.0 + 1, found.1.min(key));
                }
            }
        }
        found
    }

    /// Every level, in no order.
    pub fn iter(&self) -> impl Iterator<Item = FarLevel> + '_ {
        let levels = self.buckets.iter().flat_map(|bucket| bucket.keys.iter().zip(&bucket.qtys));
        levels.filter(|(_, qty)| **qty != 0).map(|(&key, &qty)| FarLevel { key, qty })
    }

    /// The best key there is.
    #[must_use]
    pub fn min_key(&self) -> Option<i64> {
        let best = self
            .buckets
            .iter()
            .fold(FREE_KEY, |best, bucket| bucket.keys.iter().fold(best, |b, &k| b.min(k)));
        (self.len > 0).then_some(best)
    }

    /// The quantity at `key`; zero where there is no level.
    #[must_use]
    pub fn get(&self, key: i64) -> i64 {
        let bucket = self.bucket_of(key).map(|at| &self.buckets[at]);
        bucket.map_or(0, |bucket| bucket.qtys[bucket.look(key).0.trailing_zeros() as usize % SLOTS])
    }

    /// How many levels.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How often it had to allocate more room.
    #[must_use]
    pub const fn grown(&self) -> u64 {
        self.grown
    }

    /// Removes every level; keeps the room.
    pub fn clear(&mut self) {
        if self.len > 0 {
            self.buckets.fill(Bucket::FREE);
            self.passed_on.fill(0);
            self.len = 0;
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>() + self.passed_on.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn sorted(far: &FarLevels) -> Vec<(i64, i64)> {
        let mut all: Vec<_> = far.iter().map(|l| (l.key, l.qty)).collect();
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn it_equals_a_map(steps in prop::collection::vec((0i64..40, 0i64..3, 0u8..50), 1..400)) {
            let mut far = FarLevels::new(8);
            let mut map = BTreeMap::new();
            for (key, qty, take) in steps {
                let had = map.contains_key(&key);
                let expected = match (had, qty != 0) {
                    (false, true) => Change::Inserted,
                    (true, false) => Change::Removed,
                    _ => Change::None,
                };
                if qty == 0 { map.remove(&key); } else { map.insert(key, qty); }
                prop_assert_eq!(far.set(key, qty), expected);
                if take == 0 {
                    far.take_range(key - 9, key + 9, |l| l.key % 3 != 0);
                    map.retain(|k, _| (k - key).abs() > 9 || k % 3 == 0);
                }
                prop_assert_eq!(far.get(key), map.get(&key).copied().unwrap_or(0));
                prop_assert_eq!(far.len(), map.len());
                let up_to = map.range(..=key);
                prop_assert_eq!(far.up_to(key), (up_to.clone().count(), up_to.map(|(&k, _)| k).next().unwrap_or(i64::MAX)));
                prop_assert_eq!(far.min_key(), map.keys().next().copied());
                prop_assert_eq!(sorted(&far), map.iter().map(|(&k, &q)| (k, q)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn growth_is_counted_and_loses_nothing() {
        let mut far = FarLevels::new(8);
        (0..1_000).for_each(|key| {
            far.set(key, key + 1);
        });
        assert_eq!((far.len(), far.grown()), (1_000, 8));
        assert!((0..1_000).all(|key| far.get(key) == key + 1));
        far.clear();
        assert!(far.is_empty() && far.get(5) == 0);
    }
}
