//! Configuration: TOML text to raw structures to checked structures, once, before anything runs.
//!
//! Owns: the files under `config/`, every key, range and default. Reads files and nothing else of the outer world.
//! Invariant: a [`Config`] that exists is good, and a text that gives none says each reason with file, line and key.

mod alerts;
mod audit;
mod backtest;
mod balances;
mod bar;
mod capital;
mod check;
mod choices;
mod document;
mod heard;
mod hours;
mod instruments;
mod place;
mod quotes;
mod raw;
mod read;
mod risk;
mod sections;
mod strategies;
mod surveillance;
mod trading;
mod venue;

pub use alerts::AlertConfig;
pub use audit::AuditConfig;
pub use backtest::{
    BacktestConfig, FUNDING_MAX, FillChoice, LatencyChoice, PathRule, SPAN_EXPECTED, parse_span, parse_time,
    span_label,
};
pub use hours::HoursConfig;
pub use place::ControlPlace;
pub use quotes::MixedQuotes;
pub use risk::RiskConfig;
pub use sections::{
    ControlConfig, CoreConfig, FetchBars, FillRule, JournalConfig, JournalSync, LogConfig, MarketConfig,
    PaperConfig, PipelineConfig, QUOTE_DECIMALS, ReportConfig, RunConfig, StoreConfig, Threading, Wait,
};
pub use strategies::StrategyConfig;
pub use surveillance::{OnAlert, SurveillanceConfig};
pub use trading::{OnExit, OrderEntry, TradingConfig, TradingMode};
pub use venue::{EndpointConfig, VenueConfig};

use crate::domain::params::ConfigProblem;
use crate::domain::pnl::Method;
use crate::domain::{Instrument, InstrumentTable, Market};
use check::Checks;
use document::Document;
use instruments::{Opened, Sources};
use raw::RawConfig;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

/// Text of `config/default.toml`: the configuration without a file, and the manual of every key.
pub const DEFAULT_TEXT: &str = include_str!("../../../config/default.toml");

/// The name of [`DEFAULT_TEXT`] in messages.
pub const DEFAULT_NAME: &str = "config/default.toml";

/// The instrument files that are built in, by their names in [`DEFAULT_TEXT`].
const BUILT_IN: &[(&str, &str)] = &[
    ("instruments/binance-spot.toml", include_str!("../../../config/instruments/binance-spot.toml")),
    ("instruments/binance-usdm.toml", include_str!("../../../config/instruments/binance-usdm.toml")),
    ("instruments/binance-coinm.toml", include_str!("../../../config/instruments/binance-coinm.toml")),
];

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was read from, as it was named to us.
    pub file: String,
    /// Its text, which goes into the journal so that a run can be run again.
    pub text: String,
    /// `[run]`.
    pub run: RunConfig,
    /// Every instrument of the run.
    pub instruments: InstrumentTable,
    /// `[pipeline]`.
    pub pipeline: PipelineConfig,
    /// `[journal]`.
    pub journal: JournalConfig,
    /// `[store]`.
    pub store: StoreConfig,
    /// `[audit]`.
    pub audit: AuditConfig,
    /// `[alerts]`.
    pub alerts: AlertConfig,
    /// `[market]`.
    pub market: MarketConfig,
    /// `[risk]`.
    pub risk: RiskConfig,
    /// `[paper]`.
    pub paper: PaperConfig,
    /// `[trading]`.
    pub trading: TradingConfig,
    /// `[control]`.
    pub control: ControlConfig,
    /// `[venue]`.
    pub venue: VenueConfig,
    /// `[accounting]`: what a closing is set against.
    pub accounting: Method,
    /// `[hours]`, by venue and market.
    pub hours: BTreeMap<String, HoursConfig>,
    /// `[surveillance]`.
    pub surveillance: SurveillanceConfig,
    /// `[log]`.
    pub log: LogConfig,
    /// `[report]`.
    pub report: ReportConfig,
    /// `[backtest]`.
    pub backtest: BacktestConfig,
    /// `[[strategy]]`, in the order of the file.
    pub strategies: Vec<StrategyConfig>,
    sources: Sources,
    /// Where `[venue] streams` is, to be told of; `None` where it is not given.
    streams_place: Option<ConfigProblem>,
}

