//! What each further instrument costs: the demo again with other numbers of pairs, each in a process of its own.
//!
//! A process, because peak memory never goes down again within one; two a point, because the generated market is in
//! the same memory, and only a run without a pipeline tells how much of it that is.

use super::Outcome;
use super::demo::{Args, many_strategies};
use crate::domain::InstrumentTable;
use crate::net::FrameSource;
use crate::report::latency::{InstrumentPoint, StagePoint};
use crate::report::units;
use crate::run::interrupt::Interrupt;
use crate::run::summary::peak_memory_bytes;
use crate::run::{Config, ReplayOptions, Summary, replay_frames};
use crate::strategy::StrategySpec;
use crate::venue::local::{FlowSource, generated_instruments};
use clap::ValueEnum;
use std::process::{Command, Stdio};

/// What a child process measures.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// The memory of the generated market alone.
    Market,
    /// A run.
    Run,
}

/// A point for each number of instruments that was asked for; where one failed, those before it and why.
pub fn points(args: &Args, interrupt: &Interrupt) -> (Vec<InstrumentPoint>, Option<String>) {
    let mut points = Vec::new();
    for &count in &args.instrument_counts {
        if interrupt.is_raised() {
            break;
        }
        let point = child(args, count, Measure::Market).and_then(|market| {
            let point = child(args, count, Measure::Run)?;
            Ok(InstrumentPoint { market_memory_bytes: market.peak_memory_bytes, ..point })
        });
        match point {
            Ok(point) => {
                eprintln!("{}", line(&point));
                points.push(point);
            }
            Err(problem) => return (points, Some(problem)),
        }
    }
    (points, None)
}

fn line(point: &InstrumentPoint) -> String {
    let whole = point.stages.iter().find(|stage| stage.name == "total");
    let ns = |of: fn(&StagePoint) -> u64| units::nanos(whole.map_or(0, of));
    format!(
        "{} instruments: p50 {}, p99 {}, {}, peak memory {} ({} without the generated market)",
        point.instruments,
        ns(|stage| stage.p50_ns),
        ns(|stage| stage.p99_ns),
        units::rate(point.frames_per_s),
        units::bytes(point.peak_memory_bytes),
        units::bytes(point.own_memory_bytes()),
    )
}

/// This program again, to measure one thing, which it prints as JSON.
fn child(args: &Args, count: u16, measure: Measure) -> Result<InstrumentPoint, String> {
    let what = |problem: String| format!("the run with {count} instruments: {problem}");
    let program = std::env::current_exe().map_err(|e| what(e.to_string()))?;
    let mut command = Command::new(program);
    command.arg("demo").args(["--measure", if measure == Measure::Run { "run" } else { "market" }]);
    command.args(["--instruments", &count.to_string(), "--seconds", &args.seconds.to_string()]);
    command.args(["--seed", &args.seed.to_string(), "--events", &args.events.to_string()]);
    if let Some(threading) = args.common.threading {
        command.args(["--threading", threading.label()]);
    }
    if let Some(wait) = args.common.wait {
        command.args(["--wait", wait.label()]);
    }
    if args.common.oversubscribe {
        command.arg("--oversubscribe");
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| what(e.to_string()))?;
    if !output.status.success() {
        return Err(what(format!("ended with {}", output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| what(format!("printed no figures ({e})")))
}

/// The child's part: measures and prints.
pub fn measure(
    args: &Args,
    what: Measure,
    mut source: FlowSource,
    strategies: &'static [StrategySpec],
) -> Outcome {
    let point = match what {
        Measure::Market => market(&mut source),
        Measure::Run => run(args, &mut source, strategies),
    };
    match point.and_then(|point| serde_json::to_string(&point).map_err(|e| e.to_string())) {
        Ok(text) => {
            println!("{text}");
            Outcome::Done
        }
        Err(problem) => {
            eprintln!("{problem}");
            Outcome::Failed
        }
    }
}

fn market(source: &mut FlowSource) -> Result<InstrumentPoint, String> {
    while source.next_frame().map_err(|e| e.to_string())?.is_some() {}
    Ok(InstrumentPoint { peak_memory_bytes: peak_memory_bytes(), ..InstrumentPoint::default() })
}

fn run(
    args: &Args,
    source: &mut FlowSource,
    strategies: &'static [StrategySpec],
) -> Result<InstrumentPoint, String> {
    let instruments = generated_instruments(usize::from(args.instruments.unwrap_or(1)));
    let table = InstrumentTable::new(instruments).map_err(|e| e.to_string())?;
    let text = many_strategies(&table);
    let config = Config::from_text_with_instruments(&text, "the demo's own configuration", table)
        .map_err(|e| e.to_string())?;
    let options = ReplayOptions {
        interrupt: Interrupt::install().unwrap_or_default(),
        pipeline: args.common.pipeline_options(strategies),
        ..ReplayOptions::default()
    };
    let summary = replay_frames(&config, source, options).map_err(|e| e.to_string())?;
    match &summary.stopped {
        Some(reason) => Err(reason.to_string()),
        None => Ok(point(&config, &summary)),
    }
}

fn point(config: &Config, summary: &Summary) -> InstrumentPoint {
    let whole = summary.latencies.iter().find(|stage| stage.name == "total");
    let one_thread = summary.topology.threads.len() == 1;
    let mean_ns = whole.filter(|_| one_thread).map_or(0.0, |stage| stage.histogram.mean());
    let recorded = summary.latencies.iter().filter(|stage| !stage.histogram.is_empty());
    InstrumentPoint {
        instruments: config.instruments.len() as u64,
        strategies: config.strategies.len() as u64,
        frames: summary.feed.map_or(0, |feed| feed.lines),
        frames_per_s: summary.events_per_s(),
        stages_frames_per_s: (mean_ns > 0.0).then(|| 1e9 / mean_ns),
        peak_memory_bytes: peak_memory_bytes(),
        market_memory_bytes: 0,
        book_bytes: summary.books.iter().map(|(_, book)| book.book_bytes as u64).sum(),
        stages: recorded
            .map(|stage| StagePoint {
                name: stage.name.to_owned(),
                p50_ns: stage.histogram.value_at_quantile(0.5),
                p99_ns: stage.histogram.value_at_quantile(0.99),
            })
            .collect(),
    }
}
