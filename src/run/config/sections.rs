//! The sections of a configuration, checked: what the rest of the program reads.
//!
//! Owns: ranges and defaults. Their meaning for a user is told in `config/default.toml`; a test keeps both the same.

use super::bar;
use super::check::Checks;
use super::choices::choices;
use super::instruments::Instruments;
use super::raw::{
    Given, RawConfig, RawControl, RawCores, RawJournal, RawLog, RawMarket, RawPaper, RawPipeline, RawReport,
    RawRun, RawStore,
};
use crate::domain::StartingBalance;
use crate::domain::decimal::POW10;
use crate::market::{BarSpec, IncompleteBars};
use crate::store::{LoaderSettings, StoreUrl, UrlError};
use log::LevelFilter;
use std::path::{Path, PathBuf};

/// Decimals of limits and balances: they are in units of 10^-8 of the quote asset.
pub const QUOTE_DECIMALS: u8 = 8;

/// One whole of the quote asset.
pub(super) const QUOTE: i64 = POW10[QUOTE_DECIMALS as usize];

/// The largest limit or balance: 10 billion, so that sums of a few still fit 64 bits.
pub(super) const QUOTE_MAX: i64 = 10_000_000_000 * QUOTE;

choices! {
    /// How the feed and the stages are spread over threads.
    Threading {
        /// By the number of cores.
        Auto = "auto",
        /// Feed and stages in one thread.
        Inline = "inline",
        /// The feed in one thread, all stages in another.
        Shared = "shared",
        /// A thread each.
        Dedicated = "dedicated",
    }
}

choices! {
    /// What a thread with nothing to do does.
    Wait {
        /// By the number of cores.
        Auto = "auto",
        /// Polls without a pause.
        Spin = "spin",
        /// Polls, offering its core to others.
        Yield = "yield",
        /// Polls ever more rarely, then sleeps.
        Backoff = "backoff",
    }
}

choices! {
    /// When the journal is forced to the disk.
    JournalSync {
        /// Never: records survive the death of the process, not of the machine.
        Never = "never",
        /// Before each order is sent: records survive a power cut.
        EachOrder = "each-order",
    }
}

choices! {
    /// When a resting paper order trades.
    FillRule {
        /// When the market trades at its price.
        Touch = "touch",
        /// When the market trades through its price.
        Through = "through",
    }
}

/// `[run]`: which run this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunConfig {
    /// Goes into file names and reports.
    pub name: String,
    /// Seconds since 1970 that client order ids begin with; `None`: the moment of the start.
    pub epoch: Option<u64>,
}

impl RunConfig {
    /// The largest epoch that a client order id has room for, 36^8 - 1.
    const EPOCH_MAX: u64 = 36u64.pow(crate::domain::ClientOrderId::EPOCH_CHARS as u32) - 1;

    pub(super) fn check(raw: &RawRun, checks: &mut Checks<'_>) -> Self {
        let name = raw.name.as_ref().and_then(|name| checks.name(name, 40, "._-"));
        Self {
            name: name.unwrap_or_else(|| "default".to_owned()),
            epoch: checks.integer_if(&raw.epoch, 0..=Self::EPOCH_MAX),
        }
    }
}

/// `[pipeline]`: rings, lanes and threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineConfig {
    /// How threads are laid out.
    pub threading: Threading,
    /// How they wait.
    pub wait: Wait,
    /// Slots of the ring, a power of two; 64 bytes each.
    pub ring_slots: usize,
    /// Slots of each lane between stages, a power of two.
    pub lane_slots: usize,
    /// The least time, in microseconds, after which an answer may re-enter a replay.
    pub answer_delay_us: u64,
    /// One event in this many is stamped stage by stage where stages share a thread.
    pub stamp_one_in: u32,
    /// Whether two spinning threads may share a core.
    pub oversubscribe: bool,
    /// Cores that threads are pinned to.
    pub cores: CoreConfig,
}

