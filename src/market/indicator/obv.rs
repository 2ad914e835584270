//! On-balance volume (Granville, 1963): volume, added where the close rose and taken away where it fell.
//!
//! TA-Lib's OBV: it begins with the first bar's volume. It has no window: what it is depends on where it began, and
//! only its changes say something.

use super::registry::IndicatorSpec;
use super::{AnyIndicator, BarValues, Indicator, NOT_READY, READY, Values, seldom};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "obv",
    doc: "on-balance volume of bars: volume added where the close rose, taken away where it fell",
    params: &[],
    outputs: &["obv"],
    build: |_| Ok(AnyIndicator::Obv(Obv::default())),
};

/// On-balance volume.
#[derive(Debug, Clone, Default)]
pub struct Obv {
    /// [`READY`] or not: the first bar has none before it.
    ready: u64,
    previous_close: f64,
    balance: f64,
}

impl Indicator for Obv {
    fn update(&mut self, value: f64) -> Option<Values> {
        self.update_bar(&BarValues::flat(value))
    }

    #[inline]
    fn update_bar(&mut self, bar: &BarValues) -> Option<Values> {
        if !bar.usual(self.ready) {
            seldom();
            if !bar.usable() {
                return None;
            }
        }
        if self.ready == NOT_READY {
            seldom();
            self.ready = READY;
            self.balance = bar.volume;
        } else if bar.close > self.previous_close {
            self.balance += bar.volume;
        } else if bar.close < self.previous_close {
            self.balance -= bar.volume;
        }
        self.previous_close = bar.close;
        Some(Values::one(self.balance))
    }

    fn warm_up(&self) -> usize {
        usize::from(self.ready == NOT_READY)
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}
