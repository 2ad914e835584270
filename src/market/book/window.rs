//! The dense part of one side: an array of quantities, one for each tick near the touch.
//!
//! Owns: which ticks of the window are occupied and by how much. Knows nothing of sides: keys rise from best to
//! worst. Invariant: a bit is set exactly where the quantity is not zero, and `first` is the first word that is not
//! zero, so the best slot is one trailing-zero count away. (A summary of the words, a bit each, costs every update
//! more than finding the next word costs the few that empty the first.)

/// Ticks in a word of the occupancy bitmap.
pub const WORD_TICKS: usize = 64;

/// A largest tick that keeps all window arithmetic inside 64 bits: 2^46 units, 700,000 at eight decimals.
pub const TICK_MAX: i64 = 1 << 46;

/// The furthest from zero a window may begin; with [`TICK_MAX`] it rules out any overflow.
const BASE_MAX: i64 = 1 << 61;

/// One tick's place in a [`Window`] of `WORDS` words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    word: usize,
    bit: usize,
}

/// `WORDS` x 64 consecutive ticks beginning at `base`; `WORDS` is 2 to 128.
#[derive(Debug)]
pub struct Window<const WORDS: usize> {
    base: i64,
    tick: i64,
    /// ceil(2^63 / tick): a multiplication in place of a division. Exact for multiples of the tick up to the span,
    /// since its error is under one tick and the quotient under 2^13.
    reciprocal: u64,
    first: usize,
    occupied: Box<[u64; WORDS]>,
    qty: Box<[[i64; WORD_TICKS]; WORDS]>,
}

impl<const WORDS: usize> Window<WORDS> {
    const CHECKED: () = assert!(WORDS >= 2 && WORDS <= 128, "the reciprocal is exact up to 2^13 ticks");
    /// Words kept before the best when the window is placed: room for the touch to improve.
    const LEAD: usize = WORDS.div_ceil(3);
    /// The touch has drifted too deep once none of the first so many words is occupied.
    const DRIFT_WORDS: usize = WORDS - WORDS.div_ceil(8);

    /// An empty window at zero. `tick` is in price units, 1 to [`TICK_MAX`].
    #[must_use]
    pub fn new(tick: i64) -> Self {
        let () = Self::CHECKED;
        let tick = tick.clamp(1, TICK_MAX);
        let reciprocal = (1u64 << 63).div_ceil(tick.unsigned_abs());
        Self {
            base: 0,
            tick,
            reciprocal,
            first: WORDS,
            occupied: Box::new([0; WORDS]),
            qty: boxed_zeros::<WORDS>(),
        }
    }

    const fn span(&self) -> u64 {
        (WORDS * WORD_TICKS) as u64 * self.tick.unsigned_abs()
    }

    /// Where `key` is, if it lies in the window and on the tick grid.
    #[inline(always)]
    #[must_use]
    pub fn place(&self, key: i64) -> Option<Place> {
        let delta = key.wrapping_sub(self.base) as u64;
        let slot = ((u128::from(delta) * u128::from(self.reciprocal)) >> 63) as u64;
        // The reciprocal is rounded up, so that no key beyond the span has a slot within. Asked of the slot, the compiler
        // knows that its word is one of ours.
        if slot >= (WORDS * WORD_TICKS) as u64 {
            return None;
        }
        let at = Place { word: slot as usize / WORD_TICKS, bit: slot as usize % WORD_TICKS };
        (slot.wrapping_mul(self.tick as u64) == delta).then_some(at)
    }

    /// Sets the quantity at `at`; zero empties it.
    #[inline(always)]
    pub fn set(&mut self, at: Place, qty: i64) {
        self.qty[at.word][at.bit] = qty;
        let word = &mut self.occupied[at.word];
        // No branch: whether a level is set or removed is a coin toss to the predictor.
        *word = *word & !(1 << at.bit) | u64::from(qty != 0) << at.bit;
        let now = *word;
        if now != 0 {
            self.first = self.first.min(at.word);
        } else if at.word == self.first {
            self.advance();
        }
    }

    /// The quantity at `at`.
    #[inline]
    #[must_use]
    pub const fn get(&self, at: Place) -> i64 {
        if self.occupied[at.word] >> at.bit & 1 == 0 { 0 } else { self.qty[at.word][at.bit] }
    }

    /// The first word became empty.
    fn advance(&mut self) {
        let rest = self.occupied[self.first..].iter();
        self.first += rest.take_while(|word| **word == 0).count();
    }

