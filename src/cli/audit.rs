//! `algo-trader audit`: verifies audit trails, exports them, and tells how an order came about.

use super::logging::start_log;
use super::output::grouped;
use super::replay::load;
use super::{Outcome, in_the_way, why};
use crate::audit::verify::{anchors_of, read_anchors};
use crate::audit::{Anchor, AuditError, ExportFormat, Scribe, Scribed, Verified, export, verify_file};
use crate::domain::Time;
use crate::journal::private_file;
use crate::run::audit::trail_of;
use crate::strategy::StrategySpec;
use clap::ValueEnum;
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Says whether a trail is what was written, or which record is the first that is not
    Verify(VerifyArgs),
    /// Writes a trail, or a part of it, as CSV or JSON lines
    Export(ExportArgs),
    /// Writes what a trail lacks of a journal, as after a crash
    Load(LoadArgs),
    /// Tells how an order came about: the market, the indicators, the strategy, the size, the rules
    Why(why::Args),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader audit verify run.journal.audit
  algo-trader audit verify run.journal.audit --anchors /mnt/elsewhere/run.anchors
  algo-trader audit verify run.journal.audit --anchor 1843:5f0c...   # as the log has it")]
struct VerifyArgs {
    /// The trail
    trail: PathBuf,
    /// The file of anchors; beside the trail, with .anchors after its name, where not given
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// An anchor, as the log or the webhook has it
    #[arg(long = "anchor", value_name = "NUMBER:HASH", value_parser = parse_anchor)]
    anchor: Vec<Anchor>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader audit export run.journal.audit --format csv
  algo-trader audit export run.journal.audit --from 2026-03-01 --to 2026-03-02 --format jsonl --out day.jsonl
  algo-trader audit export run.journal.audit --out trail.csv --json   # prints how many records that has")]
struct ExportArgs {
    /// The trail; it is verified first
    trail: PathBuf,
    /// From this moment on: 2026-03-01, or 2026-03-01T12:30:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<Time>,
    /// Up to before this moment
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<Time>,
    /// How
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Where to; standard output where not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON: what was written to --out
    #[arg(long, requires = "out")]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader audit load --journal run.journal
  algo-trader audit load --journal run.journal --trail all-runs.audit")]
struct LoadArgs {
    /// The journal
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    /// The trail; beside the journal, with .audit after its name, where not given
    #[arg(long, value_name = "FILE")]
    trail: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_anchor(text: &str) -> Result<Anchor, String> {
    Anchor::parse(text).ok_or_else(|| "expected a record's number, a colon and 64 hexadecimal digits".into())
}

fn parse_time(text: &str) -> Result<Time, String> {
    let moment = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let day = text.parse::<jiff::civil::Date>().ok()?;
        day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
    });
    let nanos = moment.and_then(|moment| u64::try_from(moment.as_nanosecond()).ok());
    nanos.map(Time).ok_or_else(|| "expected a day such as 2026-03-01, or 2026-03-01T12:30:00Z".into())
}

pub fn run(args: Args, strategies: &'static [StrategySpec]) -> Outcome {
    let done = match args.command {
        Command::Verify(args) => run_verify(&args),
        Command::Export(args) => run_export(&args),
        Command::Load(args) => run_load(&args),
        Command::Why(args) => why::run(&args, strategies),
    };
    done.unwrap_or_else(|outcome| outcome)
}

fn failed(error: &AuditError) -> Outcome {
    eprintln!("{error}");
    Outcome::Failed
}

/// The anchors of a trail: those of the file, which must be there if it was named, and those given.
fn anchors(trail: &Path, named: Option<&Path>, given: &[Anchor]) -> Result<Vec<Anchor>, Outcome> {
    let beside = anchors_of(trail);
    let file = named.unwrap_or(&beside);
    let mut anchors = match named.is_some() || file.exists() {
        true => read_anchors(file).map_err(|e| failed(&e))?,
        false => Vec::new(),
    };
    if named.is_some() && anchors.is_empty() {
        // Whoever names one would take what follows for vouched for.
        eprintln!("{}: holds no anchor; each line of a file of anchors is NUMBER:HASH", file.display());
        return Err(Outcome::Failed);
    }
    anchors.extend_from_slice(given);
    Ok(anchors)
}

fn run_verify(args: &VerifyArgs) -> Result<Outcome, Outcome> {
    let anchors = anchors(&args.trail, args.anchors.as_deref(), &args.anchor)?;
    match verify_file(&args.trail, &anchors) {
        Ok(found) => {
            if args.json {
                println!("{:#}", verified_json(&args.trail, &found));
            } else {
                print_verified(&args.trail, &found);
            }
            // A trail of which nothing is left is none that was verified.
            Ok(if found.records == 0 { Outcome::Failed } else { Outcome::Done })
        }
        Err(AuditError::Fault { path, fault }) => {
            if args.json {
                let record = fault.record();
                println!(
                    "{:#}",
                    json!({ "trail": path, "good": false, "record": record, "fault": fault.to_string() })
                );
            }
            eprintln!("{path}: NOT AS IT WAS WRITTEN: {fault}");
            Err(Outcome::Failed)
        }
        Err(error) => Err(failed(&error)),
    }
}

fn verified_json(trail: &Path, found: &Verified) -> serde_json::Value {
    json!({
        "trail": trail.display().to_string(),
        "good": found.records > 0,
        "records": found.records,
        "hash": found.head.to_string(),
        "anchored": found.anchored,
        "runs": found.runs,
        "ended": found.ended,
    })
}

fn print_verified(trail: &Path, found: &Verified) {
    let records = grouped(found.records);
    let runs = found.runs.len();
    let runs = format!("{runs} run{}", if runs == 1 { "" } else { "s" });
    println!("{}: {records} records of {runs}, each as it was written", trail.display());
    println!("  last {}:{}", found.records, found.head);
    match found.anchored {
        None => println!(
            "  no anchor was given: that the end was cut off, or all written anew, would not be seen"
        ),
        Some(anchored) if anchored == found.records => println!("  anchored to the last"),
        Some(anchored) => println!(
            "  anchored up to record {}: that what follows was cut off, or written anew, would not be seen",
            grouped(anchored)
        ),
    }
    if found.records == 0 {
        println!("  nothing was recorded, or all of it was cut off");
    } else if !found.ended {
        println!("  the last run did not come to its end, or goes on");
    }
}

fn run_export(args: &ExportArgs) -> Result<Outcome, Outcome> {
    if let Some(path) = &args.out {
        in_the_way::directory_of(path, "what is exported")?;
    }
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        eprintln!(
            "--from {from} is not before --to {to}: nothing is between them; give the earlier moment first"
        );
        return Err(Outcome::BadUsage);
    }
    let known = anchors(&args.trail, None, &[])?;
    verify_file(&args.trail, &known).map_err(|e| failed(&e))?;
    let told = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| {
            // Whoever reads it has read enough.
            if error.kind() == std::io::ErrorKind::BrokenPipe {
                return Outcome::Done;
            }
            eprintln!("{path}: {error}");
            Outcome::Failed
        }
    };
    let trail = BufReader::with_capacity(1 << 20, File::open(&args.trail).map_err(told(&args.trail))?);
    let format = match args.format {
        Format::Csv => ExportFormat::Csv,
        Format::Jsonl => ExportFormat::JsonLines,
    };
    let (out, place): (Box<dyn Write>, _) = match &args.out {
        Some(path) if path == Path::new("/dev/stdout") => (Box::new(std::io::stdout().lock()), path.clone()),
        // Never over what is there: it may be the trail, or the journal that it is of.
        Some(path) => match private_file().write(true).create_new(true).open(path) {
            Ok(file) => (Box::new(file), path.clone()),
            // A pipe or a device has nothing to lose.
            Err(error)
                if error.kind() == std::io::ErrorKind::AlreadyExists
                    && std::fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir()) =>
            {
                let file = File::options().write(true).open(path).map_err(told(path))?;
                (Box::new(file), path.clone())
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                eprintln!("{}: is there already: export to another name, or remove it first", path.display());
                return Err(Outcome::BadUsage);
            }
            Err(error) => return Err(told(path)(error)),
        },
        None => (Box::new(std::io::stdout().lock()), PathBuf::from("standard output")),
    };
    let mut out = BufWriter::new(out);
    let written = export(trail, args.from, args.to, format, &mut out);
    let written = written.and_then(|n| out.flush().map(|()| n)).map_err(|error| {
        if let Some(path) = args.out.as_ref().filter(|path| path.is_file()) {
            // Half an export looks like a whole one.
            let _ = std::fs::remove_file(path);
        }
        told(&place)(error)
    })?;
    if args.out.is_some() {
        let (trail, out) = (args.trail.display().to_string(), place.display().to_string());
        let told = match args.json {
            true => format!("{:#}", json!({ "trail": trail, "out": out, "records": written })),
            false => format!("{out}: {} records", grouped(written)),
        };
        // What is no file may be where the export went, and standard output is, a file or not.
        let apart = place.is_file() && place != Path::new("/dev/stdout");
        if apart { println!("{told}") } else { eprintln!("{told}") }
    }
    Ok(Outcome::Done)
}

