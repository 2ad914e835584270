//! `algo-trader run`: live market data in; paper fills out, or orders, as the configuration says.

use super::Outcome;
use super::logging::start_log;
use super::output::Beside;
use super::replay::{Common, load, print, show_topology};
use super::status_line::StatusLine;
use crate::audit::AuditError;
use crate::domain::Market;
use crate::run::config::{OnExit, OrderEntry, TradingMode};
use crate::run::interrupt::{Interrupt, KillSignal};
use crate::run::live::{LiveOutcome, ProgressReport};
use crate::run::orders::OrdersError;
use crate::run::recover::{RecoverError, left_unended, next_journal};
use crate::run::{AlertRequest, Config, LiveError, LiveOptions, Pipeline, Summary, run_live};
use crate::strategy::StrategySpec;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(clap::Args)]
#[command(
    after_help = "With [trading] mode = \"paper\", as it is unless the configuration says otherwise, orders are filled by a \
simulated venue on the live market; nothing is sent to the real one, and no key is needed. With mode = \"live\" they are \
sent. Ctrl-C ends the run and prints its summary; live, open orders are cancelled first ([trading] on_exit). A live run \
that is started during a ban of the venue waits for its end, and goes on. SIGUSR1 stops everything, as `ctl kill all` does; \
a run that still waits comes up stopped then, and one on paper without a journal and [control] dir, which could not be \
released, ends.

Examples:
  algo-trader run --config config/binance-paper.toml
  algo-trader run --config config/binance-paper.toml --seconds 60 --report latency-reports/live
  algo-trader run --config config/binance-live.toml --journal live.journal
  algo-trader run --config config/binance-live.toml --journal live.journal --recover live.journal
  algo-trader run --config config/binance-paper.toml --journal run.journal && algo-trader replay run.journal"
)]
pub struct Args {
    /// End after so many seconds; without it, at Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    seconds: Option<u64>,
    /// Go on where an earlier live run ended, crashed or not: its journal, or a directory in which it is the newest of the runs
    /// of this `[run] name`. Where others went on with it already, the last of them is gone on with. One of another account
    /// of the venue is refused; a key may be another. What its order manager held goes on, open orders are
    /// asked for, nothing is sent twice
    #[arg(long, value_name = "JOURNAL|DIR")]
    recover: Option<PathBuf>,
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
    let kill_signal = KillSignal::install().unwrap_or_default();
    let live = config.trading.mode == TradingMode::Live;
    let what = if live { "run with live orders" } else { "run on paper" };
    start_log(&config, what);
    let mut pipeline = common.pipeline_options(strategies);
    if args.recover.is_some() {
        // The earlier journal stays as it is.
        pipeline.journal =
            pipeline.journal.or_else(|| config.journal.path.clone()).map(|path| next_journal(&path));
        if let Some(journal) = &pipeline.journal {
            eprintln!("the journal of this run is {}", journal.display());
        }
    }
    if common.show_topology {
        return show_topology(&config, &pipeline, common.json);
    }
    if let Err(outcome) = common.prepare_places() {
        return outcome;
    }
    if live {
        tell_that_orders_are_real(&config);
        let journal = pipeline.journal.as_deref().or(config.journal.path.as_deref());
        if args.recover.is_none() {
            tell_what_did_not_end(journal, &config.run.name);
        }
    }
    if !common.json {
        if !live {
            println!(
                "{} instruments, {} strategies on paper: nothing is sent to the venue but subscriptions",
                config.instruments.len(),
                config.strategies.len()
            );
        }
        if let Ok(topology) = Pipeline::plan(&config, &pipeline) {
            print!("{topology}");
        }
    }
    let store = match common.store_request(&config) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let journal = pipeline.journal.clone().or_else(|| config.journal.path.clone()).filter(|_| live);
    let options = LiveOptions {
        store,
        audit: common.audit_request(&config, what),
        alerts: AlertRequest::new(&config),
        duration: args.seconds.map(Duration::from_secs),
        interrupt: Interrupt::install().unwrap_or_default(),
        kill_signal,
        progress: progress(),
        recover: args.recover.clone(),
        pipeline,
    };
    let title = if live { "Live market data, live orders" } else { "Live market data, paper fills" };
    let ran = run_live(&config, options);
    let summary = match &ran {
        Ok(summary) => Some(summary),
        Err(LiveError::Venue { summary, .. } | LiveError::Stopped { summary, .. }) => Some(&**summary),
        Err(_) => None,
    };
    let held = summary.zip(journal.as_deref()).and_then(|(summary, journal)| what_is_held(summary, journal));
    let outcome = match ran {
        Ok(summary) => print(&summary, &config, common, Beside::default(), title, false),
        Err(error) => tell_failure(error, &config, common, title),
    };
    if let Some(held) = held {
        eprintln!("{held}");
    }
    outcome
}