    /// Whether no tick is occupied.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.first == WORDS
    }

    /// Whether the best has gone deep into the window, or there is none.
    #[inline(always)]
    #[must_use]
    pub const fn has_drifted(&self) -> bool {
        self.first >= Self::DRIFT_WORDS
    }

    /// Key and quantity of the best occupied tick.
    #[inline]
    #[must_use]
    pub fn best(&self) -> Option<(i64, i64)> {
        let word = self.first;
        let bit = self.occupied.get(word)?.trailing_zeros() as usize;
        Some((self.key(word, bit), self.qty[word][bit]))
    }

    /// The first occupied tick at slot `from` or after it: its slot, key and quantity.
    #[must_use]
    pub fn next(&self, from: usize) -> Option<(usize, i64, i64)> {
        let (mut word, bit) = (from / WORD_TICKS, from % WORD_TICKS);
        let mut bits = *self.occupied.get(word)? & (u64::MAX << bit);
        while bits == 0 {
            word += 1;
            bits = *self.occupied.get(word)?;
        }
        let bit = bits.trailing_zeros() as usize;
        Some((word * WORD_TICKS + bit, self.key(word, bit), self.qty[word][bit]))
    }

    /// Occupied ticks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.occupied.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The tick size in price units.
    #[must_use]
    pub const fn tick(&self) -> i64 {
        self.tick
    }

    /// The smallest key that lies in the window.
    #[must_use]
    pub const fn base(&self) -> i64 {
        self.base
    }

    /// The largest key that lies in the window, on the grid or off it.
    #[must_use]
    pub const fn edge(&self) -> i64 {
        self.base + (self.span() - 1) as i64
    }

    /// Empties every tick, where it is.
    pub fn clear(&mut self) {
        self.first = WORDS;
        self.occupied.fill(0);
        self.qty.as_flattened_mut().fill(0);
    }

    /// Moves the window so that `key` lies some way behind its start, giving levels that no longer fit to `evict`.
    ///
    /// `phase` is any key on the tick grid. Returns false, with nothing changed, for a key too large to be placed
    /// or one that the window already holds well.
    pub fn move_to(&mut self, key: i64, phase: i64, mut evict: impl FnMut(i64, i64)) -> bool {
        let lead = (Self::LEAD * WORD_TICKS) as i64 * self.tick;
        if key.unsigned_abs() > (BASE_MAX as u64) - lead.unsigned_abs() {
            return false;
        }
        let off_grid = (i128::from(key) - i128::from(phase)).rem_euclid(i128::from(self.tick)) as i64;
        let wanted = key - off_grid - lead;
        if self.is_empty() {
            self.base = wanted;
            return true;
        }
        // Whole words move, so that the bitmap moves by copying.
        let words = (wanted - self.base) / self.tick / WORD_TICKS as i64;
        if words.unsigned_abs() < (Self::LEAD as u64).div_ceil(2) {
            return false;
        }
        let gone = usize::try_from(words.unsigned_abs()).unwrap_or(WORDS).min(WORDS);
        let kept = WORDS - gone;
        let (leaving, from, to) = if words > 0 { (0..gone, gone, 0) } else { (kept..WORDS, 0, gone) };
        let mut at = leaving.start * WORD_TICKS;
        while let Some((slot, key, qty)) = self.next(at).filter(|found| found.0 < leaving.end * WORD_TICKS) {
            evict(key, qty);
            at = slot + 1;
        }
        self.qty.copy_within(from..from + kept, to);
        self.occupied.copy_within(from..from + kept, to);
        let vacated = if words > 0 { kept..WORDS } else { 0..gone };
        self.qty[vacated.clone()].as_flattened_mut().fill(0);
        self.occupied[vacated].fill(0);
        self.first = 0;
        self.advance();
        self.base += words * WORD_TICKS as i64 * self.tick;
        true
    }

    /// Bytes on the heap.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        WORDS * (WORD_TICKS + 1) * 8
    }

    #[inline(always)]
    fn key(&self, word: usize, bit: usize) -> i64 {
        self.base + (word * WORD_TICKS + bit) as i64 * self.tick
    }
}

/// Zeros straight on the heap: an array of this size does not belong on the stack.
fn boxed_zeros<const WORDS: usize>() -> Box<[[i64; WORD_TICKS]; WORDS]> {
    let rows = vec![[0i64; WORD_TICKS]; WORDS].into_boxed_slice();
    rows.try_into().unwrap_or_else(|_| unreachable!("the vector was made with WORDS rows"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_on_the_grid_have_a_place() {
        for tick in [1, 3, 10, 1_000_000, TICK_MAX] {
            let mut window = Window::<4>::new(tick);
            assert!(window.move_to(1_000 * tick, 0, |_, _| ()));
            let found: Vec<_> = (800..1_300).filter(|k| window.place(k * tick).is_some()).collect();
            let first = 1_000 - (Window::<4>::LEAD * WORD_TICKS) as i64;
            assert_eq!(found, (first..first + 256).collect::<Vec<_>>(), "tick {tick}");
            if tick > 1 {
                assert!((800..1_300).all(|k| window.place(k * tick + 1).is_none()));
                assert!((800..1_300).all(|k| window.place(k * tick - 1).is_none()));
            }
        }
    }

    #[test]
    fn extreme_keys_are_outside_and_cannot_be_moved_to() {
        let mut window = Window::<2>::new(TICK_MAX);
        for key in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            assert!(window.place(key).is_none());
            assert!(!window.move_to(key, 0, |_, _| ()));
        }
        assert!(window.move_to(-(1 << 60), 0, |_, _| ()));
        assert!([i64::MIN, i64::MAX].iter().all(|&key| window.place(key).is_none()));
    }

    #[test]
    fn moving_keeps_what_fits_and_gives_up_the_rest() {
        for target in [100 + 150, 100 - 150, 100 + 10_000] {
            let mut window = Window::<4>::new(1);
            window.move_to(100, 0, |_, _| ());
            let first = window.base();
            for key in first..first + 256 {
                let at = window.place(key).expect("inside the window");
                window.set(at, 7);
            }
            let mut evicted = Vec::new();
            assert!(window.move_to(target, 0, |key, qty| evicted.push((key, qty))));
            let mut kept = Vec::new();
            let mut from = 0;
            while let Some((slot, key, qty)) = window.next(from) {
                kept.push((key, qty));
                from = slot + 1;
            }
            assert_eq!(window.len(), kept.len());
            assert_eq!(window.best(), kept.first().copied());
            let mut all: Vec<_> = kept.into_iter().chain(evicted).collect();
            all.sort_unstable();
            assert_eq!(all, (first..first + 256).map(|k| (k, 7)).collect::<Vec<_>>());
            assert!(target > 300 || window.place(target).is_some());
        }
    }
}
