//! Donchian channel: the highest high and the lowest low of the last n bars, the newest among them, and their middle.
//!
//! TA-Lib's MAX of highs and MIN of lows. (Some leave out the newest bar, so that it can break out: compare with the
//! channel of the bar before.)

use super::extremes::Extremes;
use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, BarValues, Indicator, Values};

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
    fn update(&mut self, value: f64) -> Option<Values> {
        self.update_bar(&BarValues::flat(value))
    }

    #[inline]
    fn update_bar(&mut self, bar: &BarValues) -> Option<Values> {
        if !bar.usable() {
            return None;
        }
        let [upper, minus_lower] = self.extremes.push(bar.high, bar.low)?;
        Some(Values::three([upper, (upper - minus_lower) / 2.0, -minus_lower]))
    }

    fn warm_up(&self) -> usize {
        self.extremes.missing()
    }

    fn reset(&mut self) {
        self.extremes.clear();
    }
}
