//! Captures: raw frames written to files while they are received, so that [`Recording`](super::Recording) reads them.
//!
//! Owns: the directory of a capture. Looks into no frame. Invariants: the thread that receives never waits for the
//! disk and allocates nothing (a frame for which there is no room is counted as lost); what is in a file is whole up
//! to its last block, whenever and however the process ends; a file is in the manifest only once it is complete; one
//! process at a time captures into a directory.
//!
//! A directory has a file for each source (market, and symbol where frames do not name theirs), a new one by size and
//! by time, and `manifest.jsonl` with a line for each file that was closed, and for what was lost as soon as it is. A file is a sequence of gzip members, the
//! blocks, each with its CRC-32 and written with one call: what a killed process leaves is read to its last whole
//! block. `zcat FILE | grep` works, as for any gzip file.
//!
//! [`Capture::push`] copies the frame into a queue; the thread behind it cuts lines into blocks, packs and writes.

mod counts;
mod fault;
mod files;
mod manifest;
mod queue;
mod verify;
mod writer;

pub use counts::{CaptureCounts, CaptureReport};
pub use fault::CaptureError;
pub use manifest::{FileEntry, LossEntry, MANIFEST_NAME, SessionEntry};
pub use verify::{FileState, FileVerdict, Verification, verify};

use crate::domain::Time;
use crate::net::{SourceId, SourceInfo};
use counts::Shared;
use queue::QueueSender;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use writer::Writer;

/// When written blocks are forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// By the kernel in its own time: blocks survive the death of the process, not a power cut.
    #[default]
    Never,
    /// When a file is closed.
    File,
    /// After each block: what a power cut takes is at most the block being filled.
    Block,
}

impl Fsync {
    /// Every policy with the name it has on the command line.
    pub const ALL: &'static [(&'static str, Fsync)] =
        &[("never", Self::Never), ("file", Self::File), ("block", Self::Block)];
}

/// What [`Capture::push`] does while the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Counts the frame as lost: the receiving thread must not wait.
    #[default]
    Lose,
    /// Waits for room: for sources that can wait, such as files.
    Wait,
}

/// How a capture is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureOptions {
    /// The directory; made where it is not there.
    pub dir: PathBuf,
    /// Unpacked bytes after which a block is written, 4 KiB to 16 MiB.
    pub block_bytes: usize,
    /// How long a block may wait to be filled, by receive times and by the clock: what a kill may cost.
    pub block_age: Duration,
    /// Packed bytes after which a source gets a new file.
    pub file_bytes_max: u64,
    /// A source gets a new file at each multiple of this since 1970, UTC, by receive times; zero: never.
    pub rotate_every: Duration,
    /// Bytes of the queue between receiving and writing, 64 KiB to 1 GiB. A frame larger than it is lost.
    pub queue_bytes: usize,
    /// What happens when that is full.
    pub when_full: WhenFull,
    /// When blocks are forced to the disk.
    pub fsync: Fsync,
    /// How hard blocks are packed, as gzip has it, 1 (quick) to 9 (small).
    pub level: u32,
}

impl CaptureOptions {
    /// Into `dir`: blocks of 256 KiB or a second, files of 256 MiB or an hour, a queue of 32 MiB.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            block_bytes: 256 << 10,
            block_age: Duration::from_secs(1),
            file_bytes_max: 256 << 20,
            rotate_every: Duration::from_secs(3_600),
            queue_bytes: 32 << 20,
            when_full: WhenFull::default(),
            fsync: Fsync::default(),
            level: 3,
        }
    }
}

/// A capture being written.
#[derive(Debug)]
pub struct Capture {
    queue: QueueSender,
    when_full: WhenFull,
    taken: u64,
    lost: u64,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Makes the directory and starts the writing thread. Sources of one market and symbol share their files.
    ///
    /// # Errors
    /// [`CaptureError`] where the directory cannot be made or written to, another process captures into it, an option is
    /// out of its range, or the thread cannot be started.
    pub fn start(sources: &[SourceInfo], options: &CaptureOptions) -> Result<Self, CaptureError> {
        fault::check(options)?;
        let shared = Arc::new(Shared::default());
        let writer = Writer::new(sources, options, Arc::clone(&shared))?;
        let (queue, receiver) = queue::bounded(options.queue_bytes);
        let thread = thread::Builder::new()
            .name("capture".into())
            .spawn(move || writer.run(receiver))
            .map_err(CaptureError::Thread)?;
        Ok(Self { queue, when_full: options.when_full, taken: 0, lost: 0, shared, thread: Some(thread) })
    }

    /// Takes one frame; false if it is lost for want of room. Neither waits (unless told to) nor allocates.
    #[inline]
    pub fn push(&mut self, source: SourceId, received: Time, frame: &[u8]) -> bool {
        while !self.queue.push(source, received, frame) {
            if self.when_full == WhenFull::Lose || !self.queue.could_ever_take(frame) {
                self.lost += 1;
                // Seen by the writer, which tells it in the manifest.
                self.shared.lost.store(self.lost, Ordering::Relaxed);
                return false;
            }
            thread::sleep(Duration::from_micros(200));
        }
        self.taken += 1;
        true
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> CaptureCounts {
        self.shared.counts(self.taken, self.lost)
    }

    /// Writes what is queued, closes all files, and says what happened.
    #[must_use = "a capture may have lost frames"]
    pub fn finish(mut self) -> CaptureReport {
        self.close();
        self.shared.report(self.taken, self.lost)
    }

    fn close(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.shared.fail("the writing thread panicked: please report this as a bug".into());
        }
        // What was still in the queue of a thread that has gone came into no file either.
        let counts = self.counts();
        let ended = counts.written + counts.refused + counts.lost_on_disk;
        counts::add(&self.shared.lost_on_disk, counts.taken.saturating_sub(ended));
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.close();
    }
}
