//! Where a live feed's messages go: into a pipeline, or into files.

use crate::domain::event::{Kline, TradeUnread};
use crate::domain::{InstrumentId, Slot, Time};
use crate::net::SourceId;
use crate::pipeline::StopReason;
use crate::run::feed::{Feed, Message};
use crate::run::pipeline::Pipeline;
use crate::run::sequencer::Stopped;

/// Time passes in the ring at least this often, ns: timers fire and paper orders arrive in a silent market too.
const CLOCK_EVERY_NS: u64 = 10_000_000;

/// What a round of the feed does beside reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round {
    /// Whether there was anything to do.
    pub worked: bool,
    /// Whether a clock event was published.
    pub ticked: bool,
}

/// See the module.
pub(super) trait Sink {
    /// A message as it came, once: what another connection had brought already is not among them.
    fn frame(&mut self, source: SourceId, received: Time, bytes: &[u8]);

    /// The message decoded last is new and in order. `read` is the raw stamp of its bytes.
    fn publish(
        &mut self,
        decoding: &mut Feed,
        message: &Message,
        received: Time,
        read: u64,
    ) -> Result<(), Stopped>;

    /// A bar that was asked for.
    fn bar(&mut self, bar: &Kline, now: Time, stamp: u64) -> Result<(), Stopped>;

    /// What was known of an instrument's book no longer holds.
    fn interrupted(&mut self, instrument: InstrumentId, now: Time, stamp: u64) -> Result<(), Stopped>;

    /// A trade came that cannot be read; its frame did, too.
    fn trade_unread(&mut self, unread: &TradeUnread, now: Time, stamp: u64) -> Result<(), Stopped>;

    /// Time passes.
    fn round(&mut self, now: Time, stamp: u64) -> Result<Round, Stopped>;

    /// Whether nothing more can be taken.
    fn is_stopped(&self) -> bool;

    /// The feed itself cannot go on.
    fn feed_failed(&mut self, problem: String);

    /// Events published, and the time of the last.
    fn progress(&self) -> (u64, Time);

    /// Of those, how many whoever they are for has handled.
    fn handled(&self) -> u64;
}

impl Sink for Pipeline {
    #[inline]
    fn frame(&mut self, _source: SourceId, _received: Time, _bytes: &[u8]) {}

    #[inline]
    fn publish(
        &mut self,
        decoding: &mut Feed,
        message: &Message,
        received: Time,
        read: u64,
    ) -> Result<(), Stopped> {
        decoding.publish(message, received, read, &mut self.sequencer)
    }

    fn bar(&mut self, bar: &Kline, now: Time, stamp: u64) -> Result<(), Stopped> {
        self.sequencer.advance(now)?;
        self.sequencer.publish_pair(Slot::kline(bar), stamp)
    }

    fn interrupted(&mut self, instrument: InstrumentId, now: Time, stamp: u64) -> Result<(), Stopped> {
        self.sequencer.advance(now)?;
        self.sequencer.publish(Slot::interrupted(instrument), stamp)
    }

    fn trade_unread(&mut self, unread: &TradeUnread, now: Time, stamp: u64) -> Result<(), Stopped> {
        self.sequencer.advance(now)?;
        self.sequencer.publish(Slot::trade_unread(unread), stamp)
    }

    fn round(&mut self, now: Time, stamp: u64) -> Result<Round, Stopped> {
        let sequencer = &mut self.sequencer;
        let mut round = Round { worked: sequencer.poll(), ticked: false };
        if sequencer.answer_due(now) {
            round.worked = true;
            sequencer.advance(now)?;
        }
        if now.since(sequencer.time()) >= CLOCK_EVERY_NS {
            sequencer.advance(now)?;
            sequencer.publish(Slot::clock(), stamp)?;
            round.ticked = true;
        }
        Ok(round)
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_raised()
    }

    fn feed_failed(&mut self, message: String) {
        self.stop.stop(StopReason::StageFailed { stage: "feed", message });
    }

    fn progress(&self) -> (u64, Time) {
        (self.sequencer.seq(), self.sequencer.time())
    }

    fn handled(&self) -> u64 {
        self.sequencer.handled()
    }
}
