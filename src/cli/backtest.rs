//! `algo-trader backtest`: strategies over the local history, or over recordings, with a simulated venue.

use super::Outcome;
use super::logging::start_log;
use super::replay::parse_threading;
use super::status_line::StatusLine;
use super::tear_sheet;
use crate::domain::decimal::Scaled;
use crate::domain::performance::{EquityPoint, Outcome as Performance, RoundTrip};
use crate::domain::{Instrument, Time};
use crate::execution::Record;
use crate::history::{Catalogue, HistoryError, Recording, RecordingOptions};
use crate::pipeline::{StopReason, Threading};
use crate::report::backtest::BacktestReport;
use crate::report::units::count as grouped;
use crate::run::backtest::{
    BacktestError, BacktestOptions, LookaheadReport, Plan, Ran, Rerun, Source, check_lookahead, known_to,
    named_in, run_backtest,
};
use crate::run::config::{ConfigError, FillChoice, SPAN_EXPECTED, parse_span, parse_time};
use crate::run::interrupt::Interrupt;
use crate::run::summary::refusals_json;
use crate::run::{Config, PipelineOptions};
use crate::statistics::outcome::Conventions;
use crate::strategy::StrategySpec;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader backtest --config my.toml
  algo-trader backtest --config my.toml --series bars-1d --from 2010-01-01 --until 2020-01-01
  algo-trader backtest --config my.toml --from 2024-01-01 --warm-up 90d
  algo-trader backtest --config my.toml --fill depth recordings/usdm-btcusdt-20240808.gz
  algo-trader backtest --config my.toml --check-lookahead 20
  algo-trader backtest --config my.toml --report tear-sheet
  algo-trader backtest --config my.toml --json > result.json

The configuration's [backtest] says which history and how its venue behaves; what is given here goes before it. \
Instruments that no instrument file has are taken as the history knows them.

Next: algo-trader import, algo-trader history list, algo-trader sweep")]
pub struct Args {
    /// Recordings (named MARKET-SYMBOL-DATE.gz) to run over in place of the history
    paths: Vec<PathBuf>,
    /// Configuration file; the built-in one where not given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The history's directory
    #[arg(long, visible_alias = "dir", value_name = "DIR")]
    history: Option<PathBuf>,
    /// Only these series, as `history list` names them: trades, bars-1m
    #[arg(long, value_name = "SERIES")]
    series: Vec<String>,
    /// The first day or moment, UTC: 2024-08-08, 2024-08-08T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Time>,
    /// The first day or moment not any more
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Time>,
    /// Watch so much before --from without orders, so that indicators are ready: 90d, 12h, 30m, 45s
    #[arg(long, value_name = "LENGTH", value_parser = span)]
    warm_up: Option<Duration>,
    /// What orders fill against: auto, bars, trades, quotes or depth
    #[arg(long, value_name = "MODEL", value_parser = fill)]
    fill: Option<FillChoice>,
    /// Run again over N shorter histories, and with no event passed over, and print every decision that changes; writes no
    /// --report
    #[arg(long, value_name = "N", num_args = 0..=1, conflicts_with_all = ["report", "risk_free"], default_missing_value = "10", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    check_lookahead: Option<u16>,
    /// How stages are spread over threads: inline (the default), shared or dedicated; the result is the same
    #[arg(long, value_parser = parse_threading)]
    threading: Option<Threading>,
    /// Write a page with the curves, figures and trades, and files of them, into this directory; beside an earlier one they go into run-2,
    /// run-3, … there
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// A year's return without risk, for Sharpe and Sortino ratios: 0.03
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = super::sweep::rate)]
    risk_free: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Time, String> {
    parse_time(text)
        .ok_or_else(|| "expected a day or a moment, UTC: 2024-08-08 or 2024-08-08T12:00:00Z".into())
}

/// A length of time, as [`parse_span`] reads it.
pub fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).ok_or_else(|| SPAN_EXPECTED.into())
}

fn fill(text: &str) -> Result<FillChoice, String> {
    let found = FillChoice::ALL.iter().find(|(name, _)| *name == text);
    found.map(|(_, choice)| *choice).ok_or_else(|| "expected auto, bars, trades, quotes or depth".into())
}

