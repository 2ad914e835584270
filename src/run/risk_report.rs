//! Risk metrics of a run, from its journal: of one that ended, or of one that goes on.
//!
//! The rows that a database would get are what is reckoned from: positions with their marks, closes of bars, equity. So
//! what is told here is what a query would say, and nothing is asked of the run. Limits alone are judged by what risk knew,
//! found by going through the journal as risk did.
//!
//! A market that went silent says nothing of what is held in it: losses and volatility are of the bars in which all that is
//! held was known, and where the newest of these have left the window they are not told.

use super::config::{Config, ConfigError, QUOTE_DECIMALS};
use super::journaled_risk::JournaledRisk;
use super::limit_uses::LimitTable;
use crate::domain::decimal::Scaled;
use crate::domain::wallet::StartingBalance;
use crate::domain::{InstrumentTable, Time};
use crate::journal::{Entry, Follower, JournalError, Next};
use crate::risk::DayBoundary;
use crate::risk::metrics::{Holding, LimitUse, Metrics, Rates, Returns, Snapshot};
use crate::store::projection::Unfit;
use crate::store::row::{EquityRow, OrderRow, PositionRow};
use crate::store::{Batch, Projection, Watermark};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use thiserror::Error;

/// Closes that returns are reckoned over.
const WINDOW: usize = 250;
/// Seconds between points of equity.
const EQUITY_SECONDS: u32 = 1;
/// Most instruments whose correlations are told.
pub const CORRELATED_MAX: usize = 24;
/// Beginnings of bars that are waited for: one of an instrument that is silent closes late.
const LATE_MAX: usize = 500;
const SECOND: u64 = 1_000_000_000;

/// The metrics of a run.
#[derive(Debug, Clone)]
pub struct RiskReports {
    /// By quote asset, those in which something was traded.
    pub quotes: Vec<RiskReport>,
    /// As each of them says, though there may be none.
    pub ended: bool,
    /// As each of them says.
    pub damaged: Option<String>,
}

/// The metrics of everything that is quoted in one asset.
#[derive(Debug, Clone, Serialize)]
pub struct RiskReport {
    /// The asset.
    pub quote: String,
    /// Up to when the journal was read.
    pub time: String,
    /// Whether the run came to its end there; if not it goes on, or its journal was cut.
    pub ended: bool,
    /// What is wrong with the journal where it could not be read on; what comes after is not in this.
    pub damaged: Option<String>,
    /// Closes that returns are reckoned over.
    pub periods: usize,
    /// What is held.
    pub holdings: Vec<Holding>,
    /// Equity: what the account had at first, or `[risk] capital` where that is not known, and the profit.
    pub equity: f64,
    /// What correlations are told of: instruments whose price moved, those that are held first, as many as
    /// [`CORRELATED_MAX`].
    pub correlated: Vec<String>,
    /// Correlations of their returns, a row each, in their order.
    pub correlations: Vec<Vec<f64>>,
    /// Limits of which nothing is used, and that are not listed: all of each is left.
    pub limits_unused: usize,
    /// The metrics. Limits are of the whole run, and amounts of every quote asset alike, as risk counts them; those of
    /// which something is used are listed.
    pub metrics: Metrics,
}

/// Why there is none.
#[derive(Debug, Error)]
pub enum RiskReportError {
    /// The journal does not read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal holds what does not fit together.
    #[error("{path}: {unfit}: the file is damaged")]
    Unfit {
        /// Which file.
        path: String,
        /// What does not.
        unfit: Unfit,
    },
    /// The journal ends before its header.
    #[error("{0}: ends before its header: nothing was journaled")]
    Empty(String),
    /// The configuration is refused by this version.
    #[error("{path}: its configuration is refused by this version:\n{error}")]
    Config {
        /// Which file.
        path: String,
        /// What is wrong with it.
        error: ConfigError,
    },
}

