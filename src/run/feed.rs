//! The feed: frames in, events out to the sequencer, and what was counted on the way.

use super::sequencer::{Sequencer, Stopped};
use crate::domain::event::{Kind, TradeUnread};
use crate::domain::{InstrumentId, InstrumentTable, Level, Slot, Time};
use crate::net::{Frame, SourceInfo};
use crate::pipeline::{Sampler, StageHistogram, StampClock};
use crate::venue::binance::streams::StreamKind;
use crate::venue::binance::{Decoder, Unread};
use crate::venue::{DecodeError, Decoded, LevelBuffer};

/// Problems kept word for word; the rest are counted.
const PROBLEMS_KEPT: usize = 10;

/// What came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeedCounts {
    /// Frames, snapshots among them.
    pub lines: u64,
    /// Stream frames.
    pub frames: u64,
    /// Whole books.
    pub snapshots: u64,
    /// Level updates in depth events.
    pub levels: u64,
    /// Frames that could not be decoded.
    pub decode_errors: u64,
    /// Interruptions of instruments that a capture tells of; no frames.
    pub interruptions: u64,
    /// Frames of a kind that is not used.
    pub ignored: u64,
    /// Frames of instruments that the run does not have.
    pub unknown_instruments: u64,
    /// Frames whose receive time was before the one before; time was held.
    pub clock_backwards: u64,
    /// Frames by kind: trades, quotes, depth, bars.
    pub trades: u64,
    /// See `trades`.
    pub quotes: u64,
    /// See `trades`.
    pub depths: u64,
    /// See `trades`.
    pub klines: u64,
}

/// A frame that could not be decoded.
#[derive(Debug, Clone)]
pub struct FrameProblem {
    /// Where it came from.
    pub source: String,
    /// Its line there.
    pub line: u64,
    /// What was wrong.
    pub error: DecodeError,
}

/// A decoded message; its levels, if it has any, are the feed's until the next one is decoded.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// What it says.
    pub decoded: Decoded,
    /// Raw stamp of when that was known.
    done: u64,
}

/// Why nothing of a frame is to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// It is of no kind or instrument that is used.
    OfNoUse,
    /// It could not be decoded.
    Unread(DecodeError),
}

/// See the module.
pub struct Feed {
    decoder: Decoder,
    levels: LevelBuffer,
    clock: StampClock,
    /// Which frames are stamped between reading and publishing.
    pub sampler: Sampler,
    /// What came in.
    pub counts: FeedCounts,
    /// The first frames that could not be decoded.
    pub problems: Vec<FrameProblem>,
    /// The first frame of an instrument that the run does not have.
    pub unknown: Option<(String, u64)>,
    /// By instrument, whether its depth was ever told: from then on the stages trust no quote without its book.
    depth_told: Vec<bool>,
    /// Frame read to message decoded.
    pub decode: StageHistogram,
    /// Message decoded to event published.
    pub sequence: StageHistogram,
}

impl Feed {
    /// A feed for these instruments.
    #[must_use]
    pub fn new(table: &InstrumentTable, clock: StampClock) -> Self {
        Self {
            decoder: Decoder::new(table),
            levels: LevelBuffer::new(),
            clock,
            sampler: Sampler::every(),
            counts: FeedCounts::default(),
            problems: Vec::with_capacity(PROBLEMS_KEPT),
            unknown: None,
            depth_told: vec![false; table.len()],
            decode: StageHistogram::new("decode", "frame read to message decoded"),
            sequence: StageHistogram::new(
                "sequence",
                "message decoded to event published, answers due entered",
            ),
        }
    }

