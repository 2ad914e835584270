//! `algo-trader run`: live market data in, paper fills out.

use super::Outcome;
use super::output::Curves;
use super::replay::{Common, load, print, show_topology, start_log};
use super::status_line::StatusLine;
use crate::run::interrupt::Interrupt;
use crate::run::live::ProgressReport;
use crate::run::{Config, LiveError, LiveOptions, Pipeline, run_live};
use crate::strategy::StrategySpec;
use std::time::Duration;

#[derive(clap::Args)]
#[command(
    after_help = "Orders are filled by a simulated venue on the live market; nothing is sent to the real one,
and no key is needed. Ctrl-C ends the run and prints its summary.

Examples:
  algo-trader run --config config/binance-paper.toml
  algo-trader run --config config/binance-paper.toml --seconds 60 --report latency-reports/live
  algo-trader run --config config/binance-paper.toml --journal run.journal && algo-trader replay run.journal"
)]
pub struct Args {
    /// End after so many seconds; without it, at Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    seconds: Option<u64>,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: Args, strategies: &'static [StrategySpec]) -> Outcome {
    let common = &args.common;
    if common.config.is_none() {
        eprintln!("which market to follow is said by a configuration: --config config/binance-paper.toml");
        return Outcome::BadUsage;
    }
    let config = match load(common.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    start_log(&config);
    let pipeline = common.pipeline_options(strategies);
    if common.show_topology {
        return show_topology(&config, &pipeline);
    }
    if !common.json {
        println!(
            "{} instruments, {} strategies on paper: nothing is sent to the venue but subscriptions",
            config.instruments.len(),
            config.strategies.len()
        );
        if let Ok(topology) = Pipeline::plan(&config, &pipeline) {
            print!("{topology}");
        }
    }
    let store = match common.store_request(&config) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let options = LiveOptions {
        store,
        duration: args.seconds.map(Duration::from_secs),
        interrupt: Interrupt::install().unwrap_or_default(),
        progress: progress(),
        pipeline,
    };
    let title = "Live market data, paper fills";
    match run_live(&config, options) {
        Ok(summary) => print(&summary, &config, common, Curves::default(), title, false),
        Err(error) => tell_failure(error, &config, common, title),
    }
}

/// Says why a run failed, and what it had done until then.
pub fn tell_failure(error: LiveError, config: &Config, common: &Common, title: &str) -> Outcome {
    eprintln!("{error}");
    match error {
        LiveError::Venue { summary, .. } | LiveError::Stopped { summary, .. } => {
            eprintln!("what follows is what was handled until then");
            print(&summary, config, common, Curves::default(), title, false);
            Outcome::Failed
        }
        LiveError::System(_) | LiveError::Capture(_) => Outcome::Failed,
        LiveError::Pipeline(_) | LiveError::Tls(_) | LiveError::Nothing(_) => Outcome::BadUsage,
    }
}

pub fn progress() -> Option<ProgressReport> {
    let mut line = StatusLine::new()?;
    Some(Box::new(move |s| {
        line.show(&format!(
            "{} frames, {}/{} connections, {}/{} books in step, {}",
            s.frames, s.connections_live, s.connections, s.books_synced, s.books, s.time
        ));
    }))
}