/// What was gathered from the rows.
struct Gathered {
    /// The newest row by strategy and instrument.
    positions: BTreeMap<(u64, u64), PositionRow>,
    /// Closes by instrument, by when their bars began: some close late.
    bars: BTreeMap<u64, Vec<(usize, f64)>>,
    day: DayBoundary,
    /// One a quote asset.
    returns: Vec<Returns>,
    /// Columns of instruments: which of the returns, and where in them.
    columns: Vec<(usize, usize)>,
    /// Profit by quote asset and strategy, and the curve of their sum.
    profits: BTreeMap<String, Curve>,
    orders: Vec<u64>,
    cancels: Vec<u64>,
    orders_in_all: u64,
    fills: u64,
    time: Time,
    ended: bool,
    damaged: Option<String>,
}

#[derive(Default)]
struct Curve {
    by_strategy: BTreeMap<u64, f64>,
    now: f64,
    /// Of what it came to after each event whose rows are all in.
    peak: f64,
    /// The event whose rows come now.
    seq: u64,
    day_ends: Time,
    day_start: f64,
}

impl Curve {
    fn take(&mut self, row: &EquityRow, day: &DayBoundary) {
        // Only once an event's rows are all in is their sum of one moment.
        if row.seq != self.seq {
            (self.peak, self.seq) = (self.peak(), row.seq);
        }
        let time = Time(row.time_ns.0);
        if time >= self.day_ends {
            (self.day_ends, self.day_start) = (day.next_after(time), self.now);
        }
        self.by_strategy.insert(row.strategy, float(row.net));
        self.now = self.by_strategy.values().sum();
    }

    /// The most it came to.
    fn peak(&self) -> f64 {
        self.peak.max(self.now)
    }
}

fn float(scaled: Scaled) -> f64 {
    scaled.value as f64 / 10f64.powi(scaled.decimals.into())
}

impl Gathered {
    fn new(table: &InstrumentTable, quotes: &[String], day: DayBoundary) -> Self {
        let mut sizes = vec![0; quotes.len()];
        let columns = table.all().iter().map(|instrument| {
            let quote = quotes.iter().position(|quote| *quote == instrument.quote).unwrap_or(0);
            sizes[quote] += 1;
            (quote, sizes[quote] - 1)
        });
        let columns = columns.collect();
        Self {
            positions: BTreeMap::new(),
            bars: BTreeMap::new(),
            day,
            returns: sizes.into_iter().map(|size| Returns::new(size, WINDOW)).collect(),
            columns,
            profits: BTreeMap::new(),
            orders: Vec::new(),
            cancels: Vec::new(),
            orders_in_all: 0,
            fills: 0,
            time: Time(0),
            ended: false,
            damaged: None,
        }
    }

    fn take(&mut self, batch: &mut Batch) {
        for row in batch.bars.drain(..) {
            if let Some(at) = usize::try_from(row.instrument).ok().filter(|at| *at < self.columns.len()) {
                self.bars.entry(row.start_ns.0).or_default().push((at, float(row.close)));
            }
        }
        self.close_bars(LATE_MAX);
        for row in batch.positions.drain(..) {
            self.positions.insert((row.strategy, row.instrument), row);
        }
        for row in batch.equity.drain(..) {
            self.profits.entry(row.quote.clone()).or_default().take(&row, &self.day);
        }
        let sent = |row: &OrderRow| row.denied.is_none();
        for row in batch.orders.drain(..).filter(sent) {
            self.orders.push(row.time_ns.0);
            self.orders_in_all += 1;
        }
        for row in batch.order_events.drain(..) {
            if row.event == "cancel-sent" {
                self.cancels.push(row.time_ns.0);
            }
        }
        self.fills += batch.fills.drain(..).len() as u64;
        self.time = batch.time;
        let old = self.time.0.saturating_sub(60 * SECOND);
        self.orders.retain(|at| *at > old);
        self.cancels.retain(|at| *at > old);
    }

    /// Closes of bars that began together make a row of returns, but for so many of the newest, which may lack some.
    fn close_bars(&mut self, left: usize) {
        while self.bars.len() > left {
            let Some((_, bars)) = self.bars.pop_first() else { return };
            self.add_returns(&bars);
        }
    }

