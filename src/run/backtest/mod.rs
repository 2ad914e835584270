//! Backtests: the stages of the pipeline, driven by event time over the local history or over recorded frames.
//!
//! Owns: what drives them, and what is known of each instrument's market. Nothing of what a strategy sees or is told
//! differs from a replay, but that a bar of the history is an event like any other, known at its close, and that orders
//! fill by [`execution::fills`](crate::execution::fills). Invariant: the same history, configuration and seed give the
//! same outcome, byte by byte, on any threads.

mod books;
mod fault;
mod feed;
pub mod funding;
mod held;
mod instruments;
mod kept;
pub mod lookahead;
mod path;
mod plan;
mod source;

pub use fault::BacktestError;
pub use instruments::{Named, known_to, named_in};
pub use kept::Kept;
pub use lookahead::{Difference, LookaheadReport, Rerun, check_lookahead};
pub use plan::Plan;

use super::config::Config;
use super::feed::Feed;
use super::interrupt::Interrupt;
use super::pipeline::{Pipeline, PipelineOptions};
use super::replay::on_a_thread_of_its_own;
use super::sequencer::Stopped;
use super::summary::Summary;
use crate::domain::Time;
use crate::domain::performance::{Outcome, Provenance};
use crate::execution::Record;
use crate::history::Catalogue;
use crate::history::events::HistoryEvent;
use crate::market::KnownIndicators;
use crate::net::FrameSource;
use crate::pipeline::{StopReason, Threading};
use books::BooksBefore;
use held::LookedAt;
use source::HistorySource;
use std::sync::Arc;
use std::time::Instant;

/// Where events come from.
pub enum Source<'a> {
    /// The local history.
    History(&'a Catalogue),
    /// Recorded frames, decoded as they would be live.
    Frames(&'a mut (dyn FrameSource + Send)),
}

/// What may differ from run to run.
#[derive(Default)]
pub struct BacktestOptions {
    /// Ends the run cleanly.
    pub interrupt: Interrupt,
    /// Called now and then with events so far and the time of the market, to show progress.
    pub progress: Option<Box<dyn FnMut(u64, Time) + Send>>,
    /// Nothing from this moment on is shown to the stages.
    pub cut: Option<Time>,
    /// Whether every decision is kept.
    pub decisions: bool,
    /// Whether every event is handed over, those too that no strategy waits for.
    pub every_event: bool,
    /// What it shares with other runs over the same history.
    pub kept: Option<Arc<Kept>>,
    /// For the pipeline; everything in one thread where it does not say how to spread it.
    pub pipeline: PipelineOptions,
}

/// What a backtest did.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Fills, round trips, equity.
    pub outcome: Outcome,
    /// The pipeline's own figures.
    pub summary: Summary,
    /// Events of the market.
    pub events: u64,
    /// Every decision with its time, where they were kept.
    pub decisions: Vec<(Time, Record)>,
    /// What was configured and came to nothing, a sentence each.
    pub notes: Vec<String>,
}

/// Events between two looks at the clock and the interrupt flag.
const LOOK_EVERY: u64 = 4_096;

/// Runs the configuration's strategies over a source.
///
/// # Errors
/// [`BacktestError`] where something is missing or wrong before the run, or a file or stage fails in it.
pub fn run_backtest(
    config: &Config,
    source: Source<'_>,
    options: BacktestOptions,
) -> Result<Ran, BacktestError> {
    let config = &*config.of_a_backtest();
    on_a_thread_of_its_own(|| match source {
        Source::History(catalogue) => over_history(config, catalogue, options),
        Source::Frames(frames) => over_frames(config, frames, options),
    })?
}