/// A configuration and, unless recordings are run over, the history it is over.
fn prepare(args: &Args) -> Result<(Config, Option<Catalogue>), Outcome> {
    let over_history = args.paths.is_empty();
    let tell = |message: &dyn std::fmt::Display, outcome| {
        eprintln!("{message}");
        outcome
    };
    let (mut config, catalogue) =
        match load(args.config.as_deref(), args.history.as_deref(), over_history, &args.series) {
            Ok(found) => found,
            Err(error) => return Err(tell(&error, Outcome::BadUsage)),
        };
    let b = &mut config.backtest;
    if !args.series.is_empty() {
        b.series.clone_from(&args.series);
    }
    (b.from, b.until) = (args.from.or(b.from), args.until.or(b.until));
    b.warm_up = args.warm_up.unwrap_or(b.warm_up);
    b.fill = args.fill.unwrap_or(b.fill);
    if let (Some(from), Some(until)) = (b.from, b.until)
        && until <= from
    {
        return Err(tell(&format!("until {until} must be later than from {from}"), Outcome::BadUsage));
    }
    match catalogue {
        Some(Err(error)) => Err(tell(&error, Outcome::Failed)),
        Some(Ok(catalogue)) => Ok((config, Some(catalogue))),
        None => Ok((config, None)),
    }
}

pub fn run(args: Args, strategies: &'static [StrategySpec]) -> Outcome {
    let (config, catalogue) = match prepare(&args) {
        Ok(prepared) => prepared,
        Err(outcome) => return outcome,
    };
    start_log(&config, "backtest");
    tell_of_hours(&config, catalogue.as_ref());
    config.quotes_that_are_mixed().iter().for_each(|told| eprintln!("warning: {told}"));
    if let Err(outcome) = super::output::prepare_report(args.report.as_deref()) {
        return outcome;
    }
    let interrupt = Interrupt::install().unwrap_or_default();
    let done = match args.check_lookahead {
        Some(count) => lookahead(&args, &config, catalogue.as_ref(), strategies, &interrupt, count.into()),
        None => once(&args, &config, catalogue.as_ref(), strategies, &interrupt),
    };
    match done {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("{error}");
            if error.is_of_usage() { Outcome::BadUsage } else { Outcome::Failed }
        }
    }
}

fn one_run(
    args: &Args,
    config: &Config,
    catalogue: Option<&Catalogue>,
    options: BacktestOptions,
) -> Result<Ran, BacktestError> {
    match catalogue {
        Some(catalogue) => run_backtest(config, Source::History(catalogue), options),
        None => {
            let mut recording = Recording::open(&args.paths, &RecordingOptions::default())
                .map_err(|error| BacktestError::Recording(error.to_string()))?;
            run_backtest(config, Source::Frames(&mut recording), options)
        }
    }
}

fn pipeline(args: &Args, strategies: &'static [StrategySpec]) -> PipelineOptions {
    // Orders of a backtest reach no venue: an epoch of zero keeps the order stream the same, whenever it is made.
    PipelineOptions { threading: args.threading, epoch: 0, strategies, ..PipelineOptions::default() }
}

fn once(
    args: &Args,
    config: &Config,
    catalogue: Option<&Catalogue>,
    strategies: &'static [StrategySpec],
    interrupt: &Interrupt,
) -> Result<Outcome, BacktestError> {
    let options = BacktestOptions {
        interrupt: interrupt.clone(),
        progress: progress(events_ahead(config, catalogue)?, String::new()),
        pipeline: pipeline(args, strategies),
        ..BacktestOptions::default()
    };
    let ran = one_run(args, config, catalogue, options)?;
    let cut_short = ran.summary.stopped.is_some();
    if cut_short {
        eprintln!("interrupted: what follows is what was run until then");
    }
    ran.notes.iter().for_each(|note| eprintln!("{note}"));
    let report = BacktestReport::of(&ran.outcome, &Conventions { periods: None, risk_free: args.risk_free });
    if args.json {
        let mut json = to_json(&ran);
        json["statistics"] = json!(report.statistics);
        println!("{json:#}");
    } else {
        print!("{}{}", to_text(&ran, config), tear_sheet::text(&report.statistics));
    }
    let told = args.report.as_ref().is_none_or(|dir| tear_sheet::written(&report, dir));
    // Half a run is not what was asked for: whoever goes by the status does not go on with it.
    Ok(if told && !cut_short { Outcome::Done } else { Outcome::Failed })
}

/// Says of which calendars too little is known for the history; of a recording it is told after it was read.
fn tell_of_hours(config: &Config, catalogue: Option<&Catalogue>) {
    // What keeps it from being planned is told where it is run.
    let plan = catalogue.and_then(|catalogue| Plan::of_history(config, catalogue).ok());
    let last = plan.and_then(|plan| plan.last());
    last.iter().flat_map(|last| config.hours_that_end(*last)).for_each(|told| eprintln!("warning: {told}"));
}