/// `[pipeline.cores]`: the core of each thread; `None`: chosen by the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoreConfig {
    /// Of the feed (of everything, inline).
    pub feed: Option<usize>,
    /// Of the stages where they share a thread.
    pub stages: Option<usize>,
    /// Of the market stage.
    pub market: Option<usize>,
    /// Of the strategies.
    pub strategy: Option<usize>,
    /// Of risk.
    pub risk: Option<usize>,
    /// Of execution.
    pub execution: Option<usize>,
    /// Of the journal's writer.
    pub journal: Option<usize>,
    /// Of the gateway.
    pub gateway: Option<usize>,
    /// Of the thread that sends live orders.
    pub gateway_io: Option<usize>,
    /// Of the threads beside the pipeline, which may use any of these.
    pub housekeeping: Vec<usize>,
}

impl PipelineConfig {
    pub(super) fn check(raw: &RawPipeline, checks: &mut Checks<'_>) -> Self {
        Self {
            threading: checks.choice(&raw.threading, Threading::ALL, Threading::Auto),
            wait: checks.choice(&raw.wait, Wait::ALL, Wait::Auto),
            ring_slots: checks.power_of_two(&raw.ring_slots, 1_024..=1_048_576, 4_096),
            lane_slots: checks.power_of_two(&raw.lane_slots, 1_024..=1_048_576, 8_192),
            answer_delay_us: checks.integer(&raw.answer_delay_us, 1..=10_000_000, 5_000),
            stamp_one_in: checks.integer(&raw.stamp_one_in, 1..=1_000_000, 16),
            oversubscribe: raw.oversubscribe.unwrap_or(false),
            cores: CoreConfig::check(&raw.cores, checks),
        }
    }
}

impl CoreConfig {
    fn check(raw: &RawCores, checks: &mut Checks<'_>) -> Self {
        let mut housekeeping = Vec::new();
        for given in raw.housekeeping.iter().flat_map(|list| list.get_ref()) {
            housekeeping.extend(checks.integer_if(&Some(given.clone()), 0..=1_023));
        }
        let mut core = |given: &Given<i64>| checks.integer_if(given, 0..=1_023);
        Self {
            housekeeping,
            feed: core(&raw.feed),
            stages: core(&raw.stages),
            market: core(&raw.market),
            strategy: core(&raw.strategy),
            risk: core(&raw.risk),
            execution: core(&raw.execution),
            journal: core(&raw.journal),
            gateway: core(&raw.gateway),
            gateway_io: core(&raw.gateway_io),
        }
    }
}

/// `[journal]`: the record of everything that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// Where, relative to the working directory; `None`: no journal.
    pub path: Option<PathBuf>,
    /// When it is forced to the disk.
    pub sync: JournalSync,
}

impl JournalConfig {
    pub(super) fn check(raw: &RawJournal, checks: &mut Checks<'_>) -> Self {
        Self {
            path: given_path(&raw.path),
            sync: checks.choice(&raw.sync, JournalSync::ALL, JournalSync::Never),
        }
    }
}

/// `[store]`: the database that gets what the journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Which; `None`: none.
    pub url: Option<StoreUrl>,
    /// Certificates that vouch for a PostgreSQL server; `None`: the public authorities.
    pub ca_file: Option<PathBuf>,
    /// Rows that make a batch.
    pub batch_rows: u32,
    /// The longest, in milliseconds, that rows wait for their batch to fill.
    pub flush_ms: u32,
    /// Seconds of the run's time between points of the equity curves.
    pub equity_seconds: u32,
    /// Seconds that the end of a run waits for the database.
    pub finish_seconds: u32,
}

impl StoreConfig {
    pub(super) fn check(raw: &RawStore, checks: &mut Checks<'_>) -> Self {
        let given = raw.url.as_ref().filter(|url| !url.get_ref().is_empty());
        let url = given.and_then(|url| match url.get_ref().parse::<StoreUrl>() {
            Ok(url) => Some(url),
            Err(error @ UrlError::Password) => {
                checks.refuse_unseen(&url.span(), error.to_string());
                None
            }
            Err(error) => {
                checks.refuse(&url.span(), error.to_string());
                None
            }
        });
        Self {
            url,
            ca_file: path(raw.ca_file.as_deref()),
            batch_rows: checks.integer(&raw.batch_rows, 1..=100_000, 1_000),
            flush_ms: checks.integer(&raw.flush_ms, 1..=60_000, 500),
            equity_seconds: checks.integer(&raw.equity_seconds, 1..=86_400, 10),
            finish_seconds: checks.integer(&raw.finish_seconds, 0..=3_600, 30),
        }
    }

