//! `algo-trader history`: what the local history has, whether it is whole, and removing from it.

use super::Outcome;
use super::status_line::StatusLine;
use crate::domain::Time;
use crate::history::catalogue::{Catalogue, CatalogueWriter, Entry, HistoryError, Series};
use crate::history::{HistoryEvents, Query};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader history list
  algo-trader history sources
  algo-trader history verify
  algo-trader history remove 0123456789abcdef")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Args)]
struct Place {
    /// The history's directory
    #[arg(long, value_name = "DIR", default_value = "history")]
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Which instrument and kind, from when to when, how many events, gaps
    List(Place),
    /// Which files were imported
    Sources(Place),
    /// Reads every event and compares checksums and counts
    Verify(Place),
    /// Removes what was imported from one file
    Remove {
        /// The import, as `history sources` names it
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

pub fn run(args: Args) -> Outcome {
    let done = match &args.command {
        Command::List(place) => list(place),
        Command::Sources(place) => sources(place),
        Command::Verify(place) => return verify(place),
        Command::Remove { id, place } => remove(id, place),
    };
    match done {
        Ok(()) => Outcome::Done,
        Err(error) => {
            eprintln!("{error}");
            Outcome::Failed
        }
    }
}

fn list(place: &Place) -> Result<(), HistoryError> {
    let all = Catalogue::open(&place.dir)?.series();
    if place.json {
        println!("{:#}", Value::from(all.iter().map(series_json).collect::<Vec<_>>()));
        return Ok(());
    }
    println!(
        "{:<28} {:<18} {:>12} {:>20} {:>20} {:>8} {:>9} {:>9} {:>6}",
        "instrument", "series", "events", "first", "last", "gaps", "missing", "MB", "files"
    );
    for series in &all {
        println!(
            "{:<28} {:<18} {:>12} {:>20} {:>20} {:>8} {:>9} {:>9.1} {:>6}",
            series.name.instrument,
            series.name.label(),
            series.rows,
            short(series.first()),
            short(series.last()),
            series.gaps.map_or("-".into(), |gaps| gaps.to_string()),
            series.gaps.map_or("-".into(), |_| series.missing.to_string()),
            series.bytes() as f64 / 1e6,
            series.segments.len(),
        );
    }
    Ok(())
}

/// To the second, UTC.
fn short(time: Time) -> String {
    time.to_string().get(..19).unwrap_or("?").to_owned()
}

fn series_json(series: &Series) -> Value {
    json!({
        "instrument": series.name.instrument,
        "series": series.name.label(),
        "events": series.rows,
        "first": series.first().to_string(),
        "last": series.last().to_string(),
        "gaps": series.gaps,
        "missing": series.missing,
        "price_decimals": series.price_decimals,
        "qty_decimals": series.qty_decimals,
        "bytes": series.bytes(),
        "sources": series.sources,
    })
}

/// An import as the catalogue has it, with its moments as text: the catalogue counts ns since 1970.
pub fn entry_json(entry: &Entry) -> Value {
    let mut told = json!(entry);
    let text = |of: &mut Value, name: &str, ns: u64| of[name] = json!(Time(ns).to_string());
    text(&mut told, "imported", entry.imported);
    for (at, segment) in entry.segments.iter().enumerate() {
        let of = &mut told["segments"][at];
        text(of, "first", segment.first);
        text(of, "last", segment.last);
    }
    told
}

fn sources(place: &Place) -> Result<(), HistoryError> {
    let catalogue = Catalogue::open(&place.dir)?;
    if place.json {
        println!("{:#}", Value::from(catalogue.entries().iter().map(entry_json).collect::<Vec<_>>()));
        return Ok(());
    }
    for entry in catalogue.entries() {
        let left_out =
            if entry.skipped > 0 { format!(", {} bad ones left out", entry.skipped) } else { String::new() };
        println!("{}  {:>12} rows{left_out}  {}  ({})", entry.id, entry.rows, entry.source, entry.taken_as);
    }
    Ok(())
}

fn verify(place: &Place) -> Outcome {
    let catalogue = match Catalogue::open(&place.dir) {
        Ok(catalogue) => catalogue,
        Err(error) => {
            eprintln!("{error}");
            return Outcome::Failed;
        }
    };
    let mut results = Vec::new();
    let mut good = true;
    let started = Instant::now();
    let mut events = 0;
    for series in catalogue.series() {
        let problem = verify_series(&catalogue, &series, &mut events).err().map(|error| error.to_string());
        good &= problem.is_none();
        if !place.json {
            println!(
                "{:<48} {:>12} events  {}",
                series.name.to_string(),
                series.rows,
                problem.as_deref().unwrap_or("good")
            );
        }
        results.push(json!({ "series": series.name.to_string(), "events": series.rows, "problem": problem }));
    }
    let seconds = started.elapsed().as_secs_f64();
    if place.json {
        println!("{:#}", json!({ "good": good, "events": events, "elapsed_s": seconds, "series": results }));
    } else {
        println!("{events} events read in {seconds:.1} s: {}", if good { "good" } else { "NOT GOOD" });
    }
    if good { Outcome::Done } else { Outcome::Failed }
}

/// Reads all of a series, each of its files by itself; says what is wrong with it.
fn verify_series(
    catalogue: &Catalogue,
    series: &Series,
    events: &mut u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut status = StatusLine::new();
    let (mut rows, mut shown) = (0u64, Instant::now());
    for segment in &series.segments {
        // At its own precision: what another has does not make this one bad.
        let one = [Series {
            segments: vec![segment.clone()],
            price_decimals: segment.price_decimals,
            qty_decimals: segment.qty_decimals,
            ..series.clone()
        }];
        let table = catalogue.instruments(&one)?;
        let mut reader = HistoryEvents::open(catalogue, &one, &table, &Query::default())?;
        while reader.next_event()?.is_some() {
            (rows, *events) = (rows + 1, *events + 1);
            if rows.is_multiple_of(1 << 20)
                && shown.elapsed().as_millis() >= 200
                && let Some(status) = &mut status
            {
                shown = Instant::now();
                status.show(&format!("{}: {rows} of {} events", series.name, series.rows));
            }
        }
    }
    if rows != series.rows {
        return Err(format!(
            "has {rows} events where the catalogue has {}: remove its imports and import them again",
            series.rows
        )
        .into());
    }
    series.check_ids(None)?;
    Ok(catalogue.check_together(&series.name)?)
}

fn remove(id: &str, place: &Place) -> Result<(), HistoryError> {
    // A directory that is not there must not be made by removing from it.
    let dir: &Path = &place.dir;
    Catalogue::open(dir)?;
    let entry = CatalogueWriter::open(dir)?.remove(id)?;
    if place.json {
        println!("{:#}", json!({ "removed": entry_json(&entry) }));
    } else {
        println!("{} removed: {} rows", entry.source, entry.rows);
    }
    Ok(())
}