    /// What has no bar has no price in that row: only so is it known that it was silent.
    fn add_returns(&mut self, bars: &[(usize, f64)]) {
        let Self { columns, returns, .. } = self;
        for (quote, returns) in returns.iter_mut().enumerate() {
            let mut prices = vec![f64::NAN; returns.columns()];
            for (instrument, close) in bars {
                let (of, column) = columns[*instrument];
                if of == quote {
                    prices[column] = *close;
                }
            }
            returns.push_prices(&prices);
        }
    }

    fn rates(&self) -> Rates {
        let since = self.time.0.saturating_sub(SECOND);
        let lately = |all: &[u64]| all.iter().filter(|at| **at > since).count() as f64;
        Rates {
            orders_per_s: lately(&self.orders),
            cancels_per_s: lately(&self.cancels),
            orders_per_min: self.orders.len() as f64,
            orders_per_fill: (self.fills > 0).then(|| self.orders_in_all as f64 / self.fills as f64),
        }
    }
}

/// The metrics of a journal's run, one report for each asset that its instruments are quoted in and something was traded
/// for; of a journal that is damaged, up to where it is.
///
/// # Errors
/// [`RiskReportError`], where not even its beginning reads.
pub fn risk_report(path: &Path) -> Result<RiskReports, RiskReportError> {
    let name = path.display().to_string();
    let mut follower = Follower::open(path)?.ok_or_else(|| RiskReportError::Empty(name.clone()))?;
    let header = follower.header().clone();
    let unfit = |unfit| RiskReportError::Unfit { path: name.clone(), unfit };
    let table = InstrumentTable::new(header.instruments.clone()).map_err(|_| unfit(Unfit::Instruments))?;
    let config = Config::from_text_with_instruments(&header.config_text, &header.config_name, table.clone())
        .map_err(|error| RiskReportError::Config { path: name.clone(), error })?;
    let mut quotes: Vec<String> = table.all().iter().map(|i| i.quote.clone()).collect();
    quotes.sort();
    quotes.dedup();
    let mut projection = Projection::new(&header, Watermark::default(), EQUITY_SECONDS).map_err(unfit)?;
    let mut gathered = Gathered::new(&table, &quotes, config.risk.setup.day.clone());
    let mut risk = JournaledRisk::new(&header, &config, &table);
    let mut batch = Batch::default();
    loop {
        match follower.next_entry() {
            Ok(Next::Entry(entry, block_ends)) => {
                match &entry {
                    Entry::Slot(slot) => risk.slot(slot),
                    Entry::Record(record) => risk.record(record),
                    Entry::End => {}
                }
                projection.apply(&entry, block_ends, &mut batch).map_err(unfit)?;
                if block_ends {
                    gathered.take(&mut batch);
                }
            }
            Ok(Next::Pending) => break,
            Err(error) => {
                gathered.damaged = Some(error.to_string());
                break;
            }
            Ok(Next::Ended) => {
                projection.end(&mut batch);
                gathered.ended = true;
                break;
            }
        }
    }
    gathered.take(&mut batch);
    gathered.close_bars(0);
    let balances = header.balances.as_deref().unwrap_or(&config.paper.balances);
    let limits = LimitTable::new(&config).uses(&risk.ends());
    let reports = quotes
        .iter()
        .enumerate()
        .map(|(at, quote)| report(at, quote, (&config, balances), &table, &gathered, &limits));
    let quotes = reports.flatten().collect();
    Ok(RiskReports { quotes, ended: gathered.ended, damaged: gathered.damaged })
}

