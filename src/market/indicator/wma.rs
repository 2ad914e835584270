//! Weighted moving average, and Hull's moving average made of three of them.
//!
//! TA-Lib's WMA: weights 1 for the oldest of n values to n for the newest, divided by n (n + 1) / 2. Hull's average
//! (Hull, 2005), which TA-Lib has not, is WMA(2 WMA(x, n/2) − WMA(x, n), √n), n/2 and √n rounded down.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::weighted::WeightedWindow;
use super::{AnyIndicator, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "wma",
    doc: "weighted moving average: of the last `period` values, the newest weighing `period`, the oldest 1",
    params: &[Param::whole("period", "values in the window", 20, 2, PERIOD_MAX)],
    outputs: &["wma"],
    build: |params| Ok(AnyIndicator::Wma(Wma::new(period(params[0]))?)),
};

/// Hull's line of the registry.
pub const HULL_SPEC: IndicatorSpec = IndicatorSpec {
    name: "hma",
    doc: "Hull's moving average: a weighted average over √period of twice one over period/2 less one over period",
    params: &[Param::whole("period", "values in the longest window", 20, 4, PERIOD_MAX)],
    outputs: &["hma"],
    build: |params| Ok(AnyIndicator::Hma(Hma::new(period(params[0]))?)),
};

/// Weighted moving average.
#[derive(Debug, Clone)]
pub struct Wma {
    /// 1 / the sum of the weights.
    share: f64,
    window: WeightedWindow,
}

impl Wma {
    /// The weighted mean of the last `period` values.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        let n = f64::from(period);
        Ok(Self { share: 2.0 / (n * (n + 1.0)), window: WeightedWindow::new(period) })
    }

    #[inline]
    fn next(&mut self, value: f64) -> Option<f64> {
        self.window.push(value).map(|sums| sums.base + sums.weighted * self.share)
    }
}

impl Indicator for Wma {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.next(*value).map(Values::one)
    }

    fn warm_up(&self) -> usize {
        self.window.missing()
    }

    fn reset(&mut self) {
        self.window.clear();
    }
}

/// Hull's moving average.
#[derive(Debug, Clone)]
pub struct Hma {
    half: Wma,
    whole: Wma,
    smooth: Wma,
}

impl Hma {
    /// Hull's average over `period` values.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 4 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        HULL_SPEC.check(&[period.into()])?;
        Ok(Self { half: Wma::new(period / 2)?, whole: Wma::new(period)?, smooth: Wma::new(period.isqrt())? })
    }
}

impl Indicator for Hma {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        let (half, whole) = (self.half.next(*value), self.whole.next(*value));
        self.smooth.next(2.0 * half? - whole?).map(Values::one)
    }

    fn warm_up(&self) -> usize {
        // The input that makes the long average ready also gives the smoothing one its first value.
        self.whole.warm_up().saturating_sub(1) + self.smooth.warm_up()
    }

    fn reset(&mut self) {
        self.half.reset();
        self.whole.reset();
        self.smooth.reset();
    }
}
