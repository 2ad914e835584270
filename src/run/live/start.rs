//! How a live run begins: with whom it goes on, what stays stopped, and the sending of orders.
//!
//! Owns: the order of it. Everything that can be refused is, before a thread is started; what an earlier run left stopped is in
//! the ring before anybody is there who could say otherwise.

use super::{LiveError, LiveOptions, Vitals, beat, pump, wall_clock};
use crate::domain::Slot;
use crate::journal::{JournalHeader, Resumed};
use crate::pipeline::Wait;
use crate::run::affinity::available_cores;
use crate::run::alerts::{Alert, Alerts};
use crate::run::config::{Config, TradingMode};
use crate::run::interrupt::Interrupt;
use crate::run::orders::{OrderLanes, OrdersThread, PreparedOrders, RunningOrders};
use crate::run::pipeline::{Pipeline, PipelineOptions};
use crate::run::recover::{Earlier, RecoverError};
use std::time::{Duration, Instant};

/// How long the start waits for orders to be taken before it goes on without.
const TRADING_WITHIN: Duration = Duration::from_secs(10);
/// How long it waits, once they are taken, to hear what became of an earlier run's.
const SETTLED_WITHIN: Duration = Duration::from_secs(3);

/// The run to go on with, if one was named.
pub(super) fn earlier(config: &Config, options: &LiveOptions) -> Result<Option<Earlier>, LiveError> {
    let Some(place) = &options.recover else { return Ok(None) };
    if config.trading.mode != TradingMode::Live {
        return Err(RecoverError::NotLive.into());
    }
    Ok(Some(Earlier::read(place, &config.run.name)?))
}

/// Checks what live orders need, where they are asked for.
pub(super) fn prepare_orders(
    config: &Config,
    options: &PipelineOptions,
    earlier: Option<&JournalHeader>,
    interrupt: &Interrupt,
    alerts: &Alerts,
) -> Result<Option<PreparedOrders>, LiveError> {
    if config.trading.mode == TradingMode::Paper {
        return Ok(None);
    }
    let journaled =
        options.journal.is_some() || options.journal_writer.is_some() || config.journal.path.is_some();
    if !journaled {
        return Err(LiveError::Nothing(
            "live orders need a journal, in which each is written before it is sent: give [journal] path, or --journal",
        ));
    }
    let waiting = |why: &str| alerts.raise(Alert::waiting(why, wall_clock()));
    Ok(Some(PreparedOrders::check(config, earlier, interrupt, &waiting)?))
}

/// What the last run left stopped, or paused, is so before the first event.
pub(super) fn stay_stopped(pipeline: &mut Pipeline, commands: impl IntoIterator<Item = Slot>) {
    let sequencer = &mut pipeline.sequencer;
    for command in commands {
        // A fault that stops this shows in the summary.
        let _ = sequencer.advance(wall_clock()).and_then(|()| sequencer.publish_own(command));
    }
}

/// The same, and only then whoever sends orders is started: they say themselves when the venue takes orders, and for which
/// instruments, each once. What is said here after it would be the last word.
pub(super) fn stopped_first<T>(
    pipeline: &mut Pipeline,
    standing: Vec<Slot>,
    start: impl FnOnce(&mut Pipeline) -> T,
) -> T {
    stay_stopped(pipeline, standing);
    start(pipeline)
}

/// Starts the sending of orders.
pub(super) fn start_orders(
    prepared: PreparedOrders,
    lanes: OrderLanes,
    pipeline: &mut Pipeline,
    feed: Wait,
    resumed: Option<(&Resumed, u64)>,
) -> Result<Option<RunningOrders>, LiveError> {
    let Some(answers) = pipeline.answers.take() else { return Ok(None) };
    let thread = OrdersThread::plan(&prepared.config, &pipeline.topology, feed, available_cores().len());
    Ok(Some(prepared.start(lanes, answers, pipeline.clock.clone(), thread, resumed)?))
}

/// Waits until the venue takes orders and has said how those of an earlier run stand, so long at most. The process is
/// reached meanwhile: it can be asked, stopped and ended, and it is seen to live.
pub(super) fn await_orders(
    orders: &RunningOrders,
    pipeline: &mut Pipeline,
    vitals: &Vitals,
    interrupt: &Interrupt,
) {
    let begun = Instant::now();
    let mut opened = None;
    while !orders.is_trading() && !interrupt.is_raised() && !pipeline.stop.is_raised() {
        if orders.is_open() {
            opened.get_or_insert_with(Instant::now);
        }
        if opened.is_some_and(|at| at.elapsed() >= SETTLED_WITHIN) {
            log::warn!(
                "the venue has not said yet what became of some orders of the earlier run: it is asked on, and the run \
                 goes on"
            );
            break;
        }
        if begun.elapsed() >= TRADING_WITHIN {
            log::warn!(
                "the venue takes no orders yet; the run goes on, and orders are rejected until it does"
            );
            break;
        }
        beat(vitals, pipeline);
        pump(pipeline);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Command;
    use crate::domain::{Time, kill};
    use crate::pipeline::{Answer, Threading};
    use crate::risk::watch::watch;

    #[test]
    fn the_last_word_on_whether_the_venue_takes_orders_has_who_sends_them_however_soon_they_say_it() {
        let config = Config::embedded_default();
        let (told, heard) = watch();
        let (handover, _lanes) = OrderLanes::new().expect("a poll");
        let options = PipelineOptions {
            threading: Some(Threading::Inline),
            by_hand: true,
            live: true,
            handover: Some(handover),
            watch: Some(told),
            ..PipelineOptions::default()
        };
        let mut pipeline = Pipeline::build(&config, options).expect("a good configuration");
        let venue = kill::venues_of(&config.instruments)[0];
        let standing = vec![Slot::command(Command::Suspend(venue))];
        // A start that takes long: all that they say was said before it is over.
        stopped_first(&mut pipeline, standing, |pipeline| {
            let mut answers = pipeline.answers.take().expect("orders are sent");
            for (number, command) in (1..).zip([Command::Suspend(venue), Command::Reopen(venue)]) {
                let slot = Slot::command(command);
                answers.push(Answer { due: Time(0), cause_seq: 0, origin: 2, number, slot });
            }
        });
        pump(&mut pipeline);
        // Risk tells how it stands at the first event of a later time.
        let later = wall_clock().plus_nanos(3_600_000_000_000);
        let sequencer = &mut pipeline.sequencer;
        sequencer.advance(later).and_then(|()| sequencer.publish_own(Slot::clock())).expect("it runs");
        assert_eq!(sequencer.seq(), sequencer.handled());
        let snapshot = heard.snapshot();
        let snapshot = snapshot.lock().expect("nobody panics");
        assert_eq!(snapshot.time, later);
        assert!(config.instruments.all().iter().all(|of| !snapshot.pauses.is_suspended(of.id)));
    }
}
