//! Moving average convergence/divergence: fast EMA - slow EMA, its EMA (the signal), and their difference.
//!
//! TA-Lib's MACD: the fast average is seeded late, by the newest of the values that seed the slow one, so that both
//! begin on the same input; the signal is seeded by the mean of the first macd values; nothing is given until all
//! three are there, with input slow + signal - 1. (Libraries that seed the fast average at once differ from this in
//! the first hundred values or so.) A fast period above the slow one is exchanged with it.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, Bars, Ema, Indicator, Usable, Values, many, seldom};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "macd",
    doc: "moving average convergence/divergence: fast EMA - slow EMA, its EMA, and the difference of the two",
    params: &[
        Param::whole("fast", "period of the fast average", 12, 2, PERIOD_MAX),
        Param::whole("slow", "period of the slow average", 26, 2, PERIOD_MAX),
        Param::whole("signal", "period of the signal", 9, 1, PERIOD_MAX),
    ],
    outputs: &["macd", "signal", "histogram"],
    build: |params| {
        Ok(AnyIndicator::Macd(Macd::new(period(params[0]), period(params[1]), period(params[2]))?))
    },
};

/// Moving average convergence/divergence.
#[derive(Debug, Clone)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
    /// Inputs the fast average has still to be kept from, so that both averages begin together.
    fast_waits: u32,
    fast_waits_at_first: u32,
}

impl Macd {
    /// The difference of two averages and its own average over `signal`.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `fast` and `slow` are 2 and `signal` 1 to [`PERIOD_MAX`].
    pub fn new(fast: u32, slow: u32, signal: u32) -> Result<Self, ParamError> {
        SPEC.check(&[fast.into(), slow.into(), signal.into()])?;
        let (fast, slow) = (fast.min(slow), fast.max(slow));
        Ok(Self {
            fast: Ema::new(fast)?,
            slow: Ema::new(slow)?,
            signal: Ema::new(signal)?,
            fast_waits: slow - fast,
            fast_waits_at_first: slow - fast,
        })
    }
}

impl Macd {
    /// Takes one of the first values, up to the first that is answered.
    #[inline(always)]
    fn begin(&mut self, value: f64) -> Option<Values> {
        let slow = self.slow.next(value);
        if self.fast_waits > 0 {
            self.fast_waits -= 1;
            return None;
        }
        let macd = self.fast.next(value)? - slow?;
        let signal = self.signal.next(macd)?;
        Some(Values::three([macd, signal, macd - signal]))
    }

    /// The next answer, where there was one before; `value` is usable.
    #[inline]
    fn step(&mut self, value: f64) -> [f64; 3] {
        let macd = self.fast.step(value) - self.slow.step(value);
        let signal = self.signal.step(macd);
        [macd, signal, macd - signal]
    }
}

impl Indicator for Macd {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        if self.signal.is_ready() {
            return Some(Values::three(self.step(*value)));
        }
        seldom();
        self.begin(*value)
    }

    #[inline]
    fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
        if !self.signal.is_ready() {
            return 0;
        }
        let mut macd = self.clone();
        let taken = many::each(bars, answers, |bar| macd.step(bar.close));
        *self = macd;
        taken
    }

    fn outputs(&self) -> usize {
        3
    }

    fn warm_up(&self) -> usize {
        // The input that makes the slow average ready also gives the signal its first value.
        self.slow.warm_up().saturating_sub(1) + self.signal.warm_up()
    }

    fn reset(&mut self) {
        self.fast.reset();
        self.slow.reset();
        self.signal.reset();
        self.fast_waits = self.fast_waits_at_first;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, ema_by_weights, walk};
    use super::*;

    fn k(period: usize) -> f64 {
        2.0 / (period as f64 + 1.0)
    }

    #[test]
    fn it_is_the_difference_of_two_averages_that_begin_together() {
        let prices = walk(300);
        for (fast, slow, signal) in [(12, 26, 9), (5, 35, 5), (3, 3, 1)] {
            let mut macd = Macd::new(fast as u32, slow as u32, signal as u32).unwrap();
            let macds: Vec<f64> = (slow..=prices.len())
                .map(|n| {
                    let fast = ema_by_weights(&prices[slow - fast..n], fast, k(fast));
                    fast.unwrap() - ema_by_weights(&prices[..n], slow, k(slow)).unwrap()
                })
                .collect();
            for (n, &price) in prices.iter().enumerate() {
                let got = macd.update(price);
                let upto = (n + 2).saturating_sub(slow);
                let want_signal = ema_by_weights(&macds[..upto], signal, k(signal));
                let want = want_signal.map(|signal| [macds[upto - 1], signal, macds[upto - 1] - signal]);
                for i in 0..3 {
                    assert_close(got.map(|v| v.as_slice()[i]), want.map(|v| v[i]), 1e-10);
                }
            }
        }
    }

    #[test]
    fn fast_and_slow_may_come_in_either_order() {
        let (mut a, mut b) = (Macd::new(12, 26, 9).unwrap(), Macd::new(26, 12, 9).unwrap());
        for price in walk(100) {
            assert_eq!(a.update(price), b.update(price));
        }
    }
}