fn run_load(args: &LoadArgs) -> Result<Outcome, Outcome> {
    start_log(&load(None)?, "audit load");
    let trail = args.trail.clone().unwrap_or_else(|| trail_of(&args.journal));
    let known = anchors(&trail, None, &[])?;
    // It is verified as it is opened. A last line that was never written to its end, as on a full disk, is cut off: what
    // stood there is read from the journal again.
    let Some(mut scribe) = Scribe::open(&args.journal, &trail, &known).map_err(|e| failed(&e))? else {
        eprintln!("{}: ends before its header: nothing was journaled", args.journal.display());
        return Err(Outcome::Failed);
    };
    let ended = loop {
        match scribe.read() {
            Ok(Scribed::More) => {}
            Ok(end) => break end == Scribed::Ended,
            Err(error) => {
                // What was read until then is good.
                scribe.sync().map_err(|e| failed(&e))?;
                return Err(failed(&error));
            }
        }
    };
    scribe.sync().map_err(|e| failed(&e))?;
    let head = scribe.head();
    let added = head.map_or(0, |head| head.number.saturating_sub(scribe.records_before()));
    if args.json {
        let loaded = json!({
            "journal": args.journal.display().to_string(),
            "trail": trail.display().to_string(),
            "records_added": added,
            "records": head.map_or(0, |head| head.number),
            "hash": head.map(|head| head.link.to_string()),
            "ended": ended,
        });
        println!("{loaded:#}");
    } else if let Some(head) = head {
        let end = if ended { "the run's end" } else { "where its journal was cut, or still grows" };
        let added = grouped(added);
        println!("{}: {added} records added, up to {end}\n  last {head}", trail.display());
    }
    Ok(Outcome::Done)
}
