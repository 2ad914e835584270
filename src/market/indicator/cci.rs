//! Commodity channel index (Lambert, 1980): how far a bar is from its mean, by the mean deviation.
//!
//! TA-Lib's CCI: of typical prices (high + low + close) / 3, (price − mean) / (0.015 × mean of |price − mean|) over n
//! bars; 0 where nothing deviates. The mean deviation is about a mean that moves, so an update goes over the window:
//! the one indicator that takes longer the longer its period is. It adds up in TA-Lib's order, since of prices that
//! stand still the quotient is of two roundings, and only the same ones give the same.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::window::Window;
use super::{AnyIndicator, BarValues, Indicator, Values};

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
    window: Window,
}

impl Cci {
    /// Over `period` bars.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self { period: period.into(), window: Window::new(period) })
    }
}

impl Indicator for Cci {
    fn update(&mut self, value: f64) -> Option<Values> {
        self.update_bar(&BarValues::flat(value))
    }

    #[inline]
    fn update_bar(&mut self, bar: &BarValues) -> Option<Values> {
        if !bar.usable() {
            return None;
        }
        let price = bar.typical();
        self.window.replace_oldest(price);
        if self.window.missing() > 0 {
            return None;
        }
        let mean = self.window.values().iter().sum::<f64>() / self.period;
        let deviation = self.window.values().iter().map(|value| (value - mean).abs()).sum::<f64>();
        let away = price - mean;
        let index =
            if away == 0.0 || deviation == 0.0 { 0.0 } else { away / (0.015 * (deviation / self.period)) };
        Some(Values::one(index))
    }

    fn warm_up(&self) -> usize {
        self.window.missing()
    }

    fn reset(&mut self) {
        self.window.clear();
    }
}
