//! The highest high and the lowest low of the last n bars.
//!
//! Of a window in two parts, the end of one turn of the ring and the beginning of the next; see [`super::window`].

use super::many::from_the_end;
use super::window::Ring;

/// The highest high and the lowest low of the last n bars.
///
/// Lows are kept with the other sign, so that the lowest is the largest and both are looked for at once.
#[derive(Debug, Clone)]
pub(super) struct Extremes {
    /// Those from a place to its turn's end.
    ring: Ring<[f64; 2]>,
    /// Those of this turn.
    turn: [f64; 2],
}

/// Of no bars.
const NONE: [f64; 2] = [f64::NEG_INFINITY; 2];

/// The larger of each.
#[inline]
fn join(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    // None is a NaN; asked like this, one instruction does it.
    [if a[0] > b[0] { a[0] } else { b[0] }, if a[1] > b[1] { a[1] } else { b[1] }]
}

impl Extremes {
    /// Of `len` bars, at least 1.
    pub(super) fn new(len: u32) -> Self {
        Self { ring: Ring::new(len, NONE), turn: NONE }
    }

    /// Takes a bar's high and low, which are no NaN; gives the highest and the lowest once full, the lowest with the other
    /// sign.
    #[inline]
    pub(super) fn push(&mut self, high: f64, low: f64) -> Option<[f64; 2]> {
        let bar = [high, -low];
        let Some((slot, before)) = self.ring.place() else { return self.end_turn(bar) };
        *slot = bar;
        self.turn = join(self.turn, bar);
        Some(join(before, self.turn))
    }

    #[inline]
    fn end_turn(&mut self, bar: [f64; 2]) -> Option<[f64; 2]> {
        let (newest, before) = self.ring.end_turn(bar)?;
        let mut all = *newest;
        from_the_end(before, |slot| {
            all = join(all, *slot);
            *slot = all;
        });
        self.turn = NONE;
        Some(all)
    }

    /// How many bars it lacks to be full.
    pub(super) fn missing(&self) -> usize {
        self.ring.missing()
    }

    pub(super) fn clear(&mut self) {
        self.ring.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::walk;
    use super::*;

    #[test]
    fn they_are_those_of_the_window() {
        let values = walk(500);
        for len in [1, 2, 7, 50] {
            let mut extremes = Extremes::new(len);
            let len = len as usize;
            for n in 0..values.len() {
                let got = extremes.push(values[n], values[n] - 1.0);
                let window = &values[(n + 1).saturating_sub(len)..=n];
                let high = window.iter().copied().fold(f64::MIN, f64::max);
                let low = window.iter().copied().fold(f64::MAX, f64::min) - 1.0;
                assert_eq!(got, (n + 1 >= len).then_some([high, -low]));
            }
        }
    }
}