/// Says, before anything is sent, that it will be: to standard error, so that it is seen with `--json` too.
fn tell_that_orders_are_real(config: &Config) {
    let (trading, venue) = (&config.trading, &config.venue);
    let rest = &venue.endpoints(Market::Spot).rest;
    let way = match trading.order_entry {
        OrderEntry::WebSocket => venue.ws_api.to_string(),
        OrderEntry::Rest => rest.to_string(),
    };
    let key = match &trading.key_file {
        Some(path) => path.display().to_string(),
        None => format!("the variable {}", trading.key_env),
    };
    eprintln!("REAL ORDERS: {} strategies trade on spot with the key of {key}", config.strategies.len());
    eprintln!("  orders go to {way}, the account is asked at {rest}");
    eprintln!(
        "  at the end open orders are {}; [trading] mode = \"paper\" sends none",
        if trading.on_exit == OnExit::Cancel { "cancelled" } else { "kept" }
    );
}

/// Says that the run before did not end, where its journal lies beside this one's: a start that does not go on with it knows
/// nothing of its orders and positions.
fn tell_what_did_not_end(journal: Option<&Path>, run: &str) {
    let dir = journal.map(|path| path.parent().filter(|dir| !dir.as_os_str().is_empty()));
    let dir = dir.map(|dir| dir.unwrap_or(Path::new(".")));
    if let Some(left) = dir.and_then(|dir| left_unended(dir, run)) {
        let left = left.display();
        eprintln!(
            "warning: the run of {left} did not end, and this one knows nothing of its orders and positions: --recover {left} \
             goes on with it"
        );
    }
}

/// What a run with live orders leaves held, since only a run that goes on with it knows of that; `None` where it holds nothing.
fn what_is_held(summary: &Summary, journal: &Path) -> Option<String> {
    let held: Vec<String> = (summary.strategies.iter())
        .filter(|result| result.position.qty.0 != 0)
        .map(|result| format!("{} {} of {}", result.label, result.qty(), result.instrument.name()))
        .collect();
    (!held.is_empty()).then(|| {
        format!(
            "held at the end: {}; --recover {} goes on with it, and a run without that knows nothing of it",
            held.join(", "),
            journal.display()
        )
    })
}

/// Says that a venue was never heard of, where that is so: an empty run is not a good one.
pub fn tell_silence(live: Option<&LiveOutcome>, config: &Config) -> Outcome {
    if !live.is_some_and(LiveOutcome::heard_nothing) {
        return Outcome::Done;
    }
    eprintln!(
        "not one frame came from the venue: is there a way to it from here? the messages above say what was tried, and \
         [venue] in {} where",
        config.file
    );
    Outcome::Failed
}

/// Says why a run failed, and what it had done until then.
pub fn tell_failure(error: LiveError, config: &Config, common: &Common, title: &str) -> Outcome {
    eprintln!("{error}");
    match error {
        LiveError::Venue { summary, .. } | LiveError::Stopped { summary, .. } => {
            eprintln!("what follows is what was handled until then");
            print(&summary, config, common, Beside::default(), title, false);
            Outcome::Failed
        }
        LiveError::Recover(
            RecoverError::NotLive
            | RecoverError::NoJournal(_)
            | RecoverError::OfOthers { .. }
            | RecoverError::Account { .. },
        ) => Outcome::BadUsage,
        LiveError::System(_) | LiveError::Capture(_) | LiveError::Recover(_) => Outcome::Failed,
        LiveError::Trail(AuditError::Io { .. }) => Outcome::Failed,
        LiveError::Pipeline(error) if error.may_pass() => Outcome::Failed,
        LiveError::Control(error) if error.may_pass() => Outcome::Failed,
        LiveError::Orders(OrdersError::Keys(_) | OrdersError::Key(_) | OrdersError::Tls(_))
        | LiveError::Pipeline(_)
        | LiveError::Tls(_)
        | LiveError::Trail(_)
        | LiveError::Control(_)
        | LiveError::Unheard(_)
        | LiveError::Capital(_)
        | LiveError::Nothing(_) => Outcome::BadUsage,
        LiveError::Orders(_) => Outcome::Failed,
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
