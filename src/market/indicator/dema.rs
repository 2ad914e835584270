//! Double and triple exponential moving averages: 2 e₁ − e₂ and 3 e₁ − 3 e₂ + e₃, each e an average of the one before.
//!
//! Mulloy, *Smoothing Data with Faster Moving Averages* (1994). TA-Lib's DEMA and TEMA: each average is seeded by the
//! mean of its own first n values, so they begin n − 1 values apart.

use super::ema::Ema;
use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, Indicator, Usable, Values};

/// The double one's line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "dema",
    doc: "double exponential moving average: twice an average less the average of it",
    params: &[Param::whole("period", "of each average", 20, 2, PERIOD_MAX)],
    outputs: &["dema"],
    build: |params| Ok(AnyIndicator::Dema(Dema::new(period(params[0]))?)),
};

/// The triple one's line of the registry.
pub const TRIPLE_SPEC: IndicatorSpec = IndicatorSpec {
    name: "tema",
    doc: "triple exponential moving average: three times the difference of two averages, and a third",
    params: &[Param::whole("period", "of each average", 20, 2, PERIOD_MAX)],
    outputs: &["tema"],
    build: |params| Ok(AnyIndicator::Tema(Tema::new(period(params[0]))?)),
};

/// Double exponential moving average.
#[derive(Debug, Clone)]
pub struct Dema {
    first: Ema,
    second: Ema,
}

impl Dema {
    /// Of averages over `period`.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self { first: Ema::new(period)?, second: Ema::new(period)? })
    }
}

impl Indicator for Dema {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        let first = self.first.next(*value)?;
        let second = self.second.next(first)?;
        Some(Values::one(2.0 * first - second))
    }

    fn warm_up(&self) -> usize {
        // The input that makes an average ready also gives the next one its first value.
        self.first.warm_up().saturating_sub(1) + self.second.warm_up()
    }

    fn reset(&mut self) {
        self.first.reset();
        self.second.reset();
    }
}

/// Triple exponential moving average.
#[derive(Debug, Clone)]
pub struct Tema {
    first: Ema,
    second: Ema,
    third: Ema,
}

impl Tema {
    /// Of averages over `period`.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        TRIPLE_SPEC.check(&[period.into()])?;
        Ok(Self { first: Ema::new(period)?, second: Ema::new(period)?, third: Ema::new(period)? })
    }
}

impl Indicator for Tema {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        let first = self.first.next(*value)?;
        let second = self.second.next(first)?;
        let third = self.third.next(second)?;
        Some(Values::one(3.0 * first - 3.0 * second + third))
    }

    fn warm_up(&self) -> usize {
        self.first.warm_up().saturating_sub(1)
            + self.second.warm_up().saturating_sub(1)
            + self.third.warm_up()
    }

    fn reset(&mut self) {
        self.first.reset();
        self.second.reset();
        self.third.reset();
    }
}
