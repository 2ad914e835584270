//! Simple moving average: the mean of the last n values.
//!
//! TA-Lib's SMA: the first answer comes with the n-th input.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::window::Mean;
use super::{AnyIndicator, Bars, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "sma",
    doc: "simple moving average: the mean of the last `period` values",
    params: &[Param::whole("period", "values averaged", 20, 1, PERIOD_MAX)],
    outputs: &["sma"],
    build: |params| Ok(AnyIndicator::Sma(Sma::new(period(params[0]))?)),
};

/// Simple moving average.
#[derive(Debug, Clone)]
pub struct Sma {
    mean: Mean,
}

impl Sma {
    /// The mean of the last `period` values.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 1 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self { mean: Mean::new(period) })
    }
}

impl Indicator for Sma {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.mean.push(*value).map(Values::one)
    }

    #[inline]
    fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
        self.mean.push_many(bars, answers)
    }

    fn warm_up(&self) -> usize {
        self.mean.missing()
    }

    fn reset(&mut self) {
        self.mean.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, walk};
    use super::*;

    #[test]
    fn it_is_the_mean_of_the_window() {
        for period in [1, 2, 20, 200] {
            let prices = walk(1_000);
            let mut sma = Sma::new(period).unwrap();
            for n in 0..prices.len() {
                let got = sma.update(prices[n]).map(|v| v.first());
                let window = (n + 1).checked_sub(period as usize).map(|from| &prices[from..=n]);
                let mean = window.map(|w| w.iter().sum::<f64>() / f64::from(period));
                assert_close(got, mean, 1e-14);
            }
        }
    }

    #[test]
    fn it_does_not_drift_and_forgets_a_bad_tick() {
        let mut prices = walk(100_000);
        prices[50_000] = 1e15;
        let mut sma = Sma::new(20).unwrap();
        for n in 0..prices.len() {
            let got = sma.update(prices[n]).map(|v| v.first());
            if n >= 19 {
                assert_close(got, Some(prices[n - 19..=n].iter().sum::<f64>() / 20.0), 1e-14);
            }
        }
    }
}
