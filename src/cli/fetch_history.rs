//! `algo-trader fetch-history`: a venue's klines and aggregate trades, by its REST interface, into the local history.

use super::logging::start_log;
use super::replay::load;
use super::status_line::StatusLine;
use super::{Outcome, in_the_way};
use crate::domain::{Market, Time};
use crate::history::fetched::{FetchKind, INTERVALS, Interval};
use crate::net::{Endpoint, TlsClient};
use crate::run::config::parse_time;
use crate::run::fetch::{
    CallSettings, FetchError, FetchOutcome, FetchProgress, FetchRequest, Waiting, fetch_history,
};
use crate::run::interrupt::Interrupt;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader fetch-history BTCUSDT --klines 1m --from 2024-08-01 --until 2024-09-01
  algo-trader fetch-history BTCUSDT ETHUSDT --klines 1h,1d --from 2020-01-01
  algo-trader fetch-history BTCUSDT --agg-trades --from 2024-08-08 --until 2024-08-09
  algo-trader fetch-history BTCUSDT --market usdm --klines 1m --agg-trades --from 2024-08-08T12:00:00Z

Asks only for what the history lacks, so the same command goes on where it was stopped or killed, and adds what is new \
when it is run again later. Days of many trades come quicker from the venue's dumps: algo-trader import binance.

Next: algo-trader history list, algo-trader backtest")]
pub struct Args {
    /// Symbols, as the venue names them
    #[arg(value_name = "SYMBOL", required = true)]
    symbols: Vec<String>,
    /// The part of the venue: spot, usdm
    #[arg(long, value_name = "MARKET", default_value = "spot", value_parser = market)]
    market: Market,
    /// Bars of these lengths: 1s, 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d, 3d, 1w, 1M
    #[arg(long, value_name = "LENGTHS", value_delimiter = ',', value_parser = interval)]
    klines: Vec<Interval>,
    /// Aggregate trades
    #[arg(long)]
    agg_trades: bool,
    /// The first day or moment, UTC: 2024-08-08, 2024-08-08T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Time,
    /// The first day or moment not any more; now where not given
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Time>,
    /// The history's directory; made where it is not there
    #[arg(long, value_name = "DIR", default_value = "history")]
    dir: PathBuf,
    /// Configuration file whose [venue] says where the venue is, and whose certificates are good
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The venue's REST interface, in place of the configuration's: https://127.0.0.1:8443
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    rest: Option<Endpoint>,
    /// A PEM file of certificates to trust besides the bundled ones
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Per cent of the venue's limit that may be used by this address, other programs on it counted
    #[arg(long, value_name = "N", default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=100))]
    use_percent: u32,
    /// Rows asked for at once
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    page_rows: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn market(text: &str) -> Result<Market, String> {
    let found = Market::from_label(text).filter(|market| *market != Market::CoinM);
    found.ok_or_else(|| "expected spot or usdm".into())
}

fn interval(text: &str) -> Result<Interval, String> {
    Interval::from_label(text).ok_or_else(|| {
        let labels: Vec<&str> = INTERVALS.iter().map(|interval| interval.venue).collect();
        format!("expected one of {}", labels.join(", "))
    })
}

fn time(text: &str) -> Result<Time, String> {
    parse_time(text)
        .ok_or_else(|| "expected a day or a moment, UTC: 2024-08-08 or 2024-08-08T12:00:00Z".into())
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text, "https").map_err(|error| error.to_string())
}

/// In the order given, each once.
fn distinct<T: PartialEq + Clone>(all: &[T]) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for one in all {
        if !kept.contains(one) {
            kept.push(one.clone());
        }
    }
    kept
}

