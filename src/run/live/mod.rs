//! Running on live market data: sockets in, events out, paper fills at the other end.
//!
//! The feed's thread owns every socket, decodes, and *is* the sequencer: between a frame and the ring there is no hop.
//! What may take a while (names, books by REST) is done by helper threads. Which connections there are, what is new
//! and what has to be fetched is decided by the venue's state machine; this module only carries it out.

mod capture;
mod clock;
mod feed;
mod fetcher;
mod health;
mod left_open;
mod outcome;
mod progress;
mod requests;
mod sink;
mod socket;
mod start;

pub use capture::{LiveCapture, capture_live};
pub(in crate::run) use clock::{steady_clock, wall_clock};
pub(in crate::run) use health::{ConnectionHealth, FeedHealth, FollowedHealth, SharedHealth};
pub use outcome::{LiveOutcome, MarketOutcome};
pub use progress::ProgressReport;

use super::alerts::{Alert, AlertRequest, AlertThread, Alerts};
use super::audit::{AuditNotes, AuditRequest};
use super::config::{Config, TradingMode};
use super::control::{Control, ControlError, ControlLinks, ControlPaths, HeldName, PreparedControl, Vitals};
use super::disk_space::{DiskWatch, log_file};
use super::followers::Followers;
use super::interrupt::{Interrupt, KillSignal};
use super::orders::{OrderLanes, OrdersError, RunningOrders};
use super::pipeline::{Pipeline, PipelineError, PipelineOptions};
use super::recover::{Earlier, RecoverError};
use super::replay::on_a_thread_of_its_own;
use super::store::{StoreLink, StoreRequest};
use super::summary::Summary;
use super::watch::{Wanted, Watch};
use crate::audit::AuditError;
use crate::domain::event::Command;
use crate::domain::params::ConfigProblem;
use crate::domain::{Market, Slot, Time};
use crate::history::CaptureError;
use crate::journal::Unpriced;
use crate::net::tls::TlsSetupError;
use crate::net::websocket::ConnectionError;
use crate::pipeline::{StopReason, Topology, Wait, panic_text};
use crate::risk::watch::watch;
use crossbeam_channel::Receiver;
use feed::{LiveFeed, Loop};
use left_open::LeftOpen;
use progress::watching;
use start::{await_orders, earlier, prepare_orders, start_orders, stay_stopped, stopped_first};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// What may differ from run to run.
#[derive(Default)]
pub struct LiveOptions {
    /// End after so long.
    pub duration: Option<Duration>,
    /// Ends the run cleanly.
    pub interrupt: Interrupt,
    /// Stops everything once there is something to stop; ends a run that has no control files.
    pub kill_signal: KillSignal,
    /// Called some times a second, to show progress.
    pub progress: Option<ProgressReport>,
    /// Also writes the run to this database, from its journal; without one asked for, to a temporary journal.
    pub store: Option<StoreRequest>,
    /// An audit trail that follows the run, if it has a journal.
    pub audit: Option<AuditRequest>,
    /// Where a person is told at once of what is stopped.
    pub alerts: Option<AlertRequest>,
    /// Go on where the run of this journal, or of the newest in this directory, ended.
    pub recover: Option<PathBuf>,
    /// For the pipeline; its epoch and mode are set here.
    pub pipeline: PipelineOptions,
}

/// How a live run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveStatus {
    /// Frames received.
    pub frames: u64,
    /// Events published.
    pub seq: u64,
    /// Of those, how many every stage has handled.
    pub handled: u64,
    /// Time of the last event.
    pub time: Time,
    /// Connections that carry data.
    pub connections_live: usize,
    /// Connections there should be.
    pub connections: usize,
    /// Books in step with the venue.
    pub books_synced: usize,
    /// Books followed.
    pub books: usize,
    /// Of those, books that the venue refuses, or that cannot be read.
    pub books_aside: usize,
    /// Frames, and books by REST, that could not be decoded.
    pub decode_errors: u64,
}