/// Progress is shown this often.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// How many events there will be, about; 0 where nobody knows before.
fn events_ahead(config: &Config, catalogue: Option<&Catalogue>) -> Result<u64, BacktestError> {
    catalogue.map_or(Ok(0), |catalogue| Ok(Plan::of_history(config, catalogue)?.events))
}

/// A line of progress with the rate and what is left, where standard error is a terminal; `of_what` is said first.
fn progress(ahead: u64, of_what: String) -> Option<Box<dyn FnMut(u64, Time) + Send>> {
    let mut status = StatusLine::new()?;
    let (begun, mut shown) = (Instant::now(), Instant::now());
    Some(Box::new(move |events, time| {
        if shown.elapsed() < SHOWN_EVERY {
            return;
        }
        shown = Instant::now();
        let rate = events as f64 / begun.elapsed().as_secs_f64().max(1e-9);
        let left = ahead.saturating_sub(events) as f64 / rate.max(1.0);
        let of = if ahead > 0 { format!(" of about {ahead}, {left:.0} s left") } else { String::new() };
        status.show(&format!("{of_what}{time}  {events} events{of}, {:.2} M/s", rate / 1e6));
    }))
}

fn lookahead(
    args: &Args,
    config: &Config,
    catalogue: Option<&Catalogue>,
    strategies: &'static [StrategySpec],
    interrupt: &Interrupt,
    count: usize,
) -> Result<Outcome, BacktestError> {
    let ahead = events_ahead(config, catalogue)?;
    // A recording is run frame by frame.
    let passes_over = catalogue.is_some();
    let (mut made, runs) = (0, 1 + usize::from(passes_over) + count);
    // Of runs so short that none of them shows how far it is, it is told how many were made.
    let (mut status, mut shown) = (StatusLine::new(), Instant::now());
    let report = check_lookahead(count, passes_over, |rerun| {
        made += 1;
        if let Some(status) = &mut status
            && shown.elapsed() >= SHOWN_EVERY
        {
            shown = Instant::now();
            status.show(&format!("run {made} of {runs}"));
        }
        let options = BacktestOptions {
            interrupt: interrupt.clone(),
            progress: progress(ahead, format!("run {made} of {runs}  ")),
            cut: rerun.cut(),
            decisions: true,
            every_event: rerun == Rerun::EveryEvent,
            pipeline: pipeline(args, strategies),
            ..BacktestOptions::default()
        };
        let ran = one_run(args, config, catalogue, options)?;
        // What was decided until then is no run to compare with.
        if interrupt.is_raised() {
            return Err(BacktestError::Stopped(StopReason::Interrupted));
        }
        Ok(ran.decisions)
    })?;
    if args.json {
        println!("{:#}", lookahead_json(&report, config));
    } else {
        print!("{}", lookahead_text(&report, config));
    }
    Ok(if report.differences.is_empty() { Outcome::Done } else { Outcome::Failed })
}

fn decision(record: Option<&Record>, config: &Config) -> String {
    let Some(record) = record else { return "nothing".into() };
    let (o, instrument) = (&record.order, config.instruments.get(record.order.instrument));
    let label = config.strategies.get(o.strategy.index()).map_or("?", |s| s.label.as_str());
    let qty = Scaled { value: o.qty.0.into(), decimals: instrument.qty_decimals };
    format!("{label}: {:?} {} {} {qty:#} {}", record.kind, o.kind.label(), o.side, instrument.name())
}

/// Whether a shorter history changes a decision, and whether an event does that was passed over.
fn found(report: &LookaheadReport) -> (bool, bool) {
    let any = |cut: bool| report.differences.iter().any(|d| d.cut.is_some() == cut);
    (any(true), any(false))
}