fn build(
    config: &Config,
    plan: &Plan,
    known: Option<Arc<dyn KnownIndicators>>,
    options: &mut BacktestOptions,
) -> Result<Pipeline, BacktestError> {
    let mut simulation = plan.simulation.clone();
    simulation.known = known;
    simulation.score.decisions = options.decisions;
    let mut pipeline = std::mem::take(&mut options.pipeline);
    pipeline.threading = pipeline.threading.or(Some(Threading::Inline));
    pipeline.simulation = Some(simulation);
    // It is run again from its history: a journal of it would be one more copy of that.
    let mut unjournaled = config.clone();
    unjournaled.journal.path = None;
    // Those are of the host that it is to trade on; time means nothing here.
    unjournaled.pipeline.cores = Default::default();
    let mut pipeline = Pipeline::build(&unjournaled, pipeline)?;
    pipeline.sequencer.follow_positions(config.instruments.len());
    pipeline.sequencer.heed(options.interrupt.clone());
    Ok(pipeline)
}

fn over_history(
    config: &Config,
    catalogue: &Catalogue,
    mut options: BacktestOptions,
) -> Result<Ran, BacktestError> {
    let plan = Plan::of_history(config, catalogue)?;
    let mut source = HistorySource::open(config, catalogue, &plan, options.kept.as_ref())?;
    source.hand_over_all(options.every_event);
    let mut pipeline = build(config, &plan, source.known(), &mut options)?;
    let begun = Instant::now();
    let (mut events, mut failure, mut is_over) = (0u64, None, false);
    let cut = options.cut.unwrap_or(Time(u64::MAX));
    let from = plan.query.from.unwrap_or_default();
    let (table, kept) = (&config.instruments, options.kept.as_deref());
    let mut books = books::of_history(catalogue, &plan, table, &pipeline.books, kept)
        .map_err(|error| failure = Some(error))
        .unwrap_or_default();
    if failure.is_some() || from >= cut {
        books.clear();
    }
    let begins = books::publish(&books, from, &mut pipeline.sequencer);
    let outcome = loop {
        if failure.is_some() || begins.is_err() {
            break begins;
        }
        match source.publish(cut, &mut pipeline.sequencer) {
            Ok(Ok(published)) => {
                events += published.events;
                if !published.goes_on {
                    is_over = published.is_over;
                    break Ok(());
                }
            }
            Ok(Err(stopped)) => break Err(stopped),
            Err(error) => {
                failure = Some(error);
                break Ok(());
            }
        }
        if !looked(&pipeline, &mut options, events) {
            break Err(Stopped);
        }
    };
    let ends = Ends { events, begun, feed: None, cut: options.cut.filter(|_| !is_over) };
    finish(config, pipeline, &plan, outcome, ends).and_then(|ran| match failure {
        Some(error) => Err(BacktestError::History(error)),
        None if plan.saw_nothing(&ran) => Err(plan.nothing()),
        None => Ok(ran),
    })
}

