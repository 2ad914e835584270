//! Risk metrics of a run that goes on, reckoned from the snapshots that risk publishes.
//!
//! Amounts are as the limits count them: of every quote asset alike. Returns are of the marks at the snapshots, one period
//! every ten seconds; so the loss that is told at a confidence is over ten seconds.

use crate::domain::{Price, Time};
use crate::risk::metrics::{Holding, Metrics, Rates, Returns, Snapshot};
use crate::risk::snapshot::{LossTrack, RiskSnapshot};
use crate::run::config::Config;
use crate::run::limit_uses::{LimitTable, amount};
use serde::Serialize;
use std::time::Instant;

/// Periods that returns are reckoned over.
const WINDOW: usize = 250;
/// The length of one.
const PERIOD_S: u64 = 10;
/// Most instruments whose correlations are told.
const CORRELATED_MAX: usize = 24;
const SECOND: u64 = 1_000_000_000;

/// The metrics at one snapshot.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LiveMetrics {
    /// Which reckoning of the run this is, from 1.
    pub number: u64,
    /// The snapshot's time.
    pub time: String,
    /// Microseconds that the reckoning took.
    pub took_us: u64,
    /// Instruments.
    pub instruments: usize,
    /// Periods of returns that there were, and the length of one.
    pub periods: usize,
    pub period_seconds: u64,
    /// Capital and profit.
    pub equity: f64,
    /// Orders that are open, in flight or unknown.
    pub open_orders: u32,
    /// What is held; what is not is left out.
    pub holdings: Vec<Holding>,
    /// Correlations of the returns of the first of what is held, a row each, in the order of `holdings`; none with what is
    /// not known to move.
    pub correlations: Vec<Vec<Option<f64>>>,
    /// Limits of which nothing is used: all of each is left, and they are not listed.
    pub limits_unused: usize,
    /// The metrics, with each limit of which something is used.
    #[serde(flatten)]
    pub metrics: Metrics,
}

/// See the module.
pub(super) struct Reckoner {
    table: LimitTable,
    decimals: Vec<u8>,
    capital: f64,
    returns: Returns,
    /// The marks of the newest return, and when they were; no marks before the first.
    last: (Vec<Price>, Time),
    /// The period of the newest return.
    period: u64,
    number: u64,
}

impl Reckoner {
    pub fn new(config: &Config) -> Self {
        let instruments = config.instruments.all();
        Self {
            table: LimitTable::new(config),
            decimals: instruments.iter().map(|i| i.price_decimals).collect(),
            capital: amount(config.risk.limits.capital.into()),
            returns: Returns::new(instruments.len(), WINDOW),
            last: (Vec::new(), Time(0)),
            period: 0,
            number: 0,
        }
    }

    /// The metrics; none before the first event.
    pub fn reckon(&mut self, snapshot: &RiskSnapshot) -> Option<LiveMetrics> {
        let begun = Instant::now();
        if snapshot.time.0 == 0 || snapshot.values.len() != self.table.names.len() {
            return None;
        }
        self.take_prices(snapshot);
        let holding =
            |(name, value): (&String, &i128)| Holding { name: name.clone(), exposure: amount(*value) };
        let mut holdings: Vec<Holding> = self.table.names.iter().zip(&snapshot.values).map(holding).collect();
        let (limits, limits_unused) = self.table.uses(snapshot);
        let LossTrack { profit, day_start, peak, .. } = snapshot.whole;
        let sent = &snapshot.sent_all;
        let trades: u32 = snapshot.trades_today.iter().sum();
        let mut metrics = Metrics::of(&Snapshot {
            holdings: &holdings,
            returns: &self.returns,
            equity: self.capital + amount(profit),
            equity_peak: self.capital + amount(peak),
            equity_day_start: self.capital + amount(day_start),
            rates: Rates {
                orders_per_s: sent.orders.second.into(),
                cancels_per_s: sent.cancels.second.into(),
                orders_per_min: sent.orders.minute.into(),
                orders_per_fill: (trades > 0).then(|| f64::from(sent.orders.day) / f64::from(trades)),
            },
            limits: &limits,
        });
        // Beside a capital of millions a difference of two sums is right to fewer digits than one of two amounts.
        (metrics.day_profit, metrics.drawdown) = (amount(profit - day_start), amount((peak - profit).max(0)));
        let instruments = holdings.len();
        let held = |(at, holding): (usize, &Holding)| (holding.exposure != 0.0).then_some(at);
        let held: Vec<usize> = holdings.iter().enumerate().filter_map(held).take(CORRELATED_MAX).collect();
        let moves = |at: usize| matches!(metrics.volatilities.get(at), Some(Some(of)) if *of > 0.0);
        let pair = |a: usize, b: usize| (moves(a) && moves(b)).then(|| metrics.correlation.get(a, b));
        let row = |a: &usize| held.iter().map(|b| pair(*a, *b)).collect();
        let correlations = held.iter().map(row).collect();
        holdings.retain(|holding| holding.exposure != 0.0);
        self.number += 1;
        Some(LiveMetrics {
            number: self.number,
            time: snapshot.time.to_string(),
            took_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            instruments,
            periods: self.returns.rows(),
            period_seconds: PERIOD_S,
            equity: self.capital + amount(profit),
            open_orders: snapshot.portfolio.orders,
            holdings,
            correlations,
            limits_unused,
            metrics,
        })
    }