fn lookahead_text(report: &LookaheadReport, config: &Config) -> String {
    use std::fmt::Write;
    let mut out = format!("{} decisions, {} shorter histories\n", report.decisions, report.cuts.len());
    for d in &report.differences {
        let (whole, shorter) = (decision(d.whole.as_ref(), config), decision(d.shorter.as_ref(), config));
        let otherwise = match d.cut {
            Some(cut) => format!("where the history ends at {cut}"),
            None => "where every event is handed over".into(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}: {whole}; but {shorter} {otherwise}", d.time);
    }
    let (shorter, unawaited) = found(report);
    if shorter {
        out.push_str("LOOK-AHEAD: these decisions depend on what came later\n");
    }
    if unawaited {
        out.push_str(
            "PASSED OVER: a strategy acts on events that it says it does not wait for (Strategy::awaits, heeds_quotes): live, \
             where each is handed over, it trades otherwise\n",
        );
    }
    if !shorter && !unawaited {
        out.push_str("no decision depends on what came later, or on what was passed over\n");
    }
    out
}

fn lookahead_json(report: &LookaheadReport, config: &Config) -> Value {
    let differences = report.differences.iter().map(|d| {
        json!({
            "time": d.time.to_string(),
            "cut": d.cut.map(|cut| cut.to_string()),
            "whole": decision(d.whole.as_ref(), config),
            "shorter": decision(d.shorter.as_ref(), config),
        })
    });
    json!({
        "decisions": report.decisions,
        "cuts": report.cuts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "differences": differences.collect::<Vec<_>>(),
        "lookahead": found(report).0,
        "passed_over": found(report).1,
    })
}

fn money(outcome: &Performance, amount: i128) -> String {
    format!("{:#}", Scaled { value: amount, decimals: outcome.decimals })
}

/// A mean price, to the instrument's own precision and two digits more.
fn mean(value: i128, qty: i64, instrument: &Instrument) -> f64 {
    if qty == 0 {
        return 0.0;
    }
    value as f64 / qty as f64 / 10f64.powi(i32::from(instrument.price_decimals))
}

fn trip_json(outcome: &Performance, trip: &RoundTrip) -> Value {
    let instrument = &outcome.instruments[trip.instrument.index()];
    let qty = |qty: i64| format!("{:#}", Scaled { value: qty.into(), decimals: instrument.qty_decimals });
    let value = |amount| money(outcome, outcome.amount(trip.instrument, amount));
    json!({
        "strategy": outcome.strategies.get(trip.strategy.index()),
        "instrument": instrument.name(),
        "side": trip.side.to_string(),
        "entry_time": trip.entry_time.to_string(),
        "exit_time": trip.exit_time.map(|time| time.to_string()),
        "qty": qty(trip.qty.0),
        "entry_value": value(trip.entry_value),
        "entry_price": mean(trip.entry_value.0, trip.qty.0, instrument),
        "exit_qty": qty(trip.exit_qty.0),
        "exit_value": value(trip.exit_value),
        "exit_price": mean(trip.exit_value.0, trip.exit_qty.0, instrument),
        "fees": money(outcome, outcome.fee(trip.fees)),
        "profit": money(outcome, trip.profit),
        "fills": trip.fills,
    })
}

/// All but what depends on the machine is the same for the same run.
fn to_json(ran: &Ran) -> Value {
    let o = &ran.outcome;
    let point = |p: &EquityPoint| {
        json!([p.time.to_string(), money(o, p.equity), money(o, p.long), money(o, p.short)])
    };
    let (e, books) = (&ran.summary.execution, ran.summary.book_totals());
    json!({
        "name": o.provenance.name,
        "settings": o.provenance.settings.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Vec<_>>(),
        "sources": o.provenance.sources,
        "currency": o.currency,
        "from": o.from.to_string(),
        "until": o.until.to_string(),
        "start_equity": money(o, o.start),
        "end_equity": money(o, o.end()),
        "events": ran.events,
        "late_trades": books.late_trades,
        "ahead_trades": books.ahead_trades,
        "missing_trades": books.missing_trades,
        "repeated_trades": books.repeated_trades,
        "incomplete_bars": books.incomplete_bars,
        "blind_books": ran.summary.blind_books().collect::<Vec<_>>(),
        "stopped": ran.summary.stopped.as_ref().map(ToString::to_string),
        "intents": e.intents,
        "denials": e.denials,
        "denials_by_reason": ran.summary.denials.iter().map(|(reason, count, _)| (*reason, *count)).collect::<BTreeMap<_, _>>(),
        "refused_requests": ran.summary.refused.total(),
        "refused_requests_by_reason": refusals_json(&ran.summary.refused),
        "sized_at_nothing": ran.summary.sized_at_nothing,
        "orders": e.orders,
        "cancels": e.cancels,
        "rejected": e.rejected,
        "unmet_orders": ran.summary.unmet_orders().collect::<Vec<_>>(),
        "fills": o.fills.len(),
        "fees": money(o, o.fills.iter().map(|f| o.fee(f.fee)).sum()),
        "funding": money(o, o.funding.iter().map(|f| o.fee(f.paid)).sum()),
        "bars": ran.summary.books.iter().map(|(_, book)| book.bars).sum::<u64>(),
        "indicators": { "computed": ran.summary.indicators.0, "warming_up": ran.summary.indicators.1 },
        "order_stream_sha256": ran.summary.order_stream_sha256,
        "trades": o.trips.iter().map(|trip| trip_json(o, trip)).collect::<Vec<_>>(),
        "equity": o.equity.iter().map(point).collect::<Vec<_>>(),
        "machine": {
            "elapsed_s": ran.summary.elapsed.as_secs_f64(),
            "events_per_s": ran.events as f64 / ran.summary.elapsed.as_secs_f64().max(1e-9),
            "peak_memory_bytes": crate::run::summary::peak_memory_bytes(),
        },
    })
}

fn to_text(ran: &Ran, config: &Config) -> String {
    use std::fmt::Write;
    let o = &ran.outcome;
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<22} {value}");
    };
    let (start, end) = (o.number(o.start), o.number(o.end()));
    line("over", o.provenance.sources.join(", "));
    line("from, until", format!("{}, {}", o.from, o.until));
    line("events", grouped(ran.events));
    for blind in ran.summary.blind_books() {
        line("  book", blind);
    }
    for astray in super::output::trades_astray(&ran.summary.book_totals(), config.market.incomplete_bars) {
        line("  trades", astray);
    }
    line("equity", format!("{} → {} {}", money(o, o.start), money(o, o.end()), o.currency));
    line("return", format!("{:+.2} %", (end / start - 1.0) * 100.0));
    if let Some(ruin) = o.equity.iter().find(|point| point.equity <= 0) {
        line("RUINED", format!("{}: nothing was left; ratios are until then", ruin.time));
    }
    let closed: Vec<_> = o.trips.iter().filter(|trip| trip.exit_time.is_some()).collect();
    let won = closed.iter().filter(|trip| trip.profit > 0).count();
    line(
        "round trips",
        format!("{} closed ({won} won), {} open", closed.len(), o.trips.len() - closed.len()),
    );
    let e = &ran.summary.execution;
    line(
        "orders",
        format!("{} ({} denied, {} rejected, {} cancels)", e.orders, e.denials, e.rejected, e.cancels),
    );
    for (reason, count, told) in &ran.summary.denials {
        let told = told.as_ref().map(|told| format!("; the last: {told}")).unwrap_or_default();
        line("  denied", format!("{reason}: {count}{told}"));
    }
    for unmet in ran.summary.unmet_orders() {
        line("  rejected", unmet);
    }
    for refused in super::output::refusals(&ran.summary.refused) {
        line("  refused before risk", refused);
    }
    if ran.summary.sized_at_nothing > 0 {
        line("  sizing", super::output::sized_at_nothing(ran.summary.sized_at_nothing));
    }
    for (name, note) in super::output::starved(&ran.summary) {
        line(name, note);
    }
    line("fills", grouped(o.fills.len() as u64));
    line("fees", money(o, o.fills.iter().map(|f| o.fee(f.fee)).sum()));
    if !o.funding.is_empty() {
        line("funding paid", money(o, o.funding.iter().map(|f| o.fee(f.paid)).sum()));
    }
    line("order stream sha256", ran.summary.order_stream_sha256.clone());
    let seconds = ran.summary.elapsed.as_secs_f64();
    let rate = grouped((ran.events as f64 / seconds.max(1e-9)) as u64);
    line("took", format!("{seconds:.2} s, {rate} events a second"));
    out
}

