//! On-balance volume (Granville, 1963): volume, added where the close rose and taken away where it fell.
//!
//! TA-Lib's OBV: it begins with the first bar's volume. It has no window: what it is depends on where it began, and
//! only its changes say something.

use super::registry::IndicatorSpec;
use super::{AnyIndicator, BarValues, Bars, Indicator, Usable, Values, many, seldom};

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
    /// Whether there was a bar before the next one.
    begun: bool,
    previous_close: f64,
    balance: f64,
}

impl Obv {
    /// The next balance, where there was one before.
    #[inline]
    fn step(&mut self, bar: &BarValues) -> f64 {
        if bar.close > self.previous_close {
            self.balance += bar.volume;
        } else if bar.close < self.previous_close {
            self.balance -= bar.volume;
        }
        self.previous_close = bar.close;
        self.balance
    }
}

impl Indicator for Obv {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.advance_bar(&value.flat())
    }

    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        if !self.begun {
            seldom();
            *self = Self { begun: true, previous_close: bar.close, balance: bar.volume };
            return Some(Values::one(self.balance));
        }
        Some(Values::one(self.step(bar)))
    }

    #[inline]
    fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
        if !self.begun {
            return 0;
        }
        let mut obv = self.clone();
        let taken = many::each(bars, answers, |bar| [obv.step(&bar)]);
        *self = obv;
        taken
    }

    fn warm_up(&self) -> usize {
        usize::from(!self.begun)
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}
