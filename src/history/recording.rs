//! Recordings of raw frames, merged by receive time into one [`FrameSource`].
//!
//! Owns: the format (gzip or plain text, one frame a line, `<receive time, ns since 1970> <frame>`), the file names
//! (`<market>-<symbol>-<date>.gz`), the threads that read. May not look into a frame. Invariant: frames come in the
//! order of (receive time, place of the file among those given), a file's own order always kept; it is the same order
//! for any number of readers.
//!
//! One reader thread unpacks, finds the lines, merges the files and hands over batches of frames that lie one after
//! another in memory; the consuming thread only walks them. Further readers unpack ahead of the first. Batches and
//! chunks are reused, so neither side allocates once each has its full set.

mod batch;
pub(super) mod block;
mod check;
mod fault;
mod lines;
mod merge;
mod name;
mod unpack;
mod writer;

pub use fault::{FileFault, LineFault, LineProblem, NameFault};
pub use lines::LINE_BYTES_MAX;
pub use name::{CapturePart, RecordingName};
pub use writer::{RecordingWriter, WriteFault, write_recording};

use crate::net::{Frame, FrameSource, SourceError, SourceInfo};
use batch::{Batch, Outbox};
use crossbeam_channel::{Receiver, Sender};
use fault::panic_text;
use lines::{Counts, Limits};
use merge::Merger;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Lines that were not frames which are kept with their place, the first ones; all are counted.
pub const PROBLEMS_KEPT: usize = 16;

/// More readers than this would only take memory.
const READERS_MAX: usize = 64;

/// How recordings are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingOptions {
    /// Threads that unpack, 1 to 64 (other values are brought into that range); the first of them also merges.
    pub readers: usize,
    /// The venue whose frames these are; file names do not say.
    pub venue: String,
}

impl Default for RecordingOptions {
    fn default() -> Self {
        Self { readers: 1, venue: "binance".into() }
    }
}

/// How much was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordingFacts {
    /// Files given.
    pub files: usize,
    /// Their size on disk, bytes.
    pub packed_bytes: u64,
    /// Lines read so far, malformed ones included. The reader counts some ahead of the frames taken; exact at the end.
    pub lines: u64,
    /// Bytes unpacked so far; counted like `lines`.
    pub bytes: u64,
}

