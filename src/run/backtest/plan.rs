//! The plan of a backtest: which series are read, and what is known of each instrument's market.
//!
//! Owns: every check that can be made before the first event.

use super::Ran;
use super::fault::BacktestError;
use super::funding;
use super::held::{Held, LookedAt};
use super::path::STEPS;
use crate::domain::decimal::Scaled;
use crate::domain::instrument::FeeRate;
use crate::domain::params::ParamEntry;
use crate::domain::performance::Outcome;
use crate::domain::{Instrument, InstrumentId, Market, Time};
use crate::execution::fills::{
    FeeTiers, FillSettings, Funding, Latencies, Latency, Margin, MarketModel, Queue,
};
use crate::execution::score::ScoreSettings;
use crate::history::catalogue::{Series, SeriesKind, SeriesName};
use crate::history::{Catalogue, HistoryError, Query};
use crate::market::{IncompleteBars, Sourcing, TopSource};
use crate::net::FrameSource;
use crate::run::config::{BacktestConfig, Config, FillChoice, FillRule, LatencyChoice, span_label};
use crate::run::pipeline::Simulation;
use std::path::Path;

/// See the module.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The series that are read, of the history.
    pub series: Vec<Series>,
    /// What was read, by name.
    pub sources: Vec<String>,
    /// How many events there will be, about: as if each series had its own evenly over its time. 0 where nobody knows.
    pub events: u64,
    pub(super) query: Query,
    pub(super) simulation: Simulation,
    /// How long the end of a run waits for what is under way, ns.
    pub(super) settle_ns: u64,
}

/// Whether orders for an instrument fill against its bars.
pub(super) fn on_path(simulation: &Simulation, instrument: &Instrument) -> bool {
    simulation.sourcing[instrument.id.index()].top == TopSource::Bars
}

/// How many rows of a series lie in a query's range, about.
fn rows_in_range(series: &Series, query: &Query) -> u64 {
    let (first, last) = (series.first(), series.last());
    let from = query.from.unwrap_or(first).max(first);
    let until = query.until.unwrap_or(last).min(last);
    let (part, whole) = (until.since(from), last.since(first));
    if whole == 0 {
        series.rows
    } else {
        (u128::from(series.rows) * u128::from(part) / u128::from(whole)) as u64
    }
}

/// Quotes, among what a series may have.
const QUOTES: &str = "quotes";

/// What one series alone of an instrument may have, and the kinds that have it: of two each event would count twice, or prices
/// that are adjusted would come between those that are not.
const ONCE: [(&str, &[SeriesKind]); 4] = [
    ("bars", &[SeriesKind::Bars]),
    ("trades", &[SeriesKind::Trades, SeriesKind::AggTrades, SeriesKind::Feed]),
    (QUOTES, &[SeriesKind::Quotes]),
    ("depth", &[SeriesKind::Depth, SeriesKind::Feed]),
];

/// Refuses series of one instrument of which several have the same; `feed_quotes`: its feed has quotes, as only some do.
fn check_once(instrument: &str, series: &[&SeriesName], feed_quotes: bool) -> Result<(), BacktestError> {
    let has = |name: &SeriesName, (what, kinds): &(&str, &[SeriesKind])| {
        kinds.contains(&name.kind) || (feed_quotes && *what == QUOTES && name.kind == SeriesKind::Feed)
    };
    let having =
        |thing| -> Vec<&SeriesName> { series.iter().copied().filter(|name| has(name, thing)).collect() };
    let Some(thing) = ONCE.iter().find(|thing| having(thing).len() > 1) else { return Ok(()) };
    // What could be read: a feed rather than parts of it, and then whatever has what nothing before it has.
    let mut all = series.to_vec();
    all.sort_by_key(|name| (name.kind != SeriesKind::Feed, name.adjusted, name.kind));
    let mut read: Vec<&SeriesName> = Vec::new();
    for name in all {
        let both = |other: &&SeriesName| ONCE.iter().any(|thing| has(name, thing) && has(other, thing));
        if !read.iter().any(both) {
            read.push(name);
        }
    }
    let labels = |names: &[&SeriesName]| names.iter().map(|name| name.label()).collect::<Vec<_>>();
    Err(BacktestError::SeveralSeries {
        instrument: instrument.to_owned(),
        what: thing.0,
        series: labels(&having(thing)).join(" and "),
        read: labels(&read).iter().map(|label| format!("--series {label}")).collect::<Vec<_>>().join(" "),
    })
}

