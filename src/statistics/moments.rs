//! Mean, variance, skewness, kurtosis, covariance: of samples, as pandas has them.

/// The arithmetic mean; nothing of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

/// The sum of the products of deviations from the means.
fn co_moment(a: &[f64], b: &[f64]) -> Option<f64> {
    let (mean_a, mean_b) = (mean(a)?, mean(b)?);
    Some(a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum())
}

/// The sample covariance (n − 1) of two series of one length; needs two values.
#[must_use]
pub fn covariance(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() < 2 || a.len() != b.len() {
        return None;
    }
    Some(co_moment(a, b)? / (a.len() - 1) as f64)
}

/// The sample variance (n − 1); needs two values. Zero where all values are equal but for rounding: equal numbers do
/// not have a mean of exactly themselves, and a ratio to such a remainder would be enormous and mean nothing.
#[must_use]
pub fn variance(values: &[f64]) -> Option<f64> {
    let variance = covariance(values, values)?;
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    Some(if variance.sqrt() <= largest * 1e-13 { 0.0 } else { variance })
}

/// The sample standard deviation (n − 1); needs two values.
#[must_use]
pub fn deviation(values: &[f64]) -> Option<f64> {
    variance(values).map(f64::sqrt)
}

/// Σ(x − mean)^power / n, divided by the population deviation to that power.
fn standard_moment(values: &[f64], power: i32) -> Option<f64> {
    // Equal values have no shape.
    variance(values).filter(|variance| *variance > 0.0)?;
    let (mean, n) = (mean(values)?, values.len() as f64);
    let central = |power: i32| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / n;
    Some(central(power) / central(2).sqrt().powi(power))
}

/// Skewness, adjusted for the size of the sample: G₁ = g₁ √(n(n−1)) / (n−2). Needs three values that are not all equal.
///
/// Joanes and Gill, *Comparing measures of sample skewness and kurtosis* (1998); pandas and quantstats have the same,
/// scipy by default the unadjusted g₁.
#[must_use]
pub fn skew(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if values.len() < 3 {
        return None;
    }
    Some(standard_moment(values, 3)? * (n * (n - 1.0)).sqrt() / (n - 2.0))
}

/// Excess kurtosis (0 of a normal distribution), adjusted for the size of the sample:
/// G₂ = (n−1) / ((n−2)(n−3)) · ((n+1) g₂ + 6). Needs four values that are not all equal.
///
/// Joanes and Gill (1998), as pandas and quantstats.
#[must_use]
pub fn excess_kurtosis(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if values.len() < 4 {
        return None;
    }
    let excess = standard_moment(values, 4)? - 3.0;
    Some((n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * excess + 6.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_values_have_no_moments() {
        assert_eq!((mean(&[]), variance(&[1.0]), skew(&[1.0, 2.0])), (None, None, None));
        assert_eq!(excess_kurtosis(&[1.0, 2.0, 3.0]), None);
        assert_eq!((covariance(&[1.0, 2.0], &[1.0]), covariance(&[1.0], &[1.0])), (None, None));
    }

    #[test]
    fn equal_values_do_not_vary_at_all() {
        // 0.1 has no exact f64; the mean of a thousand of them is not it.
        let equal = vec![0.1; 1_000];
        assert_eq!((variance(&equal), skew(&equal), excess_kurtosis(&equal)), (Some(0.0), None, None));
    }

    #[test]
    fn a_small_sample_by_hand() {
        // Mean 3, deviations -2 -1 3.
        let values = [1.0, 2.0, 6.0];
        assert_eq!((mean(&values), variance(&values)), (Some(3.0), Some(7.0)));
        // m2 = 14/3, m3 = 18/3: g1 = 6 / (14/3)^1.5, times √6 / 1.
        let want = 6.0 / (14.0_f64 / 3.0).powf(1.5) * 6.0_f64.sqrt();
        assert!((skew(&values).expect("three values") - want).abs() < 1e-14);
    }
}
