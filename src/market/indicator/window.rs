//! A sliding window in turns, and what is folded over it without drift.
//!
//! Owns: [`Ring`], the last n values, and [`Mean`]. Invariant: however many values have passed, a fold is one over the
//! values now in the window and over nothing else, so that no bad tick outlives the window it was in.
//!
//! A plain running sum keeps every rounding error it ever made: one bad tick of 1e12 among prices of 100 costs four
//! decimals for the rest of the run. Here nothing is ever taken away from a sum. A window is the end of one turn of the
//! ring and the beginning of the next; when a turn ends, each place is given the fold of what lies between it and the
//! turn's end, and from then on a fold over the window is that of one place and of the turn so far. An update is then a
//! few operations, and once in n updates a pass over the window, as long as a few more for each of its values.
//!
//! Sums are of differences to a base, the value that ended the last turn. It is in every window that it is the base of:
//! what rounding leaves is small by how far the window's values are apart, not by how large they are, and the sum of
//! values that stand still is exact.

use super::many::{BLOCK, zip_closes, zip_closes_from_the_end};
use super::{Bars, seldom};

/// The last n values, or what is kept of them, in turns of n.
#[derive(Debug, Clone)]
pub(super) struct Ring<P> {
    /// This turn's values up to `next`, what was made of the last turn's from there on.
    slots: Box<[P]>,
    /// Where the next value goes; beyond [`FIRST_TURN`] in the first turn, so that one comparison tells the usual update from
    /// any other.
    next: u32,
}

/// Above any place in a ring.
const FIRST_TURN: u32 = 1 << 31;

impl<P: Copy> Ring<P> {
    /// A ring of `len` places, at least 1.
    pub(super) fn new(len: u32, empty: P) -> Self {
        Self { slots: vec![empty; len.max(1) as usize].into_boxed_slice(), next: FIRST_TURN }
    }

    /// The place for the next value, and what the last turn left in the one after. `None`, with nothing done, where there
    /// is no such: see [`Self::end_turn`].
    #[inline]
    pub(super) fn place(&mut self) -> Option<(&mut P, P)> {
        let next = self.next as usize;
        let Some([slot, after]) = self.slots.get_mut(next..next + 2) else {
            seldom();
            return None;
        };
        self.next += 1;
        Some((slot, *after))
    }

    /// Takes as many bars as there is room for answers, but no further than this turn goes without ending: `step` gives the
    /// answer to one, of its close, its [place](Self::place), and what the last turn left in the one after. Says how many.
    #[inline(always)]
    pub(super) fn in_turn<A>(
        &mut self,
        bars: &impl Bars,
        answers: &mut [A],
        mut step: impl FnMut(f64, &mut P, P) -> A,
    ) -> usize {
        let mut places = self.slots.get_mut(self.next as usize..).unwrap_or_default();
        let room = places.len().saturating_sub(1).min(answers.len());
        let (blocks, rest) = answers.get_mut(..room).unwrap_or_default().as_chunks_mut::<BLOCK>();
        let mut at = 0;
        for block in blocks {
            let Some((now, [after, ..])) = places.split_first_chunk_mut::<BLOCK>() else { break };
            let bars = bars.several::<BLOCK>(at);
            for n in 0..BLOCK {
                let after = now.get(n + 1).copied().unwrap_or(*after);
                block[n] = step(bars[n].close, &mut now[n], after);
            }
            at += BLOCK;
            places = places.get_mut(BLOCK..).unwrap_or_default();
        }
        for answer in rest {
            let Some((place, [after, ..])) = places.split_first_mut() else { break };
            *answer = step(bars.bar(at).close, place, *after);
            at += 1;
            places = places.get_mut(1..).unwrap_or_default();
        }
        self.next += at as u32;
        at
    }

    /// All its places, where a turn is about to begin; none in the midst of one.
    #[inline]
    fn turn(&mut self) -> &mut [P] {
        if self.next == 0 { &mut self.slots } else { &mut [] }
    }

    /// Puts `part` in its place where [`Self::place`] had none. If it ended a turn, gives that turn, its last place apart, for
    /// the caller to fold from its end.
    #[inline]
    pub(super) fn end_turn(&mut self, part: P) -> Option<(&mut P, &mut [P])> {
        if let Some(last) = self.slots.get_mut(self.next as usize) {
            *last = part;
        } else {
            seldom();
            let at = (self.next - FIRST_TURN) as usize;
            *self.slots.get_mut(at)? = part;
            self.next += 1;
            if at + 1 < self.slots.len() {
                return None;
            }
        }
        self.next = 0;
        self.slots.split_last_mut()
    }

    /// How many values it lacks to be full.
    #[inline]
    pub(super) fn missing(&self) -> usize {
        if self.next < FIRST_TURN { 0 } else { self.slots.len() - (self.next - FIRST_TURN) as usize }
    }

    pub(super) fn clear(&mut self) {
        self.next = FIRST_TURN;
    }
}

/// The mean over the last n values.
#[derive(Debug, Clone)]
pub(super) struct Mean {
    ring: Ring<f64>,
    /// 1 / n.
    share: f64,
    base: f64,
    /// The sum of this turn.
    turn: f64,
}

impl Mean {
    /// Of `len` values, at least 1.
    pub(super) fn new(len: u32) -> Self {
        Self { ring: Ring::new(len, 0.0), share: 1.0 / f64::from(len.max(1)), base: 0.0, turn: 0.0 }
    }

