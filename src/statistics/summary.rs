//! All figures of one run at once.

use super::benchmark::{Comparison, alpha, beta, correlation};
use super::drawdown::{Drawdown, deepest, drawdowns, longest};
use super::moments::{excess_kurtosis, skew};
use super::periods::{Periods, Sample, at_times, returns};
use super::sharpe::Estimate;
use super::tail::{conditional_value_at_risk, value_at_risk};
use super::trades::{ClosedTrade, TradeStatistics};
use super::{ratios, stamp};
use crate::domain::Time;
use serde::{Deserialize, Serialize};

const YEAR_NS: f64 = 365.25 * 86_400e9;

/// What statistics are made of; every slice in order of time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inputs<'a> {
    /// What the account was worth; the first point is what it began with.
    pub equity: &'a [Sample],
    /// The value of all open positions, each without its sign, whenever it changed.
    pub exposure: &'a [Sample],
    /// When there was a position, from and until, in the order in which they began; they may overlap. Where not given,
    /// it is whenever `exposure` is above zero.
    pub held: Option<&'a [(Time, Time)]>,
    /// What to compare with: a price, or another account's worth.
    pub benchmark: Option<&'a [Sample]>,
    /// In the order in which they were closed.
    pub trades: &'a [ClosedTrade],
    /// Quantity times price of all fills.
    pub traded: f64,
    /// All fees paid; positive.
    pub fees: f64,
    /// All funding paid; negative was received.
    pub funding: f64,
    /// What fills cost against the prices at which orders were decided, where that is known; positive is a cost.
    pub slippage: Option<f64>,
    /// What those fills would have come to at the prices at which their orders were decided.
    pub decided: f64,
    /// What a period is; [`Periods::fitting`] where not given.
    pub periods: Option<Periods>,
    /// A year's return without risk.
    pub risk_free: f64,
}

/// The figures. Ratios are annual unless their name says otherwise; fractions, not per cents.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// The first moment of the curve.
    #[serde(with = "stamp")]
    pub begin: Time,
    /// The last.
    #[serde(with = "stamp")]
    pub end: Time,
    /// What returns are by, and how many of that a year has.
    pub periods: Periods,
    /// How many returns there are.
    pub returns: u64,
    /// What the account began with.
    pub start_equity: f64,
    /// What it ended with.
    pub end_equity: f64,
    /// End / start − 1.
    pub total_return: Option<f64>,
    /// See [`ratios::annual_return`]: by the count of periods.
    pub annual_return: Option<f64>,
    /// See [`ratios::cagr`]: by the calendar.
    pub cagr: Option<f64>,
    /// See [`ratios::volatility`].
    pub volatility: Option<f64>,
    /// See [`ratios::sharpe`].
    pub sharpe: Option<f64>,
    /// Not annualised: what the deflated ratio of a search is made of.
    pub sharpe_per_period: Option<f64>,
    /// See [`Estimate::probabilistic`], with threshold 0.
    pub probabilistic_sharpe: Option<f64>,
    /// See [`ratios::sortino`].
    pub sortino: Option<f64>,
    /// See [`ratios::calmar`].
    pub calmar: Option<f64>,
    /// The deepest fall, at every point of the curve.
    pub max_drawdown: Option<Drawdown>,
    /// The longest one, which may be another.
    pub longest_drawdown: Option<Drawdown>,
    /// See [`value_at_risk`]; of a period's return, at 95 %.
    pub value_at_risk_95: Option<f64>,
    /// At 99 %.
    pub value_at_risk_99: Option<f64>,
    /// See [`conditional_value_at_risk`]; at 95 %.
    pub conditional_value_at_risk_95: Option<f64>,
    /// At 99 %.
    pub conditional_value_at_risk_99: Option<f64>,
    /// Of a period's returns. See [`skew`].
    pub skew: Option<f64>,
    /// Of a period's returns; 0 for a normal distribution. See [`excess_kurtosis`].
    pub excess_kurtosis: Option<f64>,
    /// The best period's return.
    pub best_return: Option<f64>,
    /// The worst period's.
    pub worst_return: Option<f64>,
    /// Beside the benchmark, where there is one.
    pub benchmark: Option<Comparison>,
    /// The share of time with a position.
    pub time_in_market: Option<f64>,
    /// Mean of exposure / equity, weighted by time: 1 is all in, above it is leverage.
    pub mean_exposure: Option<f64>,
    /// What was traded, buying and selling, / the mean equity, a year of 365.25 days.
    pub turnover: Option<f64>,
    /// Quantity times price of all fills.
    pub traded: f64,
    /// Fees paid.
    pub fees: f64,
    /// Funding paid; negative was received.
    pub funding: f64,
    /// Implementation shortfall of what was filled (Perold 1988): what fills cost against the middle of bid and ask, or
    /// the last price where that is all there is, when their orders were decided; positive is a cost. So half the spread,
    /// what the market moved on an order's way, gaps, and what a model of slippage adds are in it; a resting order's fill
    /// is usually below nothing. Of an order that waited for a price it counts from that price. Fees are not in it, nor
    /// orders that never filled, nor liquidations.
    pub slippage: Option<f64>,
    /// The same in hundredths of a per cent of what those fills would have come to at the prices when they were decided.
    #[serde(default)]
    pub slippage_bps: Option<f64>,
    /// Of the trades.
    pub trades: TradeStatistics,
}

