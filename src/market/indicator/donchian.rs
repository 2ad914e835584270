//! Donchian channel: the highest high and the lowest low of the last n bars, the newest among them, and their middle.
//!
//! TA-Lib's MAX of highs and MIN of lows. (Some leave out the newest bar, so that it can break out: compare with the
//! channel of the bar before.)

use super::extremes::Extremes;
use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, BarValues, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "donchian",
    doc: "Donchian channel: the highest high and the lowest low of the last `period` bars, and their middle",
    params: &[Param::whole("period", "bars in the channel", 20, 2, PERIOD_MAX)],
    outputs: &["upper", "middle", "lower"],
    build: |params| Ok(AnyIndicator::Donchian(Donchian::new(period(params[0]))?)),
};

/// Donchian channel.
#[derive(Debug, Clone)]
pub struct Donchian {
    extremes: Extremes,
}

impl Donchian {
    /// Over `period` bars.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self { extremes: Extremes::new(period) })
    }
}

impl Indicator for Donchian {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.advance_bar(&value.flat())
    }

    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        let [upper, minus_lower] = self.extremes.push(bar.high, bar.low)?;
        Some(Values::three([upper, (upper - minus_lower) / 2.0, -minus_lower]))
    }

    fn outputs(&self) -> usize {
        3
    }

    fn warm_up(&self) -> usize {
        self.extremes.missing()
    }

    fn reset(&mut self) {
        self.extremes.clear();
    }
}