/// What is known of one instrument.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    trades: bool,
    aggregates: bool,
    quotes: bool,
    depth: bool,
    bars: bool,
    /// Whether it is what was recorded, from somewhere on.
    recorded: bool,
    /// Whether its trades have ids that are not the venue's.
    ids_made_up: bool,
}

impl Known {
    fn add(&mut self, kind: SeriesKind) {
        match kind {
            SeriesKind::Trades => self.trades = true,
            SeriesKind::AggTrades => self.aggregates = true,
            SeriesKind::Quotes => self.quotes = true,
            SeriesKind::Depth => self.depth = true,
            // What it has is another question.
            SeriesKind::Feed => self.recorded = true,
            SeriesKind::Bars => self.bars = true,
        }
    }

    /// A recorded feed of this; `aggregates`: where it has both, aggregate trades are those that count, as in a replay.
    fn add_feed(&mut self, held: Held, aggregates: bool) {
        self.add(SeriesKind::Feed);
        let unknown = held.is_nothing();
        // Of what trades in single ones or in aggregates, none may have traded yet.
        let no_trades = !held.trades && !held.aggregates;
        self.trades |= if no_trades { !aggregates } else { held.trades && !(aggregates && held.aggregates) };
        self.aggregates |= if no_trades { aggregates } else { held.aggregates };
        self.quotes |= held.quotes || unknown;
        self.depth |= held.depth || unknown;
    }

    /// Whether aggregate trades are all the trades there are.
    fn aggregates(self) -> bool {
        self.aggregates && !self.trades
    }

    fn auto(self) -> FillChoice {
        match self {
            Known { depth: true, .. } => FillChoice::Depth,
            Known { quotes: true, .. } => FillChoice::Quotes,
            Known { trades: true, .. } | Known { aggregates: true, .. } => FillChoice::Trades,
            _ => FillChoice::Bars,
        }
    }

    /// The model, and what it would lack.
    fn model(self, choice: FillChoice) -> Result<MarketModel, &'static str> {
        let aggregates = self.aggregates();
        match choice {
            FillChoice::Auto => self.model(self.auto()),
            // A recording may have later what its beginning has not.
            FillChoice::Depth if self.depth || self.recorded => Ok(MarketModel::Depth { aggregates }),
            FillChoice::Depth => Err("depth"),
            FillChoice::Quotes if self.quotes || self.recorded => Ok(MarketModel::Quotes { aggregates }),
            FillChoice::Quotes => Err("quotes"),
            FillChoice::Trades if self.trades || self.aggregates => Ok(MarketModel::Trades { aggregates }),
            FillChoice::Trades => Err("trades"),
            FillChoice::Bars if self.bars => Ok(MarketModel::Bars),
            FillChoice::Bars => Err("bars"),
        }
    }

    fn sourcing(self, model: MarketModel, from: Option<Time>) -> Sourcing {
        let top = match model {
            _ if self.quotes || self.depth => TopSource::Feed,
            MarketModel::Bars => TopSource::Bars,
            _ => TopSource::Trades,
        };
        // A series of trades has all there were of its market, or of the range that is read; a recording begins anywhere.
        let known_from = (!self.recorded).then(|| from.unwrap_or_default());
        let (aggregates, ids_made_up) = (self.aggregates(), self.ids_made_up);
        Sourcing { top, bars_given: self.bars, aggregates, ids_made_up, known_from }
    }
}