fn report(
    at: usize,
    quote: &str,
    (config, balances): (&Config, &[StartingBalance]),
    table: &InstrumentTable,
    gathered: &Gathered,
    (limits, limits_unused): &(Vec<LimitUse>, usize),
) -> Option<RiskReport> {
    let curve = gathered.profits.get(quote)?;
    let returns = &gathered.returns[at];
    let of_quote = table.all().iter().zip(&gathered.columns).filter(|(_, (of, _))| *of == at);
    let holdings: Vec<Holding> = of_quote
        .map(|(instrument, _)| {
            let rows = gathered.positions.values().filter(|row| row.instrument == u64::from(instrument.id.0));
            // Before there is a price it is worth what it cost.
            let worth = |row: &PositionRow| match float(row.mark) {
                0.0 => float(row.cost),
                mark => float(row.qty) * mark,
            };
            // A sum of nothing is less than nothing in floats: -0.0.
            let exposure = rows.map(worth).sum::<f64>() + 0.0;
            Holding { name: instrument.name(), exposure }
        })
        .collect();
    // What the account had, where that is known; else what risk counts leverage from.
    let balances = balances.iter().filter(|balance| balance.asset == quote);
    let owned = balances.map(|balance| i128::from(balance.amount)).reduce(|sum, amount| sum + amount);
    let capital = owned.unwrap_or_else(|| config.risk.limits.capital.into());
    let capital = float(Scaled { value: capital, decimals: QUOTE_DECIMALS });
    let rates = gathered.rates();
    let metrics = Metrics::of(&Snapshot {
        holdings: &holdings,
        returns,
        equity: capital + curve.now,
        equity_peak: capital + curve.peak(),
        equity_day_start: capital + curve.day_start,
        rates,
        limits,
    });
    let (correlated, correlations) = correlations(&holdings, &metrics);
    Some(RiskReport {
        quote: quote.to_owned(),
        time: gathered.time.to_string(),
        ended: gathered.ended,
        damaged: gathered.damaged.clone(),
        periods: returns.rows(),
        holdings,
        equity: capital + curve.now,
        correlated,
        correlations,
        limits_unused: *limits_unused,
        metrics,
    })
}

/// The correlations of what moved, what is held first.
fn correlations(holdings: &[Holding], metrics: &Metrics) -> (Vec<String>, Vec<Vec<f64>>) {
    let moved = |at: &usize| {
        metrics.volatilities.get(*at).copied().flatten().is_some_and(|volatility| volatility > 0.0)
    };
    let mut told: Vec<usize> = (0..holdings.len()).filter(moved).collect();
    // A sort that keeps the order of equals.
    told.sort_by_key(|at| holdings[*at].exposure == 0.0);
    told.truncate(CORRELATED_MAX);
    let row = |a: &usize| told.iter().map(|b| metrics.correlation.get(*a, *b)).collect();
    (told.iter().map(|at| holdings[*at].name.clone()).collect(), told.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_market_without_bars_is_silent_and_not_calm() {
        let config = Config::embedded_default();
        let quotes = ["USDT".to_owned()];
        let mut gathered = Gathered::new(&config.instruments, &quotes, DayBoundary::default());
        for n in 0..6u8 {
            let mut bars = vec![(0, 100.0 + f64::from(n))];
            if n < 3 {
                bars.push((1, 50.0 + f64::from(n)));
            }
            gathered.bars.insert(n.into(), bars);
        }
        gathered.close_bars(0);
        let returns = &gathered.returns[0];
        assert_eq!((returns.rows(), returns.known(&[0]).rows(), returns.known(&[1]).rows()), (5, 5, 2));
    }

    #[test]
    fn a_peak_is_of_one_moment_and_not_of_one_strategy_now_and_another_before() {
        let mut curve = Curve::default();
        let cents = |value: i128| Scaled { value, decimals: 2 };
        // One has won what the other lost, each time.
        for (seq, [one, other]) in [(1, [0, 0]), (2, [5_000, -5_000]), (3, [-1_000, 0]), (4, [2_000, -4_000])]
        {
            for (strategy, net) in (0..).zip([one, other]) {
                let row = EquityRow {
                    seq,
                    time_ns: Time(seq),
                    strategy,
                    quote: "USDT".into(),
                    realised: cents(0),
                    unrealised: cents(net),
                    fees: cents(0),
                    net: cents(net),
                };
                curve.take(&row, &DayBoundary::default());
            }
        }
        assert_eq!((curve.peak(), curve.now), (0.0, -20.0));
    }
}
