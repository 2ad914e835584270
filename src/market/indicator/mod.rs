//! Streaming indicators, equal to TA-Lib: one value or bar in, at most one set of values out.
//!
//! Owns: the indicators, one file each, and [`REGISTRY`], the one table that config checking, help and docs are made
//! from. Reads no clock, keeps no history but its own window. Invariants: an update is O(1) (but for [`cci`], which says
//! why) on the average of a window: where there is one, an update in as many goes over it (see `window.rs`); it never
//! allocates, locks or panics; the n-th value equals TA-Lib's n-th value to 1e-9 relative however long the run; a value
//! that is not a usable number is passed over by [`Indicator::update`] and leaves no trace, and what else goes in is
//! [`Usable`] by its type; taken many at once, inputs have the answers that they have one by one, to the bit.
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
pub mod input;
pub mod keltner;
pub mod linreg;
pub mod macd;
mod many;
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
pub use input::{BarUnits, BarValues, Bars, BarsOfColumns, Input, Usable, VALUE_MAX};
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

/// A streaming indicator over a series of values, such as closing prices, or of bars.
///
/// One that has answered once answers each input after it.
pub trait Indicator {
    /// Takes the next value; answers once warmed up.
    fn advance(&mut self, value: Usable<f64>) -> Option<Values>;

    /// Takes the next bar, of which most indicators see the close alone.
    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        self.advance(bar.last())
    }

    /// Takes as many bars as there is room for answers, and puts what [`advance_bar`](Self::advance_bar) would answer to them
    /// one after the other; says how many it took: none where it is not yet warmed up.
    #[inline]
    fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
        if self.warm_up() > 0 {
            return 0;
        }
        let mut taken = 0;
        for answer in answers.chunks_exact_mut(self.outputs().max(1)) {
            let Some(values) = self.advance_bar(&bars.bar(taken)) else { break };
            answer.iter_mut().zip(values.as_slice()).for_each(|(to, from)| *to = *from);
            taken += 1;
        }
        taken
    }

    /// Takes the next value, unless it is NaN or beyond [`VALUE_MAX`]: such a one changes nothing and gives `None`.
    #[inline]
    fn update(&mut self, value: f64) -> Option<Values> {
        self.advance(Usable::new(value)?)
    }

    /// Takes the next bar, unless a part of it is NaN or beyond [`VALUE_MAX`]: such a one changes nothing and gives `None`.
    #[inline]
    fn update_bar(&mut self, bar: &BarValues) -> Option<Values> {
        self.advance_bar(&Usable::new(*bar)?)
    }

    /// How many values it gives at once, as many as its [`IndicatorSpec::outputs`].
    #[inline]
    fn outputs(&self) -> usize {
        1
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
            fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
                match self {
                    $(Self::$name(i) => i.advance(value),)+
                }
            }

            #[inline]
            fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
                match self {
                    $(Self::$name(i) => i.advance_bar(bar),)+
                }
            }

            #[inline]
            fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
                match self {
                    $(Self::$name(i) => i.advance_many(bars, answers),)+
                }
            }

            fn outputs(&self) -> usize {
                match self {
                    $(Self::$name(i) => i.outputs(),)+
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
                    assert_eq!(indicator.outputs(), spec.outputs.len(), "{}", spec.name);
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

    fn bars(len: usize) -> Vec<Usable<BarValues>> {
        let bar = |(n, close): (usize, f64)| {
            let spread = (n * 7_919 % 31) as f64 / 10.0;
            let bar = BarValues { high: close + spread, low: close - spread, close, volume: (n % 17) as f64 };
            Usable::new(bar).unwrap()
        };
        walk(len).into_iter().enumerate().map(bar).collect()
    }

    #[test]
    fn many_at_once_are_answered_as_one_by_one() {
        let bars = bars(700);
        for period in [1, 2, 3, 5, 20, 64] {
            // Those that have a loop of their own, where the default period is not all there is to it.
            let two = period.max(2);
            let periods = [
                AnyIndicator::Sma(Sma::new(period).unwrap()),
                AnyIndicator::Ema(Ema::new(period).unwrap()),
                AnyIndicator::Macd(Macd::new(two, two + 7, period).unwrap()),
                AnyIndicator::Momentum(Momentum::new(period).unwrap()),
                AnyIndicator::Roc(Roc::new(period).unwrap()),
                AnyIndicator::Stddev(Stddev::new(two).unwrap()),
                AnyIndicator::Bollinger(Bollinger::new(two, 1_500).unwrap()),
            ];
            let all = all().into_iter().chain(periods);
            for (mut many, mut one) in all.clone().zip(all) {
                let (outputs, mut at, mut round) = (many.outputs(), 0, 0);
                while at < bars.len() {
                    let (left, room) = (&bars[at..], round * 7 % 50);
                    round += 1;
                    // With room for a part of an answer, which it does not take.
                    let mut answers = vec![0.0; room.min(left.len()) * outputs + outputs - 1];
                    let took = many.advance_many(&left, &mut answers);
                    assert_eq!(took, if one.warm_up() > 0 { 0 } else { room.min(left.len()) });
                    for answer in answers.chunks_exact(outputs).take(took) {
                        let want = one.advance_bar(&bars[at]).expect("it has answered before");
                        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                        assert_eq!(bits(answer), bits(want.as_slice()), "{one:?}");
                        at += 1;
                    }
                    if let Some(bar) = bars.get(at) {
                        assert_eq!(many.advance_bar(bar), one.advance_bar(bar), "{at}");
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
