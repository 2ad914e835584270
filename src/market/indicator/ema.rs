//! Exponential moving average, with k = 2 / (n + 1).
//!
//! TA-Lib's EMA in its default mode: seeded by the simple mean of the first n values, which is the first answer.
//! (Other libraries seed with the first value and differ for some hundred inputs.) It needs no window, and its errors
//! fade as its inputs do, so it cannot drift.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, Bars, Indicator, Usable, Values, many, seldom};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "ema",
    doc: "exponential moving average with k = 2 / (period + 1), seeded by the mean of the first `period` values",
    params: &[Param::whole("period", "values in the seed; sets the weight of the newest", 20, 1, PERIOD_MAX)],
    outputs: &["ema"],
    build: |params| Ok(AnyIndicator::Ema(Ema::new(period(params[0]))?)),
};

/// Exponential moving average.
#[derive(Debug, Clone)]
pub struct Ema {
    period: u32,
    k: f64,
    missing: u32,
    /// The sum of the seed while it is being gathered, the average after.
    average: f64,
}

impl Ema {
    /// An average whose newest value weighs 2 / (`period` + 1).
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 1 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        let k = 2.0 / (f64::from(period) + 1.0);
        Ok(Self { period, k, missing: period, average: 0.0 })
    }

    /// The next average; `value` is usable.
    #[inline]
    pub(super) fn next(&mut self, value: f64) -> Option<f64> {
        if self.missing > 0 {
            seldom();
            return self.gather(value);
        }
        Some(self.step(value))
    }

    /// Whether it answers.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.missing == 0
    }

    /// The next average, where there was one before; `value` is usable.
    #[inline]
    pub(super) fn step(&mut self, value: f64) -> f64 {
        // In TA-Lib's order of operations, so that roundings agree too.
        self.average += (value - self.average) * self.k;
        self.average
    }

    /// Takes one of the values of the seed.
    #[inline(always)]
    fn gather(&mut self, value: f64) -> Option<f64> {
        self.missing -= 1;
        self.average += value;
        if self.missing > 0 {
            return None;
        }
        self.average /= f64::from(self.period);
        Some(self.average)
    }
}

impl Indicator for Ema {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.next(*value).map(Values::one)
    }

    #[inline]
    fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
        if self.missing > 0 {
            return 0;
        }
        let mut ema = self.clone();
        let taken = many::each(bars, answers, |bar| [ema.step(bar.close)]);
        *self = ema;
        taken
    }

    fn warm_up(&self) -> usize {
        self.missing as usize
    }

    fn reset(&mut self) {
        self.missing = self.period;
        self.average = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, ema_by_weights, walk};
    use super::*;

    #[test]
    fn it_is_the_weighted_sum_of_its_inputs() {
        for period in [1, 2, 20, 200] {
            let prices = walk(600);
            let mut ema = Ema::new(period).unwrap();
            let k = 2.0 / (f64::from(period) + 1.0);
            for n in 0..prices.len() {
                let got = ema.update(prices[n]).map(|v| v.first());
                assert_close(got, ema_by_weights(&prices[..=n], period as usize, k), 1e-12);
            }
        }
    }
}