impl Plan {
    /// The plan over the local history.
    ///
    /// # Errors
    /// [`BacktestError`] where something is missing or does not fit.
    pub fn of_history(config: &Config, catalogue: &Catalogue) -> Result<Self, BacktestError> {
        let traded = traded(config)?;
        let b = &config.backtest;
        let all = catalogue.series();
        let names: Vec<String> = traded.iter().map(|i| i.name()).collect();
        let have = || {
            let known: Vec<_> = all.iter().map(|s| s.name.to_string()).collect();
            if known.is_empty() { "nothing yet".to_owned() } else { known.join(", ") }
        };
        for name in &names {
            if !all.iter().any(|s| s.name.instrument == *name) {
                return Err(BacktestError::NoSeries { instrument: name.clone(), known: have() });
            }
        }
        let query =
            Query { instruments: names, series: b.series.clone(), from: b.read_from(), until: b.until };
        let series = query.select(catalogue)?;
        series.iter().try_for_each(|series| series.check_ids(query.until))?;
        let mut known = vec![Known::default(); config.instruments.len()];
        for instrument in &traded {
            let name = instrument.name();
            let ours = || series.iter().filter(|s| s.name.instrument == name);
            if ours().next().is_none() {
                let mut have: Vec<_> =
                    all.iter().filter(|s| s.name.instrument == name).map(|s| s.name.label()).collect();
                have.sort();
                return Err(HistoryError::NoSeries {
                    instruments: name,
                    name: b.series.join(", "),
                    known: have.join(", "),
                }
                .into());
            }
            let (mut feed_quotes, aggregates) = (false, config.venue.aggregates_alone());
            let known = &mut known[instrument.id.index()];
            for s in ours() {
                if s.name.kind == SeriesKind::Feed {
                    let held = Held::of_series(catalogue, s, &config.instruments, &query, aggregates)?;
                    known.add_feed(held, aggregates);
                    feed_quotes |= held.quotes;
                } else {
                    known.add(s.name.kind);
                }
            }
            check_once(&name, &ours().map(|s| &s.name).collect::<Vec<_>>(), feed_quotes)?;
            known.ids_made_up = ours().any(Series::has_made_up_ids);
            let bars = ours().find(|s| s.name.kind == SeriesKind::Bars);
            if let Some(bars) = bars.filter(|_| b.fill == FillChoice::Bars && (known.quotes || known.depth)) {
                return Err(BacktestError::BarsBeside { instrument: name, bars: bars.name.label() });
            }
        }
        let told = |i: &Instrument| {
            let ours = series.iter().filter(|s| s.name.instrument == i.name());
            ours.map(|s| s.name.label()).collect::<Vec<_>>().join(", ")
        };
        let simulation = simulation(config, &traded, &known, told)?;
        let sources = series.iter().map(|s| s.name.to_string()).collect();
        let steps = |s: &Series| match config.instruments.by_name(&s.name.instrument) {
            // Bars that orders fill against are events all along their path.
            Some(i) if s.name.kind == SeriesKind::Bars && on_path(&simulation, i) => STEPS,
            _ => 1,
        };
        let events = series.iter().map(|s| rows_in_range(s, &query).saturating_mul(steps(s))).sum();
        Ok(Self { sources, events, query, simulation, settle_ns: settle_ns(config), series })
    }

    /// The plan over recorded frames.
    ///
    /// # Errors
    /// [`BacktestError`] where something is missing or does not fit.
    pub(super) fn of_frames(config: &Config, frames: &LookedAt<'_>) -> Result<Self, BacktestError> {
        let traded = traded(config)?;
        let sources: Vec<String> = frames.sources().iter().map(|s| s.name.clone()).collect();
        let mut known = vec![Known::default(); config.instruments.len()];
        for instrument in &traded {
            let ours = |s: &crate::net::SourceInfo| {
                s.market == instrument.market
                    && s.symbol
                        .as_deref()
                        .is_none_or(|symbol| symbol.eq_ignore_ascii_case(&instrument.symbol))
            };
            if !frames.sources().iter().any(ours) {
                let known = sources.join(", ");
                return Err(BacktestError::NoRecording { instrument: instrument.name(), known });
            }
            known[instrument.id.index()]
                .add_feed(frames.held(instrument.id), config.venue.aggregates_alone());
        }
        let simulation = simulation(config, &traded, &known, |_| "a recorded feed".into())?;
        let b = &config.backtest;
        let query = Query { from: b.read_from(), until: b.until, ..Query::default() };
        Ok(Self { series: Vec::new(), sources, events: 0, query, simulation, settle_ns: settle_ns(config) })
    }

    /// The last moment of the history that is run over; none where nobody knows before.
    #[must_use]
    pub fn last(&self) -> Option<Time> {
        let last = self.series.iter().map(Series::last).max()?;
        Some(self.query.until.map_or(last, |until| until.min(last)))
    }

    /// Whether the market said nothing in the range, whatever it said before, while a run was warmed up.
    pub(super) fn saw_nothing(&self, ran: &Ran) -> bool {
        let warmed_up = self.query.from.is_some_and(|from| from < self.simulation.score.from);
        let cut_short = ran.summary.stopped.is_some();
        !cut_short && (ran.events == 0 || (warmed_up && ran.outcome.equity.is_empty()))
    }

