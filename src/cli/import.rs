//! `algo-trader import`: vendors' files and recordings into the local history.

use super::history::entry_json;
use super::replay::load;
use super::status_line::StatusLine;
use super::{Outcome, in_the_way};
use crate::domain::{Instrument, Market};
use crate::history::CatalogueWriter;
use crate::history::catalogue::{Entry, is_every};
use crate::history::import::{
    Columns, Found, ImportError, ImportKind, ImportOptions, Imported, KINDS, Progress, files, import_file,
};
use crate::run::interrupt::Interrupt;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader import binance --market spot BTCUSDT-trades-2024-08-08.zip BTCUSDT-1m-2024-08.zip
  algo-trader import binance --market usdm downloads/
  algo-trader import tardis binance-futures_incremental_book_L2_2024-08-08_BTCUSDT.csv.gz
  algo-trader import capture captures/today
  algo-trader import stocks --adjust adjust/ daily/spy.zip
  algo-trader import crypto-bars --round-qty 8 coinbase/minute/btcusd
  algo-trader import csv --instrument usa:spot:XYZ --base XYZ --quote USD --every 1d --columns time=Date prices.csv
  algo-trader import exported notebook/binance_spot_BTCUSDT-trades.csv

A file is imported whole or not at all, and once: importing it again adds nothing. Where Binance's .CHECKSUM file lies \
beside a dump, the dump must agree with it. A file with a bad row is refused with the row's line; --skip-bad leaves \
such rows out, and says how many.

Next: algo-trader history list, algo-trader export")]
pub struct Args {
    /// What the files are
    #[arg(value_name = "KIND", value_parser = parse_kind, help = kinds_help())]
    kind: ImportKind,
    /// Files, or directories with them or with directories of them: as they are downloaded, packed or not
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The history's directory; made where it is not there
    #[arg(long, value_name = "DIR", default_value = "history")]
    dir: PathBuf,
    /// The instrument, where the files do not say or say otherwise: binance:spot:BTCUSDT
    #[arg(long, value_name = "NAME")]
    instrument: Option<String>,
    /// The market, where the files do not say: spot, usdm, coinm
    #[arg(long, value_name = "MARKET", value_parser = parse_market)]
    market: Option<Market>,
    /// The asset bought and sold, where the symbol does not say
    #[arg(long, value_name = "ASSET")]
    base: Option<String>,
    /// The asset paid with, where the symbol does not say
    #[arg(long, value_name = "ASSET")]
    quote: Option<String>,
    /// Leave bad rows out, counted, instead of refusing the file
    #[arg(long)]
    skip_bad: bool,
    /// Sort rows (not of depth) by time and id, in memory, instead of refusing a file whose times go back
    #[arg(long)]
    sort: bool,
    /// Round prices with more decimals to N, half to even
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=18))]
    round_price: Option<u8>,
    /// Round quantities with more decimals to N, half to even
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=18))]
    round_qty: Option<u8>,
    /// Adjust for splits and dividends by the factors in this file, or in this directory's SYMBOL.csv (stocks)
    #[arg(long, value_name = "PATH")]
    adjust: Option<PathBuf>,
    /// Which column is which, by its name or its place from 1: time=Date,open=2 (csv)
    #[arg(long, value_name = "LIST", value_parser = parse_columns)]
    columns: Option<ColumnList>,
    /// How long a bar is, where the files do not say: 1m, 4h, 1d
    #[arg(long, value_name = "LENGTH", value_parser = parse_every)]
    every: Option<String>,
    /// Configuration whose instruments' frames are taken from captures of many symbols
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Columns by name; a type of its own, so that the option takes one list.
#[derive(Clone)]
struct ColumnList(Vec<(String, String)>);

fn parse_columns(text: &str) -> Result<ColumnList, String> {
    Columns::parse(text).map(ColumnList)
}

fn parse_every(text: &str) -> Result<String, String> {
    if is_every(text) { Ok(text.into()) } else { Err("expected a length such as 30s, 1m, 4h, 1d".into()) }
}

fn parse_kind(text: &str) -> Result<ImportKind, String> {
    let found = KINDS.iter().find(|(_, name, _)| *name == text);
    let names = || KINDS.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(", ");
    found.map(|(kind, ..)| *kind).ok_or_else(|| format!("expected one of {}", names()))
}

fn kinds_help() -> String {
    let kinds = KINDS.iter().map(|(_, name, doc)| format!("{name}: {doc}"));
    format!("What the files are:\n{}", kinds.collect::<Vec<_>>().join("\n"))
}

fn parse_market(text: &str) -> Result<Market, String> {
    Market::from_label(text).ok_or_else(|| "expected spot, usdm or coinm".into())
}

impl Args {
    fn options(&self, instruments: Vec<Instrument>) -> ImportOptions {
        ImportOptions {
            instrument: self.instrument.clone(),
            market: self.market,
            base: self.base.clone(),
            quote: self.quote.clone(),
            skip_bad: self.skip_bad,
            sort: self.sort,
            round_price: self.round_price,
            round_qty: self.round_qty,
            adjust: self.adjust.clone(),
            columns: Columns {
                given: self.columns.clone().map_or(Vec::new(), |list| list.0),
                every: self.every.clone(),
            },
            source: None,
            configured: instruments,
        }
    }
}

