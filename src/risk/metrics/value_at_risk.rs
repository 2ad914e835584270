//! Value at risk and expected shortfall.

use serde::Serialize;

/// How sure one wants to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// In 95 of 100 periods.
    P95,
    /// In 99 of 100 periods.
    P99,
}

/// What could be lost in a period. Positive is a loss; never less than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Tail {
    /// No more than this, with the confidence asked for (VaR).
    pub value_at_risk: f64,
    /// On average, in the periods that are worse (CVaR, expected shortfall).
    pub expected_shortfall: f64,
}

impl Confidence {
    /// Per cent.
    #[must_use]
    pub const fn percent(self) -> f64 {
        match self {
            Self::P95 => 95.0,
            Self::P99 => 99.0,
        }
    }

    /// The quantile of the standard normal distribution.
    const fn normal_quantile(self) -> f64 {
        match self {
            Self::P95 => 1.644_853_626_951_472_2,
            Self::P99 => 2.326_347_874_040_840_8,
        }
    }
}

/// By the profits of the past: the loss that so many per cent of the periods did not exceed, and the mean of those that
/// did, or equalled it.
#[must_use]
pub fn historical(profits: &[f64], at: Confidence) -> Tail {
    if profits.is_empty() {
        return Tail::default();
    }
    let mut losses: Vec<f64> = profits.iter().map(|profit| -profit).collect();
    losses.sort_by(f64::total_cmp);
    let n = losses.len();
    // The smallest loss that at least the asked for part of the periods does not exceed.
    let rank = (at.percent() * n as f64 / 100.0).ceil() as usize;
    let index = rank.clamp(1, n) - 1;
    let tail = &losses[index..];
    let mean = tail.iter().sum::<f64>() / tail.len() as f64;
    Tail { value_at_risk: losses[index].max(0.0), expected_shortfall: mean.max(0.0) }
}

/// By a normal distribution of the profit.
#[must_use]
pub fn parametric(mean: f64, deviation: f64, at: Confidence) -> Tail {
    let z = at.normal_quantile();
    let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    let beyond = 1.0 - at.percent() / 100.0;
    Tail {
        value_at_risk: (z * deviation - mean).max(0.0),
        expected_shortfall: (deviation * density / beyond - mean).max(0.0),
    }
}
