//! Statistics of what a backtest did: curves, trades and tables out of an [`Outcome`].

use super::periods::{Periods, Sample};
use super::summary::{Inputs, Statistics, statistics};
use super::trades::{ClosedTrade, TradeStatistics};
use crate::domain::performance::{FillRow, Outcome, RoundTrip};
use crate::domain::{Price, Qty, Time};

/// What statistics go by besides the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Conventions {
    /// What a period is; [`Periods::fitting`] where not given.
    pub periods: Option<Periods>,
    /// A year's return without risk.
    pub risk_free: f64,
}

/// The figures of a run.
#[must_use]
pub fn of_outcome(outcome: &Outcome, by: &Conventions) -> Statistics {
    let equity = equity(outcome);
    let benchmark = buy_and_hold(outcome);
    let everything = Selection { strategy: None, instrument: None };
    let slippage = everything.slippage(outcome);
    statistics(&Inputs {
        equity: &equity,
        exposure: &exposure(outcome),
        held: Some(&held(outcome)),
        benchmark: (!benchmark.is_empty()).then_some(&benchmark[..]),
        trades: &everything.closed(outcome),
        traded: outcome.number(everything.traded(outcome)),
        fees: outcome.number(everything.fees(outcome)),
        funding: outcome.number(everything.funding(outcome)),
        slippage: slippage.map(|(cost, _)| cost),
        decided: slippage.map_or(0.0, |(_, value)| value),
        periods: by.periods,
        risk_free: by.risk_free,
    })
}

/// What the account was worth: at the beginning, and at each point.
#[must_use]
pub fn equity(outcome: &Outcome) -> Vec<Sample> {
    let start = Sample::new(outcome.from, outcome.number(outcome.start));
    let points = outcome.equity.iter().map(|point| Sample::new(point.time, outcome.number(point.equity)));
    // A first point that is the start itself is not another one.
    let mut all = vec![start];
    all.extend(points.skip_while(|point| *point == start));
    all
}

/// The value of all positions, each without its sign, as it was at the points of the equity.
#[must_use]
pub fn exposure(outcome: &Outcome) -> Vec<Sample> {
    let gross = |point: &crate::domain::performance::EquityPoint| {
        Sample::new(point.time, outcome.number(point.long.saturating_add(point.short)))
    };
    outcome.equity.iter().map(gross).collect()
}

/// When there was a position, trade by trade; what is open at the end, until then.
fn held(outcome: &Outcome) -> Vec<(Time, Time)> {
    let stretch = |trip: &RoundTrip| (trip.entry_time, trip.exit_time.unwrap_or(outcome.until));
    let mut all: Vec<(Time, Time)> = outcome.trips.iter().map(stretch).collect();
    all.sort_unstable();
    all
}

/// What buying all instruments with prices for equal amounts at their first price, and holding them, was worth: 1 at
/// first. The benchmark of a backtest.
#[must_use]
pub fn buy_and_hold(outcome: &Outcome) -> Vec<Sample> {
    let mut growth: Vec<Option<(Price, f64)>> = vec![None; outcome.instruments.len()];
    for point in outcome.prices.iter().filter(|point| point.price.0 > 0) {
        if let Some(first) = growth.get_mut(point.instrument.index()) {
            first.get_or_insert((point.price, 1.0));
        }
    }
    let held = growth.iter().flatten().count() as f64;
    let mut all: Vec<Sample> = Vec::new();
    for point in &outcome.prices {
        let Some(Some((first, grown))) = growth.get_mut(point.instrument.index()) else { continue };
        *grown = point.price.0 as f64 / first.0 as f64;
        let value = growth.iter().flatten().map(|(_, grown)| grown).sum::<f64>() / held;
        match all.last_mut() {
            Some(last) if last.time == point.time => last.value = value,
            _ => all.push(Sample::new(point.time, value)),
        }
    }
    all
}

/// The figures of one strategy, or of one instrument; amounts are exact, in units of the outcome's currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Whose.
    pub name: String,
    /// Profit of all its trades after fees and funding, with what is still open at the last price.
    pub profit: i128,
    /// Quantity times price of its fills.
    pub traded: i128,
    /// Fees of its fills.
    pub fees: i128,
    /// Funding that it paid.
    pub funding: i128,
    /// Its fills.
    pub fills: u64,
    /// Of those, resting ones.
    pub maker_fills: u64,
    /// Trades that were open at the end.
    pub open: u64,
    /// Of those that were closed.
    pub closed: TradeStatistics,
}

/// One share a strategy, in their order.
#[must_use]
pub fn by_strategy(outcome: &Outcome) -> Vec<Share> {
    let share = |(index, name): (usize, &String)| {
        Selection { strategy: Some(index), instrument: None }.share(outcome, name.clone())
    };
    outcome.strategies.iter().enumerate().map(share).collect()
}