/// Why there is no configuration: everything that is wrong, one problem a line when shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// By file, line and column; at least one.
    pub problems: Vec<ConfigProblem>,
}

impl ConfigError {
    fn new(mut problems: Vec<ConfigProblem>) -> Self {
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        Self { problems }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// The text of the file at `path`, called `name` in messages.
fn text_of(path: &Path, name: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| {
        let expected = format!("cannot be read: {error}");
        let (file, key, found) = (name.to_owned(), String::new(), None);
        ConfigError::new(vec![ConfigProblem { file, line: 0, column: 0, key, found, expected }])
    })
}

impl Config {
    /// Reads the file at `path` and the instrument files it names, which are relative to its directory.
    ///
    /// # Errors
    /// Every problem found in any of them.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_and(path, &[])
    }

    /// The same with more instruments, those that no file has: such as a history knows.
    ///
    /// # Errors
    /// Every problem found in any of the files.
    pub fn load_and(path: &Path, more: &[Instrument]) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = text_of(path, &name)?;
        Self::from_text_and(&text, &name, path.parent().unwrap_or(Path::new("")), more)
    }

    /// Reads `text`, called `name` in messages; instrument files are relative to `base_dir`.
    ///
    /// # Errors
    /// Every problem found in it or in its instrument files.
    pub fn from_text(text: &str, name: &str, base_dir: &Path) -> Result<Self, ConfigError> {
        Self::from_text_and(text, name, base_dir, &[])
    }

    /// The same with more instruments, those that no file has: such as a history knows.
    ///
    /// # Errors
    /// Every problem found in it or in its instrument files.
    pub fn from_text_and(
        text: &str,
        name: &str,
        base_dir: &Path,
        more: &[Instrument],
    ) -> Result<Self, ConfigError> {
        Self::build(text, name, false, None, more, &|file| {
            let path = base_dir.join(file);
            Opened { name: path.display().to_string(), text: std::fs::read_to_string(&path) }
        })
    }

    /// The configuration that is built in, so that the program runs without any file.
    ///
    /// # Panics
    /// Never: the built-in text is constant, and a test reads it.
    #[must_use]
    pub fn embedded_default() -> Self {
        Self::from_text_with_built_in(DEFAULT_TEXT, DEFAULT_NAME)
            .expect("the built-in configuration is good, as a test proves")
    }

    /// Reads `text` with the built-in instrument files in place of files on disk.
    ///
    /// # Errors
    /// Every problem found in it.
    pub fn from_text_with_built_in(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::build(text, name, true, None, &[], &|file| {
            let text = BUILT_IN.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned());
            Opened { name: format!("config/{file}"), text: text.ok_or(io::ErrorKind::NotFound.into()) }
        })
    }

    /// Reads `text` with these instruments in place of those it names: a journal's, a generated market's.
    ///
    /// # Errors
    /// Every problem found in it.
    pub fn from_text_with_instruments(
        text: &str,
        name: &str,
        table: InstrumentTable,
    ) -> Result<Self, ConfigError> {
        Self::build(text, name, true, Some(table), &[], &|file| Opened {
            name: file.to_owned(),
            text: Err(io::ErrorKind::NotFound.into()),
        })
    }

    /// What to tell who asks for an instrument that is not configured: which file to add it to.
    #[must_use]
    pub fn missing_instrument_message(&self, market: Market, symbol: &str) -> String {
        format!("binance:{market}:{symbol} {}", self.sources.missing(market, symbol))
    }

    fn build(
        text: &str,
        name: &str,
        built_in: bool,
        given: Option<InstrumentTable>,
        more: &[Instrument],
        open: &dyn Fn(&str) -> Opened,
    ) -> Result<Self, ConfigError> {
        let document = Document::parse(name, text).map_err(ConfigError::new)?;
        let mut checks = Checks { document: &document, problems: Vec::new() };
        let raw: RawConfig = document.read(&mut checks.problems);
        // What a journal has was taken when its run began, and is read again whatever is refused at a start since then.
        let of_journal = given.is_some();
        let instruments = match given {
            Some(table) => instruments::Instruments::given(name, table),
            None => instruments::check(&raw.instruments, built_in, open, &mut checks),
        };
        let instruments = instruments.with(more);
        let strategies = strategies::check(&raw.strategy, &instruments, &mut checks);
        let run = RunConfig::check(&raw.run, &mut checks);
        let pipeline = PipelineConfig::check(&raw.pipeline, &mut checks);
        let journal = JournalConfig::check(&raw.journal, &mut checks);
        let store = StoreConfig::check(&raw.store, &mut checks);
        let audit = AuditConfig::check(&raw.audit, &mut checks);
        if !of_journal {
            sections::distinct_outputs(&raw, &store, &mut checks);
        }
        let alerts = AlertConfig::check(&raw.alerts, &mut checks);
        let market = MarketConfig::check(&raw.market, &mut checks);
        let labels: Vec<&str> = strategies.iter().map(|strategy| strategy.label.as_str()).collect();
        let risk = RiskConfig::check(&raw.risk, &instruments, &labels, &mut checks);
        let paper = PaperConfig::check(&raw.paper, &instruments, &mut checks);
        let venue = VenueConfig::check(&raw.venue, &mut checks);
        let streams = raw.venue.streams.as_ref();
        let streams_place = streams.map(|given| checks.document.problem(&given.span(), ""));
        let mut trading = TradingConfig::check(&raw.trading, &mut checks);
        trading::pairs_file(&raw.trading, &trading, &mut checks);
        trading.standby = trading::standby(&raw.trading, &trading, &instruments, &mut checks);
        if trading.mode == TradingMode::Live {
            trading::spot_only(&raw.strategy, &instruments, &mut checks);
            if risk.mixed_quotes == MixedQuotes::Refuse && !of_journal {
                quotes::one_quote(&raw.strategy, &instruments, &mut checks);
            }
        }
        let hours = hours::check(&raw.hours, &instruments, &mut checks);
        let surveillance = SurveillanceConfig::check(&raw.surveillance, &mut checks);
        let accounting = checks.choice(&raw.accounting.method, &Method::LABELS, Method::Average);
        let control = ControlConfig::check(&raw.control);
        let log = LogConfig::check(&raw.log, &mut checks);
        let report = ReportConfig::check(&raw.report, &mut checks);
        let backtest = BacktestConfig::check(&raw.backtest, &mut checks);
        let instruments::Instruments { table, sources } = instruments;
        let (file, text) = (name.to_owned(), text.to_owned());
        match table {
            Some(instruments) if checks.problems.is_empty() => Ok(Self {
                file,
                text,
                run,
                instruments,
                pipeline,
                journal,
                store,
                audit,
                alerts,
                market,
                risk,
                paper,
                trading,
                control,
                venue,
                accounting,
                hours,
                surveillance,
                log,
                report,
                backtest,
                strategies,
                sources,
                streams_place,
            }),
            _ => Err(ConfigError::new(checks.problems)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn built_in(text: &str) -> Result<Config, String> {
        Config::from_text_with_built_in(text, "x.toml").map_err(|error| error.to_string())
    }

    /// The default text with every setting that is off turned on.
    fn all_on() -> String {
        let on = |line: &'static str| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && !setting.is_empty() => setting,
            _ => line,
        };
        DEFAULT_TEXT.lines().map(on).collect::<Vec<_>>().join("\n")
    }

    /// Every key that can stand in the table `header`, told by the refusal of one that cannot; none if it is no table.
    fn keys_of(header: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let text = format!("{header}\n\"?\" = 1\n");
        let _: RawConfig = Document::parse("x", &text).expect("TOML").read(&mut problems);
        let known = problems.first().and_then(|problem| problem.expected.split_once("; known: "));
        known.map(|(_, known)| known.split(", ").map(str::to_owned).collect()).unwrap_or_default()
    }

    fn every_key() -> Vec<String> {
        let mut keys = keys_of("");
        let mut at = 0;
        while let Some(key) = keys.get(at).cloned() {
            let header = if key == "strategy" { "[[strategy]]".to_owned() } else { format!("[{key}]") };
            keys.extend(keys_of(&header).iter().map(|inner| format!("{key}.{inner}")));
            at += 1;
        }
        keys
    }

    fn given_keys(table: &toml::Table, parent: &str, given: &mut HashSet<String>) {
        for (name, value) in table {
            let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
            let tables = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            tables.iter().filter_map(toml::Value::as_table).for_each(|table| given_keys(table, &path, given));
            given.insert(path);
        }
    }

    #[test]
    fn the_default_file_shows_every_key_and_those_turned_off_are_good() {
        let text = all_on();
        let config = built_in(&text).expect("settings that are off are good too");
        assert_eq!((config.run.epoch, config.pipeline.cores.gateway), (Some(1_723_161_253), Some(6)));
        assert_eq!(config.strategies[0].label, "ma-cross-btc");
        let mut given = HashSet::new();
        given_keys(&text.parse().expect("TOML"), "", &mut given);
        let keys = every_key();
        assert!(keys.len() >= 45 && keys.contains(&"pipeline.cores.feed".to_owned()), "{keys:?}");
        let missing: Vec<_> = keys.iter().filter(|key| !given.contains(*key)).collect();
        assert!(missing.is_empty(), "config/default.toml does not show {missing:?}");
    }

    #[test]
    fn the_default_file_shows_every_parameter_of_the_built_in_strategies_with_its_default() {
        let text = all_on();
        let config = built_in(&text).expect("good");
        for spec in crate::strategy::BUILT_IN {
            let shown = config.strategies.iter().find(|of| of.name == spec.name);
            let shown = shown.unwrap_or_else(|| panic!("config/default.toml does not show {}", spec.name));
            for param in spec.params {
                let entry = shown.params.entries.iter().find(|entry| entry.name == param.name);
                let value = entry.map(|entry| &entry.value);
                assert_eq!(value, Some(&param.kind.default_value()), "{} of {}", param.name, spec.name);
            }
        }
    }

    #[test]
    fn the_values_in_the_default_file_are_the_defaults() {
        let (shown, empty) = (Config::embedded_default(), built_in("").expect("nothing is required"));
        assert_eq!(shown.run, empty.run);
        assert_eq!(shown.pipeline, empty.pipeline);
        assert_eq!(shown.journal, empty.journal);
        assert_eq!(shown.store, empty.store);
        assert_eq!(shown.audit, empty.audit);
        assert_eq!(shown.alerts, empty.alerts);
        assert_eq!(shown.market, empty.market);
        // Limits have no values but those that are written, or are asked for as these.
        let asked = built_in("[risk]\nunset = \"default\"").expect("good");
        assert_eq!((shown.risk.limits, &shown.risk.setup.day), (asked.risk.limits, &asked.risk.setup.day));
        assert_eq!(shown.risk.filters, asked.risk.filters);
        assert!(empty.risk.limits.unset && empty.risk.missing.len() > 60, "{:?}", empty.risk.missing);
        assert!(shown.risk.missing.is_empty() && !shown.risk.limits.unset);
        assert_eq!(shown.paper, empty.paper);
        assert_eq!(shown.trading, empty.trading);
        assert_eq!(shown.control, empty.control);
        assert_eq!(shown.venue, empty.venue);
        assert_eq!((&shown.hours, shown.accounting), (&empty.hours, empty.accounting));
        assert_eq!(shown.surveillance, empty.surveillance);
        assert_eq!(shown.log, empty.log);
        assert_eq!(shown.report, empty.report);
        assert_eq!(shown.backtest, empty.backtest);
        assert!(empty.instruments.is_empty() && empty.strategies.is_empty());
    }

    /// The first `A to B` of a comment.
    fn range(comment: &str) -> Option<(i64, i64)> {
        let words: Vec<&str> = comment.split(|c: char| c.is_whitespace() || ",;:".contains(c)).collect();
        words.windows(3).find_map(|w| match w {
            [min, "to", max] => Some((min.parse().ok()?, max.trim_end_matches('.').parse().ok()?)),
            _ => None,
        })
    }

    #[test]
    fn the_ranges_told_in_the_default_file_are_enforced() {
        let (mut section, mut comment, mut checked) = ("", String::new(), 0);
        for line in DEFAULT_TEXT.lines() {
            let setting = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
            match setting.split_once(" = ") {
                _ if line.starts_with("[[strategy]]") => break,
                _ if line.starts_with('[') => section = line,
                _ if setting == line && line.starts_with('#') => comment.push_str(&line[1..]),
                Some((key, value)) if value.parse::<i64>().is_ok() && !section.contains("cores") => {
                    let (min, max) =
                        range(&comment).unwrap_or_else(|| panic!("{key}: no range in {comment:?}"));
                    for good in [min, max] {
                        assert!(built_in(&format!("{section}\n{key} = {good}")).is_ok(), "{key} = {good}");
                    }
                    for bad in [min - 1, max + 1] {
                        let said = built_in(&format!("{section}\n{key} = {bad}")).expect_err("out of range");
                        assert!(said.contains(&format!(" from {min} to {max}")), "{said}");
                    }
                    checked += 1;
                }
                _ => comment.clear(),
            }
        }
        assert_eq!(checked, 52, "every integer outside [pipeline.cores] and the strategies");
    }

    #[test]
    fn an_instrument_that_is_not_there_is_told_with_the_file_to_add_it_to() {
        let default = Config::embedded_default();
        assert_eq!(
            default.missing_instrument_message(Market::UsdM, "SOLUSDT"),
            "binance:usdm:SOLUSDT is not configured: add an [[instrument]] with symbol = \"SOLUSDT\" to \
             config/instruments/binance-usdm.toml, then use --config config/default.toml"
        );
        let none = Config::from_text("", "my.toml", Path::new("")).expect("nothing is required");
        assert_eq!(
            none.missing_instrument_message(Market::Spot, "SOLUSDT"),
            "binance:spot:SOLUSDT is not configured: add an [[instrument]] with symbol = \"SOLUSDT\" to a file \
             with venue = \"binance\" and market = \"spot\" and list it under [instruments] files in my.toml"
        );
    }

    #[test]
    fn the_built_in_instruments_are_the_venues() {
        let config = Config::embedded_default();
        let told = |name: &str| {
            let i = config.instruments.by_name(name).expect("built in");
            (i.price_decimals, i.qty_decimals, i.tick.0, i.lot.0, i.min_notional.0, i.taker_fee.0)
        };
        assert_eq!(told("binance:spot:BTCUSDT"), (8, 8, 1_000_000, 1_000, 50_000_000_000_000_000, 100_000));
        assert_eq!(told("binance:spot:ETHUSDT"), (8, 8, 1_000_000, 10_000, 50_000_000_000_000_000, 100_000));
        assert_eq!(told("binance:usdm:BTCUSDT"), (2, 3, 10, 1, 10_000_000, 50_000));
        assert_eq!(told("binance:usdm:ETHUSDT"), (2, 3, 1, 1, 2_000_000, 50_000));
        assert_eq!(told("binance:coinm:BTCUSD_PERP"), (1, 0, 1, 1, 0, 50_000));
        assert!(
            !config
                .instruments
                .get(config.instruments.find(Market::CoinM, b"BTCUSD_PERP").expect("there"))
                .tradable()
        );
    }
}
