//! Average true range (Wilder, 1978): how far a bar reaches, gaps included.
//!
//! The true range is the largest of high − low, |high − previous close| and |low − previous close|. TA-Lib's ATR: the
//! first bar only gives the ranges something to start from; the average starts as the mean of the first n ranges and
//! moves by Wilder's smoothing, (previous × (n − 1) + newest) / n.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, BarValues, Indicator, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "atr",
    doc: "average true range of bars, with Wilder's smoothing",
    params: &[Param::whole("period", "ranges in the first average", 14, 1, PERIOD_MAX)],
    outputs: &["atr"],
    build: |params| Ok(AnyIndicator::Atr(Atr::new(period(params[0]))?)),
};

/// The true range of a bar with this high and low after this close.
#[inline]
pub(super) fn true_range(high: f64, low: f64, previous_close: f64) -> f64 {
    (high - low).max((high - previous_close).abs()).max((low - previous_close).abs())
}

/// Average true range.
#[derive(Debug, Clone)]
pub struct Atr {
    period: u32,
    /// Bars still missing.
    missing: u32,
    previous_close: f64,
    /// The sum of the first ranges while they are being gathered, the average after.
    average: f64,
}

impl Atr {
    /// An average over `period` ranges.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 1 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self { period, missing: period + 1, previous_close: 0.0, average: 0.0 })
    }

    /// The next average; `bar` is usable.
    #[inline]
    pub(super) fn next(&mut self, bar: &BarValues) -> Option<f64> {
        let range = true_range(bar.high, bar.low, self.previous_close);
        let first = self.missing > self.period;
        self.previous_close = bar.close;
        let period = f64::from(self.period);
        if self.missing == 0 {
            self.average = (self.average * (period - 1.0) + range) / period;
            return Some(self.average);
        }
        self.missing -= 1;
        if !first {
            self.average += range;
        }
        if self.missing > 0 {
            return None;
        }
        self.average /= period;
        Some(self.average)
    }
}

impl Indicator for Atr {
    fn update(&mut self, value: f64) -> Option<Values> {
        self.update_bar(&BarValues::flat(value))
    }

    #[inline]
    fn update_bar(&mut self, bar: &BarValues) -> Option<Values> {
        if !bar.usable() {
            return None;
        }
        self.next(bar).map(Values::one)
    }

    fn warm_up(&self) -> usize {
        self.missing as usize
    }

    fn reset(&mut self) {
        *self = Self { period: self.period, missing: self.period + 1, previous_close: 0.0, average: 0.0 };
    }
}
