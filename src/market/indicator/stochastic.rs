//! Stochastic oscillator (Lane): where a close is between the lowest low and the highest high, smoothed, and again.
//!
//! TA-Lib's STOCH with simple averages: 100 (close − lowest) / (highest − lowest) over n bars, 0 where these are equal;
//! k is its average, d the average of k.

use super::extremes::Extremes;
use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::window::Mean;
use super::{AnyIndicator, BarValues, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "stochastic",
    doc: "stochastic oscillator of bars, 0 to 100: the close between the extremes, smoothed (k), and smoothed again (d)",
    params: &[
        Param::whole("period", "bars between whose extremes the close is", 14, 1, PERIOD_MAX),
        Param::whole("k", "values in the first average", 3, 1, PERIOD_MAX),
        Param::whole("d", "values in the second average", 3, 1, PERIOD_MAX),
    ],
    outputs: &["k", "d"],
    build: |params| {
        Ok(AnyIndicator::Stochastic(Stochastic::new(
            period(params[0]),
            period(params[1]),
            period(params[2]),
        )?))
    },
};

/// Stochastic oscillator.
#[derive(Debug, Clone)]
pub struct Stochastic {
    extremes: Extremes,
    k: Mean,
    d: Mean,
}

impl Stochastic {
    /// Over `period` bars, smoothed over `k` and `d`.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless all are 1 to [`PERIOD_MAX`].
    pub fn new(period: u32, k: u32, d: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into(), k.into(), d.into()])?;
        Ok(Self { extremes: Extremes::new(period), k: Mean::new(k), d: Mean::new(d) })
    }
}

impl Indicator for Stochastic {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.advance_bar(&value.flat())
    }

    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        let [highest, minus_lowest] = self.extremes.push(bar.high, bar.low)?;
        let reach = (highest + minus_lowest) / 100.0;
        let raw = if reach == 0.0 { 0.0 } else { (bar.close + minus_lowest) / reach };
        let k = self.k.push(raw)?;
        let d = self.d.push(k)?;
        Some(Values::two([k, d]))
    }

    fn outputs(&self) -> usize {
        2
    }

    fn warm_up(&self) -> usize {
        // What makes one ready also gives the next one its first value.
        self.extremes.missing().saturating_sub(1) + self.k.missing().saturating_sub(1) + self.d.missing()
    }

    fn reset(&mut self) {
        self.extremes.clear();
        self.k.clear();
        self.d.clear();
    }
}