pub fn run(args: Args) -> Outcome {
    let bad = |problem: &dyn std::fmt::Display| {
        eprintln!("{problem}");
        Outcome::BadUsage
    };
    let mut kinds: Vec<FetchKind> = distinct(&args.klines).into_iter().map(FetchKind::Klines).collect();
    if args.agg_trades {
        kinds.push(FetchKind::AggTrades);
    }
    if kinds.is_empty() {
        return bad(&"what to fetch? --klines 1m, or several lengths (1m,1h), or --agg-trades, or both");
    }
    if args.market != Market::Spot && args.klines.iter().any(|interval| interval.venue == "1s") {
        return bad(&"bars of 1s are spot's alone: leave 1s out");
    }
    if args.until.is_some_and(|until| until <= args.from) {
        return bad(&"--until is not after --from: exchange them");
    }
    let config = match load(args.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    start_log(&config, "fetch-history");
    if let Err(outcome) = in_the_way::directory(&args.dir, "the history") {
        return outcome;
    }
    let mut trust = config.venue.tls.clone();
    trust.ca_file = args.ca_file.clone().or(trust.ca_file);
    let tls = match TlsClient::new(&trust) {
        Ok(tls) => tls,
        Err(error) => return bad(&error),
    };
    let request = FetchRequest {
        dir: args.dir.clone(),
        market: args.market,
        endpoint: args.rest.clone().unwrap_or_else(|| config.venue.endpoints(args.market).rest.clone()),
        symbols: distinct(&args.symbols),
        kinds,
        from: args.from,
        until: args.until,
        page_rows: args.page_rows.into(),
        calls: CallSettings { use_percent: args.use_percent, ..CallSettings::default() },
    };
    let interrupt = Interrupt::install().unwrap_or_default();
    let begun = Instant::now();
    let outcome = fetch_history(&request, &tls, &interrupt, &mut *progress());
    tell(&args, &outcome, begun.elapsed())
}

/// A bar with rate and what is left, where standard error is a terminal.
fn progress() -> Box<dyn FnMut(&FetchProgress<'_>)> {
    let Some(mut status) = StatusLine::new() else { return Box::new(|_| {}) };
    let begun = Instant::now();
    let mut shown: Option<Instant> = None;
    Box::new(move |at| {
        if shown.is_some_and(|shown| shown.elapsed() < Duration::from_millis(100)) {
            return;
        }
        shown = Some(Instant::now());
        status.show(&line(at, begun.elapsed().as_secs_f64().max(1e-3)));
    })
}

/// A line of progress after so many seconds.
fn line(at: &FetchProgress<'_>, seconds: f64) -> String {
    const WIDTH: usize = 20;
    let filled = ((at.part * WIDTH as f64) as usize).min(WIDTH);
    let bar = format!("[{}{}]", "#".repeat(filled), ".".repeat(WIDTH - filled));
    let left = if at.part > 0.0 {
        format!("{:.0} s left", seconds / at.part * (1.0 - at.part))
    } else {
        "time left unknown yet".to_owned()
    };
    let waiting = match at.waiting {
        None => String::new(),
        Some((why, left)) => {
            let why = match why {
                Waiting::Budget => "for the rate limit",
                Waiting::Told => "as the venue said",
                Waiting::Failed => "after a failure",
            };
            format!("; waits {why}, {:.0} s", left.as_secs_f64().ceil())
        }
    };
    // What is cut off on a narrow terminal is the name.
    format!(
        "{bar} {:3.0} %, {} rows, {:.0} a second, {left}{waiting}; {}/{} {}",
        at.part * 100.0,
        at.rows,
        at.rows as f64 / seconds,
        at.number,
        at.series,
        at.name,
    )
}

fn tell(args: &Args, outcome: &FetchOutcome, took: Duration) -> Outcome {
    for problem in &outcome.recovered.given_up {
        eprintln!("left by a run before and of no use, so it is asked for again: {problem}");
    }
    if let Some(error) = &outcome.error {
        eprintln!("{error}");
    }
    let (counts, seconds) = (&outcome.counts, took.as_secs_f64());
    let rows: u64 = outcome.series.iter().map(|series| series.rows).sum();
    if args.json {
        let series = outcome.series.iter().map(|s| {
            json!({
                "series": s.name, "rows": s.rows, "imports": s.imports, "stretches": s.stretches,
                "first": s.span.0.to_string(), "last": s.span.1.to_string(), "gaps": s.gaps,
            })
        });
        let all = json!({
            "series": series.collect::<Vec<_>>(),
            "rows": rows,
            "rows_of_a_run_before": outcome.recovered.rows,
            "calls": counts.calls,
            "failed_calls": counts.failures,
            "refused_calls": counts.refusals,
            "waited_s": counts.waited.as_secs_f64(),
            "elapsed_s": seconds,
            "error": outcome.error.as_ref().map(ToString::to_string),
        });
        println!("{all:#}");
    } else {
        if outcome.recovered.rows > 0 {
            println!("{} rows that a run before had received", outcome.recovered.rows);
        }
        for s in &outcome.series {
            let has = if s.span.1 == Time(0) {
                "the history has nothing of it".to_owned()
            } else {
                format!("the history has it from {} to {}, {} gaps", s.span.0, s.span.1, s.gaps)
            };
            println!("{}: {} rows fetched; {has}", s.name, s.rows);
        }
        let next = match &outcome.error {
            None => format!("; next: algo-trader history list --dir {}", args.dir.display()),
            Some(_) if rows > 0 => "; they are kept: the same command goes on after them".into(),
            Some(_) => String::new(),
        };
        println!(
            "{rows} rows in {seconds:.1} s; {} calls, {} failed and made again, {} refused, {:.1} s waited{next}",
            counts.calls,
            counts.failures,
            counts.refusals,
            counts.waited.as_secs_f64(),
        );
    }
    match outcome.error {
        None => Outcome::Done,
        Some(FetchError::Range { .. } | FetchError::Market(_) | FetchError::Budget) => Outcome::BadUsage,
        Some(_) => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_progress_has_rate_remaining_time_and_why_it_waits() {
        let at = FetchProgress {
            number: 2,
            series: 2,
            name: "binance:spot:BTCUSDT bars-1m",
            part: 0.75,
            rows: 3_000,
            calls: 3,
            waiting: Some((Waiting::Told, Duration::from_millis(6_500))),
        };
        assert_eq!(
            line(&at, 30.0),
            "[###############.....]  75 %, 3000 rows, 100 a second, 10 s left; waits as the venue said, 7 s; \
             2/2 binance:spot:BTCUSDT bars-1m"
        );
        let at = FetchProgress { part: 0.0, rows: 0, waiting: None, ..at };
        assert!(line(&at, 1.0).contains("time left unknown yet"));
    }
}
