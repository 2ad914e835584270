//! The merge of all files by receive time, on the first reader's thread.
//!
//! Owns: which frame is next. Does not look at bytes. Invariant: of the files' next frames the one with the lowest
//! (receive time, place of its file) goes first; how many readers there are changes nothing of that.

use super::batch::Outbox;
use super::check::{CheckedFile, io_error};
use super::lines::{Chunk, Job, Limits, LineReader};
use crate::domain::Time;
use crate::net::{SourceError, SourceId};
use crossbeam_channel::{Receiver, Sender, bounded, select_biased};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::sync::atomic::Ordering;

/// The place of a frame in the merged order.
type Key = (Time, u16);

/// One file on its way.
struct Lane {
    file: CheckedFile,
    /// The chunk being merged; empty until the file's first frame is due.
    chunk: Chunk,
    next: usize,
    /// The file's next chunk comes here; `None` while it is not open.
    filled: Option<Receiver<Job>>,
}

/// Merges files into batches.
///
/// Each open file has two chunks: one is merged while the other is, or waits to be, filled. Chunks to fill go through
/// one queue that any reader takes from; this one takes from it too whenever it would have to wait. So one reader
/// alone is the same code. A file is opened when its first frame is due, so that a hundred days of files cost no more
/// memory than the files of one day.
pub(super) struct Merger {
    lanes: Vec<Lane>,
    limits: Limits,
    queue: Sender<Job>,
    jobs: Receiver<Job>,
}

impl Merger {
    pub(super) fn new(files: Vec<CheckedFile>, limits: Limits) -> Self {
        // At most one job a file: putting one in never waits.
        let (queue, jobs) = bounded(files.len().max(1));
        let lane = |file| Lane { file, chunk: Chunk::default(), next: 0, filled: None };
        Self { lanes: files.into_iter().map(lane).collect(), limits, queue, jobs }
    }

    /// The chunks to fill, for further readers; ends when the merge does.
    pub(super) fn jobs(&self) -> Receiver<Job> {
        self.jobs.clone()
    }

    /// Merges to the end, to the first error, or until nobody takes the batches.
    pub(super) fn run(mut self, mut outbox: Outbox) {
        let end = self.merge(&mut outbox);
        // What is still queued need not be read.
        self.limits.stop.store(true, Ordering::Relaxed);
        outbox.end(end);
    }

    fn merge(&mut self, outbox: &mut Outbox) -> Result<(), SourceError> {
        let keys = (0..=u16::MAX).zip(&self.lanes).map(|(at, lane)| Reverse((lane.file.first, at)));
        let mut heap: BinaryHeap<Reverse<Key>> = keys.collect();
        while let Some(Reverse((_, at))) = heap.pop() {
            let until = heap.peek().map(|next| next.0);
            match self.merge_lane(SourceId(at), until, outbox)? {
                Some(received) => heap.push(Reverse((received, at))),
                None if self.limits.stop.load(Ordering::Relaxed) => break,
                None => {}
            }
        }
        Ok(())
    }

    /// Takes frames of one file up to `until`; gives the receive time of the file's next frame, or `None` at its end
    /// (or when nobody takes them).
    fn merge_lane(
        &mut self,
        source: SourceId,
        until: Option<Key>,
        outbox: &mut Outbox,
    ) -> Result<Option<Time>, SourceError> {
        loop {
            let lane = &mut self.lanes[usize::from(source.0)];
            while let Some(line) = lane.chunk.lines.get(lane.next) {
                if until.is_some_and(|until| (line.received, source.0) > until) {
                    return Ok(Some(line.received));
                }
                if !outbox.push(source, &lane.chunk, line) {
                    self.limits.stop.store(true, Ordering::Relaxed);
                    return Ok(None);
                }
                lane.next += 1;
            }
            if let Some(end) = lane.chunk.end.take() {
                // Its memory and its descriptor are not needed any more.
                lane.chunk = Chunk::default();
                lane.filled = None;
                return end.map(|()| None);
            }
            self.next_chunk(source)?;
            outbox.note(source, &self.lanes[usize::from(source.0)].chunk);
        }
    }

    /// Puts the file's next chunk in the place of the one just merged, which is queued to be filled anew.
    fn next_chunk(&mut self, source: SourceId) -> Result<(), SourceError> {
        let at = usize::from(source.0);
        if self.lanes[at].filled.is_none() {
            self.open(source)?;
        }
        let lane = &self.lanes[at];
        let filled = lane.filled.as_ref().expect("the file was opened just above");
        let Job { reader, chunk, done } = self.wait(filled);
        let lane = &mut self.lanes[at];
        let merged = std::mem::replace(&mut lane.chunk, chunk);
        lane.next = 0;
        if lane.chunk.end.is_none() {
            self.enqueue(Job { reader, chunk: merged, done });
        }
        Ok(())
    }

    fn open(&mut self, source: SourceId) -> Result<(), SourceError> {
        let lane = &mut self.lanes[usize::from(source.0)];
        let path = &lane.file.path;
        let input = File::open(path).map_err(|error| io_error(path, error))?;
        let reader = LineReader::new(path.display().to_string(), Box::new(input), self.limits.clone())?;
        let (done, filled) = bounded(1);
        lane.filled = Some(filled);
        self.enqueue(Job { reader, chunk: Chunk::default(), done });
        Ok(())
    }

    fn enqueue(&self, job: Job) {
        // Cannot fail: this merger holds a receiver.
        let _ = self.queue.send(job);
    }

    /// Waits for a filled chunk, filling others (or the very one) meanwhile.
    fn wait(&self, filled: &Receiver<Job>) -> Job {
        loop {
            select_biased! {
                recv(filled) -> job => return job.expect("whoever fills a chunk sends it, even after a panic"),
                recv(self.jobs) -> job => job.expect("this merger holds a sender").run(),
            }
        }
    }
}