    /// That no event lies in the range.
    pub(super) fn nothing(&self) -> BacktestError {
        let told = |time: Option<Time>, otherwise: &str| {
            time.map_or_else(|| otherwise.to_owned(), |time| time.to_string())
        };
        let first = told(self.series.iter().map(Series::first).min(), "nothing");
        let last = told(self.series.iter().map(Series::last).max(), "nothing");
        let from = self.query.from.map(|from| from.max(self.simulation.score.from));
        let (from, until) = (told(from, "the beginning"), told(self.query.until, "the end"));
        BacktestError::Nothing {
            series: self.sources.join(", "),
            there: format!("{first} to {last}"),
            asked: format!("from {from} until {until}"),
        }
    }

    /// What of the configuration came to nothing in a run that did `outcome`.
    pub(super) fn notes(&self, config: &Config, outcome: &Outcome) -> Vec<String> {
        // Of a history it was told before.
        let mut notes = match self.series.is_empty() {
            true => config.hours_that_end(outcome.until),
            false => Vec::new(),
        };
        notes.extend(without_fees(config, outcome));
        let Some(file) = &config.backtest.funding_file else { return notes };
        let range = (outcome.from.max(self.simulation.score.from), outcome.until);
        let traded = traded(config).unwrap_or_default();
        notes.extend(funding::notes(
            &file.display().to_string(),
            &self.simulation.fills.funding,
            &traded,
            range,
        ));
        notes
    }

    /// What bears on the result, to be told with it.
    pub(super) fn settings(&self, config: &Config) -> Vec<(String, String)> {
        let b = &config.backtest;
        let mut all: Vec<(String, String)> = Vec::new();
        let mut put = |key: &str, value: String| all.push((key.to_owned(), value));
        put("balance", format!("{:#}", Scaled { value: b.balance.into(), decimals: 8 }));
        put("from", b.from.map_or(String::new(), |time| time.to_string()));
        put("until", b.until.map_or(String::new(), |time| time.to_string()));
        if !b.warm_up.is_zero() {
            put("warm_up", span_label(b.warm_up));
        }
        put("fill", b.fill.to_string());
        put("path", b.path.to_string());
        put("queue", queue_label(b.queue));
        put("resting fill", config.paper.fill.to_string());
        put("slippage_bps", b.slippage.bps.to_string());
        put("slippage_ticks", b.slippage.ticks.to_string());
        put("impact_bps", b.slippage.impact_bps.to_string());
        put("order_latency", latency_label(b.order_latency.as_ref(), config.paper.order_latency_us));
        put("data_latency", latency_label(Some(&b.data_latency), 0));
        put("answer_latency", latency_label(b.answer_latency.as_ref(), config.pipeline.answer_delay_us));
        put("seed", b.seed.to_string());
        put("leverage", b.leverage.to_string());
        put("maintenance_bps", b.maintenance_bps.to_string());
        put("funding_rate", format!("{:#}", Scaled { value: b.funding_rate.0.into(), decimals: 8 }));
        put("funding_hours", b.funding_hours.to_string());
        put("funding_file", b.funding_file.as_ref().map_or(String::new(), |file| file.display().to_string()));
        put("equity_seconds", b.equity_seconds.to_string());
        put("qty_decimals", b.qty_decimals.to_string());
        // By what is read: of a feed that has both, `[venue] streams` says which count, and of what else there is nothing.
        for (of, instrument) in self.simulation.sourcing.iter().zip(config.instruments.all()) {
            if of.aggregates {
                put(&format!("trades of {}", instrument.name()), "aggregates".to_owned());
            }
        }
        // Of bars that are given none are made.
        let watched = self.simulation.sourcing.iter().zip(&self.simulation.score.watched);
        if watched.into_iter().any(|(of, watched)| *watched && !of.bars_given) {
            put("bar", config.market.bar.to_string());
            if config.market.incomplete_bars == IncompleteBars::Give {
                put("incomplete_bars", "give".to_owned());
            }
        }
        let rate =
            |rate: FeeRate| format!("{:#}", Scaled { value: rate.0.into(), decimals: FeeRate::DECIMALS });
        for (place, hours) in &config.hours {
            put(&format!("hours of {place}"), hours.to_string());
        }
        for tier in &b.tiers {
            let volume = Scaled { value: tier.volume.into(), decimals: 8 };
            let (maker, taker) = (rate(tier.maker), rate(tier.taker));
            put(&format!("tier from {volume:#}"), format!("maker {maker}, taker {taker}"));
        }
        // Tiers are charged in place of the instruments' own.
        let mut told: Vec<InstrumentId> = Vec::new();
        for id in config.strategies.iter().flat_map(|strategy| &strategy.instruments) {
            if b.tiers.is_empty() && !told.contains(id) {
                told.push(*id);
                let of = config.instruments.get(*id);
                let (maker, taker) = (rate(of.maker_fee), rate(of.taker_fee));
                put(&format!("fees of {}", of.name()), format!("maker {maker}, taker {taker}"));
            }
        }
        for strategy in &config.strategies {
            if let Some((method, params)) = &strategy.sizing {
                let of = |entry: &ParamEntry| format!(" {}={}", entry.name, entry.value);
                let params: String = params.entries().iter().map(of).collect();
                put(&format!("{}.sizing", strategy.label), format!("{method}{params}"));
            }
            if let Some(hours) = &strategy.hours {
                put(&format!("{}.hours", strategy.label), hours.to_string());
            }
            for entry in &strategy.params.entries {
                put(&format!("{}.{}", strategy.label, entry.name), entry.value.to_string());
            }
        }
        all
    }
}

