//! `algo-trader export`: series of the local history as CSV or Parquet.

use super::capture::parse_time;
use super::status_line::StatusLine;
use super::{Outcome, in_the_way};
use crate::domain::Time;
use crate::history::export::{ExportError, ExportFormat, Exported, check_names, export_series};
use crate::history::{Catalogue, HistoryError, Query};
use crate::run::interrupt::Interrupt;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader export --out notebook
  algo-trader export --out notebook --format csv --instrument binance:spot:BTCUSDT --series bars-1m
  algo-trader export --out notebook --from 2024-08-08T00:00:00Z --until 2024-08-09T00:00:00Z

In a notebook: pandas.read_parquet('notebook/binance_spot_BTCUSDT-bars-1m.parquet'). Prices and quantities are exact \
decimals there; .astype(float) makes them quick. Depth events have a row for each level. What a source did not say, such as \
the turnover and the trades of bars from a plain CSV, is empty or null, not 0. What is exported as CSV, but feeds, comes back \
by algo-trader import exported, event for event.")]
pub struct Args {
    /// The directory to write into; made where it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// csv or parquet
    #[arg(long, value_name = "FORMAT", default_value = "parquet", value_parser = parse_format)]
    format: ExportFormat,
    /// Only these instruments: binance:spot:BTCUSDT
    #[arg(long, value_name = "NAME")]
    instrument: Vec<String>,
    /// Only these series, as `history list` names them: trades, bars-1m
    #[arg(long, value_name = "SERIES")]
    series: Vec<String>,
    /// Leave out events before this, and bars that opened before: 2024-08-08T00:00:00Z, or ns since 1970
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<Time>,
    /// Leave out events then or later, and bars that open then or later
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Time>,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// The history's directory
    #[arg(long, value_name = "DIR", default_value = "history")]
    dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_format(text: &str) -> Result<ExportFormat, String> {
    let found = ExportFormat::ALL.iter().find(|(name, _)| *name == text);
    found.map(|(_, format)| *format).ok_or_else(|| "expected csv or parquet".into())
}

pub fn run(args: Args) -> Outcome {
    if let Err(outcome) = in_the_way::directory(&args.out, "what is exported") {
        return outcome;
    }
    match export(&args) {
        Ok(files) => {
            if args.json {
                let file = |f: &Exported| json!({ "path": f.path, "rows": f.rows, "bytes": f.bytes });
                println!("{:#}", json!({ "files": files.iter().map(file).collect::<Vec<_>>() }));
            } else {
                for file in &files {
                    println!(
                        "{}: {} rows, {:.1} MB",
                        file.path.display(),
                        file.rows,
                        file.bytes as f64 / 1e6
                    );
                }
                if files.is_empty() {
                    println!("no event in that range");
                }
            }
            Outcome::Done
        }
        Err(error) => {
            eprintln!("{error}");
            match error {
                // What is in the way of what is to be written is another name's to mend.
                ExportError::Exists(_)
                | ExportError::OneName { .. }
                | ExportError::History(
                    HistoryError::Range { .. } | HistoryError::Unknown { .. } | HistoryError::NoSeries { .. },
                ) => Outcome::BadUsage,
                _ => Outcome::Failed,
            }
        }
    }
}

fn export(args: &Args) -> Result<Vec<Exported>, ExportError> {
    let query = Query {
        instruments: args.instrument.clone(),
        series: args.series.clone(),
        from: args.from,
        until: args.until,
    };
    let catalogue = Catalogue::open(&args.dir)?;
    let interrupt = Interrupt::install().unwrap_or_default();
    let mut files = Vec::new();
    let all = query.select(&catalogue)?;
    // Before any is written: the second would replace the first, or find it in its way.
    check_names(&all)?;
    for series in all {
        let mut status = StatusLine::new();
        let (begun, mut shown) = (Instant::now(), Instant::now());
        let mut progress = |events: u64| {
            if let Some(status) = &mut status
                && shown.elapsed().as_millis() >= 200
            {
                shown = Instant::now();
                let seconds = begun.elapsed().as_secs_f64();
                let left = seconds / events as f64 * series.rows.saturating_sub(events) as f64;
                status
                    .show(&format!("{}: {events} of {} events, {left:.0} s left", series.name, series.rows));
            }
            !interrupt.is_raised()
        };
        files.extend(export_series(
            &catalogue,
            &series,
            &query,
            args.format,
            &args.out,
            args.force,
            &mut progress,
        )?);
    }
    Ok(files)
}
