//! A window whose values weigh the more the newer they are: 1 for the oldest, n for the newest.

use super::window::{CompensatedSum, Window, WindowSum};

/// The sum Σ w x over the last n values, and the plain one; neither drifts (see [`super::window`]).
#[derive(Debug, Clone)]
pub(super) struct WeightedWindow {
    window: Window,
    len: f64,
    sum: WindowSum,
    weighted: CompensatedSum,
    /// This turn of the ring alone: at its end the window is its values, in their order.
    turn: CompensatedSum,
    place: f64,
}

impl WeightedWindow {
    /// An empty window of `len` values, at least 1.
    pub(super) fn new(len: u32) -> Self {
        let none = CompensatedSum::default();
        Self {
            window: Window::new(len),
            len: len.max(1).into(),
            sum: WindowSum::default(),
            weighted: none,
            turn: none,
            place: 0.0,
        }
    }

    /// Takes a value; gives the plain and the weighted sum once full.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<(f64, f64)> {
        // All that is there weighs one less.
        self.weighted.exchange(self.len * value, self.sum.value());
        self.place += 1.0;
        self.turn.add(self.place * value);
        let oldest = self.window.replace_oldest(value);
        let turned = self.window.turned();
        self.sum.exchange(value, oldest, turned);
        if turned {
            self.weighted = std::mem::take(&mut self.turn);
            self.place = 0.0;
        }
        (self.window.missing() == 0).then(|| (self.sum.value(), self.weighted.value()))
    }

    /// How many values it lacks to be full.
    pub(super) fn missing(&self) -> usize {
        self.window.missing()
    }

    pub(super) fn clear(&mut self) {
        self.window.clear();
        self.sum = WindowSum::default();
        self.weighted = CompensatedSum::default();
        self.turn = CompensatedSum::default();
        self.place = 0.0;
    }
}