/// Says of which instruments nothing was charged, where they have no fees and no tier was given: a profit that costs would have
/// taken is easily believed.
fn without_fees(config: &Config, outcome: &Outcome) -> Option<String> {
    if !config.backtest.tiers.is_empty() {
        return None;
    }
    let traded = |of: &&Instrument| outcome.fills.iter().any(|fill| fill.instrument == of.id);
    let free = |of: &&Instrument| of.maker_fee.0 == 0 && of.taker_fee.0 == 0;
    let names: Vec<String> =
        config.instruments.all().iter().filter(free).filter(traded).map(Instrument::name).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{}: traded without fees, as no instrument file gives any; a [[backtest.tier]] charges some",
            names.join(", ")
        )
    })
}

fn queue_label(queue: Queue) -> String {
    match queue {
        Queue::RiskAverse => "risk-averse".into(),
        Queue::Power(n) => format!("power:{n}"),
        Queue::Log => "log".into(),
    }
}

fn latency_label(choice: Option<&LatencyChoice>, default_us: u64) -> String {
    match choice {
        None => format!("{default_us}us"),
        Some(LatencyChoice::Constant(ns)) => format!("{ns}ns"),
        Some(LatencyChoice::File(path)) => format!("file:{}", path.display()),
        Some(LatencyChoice::OfEvents(per_mille, ns)) => {
            format!("event*{}{ns:+}ns", f64::from(*per_mille) / 1_000.0)
        }
    }
}

/// The instruments that strategies have; all are paid in one asset.
fn traded(config: &Config) -> Result<Vec<&Instrument>, BacktestError> {
    if config.backtest.from.is_none() && !config.backtest.warm_up.is_zero() {
        return Err(BacktestError::WarmUp);
    }
    if config.strategies.is_empty() {
        return Err(BacktestError::NoStrategy(config.file.clone()));
    }
    let mut ids: Vec<InstrumentId> = config.strategies.iter().flat_map(|s| s.instruments.clone()).collect();
    ids.sort();
    ids.dedup();
    let traded: Vec<&Instrument> = ids.into_iter().map(|id| config.instruments.get(id)).collect();
    let mut currencies: Vec<&str> = traded.iter().map(|i| i.quote.as_str()).collect();
    currencies.sort_unstable();
    currencies.dedup();
    if currencies.len() > 1 {
        return Err(BacktestError::Currencies(currencies.join(", ")));
    }
    Ok(traded)
}

