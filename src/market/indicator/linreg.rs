//! Linear regression: the straight line through the last n values that is nearest to them by least squares.
//!
//! TA-Lib's LINEARREG, LINEARREG_SLOPE and LINEARREG_INTERCEPT: where the line is at the newest value, by how much it
//! rises a value, and where it is at the oldest.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::weighted::{WeightedSums, WeightedWindow};
use super::{AnyIndicator, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "linreg",
    doc: "linear regression over the last `period` values: its end, its slope a value, its beginning",
    params: &[Param::whole("period", "values in the window", 14, 2, PERIOD_MAX)],
    outputs: &["value", "slope", "intercept"],
    build: |params| Ok(AnyIndicator::Linreg(Linreg::new(period(params[0]))?)),
};

/// Linear regression.
#[derive(Debug, Clone)]
pub struct Linreg {
    n: f64,
    /// 1 / n.
    share: f64,
    /// Σ x, and 1 / (n Σ x² − (Σ x)²), for x from 0 to n − 1.
    sum_x: f64,
    slope_share: f64,
    window: WeightedWindow,
}

impl Linreg {
    /// The line through the last `period` values.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        let n = f64::from(period);
        let slope_share = 12.0 / (n * n * (n * n - 1.0));
        let window = WeightedWindow::new(period);
        Ok(Self { n, share: 1.0 / n, sum_x: n * (n - 1.0) / 2.0, slope_share, window })
    }
}

impl Indicator for Linreg {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        let WeightedSums { base, sum, weighted } = self.window.push(*value)?;
        // Weights begin at 1, x at 0.
        let sum_xy = weighted - sum;
        let slope = (self.n * sum_xy - self.sum_x * sum) * self.slope_share;
        let intercept = base + (sum - slope * self.sum_x) * self.share;
        Some(Values::three([intercept + slope * (self.n - 1.0), slope, intercept]))
    }

    fn outputs(&self) -> usize {
        3
    }

    fn warm_up(&self) -> usize {
        self.window.missing()
    }

    fn reset(&mut self) {
        self.window.clear();
    }
}
