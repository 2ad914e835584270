//! Streaming indicators, equal to TA-Lib: one value or bar in, at most one set of values out.
//!
//! Owns: the indicators, one file each, and [`REGISTRY`], the one table that config checking, help and docs are made
//! from. Reads no clock, keeps no history but its own window. Invariants: an update is O(1) (but for [`cci`], which says
//! why) on the average of a window: where there is one, an update in as many goes over it (see `window.rs`); it never
//! allocates, locks or panics; the n-th value equals TA-Lib's n-th value to 1e-9 relative however long the run; a value
//! that is not a usable number (see [`VALUE_MAX`]) is passed over and leaves no trace.
//!
//! Inputs and outputs are f64: they are statistics, never money. To add an indicator: its file with a `SPEC`, a
//! variant of [`AnyIndicator`], a line in [`REGISTRY`].
//!
//! An indicator that wants more of a bar than its close takes [`BarValues`]; given a value alone it sees a bar without
//! extent and volume.
//!
//! [`imbalance`] and [`imbalance::microprice`] are functions of a book rather than of a series of values: they keep
//! no state, are exact, and are called where the book is.

pub mod adx;
pub mod atr;
pub mod bollinger;
pub mod cci;
pub mod dema;
pub mod donchian;
pub mod ema;
mod extremes;
pub mod imbalance;
pub mod keltner;
pub mod linreg;
pub mod macd;
pub mod momentum;
#[cfg(test)]
mod naive;
pub mod obv;
mod registry;
pub mod rsi;
pub mod sma;
pub mod stddev;
pub mod stochastic;
#[cfg(test)]
mod testing;
pub mod vwap;
mod weighted;
pub mod williams;
mod window;
pub mod wma;

pub use adx::Adx;
pub use atr::Atr;
pub use bollinger::Bollinger;
pub use cci::Cci;
pub use dema::{Dema, Tema};
pub use donchian::Donchian;
pub use ema::Ema;
pub use keltner::Keltner;
pub use linreg::Linreg;
pub use macd::Macd;
pub use momentum::{Momentum, Roc};
pub use obv::Obv;
pub use registry::{
    IndicatorSpec, IndicatorSpecKey, PARAMS_MAX, PERIOD_MAX, Param, ParamError, REGISTRY, find,
};
pub use rsi::Rsi;
pub use sma::Sma;
pub use stddev::Stddev;
pub use stochastic::Stochastic;
pub use vwap::Vwap;
pub use williams::Williams;
pub use wma::{Hma, Wma};

/// The most values an indicator gives at once.
pub const OUTPUTS_MAX: usize = 3;

/// The largest magnitude of an input: squares of it, summed over the longest window, are still finite.
///
/// NaN, infinities and anything larger are not prices; one of them in a running sum would spoil it for good.
pub const VALUE_MAX: f64 = 1e150;

/// Whether an input may enter an indicator's state; false for NaN.
#[inline]
fn usable(value: f64) -> bool {
    if usual(value, READY) {
        return true;
    }
    seldom();
    value.abs() <= VALUE_MAX
}

/// Whether an input is from zero to [`VALUE_MAX`], as prices are, and the indicator [`READY`]: told by one comparison of bits,
/// which are in the order of the numbers, those of numbers below zero and of NaN above all others.
#[inline]
fn usual(value: f64, ready: u64) -> bool {
    value.to_bits() < ready
}

/// An indicator that answers.
const READY: u64 = VALUE_MAX.to_bits() + 1;

/// An indicator that does not yet answer, to which no input is usual.
const NOT_READY: u64 = 0;

/// Marks the way that leads here as seldom gone, so that the usual one is laid out without a jump.
#[inline]
#[cold]
fn seldom() {}

/// What an indicator gives for one input: one to [`OUTPUTS_MAX`] values, in the order of [`IndicatorSpec::outputs`].
///
/// By their number, so that one value is not written as three.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Values(Count);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Count {
    One([f64; 1]),
    Two([f64; 2]),
    Three([f64; OUTPUTS_MAX]),
}

impl Values {
    #[inline]
    fn one(value: f64) -> Self {
        Self(Count::One([value]))
    }

    #[inline]
    fn two(values: [f64; 2]) -> Self {
        Self(Count::Two(values))
    }

    #[inline]
    fn three(values: [f64; 3]) -> Self {
        Self(Count::Three(values))
    }

    /// The first value: the whole answer of a single-valued indicator, `macd` of MACD, `upper` of Bollinger.
    #[inline]
    #[must_use]
    pub fn first(&self) -> f64 {
        match self.0 {
            Count::One([first]) | Count::Two([first, _]) | Count::Three([first, ..]) => first,
        }
    }

    /// All values.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        match &self.0 {
            Count::One(values) => values,
            Count::Two(values) => values,
            Count::Three(values) => values,
        }
    }
}

/// A bar, as indicators see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarValues {
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Base volume.
    pub volume: f64,
}

impl BarValues {
    /// A bar of one value, without extent and volume.
    #[inline]
    #[must_use]
    pub const fn flat(value: f64) -> Self {
        Self { high: value, low: value, close: value, volume: 0.0 }
    }

    /// The typical price: the mean of high, low and close.
    #[inline]
    #[must_use]
    pub fn typical(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }

    /// Whether it is usable beyond doubt, and the indicator [`READY`].
    #[inline]
    fn usual(&self, ready: u64) -> bool {
        // No part is larger than the sum of their magnitudes, which is NaN where a part is.
        let pairs = [self.high.abs() + self.close.abs(), self.low.abs() + self.volume.abs()];
        usual(pairs[0] + pairs[1], ready)
    }

