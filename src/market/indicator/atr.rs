//! Average true range (Wilder, 1978): how far a bar reaches, gaps included.
//!
//! The true range is the largest of high − low, |high − previous close| and |low − previous close|. TA-Lib's ATR: the
//! first bar only gives the ranges something to start from; the average starts as the mean of the first n ranges and
//! moves by Wilder's smoothing, (previous × (n − 1) + newest) / n.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, BarValues, Indicator, Usable, Values, seldom};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "atr",
    doc: "average true range of bars, with Wilder's smoothing",
    params: &[Param::whole("period", "ranges in the first average", 14, 1, PERIOD_MAX)],
    outputs: &["atr"],
    build: |params| Ok(AnyIndicator::Atr(Atr::new(period(params[0]))?)),
};

/// The true range of a bar with this high and low after this close: how far apart the three are, which is the largest of
/// the three differences.
#[inline]
pub(super) fn true_range(high: f64, low: f64, previous_close: f64) -> f64 {
    let top = if high > previous_close { high } else { previous_close };
    let bottom = if low < previous_close { low } else { previous_close };
    top - bottom
}

/// Average true range.
#[derive(Debug, Clone)]
pub struct Atr {
    period: u32,
    /// 1 / the period.
    share: f64,
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
        Ok(Self::empty(period))
    }

    fn empty(period: u32) -> Self {
        let share = 1.0 / f64::from(period);
        Self { period, share, missing: period + 1, previous_close: 0.0, average: 0.0 }
    }

    /// The next average; `bar` is usable.
    #[inline(always)]
    pub(super) fn next(&mut self, bar: &BarValues) -> Option<f64> {
        if self.missing > 0 {
            seldom();
            return self.gather(bar);
        }
        Some(self.step(bar))
    }

    /// The next average, where there was one before; `bar` is usable.
    #[inline]
    pub(super) fn step(&mut self, bar: &BarValues) -> f64 {
        let range = true_range(bar.high, bar.low, self.previous_close);
        self.previous_close = bar.close;
        // The division is a multiplication, so that an average does not wait for one each bar.
        self.average += (range - self.average) * self.share;
        self.average
    }

    /// Takes one of the first bars; the range of the very first is none.
    #[inline(always)]
    fn gather(&mut self, bar: &BarValues) -> Option<f64> {
        let range = true_range(bar.high, bar.low, self.previous_close);
        self.previous_close = bar.close;
        if self.missing <= self.period {
            self.average += range;
        }
        self.missing -= 1;
        if self.missing > 0 {
            return None;
        }
        self.average /= f64::from(self.period);
        Some(self.average)
    }
}

impl Indicator for Atr {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.advance_bar(&value.flat())
    }

    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        self.next(bar).map(Values::one)
    }

    fn warm_up(&self) -> usize {
        self.missing as usize
    }

    fn reset(&mut self) {
        *self = Self::empty(self.period);
    }
}
