//! A sliding window, and sums over it that do not drift.
//!
//! Owns: the ring of the last n values and the sum over it. Invariant: however many values have passed, the sum is
//! that of the values now in the window, to the last bits of an f64.
//!
//! A plain running sum keeps every rounding error it ever made: one bad tick of 1e12 among prices of 100 costs four
//! decimals for the rest of the run. Recomputing every so often would bound that, at the price of an occasional slow
//! update and of wrong values in between. Here each addition's rounding error is computed exactly (Knuth's two-sum)
//! and kept in a second number, in a few operations that are off the critical path. What is beyond even that, a value
//! 10^16 times its neighbours, is forgotten with the next turn of the ring: a second sum, made of that turn's
//! additions alone, then takes the place of the first.

/// The last n values.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Zeros until filled, so that the value that leaves may be subtracted without asking whether there was one.
    values: Box<[f64]>,
    next: usize,
    missing: usize,
}

impl Window {
    /// An empty window of `len` values, at least 1.
    pub(super) fn new(len: u32) -> Self {
        let len = len.max(1) as usize;
        Self { values: vec![0.0; len].into_boxed_slice(), next: 0, missing: len }
    }

    /// Takes `value` and gives the one that leaves: 0 while the window fills.
    #[inline]
    pub(super) fn replace_oldest(&mut self, value: f64) -> f64 {
        let oldest = std::mem::replace(&mut self.values[self.next], value);
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
        self.missing = self.missing.saturating_sub(1);
        oldest
    }

    /// Whether the last value ended a turn of the ring: the window is now that turn's values.
    #[inline]
    pub(super) fn turned(&self) -> bool {
        self.next == 0
    }

    /// The values, in the order of the ring: where one left, the next came.
    #[inline]
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many values it lacks to be full.
    #[inline]
    pub(super) fn missing(&self) -> usize {
        self.missing
    }

    pub(super) fn clear(&mut self) {
        self.values.fill(0.0);
        self.next = 0;
        self.missing = self.values.len();
    }
}

/// A sum and the rounding error it has made; their exact sum is the sum wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CompensatedSum {
    sum: f64,
    error: f64,
}

impl CompensatedSum {
    /// Adds `new` and subtracts `old`.
    #[inline]
    pub(super) fn exchange(&mut self, new: f64, old: f64) {
        let (change, change_error) = two_sum(new, -old);
        let (sum, sum_error) = two_sum(self.sum, change);
        self.sum = sum;
        self.error += sum_error + change_error;
    }

    #[inline]
    pub(super) fn add(&mut self, new: f64) {
        let (sum, error) = two_sum(self.sum, new);
        self.sum = sum;
        self.error += error;
    }

    /// The sum, rounded once.
    #[inline]
    pub(super) fn value(self) -> f64 {
        self.sum + self.error
    }
}

/// The sum over a [`Window`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WindowSum {
    running: CompensatedSum,
    /// This turn of the ring alone.
    turn: CompensatedSum,
}

impl WindowSum {
    /// `new` has entered the window and `old` has left it; `turned` as the window then says.
    #[inline]
    pub(super) fn exchange(&mut self, new: f64, old: f64, turned: bool) {
        self.running.exchange(new, old);
        self.turn.add(new);
        self.end_turn(turned);
    }

    /// As [`Self::exchange`], of the exact squares of both.
    #[inline]
    pub(super) fn exchange_squares(&mut self, new: f64, old: f64, turned: bool) {
        let (new, new_error) = square(new);
        let (old, old_error) = square(old);
        self.running.exchange(new, old);
        self.running.error += new_error - old_error;
        self.turn.add(new);
        self.turn.error += new_error;
        self.end_turn(turned);
    }

    #[inline]
    fn end_turn(&mut self, turned: bool) {
        if turned {
            self.running = std::mem::take(&mut self.turn);
        }
    }

    /// The sum, rounded once.
    #[inline]
    pub(super) fn value(self) -> f64 {
        self.running.value()
    }

    /// The sum as a pair: the nearest f64 and the rest.
    #[inline]
    pub(super) fn parts(self) -> (f64, f64) {
        two_sum(self.running.sum, self.running.error)
    }
}

/// `a + b` as its rounded value and the exact rounding error (Knuth, TAOCP 2, 4.2.2, theorem B).
#[inline]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_seen = sum - a;
    let a_seen = sum - b_seen;
    (sum, (a - a_seen) + (b - b_seen))
}

/// `x` as two halves of at most 26 bits, whose products are exact (Dekker 1971); |x| below 1e300.
#[inline]
pub(super) fn halves(x: f64) -> (f64, f64) {
    let shifted = 134_217_729.0 * x; // 2^27 + 1
    let high = shifted - (shifted - x);
    (high, x - high)
}

/// `x * x` as its rounded value and the exact rounding error (Dekker 1971).
///
/// By halves rather than by a fused multiply-add, which the x86-64 baseline lacks and would emulate slowly.
#[inline]
pub(super) fn square(x: f64) -> (f64, f64) {
    let (high, low) = halves(x);
    let product = x * x;
    (product, ((high * high - product) + 2.0 * high * low) + low * low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leaves_first_and_zeros_leave_while_filling() {
        let mut window = Window::new(3);
        let left: Vec<f64> = (1..=7).map(|n| window.replace_oldest(f64::from(n))).collect();
        assert_eq!(left, [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(window.missing(), 0);
        window.clear();
        assert_eq!((window.missing(), window.replace_oldest(9.0)), (3, 0.0));
    }

    #[test]
    fn sums_and_squares_keep_their_error_exactly() {
        assert_eq!(two_sum(1e16, 1.0), (1e16, 1.0));
        // (2^30 + 1)^2 = 2^60 + 2^31 + 1, one bit more than an f64 holds.
        let x = f64::from(1u32 << 30) + 1.0;
        let (product, error) = square(x);
        assert_eq!(product as i128 + error as i128, ((1i128 << 30) + 1).pow(2));
        assert_eq!(error, 1.0);
    }

    #[test]
    fn an_enormous_value_leaves_no_trace() {
        let values: Vec<f64> = (0..99).map(|n| if n == 50 { 1e12 } else { f64::from(n) * 0.1 }).collect();
        let mut window = Window::new(7);
        let (mut sum, mut squares) = (WindowSum::default(), WindowSum::default());
        for n in 0..values.len() {
            let oldest = window.replace_oldest(values[n]);
            sum.exchange(values[n], oldest, window.turned());
            squares.exchange_squares(values[n], oldest, window.turned());
            let last = &values[(n + 1).saturating_sub(7)..=n];
            let near = |got: f64, want: f64| (got - want).abs() <= 1e-14 * want;
            assert!(near(sum.value(), last.iter().sum()), "{n}");
            // A square's bad tick is 10^24: past compensation, and gone with the turn after the one it was in.
            if !(50..63).contains(&n) {
                assert!(near(squares.value(), last.iter().map(|x| x * x).sum()), "{n}");
            }
        }
    }
}
