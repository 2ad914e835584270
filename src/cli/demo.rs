//! `algo-trader demo`: everything, offline, on a market made by a seeded generator.
//!
//! As it is, the market is served by a local venue over TLS and the demo connects to it as to any venue (`wire`); with
//! `--direct` or `--speed` the generator's frames go straight into the pipeline (`direct`).

mod account;
mod direct;
mod proof;
mod wire;

use super::Outcome;
use super::many::{self, Measure};
use super::replay::{Common, parse_speed};
use crate::domain::{Instrument, InstrumentTable};
use crate::run::interrupt::{Interrupt, SecondSignal};
use crate::run::{AuditSummary, Config, Pace};
use crate::strategy::StrategySpec;
use crate::venue::local::{FlowConfig, FlowSource, demo_instruments, generated_instruments, small_qty};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEMO_TEXT: &str = include_str!("../../config/demo.toml");
const DEMO_NAME: &str = "config/demo.toml";
const LIVE_TEXT: &str = include_str!("../../config/demo-live.toml");
const LIVE_NAME: &str = "config/demo-live.toml";
/// Strategies that a run can hold; the rest of many pairs are watched and not traded.
const STRATEGIES_MAX: usize = 255;

#[derive(clap::Args)]
#[command(
    after_help = "What it did goes to --report, or to latency-reports/demo: the latency report, the database demo.db and \
the audit trail demo.audit. With --json alone no latency report is written; without a network (--direct, --speed, \
--instrument-counts) no database is.

Examples:
  algo-trader demo
  algo-trader demo --seconds 60 --seed 7
  algo-trader demo --live-orders --seconds 20
  algo-trader demo --store postgres://trader@localhost/trading
  algo-trader demo --seconds 60 --speed max
  algo-trader demo --instruments 300 --seconds 5 --speed max --json
  algo-trader demo --instrument-counts 1,10,100,300 --seconds 5 --report latency-reports/pairs"
)]
pub struct Args {
    /// Seconds of market to generate
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// The market's seed: the same seed is the same market, to the byte
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Without a network: the generator's frames go straight into the pipeline, as a recording's do
    #[arg(long)]
    direct: bool,
    /// How fast: max, or so many times real time; implies --direct
    #[arg(long, value_parser = parse_speed)]
    speed: Option<Pace>,
    /// Generate this many pairs instead of the demo's three
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub instruments: Option<u16>,
    /// Send orders to the demo's venue, over TLS and under a key, instead of filling them on paper: the summary shows how
    /// long each stretch of their way takes. Spot alone; a configuration of your own says so by mode = "live"
    #[arg(long, conflicts_with_all = ["direct", "speed", "instrument_counts", "instruments", "config"])]
    pub live_orders: bool,
    /// Also run, at full speed, with each of these numbers of pairs, for the report's curves of latency, throughput
    /// and memory: 1,10,100,300; implies --direct
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "config", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub instrument_counts: Vec<u16>,
    /// Market events a second and pair
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub events: u32,
    /// What a process that was started for the curves measures and prints
    #[arg(long, hide = true)]
    measure: Option<Measure>,
    #[command(flatten)]
    pub common: Common,
}

/// The files of a demo: its journal where it was asked for, and a directory of its own for what goes with it. What one
/// demo lost, or what was stopped in it, is nothing to the next, nor to another user of this machine.
struct DemoFiles {
    dir: PathBuf,
    journal: PathBuf,
    /// The journal is to be left, though nobody asked for it.
    kept: bool,
    /// Ends the demo. At once it ends with its directory, since there is a key in it.
    interrupt: Interrupt,
    _second: Option<SecondSignal>,
}