fn over_frames(
    config: &Config,
    frames: &mut (dyn FrameSource + Send),
    mut options: BacktestOptions,
) -> Result<Ran, BacktestError> {
    let traded =
        |of: &crate::domain::Instrument| config.strategies.iter().any(|s| s.instruments.contains(&of.id));
    let frames = &mut LookedAt::new(frames, &config.instruments, traded, config.venue.aggregates_alone());
    let plan = Plan::of_frames(config, frames)?;
    let mut pipeline = build(config, &plan, None, &mut options)?;
    let mut feed = Feed::new(&config.instruments, pipeline.clock.clone());
    feed.sampler = pipeline.sampler;
    let sources = frames.sources().to_vec();
    let begun = Instant::now();
    let (mut events, mut failure, mut is_over) = (0u64, None, false);
    let from = config.backtest.read_from().unwrap_or_default();
    let until = [config.backtest.until, options.cut].into_iter().flatten().min().unwrap_or(Time(u64::MAX));
    let mut before = Some(BooksBefore::new(&config.instruments, &pipeline.books));
    let outcome = loop {
        let frame = match frames.next_frame() {
            Ok(Some(frame)) if frame.received >= until => {
                is_over = config.backtest.until.is_some_and(|until| frame.received >= until);
                break Ok(());
            }
            Ok(Some(frame)) if frame.received < from => {
                let source = &sources[usize::from(frame.source.0)];
                if let (Some((decoded, levels)), Some(before)) = (feed.before(source, &frame), &mut before) {
                    before.saw(&HistoryEvent { time: frame.received, series: 0, decoded, levels });
                }
                continue;
            }
            Ok(Some(frame)) => frame,
            Ok(None) => {
                is_over = true;
                break Ok(());
            }
            Err(error) => {
                failure = Some(error);
                break Ok(());
            }
        };
        if let Some(before) = before.take()
            && books::publish(&before.slots(), from, &mut pipeline.sequencer).is_err()
        {
            break Err(Stopped);
        }
        let read = pipeline.clock.raw();
        let source = &sources[usize::from(frame.source.0)];
        if let Err(stopped) = feed.frame(source, &frame, read, &mut pipeline.sequencer) {
            break Err(stopped);
        }
        events += 1;
        if events.is_multiple_of(LOOK_EVERY) && !looked(&pipeline, &mut options, events) {
            break Err(Stopped);
        }
    };
    let ends = Ends { events, begun, feed: Some(feed), cut: options.cut.filter(|_| !is_over) };
    finish(config, pipeline, &plan, outcome, ends).and_then(|ran| match failure {
        Some(error) => Err(BacktestError::Source(error)),
        None if plan.saw_nothing(&ran) => Err(plan.nothing()),
        None => Ok(ran),
    })
}

/// Looks at the interrupt flag and shows progress; false where the run is to end.
#[cold]
fn looked(pipeline: &Pipeline, options: &mut BacktestOptions, events: u64) -> bool {
    if options.interrupt.is_raised() {
        pipeline.stop.stop(StopReason::Interrupted);
    }
    if let Some(progress) = &mut options.progress {
        progress(events, pipeline.sequencer.time());
    }
    !pipeline.stop.is_raised()
}

/// How the events of a run ended.
struct Ends {
    events: u64,
    begun: Instant,
    feed: Option<Feed>,
    /// Where the history was cut; none where it ended before that, as the whole run ends.
    cut: Option<Time>,
}

fn finish(
    config: &Config,
    mut pipeline: Pipeline,
    plan: &Plan,
    outcome: Result<(), Stopped>,
    ends: Ends,
) -> Result<Ran, BacktestError> {
    let settle_ns = plan.settle_ns;
    let settled = outcome.and_then(|()| {
        if !pipeline.stop.is_raised() {
            match ends.cut {
                // What is cut in the middle is left in the middle, with all that was due by then.
                Some(cut) => pipeline.sequencer.advance(Time(cut.0.saturating_sub(1)))?,
                None => pipeline.sequencer.settle(settle_ns)?,
            }
        }
        pipeline.sequencer.await_all()
    });
    let _: Result<(), Stopped> = settled;
    let elapsed = ends.begun.elapsed();
    let (summary, score) = Summary::collect_scored(config, pipeline, ends.feed, 0, elapsed, None);
    if let Some(reason) = &summary.stopped
        && *reason != StopReason::Interrupted
    {
        return Err(BacktestError::Stopped(reason.clone()));
    }
    let labels = config.strategies.iter().map(|s| s.label.clone()).collect();
    let mut settings = plan.settings(config);
    // What is kept of a run that was cut short says so.
    settings.extend(summary.stopped.as_ref().map(|reason| ("stopped".to_owned(), reason.to_string())));
    let provenance = Provenance { name: config.run.name.clone(), settings, sources: plan.sources.clone() };
    let (outcome, decisions) = match score {
        Some((score, positions)) => score.finish(&positions, labels, provenance),
        None => (Outcome { strategies: labels, provenance, ..Outcome::default() }, Vec::new()),
    };
    let notes = plan.notes(config, &outcome);
    Ok(Ran { outcome, summary, events: ends.events, decisions, notes })
}
