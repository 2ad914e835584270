//! The worst returns: value at risk and what lies beyond it.
//!
//! Both are historical, from the returns as they were, by period, and told as returns: −0.03 is a loss of 3 %.

use super::moments::mean;

/// The value below which a share `q` of the values lie, interpolated linearly (Hyndman and Fan's type 7, numpy's
/// default).
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    of_sorted(&sorted, q)
}

fn of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let at = q.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, share) = (at.floor() as usize, at.fract());
    let (low, high) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    Some(low + (high - low) * share)
}

/// Value at risk: the return that a share `cutoff` of the returns lie below (0.05 for 95 % confidence).
///
/// empyrical's `value_at_risk`. quantstats' is that of a normal distribution with the returns' mean and deviation.
#[must_use]
pub fn value_at_risk(returns: &[f64], cutoff: f64) -> Option<f64> {
    quantile(returns, cutoff)
}

/// Conditional value at risk, or expected shortfall: the mean of the returns at or below the value at risk.
///
/// empyrical's, and quantstats' with `method="historical"` (its default is a normal distribution's).
#[must_use]
pub fn conditional_value_at_risk(returns: &[f64], cutoff: f64) -> Option<f64> {
    let mut sorted = returns.to_vec();
    sorted.sort_by(f64::total_cmp);
    // A count rather than a comparison with the interpolated value, which rounding could put on either side.
    let last = (sorted.len().checked_sub(1)? as f64 * cutoff.clamp(0.0, 1.0)) as usize;
    mean(&sorted[..=last])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_values_it_is_interpolated() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(
            (quantile(&values, 0.0), quantile(&values, 1.0), quantile(&values, 0.5)),
            (Some(1.0), Some(4.0), Some(2.5))
        );
        assert_eq!((quantile(&[7.0], 0.05), quantile(&[], 0.05)), (Some(7.0), None));
    }

    #[test]
    fn the_shortfall_is_the_mean_of_the_worst() {
        let returns: Vec<f64> = (0..101).map(|n| f64::from(n - 50) / 100.0).collect();
        // Five per cent of a hundred steps: the sixth worst, exactly.
        assert!((value_at_risk(&returns, 0.05).expect("values") + 0.45).abs() < 1e-15);
        assert!((conditional_value_at_risk(&returns, 0.05).expect("values") + 0.475).abs() < 1e-15);
        assert_eq!(
            (conditional_value_at_risk(&[], 0.05), conditional_value_at_risk(&[-0.2], 0.01)),
            (None, Some(-0.2))
        );
    }
}
