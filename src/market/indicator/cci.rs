//! Commodity channel index (Lambert, 1980): how far a bar is from its mean, by the mean deviation.
//!
//! TA-Lib's CCI: of typical prices (high + low + close) / 3, (price − mean) / (0.015 × mean of |price − mean|) over n
//! bars; 0 where nothing deviates. The mean deviation is about a mean that moves, so an update goes over the window:
//! the one indicator that takes longer the longer its period is. Where prices hardly deviate it adds up in TA-Lib's order,
//! since of prices that stand still the quotient is of two roundings, and only the same ones give the same; elsewhere
//! in whatever order is quickest.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::window::Mean;
use super::{AnyIndicator, BarValues, Indicator, Usable, Values, seldom};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "cci",
    doc: "commodity channel index of bars: how far the typical price is from its mean, by its mean deviation",
    params: &[Param::whole("period", "bars in the mean", 20, 2, PERIOD_MAX)],
    outputs: &["cci"],
    build: |params| Ok(AnyIndicator::Cci(Cci::new(period(params[0]))?)),
};

/// Commodity channel index.
#[derive(Debug, Clone)]
pub struct Cci {
    period: f64,
    /// The last prices, in TA-Lib's order: where one left, the next came.
    prices: Box<[f64]>,
    next: usize,
    mean: Mean,
}

/// A mean deviation of more than this part of the mean is so far above what rounding does, some 1e-15 of the mean, that in
/// whatever order it is added up the index differs by less than 1e-9.
const ORDERLESS: f64 = 1e-4;

impl Cci {
    /// Over `period` bars.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        let prices = vec![0.0; period as usize].into_boxed_slice();
        Ok(Self { period: period.into(), prices, next: 0, mean: Mean::new(period) })
    }

    /// The sum of |price − mean|: twice that of what is above the mean.
    #[inline]
    fn deviation(&self, mean: f64) -> f64 {
        let (fours, rest) = self.prices.as_chunks::<4>();
        let mut above = [0.0; 4];
        for four in fours {
            for (above, price) in above.iter_mut().zip(four) {
                *above += if *price > mean { *price } else { mean };
            }
        }
        let mut sum = (above[0] + above[2]) + (above[1] + above[3]);
        for price in rest {
            sum += if *price > mean { *price } else { mean };
        }
        2.0 * (sum - self.period * mean)
    }

    /// The index, added up as TA-Lib does.
    #[cold]
    fn in_order(&self, price: f64) -> f64 {
        let mean = self.prices.iter().sum::<f64>() / self.period;
        let deviation = self.prices.iter().map(|value| (value - mean).abs()).sum::<f64>();
        let away = price - mean;
        if away == 0.0 || deviation == 0.0 { 0.0 } else { away / (0.015 * (deviation / self.period)) }
    }
}

impl Indicator for Cci {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.advance_bar(&value.flat())
    }

    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        let price = bar.typical();
        let slot = match self.prices.get_mut(self.next) {
            Some(slot) => slot,
            None => {
                seldom();
                self.next = 0;
                self.prices.first_mut()?
            }
        };
        *slot = price;
        self.next += 1;
        let mean = self.mean.push(price)?;
        let deviation = self.deviation(mean);
        if deviation <= ORDERLESS * self.period * mean.abs() {
            seldom();
            return Some(Values::one(self.in_order(price)));
        }
        Some(Values::one((price - mean) * self.period / (0.015 * deviation)))
    }

    fn warm_up(&self) -> usize {
        self.mean.missing()
    }

    fn reset(&mut self) {
        self.next = 0;
        self.mean.clear();
    }
}
