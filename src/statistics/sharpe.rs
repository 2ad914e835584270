//! How much a Sharpe ratio can be believed: the probabilistic and the deflated one.
//!
//! Ratios here are by period, never annualised.

use super::moments::{excess_kurtosis, mean, skew, variance};
use super::normal::{cdf, quantile};
use super::ratios;

/// The Euler–Mascheroni constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// A Sharpe ratio by period, with what its error depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// By period.
    pub sharpe: f64,
    /// How many returns it is of.
    pub returns: u64,
    /// Their skewness.
    pub skew: f64,
    /// Their excess kurtosis: 0 for a normal distribution.
    pub excess_kurtosis: f64,
}

impl Estimate {
    /// Of returns; needs four, not all equal.
    #[must_use]
    pub fn of(returns: &[f64], risk_free: f64) -> Option<Self> {
        Some(Self {
            sharpe: ratios::sharpe(returns, risk_free)?,
            returns: returns.len() as u64,
            skew: skew(returns)?,
            excess_kurtosis: excess_kurtosis(returns)?,
        })
    }

    /// The probability that the true ratio is above `threshold` (by period too).
    ///
    /// Bailey and López de Prado, *The Sharpe Ratio Efficient Frontier* (2012):
    /// Φ((SR − SR₀) √(n − 1) / √(1 − γ₃ SR + (γ₄ − 1)/4 SR²)), γ₄ = 3 for a normal distribution. With threshold 0 it is
    /// quantstats' `probabilistic_sharpe_ratio`. Skewness and kurtosis are the adjusted ones, as there; the paper's
    /// examples do not say.
    #[must_use]
    pub fn probabilistic(&self, threshold: f64) -> Option<f64> {
        let n = self.returns.checked_sub(1).filter(|n| *n > 0)? as f64;
        let sr = self.sharpe;
        let spread = 1.0 - self.skew * sr + (self.excess_kurtosis + 2.0) / 4.0 * sr * sr;
        // Moments that no distribution has could make it negative.
        (spread > 0.0).then(|| cdf((sr - threshold) * (n / spread).sqrt()))
    }
}

/// The best Sharpe ratio to be expected of `trials` strategies without any skill, whose ratios have this variance:
/// √V ((1 − γ) Φ⁻¹(1 − 1/N) + γ Φ⁻¹(1 − 1/(N e))).
///
/// Bailey and López de Prado, *The Deflated Sharpe Ratio* (2014). 0 for a single trial.
#[must_use]
pub fn expected_best(trials: u64, variance: f64) -> f64 {
    if trials < 2 || variance.is_nan() || variance <= 0.0 {
        return 0.0;
    }
    let n = trials as f64;
    let e = std::f64::consts::E;
    let [likely, rare] = [1.0 / n, 1.0 / (n * e)].map(|tail| -quantile(tail));
    variance.sqrt() * ((1.0 - EULER_GAMMA) * likely + EULER_GAMMA * rare)
}

/// What the ratios of a search, one a trial, say of any single one: the threshold that luck alone would reach.
///
/// The trials count as independent, which those next to each other in a grid are not: the threshold is rather too
/// high than too low.
#[must_use]
pub fn threshold_of(ratios: &[f64]) -> f64 {
    expected_best(ratios.len() as u64, variance(ratios).unwrap_or(0.0))
}

/// The deflated Sharpe ratio of one of several trials: the probability that its true ratio is above what the best of
/// as many unskilled ones would show. Above 0.95 is commonly asked for.
#[must_use]
pub fn deflated(of: &Estimate, ratios: &[f64]) -> Option<f64> {
    mean(ratios)?;
    of.probabilistic(threshold_of(ratios))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numerical example of the paper of 2014: an annual ratio of 2.5 of five years of 250 days, skewness −3,
    /// kurtosis 10, the variance of annual ratios ½.
    fn example() -> Estimate {
        Estimate { sharpe: 2.5 / 250_f64.sqrt(), returns: 1250, skew: -3.0, excess_kurtosis: 7.0 }
    }

    #[test]
    fn the_papers_example_comes_out() {
        let threshold = |trials| expected_best(trials, 0.5 / 250.0);
        assert!((threshold(100) - 0.1132).abs() < 5e-5, "{}", threshold(100));
        let deflated = |trials| example().probabilistic(threshold(trials)).expect("defined");
        assert!((deflated(100) - 0.9004).abs() < 5e-5, "{}", deflated(100));
        assert!((deflated(46) - 0.9505).abs() < 5e-5, "{}", deflated(46));
    }

    #[test]
    fn one_trial_is_not_deflated() {
        let of = example();
        assert_eq!(deflated(&of, &[of.sharpe]), of.probabilistic(0.0));
        assert_eq!(deflated(&of, &[]), None);
        assert_eq!(expected_best(5, 0.0), 0.0);
    }

    #[test]
    fn too_few_returns_say_nothing() {
        assert_eq!(Estimate::of(&[0.1, -0.1, 0.2], 0.0), None);
        assert_eq!(Estimate { returns: 1, ..example() }.probabilistic(0.0), None);
        assert_eq!(Estimate { returns: 0, ..example() }.probabilistic(0.0), None);
    }
}
