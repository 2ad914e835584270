//! Replaying: recorded or generated frames, or a journal's events, through the pipeline.

use super::alerts::Alerts;
use super::audit::AuditRequest;
use super::config::Config;
use super::feed::Feed;
use super::followers::Followers;
use super::interrupt::Interrupt;
use super::pipeline::{Pipeline, PipelineError, PipelineOptions};
use super::sequencer::Stopped;
use super::store::StoreRequest;
use super::summary::Summary;
use crate::journal::{JournalError, JournalReader};
use crate::net::{FrameSource, SourceError};
use crate::pipeline::{StampClock, StopReason, Topology, Wait};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How fast frames are offered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as they are taken.
    Max,
    /// At the recorded times, this many times as fast.
    Times(f64),
    /// So many frames a second, evenly.
    Rate(f64),
}

/// What may differ from run to run.
pub struct ReplayOptions {
    /// How fast.
    pub pace: Pace,
    /// Stop at this sequence number.
    pub until: Option<u64>,
    /// Stop after this many frames.
    pub frames_max: Option<u64>,
    /// Ends the run cleanly.
    pub interrupt: Interrupt,
    /// Called now and then with frames so far and the time of the market, to show progress.
    pub progress: Option<Box<dyn FnMut(u64, crate::domain::Time) + Send>>,
    /// A database that follows the run.
    pub store: Option<StoreRequest>,
    /// An audit trail that follows the run, if it has a journal.
    pub audit: Option<AuditRequest>,
    /// For the pipeline.
    pub pipeline: PipelineOptions,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self {
            pace: Pace::Max,
            until: None,
            frames_max: None,
            interrupt: Interrupt::default(),
            progress: None,
            store: None,
            audit: None,
            pipeline: PipelineOptions::default(),
        }
    }
}

/// Why a replay could not be made, or not to its end.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The pipeline cannot be assembled.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The source cannot go on. What was replayed before is in the summary.
    #[error("{error}")]
    Source {
        /// What happened.
        #[source]
        error: SourceError,
        /// What was done before.
        summary: Box<Summary>,
    },
    /// The journal does not read on. What was replayed before is in the summary.
    #[error("{error}")]
    Journal {
        /// What is wrong with it.
        #[source]
        error: JournalError,
        /// What was done before.
        summary: Box<Summary>,
    },
    /// A stage failed. What was done before is in the summary.
    #[error("{reason}")]
    Stopped {
        /// Why.
        reason: StopReason,
        /// What was done before.
        summary: Box<Summary>,
    },
}

/// Frames between two looks at the clock and the interrupt flag.
const LOOK_EVERY: u64 = 256;

/// Pushes every frame of `source` through a pipeline.
///
/// # Errors
/// [`ReplayError`]; where a source or stage failed midway it carries the summary of what was done.
pub fn replay_frames(
    config: &Config,
    source: &mut dyn FrameSource,
    mut options: ReplayOptions,
) -> Result<Summary, ReplayError> {
    let journal = options.pipeline.journal.clone().or_else(|| config.journal.path.clone());
    let followers = Followers::start(options.store.take(), options.audit.take(), journal, Alerts::default());
    let followers = followers.map_err(PipelineError::Thread)?;
    options.pipeline.journal.clone_from(&followers.journal);
    let mut result = on_a_thread_of_its_own(|| {
        frames(config, source, options, |topology| followers.follow(topology, None))
    })
    .map_err(ReplayError::from)
    .and_then(|ran| ran);
    followers.finish(match &mut result {
        Ok(summary) => Some(summary),
        Err(
            ReplayError::Source { summary, .. }
            | ReplayError::Journal { summary, .. }
            | ReplayError::Stopped { summary, .. },
        ) => Some(summary),
        Err(ReplayError::Pipeline(_)) => None,
    });
    result
}