    /// How a journal is taken in.
    #[must_use]
    pub fn loader(&self) -> LoaderSettings {
        LoaderSettings { batch_rows: self.batch_rows as usize, equity_seconds: self.equity_seconds }
    }
}

/// `[market]`: bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketConfig {
    /// What makes a bar.
    pub bar: BarSpec,
    /// How long after its end, in milliseconds, a time bar waits for late trades.
    pub bar_grace_ms: u32,
    /// What becomes of bars that lack trades.
    pub incomplete_bars: IncompleteBars,
    /// Which bars a live run asks the venue for.
    pub fetch_bars: FetchBars,
}

/// Which time bars a live run asks the venue for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FetchBars {
    /// None.
    Off,
    /// Those that it saw not whole, and of before it as many as its indicators need to settle.
    #[default]
    Auto,
    /// Those that it saw not whole, and so many of before it.
    Past(u32),
}

impl FetchBars {
    /// The most of before a run: what one answer of the venue holds.
    pub const PAST_MAX: u32 = 1_000;

    fn check(given: &Given<String>, bar: BarSpec, checks: &mut Checks<'_>) -> Self {
        let Some(given) = given else { return Self::Auto };
        let named = match given.get_ref().as_str() {
            "off" => Some(Self::Off),
            "auto" => Some(Self::Auto),
            text => text.parse().ok().filter(|bars| (0..=Self::PAST_MAX).contains(bars)).map(Self::Past),
        };
        let Some(named) = named else {
            let expected =
                format!("must be \"auto\", \"off\" or a number of bars from \"0\" to \"{}\"", Self::PAST_MAX);
            checks.refuse(&given.span(), expected);
            return Self::Auto;
        };
        if matches!(named, Self::Past(_)) && !matches!(bar, BarSpec::Time { .. }) {
            checks
                .refuse(&given.span(), "venues tell of bars of time alone, and [market] bar asks for others");
        }
        named
    }
}

impl MarketConfig {
    pub(super) fn check(raw: &RawMarket, checks: &mut Checks<'_>) -> Self {
        let bar = raw.bar.as_ref().and_then(|given| bar::check(given, checks)).unwrap_or_default();
        Self {
            bar,
            fetch_bars: FetchBars::check(&raw.fetch_bars, bar, checks),
            bar_grace_ms: checks.integer(&raw.bar_grace_ms, 0..=60_000, 500),
            incomplete_bars: checks.choice(
                &raw.incomplete_bars,
                IncompleteBars::ALL,
                IncompleteBars::Withhold,
            ),
        }
    }
}

/// `[paper]`: the simulated venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperConfig {
    /// How long an order takes to reach it, in microseconds.
    pub order_latency_us: u64,
    /// When a resting order trades.
    pub fill: FillRule,
    /// What its wallets hold at first; empty: without end.
    pub balances: Vec<StartingBalance>,
}

impl PaperConfig {
    pub(super) fn check(raw: &RawPaper, instruments: &Instruments, checks: &mut Checks<'_>) -> Self {
        Self {
            order_latency_us: checks.integer(&raw.order_latency_us, 0..=10_000_000, 1_000),
            fill: checks.choice(&raw.fill, FillRule::ALL, FillRule::Through),
            balances: super::balances::check(&raw.balances, instruments, checks),
        }
    }
}

/// `[control]`: how a running process is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlConfig {
    /// Where the socket and the files of the kill switch are; `None`: beside the journal.
    pub dir: Option<PathBuf>,
}

impl ControlConfig {
    pub(super) fn check(raw: &RawControl) -> Self {
        Self { dir: path(raw.dir.as_deref()) }
    }
}

/// `[log]`: what is told, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The least severe level that is told.
    pub level: LevelFilter,
    /// A file beside standard error, relative to the working directory.
    pub file: Option<PathBuf>,
    /// Levels of single modules: the path below the crate (`market`, `venue::binance`) and its level.
    pub modules: Vec<(String, LevelFilter)>,
}

const LEVELS: &[(&str, LevelFilter)] = &[
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
    ("trace", LevelFilter::Trace),
];

