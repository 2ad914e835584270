//! Growth, volatility, and what was earned for it: Sharpe, Sortino, Calmar.
//!
//! Returns are simple returns by period; a mean is annualised by the number of periods a year has, a deviation by its
//! square root (as if returns were independent). A risk-free rate is given by period; [`per_period`] makes it from a
//! yearly one.

use super::moments::{deviation, mean};

const YEAR_NS: f64 = 365.25 * 86_400e9;

/// A yearly rate by period: (1 + rate)^(1 / periods a year) − 1, as quantstats has it.
#[must_use]
pub fn per_period(yearly: f64, periods_per_year: f64) -> f64 {
    if yearly == 0.0 { 0.0 } else { (1.0 + yearly).powf(1.0 / periods_per_year) - 1.0 }
}

/// Π(1 + r) − 1.
#[must_use]
pub fn compounded(returns: &[f64]) -> Option<f64> {
    if returns.is_empty() {
        return None;
    }
    Some(returns.iter().map(|r| 1.0 + r).product::<f64>() - 1.0)
}

/// The yearly return that compounds to the whole in as many years as there are returns for:
/// (Π(1 + r))^(periods a year / n) − 1.
///
/// empyrical's `annual_return`, and quantstats' `cagr`. It goes by the count of periods, [`cagr`] by the calendar.
#[must_use]
pub fn annual_return(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    let growth = compounded(returns)? + 1.0;
    finite(growth.powf(periods_per_year / returns.len() as f64) - 1.0)
}

/// Compound annual growth rate by the calendar: (end / start)^(1 / years) − 1 with years of 365.25 days; −1 after ruin.
///
/// The textbook definition. Libraries that count periods instead give [`annual_return`] under this name.
#[must_use]
pub fn cagr(start: f64, end: f64, nanos: u64) -> Option<f64> {
    if start > 0.0 && nanos > 0 {
        finite((end / start).max(0.0).powf(YEAR_NS / nanos as f64) - 1.0)
    } else {
        None
    }
}

/// Standard deviation (n − 1) of returns, a year.
#[must_use]
pub fn volatility(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    deviation(returns).map(|deviation| deviation * periods_per_year.sqrt())
}

/// The Sharpe ratio by period: mean excess return / its standard deviation (n − 1). None where nothing varies.
///
/// Sharpe, *The Sharpe Ratio* (1994). Multiplied by √(periods a year) it is the annual one.
#[must_use]
pub fn sharpe(returns: &[f64], risk_free: f64) -> Option<f64> {
    let excess: Vec<f64> = returns.iter().map(|r| r - risk_free).collect();
    let deviation = deviation(&excess).filter(|deviation| *deviation > 0.0)?;
    Some(mean(&excess)? / deviation)
}

/// The Sortino ratio by period: mean excess return / √(mean of the squares of negative excess returns, over *all*
/// returns). None where nothing was lost.
///
/// Sortino and Price (1994). Some take the deviation of the losing returns alone, which makes rare losses look worse.
#[must_use]
pub fn sortino(returns: &[f64], risk_free: f64) -> Option<f64> {
    let downside = returns.iter().map(|r| (r - risk_free).min(0.0).powi(2)).sum::<f64>();
    let downside = (downside / returns.len() as f64).sqrt();
    if downside > 0.0 { Some((mean(returns)? - risk_free) / downside) } else { None }
}

/// Calmar ratio: [`annual_return`] / the size of the largest drawdown, over the whole curve.
///
/// Young, *Calmar Ratio* (1991), takes the last three years; empyrical and quantstats the whole, as here.
#[must_use]
pub fn calmar(annual_return: f64, max_drawdown: f64) -> Option<f64> {
    if max_drawdown < 0.0 { finite(annual_return / -max_drawdown) } else { None }
}

/// The value, if it is a number that can be told.
pub(super) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubling_in_two_years_is_41_per_cent_a_year() {
        let two_years = (2.0 * YEAR_NS) as u64;
        assert!((cagr(100.0, 200.0, two_years).expect("defined") - (2.0_f64.sqrt() - 1.0)).abs() < 1e-12);
        assert_eq!(cagr(100.0, -5.0, two_years), Some(-1.0));
        assert_eq!((cagr(0.0, 5.0, two_years), cagr(1.0, 5.0, 0)), (None, None));
        // One nanosecond's tripling is no number a year.
        assert_eq!(cagr(1.0, 3.0, 1), None);
    }

    #[test]
    fn what_never_varies_or_never_loses_has_no_ratio() {
        assert_eq!((sharpe(&[0.1; 50], 0.0), sharpe(&[0.1], 0.0), sharpe(&[], 0.0)), (None, None, None));
        assert_eq!((sortino(&[0.1, 0.0], 0.0), sortino(&[], 0.0)), (None, None));
        assert_eq!((calmar(0.1, 0.0), calmar(0.1, -0.2)), (None, Some(0.5)));
        assert_eq!((annual_return(&[], 252.0), compounded(&[])), (None, None));
    }

    #[test]
    fn ratios_by_hand() {
        // Mean 0.01, deviations ±0.02.
        let returns = [0.03, -0.01];
        let sharpe = sharpe(&returns, 0.0).expect("defined");
        assert!((sharpe - 0.01 / 0.0008_f64.sqrt()).abs() < 1e-15);
        assert!((sortino(&returns, 0.0).expect("defined") - 0.01 / 0.00005_f64.sqrt()).abs() < 1e-14);
        assert!((per_period(0.21, 2.0) - 0.1).abs() < 1e-15);
    }
}