/// Runs a feed on a fresh thread: it will be pinned, and neither the caller nor a later run may inherit that.
pub(super) fn on_a_thread_of_its_own<T: Send>(feed: impl FnOnce() -> T + Send) -> Result<T, PipelineError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("at-feed".into()).spawn_scoped(scope, feed);
        match thread.map_err(PipelineError::Thread)?.join() {
            Ok(result) => Ok(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn frames(
    config: &Config,
    source: &mut dyn FrameSource,
    mut options: ReplayOptions,
    journal_exists: impl FnOnce(&Topology),
) -> Result<Summary, ReplayError> {
    let settle_ns = config.paper.order_latency_us.saturating_mul(1_000);
    let mut pipeline = Pipeline::build(config, std::mem::take(&mut options.pipeline))?;
    journal_exists(&pipeline.topology);
    let mut feed = Feed::new(&config.instruments, pipeline.clock.clone());
    feed.sampler = pipeline.sampler;
    let sources = source.sources().to_vec();
    let begun = Instant::now();
    let sleeps = pipeline.topology.threads.first().is_none_or(|t| t.wait != Wait::Spin);
    let mut pacer = Pacer::new(options.pace, pipeline.clock.clone(), sleeps);
    let mut failure = None;
    let mut first_event_after = None;
    let mut cut = false;
    let outcome = loop {
        let frame = match source.next_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => break Ok(()),
            Err(error) => {
                failure = Some(error);
                break Ok(());
            }
        };
        let count = feed.counts.lines;
        if count.is_multiple_of(LOOK_EVERY) {
            if options.interrupt.is_raised() {
                pipeline.stop.stop(StopReason::Interrupted);
                break Ok(());
            }
            if pipeline.stop.is_raised() {
                break Err(Stopped);
            }
            if count.is_multiple_of(8_192)
                && let Some(progress) = &mut options.progress
            {
                progress(count, frame.received);
            }
        }
        let read = pacer.wait(frame.received.0, &options.interrupt, || {
            pipeline.sequencer.poll();
        });
        if options.pace != Pace::Max && options.interrupt.is_raised() {
            pipeline.stop.stop(StopReason::Interrupted);
            break Ok(());
        }
        let source = &sources[usize::from(frame.source.0)];
        if let Err(stopped) = feed.frame(source, &frame, read, &mut pipeline.sequencer) {
            break Err(stopped);
        }
        first_event_after.get_or_insert_with(|| begun.elapsed());
        cut = options.until.is_some_and(|until| pipeline.sequencer.seq() >= until)
            || options.frames_max.is_some_and(|max| feed.counts.lines >= max);
        if cut {
            break Ok(());
        }
    };
    let elapsed_feed = begun.elapsed();
    // A run that is cut short in the middle is left in the middle: nothing is settled.
    let whole = !cut && failure.is_none();
    let settled = outcome.and_then(|()| {
        if whole && !pipeline.stop.is_raised() {
            pipeline.sequencer.settle(settle_ns)?;
        }
        pipeline.sequencer.await_all()
    });
    let _: Result<(), Stopped> = settled;
    let (malformed, torn) = (source.malformed(), source.torn());
    let elapsed = if matches!(options.pace, Pace::Max) { begun.elapsed() } else { elapsed_feed };
    let mut summary = Summary::collect(config, pipeline, Some(feed), malformed, elapsed, first_event_after);
    summary.torn_files = torn;
    finish(summary, failure)
}

fn finish(summary: Summary, failure: Option<SourceError>) -> Result<Summary, ReplayError> {
    match (&summary.stopped, failure) {
        (Some(reason), _) if *reason != StopReason::Interrupted => {
            Err(ReplayError::Stopped { reason: reason.clone(), summary: Box::new(summary) })
        }
        (_, Some(error)) => Err(ReplayError::Source { error, summary: Box::new(summary) }),
        _ => Ok(summary),
    }
}

/// Runs a journaled session again: the same events, answers among them, in the same places.
///
/// # Errors
/// [`ReplayError`].
pub fn replay_journal(
    config: &Config,
    journal: &mut JournalReader,
    options: ReplayOptions,
) -> Result<Summary, ReplayError> {
    on_a_thread_of_its_own(|| journaled(config, journal, options))?
}

fn journaled(
    config: &Config,
    journal: &mut JournalReader,
    mut options: ReplayOptions,
) -> Result<Summary, ReplayError> {
    let mut pipeline_options = std::mem::take(&mut options.pipeline);
    pipeline_options.answers_recorded = true;
    pipeline_options.epoch = journal.header().epoch;
    pipeline_options.terms.clone_from(&journal.header().terms);
    pipeline_options.resumed.clone_from(&journal.header().resumed);
    let resumed = pipeline_options.resumed.is_some();
    pipeline_options.carried.clone_from(&journal.header().carried);
    pipeline_options.ignores_account = !journal.header().follows_account;
    pipeline_options.closing_pace = journal.header().closing_pace();
    pipeline_options.bares_what_waits = !journal.header().protects_what_waits;
    // What the account held is in the journal, since no configuration says it, and what became of incomplete bars, since
    // that was another thing before.
    let mut config = config.clone();
    config.market.incomplete_bars = journal.header().incomplete_bars;
    // Those are of the host that it ran on.
    config.pipeline.cores = Default::default();
    if let Some(balances) = &journal.header().balances {
        config.paper.balances.clone_from(balances);
    }
    let config = &config;
    let mut pipeline = Pipeline::build(config, pipeline_options)?;
    let begun = Instant::now();
    let mut first_event_after = None;
    let (mut events, mut damage) = (0u64, None);
    let outcome: Result<(), Stopped> = loop {
        let slot = match journal.next_slot() {
            Ok(Some(slot)) => slot,
            Ok(None) => break Ok(()),
            Err(error) => {
                damage = Some(error);
                break Ok(());
            }
        };
        if let Err(stopped) = pipeline.sequencer.republish(slot) {
            break Err(stopped);
        }
        if !slot.is_last() {
            continue;
        }
        events += 1;
        first_event_after.get_or_insert_with(|| begun.elapsed());
        if events.is_multiple_of(LOOK_EVERY) && options.interrupt.is_raised() {
            pipeline.stop.stop(StopReason::Interrupted);
            break Ok(());
        }
        if options.until.is_some_and(|until| pipeline.sequencer.seq() >= until) {
            break Ok(());
        }
    };
    let _: Result<(), Stopped> = outcome.and_then(|()| pipeline.sequencer.await_all());
    let elapsed = begun.elapsed();
    let mut summary = Summary::collect(config, pipeline, None, 0, elapsed, first_event_after);
    summary.journal_events = Some(events);
    summary.resumed = resumed;
    let summary = finish(summary, None)?;
    match damage {
        Some(error) => Err(ReplayError::Journal { error, summary: Box::new(summary) }),
        None => Ok(summary),
    }
}

/// Offers frames at a pace. What is late is stamped with when it was due, so that a stall shows in the latency of
/// every frame that it held up (coordinated omission).
struct Pacer {
    pace: Pace,
    clock: StampClock,
    origin: Option<(u64, Instant, u64)>,
    frames: u64,
    /// A thread that spins never sleeps: the kernel wakes it late.
    sleeps: bool,
}

impl Pacer {
    fn new(pace: Pace, clock: StampClock, sleeps: bool) -> Self {
        Self { pace, clock, origin: None, frames: 0, sleeps }
    }

    #[inline]
    fn wait(&mut self, received_ns: u64, interrupt: &Interrupt, mut work: impl FnMut()) -> u64 {
        if self.pace == Pace::Max {
            return self.clock.raw();
        }
        let (first_ns, begun, raw_begun) =
            *self.origin.get_or_insert_with(|| (received_ns, Instant::now(), self.clock.raw()));
        let due_ns = match self.pace {
            Pace::Times(times) => received_ns.saturating_sub(first_ns) as f64 / times,
            Pace::Rate(rate) => self.frames as f64 * 1e9 / rate,
            Pace::Max => 0.0,
        };
        self.frames += 1;
        let due = Duration::from_nanos(due_ns as u64);
        loop {
            let now = begun.elapsed();
            if now >= due {
                let late = (now - due).as_nanos() as f64;
                let raw = self.clock.raw();
                return raw.saturating_sub((late * self.raw_per_ns(raw_begun, begun, raw)) as u64);
            }
            if interrupt.is_raised() {
                return self.clock.raw();
            }
            let left = due - now;
            if self.sleeps && left > Duration::from_millis(2) {
                // In short sleeps, so that a request to end is heard in a silent market too.
                std::thread::sleep((left - Duration::from_millis(1)).min(Duration::from_millis(20)));
            }
            work();
            if self.sleeps {
                std::thread::yield_now();
            }
        }
    }

    fn raw_per_ns(&self, raw_begun: u64, begun: Instant, raw: u64) -> f64 {
        let nanos = begun.elapsed().as_nanos() as f64;
        if nanos < 1.0 { 1.0 } else { raw.saturating_sub(raw_begun) as f64 / nanos }
    }
}