fn simulation(
    config: &Config,
    traded: &[&Instrument],
    known: &[Known],
    told: impl Fn(&Instrument) -> String,
) -> Result<Simulation, BacktestError> {
    let b = &config.backtest;
    let mut models = vec![MarketModel::None; known.len()];
    let mut sourcing = vec![Sourcing::default(); known.len()];
    let mut watched = vec![false; known.len()];
    for instrument in traded {
        let index = instrument.id.index();
        let model = known[index].model(b.fill).map_err(|needs| BacktestError::Model {
            model: b.fill.label(),
            needs,
            instrument: instrument.name(),
            series: told(instrument),
        })?;
        (models[index], sourcing[index]) = (model, known[index].sourcing(model, b.read_from()));
        watched[index] = true;
    }
    let currency = traded.first().map_or(String::new(), |i| i.quote.clone());
    let margin = (b.leverage > 0).then(|| Margin {
        balance: futures_balance(config, &currency),
        leverage: b.leverage,
        maintenance_bps: b.maintenance_bps,
        liquidation_fee: crate::domain::instrument::FeeRate(1_250_000),
    });
    let order = latency(b.order_latency.as_ref(), config.paper.order_latency_us)?;
    let answer = latency(b.answer_latency.as_ref(), config.pipeline.answer_delay_us)?;
    let fills = FillSettings {
        models,
        touch: config.paper.fill == FillRule::Touch,
        queue: b.queue,
        slippage: b.slippage,
        latencies: Latencies::new(order, latency(Some(&b.data_latency), 0)?, answer, b.seed),
        floor_ns: config.pipeline.answer_delay_us.saturating_mul(1_000),
        tiers: FeeTiers::new(b.tiers.clone()),
        margin,
        funding: funding(b, config, traded)?,
    };
    let interval_ns = u64::from(b.equity_seconds) * 1_000_000_000;
    // Without a first moment there is nothing before it.
    let from = b.from.unwrap_or_default();
    let score = ScoreSettings { currency, start: b.balance, interval_ns, from, watched, decisions: false };
    Ok(Simulation { fills, sourcing, score, known: None })
}

/// What the futures wallet holds at first: what is configured of it, or else all there is.
fn futures_balance(config: &Config, currency: &str) -> i64 {
    let ours =
        |given: &&crate::domain::StartingBalance| given.market == Market::UsdM && given.asset == currency;
    config.paper.balances.iter().find(ours).map_or(config.backtest.balance, |given| given.amount)
}

fn latency(choice: Option<&LatencyChoice>, default_us: u64) -> Result<Latency, BacktestError> {
    match choice {
        None => Ok(Latency::Constant(default_us.saturating_mul(1_000))),
        Some(LatencyChoice::Constant(ns)) => Ok(Latency::Constant(*ns)),
        Some(LatencyChoice::OfEvents(per_mille, plus_ns)) => {
            Ok(Latency::OfEvents { per_mille: *per_mille, plus_ns: *plus_ns })
        }
        Some(LatencyChoice::File(path)) => {
            let name = path.display().to_string();
            let text = read(path)?;
            Latency::from_percentiles(&text).map_err(|line| BacktestError::File {
                path: name,
                line,
                expected:
                    "must be a histogram as a latency report writes it (.hgrm): value, percentile and count"
                        .into(),
            })
        }
    }
}

fn read(path: &Path) -> Result<String, BacktestError> {
    let name = path.display().to_string();
    std::fs::read_to_string(path).map_err(|error| BacktestError::Io { path: name, error })
}

fn funding(b: &BacktestConfig, config: &Config, traded: &[&Instrument]) -> Result<Funding, BacktestError> {
    let every = u64::from(b.funding_hours) * 3_600_000_000_000;
    let constant = (b.funding_rate.0 != 0).then_some((b.funding_rate, every));
    let mut rates = match &b.funding_file {
        Some(path) => funding::read(&path.display().to_string(), &read(path)?, config, traded)?,
        None => Vec::new(),
    };
    let given = funding::given(&rates, every);
    rates.retain(|rate| b.from.is_none_or(|from| rate.time >= from));
    Ok(Funding { rates, constant, given })
}

/// How long after the last event what is under way may still arrive, ns.
fn settle_ns(config: &Config) -> u64 {
    let longest = |choice: Option<&LatencyChoice>| match choice {
        Some(LatencyChoice::Constant(ns)) => *ns,
        // A long way is short against a second.
        Some(_) => 1_000_000_000,
        None => 0,
    };
    let b = &config.backtest;
    let order = longest(b.order_latency.as_ref()).max(config.paper.order_latency_us.saturating_mul(1_000));
    order + longest(Some(&b.data_latency)) + longest(b.answer_latency.as_ref())
}

impl BacktestError {
    /// Whether it is about what was asked for, and not about a file or a run.
    #[must_use]
    pub const fn is_of_usage(&self) -> bool {
        matches!(
            self,
            Self::Pipeline(_)
                | Self::NoStrategy(_)
                | Self::WarmUp
                | Self::Io { .. }
                | Self::File { .. }
                | Self::NoSeries { .. }
                | Self::NoRecording { .. }
                | Self::SeveralSeries { .. }
                | Self::BarsBeside { .. }
                | Self::Model { .. }
                | Self::Currencies(_)
                | Self::Nothing { .. }
                | Self::History(
                    HistoryError::Unknown { .. } | HistoryError::NoSeries { .. } | HistoryError::Range { .. }
                )
        )
    }
}