/// The configuration at `path`, or the built-in one, with the instruments that its strategies name and no instrument file
/// has as the history in `dir` (or in the configured directory) knows them, by `series` or the configured ones; and that
/// history.
pub(super) fn load(
    path: Option<&Path>,
    dir: Option<&Path>,
    over_history: bool,
    series: &[String],
) -> Result<(Config, Option<Result<Catalogue, HistoryError>>), ConfigError> {
    let load = |more: &[Instrument]| match path {
        Some(path) => Config::load_and(path, more),
        None => Ok(Config::embedded_default()),
    };
    let told = path.map(named_in).unwrap_or_default();
    if !over_history {
        return Ok((load(&[])?, None));
    }
    let kinds = if series.is_empty() { &told.series[..] } else { series };
    let dir = dir.map(Path::to_owned).or(told.history.clone()).unwrap_or_else(|| "history".into());
    let catalogue = Catalogue::open(&dir);
    let more = match &catalogue {
        Ok(catalogue) => known_to(catalogue, &told.instruments, kinds, told.qty_decimals),
        Err(_) => Vec::new(),
    };
    let mut config = load(&more).inspect_err(|_| {
        // What it names may be what that history would have.
        if let Err(missing) = &catalogue {
            eprintln!("{missing}");
        }
    })?;
    config.backtest.history = dir;
    Ok((config, Some(catalogue)))
}
