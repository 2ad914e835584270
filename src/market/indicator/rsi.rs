//! Relative strength index (Wilder, 1978): 100 × average gain / (average gain + average loss).
//!
//! TA-Lib's RSI: both averages start as the mean over the first n changes, then move by Wilder's smoothing
//! (previous × (n - 1) + newest) / n; the first answer comes with input n + 1. Where nothing has moved at all the
//! answer is 0, not 50. As in TA-Lib 0.8, "nothing" is exactly zero; release 0.6 calls an average movement below 1e-14
//! nothing, and so answers 0 after some 450 unchanged prices whatever went before.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, Indicator, Usable, Values, seldom};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "rsi",
    doc: "relative strength index with Wilder's smoothing, 0 to 100; 0 where nothing has moved",
    params: &[Param::whole("period", "changes in the first averages", 14, 2, PERIOD_MAX)],
    outputs: &["rsi"],
    build: |params| Ok(AnyIndicator::Rsi(Rsi::new(period(params[0]))?)),
};

/// Relative strength index.
#[derive(Debug, Clone)]
pub struct Rsi {
    period: u32,
    /// Inputs still missing; the first of them only gives the changes something to start from.
    missing: u32,
    previous: f64,
    /// What smoothing leaves of a sum, (n - 1) / n.
    kept: f64,
    /// Sums of gains, with the other sign, and of all changes, smoothed once all of the first are there. Both averages are
    /// these by n, and only their quotient is asked for.
    minus_gain: f64,
    movement: f64,
}

impl Rsi {
    /// An index over averages of `period` changes.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self::empty(period))
    }

    fn empty(period: u32) -> Self {
        let kept = f64::from(period - 1) / f64::from(period);
        Self { period, missing: period + 1, previous: 0.0, kept, minus_gain: -0.0, movement: 0.0 }
    }

    /// Takes one of the first values; the change to the very first is none.
    #[inline(always)]
    fn gather(&mut self, value: f64) -> Option<Values> {
        let back = self.previous - value;
        self.previous = value;
        if self.missing <= self.period {
            self.minus_gain += minus_gain(back);
            self.movement += back.abs();
        }
        self.missing -= 1;
        if self.missing > 0 {
            return None;
        }
        Some(self.value())
    }

    /// The next index, where there was one before; `value` is usable.
    #[inline]
    fn step(&mut self, value: f64) -> Values {
        let back = self.previous - value;
        self.previous = value;
        self.minus_gain = self.minus_gain * self.kept + minus_gain(back);
        self.movement = self.movement * self.kept + back.abs();
        self.value()
    }

    #[inline]
    fn value(&mut self) -> Values {
        // Less than this there is not without there being nothing, and of nothing no part is gain.
        const LEAST: f64 = f64::from_bits(1);
        self.movement = if self.movement > LEAST { self.movement } else { LEAST };
        Values::one(-100.0 * (self.minus_gain / self.movement))
    }
}

/// What of the way back to the value before is gain, with the other sign, and a zero with it.
#[inline]
fn minus_gain(back: f64) -> f64 {
    if back < 0.0 { back } else { -0.0 }
}

impl Indicator for Rsi {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        if self.missing > 0 {
            seldom();
            return self.gather(*value);
        }
        Some(self.step(*value))
    }

    fn warm_up(&self) -> usize {
        self.missing as usize
    }

    fn reset(&mut self) {
        *self = Self::empty(self.period);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, ema_by_weights, walk};
    use super::*;

    #[test]
    fn it_is_the_share_of_gains_in_smoothed_movement() {
        for period in [2, 14] {
            let prices = walk(400);
            let gains: Vec<f64> = prices.windows(2).map(|p| (p[1] - p[0]).max(0.0)).collect();
            let losses: Vec<f64> = prices.windows(2).map(|p| (p[0] - p[1]).max(0.0)).collect();
            let mut rsi = Rsi::new(period).unwrap();
            // Wilder's smoothing is an exponential average with k = 1 / n.
            let (len, k) = (period as usize, 1.0 / f64::from(period));
            for n in 0..prices.len() {
                let got = rsi.update(prices[n]).map(|v| v.first());
                let gain = ema_by_weights(&gains[..n], len, k);
                let loss = ema_by_weights(&losses[..n], len, k);
                let want = gain.zip(loss).map(|(gain, loss)| 100.0 - 100.0 / (1.0 + gain / loss));
                assert_close(got, want, 1e-10);
            }
        }
    }

    #[test]
    fn it_is_zero_where_nothing_moved_and_holds_where_movement_stopped() {
        let mut rsi = Rsi::new(2).unwrap();
        let series = [5.0, 5.0, 5.0, 5.0, 6.0, 5.5, 5.5, 5.5];
        let got: Vec<f64> = series.iter().filter_map(|&v| rsi.update(v)).map(|v| v.first()).collect();
        // After the last change gain : loss is 1/4 : 1/4; unchanged prices shrink both alike.
        assert_eq!(got, [0.0, 0.0, 100.0, 50.0, 50.0, 50.0]);
    }
}