impl Statistics {
    /// Whether the account came to nothing, or owed.
    #[must_use]
    pub fn is_ruined(&self) -> bool {
        self.max_drawdown.is_some_and(|fall| fall.depth <= -1.0)
    }
}

/// The figures of one run.
#[must_use]
pub fn statistics(of: &Inputs<'_>) -> Statistics {
    let (first, last) = (of.equity.first(), of.equity.last());
    let [begin, end] = [first, last].map(|point| point.map_or(Time(0), |point| point.time));
    let [start_equity, end_equity] = [first, last].map(|point| point.map_or(0.0, |point| point.value));
    let span_ns = end.since(begin);
    let periods = of.periods.unwrap_or_else(|| Periods::fitting(of.equity));
    let sampled = periods.sample(of.equity);
    let returns = returns(&sampled);
    let per_year = periods.per_year;
    let risk_free = ratios::per_period(of.risk_free, per_year);
    let annual = |ratio: f64| ratio * per_year.sqrt();
    let falls = drawdowns(of.equity);
    // What came after there was nothing left is no growth of what was there.
    let ruined = of.equity.iter().any(|point| point.value <= 0.0);
    let (max_drawdown, annual_return) = (deepest(&falls), ratios::annual_return(&returns, per_year));
    let sharpe_per_period = ratios::sharpe(&returns, risk_free);
    Statistics {
        begin,
        end,
        periods,
        returns: returns.len() as u64,
        start_equity,
        end_equity,
        total_return: whole_return(of.equity),
        annual_return,
        cagr: ratios::cagr(start_equity, if ruined { 0.0 } else { end_equity }, span_ns),
        volatility: ratios::volatility(&returns, per_year),
        sharpe: sharpe_per_period.map(annual),
        sharpe_per_period,
        probabilistic_sharpe: Estimate::of(&returns, risk_free).and_then(|of| of.probabilistic(0.0)),
        sortino: ratios::sortino(&returns, risk_free).map(annual),
        calmar: annual_return.zip(max_drawdown).and_then(|(annual, fall)| ratios::calmar(annual, fall.depth)),
        max_drawdown,
        longest_drawdown: longest(&falls),
        value_at_risk_95: value_at_risk(&returns, 0.05),
        value_at_risk_99: value_at_risk(&returns, 0.01),
        conditional_value_at_risk_95: conditional_value_at_risk(&returns, 0.05),
        conditional_value_at_risk_99: conditional_value_at_risk(&returns, 0.01),
        skew: skew(&returns),
        excess_kurtosis: excess_kurtosis(&returns),
        best_return: returns.iter().copied().reduce(f64::max),
        worst_return: returns.iter().copied().reduce(f64::min),
        benchmark: of.benchmark.map(|benchmark| compare(benchmark, &sampled, &returns, risk_free, per_year)),
        time_in_market: match of.held {
            Some(held) => share_covered(held, begin, end),
            None => share_of_time(of.exposure, begin, end, |exposure| f64::from(u8::from(exposure > 0.0))),
        },
        mean_exposure: mean_exposure(of.exposure, of.equity, begin, end),
        turnover: turnover(of.traded, of.equity, begin, end),
        traded: of.traded,
        fees: of.fees,
        funding: of.funding,
        slippage: of.slippage,
        slippage_bps: of.slippage.filter(|_| of.decided > 0.0).map(|cost| cost / of.decided * 10_000.0),
        trades: TradeStatistics::of(of.trades),
    }
}

fn whole_return(points: &[Sample]) -> Option<f64> {
    let (first, last) = (points.first()?, points.last()?);
    if first.value > 0.0 { ratios::finite(last.value / first.value - 1.0) } else { None }
}

fn compare(
    benchmark: &[Sample],
    sampled: &[Sample],
    returns: &[f64],
    risk_free: f64,
    per_year: f64,
) -> Comparison {
    let beside = at_times(benchmark, sampled.iter().map(|point| point.time));
    let theirs = super::periods::returns(&beside);
    // A ruined account has fewer returns than its curve has points.
    let n = theirs.len().min(returns.len());
    let (returns, theirs) = (&returns[..n], &theirs[..n]);
    Comparison {
        total_return: whole_return(&beside),
        beta: beta(returns, theirs),
        alpha: alpha(returns, theirs, risk_free, per_year),
        correlation: correlation(returns, theirs),
    }
}

/// The share of the time that is in any of some stretches, which are in the order in which they begin.
fn share_covered(stretches: &[(Time, Time)], begin: Time, end: Time) -> Option<f64> {
    let whole = end.since(begin);
    if whole == 0 {
        return None;
    }
    let (mut covered, mut reached) = (0u64, begin);
    for &(from, until) in stretches {
        let until = until.min(end);
        covered += until.since(from.max(reached));
        reached = reached.max(until);
    }
    Some(covered as f64 / whole as f64)
}

