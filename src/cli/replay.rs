//! `algo-trader replay`: recorded frames, or a journal, through the pipeline.

use super::logging::start_log;
use super::output::Beside;
use super::{Outcome, output};
use crate::history::{Recording, RecordingOptions};
use crate::journal::JournalReader;
use crate::journal::reader::is_journal;
use crate::net::FrameSource;
use crate::pipeline::topology::ThreadPlan;
use crate::pipeline::{Threading, Wait};
use crate::report::latency::RatePoint;
use crate::run::config::OnExit;
use crate::run::interrupt::Interrupt;
use crate::run::{
    AuditRequest, Config, Pace, Pipeline, PipelineOptions, ReplayError, ReplayOptions, StoreRequest, Summary,
    replay_frames, replay_journal,
};
use crate::strategy::StrategySpec;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader replay recordings/*.gz
  algo-trader replay recordings/*.gz --threading dedicated --wait yield --json
  algo-trader replay recordings/*.gz --speed 10 --report latency-reports/today
  algo-trader replay recordings/*.gz --rates 1000,10000,100000,max
  algo-trader replay recordings/*.gz --store sqlite:runs.db
  algo-trader replay recordings/*.gz --journal run.journal && algo-trader replay run.journal")]
pub struct Args {
    /// Recordings (named MARKET-SYMBOL-DATE.gz), merged by receive time, or one journal
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
    /// Offer frames evenly, so many a second, instead of by their recorded times
    #[arg(long, value_name = "PER_SECOND", value_parser = parse_rate, conflicts_with_all = ["speed", "rates"])]
    rate: Option<f64>,
    /// Also run at each of these rates, for the report's curve of latency against offered rate: 1000,10000,max. A rate
    /// takes three seconds at most, of frames from the beginning on; max takes them all
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_offered)]
    rates: Vec<Offered>,
    /// Stop once the event with this sequence number is handled
    #[arg(long, value_name = "SEQ")]
    until: Option<u64>,
    /// How fast: max, or so many times the recorded speed
    #[arg(long, default_value = "max", value_parser = parse_speed)]
    speed: Pace,
}

#[derive(clap::Args)]
pub struct Common {
    /// Configuration file; the built-in one where not given
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How stages are spread over threads: inline, shared or dedicated; chosen by the cores where not given
    #[arg(long, value_parser = parse_threading)]
    pub threading: Option<Threading>,
    /// How idle threads wait: spin, yield or backoff
    #[arg(long, value_parser = parse_wait)]
    pub wait: Option<Wait>,
    /// Allow more spinning threads than cores
    #[arg(long)]
    pub oversubscribe: bool,
    /// Write the journal here; the file must not exist
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Also write orders, fills, positions, bars and equity to this database: sqlite:PATH or
    /// postgres://user@host/database
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Write the latency report into this directory; beside an earlier one it goes into run-2, run-3, … there
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Show what would run on which thread, and stop
    #[arg(long)]
    pub show_topology: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Offered {
    PerSecond(f64),
    Max,
}

impl std::fmt::Display for Offered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Offered::PerSecond(rate) => write!(f, "{rate} frames a second"),
            Offered::Max => f.write_str("full speed"),
        }
    }
}

pub fn parse_threading(text: &str) -> Result<Threading, String> {
    Threading::from_label(text).ok_or_else(|| "expected inline, shared or dedicated".into())
}

fn parse_wait(text: &str) -> Result<Wait, String> {
    Wait::from_label(text).ok_or_else(|| "expected spin, yield or backoff".into())
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err("expected a number of frames a second, 1 to 1000000000".into()),
    }
}

fn parse_offered(text: &str) -> Result<Offered, String> {
    if text == "max" { Ok(Offered::Max) } else { parse_rate(text).map(Offered::PerSecond) }
}

pub fn parse_speed(text: &str) -> Result<Pace, String> {
    match text.parse::<f64>() {
        _ if text == "max" => Ok(Pace::Max),
        Ok(times) if (0.001..=1e6).contains(&times) => Ok(Pace::Times(times)),
        _ => Err("expected max, or a factor from 0.001 to 1000000 such as 1 or 10".into()),
    }
}

pub fn load(path: Option<&Path>) -> Result<Config, Outcome> {
    match path {
        None => Ok(Config::embedded_default()),
        Some(path) => Config::load(path).map_err(|error| {
            eprintln!("{error}");
            Outcome::BadUsage
        }),
    }
}

impl Common {
    pub fn pipeline_options(&self, strategies: &'static [StrategySpec]) -> PipelineOptions {
        // Orders of a replay reach no venue, so their ids need not differ from run to run: an epoch of zero keeps the
        // order stream the same, whenever it is made.
        PipelineOptions {
            threading: self.threading,
            wait: self.wait,
            oversubscribe: self.oversubscribe,
            journal: self.journal.clone(),
            epoch: 0,
            strategies,
            ..PipelineOptions::default()
        }
    }
}

impl Common {
    /// The audit trail that the configuration asks for, if it does.
    pub fn audit_request(&self, config: &Config, what: &str) -> Option<AuditRequest> {
        AuditRequest::new(config).map(|audit| audit.started_by_user(what))
    }

    /// Makes the report's directory, if one is asked for, and looks whether the journal's can be: where one cannot, that is
    /// known before the run and not after it.
    pub fn prepare_places(&self) -> Result<(), Outcome> {
        if let Some(journal) = &self.journal {
            super::in_the_way::directory_of(journal, "the journal")?;
        }
        super::output::prepare_report(self.report.as_deref())
    }

    /// The store that was asked for, if one was.
    pub fn store_request(&self, config: &Config) -> Result<Option<StoreRequest>, Outcome> {
        let url = super::store::address(self.store.as_deref(), config)?;
        Ok(url.map(|url| StoreRequest::new(url, &config.store)))
    }
}

/// Shows the topology that a run would have, or tells why there would be none.
pub fn show_topology(config: &Config, options: &PipelineOptions, json: bool) -> Outcome {
    match Pipeline::plan_checked(config, options) {
        Ok(topology) if json => {
            let thread = |thread: &ThreadPlan| {
                let stages: Vec<_> = thread.roles.iter().map(|role| role.label()).collect();
                let wait = thread.wait.label();
                serde_json::json!({ "thread": thread.name, "stages": stages, "core": thread.core, "wait": wait })
            };
            let threads: Vec<_> = topology.threads.iter().map(thread).collect();
            let (threading, why) = (topology.threading.label(), &topology.chosen_because);
            println!(
                "{:#}",
                serde_json::json!({ "threading": threading, "because": why, "threads": threads })
            );
            Outcome::Done
        }
        Ok(topology) => {
            print!("{topology}");
            Outcome::Done
        }
        Err(error) => {
            eprintln!("{error}");
            Outcome::BadUsage
        }
    }
}

/// A line of progress on standard error, where that is a terminal.
pub fn progress() -> Option<Box<dyn FnMut(u64, crate::domain::Time) + Send>> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let begun = std::time::Instant::now();
    let mut shown = begun;
    Some(Box::new(move |frames, time| {
        if shown.elapsed().as_millis() >= 200 {
            shown = std::time::Instant::now();
            eprint!("\r\x1b[K{frames} frames, market time {time}");
        }
    }))
}

/// Prints a finished run and writes its report.
pub fn show(
    result: Result<Summary, ReplayError>,
    config: &Config,
    common: &Common,
    beside: Beside,
    title: &str,
    paced: bool,
) -> Outcome {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    let (summary, mut outcome) = match result {
        Ok(summary) => (summary, Outcome::Done),
        Err(ReplayError::Pipeline(error)) => {
            eprintln!("{error}");
            return if error.may_pass() { Outcome::Failed } else { Outcome::BadUsage };
        }
        Err(ReplayError::Journal { error, summary }) => {
            eprintln!("{error}");
            eprintln!("what follows is what was replayed until then");
            (*summary, Outcome::Failed)
        }
        Err(ReplayError::Source { error, summary }) => {
            eprintln!("{error}");
            eprintln!("what follows is what was replayed until then");
            (*summary, Outcome::Failed)
        }
        Err(ReplayError::Stopped { reason, summary }) => {
            eprintln!("{reason}");
            eprintln!("what follows is what was handled until then");
            (*summary, Outcome::Failed)
        }
    };
    if summary.stopped.is_some() && matches!(outcome, Outcome::Done) {
        eprintln!("interrupted: what follows is what was handled until then");
    }
    if let Outcome::Failed = print(&summary, config, common, beside, title, paced) {
        outcome = Outcome::Failed;
    }
    outcome
}

/// Prints a summary and writes the report that was asked for.
pub fn print(
    summary: &Summary,
    config: &Config,
    common: &Common,
    beside: Beside,
    title: &str,
    paced: bool,
) -> Outcome {
    let mut outcome = super::run::tell_silence(summary.live.as_ref(), config);
    if common.json {
        println!("{:#}", beside.added_to(summary.to_json()));
    } else {
        print!("{}", output::text(summary, config, super::table::width()));
    }
    let cancels = config.trading.on_exit == OnExit::Cancel;
    if summary.orders.as_ref().is_some_and(|sent| sent.died || cancels && sent.open_at_end > 0) {
        // The log names them: what was to be cancelled is open, or may be.
        outcome = Outcome::Failed;
    }
    if summary.store.as_ref().is_some_and(|store| !store.caught_up) {
        if common.json
            && let Some(store) = &summary.store
        {
            eprintln!("{}", output::store_line(store));
        }
        outcome = Outcome::Failed;
    }
    if let Some(audit) = summary.audit.as_ref().filter(|audit| !audit.complete) {
        if common.json {
            eprintln!("{}", output::audit_line(audit));
        }
        outcome = Outcome::Failed;
    }
    for why in &summary.not_written {
        if common.json {
            eprintln!("{}", output::not_written_line(why));
        }
        outcome = Outcome::Failed;
    }
    if let Some(dir) = &common.report {
        match output::report(summary, beside, title, dir, paced) {
            Ok(written) => eprintln!("latency report: {}", written.html.display()),
            Err(error) => {
                eprintln!("{error}");
                outcome = Outcome::Failed;
            }
        }
    }
    outcome
}

pub fn run(args: Args, strategies: &'static [StrategySpec]) -> Outcome {
    if let [path] = &args.paths[..]
        && is_journal(path)
    {
        return run_journal(path, &args, strategies);
    }
    if let Some(journal) = args.paths.iter().find(|path| is_journal(path)) {
        eprintln!(
            "{} is a journal, and is replayed by itself: name no other file beside it",
            journal.display()
        );
        return Outcome::BadUsage;
    }
    let config = match load(args.common.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    start_log(&config, "replay of recorded frames");
    let pipeline = args.common.pipeline_options(strategies);
    if args.common.show_topology {
        return show_topology(&config, &pipeline, args.common.json);
    }
    if let Err(outcome) = args.common.prepare_places() {
        return outcome;
    }
    let interrupt = Interrupt::install().unwrap_or_default();
    let mut recording = match Recording::open(&args.paths, &RecordingOptions::default()) {
        Ok(recording) => recording,
        Err(error) => {
            eprintln!("{error}");
            return Outcome::Failed;
        }
    };
    if let Some(missing) = missing_instrument(&config, &recording) {
        eprintln!("{missing}");
        return Outcome::BadUsage;
    }
    let pace = args.rate.map_or(args.speed, Pace::Rate);
    let store = match args.common.store_request(&config) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let options = ReplayOptions {
        pace,
        until: args.until,
        frames_max: None,
        interrupt: interrupt.clone(),
        progress: progress(),
        store,
        audit: args.common.audit_request(&config, "replay of recorded frames"),
        pipeline,
    };
    let result = replay_frames(&config, &mut recording, options);
    for problem in recording.problems() {
        eprintln!("{problem}");
    }
    // What went wrong would go wrong at each rate again.
    let (rates, whole) = match &result {
        Ok(_) => rate_points(&args, &config, strategies, &interrupt),
        Err(_) => (Vec::new(), true),
    };
    let beside = Beside { rates, ..Beside::default() };
    let outcome = show(result, &config, &args.common, beside, "Replay of recorded frames", pace != Pace::Max);
    match outcome {
        Outcome::Done if !whole => Outcome::Failed,
        outcome => outcome,
    }
}

/// A point for each rate that was asked for, and whether there is one for each.
fn rate_points(
    args: &Args,
    config: &Config,
    strategies: &'static [StrategySpec],
    interrupt: &Interrupt,
) -> (Vec<RatePoint>, bool) {
    // The journal, if there is one, has the run itself.
    let mut config = config.clone();
    config.journal.path = None;
    let mut rates = Vec::new();
    for offered in &args.rates {
        if interrupt.is_raised() {
            break;
        }
        let pipeline = PipelineOptions { journal: None, ..args.common.pipeline_options(strategies) };
        let point = Recording::open(&args.paths, &RecordingOptions::default())
            .map_err(|error| error.to_string())
            .and_then(|mut recording| {
                rate_point(&config, &mut recording, *offered, args.until, pipeline, interrupt)
                    .map_err(|error| error.to_string())
            });
        match point {
            Ok(Some(point)) => {
                eprintln!(
                    "offered {:.0}/s: achieved {:.0}/s, p50 {} ns, p99 {} ns, p99.9 {} ns, {} frames",
                    point.offered_per_s,
                    point.achieved_per_s,
                    point.p50_ns,
                    point.p99_ns,
                    point.p999_ns,
                    output::grouped(point.frames)
                );
                rates.push(point);
            }
            Ok(None) => break,
            Err(error) => {
                eprintln!("the run at {offered}: {error}");
                return (rates, false);
            }
        }
    }
    if rates.len() < args.rates.len() {
        eprintln!("interrupted: {} of {} rates were run", rates.len(), args.rates.len());
    }
    (rates, true)
}

/// Every source must be of an instrument that is configured: precision cannot be guessed.
fn missing_instrument(config: &Config, source: &dyn FrameSource) -> Option<String> {
    source.sources().iter().find_map(|s| {
        let symbol = s.symbol.as_deref()?;
        let found = config.instruments.find(s.market, symbol.as_bytes()).is_some();
        (!found).then(|| format!("{}: {}", s.name, config.missing_instrument_message(s.market, symbol)))
    })
}

/// Seconds that one point of the rate curve takes, at most.
const RATE_SECONDS: f64 = 3.0;

/// The run at one rate; none where it was interrupted.
fn rate_point(
    config: &Config,
    recording: &mut Recording,
    offered: Offered,
    until: Option<u64>,
    pipeline: PipelineOptions,
    interrupt: &Interrupt,
) -> Result<Option<RatePoint>, ReplayError> {
    let (pace, frames_max) = match offered {
        Offered::Max => (Pace::Max, None),
        Offered::PerSecond(rate) => (Pace::Rate(rate), Some((rate * RATE_SECONDS) as u64)),
    };
    let options = ReplayOptions {
        pace,
        until,
        frames_max,
        interrupt: interrupt.clone(),
        pipeline,
        ..ReplayOptions::default()
    };
    let summary = replay_frames(config, recording, options)?;
    if summary.stopped.is_some() {
        return Ok(None);
    }
    let achieved_per_s = summary.events_per_s();
    let total = summary.latencies.iter().find(|l| l.name == "total");
    let at = |q: f64| total.map_or(0, |t| t.histogram.value_at_quantile(q));
    Ok(Some(RatePoint {
        frames: summary.feed.map_or(0, |feed| feed.lines),
        offered_per_s: match offered {
            Offered::Max => achieved_per_s,
            Offered::PerSecond(rate) => rate,
        },
        achieved_per_s,
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: total.map_or(0, |t| t.histogram.max()),
    }))
}

fn run_journal(path: &Path, args: &Args, strategies: &'static [StrategySpec]) -> Outcome {
    if args.common.store.is_some() {
        eprintln!("a journal is not replayed into a store: use algo-trader store load");
        return Outcome::BadUsage;
    }
    // Its events come as they are, and by the configuration that it holds.
    let unheeded = [
        ("--config", args.common.config.is_some()),
        ("--speed", args.speed != Pace::Max),
        ("--rate", args.rate.is_some()),
        ("--rates", !args.rates.is_empty()),
    ];
    if let Some((option, _)) = unheeded.iter().find(|(_, given)| *given) {
        eprintln!("a journal is replayed at full speed by its own configuration: leave out {option}");
        return Outcome::BadUsage;
    }
    let mut journal = match JournalReader::open(path) {
        Ok(journal) => journal,
        Err(error) => {
            eprintln!("{error}");
            return Outcome::Failed;
        }
    };
    let header = journal.header().clone();
    let table = match crate::domain::InstrumentTable::new(header.instruments) {
        Ok(table) => table,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return Outcome::Failed;
        }
    };
    let config = match Config::from_text_with_instruments(&header.config_text, &header.config_name, table) {
        Ok(mut config) => {
            // A replay reads this journal; it does not write the one that the configuration names, nor into the run's log, and
            // may be on another host than the one whose cores that has.
            config.journal.path = None;
            config.log.file = None;
            config.pipeline.cores = Default::default();
            config
        }
        Err(error) => {
            eprintln!("{}: its configuration is refused by this version:\n{error}", path.display());
            return Outcome::Failed;
        }
    };
    start_log(&config, "replay of a journal");
    let pipeline = args.common.pipeline_options(strategies);
    if args.common.show_topology {
        return show_topology(&config, &pipeline, args.common.json);
    }
    if let Err(outcome) = args.common.prepare_places() {
        return outcome;
    }
    let interrupt = Interrupt::install().unwrap_or_default();
    let options = ReplayOptions { until: args.until, interrupt, pipeline, ..ReplayOptions::default() };
    let result = replay_journal(&config, &mut journal, options);
    if journal.torn() {
        eprintln!("{}: was cut; replayed to its last whole block", path.display());
    }
    show(result, &config, &args.common, Beside::default(), "Replay of a journal", false)
}