    /// Whether it may enter an indicator's state.
    #[inline]
    fn usable(&self) -> bool {
        if self.usual(READY) {
            return true;
        }
        seldom();
        usable(self.high) && usable(self.low) && usable(self.close) && usable(self.volume)
    }
}

/// A streaming indicator over a series of values, such as closing prices, or of bars.
pub trait Indicator {
    /// Takes the next value; answers once warmed up. A value beyond [`VALUE_MAX`] or NaN changes nothing and gives
    /// `None`.
    fn update(&mut self, value: f64) -> Option<Values>;

    /// Takes the next bar, of which most indicators see the close alone.
    #[inline]
    fn update_bar(&mut self, bar: &BarValues) -> Option<Values> {
        self.update(bar.close)
    }

    /// Takes as many values as there is room for answers, `value(0)` and those after it, if it gains by having many at once;
    /// says how many it took, fewer where one has no answer. Of an indicator with one output that takes values, not bars.
    /// Each answer is exactly [`update`](Self::update)'s.
    #[inline]
    fn update_many(&mut self, _value: impl Fn(usize) -> f64, _answers: &mut [f64]) -> usize {
        0
    }

    /// How many more inputs until the first answer; 0 when ready. Before any input it is TA-Lib's look-back plus 1.
    fn warm_up(&self) -> usize;

    /// Forgets every input; keeps its memory.
    fn reset(&mut self);
}

/// Work with an indicator, whichever it is.
pub trait IndicatorVisitor {
    /// What comes of it.
    type Answer;

    /// Does it.
    fn visit(self, indicator: &mut impl Indicator) -> Self::Answer;
}

/// The enum of all indicators, and its dispatch.
macro_rules! any_indicator {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Any indicator of [`REGISTRY`], dispatched by a match: a `Vec<AnyIndicator>` is updated without a virtual
        /// call.
        #[derive(Debug, Clone)]
        pub enum AnyIndicator {
            $($(#[$doc])* $name($name),)+
        }

        impl AnyIndicator {
            /// Has what it is do some work: told which indicator it is once, not update by update.
            pub fn visited<V: IndicatorVisitor>(&mut self, visitor: V) -> V::Answer {
                match self {
                    $(Self::$name(i) => visitor.visit(i),)+
                }
            }
        }

        impl Indicator for AnyIndicator {
            #[inline]
            fn update(&mut self, value: f64) -> Option<Values> {
                match self {
                    $(Self::$name(i) => i.update(value),)+
                }
            }

            #[inline]
            fn update_bar(&mut self, bar: &BarValues) -> Option<Values> {
                match self {
                    $(Self::$name(i) => i.update_bar(bar),)+
                }
            }

            #[inline]
            fn update_many(&mut self, value: impl Fn(usize) -> f64, answers: &mut [f64]) -> usize {
                match self {
                    $(Self::$name(i) => i.update_many(value, answers),)+
                }
            }

            fn warm_up(&self) -> usize {
                match self {
                    $(Self::$name(i) => i.warm_up(),)+
                }
            }

            fn reset(&mut self) {
                match self {
                    $(Self::$name(i) => i.reset(),)+
                }
            }
        }
    };
}

any_indicator! {
    /// Simple moving average.
    Sma,
    /// Exponential moving average.
    Ema,
    /// Weighted moving average.
    Wma,
    /// Double exponential moving average.
    Dema,
    /// Triple exponential moving average.
    Tema,
    /// Hull's moving average.
    Hma,
    /// Relative strength index.
    Rsi,
    /// Moving average convergence/divergence.
    Macd,
    /// Momentum.
    Momentum,
    /// Rate of change.
    Roc,
    /// Bollinger bands.
    Bollinger,
    /// Standard deviation.
    Stddev,
    /// Linear regression.
    Linreg,
    /// Average true range.
    Atr,
    /// Average directional index.
    Adx,
    /// Stochastic oscillator.
    Stochastic,
    /// Williams' %R.
    Williams,
    /// Commodity channel index.
    Cci,
    /// Donchian channel.
    Donchian,
    /// Keltner channel.
    Keltner,
    /// On-balance volume.
    Obv,
    /// Volume-weighted average price.
    Vwap,
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
    fn many_at_once_are_answered_as_one_by_one() {
        for period in [1, 2, 3, 20, 64] {
            let all = all().into_iter().chain([AnyIndicator::Sma(Sma::new(period).unwrap())]);
            for (mut many, mut one) in all.clone().zip(all) {
                let mut prices = walk(700);
                (prices[333], prices[334], prices[601]) = (f64::NAN, -7.0, f64::INFINITY);
                let (mut at, mut round) = (0, 0);
                while at < prices.len() {
                    let (left, chunk) = (&prices[at..], round * 7 % 50);
                    round += 1;
                    let mut answers = vec![0.0; chunk.min(left.len())];
                    let took = many.update_many(|n| left[n], &mut answers);
                    for answer in &answers[..took] {
                        assert_eq!(
                            one.update(prices[at]).map(|v| v.first().to_bits()),
                            Some(answer.to_bits())
                        );
                        at += 1;
                    }
                    if let Some(price) = prices.get(at) {
                        assert_eq!(many.update(*price), one.update(*price), "{at}");
                        at += 1;
                    }
                }
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
