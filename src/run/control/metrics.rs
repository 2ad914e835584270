//! Risk metrics of a run that goes on, reckoned from the snapshots that risk publishes.
//!
//! Amounts are as the limits count them: of every quote asset alike. Returns are of the marks at the snapshots, one period
//! every ten seconds; so the loss that is told at a confidence is over ten seconds.

use crate::domain::{Instrument, InstrumentId, InstrumentTable, StrategyId};
use crate::risk::limits::{OwnLimits, SCALES, Scale, ScaleLimits};
use crate::risk::metrics::{Holding, LimitUse, Metrics, Rates, Returns, Snapshot};
use crate::risk::snapshot::{LossTrack, RiskSnapshot};
use crate::risk::{Counted, RiskLimits, Sum};
use crate::run::config::{Config, QUOTE_DECIMALS};
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
    /// Correlations of the returns of the first of what is held, a row each, in the order of `holdings`.
    pub correlations: Vec<Vec<f64>>,
    /// Limits of which nothing is used: all of each is left, and they are not listed.
    pub limits_unused: usize,
    /// The metrics, with each limit of which something is used.
    #[serde(flatten)]
    pub metrics: Metrics,
}

/// See the module.
pub(super) struct Reckoner {
    names: Vec<String>,
    decimals: Vec<u8>,
    strategies: Vec<String>,
    groups: Vec<String>,
    accounts: Vec<String>,
    limits: RiskLimits,
    own: OwnLimits,
    capital: f64,
    returns: Returns,
    /// The period of the newest return.
    period: u64,
    number: u64,
}

fn amount(units: i128) -> f64 {
    units as f64 / 10f64.powi(QUOTE_DECIMALS.into())
}

impl Reckoner {
    pub fn new(config: &Config) -> Self {
        let table: &InstrumentTable = &config.instruments;
        Self {
            names: table.all().iter().map(Instrument::name).collect(),
            decimals: table.all().iter().map(|i| i.price_decimals).collect(),
            strategies: config.strategies.iter().map(|s| s.label.clone()).collect(),
            groups: config.risk.groups.clone(),
            accounts: crate::domain::kill::venues(table),
            limits: config.risk.limits,
            own: config.risk.setup.own_limits.clone(),
            capital: amount(config.risk.limits.capital.into()),
            returns: Returns::new(table.len(), WINDOW),
            period: 0,
            number: 0,
        }
    }