/// The modules that a level may be given for, or for what is in them.
const MODULES: [&str; 20] = [
    "audit",
    "calendar",
    "cli",
    "domain",
    "execution",
    "history",
    "journal",
    "market",
    "monitor",
    "net",
    "pipeline",
    "report",
    "risk",
    "run",
    "security",
    "statistics",
    "store",
    "strategy",
    "surveillance",
    "venue",
];

impl LogConfig {
    pub(super) fn check(raw: &RawLog, checks: &mut Checks<'_>) -> Self {
        let mut modules = Vec::with_capacity(raw.modules.len());
        for (module, level) in &raw.modules {
            let top = module.split("::").next().unwrap_or_default();
            if !MODULES.contains(&top) {
                let expected =
                    format!("there is no module \"{top}\": must begin with one of {}", MODULES.join(", "));
                checks.refuse(&level.span(), expected);
                continue;
            }
            modules.extend(checks.choose(level, LEVELS).map(|level| (module.clone(), level)));
        }
        let level = checks.choice(&raw.level, LEVELS, LevelFilter::Info);
        Self { level, file: given_path(&raw.file), modules }
    }
}

/// `[report]`: where reports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportConfig {
    /// Directory, relative to the working directory; made when needed.
    pub dir: PathBuf,
}

impl ReportConfig {
    pub(super) fn check(raw: &RawReport, checks: &mut Checks<'_>) -> Self {
        let given = raw.dir.as_ref().filter(|dir| {
            if dir.get_ref().is_empty() {
                checks.refuse(&dir.span(), "must be the path of a directory");
            }
            !dir.get_ref().is_empty()
        });
        Self { dir: given.map_or("latency-reports", |dir| dir.get_ref()).into() }
    }
}

pub(super) fn path(given: Option<&str>) -> Option<PathBuf> {
    given.filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The same of one whose place in the text is known.
pub(super) fn given_path(given: &Given<String>) -> Option<PathBuf> {
    path(given.as_ref().map(|given| given.get_ref().as_str()))
}

/// Refuses an output file that is another one's, too: each would write over, or into, what the other wrote.
pub(super) fn distinct_outputs(raw: &RawConfig, store: &StoreConfig, checks: &mut Checks<'_>) {
    let database = store.url.as_ref().and_then(|url| match url {
        StoreUrl::Sqlite(path) => Some(path.clone()),
        StoreUrl::Postgres(_) => None,
    });
    let trail = raw.audit.enabled.unwrap_or(true);
    let outputs = [
        ("journal.path", &raw.journal.path, given_path(&raw.journal.path)),
        ("store.url", &raw.store.url, database),
        ("audit.path", &raw.audit.path, given_path(&raw.audit.path).filter(|_| trail)),
        ("audit.anchors", &raw.audit.anchors, given_path(&raw.audit.anchors).filter(|_| trail)),
        ("log.file", &raw.log.file, given_path(&raw.log.file)),
    ];
    let places = outputs.each_ref().map(|(_, _, path)| path.as_deref().map(whole));
    for (at, (_, given, _)) in outputs.iter().enumerate() {
        let same = places[..at].iter().position(|place| place.is_some() && *place == places[at]);
        if let (Some(same), Some(given)) = (same, given) {
            let expected =
                format!("must be another file than that of {}, which is written as well", outputs[same].0);
            checks.refuse(&given.span(), expected);
        }
    }
}

/// The path from the root, links resolved as far as it leads to what is there.
fn whole(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().zip(path.parent());
    let resolved = path.canonicalize().ok();
    let beside = || name.and_then(|(name, dir)| Some(dir.canonicalize().ok()?.join(name)));
    resolved.or_else(beside).unwrap_or(path)
}

/// An amount of the quote asset of at least `min` units; `default` is in whole ones.
pub(super) fn amount(checks: &mut Checks<'_>, given: &Given<String>, min: i64, default: i64) -> i64 {
    let given = given.as_ref().and_then(|given| checks.decimal(given, QUOTE_DECIMALS, min..=QUOTE_MAX));
    given.unwrap_or(default * QUOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_can_be_given_for_the_modules_that_there_are() {
        let source = include_str!("../../lib.rs");
        let modules = source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        // What tests are written with is in no run.
        let mut modules: Vec<_> = modules.filter(|module| *module != "testing").collect();
        modules.sort_unstable();
        assert_eq!(modules, MODULES);
    }
}