/// One share an instrument that was traded, in their order.
#[must_use]
pub fn by_instrument(outcome: &Outcome) -> Vec<Share> {
    let instruments = outcome.instruments.iter().enumerate();
    let shares = instruments.map(|(index, instrument)| {
        Selection { strategy: None, instrument: Some(index) }.share(outcome, instrument.name())
    });
    shares.filter(|share| share.fills > 0).collect()
}

/// What a fill was worth.
#[must_use]
pub fn fill_value(outcome: &Outcome, fill: &FillRow) -> f64 {
    outcome.number(outcome.amount(fill.instrument, fill.price.times(fill.qty)))
}

/// The mean price at which a trade was entered.
#[must_use]
pub fn entry_price(outcome: &Outcome, trip: &RoundTrip) -> Option<f64> {
    mean_price(outcome, trip, trip.entry_value.0, trip.qty)
}

/// The mean price at which a trade, or what is closed of it, was left.
#[must_use]
pub fn exit_price(outcome: &Outcome, trip: &RoundTrip) -> Option<f64> {
    mean_price(outcome, trip, trip.exit_value.0, trip.exit_qty)
}

fn mean_price(outcome: &Outcome, trip: &RoundTrip, value: i128, qty: Qty) -> Option<f64> {
    let decimals = outcome.instruments.get(trip.instrument.index())?.price_decimals;
    (qty.0 != 0).then(|| value as f64 / qty.0 as f64 / 10f64.powi(decimals.into()))
}

/// Which rows count.
struct Selection {
    strategy: Option<usize>,
    instrument: Option<usize>,
}

impl Selection {
    fn has(&self, strategy: crate::domain::StrategyId, instrument: crate::domain::InstrumentId) -> bool {
        self.strategy.is_none_or(|wanted| wanted == strategy.index())
            && self.instrument.is_none_or(|wanted| wanted == instrument.index())
    }

    fn fills<'a>(&'a self, outcome: &'a Outcome) -> impl Iterator<Item = &'a FillRow> {
        outcome.fills.iter().filter(|fill| self.has(fill.strategy, fill.instrument))
    }

    fn trips<'a>(&'a self, outcome: &'a Outcome) -> impl Iterator<Item = &'a RoundTrip> {
        outcome.trips.iter().filter(|trip| self.has(trip.strategy, trip.instrument))
    }

    fn traded(&self, outcome: &Outcome) -> i128 {
        let value = |fill: &FillRow| outcome.amount(fill.instrument, fill.price.times(fill.qty));
        self.fills(outcome).map(value).fold(0, i128::saturating_add)
    }

    /// What fills cost against the prices that they were decided by, and what they would have come to at those.
    fn slippage(&self, outcome: &Outcome) -> Option<(f64, f64)> {
        let (mut cost, mut value, mut known) = (0i128, 0i128, false);
        for fill in self.fills(outcome) {
            if let Some((more, decided)) = fill.slippage_doubled() {
                cost = cost.saturating_add(outcome.amount(fill.instrument, more));
                value = value.saturating_add(outcome.amount(fill.instrument, decided));
                known = true;
            }
        }
        known.then(|| (outcome.number(cost) / 2.0, outcome.number(value) / 2.0))
    }

    fn fees(&self, outcome: &Outcome) -> i128 {
        self.fills(outcome).map(|fill| outcome.fee(fill.fee)).fold(0, i128::saturating_add)
    }

    fn funding(&self, outcome: &Outcome) -> i128 {
        let rows = outcome.funding.iter().filter(|row| self.has(row.strategy, row.instrument));
        rows.map(|row| outcome.fee(row.paid)).fold(0, i128::saturating_add)
    }

    /// Closed trades, in the order in which they were closed; of one moment, in that in which they began.
    fn closed(&self, outcome: &Outcome) -> Vec<ClosedTrade> {
        let closed = |trip: &RoundTrip| {
            Some(ClosedTrade {
                entry: trip.entry_time,
                exit: trip.exit_time?,
                profit: outcome.number(trip.profit),
                cost: outcome.number(outcome.amount(trip.instrument, trip.entry_value)),
            })
        };
        let mut all: Vec<ClosedTrade> = self.trips(outcome).filter_map(closed).collect();
        all.sort_by_key(|trade| trade.exit);
        all
    }

    fn share(&self, outcome: &Outcome, name: String) -> Share {
        let earned = self.trips(outcome).map(|trip| trip.profit).fold(0, i128::saturating_add);
        let funding = self.funding(outcome);
        Share {
            name,
            profit: earned.saturating_sub(funding),
            traded: self.traded(outcome),
            fees: self.fees(outcome),
            funding,
            fills: self.fills(outcome).count() as u64,
            maker_fills: self.fills(outcome).filter(|fill| fill.maker).count() as u64,
            open: self.trips(outcome).filter(|trip| trip.exit_time.is_none()).count() as u64,
            closed: TradeStatistics::of(&self.closed(outcome)),
        }
    }
}
