//! A window whose values weigh the more the newer they are: 1 for the oldest, n for the newest.

use super::many::from_the_end;
use super::window::Ring;

/// The sums Σ (x − b) and Σ w (x − b) over the last n values, b being a base; neither drifts (see [`super::window`]).
#[derive(Debug, Clone)]
pub(super) struct WeightedWindow {
    /// The plain sum and the weighted one, from a place to its turn's end.
    ring: Ring<[f64; 2]>,
    len: f64,
    base: f64,
    /// Of this turn, which weighs up to n.
    sum: f64,
    weighted: f64,
}

/// What is known of a full [`WeightedWindow`].
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightedSums {
    pub base: f64,
    pub sum: f64,
    pub weighted: f64,
}

impl WeightedWindow {
    /// An empty window of `len` values, at least 1.
    pub(super) fn new(len: u32) -> Self {
        let len = len.max(1);
        Self { ring: Ring::new(len, [0.0; 2]), len: len.into(), base: 0.0, sum: 0.0, weighted: 0.0 }
    }

    /// Takes a value; gives the sums once full.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<WeightedSums> {
        let Some((slot, [sum, weighted])) = self.ring.place() else { return self.end_turn(value) };
        slot[0] = value;
        let value = value - self.base;
        // All that was there weighs one less.
        self.weighted += self.len * value - self.sum;
        self.sum += value;
        Some(WeightedSums { base: self.base, sum: sum + self.sum, weighted: weighted + self.weighted })
    }

    #[inline]
    fn end_turn(&mut self, base: f64) -> Option<WeightedSums> {
        let (newest, before) = self.ring.end_turn([base, 0.0])?;
        let (mut sum, mut weighted) = (0.0, 0.0);
        *newest = [sum, weighted];
        from_the_end(before, |slot| {
            sum += slot[0] - base;
            weighted += sum;
            *slot = [sum, weighted];
        });
        (self.base, self.sum, self.weighted) = (base, 0.0, 0.0);
        Some(WeightedSums { base, sum, weighted })
    }

    /// How many values it lacks to be full.
    pub(super) fn missing(&self) -> usize {
        self.ring.missing()
    }

    pub(super) fn clear(&mut self) {
        self.ring.clear();
    }
}