/// Why a live run could not be made, or not to its end.
#[derive(Debug, Error)]
pub enum LiveError {
    /// The pipeline cannot be assembled.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// Orders cannot be sent.
    #[error(transparent)]
    Orders(#[from] OrdersError),
    /// The earlier run cannot be gone on with.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The kill switch cannot be kept or reached.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The audit trail cannot be gone on with, and what stops a run by surveillance would hang on it.
    #[error(
        "{0}; surveillance, which is to throttle or halt, goes by the audit trail: name another by [audit] path, or let \
         [surveillance] do no more than warn"
    )]
    Trail(AuditError),
    /// Nothing is configured that could be followed.
    #[error("{0}")]
    Nothing(&'static str),
    /// What `[venue] streams` lists has no prices of what is to be traded.
    #[error(transparent)]
    Unheard(ConfigProblem),
    /// A sizing of live orders goes by an equity that nobody wrote.
    #[error(transparent)]
    Capital(ConfigProblem),
    /// The files of a capture cannot be made.
    #[error(transparent)]
    Capture(CaptureError),
    /// The operating system refused what a live feed needs.
    #[error("the live feed cannot start: {0}")]
    System(#[from] std::io::Error),
    /// The venue cannot be reached in a way that trying again would mend, and was never reached before.
    #[error("{market} ({endpoint}): {error}")]
    Venue {
        /// Which market.
        market: Market,
        /// Where it was thought to be.
        endpoint: String,
        /// What happened.
        error: ConnectionError,
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

/// Runs on live data until the duration is over, or an end is asked for.
///
/// # Errors
/// [`LiveError`]; where the run failed midway it carries the summary of what was done.
pub fn run_live(config: &Config, mut options: LiveOptions) -> Result<Summary, LiveError> {
    if let Some(missed) = config.streams_that_are_missed().map_err(LiveError::Unheard)? {
        log::warn!("{missed}");
    }
    if config.trading.mode == TradingMode::Live
        && let Some(problem) = config.sizing_without_capital()
    {
        return Err(LiveError::Capital(problem));
    }
    let journal = options.pipeline.journal.clone().or_else(|| config.journal.path.clone());
    let mut audit = options.audit.take();
    let open = options.recover.is_some() || config.trading.mode == TradingMode::Live;
    let alerting = options.alerts.take().map(AlertThread::start).transpose()?;
    let alerts = alerting.as_ref().map(AlertThread::alerts).unwrap_or_default();
    let told = config.hours_that_end(wall_clock()).into_iter().chain(config.quotes_that_are_mixed());
    told.for_each(|told| log::warn!("{told}"));
    if let Err(error) = surveillance_can_look(config, audit.as_ref(), journal.as_deref()) {
        return Err(not_begun(error, open, alerting));
    }
    let mut reactions = None;
    if let Some(paths) = ControlPaths::of(config, journal.as_deref())
        && let Some(request) = &mut audit
    {
        request.limits.get_or_insert(paths.limits);
        let (reactor, wanted) = super::watch::reactions();
        let watched = |watch: Watch| watch.reacting_else_by(reactor).alerting(alerts.clone());
        request.watch = request.watch.take().map(watched);
        reactions = Some(wanted);
    }
    let followers = match Followers::start(options.store.take(), audit, journal, alerts.clone()) {
        Ok(followers) => followers,
        Err(error) => return Err(not_begun(error.into(), open, alerting)),
    };
    options.pipeline.journal.clone_from(&followers.journal);
    let store = followers.store();
    let beside = Beside { notes: followers.notes(), alerts: alerts.clone(), reactions, store };
    let mut disks = None;
    let journal_exists = |topology: &Topology, earlier: Option<&Path>| {
        followers.follow(topology, earlier);
        let files: Vec<_> = followers.files.iter().cloned().chain(log_file(config)).collect();
        let watch = DiskWatch::start(&files, alerts.clone(), &topology.housekeeping);
        disks = watch.inspect_err(|error| log::warn!("the room on disks is not watched: {error}")).ok();
    };
    let journal = options.pipeline.journal.as_deref().or(config.journal.path.as_deref());
    // Before anything is read, or waited for: two that begin at once would both go on.
    let held = ControlPaths::of(config, journal).map(HeldName::take).transpose();
    let (held, mut result) = match held {
        Ok(held) => {
            let ran = || live(config, options, beside, held.as_ref(), journal_exists);
            let ran = on_a_thread_of_its_own(ran).map_err(LiveError::from).and_then(|ran| ran);
            (held, ran)
        }
        Err(error) => (None, Err(error.into())),
    };
    if let Some(disks) = disks {
        disks.finish();
    }
    if let Err(error) = &result {
        failed(error, &alerts, open);
    }
    followers.finish(match &mut result {
        Ok(summary) => Some(summary),
        Err(LiveError::Venue { summary, .. } | LiveError::Stopped { summary, .. }) => Some(summary),
        Err(_) => None,
    });
    // The trail's thread has written the last of the name's files.
    drop(held);
    // Last: what the trail's thread found is among it.
    if let Some(alerting) = alerting {
        alerting.finish();
    }
    result
}

/// Refuses to begin where surveillance is to do more than warn, and the trail beside which it works cannot be gone on with.
fn surveillance_can_look(
    config: &Config,
    audit: Option<&AuditRequest>,
    journal: Option<&Path>,
) -> Result<(), LiveError> {
    if let (Some(audit), Some(journal)) = (audit, journal) {
        return audit.check(journal).map_err(LiveError::Trail);
    }
    if Watch::new(config).is_some_and(|watch| watch.reacts()) {
        log::warn!("[surveillance] is to throttle or halt, and NOBODY LOOKS: this run has no audit trail");
    }
    Ok(())
}

/// Tells of a run that ends by itself, or does not begin where one before it may have left something `open`. What else is
/// refused at a start was asked for by somebody who sees it.
fn failed(error: &LiveError, alerts: &Alerts, open: bool) {
    let alert = match error {
        LiveError::Stopped { .. } | LiveError::Venue { .. } => Alert::failed,
        LiveError::Orders(error) if error.was_asked_for() => return,
        LiveError::Orders(_) | LiveError::Recover(_) | LiveError::Trail(_) => Alert::not_started,
        LiveError::Pipeline(_) | LiveError::Control(_) | LiveError::System(_) if open => Alert::not_started,
        _ => return,
    };
    alerts.raise(alert(&error.to_string(), wall_clock()));
}

/// The same of a run of which nothing was started but the sending of alerts.
fn not_begun(error: LiveError, open: bool, alerting: Option<AlertThread>) -> LiveError {
    if let Some(alerting) = alerting {
        failed(&error, &alerting.alerts(), open);
        alerting.finish();
    }
    error
}

/// What the control threads have to do with what follows the journal.
struct Beside {
    notes: Option<AuditNotes>,
    alerts: Alerts,
    reactions: Option<Receiver<Wanted>>,
    store: Option<StoreLink>,
}

fn live(
    config: &Config,
    mut options: LiveOptions,
    beside: Beside,
    held: Option<&HeldName>,
    journal_exists: impl FnOnce(&Topology, Option<&Path>),
) -> Result<Summary, LiveError> {
    if config.instruments.is_empty() {
        return Err(LiveError::Nothing("no instrument is configured: name files under [instruments]"));
    }
    let mut pipeline_options = std::mem::take(&mut options.pipeline);
    pipeline_options.live = true;
    // In ms: client order ids begin with it, and two runs of one account may well start within a second.
    pipeline_options.epoch = config.run.epoch.unwrap_or(wall_clock().0 / 1_000_000);
    let earlier = earlier(config, &options)?;
    if let Some(earlier) = &earlier {
        pipeline_options.epoch = earlier.header.epoch;
    }
    // Everything that can be refused is, before a thread is started or a file made.
    let header = earlier.as_ref().map(|earlier| &earlier.header);
    let prepared_orders =
        prepare_orders(config, &pipeline_options, header, &options.interrupt, &beside.alerts)?;
    let adopted = prepared_orders.as_ref().map(|orders| orders.config.clone());
    pipeline_options.terms = prepared_orders.as_ref().map(|orders| orders.terms.clone());
    pipeline_options.account = prepared_orders.as_ref().and_then(|orders| orders.account);
    let mut config = adopted.unwrap_or_else(|| config.clone());
    let mut standing = Vec::new();
    let (mut goes_on_with, mut goes_on_at, mut left_files) = (None, None, None);
    if let Some(earlier) = earlier {
        earlier.fits(&config, pipeline_options.account)?;
        if let Some(told) = earlier.told_of_another_name(&config.run.name) {
            log::warn!("{told}");
        }
        log::warn!("{}", earlier.told());
        let unlisted = prepared_orders.as_ref().map_or(&[][..], |orders| &orders.unlisted);
        for (name, why) in earlier.told_of_unlisted(&config, unlisted) {
            log::error!("{name} {why}");
            beside.alerts.raise(Alert::stopped(&name, "not-listed", "the venue", &why, wall_clock()));
        }
        for (name, why) in earlier.told_of_standby(&config) {
            log::warn!("{name} {why}");
        }
        standing = earlier.standing_commands();
        pipeline_options.lineage = Some(earlier.lineage());
        (goes_on_with, goes_on_at) = (Some(earlier.path.clone()), Some(earlier.recovered.time));
        left_files = ControlPaths::of(&config, Some(&earlier.path))
            .map(|paths| (paths, Time(earlier.header.started_ns)));
        if let Some(balances) = earlier.header.balances {
            config.paper.balances = balances;
        }
        pipeline_options.resumed = Some(earlier.recovered.resume());
    }
    let resumed = pipeline_options.resumed.clone();
    let epoch = pipeline_options.epoch;
    let config = &config;
    let prepared = feed::Prepared::new(config)?;
    let journal = pipeline_options.journal.clone().or_else(|| config.journal.path.clone());
    let control = match held {
        Some(held) => {
            if let Some((earlier, began)) = &left_files {
                held.take_over(earlier, *began)?;
            }
            let (told, heard) = watch();
            (pipeline_options.watch, pipeline_options.commanded) = (Some(told), true);
            let prepared = PreparedControl::open(config, held)?;
            let goes_on = resumed.as_ref().map(|_| epoch);
            pipeline_options.carried = prepared.carried(config, wall_clock(), goes_on);
            Some((prepared, heard))
        }
        None => None,
    };
    let (more, additions) = crossbeam_channel::unbounded();
    let lanes = match &prepared_orders {
        Some(_) => {
            let (sender, lanes) = OrderLanes::new()?;
            pipeline_options.handover = Some(sender);
            Some(lanes.adding(more))
        }
        None => None,
    };
    let mut pipeline = Pipeline::build(config, pipeline_options)?;
    if let Some(earlier) = &goes_on_with {
        Earlier::gone_on_with_by(earlier, journal.as_deref())?;
    }
    journal_exists(&pipeline.topology, goes_on_with.as_deref());
    let wait = pipeline.topology.threads.first().map_or(Wait::Backoff, |t| t.wait);
    // With more spinning threads than cores nobody spins without a pause.
    let wait = if pipeline.topology.crowded && wait == Wait::Spin { Wait::Yield } else { wait };
    let mut feed = LiveFeed::new(
        config,
        prepared,
        pipeline.clock.clone(),
        wait,
        false,
        &pipeline.topology.housekeeping,
    )?;
    feed.decoding.sampler = pipeline.sampler;
    feed.contradictions = pipeline.contradictions.take();
    if let Some(wanted) = pipeline.bars_wanted.take() {
        feed.fetch_bars(wanted, wall_clock());
    }
    feed.additions = (!config.trading.standby.is_empty()).then_some(additions);
    let orders = match (prepared_orders, lanes) {
        (Some(prepared), Some(lanes)) => {
            let resumed = resumed.as_ref().map(|resumed| (resumed, epoch));
            let unpriced = resumed.iter().flat_map(|(resumed, _)| &resumed.unpriced).map(Unpriced::report);
            pipeline.sequencer.value_fees(&config.instruments, unpriced);
            stopped_first(&mut pipeline, standing, |pipeline| {
                start_orders(prepared, lanes, pipeline, wait, resumed)
            })?
        }
        _ => None,
    };
    let link = orders.as_ref().map(RunningOrders::link);
    let (vitals, end_alerts) = (Vitals::default(), beside.alerts.clone());
    let control = match (control, pipeline.commands.take()) {
        (Some((prepared, heard)), Some(commands)) => {
            let kept = prepared.kills(goes_on_at).into_iter().map(Command::Kill).chain(prepared.pauses());
            stay_stopped(&mut pipeline, kept.map(Slot::command));
            let housekeeping = &pipeline.topology.housekeeping;
            let Beside { notes, alerts, reactions, store } = beside;
            let vitals = vitals.clone();
            let links = ControlLinks {
                commands,
                watch: heard,
                vitals,
                notes,
                alerts,
                reactions,
                orders: link,
                store,
                epoch,
                kill_signal: options.kill_signal,
            };
            match prepared.start(config, links, housekeeping) {
                Ok(control) => {
                    // What a signal stopped before is stopped before the first event.
                    pump(&mut pipeline);
                    Some(control)
                }
                Err(error) => {
                    if let Some(orders) = orders {
                        orders.finish(|| pump(&mut pipeline));
                    }
                    return Err(error.into());
                }
            }
        }
        _ => {
            if let Err(error) = options.kill_signal.ends(&options.interrupt) {
                log::warn!("SIGUSR1 does not end this run: {error}");
            }
            None
        }
    };
    if let Some(orders) = &orders {
        await_orders(orders, &mut pipeline, &vitals, &options.interrupt);
    }
    let (link, stop) = (orders.as_ref().map(RunningOrders::link), pipeline.stop.clone());
    let deaths = control.as_ref().map(Control::deaths);
    let progress = watching(vitals.clone(), link, deaths, stop, options.progress);
    let mut run = Loop {
        duration: options.duration,
        interrupt: options.interrupt,
        progress: Some(progress),
        health: Some(vitals.health()),
    };
    // A defect of ours in reading or decoding ends the run like a stage's: orders are taken back, and a person is told.
    let ended =
        catch_unwind(AssertUnwindSafe(|| feed.run(&mut pipeline, &mut run))).unwrap_or_else(|panic| {
            let message = panic_text(panic.as_ref());
            let seq = pipeline.sequencer.seq();
            pipeline.stop.stop(StopReason::StagePanicked { stage: "feed", seq, part: None, message });
            feed::Ended::Failed
        });
    // Before the ring ends: what the venue says last belongs into the journal.
    let sent = orders.map(|orders| {
        orders.finish(|| {
            // A watchdog that saw no heartbeat here would cancel what everybody has open.
            beat(&vitals, &pipeline);
            pump(&mut pipeline)
        })
    });
    beat(&vitals, &pipeline);
    let as_asked = matches!(ended, feed::Ended::Asked) && !pipeline.stop.is_failed();
    let left = sent.as_ref().and_then(|sent| LeftOpen::of(sent, config.trading.on_exit, as_asked));
    match &left {
        Some(LeftOpen::Kept(told)) => log::warn!("{told}"),
        Some(LeftOpen::Unguarded(told)) => {
            log::error!("{told}");
            end_alerts.raise(Alert::left_open(told, wall_clock()));
        }
        None => {}
    }
    let settle_ns = config.paper.order_latency_us.saturating_mul(1_000);
    if matches!(ended, feed::Ended::Asked) && !pipeline.stop.is_raised() {
        // A fault that stops this shows in the summary.
        let _ = pipeline.sequencer.settle(settle_ns).and_then(|()| pipeline.sequencer.await_all());
    }
    let not_written = control.map(|control| control.finish(!matches!(left, Some(LeftOpen::Unguarded(_)))));
    let elapsed = feed.elapsed();
    let (decoding, outcome, latencies) = feed.into_parts();
    let first = outcome.first_event_after;
    let mut summary = Summary::collect(config, pipeline, Some(decoding), 0, elapsed, first);
    summary.latencies.splice(0..0, latencies);
    summary.live = Some(outcome);
    summary.resumed = resumed.is_some();
    summary.not_written = not_written.unwrap_or_default();
    if let Some(mut sent) = sent {
        summary.latencies.append(&mut sent.latencies);
        summary.orders = Some(sent);
    }
    match (&summary.stopped, ended) {
        (Some(reason), _) if *reason != StopReason::Interrupted => {
            Err(LiveError::Stopped { reason: reason.clone(), summary: Box::new(summary) })
        }
        (_, feed::Ended::Hopeless { market, error }) => {
            let endpoint = config.venue.endpoints(market).stream.to_string();
            Err(LiveError::Venue { market, endpoint, error, summary: Box::new(summary) })
        }
        _ => Ok(summary),
    }
}

/// A sign of life before the feed begins, and after it ended.
fn beat(vitals: &Vitals, pipeline: &Pipeline) {
    let sequencer = &pipeline.sequencer;
    let (seq, handled) = (sequencer.seq(), sequencer.handled());
    vitals.beat_anyway(&LiveStatus { seq, handled, time: sequencer.time(), ..LiveStatus::default() });
    // What waits for a stage that hangs waits at the end, too.
    if handled >= seq {
        vitals.note_waiting(None);
    }
}

/// Lets what the venue says into the ring while a run ends; says whether there was anything.
fn pump(pipeline: &mut Pipeline) -> bool {
    if pipeline.stop.is_failed() {
        return false;
    }
    let sequencer = &mut pipeline.sequencer;
    let worked = sequencer.poll();
    let now = wall_clock();
    if !sequencer.answer_due(now) {
        return worked;
    }
    // A fault that stops this shows in the summary.
    let _ = sequencer.advance(now).and_then(|()| sequencer.publish_own(Slot::clock()));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::orders::PreflightError;

    #[test]
    fn a_start_that_was_called_off_is_no_alert_and_one_that_is_refused_by_the_venue_is() {
        let (alerts, told) = Alerts::heard_by_a_test();
        let until = Time(0);
        let of_venue = |error: PreflightError| LiveError::Orders(error.into());
        failed(&of_venue(PreflightError::Interrupted { until }), &alerts, true);
        failed(&LiveError::Nothing("to follow"), &alerts, true);
        let full = || LiveError::System(std::io::ErrorKind::StorageFull.into());
        failed(&full(), &alerts, false);
        assert_eq!(told.try_iter().count(), 0);
        let (endpoint, what) = ("venue".to_owned(), "the time");
        let silenced = PreflightError::Silenced { what, endpoint, status: 418, until, retry_after_s: None };
        failed(&of_venue(silenced), &alerts, true);
        failed(&full(), &alerts, true);
        assert_eq!(told.try_iter().count(), 2);
    }
}