    /// The metrics; none before the first event.
    pub fn reckon(&mut self, snapshot: &RiskSnapshot) -> Option<LiveMetrics> {
        let begun = Instant::now();
        if snapshot.time.0 == 0 || snapshot.values.len() != self.names.len() {
            return None;
        }
        self.take_prices(snapshot);
        let holding =
            |(name, value): (&String, &i128)| Holding { name: name.clone(), exposure: amount(*value) };
        let mut holdings: Vec<Holding> = self.names.iter().zip(&snapshot.values).map(holding).collect();
        let (limits, limits_unused) = self.uses(snapshot);
        let LossTrack { profit, day_start, peak, .. } = snapshot.whole;
        let sent = &snapshot.sent_all;
        let trades: u32 = snapshot.trades_today.iter().sum();
        let metrics = Metrics::of(&Snapshot {
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
        let instruments = holdings.len();
        let held = |(at, holding): (usize, &Holding)| (holding.exposure != 0.0).then_some(at);
        let held: Vec<usize> = holdings.iter().enumerate().filter_map(held).take(CORRELATED_MAX).collect();
        let row = |a: &usize| held.iter().map(|b| metrics.correlation.get(*a, *b)).collect();
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

    /// A row of returns with the first snapshot of each period.
    fn take_prices(&mut self, snapshot: &RiskSnapshot) {
        let period = snapshot.time.0 / (PERIOD_S * SECOND);
        if period == self.period {
            return;
        }
        self.period = period;
        let price = |(mark, decimals): (&crate::domain::Price, &u8)| match mark.0 {
            0 => f64::NAN,
            mark => mark as f64 / 10f64.powi((*decimals).into()),
        };
        let prices: Vec<f64> = snapshot.marks.iter().zip(&self.decimals).map(price).collect();
        self.returns.push_prices(&prices);
    }

    /// What is used of each limit that is in force, and of how many nothing is.
    fn uses(&self, snapshot: &RiskSnapshot) -> (Vec<LimitUse>, usize) {
        let mut uses = Uses { capital: self.capital + amount(snapshot.whole.profit), ..Uses::default() };
        let limits = &self.limits;
        uses.money("gross_notional_max", snapshot.portfolio.gross, limits.gross_notional_max);
        let scales = &limits.scales;
        let levels: [(Scale, &str, &[String], &[Sum]); SCALES - 1] = [
            (Scale::Instrument, "instrument", &self.names, &snapshot.by_instrument),
            (Scale::Strategy, "strategy", &self.strategies, &snapshot.by_strategy),
            (Scale::Group, "group", &self.groups, &snapshot.by_group),
            (Scale::Account, "account", &self.accounts, &snapshot.by_account),
        ];
        for (scale, kind, names, sums) in levels {
            for (at, (name, sum)) in names.iter().zip(sums).enumerate() {
                let limits = match (scale, u16::try_from(at), u8::try_from(at)) {
                    (Scale::Instrument, Ok(id), _) => self.own.of_instrument(InstrumentId(id), limits),
                    (Scale::Strategy, _, Ok(id)) => self.own.of_strategy(StrategyId(id), limits),
                    _ => &scales[scale as usize],
                };
                uses.of_scale(&format!(" of {kind} {name}"), sum, limits);
            }
        }
        uses.of_scale(" of everything", &snapshot.portfolio, &scales[Scale::Portfolio as usize]);
        for (at, gross) in snapshot.cells.iter().enumerate() {
            let instrument = self.names.len().max(1);
            if let (Some(strategy), Some(name)) =
                (self.strategies.get(at / instrument), self.names.get(at % instrument))
            {
                let of = format!("position_notional_max of {strategy} in {name}");
                uses.money(&of, *gross, limits.position_notional_max);
            }
        }
        self.losses(snapshot, &mut uses);
        self.rates(snapshot, &mut uses);
        (uses.used, uses.unused)
    }

    fn losses(&self, snapshot: &RiskSnapshot, uses: &mut Uses) {
        let (losses, whole) = (&self.limits.losses, &snapshot.whole);
        uses.money("losses.daily_max", whole.day_start - whole.profit, losses.daily_max);
        uses.money("losses.drawdown_max", whole.peak - whole.profit, losses.drawdown_max);
        uses.money("losses.velocity_max", whole.fell, losses.velocity_max);
        for (name, track) in self.strategies.iter().zip(&snapshot.strategies) {
            let of = |limit: &str| format!("losses.{limit} of strategy {name}");
            let (day, fell) = (track.day_start - track.profit, track.peak - track.profit);
            uses.money(&of("strategy_daily_max"), day, losses.strategy_daily_max);
            uses.money(&of("strategy_drawdown_max"), fell, losses.strategy_drawdown_max);
            let in_a_row = track.losses_in_a_row.into();
            uses.count(&of("consecutive_max"), in_a_row, losses.consecutive_max);
        }
    }

    fn rates(&self, snapshot: &RiskSnapshot, uses: &mut Uses) {
        let limits = &self.limits;
        let mut of = |sent: &Counted, rates: &crate::risk::limits::RateLimits, whose: &str| {
            let kinds = [
                ("orders", sent.orders, rates.orders),
                ("cancels", sent.cancels, rates.cancels),
                ("messages", sent.messages(), rates.messages),
            ];
            for (kind, pulse, pace) in kinds {
                uses.count(&format!("{kind}_per_second_max{whose}"), pulse.second.into(), pace.second);
                uses.count(&format!("{kind}_per_minute_max{whose}"), pulse.minute.into(), pace.minute);
                uses.count(&format!("{kind}_per_day_max{whose}"), pulse.day.into(), pace.day);
            }
        };
        of(&snapshot.sent_all, &limits.rates, " of everything");
        for (name, sent) in self.strategies.iter().zip(&snapshot.sent) {
            let mut rates = limits.strategy_rates;
            rates.orders.second = limits.orders_per_second_max;
            of(sent, &rates, &format!(" of strategy {name}"));
        }
    }
}

/// What was found of limits.
#[derive(Default)]
struct Uses {
    capital: f64,
    used: Vec<LimitUse>,
    unused: usize,
}

impl Uses {
    fn take(&mut self, name: &str, used: f64, limit: f64) {
        if used > 0.0 {
            self.used.push(LimitUse { name: name.to_owned(), used, limit });
        } else {
            self.unused += 1;
        }
    }

    /// A limit that is "none" is as high as a number goes, and has no distance to it.
    fn money(&mut self, name: &str, used: i128, limit: i64) {
        if limit != i64::MAX {
            self.take(name, amount(used), amount(limit.into()));
        }
    }

    fn count(&mut self, name: &str, used: u64, limit: u32) {
        if limit != u32::MAX {
            self.take(name, used as f64, limit.into());
        }
    }

    fn of_scale(&mut self, whose: &str, sum: &Sum, limits: &ScaleLimits) {
        let named = |limit: &str| format!("{limit}{whose}");
        self.money(&named("long_notional_max"), sum.long, limits.long_notional_max);
        self.money(&named("short_notional_max"), sum.short, limits.short_notional_max);
        self.money(&named("gross_notional_max"), sum.gross, limits.gross_notional_max);
        self.money(&named("net_notional_max"), sum.up.max(-sum.down), limits.net_notional_max);
        self.count(&named("open_orders_max"), sum.orders.into(), limits.open_orders_max);
        if limits.leverage_max != u32::MAX && self.capital > 0.0 {
            let limit = f64::from(limits.leverage_max) / 100.0;
            self.take(&named("leverage_max"), amount(sum.gross) / self.capital, limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Time};

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
    fn two_hundred_instruments_take_milliseconds() {
        let config = Config::embedded_default();
        let mut reckoner = Reckoner::new(&config);
        reckoner.names = (0..200).map(|n| format!("binance:spot:{n}")).collect();
        (reckoner.decimals, reckoner.returns) = (vec![2; 200], Returns::new(200, WINDOW));
        let mut of = snapshot(200, config.strategies.len());
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
        println!("200 instruments over {WINDOW} periods: {times:?} us");
        // The figure is for a core that has nothing else to do; here one in five has to be near it.
        assert!(times.iter().min().is_some_and(|best| *best < 100_000), "{times:?}");
    }
}