    /// Decodes one frame and publishes it. `read` is the raw stamp of when it was read, or was due.
    ///
    /// # Errors
    /// [`Stopped`].
    #[inline]
    pub fn frame(
        &mut self,
        source: &SourceInfo,
        frame: &Frame<'_>,
        read: u64,
        sequencer: &mut Sequencer,
    ) -> Result<(), Stopped> {
        if frame.received < sequencer.time() {
            self.counts.clock_backwards += 1;
        }
        let (decoded, done) = self.read(source, frame.bytes, frame.line);
        match &decoded {
            // Published from where it lies: a message is large enough for a copy to show.
            Ok(decoded) => {
                self.note_depth(decoded);
                self.publish_decoded(decoded, done, frame.received, read, sequencer)
            }
            Err(_) => self.unread_frame(source, frame, read, sequencer),
        }
    }

    /// Decodes a frame before the first that is published, and says what it is to the books: one that cannot be decoded
    /// interrupts them as it would later. It is not counted.
    pub fn before(&mut self, source: &SourceInfo, frame: &Frame<'_>) -> Option<(Decoded, &[Level])> {
        match self.decoder.decode(source, frame.bytes, &mut self.levels) {
            Ok(decoded) => {
                self.note_depth(&decoded);
                Some((decoded, &self.levels.levels))
            }
            Err(_) => Some((Decoded::Interrupted(self.interrupted_by(source, frame.bytes)?), &[])),
        }
    }

    #[inline]
    fn note_depth(&mut self, decoded: &Decoded) {
        if let Decoded::DepthDiff(head) | Decoded::DepthSnapshot(head) = decoded {
            self.depth_told[head.instrument.index()] = true;
        }
    }

    /// A frame cannot be decoded: the book that it would have changed is none from here to its next snapshot, as a live run
    /// takes it; where there is no book, the top that it would have replaced is none. A trade is missing in bars alone.
    #[cold]
    fn unread_frame(
        &mut self,
        source: &SourceInfo,
        frame: &Frame<'_>,
        read: u64,
        sequencer: &mut Sequencer,
    ) -> Result<(), Stopped> {
        let told = match self.unread(source, frame.bytes) {
            Some(Unread { instrument, kind: StreamKind::Trades, aggregate }) => {
                Slot::trade_unread(&TradeUnread { instrument, aggregate: Some(aggregate) })
            }
            _ => match self.interrupted_by(source, frame.bytes) {
                Some(instrument) => Slot::interrupted(instrument),
                None => return Ok(()),
            },
        };
        sequencer.advance(frame.received)?;
        sequencer.publish(told, read)
    }

    /// Whose book or top a frame makes none that cannot be decoded.
    fn interrupted_by(&self, source: &SourceInfo, bytes: &[u8]) -> Option<InstrumentId> {
        let Unread { instrument, kind, .. } = self.unread(source, bytes)?;
        let interrupts = match kind {
            StreamKind::Diffs => true,
            StreamKind::Quotes | StreamKind::Partial => !self.depth_told[instrument.index()],
            StreamKind::Trades | StreamKind::Klines => false,
        };
        interrupts.then_some(instrument)
    }

    /// Of which stream a frame is that could not be decoded, if it says so.
    #[must_use]
    pub fn unread(&self, source: &SourceInfo, bytes: &[u8]) -> Option<Unread> {
        self.decoder.unread(source, bytes)
    }

    /// Decodes one frame and counts it.
    ///
    /// # Errors
    /// [`Untold`] where nothing of it is to be published.
    #[inline]
    pub fn decode(&mut self, source: &SourceInfo, bytes: &[u8], line: u64) -> Result<Message, Untold> {
        let (decoded, done) = self.read(source, bytes, line);
        match decoded {
            // Of interruptions a recording tells, and nobody who sends frames.
            Ok(Decoded::Ignored | Decoded::UnknownInstrument | Decoded::Interrupted(_)) => {
                Err(Untold::OfNoUse)
            }
            Ok(decoded) => Ok(Message { decoded, done }),
            Err(error) => Err(Untold::Unread(error)),
        }
    }

