//! Volume-weighted average price of the last n bars.
//!
//! Σ price × volume / Σ volume, of typical prices (high + low + close) / 3, as TA-Lib's SUM would give both sums; it
//! has no VWAP. Over a rolling window, not since the beginning of a session, which a bar does not know. Where nothing
//! was traded it is the newest typical price.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::window::{Window, WindowSum};
use super::{AnyIndicator, BarValues, Indicator, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "vwap",
    doc: "volume-weighted average of the typical prices of the last `period` bars",
    params: &[Param::whole("period", "bars in the window", 20, 1, PERIOD_MAX)],
    outputs: &["vwap"],
    build: |params| Ok(AnyIndicator::Vwap(Vwap::new(period(params[0]))?)),
};

/// Volume-weighted average price.
#[derive(Debug, Clone)]
pub struct Vwap {
    values: Window,
    volumes: Window,
    value: WindowSum,
    volume: WindowSum,
}

impl Vwap {
    /// Over `period` bars.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 1 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self {
            values: Window::new(period),
            volumes: Window::new(period),
            value: WindowSum::default(),
            volume: WindowSum::default(),
        })
    }
}

impl Indicator for Vwap {
    fn update(&mut self, value: f64) -> Option<Values> {
        self.update_bar(&BarValues::flat(value))
    }

    #[inline]
    fn update_bar(&mut self, bar: &BarValues) -> Option<Values> {
        if !bar.usable() {
            return None;
        }
        let price = bar.typical();
        let worth = price * bar.volume;
        self.value.exchange(worth, self.values.replace_oldest(worth), self.values.turned());
        self.volume.exchange(bar.volume, self.volumes.replace_oldest(bar.volume), self.volumes.turned());
        if self.values.missing() > 0 {
            return None;
        }
        let volume = self.volume.value();
        Some(Values::one(if volume > 0.0 { self.value.value() / volume } else { price }))
    }

    fn warm_up(&self) -> usize {
        self.values.missing()
    }

    fn reset(&mut self) {
        self.values.clear();
        self.volumes.clear();
        self.value = WindowSum::default();
        self.volume = WindowSum::default();
    }
}
