//! Bollinger bands: the mean of the last n values, and lines some standard deviations above and below it.
//!
//! TA-Lib's BBANDS over a simple average: the deviation is the population's (divided by n, not n - 1), a variance
//! that rounding has made negative counts as zero, and the first answer comes with the n-th input. As in TA-Lib 0.8, no
//! other variance does; release 0.6 takes one below 1e-14 for zero, which is every variance of the cheapest coins.
//!
//! The variance is Σx²/n - (Σx/n)², for large x a difference of nearly equal numbers that keeps few true digits. Both sums
//! are therefore of differences to a value of the window (see `window.rs`): the first term is then at most n + 1
//! times the variance, and as a rule near to it, so that digits are kept and an unchanged price has bands of no width.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::stddev::Stddev;
use super::{AnyIndicator, Bars, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "bollinger",
    doc: "Bollinger bands: the mean of the last `period` values, and `deviations` population deviations around it",
    params: &[
        Param::whole("period", "values in the window", 20, 2, PERIOD_MAX),
        Param::thousandths("deviations", "distance of the bands from the middle", 2_000),
    ],
    outputs: &["upper", "middle", "lower"],
    build: |params| Ok(AnyIndicator::Bollinger(Bollinger::new(period(params[0]), period(params[1]))?)),
};

/// Bollinger bands.
#[derive(Debug, Clone)]
pub struct Bollinger {
    deviations: f64,
    stddev: Stddev,
}

impl Bollinger {
    /// Bands over `period` values, `deviations_thousandths` / 1000 standard deviations from the middle.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`] and the deviations a tenth to 100.
    pub fn new(period: u32, deviations_thousandths: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into(), deviations_thousandths.into()])?;
        Ok(Self { deviations: f64::from(deviations_thousandths) / 1000.0, stddev: Stddev::new(period)? })
    }
}

/// The bands about a mean, of a variance.
#[inline]
fn bands(deviations: f64, (middle, variance): (f64, f64)) -> [f64; 3] {
    let distance = deviations * variance.sqrt();
    [middle + distance, middle, middle - distance]
}

impl Indicator for Bollinger {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.stddev.next(*value).map(|of| Values::three(bands(self.deviations, of)))
    }

    #[inline]
    fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
        let deviations = self.deviations;
        self.stddev.next_many(bars, answers, |of| bands(deviations, of))
    }

    fn outputs(&self) -> usize {
        3
    }

    fn warm_up(&self) -> usize {
        self.stddev.warm_up()
    }

    fn reset(&mut self) {
        self.stddev.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, walk};
    use super::*;

    fn by_definition(window: &[f64], deviations: f64) -> [f64; 3] {
        let n = window.len() as f64;
        let mean = window.iter().sum::<f64>() / n;
        let variance = window.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        [mean + deviations * variance.sqrt(), mean, mean - deviations * variance.sqrt()]
    }

    fn check(prices: &[f64], period: usize, thousandths: u32) {
        let mut bands = Bollinger::new(period as u32, thousandths).unwrap();
        let deviations = f64::from(thousandths) / 1000.0;
        for n in 0..prices.len() {
            let got = bands.update(prices[n]);
            let window = (n + 1).checked_sub(period).map(|from| &prices[from..=n]);
            let want = window.map(|w| by_definition(w, deviations));
            for i in 0..3 {
                assert_close(got.map(|v| v.as_slice()[i]), want.map(|w| w[i]), 1e-12);
            }
            // The width on its own, where an error of the variance cannot hide behind the mean.
            let width = |v: &[f64]| v[0] - v[2];
            assert_close(got.map(|v| width(v.as_slice())), want.map(|w| width(&w)), 1e-9);
        }
    }

    #[test]
    fn they_lie_deviations_around_the_mean() {
        check(&walk(1_000), 20, 2_000);
        check(&walk(1_000), 5, 1_500);
        check(&walk(1_000), 200, 2_000);
    }

    #[test]
    fn they_do_not_drift_and_forget_a_bad_tick() {
        let mut prices = walk(100_000);
        prices[50_000] = 1e9;
        check(&prices, 20, 2_000);
    }

    #[test]
    fn they_forget_even_an_absurd_value_after_two_windows() {
        let prices = walk(1_000);
        let (mut disturbed, mut calm) =
            (Bollinger::new(20, 2_000).unwrap(), Bollinger::new(20, 2_000).unwrap());
        for (n, price) in prices.into_iter().enumerate() {
            let got = disturbed.update(if n == 500 { 1e100 } else { price });
            let want = calm.update(price);
            if !(500..540).contains(&n) {
                assert_close(got.map(|v| v.first()), want.map(|v| v.first()), 1e-14);
            }
        }
    }

    #[test]
    fn the_cheapest_coins_have_the_same_bands_in_small() {
        // A power of two, which changes no rounding: no threshold may take a small price's variance for nothing.
        let scale = 0.5f64.powi(60);
        let (mut small, mut large) = (Bollinger::new(20, 2_000).unwrap(), Bollinger::new(20, 2_000).unwrap());
        for price in walk(1_000) {
            let all = |bands: Option<Values>| bands.map(|v| v.as_slice().to_vec()).unwrap_or_default();
            let (small, large) = (all(small.update(price * scale)), all(large.update(price)));
            assert_eq!(small, large.iter().map(|value| value * scale).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_unchanged_price_has_no_width_even_after_movement() {
        // Wherever in a turn of the window it begins to stand still.
        for moved in 10_000..10_020 {
            let mut bands = Bollinger::new(20, 2_000).unwrap();
            for price in walk(moved) {
                bands.update(price);
            }
            let last = (0..20).filter_map(|_| bands.update(201.37)).last().unwrap();
            assert!(last.first() - last.as_slice()[2] < 1e-10, "{last:?}");
        }
    }

    #[test]
    fn they_forget_a_bad_tick_wherever_in_a_turn_it_was() {
        for at in 500..520 {
            let mut prices = walk(600);
            prices[at] = 1e9;
            check(&prices, 20, 2_000);
        }
    }
}