    /// Takes a value; gives the mean once full.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        let Some((slot, before)) = self.ring.place() else { return self.end_turn(value) };
        *slot = value;
        self.turn += value - self.base;
        Some(self.base + (before + self.turn) * self.share)
    }

    /// Takes the closes of as many bars as there is room for means, and puts the mean after each in its place; none where it
    /// is not full. They are the means that [`Self::push`] would give. Says how many.
    #[inline]
    pub(super) fn push_many(&mut self, bars: &impl Bars, means: &mut [f64]) -> usize {
        if self.missing() > 0 {
            return 0;
        }
        let mut taken = 0;
        while taken < means.len() {
            taken += self.whole_turns(&bars.since(taken), &mut means[taken..]);
            let (base, share, mut turn) = (self.base, self.share, self.turn);
            let left = &mut means[taken..];
            let in_turn = self.ring.in_turn(&bars.since(taken), left, |value, slot, before| {
                *slot = value;
                turn += value - base;
                base + (before + turn) * share
            });
            self.turn = turn;
            taken += in_turn;
            // One that ends a turn.
            let Some(mean) = left.get_mut(in_turn) else { break };
            *mean = self.push(bars.bar(taken).close).unwrap_or_default();
            taken += 1;
        }
        taken
    }

    /// Takes turns from their beginning to their end: their values need no place in the ring.
    #[inline]
    fn whole_turns(&mut self, bars: &impl Bars, means: &mut [f64]) -> usize {
        let (slots, mut base, share) = (self.ring.turn(), self.base, self.share);
        let mut taken = 0;
        for means in means.chunks_exact_mut(slots.len().max(1)) {
            let (Some((_, before)), Some((newest_mean, means))) =
                (slots.split_first(), means.split_last_mut())
            else {
                break;
            };
            let bars = bars.since(taken);
            let mut turn = 0.0;
            zip_closes(&bars, means, before, |mean, value, before| {
                turn += value - base;
                *mean = base + (before + turn) * share;
            });
            base = bars.bar(means.len()).close;
            let Some((newest, before)) = slots.split_last_mut() else { break };
            let mut sum = 0.0;
            *newest = sum;
            zip_closes_from_the_end(&bars, before, |slot, value| {
                sum += value - base;
                *slot = sum;
            });
            *newest_mean = base + sum * share;
            taken += slots.len();
        }
        self.base = base;
        taken
    }

    #[inline]
    fn end_turn(&mut self, value: f64) -> Option<f64> {
        let (newest, before) = self.ring.end_turn(value)?;
        let mut sum = 0.0;
        *newest = sum;
        for slot in before.iter_mut().rev() {
            sum += *slot - value;
            *slot = sum;
        }
        (self.base, self.turn) = (value, 0.0);
        Some(value + sum * self.share)
    }

    /// How many values it lacks to be full.
    pub(super) fn missing(&self) -> usize {
        self.ring.missing()
    }

    pub(super) fn clear(&mut self) {
        self.ring.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn a_place_has_what_the_last_turn_left_there() {
        let mut ring = Ring::new(3, 0);
        let put = |ring: &mut Ring<i32>, part| {
            ring.place().map(|(slot, after)| {
                *slot = part;
                after
            })
        };
        for _ in 0..2 {
            assert_eq!((ring.missing(), put(&mut ring, 1), ring.end_turn(1)), (3, None, None));
            assert_eq!((ring.missing(), put(&mut ring, 2), ring.end_turn(2)), (2, None, None));
            assert_eq!((ring.missing(), put(&mut ring, 3)), (1, None));
            assert_eq!(ring.end_turn(3), Some((&mut 3, &mut [1, 2][..])));
            assert_eq!(ring.missing(), 0);
            assert_eq!([4, 5, 6].map(|part| put(&mut ring, part)), [Some(2), Some(3), None]);
            assert_eq!(ring.end_turn(6), Some((&mut 6, &mut [4, 5][..])));
            assert_eq!(put(&mut ring, 7), Some(5));
            ring.clear();
        }
        let mut one = Ring::new(1, 0);
        assert_eq!((put(&mut one, 1), one.end_turn(1)), (None, Some((&mut 1, &mut [][..]))));
        assert_eq!((put(&mut one, 2), one.end_turn(2)), (None, Some((&mut 2, &mut [][..]))));
    }

    #[test]
    fn an_enormous_value_leaves_no_trace() {
        for at in 40..60 {
            let values: Vec<f64> =
                (0..99).map(|n| if n == at { 1e100 } else { f64::from(n) * 0.1 }).collect();
            let mut mean = Mean::new(7);
            for n in 0..values.len() {
                let got = mean.push(values[n]);
                let last = (n + 1).checked_sub(7).map(|from| &values[from..=n]);
                assert_close(got, last.map(|last| last.iter().sum::<f64>() / 7.0), 1e-14);
            }
        }
    }

    #[test]
    fn what_stands_still_is_its_mean() {
        let mut mean = Mean::new(7);
        for n in 0..99 {
            let value = if n % 20 < 12 { 201.37 } else { f64::from(n) * 0.1 };
            let got = mean.push(value);
            assert!(!(7..12).contains(&(n % 20)) || got == Some(201.37), "{n}: {got:?}");
        }
    }
}
