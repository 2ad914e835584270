//! What the reader hands to the consumer: frames of all files, merged, one after another in memory.
//!
//! Owns: the batch and the two channels it goes round by. Invariant: at most [`BATCHES_MAX`] batches exist.

use super::fault::LineFault;
use super::lines::{Chunk, Counts, Line};
use crate::domain::Time;
use crate::net::{SourceError, SourceId};
use crossbeam_channel::{Receiver, Sender, bounded};

/// Bytes of frames after which a batch is handed over: some 900 frames, so that waking the other side costs little.
const BATCH_BYTES: usize = 256 << 10;
/// The same for frames that are very small.
const BATCH_FRAMES: usize = 4096;
/// Batches that wait for the consumer.
const BATCHES_WAITING: usize = 4;
/// With the one being filled and the one being read.
const BATCHES_MAX: usize = BATCHES_WAITING + 2;

/// One frame: where it lies in its batch, and the rest of [`Frame`](crate::net::Frame).
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) received: Time,
    pub(super) line: u64,
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) source: SourceId,
}

/// Merged frames; reused.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) entries: Vec<Entry>,
    pub(super) counts: Counts,
    pub(super) problems: Vec<(SourceId, u64, LineFault)>,
    /// Set in the last batch: after its frames comes this.
    pub(super) end: Option<Result<(), SourceError>>,
}

impl Batch {
    fn reset(&mut self) {
        self.bytes.clear();
        // Room grown for one long frame is not kept.
        self.bytes.shrink_to(4 * BATCH_BYTES);
        self.entries.clear();
        self.counts = Counts::default();
        self.problems.clear();
        self.end = None;
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.entries.len() >= BATCH_FRAMES
    }
}

/// The sending side: the batch being filled, and where full ones go.
pub(super) struct Outbox {
    batch: Batch,
    filled: Sender<Batch>,
    used: Receiver<Batch>,
    gone: bool,
}

impl Outbox {
    /// With the receiver of filled batches and the sender that gives used ones back.
    pub(super) fn new() -> (Self, Receiver<Batch>, Sender<Batch>) {
        let (filled, filled_receiver) = bounded(BATCHES_WAITING);
        // Room for all of them, so that giving one back never waits.
        let (used_sender, used) = bounded(BATCHES_MAX);
        (Self { batch: Batch::default(), filled, used, gone: false }, filled_receiver, used_sender)
    }

    /// Adds one frame of `chunk`; false if nobody reads any more.
    #[inline]
    pub(super) fn push(&mut self, source: SourceId, chunk: &Chunk, line: &Line) -> bool {
        let start = u32::try_from(self.batch.bytes.len()).unwrap_or(u32::MAX);
        self.batch.bytes.extend_from_slice(chunk.frame(line));
        let Line { received, line, len, .. } = *line;
        self.batch.entries.push(Entry { received, line, start, len, source });
        if self.batch.is_full() {
            self.send();
        }
        !self.gone
    }

    /// Adds what was met while the chunk was read.
    pub(super) fn note(&mut self, source: SourceId, chunk: &Chunk) {
        self.batch.counts.add(&chunk.counts);
        let room = super::PROBLEMS_KEPT - self.batch.problems.len();
        let problems = chunk.problems.iter().take(room);
        self.batch.problems.extend(problems.map(|&(line, fault)| (source, line, fault)));
    }

    /// Hands over what is left, and how it ended.
    pub(super) fn end(&mut self, end: Result<(), SourceError>) {
        self.batch.end = Some(end);
        self.send();
    }

    fn send(&mut self) {
        let mut next = self.used.try_recv().unwrap_or_default();
        next.reset();
        let full = std::mem::replace(&mut self.batch, next);
        self.gone |= self.filled.send(full).is_err();
    }
}
