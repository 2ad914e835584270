//! Williams' %R (Williams, 1973): how far a close is below the highest high, of the way to the lowest low.
//!
//! TA-Lib's WILLR: −100 (highest − close) / (highest − lowest) over n bars, 0 to −100; 0 where these are equal.

use super::extremes::Extremes;
use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, BarValues, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "williams",
    doc: "Williams' %R of bars: how far the close is below the highest high, 0 to -100",
    params: &[Param::whole("period", "bars between whose extremes the close is", 14, 2, PERIOD_MAX)],
    outputs: &["williams"],
    build: |params| Ok(AnyIndicator::Williams(Williams::new(period(params[0]))?)),
};

/// Williams' %R.
#[derive(Debug, Clone)]
pub struct Williams {
    extremes: Extremes,
}

impl Williams {
    /// Over `period` bars.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self { extremes: Extremes::new(period) })
    }
}

impl Indicator for Williams {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.advance_bar(&value.flat())
    }

    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        let [highest, minus_lowest] = self.extremes.push(bar.high, bar.low)?;
        let reach = (highest + minus_lowest) / -100.0;
        Some(Values::one(if reach == 0.0 { 0.0 } else { (highest - bar.close) / reach }))
    }

    fn warm_up(&self) -> usize {
        self.extremes.missing()
    }

    fn reset(&mut self) {
        self.extremes.clear();
    }
}