impl DemoFiles {
    fn new(asked: Option<&PathBuf>) -> Result<Self, Outcome> {
        // Process ids come again (in a container they are always the same), moments do not.
        let moment = jiff::Timestamp::now().as_nanosecond();
        let dir = std::env::temp_dir().join(format!("algo-trader-demo-{}-{moment}.d", std::process::id()));
        if let Err(error) = std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            eprintln!(
                "the demo's own files cannot go to {}: {error}; name another place with TMPDIR",
                dir.display()
            );
            return Err(Outcome::Failed);
        }
        let journal = asked.cloned().unwrap_or_else(|| dir.join("demo.journal"));
        let goes = dir.clone();
        let (interrupt, second) = match Interrupt::install_and_at_the_second(move || remove(&goes)) {
            Ok((interrupt, second)) => (interrupt, Some(second)),
            Err(_) => (Interrupt::default(), None),
        };
        Ok(Self { dir, journal, kept: false, interrupt, _second: second })
    }

    /// Whether the journal goes with the demo.
    fn journal_goes(&self) -> bool {
        !self.kept && self.journal.starts_with(&self.dir)
    }

    /// Leaves the journal where it is.
    fn keep(&mut self) {
        self.kept = true;
    }

    /// Leaves the journal where a trail lacks what it has.
    fn keep_for_the_trail(&mut self, audit: Option<&AuditSummary>) {
        self.kept |= audit.is_some_and(|audit| !audit.complete);
    }

    /// Says what a trail that is not complete is completed from.
    fn tell_what_the_trail_lacks(&self, audit: Option<&AuditSummary>) {
        if let Some(audit) = audit.filter(|audit| !audit.complete) {
            let (journal, trail) = (self.journal.display(), audit.trail.display());
            eprintln!(
                "the journal is kept for what its trail lacks: algo-trader audit load --journal {journal} --trail {trail}"
            );
        }
    }

    /// Lets what controls the run be with the demo's own files, unless the configuration says where.
    fn hold_control(&self, config: &mut Config) {
        config.control.dir.get_or_insert_with(|| self.dir.clone());
    }
}

impl Drop for DemoFiles {
    fn drop(&mut self) {
        if !(self.kept && self.journal.starts_with(&self.dir)) {
            remove(&self.dir);
        }
    }
}

/// Removes a directory that goes with the demo, and what other threads may yet be putting into it.
fn remove(dir: &Path) {
    for _ in 0..10 {
        // Nothing is lost if it stays: it is a temporary directory.
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {}
            _ => return,
        }
    }
}

pub fn run(args: Args, strategies: &'static [StrategySpec]) -> Outcome {
    let instruments = match args.instruments {
        Some(n) => generated_instruments(usize::from(n)),
        None => demo_instruments(),
    };
    if let Some(what) = args.measure {
        return match source(&args, instruments) {
            Ok(source) => many::measure(&args, what, source, strategies),
            Err(outcome) => outcome,
        };
    }
    if args.direct || args.speed.is_some() || !args.instrument_counts.is_empty() {
        direct::run(args, instruments, strategies)
    } else {
        wire::run(args, instruments, strategies)
    }
}

/// The generator, of a market as long as the demo.
fn source(args: &Args, instruments: Vec<Instrument>) -> Result<FlowSource, Outcome> {
    let mut flow = FlowConfig::new(args.seed, instruments).with_events_per_s(args.events);
    flow.duration = Duration::from_secs(args.seconds);
    FlowSource::new(&flow).map_err(|error| {
        eprintln!("{error}");
        Outcome::BadUsage
    })
}

fn configuration(args: &Args, instruments: Vec<Instrument>) -> Result<Config, Outcome> {
    let refuse = |error: &dyn std::fmt::Display| {
        eprintln!("{error}");
        Outcome::BadUsage
    };
    let table = InstrumentTable::new(instruments).map_err(|e| refuse(&e))?;
    if let Some(path) = &args.common.config {
        // Not loaded as it is: the instruments are the generator's, not the file's.
        let text = std::fs::read_to_string(path)
            .map_err(|error| refuse(&format_args!("{}: {error}", path.display())))?;
        let file = path.display().to_string();
        return Config::from_text_with_instruments(&text, &file, table).map_err(|e| refuse(&e));
    }
    if args.live_orders {
        return Config::from_text_with_instruments(LIVE_TEXT, LIVE_NAME, table).map_err(|e| refuse(&e));
    }
    if args.instruments.is_none() {
        return Config::from_text_with_instruments(DEMO_TEXT, DEMO_NAME, table).map_err(|e| refuse(&e));
    }
    let text = many_strategies(&table);
    Config::from_text_with_instruments(&text, "the demo's own configuration", table).map_err(|e| refuse(&e))
}

/// A configuration that trades as many pairs as strategies fit, the three strategies in turn.
pub fn many_strategies(table: &InstrumentTable) -> String {
    let mut text = String::from(
        "[run]\nname = \"demo\"\n[risk]\nunset = \"default\"\ngross_notional_max = \"100000000\"\n",
    );
    for (index, instrument) in table.all().iter().take(STRATEGIES_MAX).enumerate() {
        let name = ["ma-cross", "rsi-reversion", "imbalance-maker"][index % 3];
        let qty = crate::domain::decimal::Scaled {
            value: small_qty(instrument).0.into(),
            decimals: instrument.qty_decimals,
        };
        text += &format!(
            "[[strategy]]\nname = \"{name}\"\nlabel = \"{name}-{index}\"\ninstruments = [\"{}\"]\n[strategy.params]\nqty = \"{qty}\"\n",
            instrument.name()
        );
    }
    text
}
