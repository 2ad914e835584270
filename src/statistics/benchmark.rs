//! Beside a benchmark, such as buying and holding what was traded.

use super::moments::{covariance, deviation, mean, variance};
use serde::{Deserialize, Serialize};

/// What a benchmark says of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The benchmark's own return over the whole.
    pub total_return: Option<f64>,
    /// Beta: how much of the benchmark's movement the strategy shares. See [`beta`].
    pub beta: Option<f64>,
    /// Jensen's alpha, a year. See [`alpha`].
    pub alpha: Option<f64>,
    /// Correlation of the returns.
    pub correlation: Option<f64>,
}

/// Covariance with the benchmark / the benchmark's variance; none where the benchmark does not move.
#[must_use]
pub fn beta(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    let moves = variance(benchmark).filter(|variance| *variance > 0.0)?;
    Some(covariance(returns, benchmark)? / moves)
}

/// Jensen's alpha (1968), a year: (mean excess return − β · mean excess return of the benchmark) · periods a year.
///
/// quantstats' definition; empyrical compounds it, (1 + α)^(periods a year) − 1.
#[must_use]
pub fn alpha(returns: &[f64], benchmark: &[f64], risk_free: f64, periods_per_year: f64) -> Option<f64> {
    let beta = beta(returns, benchmark)?;
    Some(((mean(returns)? - risk_free) - beta * (mean(benchmark)? - risk_free)) * periods_per_year)
}

/// Pearson's correlation; none where either does not move.
#[must_use]
pub fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let both = deviation(a)? * deviation(b)?;
    if both > 0.0 { Some((covariance(a, b)? / both).clamp(-1.0, 1.0)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_benchmark_and_a_constant_has_beta_a_half() {
        let benchmark = [0.01, -0.02, 0.03, 0.005];
        let returns = benchmark.map(|r| 0.5 * r + 0.001);
        assert!((beta(&returns, &benchmark).expect("it moves") - 0.5).abs() < 1e-14);
        assert!((alpha(&returns, &benchmark, 0.0, 252.0).expect("it moves") - 0.252).abs() < 1e-14);
        assert!((correlation(&returns, &benchmark).expect("it moves") - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_benchmark_that_stands_still_says_nothing() {
        assert_eq!(beta(&[0.1, 0.2], &[0.0, 0.0]), None);
        assert_eq!(alpha(&[0.1, 0.2], &[0.0, 0.0], 0.0, 252.0), None);
        assert_eq!((correlation(&[0.1, 0.2], &[0.0, 0.0]), correlation(&[0.1], &[0.1])), (None, None));
    }
}