/// The mean over time of a function of a value that holds until the next one; before the first it counts as of 0.
fn share_of_time(points: &[Sample], begin: Time, end: Time, of: impl Fn(f64) -> f64) -> Option<f64> {
    let whole = end.since(begin);
    if whole == 0 {
        return None;
    }
    let until = points.iter().skip(1).map(|point| point.time).chain([end]);
    let parts = points.iter().zip(until).map(|(point, until)| {
        let held = until.min(end).since(point.time.max(begin));
        held as f64 * of(point.value)
    });
    Some(parts.sum::<f64>() / whole as f64)
}

fn mean_exposure(exposure: &[Sample], equity: &[Sample], begin: Time, end: Time) -> Option<f64> {
    let beside = at_times(equity, exposure.iter().map(|point| point.time));
    let ratio = |(exposed, equity): (&Sample, Sample)| {
        let ratio = if equity.value > 0.0 { exposed.value / equity.value } else { 0.0 };
        Sample::new(exposed.time, ratio)
    };
    let ratios: Vec<Sample> = exposure.iter().zip(beside).map(ratio).collect();
    share_of_time(&ratios, begin, end, |ratio| ratio)
}

/// What was traded / the mean over time of what the account was worth, a year.
fn turnover(traded: f64, equity: &[Sample], begin: Time, end: Time) -> Option<f64> {
    let mean = share_of_time(equity, begin, end, |value| value).filter(|mean| *mean > 0.0)?;
    ratios::finite(traded / mean * YEAR_NS / end.since(begin) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000_000_000;

    fn daily(values: &[f64]) -> Vec<Sample> {
        (0..).zip(values).map(|(day, &value)| Sample::new(Time(day * DAY), value)).collect()
    }

    fn of(equity: &[Sample]) -> Statistics {
        statistics(&Inputs { equity, ..Inputs::default() })
    }

    #[test]
    fn curves_that_say_nothing_have_no_figures_and_no_nan() {
        for values in [&[][..], &[100.0], &[100.0, 100.0, 100.0, 100.0], &[0.0, 1.0], &[-1.0, -2.0, -3.0]] {
            let all = of(&daily(values));
            assert_eq!(
                (all.sharpe, all.probabilistic_sharpe, all.calmar.is_some_and(f64::is_nan)),
                (None, None, false)
            );
            let text = serde_json::to_string(&all).expect("no NaN is refused, it becomes null");
            assert_eq!(serde_json::from_str::<Statistics>(&text).expect("it reads"), all, "{values:?}");
        }
        assert_eq!(of(&daily(&[100.0, 100.0, 100.0])).volatility, Some(0.0));
        assert_eq!(of(&[]).total_return, None);
    }

    #[test]
    fn a_ruined_account_is_down_by_all_of_it() {
        let all = statistics(&Inputs {
            equity: &daily(&[100.0, 50.0, -20.0, -20.0, 10.0]),
            periods: Some(Periods::points(252.0)),
            benchmark: Some(&daily(&[1.0, 1.1, 1.2, 1.1, 1.0])),
            ..Inputs::default()
        });
        assert_eq!((all.returns, all.worst_return, all.annual_return), (2, Some(-1.0), Some(-1.0)));
        assert_eq!((all.max_drawdown.map(|fall| fall.depth), all.is_ruined()), (Some(-1.2), true));
        assert_eq!(all.total_return, Some(-0.9));
        // However much it had in the end: none of it grew from what was there.
        let back = statistics(&Inputs { equity: &daily(&[100.0, -20.0, 150.0]), ..Inputs::default() });
        assert_eq!((back.total_return, back.cagr), (Some(0.5), Some(-1.0)));
    }

    #[test]
    fn exposure_is_weighted_by_time() {
        let equity = daily(&[100.0, 100.0, 100.0, 200.0, 200.0]);
        let at = |day: f64, value| Sample::new(Time((day * DAY as f64) as u64), value);
        let all = statistics(&Inputs {
            equity: &equity,
            exposure: &[at(1.0, 50.0), at(2.0, 0.0), at(3.5, 400.0)],
            traded: 900.0,
            ..Inputs::default()
        });
        assert_eq!(all.time_in_market, Some(1.5 / 4.0));
        assert_eq!(all.mean_exposure, Some((0.5 + 0.5 * 2.0) / 4.0));
        let stretch = |from, until| (at(from, 0.0).time, at(until, 0.0).time);
        let held = [stretch(0.5, 1.5), stretch(1.0, 1.2), stretch(3.0, 9.0)];
        let by_stretches = statistics(&Inputs { equity: &equity, held: Some(&held), ..Inputs::default() });
        assert_eq!(by_stretches.time_in_market, Some(0.5));
        // 900 of a mean of 125 in four days.
        assert!((all.turnover.expect("defined") - 900.0 / 125.0 * 365.25 / 4.0).abs() < 1e-9);
    }
}
