//! Standard deviation of the last n values.
//!
//! TA-Lib's STDDEV: the population's (divided by n, not n − 1). What is said of rounding in [`super::bollinger`], which
//! is made of it, holds here.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::window::{Window, WindowSum, halves, square};
use super::{AnyIndicator, Indicator, Values, usable};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "stddev",
    doc: "population standard deviation of the last `period` values",
    params: &[Param::whole("period", "values in the window", 20, 2, PERIOD_MAX)],
    outputs: &["stddev"],
    build: |params| Ok(AnyIndicator::Stddev(Stddev::new(period(params[0]))?)),
};

/// Standard deviation.
#[derive(Debug, Clone)]
pub struct Stddev {
    period: f64,
    window: Window,
    sum: WindowSum,
    squares: WindowSum,
}

impl Stddev {
    /// Of the last `period` values.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self {
            period: period.into(),
            window: Window::new(period),
            sum: WindowSum::default(),
            squares: WindowSum::default(),
        })
    }

    /// n Σx² - (Σx)², which is n² times the variance, each product taken with its rounding error.
    #[inline]
    fn scaled_variance(&self) -> f64 {
        let (sum, sum_rest) = self.sum.parts();
        let (sum_squared, sum_squared_rest) = square(sum);
        let (squares, squares_rest) = self.squares.parts();
        // n has at most 17 bits, so its product with either half is exact.
        let (high, low) = halves(squares);
        let n_squares = self.period * squares;
        let n_squares_rest = (self.period * high - n_squares) + self.period * low;
        let rest = (n_squares_rest - sum_squared_rest) + (self.period * squares_rest - 2.0 * sum * sum_rest);
        (n_squares - sum_squared) + rest
    }

    /// The mean and the deviation, once full; `value` is usable.
    #[inline]
    pub(super) fn next(&mut self, value: f64) -> Option<(f64, f64)> {
        let oldest = self.window.replace_oldest(value);
        let turned = self.window.turned();
        self.sum.exchange(value, oldest, turned);
        self.squares.exchange_squares(value, oldest, turned);
        if self.window.missing() > 0 {
            return None;
        }
        Some((self.sum.value() / self.period, self.scaled_variance().max(0.0).sqrt() / self.period))
    }
}

impl Indicator for Stddev {
    #[inline]
    fn update(&mut self, value: f64) -> Option<Values> {
        if !usable(value) {
            return None;
        }
        self.next(value).map(|(_, deviation)| Values::one(deviation))
    }

    fn warm_up(&self) -> usize {
        self.window.missing()
    }

    fn reset(&mut self) {
        self.window.clear();
        self.sum = WindowSum::default();
        self.squares = WindowSum::default();
    }
}
