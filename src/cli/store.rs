//! `algo-trader store`: takes journals into a database, and tells what a database holds.

use super::logging::start_log;
use super::replay::load;
use super::{Outcome, in_the_way, output::grouped};
use crate::domain::Time;
use crate::journal::successor::predecessor;
use crate::run::Config;
use crate::run::interrupt::Interrupt;
use crate::run::store::chain::Chain;
use crate::run::store::{StoreRequest, StoreThread};
use crate::store::{Loader, RunStatus, Store, StoreError, StoreOptions, StoreUrl};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Takes journals into a database: what is there already is left alone, what is missing is added
    Load(LoadArgs),
    /// Tells which runs a database holds, how far each was taken in, and how many rows it has
    Status(StatusArgs),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader store load --journal run.journal --store sqlite:runs.db
  algo-trader store load --journal run.journal --store postgres://trader@db.example.com/runs
  algo-trader store load --journal run.journal --store sqlite:runs.db --follow   # of a run that still goes on

Runs that a journal's run went on with come first, as far as the database lacks some of them and their journals lie beside it.
A run is gone on with from where the database has come to in it. Rows of it that somebody deleted do not come back by that:
load its journals into an empty database.")]
struct LoadArgs {
    /// The journals
    #[arg(long = "journal", value_name = "FILE", required = true, num_args = 1..)]
    journals: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Go on until the run ends; one journal only
    #[arg(long)]
    follow: bool,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader store status --store sqlite:runs.db
  algo-trader store status --store postgres://trader@localhost/runs --json")]
struct StatusArgs {
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
struct Place {
    /// The database, sqlite:PATH or postgres://user@host/database; [store] url of the configuration where not given
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Configuration file, for its [store] section; the built-in one where not given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The address given with `--store`, or else the configuration's. An address is never printed before it was checked:
/// it could hold a password.
pub fn address(given: Option<&str>, config: &Config) -> Result<Option<StoreUrl>, Outcome> {
    let url = match given {
        None => config.store.url.clone(),
        Some(text) => Some(text.parse::<StoreUrl>().map_err(|error| {
            eprintln!("--store: the address {error}");
            Outcome::BadUsage
        })?),
    };
    url.as_ref().map_or(Ok(()), in_the_way::directory_of_store)?;
    Ok(url)
}

impl Place {
    fn resolve(&self) -> Result<(Config, StoreUrl), Outcome> {
        let config = load(self.config.as_deref())?;
        start_log(&config, "store");
        match address(self.store.as_deref(), &config)? {
            Some(url) => Ok((config, url)),
            None => {
                eprintln!("no database: give --store sqlite:PATH, or set [store] url in the configuration");
                Err(Outcome::BadUsage)
            }
        }
    }
}

pub fn run(args: Args) -> Outcome {
    let done = match args.command {
        Command::Load(args) => run_load(&args),
        Command::Status(args) => run_status(&args),
    };
    done.unwrap_or_else(|outcome| outcome)
}

fn failed(error: &StoreError) -> Outcome {
    eprintln!("{error}");
    Outcome::Failed
}

fn open(config: &Config, url: &StoreUrl, read_only: bool) -> Result<Box<dyn Store>, Outcome> {
    let options =
        StoreOptions { ca_file: config.store.ca_file.clone(), read_only, ..StoreOptions::default() };
    crate::store::open(url, &options).map_err(|e| failed(&e))
}

fn run_load(args: &LoadArgs) -> Result<Outcome, Outcome> {
    let (config, url) = args.place.resolve()?;
    if args.follow {
        let [path] = &args.journals[..] else {
            eprintln!("--follow takes one journal, not {}", args.journals.len());
            return Err(Outcome::BadUsage);
        };
        return follow(&config, url, path, args.place.json);
    }
    let mut store = open(&config, &url, false)?;
    let mut all = Vec::new();
    for path in &args.journals {
        // One that went on with others is nothing without them: they come first.
        let chain = Chain::before(|question| question.to(&mut *store), path).map_err(|e| failed(&e))?;
        for earlier in chain.journals.iter().rev().filter(|earlier| *earlier != path) {
            all.push(load_one(&config, &mut *store, earlier, args.place.json)?);
        }
        all.push(load_one(&config, &mut *store, path, args.place.json)?);
        if let Some(lost) = chain.lost {
            eprintln!("the database lacks what came before, and it is not there to be taken in: {lost}");
        }
    }
    if args.place.json {
        println!("{:#}", json!({ "store": url.to_string(), "journals": all }));
    }
    Ok(Outcome::Done)
}

fn load_one(
    config: &Config,
    store: &mut dyn Store,
    path: &Path,
    quiet: bool,
) -> Result<serde_json::Value, Outcome> {
    let opened = Loader::open(path, config.store.loader()).map_err(|e| failed(&e.into()))?;
    let Some(mut loader) = opened else {
        eprintln!("{}: ends before its header: nothing was journaled", path.display());
        return Err(Outcome::Failed);
    };
    let ended = loader.load(store).map_err(|e| failed(&e))?;
    let (counts, seq) = (loader.counts(), loader.watermark().seq);
    if !quiet {
        let end = if ended { "the run's end" } else { "where it was cut, or still grows" };
        println!(
            "{}: {} rows added to {}, up to event {}: {end}",
            path.display(),
            grouped(counts.rows),
            store.place(),
            grouped(seq)
        );
    }
    Ok(json!({
        "journal": path.display().to_string(),
        "run": loader.run_key(),
        "rows_added": counts.rows,
        "batches": counts.batches,
        "seq": seq,
        "ended": ended,
        "behind_bytes": loader.behind_bytes(),
    }))
}

fn follow(config: &Config, url: StoreUrl, path: &Path, json: bool) -> Result<Outcome, Outcome> {
    // A path that is wrong is told at once; a database that is down is waited for.
    if let Err(error) = Loader::open(path, config.store.loader()) {
        return Err(failed(&error.into()));
    }
    let interrupt = Interrupt::install().unwrap_or_default();
    let thread = StoreThread::start(StoreRequest::new(url, &config.store)).map_err(|error| {
        eprintln!("a thread could not be started: {error}");
        Outcome::Failed
    })?;
    thread.follow_after(predecessor(path).unwrap_or_default().as_deref(), path, &[]);
    while !thread.wait(Duration::from_millis(100)) && !interrupt.is_raised() {}
    let summary = thread.finish();
    if json {
        println!("{:#}", summary.to_json());
    } else {
        println!("{}", super::output::store_line(&summary));
    }
    Ok(if summary.caught_up { Outcome::Done } else { Outcome::Failed })
}

fn run_status(args: &StatusArgs) -> Result<Outcome, Outcome> {
    let (config, url) = args.place.resolve()?;
    if let StoreUrl::Sqlite(path) = &url
        && !path.exists()
    {
        eprintln!("{}: there is no such file", path.display());
        return Err(Outcome::Failed);
    }
    let mut store = open(&config, &url, true)?;
    let runs = store.runs().map_err(|e| failed(&e))?;
    if args.place.json {
        let runs: Vec<_> = runs.iter().map(status_json).collect();
        println!("{:#}", json!({ "store": url.to_string(), "runs": runs }));
        return Ok(Outcome::Done);
    }
    println!("{}: {} runs", store.place(), runs.len());
    for run in &runs {
        let started = if run.started_ns == 0 { "-".to_owned() } else { Time(run.started_ns).to_string() };
        let state = if run.watermark.ended { "ended" } else { "not ended" };
        println!("\n{} {}, started {started}", run.key, run.name);
        println!("  up to event {}, {}: {state}", grouped(run.watermark.seq), Time(run.time_ns));
        let rows: Vec<_> = run.rows.iter().map(|(table, n)| format!("{} {table}", grouped(*n))).collect();
        println!("  {}", rows.join(", "));
    }
    Ok(Outcome::Done)
}

fn status_json(run: &RunStatus) -> serde_json::Value {
    let rows: serde_json::Map<_, _> = run.rows.iter().map(|(t, n)| ((*t).to_owned(), json!(n))).collect();
    json!({
        "run": run.key,
        "name": run.name,
        "started_ns": run.started_ns,
        "seq": run.watermark.seq,
        "time_ns": run.time_ns,
        "ended": run.watermark.ended,
        "rows": rows,
    })
}