/// Recorded files as one source of frames.
#[derive(Debug)]
pub struct Recording {
    sources: Vec<SourceInfo>,
    packed_bytes: u64,
    batch: Batch,
    /// Index of the next frame in `batch`.
    next: usize,
    /// `None` once the end was met, or an error.
    filled: Option<Receiver<Batch>>,
    used: Sender<Batch>,
    failed: bool,
    counts: Counts,
    problems: Vec<LineProblem>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Recording {
    /// Checks all files, then starts to read them.
    ///
    /// # Errors
    /// [`SourceError`] that names the file and says what to do, where one is missing, empty, a directory, unreadable,
    /// given twice, not named `<market>-<symbol>-<date>.gz`, or neither gzip nor text with receive times.
    pub fn open(paths: &[PathBuf], options: &RecordingOptions) -> Result<Self, SourceError> {
        let files = check::files(paths)?;
        let sources = files.iter().map(|file| file.source_info(&options.venue)).collect();
        let packed_bytes = files.iter().map(|file| file.packed_bytes).sum();
        let stop = Arc::new(AtomicBool::new(false));
        let limits = Limits { stop: stop.clone(), ..Limits::default() };
        let merger = Merger::new(files, limits);
        let todo = merger.jobs();
        let mut recording = Self::start(sources, stop, move |outbox| merger.run(outbox))?;
        recording.packed_bytes = packed_bytes;
        for index in 1..options.readers.clamp(1, READERS_MAX) {
            let todo = todo.clone();
            recording.threads.push(spawn(&format!("recording-{index}"), move || {
                todo.into_iter().for_each(lines::Job::run);
            })?);
        }
        Ok(recording)
    }

    /// The receiving half, fed by `feed` on a thread of its own.
    fn start(
        sources: Vec<SourceInfo>,
        stop: Arc<AtomicBool>,
        feed: impl FnOnce(Outbox) + Send + 'static,
    ) -> Result<Self, SourceError> {
        let (outbox, filled, used) = Outbox::new();
        let thread = spawn("recording-0", move || feed(outbox))?;
        Ok(Self {
            sources,
            packed_bytes: 0,
            batch: Batch::default(),
            next: 0,
            filled: Some(filled),
            used,
            failed: false,
            counts: Counts::default(),
            problems: Vec::new(),
            stop,
            threads: vec![thread],
        })
    }

    /// Lines whose receive time is before that of the line above; they come in the file's order.
    #[must_use]
    pub fn backwards(&self) -> u64 {
        self.counts.backwards
    }

    /// The first [`PROBLEMS_KEPT`] lines that were not frames, in the order of reading.
    #[must_use]
    pub fn problems(&self) -> &[LineProblem] {
        &self.problems
    }

    /// How much was read so far.
    #[must_use]
    pub fn facts(&self) -> RecordingFacts {
        RecordingFacts {
            files: self.sources.len(),
            packed_bytes: self.packed_bytes,
            lines: self.counts.lines,
            bytes: self.counts.bytes,
        }
    }

    /// Takes the next batch that has frames; false at the end.
    #[cold]
    fn next_batch(&mut self) -> Result<bool, SourceError> {
        loop {
            if let Some(end) = self.batch.end.take() {
                self.filled = None;
                self.failed = end.is_err();
                return end.map(|()| false);
            }
            let Some(filled) = &self.filled else {
                return if self.failed { Err(FileFault::Stopped.of("recording")) } else { Ok(false) };
            };
            let Ok(batch) = filled.recv() else { return Err(self.reader_died()) };
            let used = std::mem::replace(&mut self.batch, batch);
            // Refused only if the reader has gone; then nobody needs it.
            let _ = self.used.try_send(used);
            self.next = 0;
            self.take_counts();
            if !self.batch.entries.is_empty() {
                return Ok(true);
            }
        }
    }

    fn take_counts(&mut self) {
        self.counts.add(&self.batch.counts);
        for &(source, line, fault) in &self.batch.problems {
            if self.problems.len() < PROBLEMS_KEPT {
                let file = self.sources[usize::from(source.0)].name.clone();
                self.problems.push(LineProblem { file, line, fault });
            }
        }
    }

    /// The reader went without saying that it was at the end: it panicked.
    fn reader_died(&mut self) -> SourceError {
        self.filled = None;
        self.failed = true;
        let panic = self.threads.swap_remove(0).join().err();
        let what = panic.map_or_else(|| "no message".into(), |panic| panic_text(&*panic));
        FileFault::Panicked { what }.of("recording")
    }
}

impl FrameSource for Recording {
    fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    #[inline]
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        if self.next == self.batch.entries.len() && !self.next_batch()? {
            return Ok(None);
        }
        let entry = &self.batch.entries[self.next];
        self.next += 1;
        let start = entry.start as usize;
        Ok(Some(Frame {
            received: entry.received,
            source: entry.source,
            line: entry.line,
            bytes: &self.batch.bytes[start..start + entry.len as usize],
        }))
    }

    fn malformed(&self) -> u64 {
        self.counts.malformed
    }

    fn torn(&self) -> u64 {
        self.counts.torn
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Both are needed: the flag ends a reader at work, the closed channel one that waits for room.
        self.stop.store(true, Ordering::Relaxed);
        self.filled = None;
        for thread in self.threads.drain(..) {
            // A panic was reported by `next_frame`, or came after the last frame anyone wanted.
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, SourceError> {
    let spawned = thread::Builder::new().name(name.into()).spawn(body);
    spawned.map_err(|error: io::Error| SourceError::Io { path: format!("thread {name}"), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed_by(feed: impl FnOnce(Outbox) + Send + 'static) -> Recording {
        Recording::start(Vec::new(), Arc::default(), feed).expect("a thread can be started")
    }

    #[test]
    fn a_panic_of_the_reader_is_an_error_and_stays_one() {
        let mut recording = fed_by(|_outbox| panic!("broken merge"));
        let error = recording.next_frame().expect_err("the reader is gone").to_string();
        assert!(error.contains("broken merge"), "{error}");
        assert!(recording.next_frame().is_err());
    }

    #[test]
    fn the_end_is_the_end_every_time() {
        let mut recording = fed_by(|mut outbox| outbox.end(Ok(())));
        assert!(recording.next_frame().expect("no error").is_none());
        assert!(recording.next_frame().expect("no error").is_none());
    }
}
