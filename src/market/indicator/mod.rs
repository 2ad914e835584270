//! Streaming indicators, equal to TA-Lib: one value in, at most one set of values out.
//!
//! Owns: the indicators, one file each, and [`REGISTRY`], the one table that config checking, help and docs are made
//! from. Reads no clock, keeps no history but its own window. Invariants: an update is O(1) and never allocates,
//! locks or panics; the n-th value equals TA-Lib's n-th value to 1e-9 relative however long the run; a value that is
//! not a usable number (see [`VALUE_MAX`]) is passed over and leaves no trace.
//!
//! Inputs and outputs are f64: they are statistics, never money. To add an indicator: its file with a `SPEC`, a
//! variant of [`AnyIndicator`], a line in [`REGISTRY`].
//!
//! [`imbalance`] and [`imbalance::microprice`] are functions of a book rather than of a series of values: they keep
//! no state, are exact, and are called where the book is.

pub mod bollinger;
pub mod ema;
pub mod imbalance;
pub mod macd;
mod registry;
pub mod rsi;
pub mod sma;
#[cfg(test)]
mod testing;
mod window;

pub use bollinger::Bollinger;
pub use ema::Ema;
pub use macd::Macd;
pub use registry::{
    IndicatorSpec, IndicatorSpecKey, PARAMS_MAX, PERIOD_MAX, Param, ParamError, REGISTRY, find,
};
pub use rsi::Rsi;
pub use sma::Sma;

/// The most values an indicator gives at once.
pub const OUTPUTS_MAX: usize = 3;

/// The largest magnitude of an input: squares of it, summed over the longest window, are still finite.
///
/// NaN, infinities and anything larger are not prices; one of them in a running sum would spoil it for good.
pub const VALUE_MAX: f64 = 1e150;

/// Whether an input may enter an indicator's state; false for NaN.
#[inline]
fn usable(value: f64) -> bool {
    value.abs() <= VALUE_MAX
}

/// What an indicator gives for one input: one to [`OUTPUTS_MAX`] values, in the order of [`IndicatorSpec::outputs`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Values {
    values: [f64; OUTPUTS_MAX],
    len: u8,
}

impl Values {
    #[inline]
    fn one(value: f64) -> Self {
        Self { values: [value, 0.0, 0.0], len: 1 }
    }

    #[inline]
    fn three(values: [f64; 3]) -> Self {
        Self { values, len: 3 }
    }

    /// The first value: the whole answer of a single-valued indicator, `macd` of MACD, `upper` of Bollinger.
    #[inline]
    #[must_use]
    pub fn first(&self) -> f64 {
        self.values[0]
    }

    /// All values.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        &self.values[..usize::from(self.len)]
    }
}

/// A streaming indicator over a series of values, such as closing prices.
pub trait Indicator {
    /// Takes the next value; answers once warmed up. A value beyond [`VALUE_MAX`] or NaN changes nothing and gives
    /// `None`.
    fn update(&mut self, value: f64) -> Option<Values>;

    /// How many more inputs until the first answer; 0 when ready. Before any input it is TA-Lib's look-back plus 1.
    fn warm_up(&self) -> usize;

    /// Forgets every input; keeps its memory.
    fn reset(&mut self);
}

/// Any indicator of [`REGISTRY`], dispatched by a match: a `Vec<AnyIndicator>` is updated without a virtual call.
#[derive(Debug, Clone)]
pub enum AnyIndicator {
    /// Simple moving average.
    Sma(Sma),
    /// Exponential moving average.
    Ema(Ema),
    /// Relative strength index.
    Rsi(Rsi),
    /// Moving average convergence/divergence.
    Macd(Macd),
    /// Bollinger bands.
    Bollinger(Bollinger),
}

impl Indicator for AnyIndicator {
    #[inline]
    fn update(&mut self, value: f64) -> Option<Values> {
        match self {
            Self::Sma(i) => i.update(value),
            Self::Ema(i) => i.update(value),
            Self::Rsi(i) => i.update(value),
            Self::Macd(i) => i.update(value),
            Self::Bollinger(i) => i.update(value),
        }
    }

    fn warm_up(&self) -> usize {
        match self {
            Self::Sma(i) => i.warm_up(),
            Self::Ema(i) => i.warm_up(),
            Self::Rsi(i) => i.warm_up(),
            Self::Macd(i) => i.warm_up(),
            Self::Bollinger(i) => i.warm_up(),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Sma(i) => i.reset(),
            Self::Ema(i) => i.reset(),
            Self::Rsi(i) => i.reset(),
            Self::Macd(i) => i.reset(),
            Self::Bollinger(i) => i.reset(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::walk;
    use super::*;

    fn all() -> Vec<AnyIndicator> {
        REGISTRY.iter().map(|spec| spec.default_key().build().expect("defaults are in range")).collect()
    }

    #[test]
    fn warm_up_counts_down_to_the_first_answer() {
        for (spec, mut indicator) in REGISTRY.iter().zip(all()) {
            let mut left = indicator.warm_up();
            assert!(left > 0, "{}", spec.name);
            for price in walk(200) {
                left = left.saturating_sub(1);
                let answer = indicator.update(price);
                assert_eq!(indicator.warm_up(), left, "{}", spec.name);
                assert_eq!(answer.is_some(), left == 0, "{}", spec.name);
                if let Some(values) = answer {
                    assert_eq!(values.as_slice().len(), spec.outputs.len(), "{}", spec.name);
                }
            }
        }
    }

    #[test]
    fn a_reset_indicator_is_a_new_one() {
        for (mut used, mut new) in all().into_iter().zip(all()) {
            for price in walk(77) {
                used.update(price * 3.0);
            }
            used.reset();
            assert_eq!(used.warm_up(), new.warm_up());
            for price in walk(200) {
                assert_eq!(used.update(price), new.update(price));
            }
        }
    }

    #[test]
    fn unusable_values_leave_no_trace() {
        for (mut disturbed, mut calm) in all().into_iter().zip(all()) {
            for (n, price) in walk(200).into_iter().enumerate() {
                let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -2.0 * VALUE_MAX][n % 5];
                assert_eq!(disturbed.update(bad), None);
                assert_eq!(disturbed.update(price), calm.update(price));
            }
        }
    }

    #[test]
    fn the_largest_usable_values_stay_finite() {
        for mut indicator in all() {
            for n in 0..200 {
                let value = if n % 2 == 0 { VALUE_MAX } else { -VALUE_MAX };
                if let Some(values) = indicator.update(value) {
                    assert!(values.as_slice().iter().all(|v| v.is_finite()), "{indicator:?}");
                }
            }
        }
    }
}
