//! The writing thread: from the queue into the files of each source.
//!
//! Owns: the loop, and which source writes into which files.

use super::counts::Shared;
use super::fault::CaptureError;
use super::files::{Output, SourceFiles, io_message};
use super::manifest::{ManifestWriter, SessionEntry, session_now};
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
        let manifest = ManifestWriter::open(&options.dir)?;
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
            session: session_now(),
            manifest,
            shared,
        };
        Ok(Self { files, files_of, out, ticked: Instant::now() })
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
        }
    }

    fn end(mut self) {
        self.files.iter_mut().for_each(|files| files.close(&mut self.out));
        let shared = &self.out.shared;
        let report = shared.report(0, shared.lost.load(std::sync::atomic::Ordering::Relaxed));
        let counts = report.counts;
        let entry = SessionEntry {
            session: self.out.session.0,
            files: counts.files,
            frames: counts.written,
            lost: counts.lost + counts.refused + counts.lost_on_disk,
            errors: counts.errors,
            first_error: report.first_error,
        };
        let sync = self.out.options.fsync != Fsync::Never;
        if let Err(error) = self.out.manifest.add_end(entry, sync) {
            shared.fail(io_message(&self.out.manifest.path, &error));
        }
    }
}
