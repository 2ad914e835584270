//! The writing thread: from the queue into the files of each source.
//!
//! Owns: the loop, and which source writes into which files.

use super::counts::Shared;
use super::fault::CaptureError;
use super::files::{Output, SourceFiles, io_message};
use super::manifest::{LossEntry, ManifestWriter, SessionEntry, session_now};
use super::queue::{Popped, QueueReceiver};
use super::{CaptureOptions, Fsync};
use crate::history::recording::block::BlockPacker;
use crate::net::SourceInfo;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the thread sleeps while nothing comes: the queue must hold what comes in that time.
const IDLE: Duration = Duration::from_millis(2);
/// How often blocks are looked at for their age, while frames come.
const TICK: Duration = Duration::from_millis(10);
/// Frames between two looks at the clock.
const TICK_FRAMES: u32 = 64;

pub(super) struct Writer {
    files: Vec<SourceFiles>,
    /// By source.
    files_of: Vec<usize>,
    out: Output,
    ticked: Instant,
    /// Frames lost and calls failed that the manifest tells of.
    told: u64,
}

impl Writer {
    pub(super) fn new(
        sources: &[SourceInfo],
        options: &CaptureOptions,
        shared: Arc<Shared>,
    ) -> Result<Self, CaptureError> {
        if sources.is_empty() {
            return Err(CaptureError::NoSource);
        }
        std::fs::create_dir_all(&options.dir)
            .map_err(|error| CaptureError::Io { path: options.dir.display().to_string(), error })?;
        // Opened at once, so that a directory that cannot be written to is told before frames come.
        let mut manifest = ManifestWriter::open(&options.dir)?;
        let session = session_now();
        if let Err(error) = manifest.add_begin(session, options.fsync != Fsync::Never) {
            return Err(CaptureError::Io { path: manifest.path.display().to_string(), error });
        }
        let mut files: Vec<SourceFiles> = Vec::new();
        let files_of = sources
            .iter()
            .map(|source| {
                files.iter().position(|files| files.is_of(source)).unwrap_or_else(|| {
                    files.push(SourceFiles::new(source));
                    files.len() - 1
                })
            })
            .collect();
        let out = Output {
            packer: BlockPacker::new(options.level),
            options: options.clone(),
            session,
            manifest,
            shared,
        };
        Ok(Self { files, files_of, out, ticked: Instant::now(), told: 0 })
    }

    /// Until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: QueueReceiver) {
        let mut frames = 0u32;
        loop {
            let (files, files_of, out) = (&mut self.files, &self.files_of, &mut self.out);
            let popped = queue.pop(|queued| match files_of.get(usize::from(queued.source.0)) {
                Some(&at) => files[at].add(queued.received, queued.frame, out),
                None => super::counts::add(&out.shared.refused, 1),
            });
            match popped {
                Popped::Frame => {
                    frames = frames.wrapping_add(1);
                    if frames.is_multiple_of(TICK_FRAMES) {
                        self.tick();
                    }
                }
                Popped::Empty => {
                    self.tick();
                    std::thread::sleep(IDLE);
                }
                Popped::Closed => break,
            }
        }
        self.end();
    }

    fn tick(&mut self) {
        if self.ticked.elapsed() >= TICK {
            self.ticked = Instant::now();
            self.files.iter_mut().for_each(|files| files.tick(&mut self.out));
            self.tell_loss();
        }
    }

    /// Tells the manifest what was lost, so that it is known after a kill: at once, and again whenever it has doubled.
    /// However long it goes on, these lines take little of the room that is kept for the end's on a full disk.
    fn tell_loss(&mut self) {
        let counts = self.out.shared.now();
        let amount = counts.missing() + counts.errors;
        if amount == 0 || amount / 2 < self.told {
            return;
        }
        self.told = amount;
        let report = self.out.shared.report(0, counts.lost);
        let entry = LossEntry {
            session: self.out.session.0,
            lost: counts.missing(),
            errors: counts.errors,
            first_error: report.first_error,
        };
        let sync = self.out.options.fsync != Fsync::Never;
        if let Err(error) = self.out.manifest.add_loss(entry, sync) {
            self.out.shared.fail(io_message(&self.out.manifest.path, &error));
        }
    }

    fn end(mut self) {
        self.files.iter_mut().for_each(|files| files.close(&mut self.out));
        let shared = &self.out.shared;
        let counts = shared.now();
        let entry = SessionEntry {
            session: self.out.session.0,
            files: counts.files,
            frames: counts.written,
            lost: counts.missing(),
            errors: counts.errors,
            first_error: shared.report(0, counts.lost).first_error,
        };
        let sync = self.out.options.fsync != Fsync::Never;
        if let Err(error) = self.out.manifest.add_end(entry, sync) {
            shared.fail(io_message(&self.out.manifest.path, &error));
        }
    }
}