    /// Decodes one frame and counts it; also the raw stamp of when that was done, zero where it was not taken.
    #[inline(always)]
    fn read(&mut self, source: &SourceInfo, bytes: &[u8], line: u64) -> (Result<Decoded, DecodeError>, u64) {
        let sampled = self.sampler.takes(self.counts.lines);
        let begun = if sampled { self.clock.raw() } else { 0 };
        let decoded = self.decoder.decode(source, bytes, &mut self.levels);
        let done = if sampled { self.clock.raw() } else { 0 };
        if sampled {
            self.decode.record(self.clock.nanos(begun, done));
        }
        self.counts.lines += 1;
        self.count(source, line, &decoded);
        (decoded, done)
    }

    /// Publishes the message that was decoded last, received at `received`.
    ///
    /// # Errors
    /// [`Stopped`].
    #[inline]
    pub fn publish(
        &mut self,
        message: &Message,
        received: Time,
        read: u64,
        sequencer: &mut Sequencer,
    ) -> Result<(), Stopped> {
        self.publish_decoded(&message.decoded, message.done, received, read, sequencer)
    }

    #[inline]
    fn publish_decoded(
        &mut self,
        decoded: &Decoded,
        done: u64,
        received: Time,
        read: u64,
        sequencer: &mut Sequencer,
    ) -> Result<(), Stopped> {
        if matches!(decoded, Decoded::Ignored | Decoded::UnknownInstrument) {
            return Ok(());
        }
        sequencer.advance(received)?;
        if done != 0 {
            self.sequence.record(self.clock.nanos(done, self.clock.raw()));
        }
        let levels = &self.levels.levels[..];
        match decoded {
            Decoded::Trade(trade) => sequencer.publish(Slot::trade(trade), read),
            Decoded::Quote(quote) => sequencer.publish(Slot::quote(quote), read),
            Decoded::DepthDiff(head) => sequencer.publish_depth(Kind::DepthDiff, head, levels, read),
            Decoded::DepthSnapshot(head) => sequencer.publish_depth(Kind::DepthSnapshot, head, levels, read),
            Decoded::DepthPartial(head) => sequencer.publish_depth(Kind::DepthPartial, head, levels, read),
            Decoded::Kline(kline) => sequencer.publish_pair(Slot::kline(kline), read),
            Decoded::Interrupted(instrument) => sequencer.publish(Slot::interrupted(*instrument), read),
            Decoded::Ignored | Decoded::UnknownInstrument => Ok(()),
        }
    }

    #[inline]
    fn count(&mut self, source: &SourceInfo, line: u64, decoded: &Result<Decoded, DecodeError>) {
        let counts = &mut self.counts;
        let is_frame = !matches!(decoded, Ok(Decoded::DepthSnapshot(_) | Decoded::Interrupted(_)));
        counts.frames += u64::from(is_frame);
        match decoded {
            Ok(Decoded::Trade(_)) => counts.trades += 1,
            Ok(Decoded::Quote(_)) => counts.quotes += 1,
            Ok(Decoded::DepthDiff(head) | Decoded::DepthPartial(head)) => {
                counts.depths += 1;
                counts.levels += head.levels() as u64;
            }
            Ok(Decoded::DepthSnapshot(head)) => {
                counts.snapshots += 1;
                counts.levels += head.levels() as u64;
            }
            Ok(Decoded::Kline(_)) => counts.klines += 1,
            Ok(Decoded::Interrupted(_)) => counts.interruptions += 1,
            Ok(Decoded::Ignored) => counts.ignored += 1,
            Ok(Decoded::UnknownInstrument) => {
                counts.unknown_instruments += 1;
                if self.unknown.is_none() {
                    self.unknown = Some((source.name.clone(), line));
                }
            }
            Err(error) => {
                counts.decode_errors += 1;
                if self.problems.len() < PROBLEMS_KEPT {
                    let source = source.name.clone();
                    self.problems.push(FrameProblem { source, line, error: *error });
                }
            }
        }
    }
}