/// What became of all files.
#[derive(Default)]
struct Done {
    entries: Vec<Value>,
    added: u64,
    known: u64,
    failed: u64,
    rows: u64,
}

pub fn run(args: Args) -> Outcome {
    let failed = |error: &dyn std::fmt::Display| {
        eprintln!("{error}");
        Outcome::Failed
    };
    let instruments = match load(args.config.as_deref()) {
        Ok(config) => config.instruments.all().to_vec(),
        Err(outcome) => return outcome,
    };
    if let Err(outcome) = in_the_way::directory(&args.dir, "the history") {
        return outcome;
    }
    let Found { files: mut paths, passed_over } = match files(&args.paths) {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    if let Some(adjust) = &args.adjust {
        // Factors that lie among what they are for are not prices.
        paths.retain(|path| args.paths.contains(path) || !path.starts_with(adjust));
    }
    if let [first, others @ ..] = &passed_over[..] {
        let more = match others.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        eprintln!(
            "passed over, as no .csv, .zip or .gz, or as a link to a directory: {}{more}",
            first.display()
        );
    }
    let mut history = match CatalogueWriter::open(&args.dir) {
        Ok(history) => history,
        Err(error) => return failed(&error),
    };
    let interrupt = Interrupt::install().unwrap_or_default();
    let options = args.options(instruments);
    let started = Instant::now();
    let mut done = Done::default();
    for (path, number) in paths.iter().zip(1..) {
        let mut status = StatusLine::new();
        let mut shown = Instant::now();
        let begun = Instant::now();
        let place =
            format!("{number}/{} {}", paths.len(), path.file_name().unwrap_or_default().to_string_lossy());
        let imported = import_file(&mut history, args.kind, path, &options, &mut |progress| {
            if let Some(status) = &mut status
                && shown.elapsed().as_millis() >= 200
            {
                shown = Instant::now();
                status.show(&format!("{place} {}", text_of(&progress, begun)));
            }
            !interrupt.is_raised()
        });
        drop(status);
        tell(&args, path, &imported, &mut done);
        if matches!(imported, Err(ImportError::Stopped { .. })) || interrupt.is_raised() {
            let left = paths.len() - number;
            if left > 0 {
                eprintln!(
                    "stopped: {left} more files were not looked at; the same command goes on with them"
                );
            }
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        let all = json!({
            "files": done.entries,
            "added": done.added,
            "known": done.known,
            "failed": done.failed,
            "passed_over": passed_over,
            "rows": done.rows,
            "elapsed_s": seconds,
        });
        println!("{all:#}");
    } else {
        let next = match done.added + done.known {
            0 => String::new(),
            _ => format!("; next: algo-trader history list --dir {}", args.dir.display()),
        };
        println!(
            "{} imported, {} known already, {} refused: {} rows in {seconds:.1} s{next}",
            done.added, done.known, done.failed, done.rows,
        );
    }
    if done.failed == 0 && done.added + done.known == paths.len() as u64 {
        Outcome::Done
    } else {
        Outcome::Failed
    }
}

fn text_of(progress: &Progress, begun: Instant) -> String {
    let seconds = begun.elapsed().as_secs_f64().max(1e-3);
    let part = progress.bytes as f64 / progress.bytes_all.max(1) as f64;
    let left = if part > 0.0 { seconds / part * (1.0 - part) } else { 0.0 };
    let rate = progress.rows as f64 / seconds / 1e6;
    format!("{:3.0} %, {} rows, {rate:.1} million a second, {left:.0} s left", part * 100.0, progress.rows)
}

fn tell(args: &Args, path: &Path, imported: &Result<Imported, ImportError>, done: &mut Done) {
    match imported {
        Ok(Imported::Added(entry, problems)) => {
            done.added += 1;
            done.rows += entry.rows;
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            if !args.json {
                print_entry(entry);
            }
            done.entries.push(json!({ "state": "added", "entry": entry_json(entry), "problems": problems }));
        }
        Ok(Imported::Known(entry)) => {
            done.known += 1;
            if !args.json {
                let (path, id) = (path.display(), &entry.id);
                println!("{path}: known already (import {id} of {}), nothing added", entry.source);
            }
            done.entries.push(json!({ "state": "known", "entry": entry_json(entry) }));
        }
        Err(error) => {
            done.failed += 1;
            eprintln!("{error}");
            done.entries.push(json!({ "state": "failed", "error": error.to_string() }));
        }
    }
}

fn print_entry(entry: &Entry) {
    println!("{}: {} rows (import {})", entry.source, entry.rows, entry.id);
    if entry.skipped > 0 {
        println!("  {} bad rows left out", entry.skipped);
    }
    if entry.rounded > 0 {
        println!("  {} numbers rounded", entry.rounded);
    }
    for segment in &entry.segments {
        let gaps = segment.gaps.map_or(String::new(), |gaps| format!(", {gaps} gaps"));
        println!(
            "  {} {}: {} events, {:.1} MB{gaps}",
            segment.instrument,
            segment.series,
            segment.rows,
            segment.bytes as f64 / 1e6
        );
    }
}