    /// A row of returns with the first snapshot of each period. The mark of a market that was silent since the last one is
    /// no price of this period.
    fn take_prices(&mut self, snapshot: &RiskSnapshot) {
        let period = snapshot.time.0 / (PERIOD_S * SECOND);
        if period == self.period {
            return;
        }
        self.period = period;
        let (last, last_at) = &self.last;
        let is_news = |at: usize, mark: Price| match snapshot.silent_ns.get(at).copied().flatten() {
            Some(silent_ns) => last.is_empty() || silent_ns < snapshot.time.since(*last_at),
            // Known by bars alone, or an earlier run's cost that no market said anything to.
            None => last.get(at).is_some_and(|last| last.0 != 0 && *last != mark),
        };
        let price = |(at, (mark, decimals)): (usize, (&Price, &u8))| match mark.0 {
            0 => f64::NAN,
            _ if !is_news(at, *mark) => f64::NAN,
            mark => mark as f64 / 10f64.powi((*decimals).into()),
        };
        let prices: Vec<f64> = snapshot.marks.iter().zip(&self.decimals).enumerate().map(price).collect();
        self.returns.push_prices(&prices);
        self.last.0.clone_from(&snapshot.marks);
        self.last.1 = snapshot.time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::{Counted, Sum};
    use crate::run::limit_uses::tests::{all_set, all_used};

    const QUOTE: i128 = 100_000_000;

    fn snapshot(instruments: usize, strategies: usize) -> RiskSnapshot {
        RiskSnapshot {
            time: Time(SECOND),
            marks: vec![Price(100); instruments],
            values: vec![0; instruments],
            cells: vec![0; instruments * strategies],
            by_instrument: vec![Sum::default(); instruments],
            by_strategy: vec![Sum::default(); strategies],
            strategies: vec![LossTrack::default(); strategies],
            sent: vec![Counted::default(); strategies],
            trades_today: vec![0; strategies],
            ..RiskSnapshot::default()
        }
    }

    #[test]
    fn each_limit_of_which_something_is_used_is_told_with_what_is_left_of_it() {
        let config = Config::embedded_default();
        let mut reckoner = Reckoner::new(&config);
        let mut of = snapshot(config.instruments.len(), config.strategies.len());
        (of.values[0], of.portfolio.gross) = (-20_000 * QUOTE, 25_000 * QUOTE);
        of.cells[0] = 20_000 * QUOTE;
        of.whole = LossTrack { profit: -5_000 * QUOTE, peak: 1_000 * QUOTE, ..LossTrack::default() };
        of.sent[1].orders.second = 10;
        let told = reckoner.reckon(&of).expect("there was an event");
        let left: Vec<(&str, f64)> =
            told.metrics.limits.iter().map(|limit| (limit.name.as_str(), limit.left_percent)).collect();
        let name = config.instruments.all()[0].name();
        let position = format!("position_notional_max of ma-cross in {name}");
        assert_eq!(
            left,
            [
                (position.as_str(), 80.0),
                ("losses.daily_max", 80.0),
                ("orders_per_second_max of strategy rsi-reversion", 80.0),
                ("losses.drawdown_max", 88.0),
                ("gross_notional_max", 90.0),
            ]
        );
        assert_eq!(
            (told.equity, told.metrics.drawdown, told.metrics.day_profit),
            (995_000.0, 6_000.0, -5_000.0)
        );
        assert_eq!((told.holdings.len(), told.holdings[0].exposure, told.number), (1, -20_000.0, 1));
        assert!(told.limits_unused > 10, "{}", told.limits_unused);
        assert!(reckoner.reckon(&RiskSnapshot::default()).is_none(), "before the first event");
    }

    #[test]
    fn a_market_that_fell_silent_is_not_told_as_calm() {
        let config = Config::embedded_default();
        let mut reckoner = Reckoner::new(&config);
        let mut of = snapshot(config.instruments.len(), config.strategies.len());
        of.silent_ns = vec![Some(0); config.instruments.len()];
        (of.values[0], of.values[1]) = (1_000 * QUOTE, 2_000 * QUOTE);
        let mut at = |period: u64, heard: bool, first: i64| {
            of.time = Time(period * PERIOD_S * SECOND);
            of.marks[0] = Price(first);
            of.marks[1] = Price(100 + (period as i64) % 3);
            of.silent_ns[0] =
                if heard { Some(0) } else { Some(of.silent_ns[0].unwrap_or(0) + PERIOD_S * SECOND) };
            reckoner.reckon(&of).expect("there was an event")
        };
        let told = at(1, true, 100);
        assert_eq!(
            (told.metrics.volatility, told.metrics.losses.len()),
            (None, 0),
            "before anything is known"
        );
        assert_eq!(told.correlations, [[None, None], [None, None]]);
        for period in 2..10 {
            at(period, true, 100 + period as i64 % 2);
        }
        let told = at(10, false, 100);
        let (volatility, known) = (told.metrics.volatility, told.metrics.periods_known);
        assert!(volatility.is_some_and(|of| of > 0.0) && known == 8, "{volatility:?} {known}");
        assert!(told.correlations.iter().flatten().all(Option::is_some), "{:?}", told.correlations);
        let told = at(11, false, 100);
        assert_eq!(
            (told.metrics.volatility, told.metrics.periods_known),
            (volatility, known),
            "silence adds none"
        );
        for period in 12..20 + WINDOW as u64 {
            at(period, false, 100);
        }
        let told = at(20 + WINDOW as u64, false, 100);
        assert_eq!((told.metrics.volatility, told.metrics.losses.len()), (None, 0));
        assert_eq!((told.metrics.volatilities[0], told.metrics.volatilities[1].is_some()), (None, true));
        assert_eq!(told.correlations, [[None, None], [None, Some(1.0)]]);
    }

    #[test]
    fn what_is_valued_by_bars_is_known_by_their_changes_and_a_cost_is_no_price() {
        let config = Config::embedded_default();
        let mut reckoner = Reckoner::new(&config);
        let mut of = snapshot(config.instruments.len(), config.strategies.len());
        of.silent_ns = vec![None; config.instruments.len()];
        for period in 1..=6 {
            of.time = Time(period * PERIOD_S * SECOND);
            of.marks[1] = Price(100 + period as i64);
            reckoner.reckon(&of).expect("there was an event");
        }
        let told = reckoner.reckon(&of).expect("there was an event");
        assert_eq!((told.metrics.volatilities[0], told.metrics.volatilities[1].is_some()), (None, true));
    }

    #[test]
    fn two_hundred_instruments_take_milliseconds() {
        // With every limit set, and something used of each.
        let config = all_set();
        let mut reckoner = Reckoner::new(&config);
        reckoner.table.names = (0..200).map(|n| format!("binance:spot:{n}")).collect();
        (reckoner.decimals, reckoner.returns) = (vec![2; 200], Returns::new(200, WINDOW));
        let mut of = all_used(200, config.strategies.len());
        let mut times = Vec::new();
        for period in 1..=WINDOW as u64 + 5 {
            of.time = Time(period * PERIOD_S * SECOND);
            for (n, (mark, value)) in (0i64..).zip(of.marks.iter_mut().zip(&mut of.values)) {
                *mark = Price(10_000 + (period as i64 * (n + 7) * 31) % 101);
                *value = i128::from(n - 100) * QUOTE;
            }
            if period > WINDOW as u64 {
                times.push(reckoner.reckon(&of).expect("there was an event").took_us);
            } else {
                reckoner.take_prices(&of);
            }
        }
        let told = reckoner.reckon(&of).expect("there was an event").metrics.limits.len();
        assert!(told > 200 * (8 + 3 * config.strategies.len()), "{told}");
        println!("200 instruments over {WINDOW} periods, {told} limits: {times:?} us");
        // The figure is for a core that has nothing else to do; here one in five has to be near it.
        assert!(times.iter().min().is_some_and(|best| *best < 100_000), "{times:?}");
    }
}
