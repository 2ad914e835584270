//! Capturing live: every message into files, as it came, with the time the kernel received it (where the kernel does not
//! say, the time it was read).
//!
//! The same connections, the same state machines and the same books by REST as for trading, so that a capture replays
//! as the run would have gone. What a second connection brings again is left out: first arrival wins here too.

use super::feed::{Ended, LiveFeed, Loop, Prepared};
use super::outcome::LiveOutcome;
use super::sink::{Round, Sink};
use super::{LiveError, ProgressReport};
use crate::domain::event::{Kline, TradeUnread};
use crate::domain::{Instrument, InstrumentId, Time};
use crate::history::capture::{Capture, CaptureOptions};
use crate::net::{SourceId, SourceInfo};
use crate::pipeline::{StampClock, Wait};
use crate::run::capture::Captured;
use crate::run::config::Config;
use crate::run::feed::{Feed, Message};
use crate::run::interrupt::Interrupt;
use crate::run::replay::on_a_thread_of_its_own;
use crate::run::sequencer::Stopped;
use crate::venue::binance::interruption;
use std::time::Duration;

/// Until when, and who is told.
#[derive(Default)]
pub struct LiveCapture {
    /// End after so long.
    pub duration: Option<Duration>,
    /// Ends the capture cleanly.
    pub interrupt: Interrupt,
    /// Called some times a second, to show progress.
    pub progress: Option<ProgressReport>,
}

struct Files {
    capture: Capture,
    /// By instrument: the source of its market's streams, and its symbol there.
    streams: Vec<(SourceId, String)>,
    frames: u64,
    last: Time,
    failed: Option<String>,
}

impl Sink for Files {
    #[inline]
    fn frame(&mut self, source: SourceId, received: Time, bytes: &[u8]) {
        self.frames += 1;
        // Of two sockets the one read first may have received later: in the files time does not go back.
        let received = received.max(self.last);
        self.last = received;
        // What does not fit is counted as lost, where it is lost.
        let _ = self.capture.push(source, received, bytes);
    }

    fn publish(&mut self, _: &mut Feed, _: &Message, _: Time, _: u64) -> Result<(), Stopped> {
        Ok(())
    }

    /// A capture asks for none.
    fn bar(&mut self, _: &Kline, _: Time, _: u64) -> Result<(), Stopped> {
        Ok(())
    }

    /// Into the file of the streams that were interrupted, at their end there, so that a replay knows it, too.
    fn interrupted(&mut self, instrument: InstrumentId, now: Time, _: u64) -> Result<(), Stopped> {
        if let Some((source, symbol)) = self.streams.get(instrument.index()) {
            let received = now.max(self.last);
            self.last = received;
            let _ = self.capture.push(*source, received, interruption(symbol, now).as_bytes());
        }
        Ok(())
    }

    /// A capture has the frame, of which a replay makes the same.
    fn trade_unread(&mut self, _: &TradeUnread, _: Time, _: u64) -> Result<(), Stopped> {
        Ok(())
    }

    fn round(&mut self, _: Time, _: u64) -> Result<Round, Stopped> {
        Ok(Round { worked: false, ticked: false })
    }

    fn is_stopped(&self) -> bool {
        self.failed.is_some()
    }

    fn feed_failed(&mut self, problem: String) {
        self.failed = Some(problem);
    }

    fn progress(&self) -> (u64, Time) {
        (self.frames, self.last)
    }

    fn handled(&self) -> u64 {
        self.frames
    }
}

/// Captures what the configuration's venue sends, until the duration is over or an end is asked for.
///
/// # Errors
/// [`LiveError`] where it could not begin, [`LiveError::Capture`] among them. A venue that cannot be reached, or a
/// system that fails later, is in the result's `problem`; the files are closed.
pub fn capture_live(
    config: &Config,
    files: &CaptureOptions,
    options: LiveCapture,
) -> Result<(Captured, LiveOutcome, Option<String>), LiveError> {
    on_a_thread_of_its_own(|| capture(config, files, options))?
}

fn capture(
    config: &Config,
    files: &CaptureOptions,
    options: LiveCapture,
) -> Result<(Captured, LiveOutcome, Option<String>), LiveError> {
    let prepared = Prepared::new(config)?;
    let mut feed = LiveFeed::new(config, prepared, StampClock::new(), Wait::Backoff, true, &[])?;
    let sources = feed.sources();
    let of_market = |instrument: &Instrument| {
        let streams = |source: &SourceInfo| source.market == instrument.market && source.symbol.is_none();
        let at = sources.iter().position(streams).unwrap_or_default();
        (SourceId(at as u16), instrument.symbol.clone())
    };
    let streams = config.instruments.all().iter().map(of_market).collect();
    let capture = Capture::start(&sources, files).map_err(LiveError::Capture)?;
    let mut sink = Files { capture, streams, frames: 0, last: Time(0), failed: None };
    let interrupt = options.interrupt.clone();
    let LiveCapture { duration, interrupt: ends, progress, .. } = options;
    let mut run = Loop { duration, interrupt: ends, progress, health: None };
    let problem = match feed.run(&mut sink, &mut run) {
        Ended::Asked => None,
        Ended::Failed => sink.failed.take(),
        Ended::Hopeless { market, error } => {
            Some(format!("{market} ({}): {error}", config.venue.endpoints(market).stream))
        }
    };
    let elapsed = feed.elapsed();
    let (_, outcome, _) = feed.into_parts();
    let captured = Captured {
        report: sink.capture.finish(),
        left_out: 0,
        source_error: None,
        interrupted: interrupt.is_raised(),
        stopped: false,
        elapsed,
    };
    Ok((captured, outcome, problem))
}
