//! Risk metrics: what a portfolio could lose, and how near it is to its limits.
//!
//! A pure function over a snapshot, for a thread beside the run: nothing here is on an order's way, and nothing here
//! decides. Amounts are f64: these are statistics about money, never money. Losses are positive numbers.
//!
//! Sources: value at risk and expected shortfall by history and by the normal distribution as in any textbook
//! (Jorion, *Value at Risk*); concentration by Herfindahl and Hirschman.

mod correlation;
mod returns;
mod value_at_risk;

pub use correlation::Matrix;
pub use returns::Returns;
pub use value_at_risk::{Confidence, Tail, historical, parametric};

use serde::Serialize;

/// One instrument's part of a portfolio.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Holding {
    /// What it is.
    #[serde(rename = "instrument")]
    pub name: String,
    /// Value at the mark, in the portfolio's currency; negative where short.
    #[serde(rename = "value")]
    pub exposure: f64,
}

/// What is used of a limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitUse {
    /// Which limit.
    pub name: String,
    /// How much is used.
    pub used: f64,
    /// How much there may be.
    pub limit: f64,
}

/// How often orders are sent.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Rates {
    /// New orders in the last second.
    pub orders_per_s: f64,
    /// Cancels in the last second.
    pub cancels_per_s: f64,
    /// New orders in the last minute.
    pub orders_per_min: f64,
    /// Orders for each fill, over all; none where nothing filled.
    pub orders_per_fill: Option<f64>,
}

/// What metrics are computed from.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// The holdings, in the order of the returns' columns.
    pub holdings: &'a [Holding],
    /// What the instruments did.
    pub returns: &'a Returns,
    /// Equity now.
    pub equity: f64,
    /// The highest it was.
    pub equity_peak: f64,
    /// What it was when the day began.
    pub equity_day_start: f64,
    /// How often orders are sent.
    pub rates: Rates,
    /// The limits.
    pub limits: &'a [LimitUse],
}

/// A limit, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distance {
    /// Which limit.
    pub name: String,
    /// How much is used.
    pub used: f64,
    /// How much there may be.
    pub limit: f64,
    /// What is left of it, per cent; negative where it is exceeded.
    pub left_percent: f64,
}

/// What could be lost, at one confidence, over one period of the returns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Losses {
    /// The confidence, per cent.
    pub confidence: f64,
    /// By the past itself.
    pub historical: Tail,
    /// By a normal distribution with the past's mean and covariance.
    pub parametric: Tail,
}

/// The metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// Sum of absolute exposures.
    pub gross: f64,
    /// Sum of exposures.
    pub net: f64,
    /// Gross exposure over equity; none where there is no equity.
    pub leverage: Option<f64>,
    /// Below the highest equity.
    pub drawdown: f64,
    /// The same, per cent of the highest.
    pub drawdown_percent: f64,
    /// Profit of the day.
    pub day_profit: f64,
    /// Periods that `losses` and `volatility` are of: those in which all that is held was known ([`Returns::known`]).
    pub periods_known: usize,
    /// What could be lost, at 95 and at 99 per cent; none before there are two such periods.
    pub losses: Vec<Losses>,
    /// Standard deviation of the portfolio's profit over a period; not known before there are two such periods.
    pub volatility: Option<f64>,
    /// Standard deviation of each instrument's return over the periods in which it was known; not known of one that had
    /// fewer than two of them in the window.
    pub volatilities: Vec<Option<f64>>,
    /// Correlations of the instruments' returns, of each pair over the periods in which both were known.
    #[serde(skip)]
    pub correlation: Matrix,
    /// The largest exposure's part of gross, 0 to 1.
    pub largest_part: f64,
    /// The sum of the squares of all parts: 1 is one instrument alone, 1/n is n alike.
    pub herfindahl: f64,
    /// How often orders are sent.
    pub rates: Rates,
    /// How far each limit is, the nearest first.
    pub limits: Vec<Distance>,
}

impl Metrics {
    /// Computes everything. Exposures that are not finite count as nothing.
    #[must_use]
    pub fn of(snapshot: &Snapshot<'_>) -> Self {
        let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
        let exposures: Vec<f64> = snapshot.holdings.iter().map(|h| finite(h.exposure)).collect();
        let gross: f64 = exposures.iter().map(|e| e.abs()).sum();
        let net: f64 = exposures.iter().sum();
        let part = |exposure: &f64| if gross > 0.0 { exposure.abs() / gross } else { 0.0 };
        let drawdown = (snapshot.equity_peak - snapshot.equity).max(0.0);

        let returns = snapshot.returns;
        let volatilities = (0..returns.columns()).map(|column| returns.deviation(column)).collect();
        let held: Vec<usize> = (0..exposures.len()).filter(|at| exposures[*at] != 0.0).collect();
        // Silence is no calm: what no news came of says nothing of what it could lose.
        let known = returns.known(&held);
        let profits = known.profits(&exposures);
        let mean: f64 = exposures.iter().zip(known.means()).map(|(e, m)| e * m).sum();
        let volatility = known.covariance().quadratic(&exposures).max(0.0).sqrt();
        let losses = match known.rows() {
            0 | 1 => Vec::new(),
            _ => [Confidence::P95, Confidence::P99]
                .map(|at| Losses {
                    confidence: at.percent(),
                    historical: historical(&profits, at),
                    parametric: parametric(mean, volatility, at),
                })
                .to_vec(),
        };
        let mut limits: Vec<Distance> = snapshot.limits.iter().map(distance).collect();
        limits.sort_by(|a, b| a.left_percent.total_cmp(&b.left_percent));
        Self {
            gross,
            net,
            leverage: (snapshot.equity > 0.0).then(|| gross / snapshot.equity),
            drawdown,
            drawdown_percent: if snapshot.equity_peak > 0.0 {
                100.0 * drawdown / snapshot.equity_peak
            } else {
                0.0
            },
            day_profit: snapshot.equity - snapshot.equity_day_start,
            periods_known: known.rows(),
            losses,
            volatility: (known.rows() > 1 || held.is_empty()).then_some(volatility),
            correlation: returns.correlation(),
            volatilities,
            largest_part: exposures.iter().map(part).fold(0.0, f64::max),
            herfindahl: exposures.iter().map(part).map(|p| p * p).sum(),
            rates: snapshot.rates,
            limits,
        }
    }
}

fn distance(of: &LimitUse) -> Distance {
    let left_percent = match of.limit > 0.0 {
        true => 100.0 * (of.limit - of.used) / of.limit,
        // A limit of nothing is kept by nothing alone.
        false if of.used > 0.0 => f64::NEG_INFINITY,
        false => 0.0,
    };
    Distance { name: of.name.clone(), used: of.used, limit: of.limit, left_percent }
}
