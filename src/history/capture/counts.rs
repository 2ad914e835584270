//! What a capture counts, on both sides of its queue.
//!
//! Owns: the counters. Invariant: every frame offered is taken or lost; every frame taken is, at the end, written,
//! refused, or lost to the disk.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much was captured so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaptureCounts {
    /// Frames taken from the receiver.
    pub taken: u64,
    /// Frames lost since the queue was full.
    pub lost: u64,
    /// Frames that could not be told apart again when read: without a byte, with a line end in them, over 16 MiB, or
    /// with a receive time outside of the years 2001 to 2286. Left out.
    pub refused: u64,
    /// Frames lost since the disk took no more.
    pub lost_on_disk: u64,
    /// Frames in blocks that were written.
    pub written: u64,
    /// Blocks written.
    pub blocks: u64,
    /// Files closed and in the manifest.
    pub files: u64,
    /// Unpacked bytes in blocks that were written.
    pub text_bytes: u64,
    /// Their size in the files.
    pub packed_bytes: u64,
    /// Writes, and other calls to the system, that failed.
    pub errors: u64,
}

impl CaptureCounts {
    /// Frames that were offered and are in no file, nor will be.
    pub(super) const fn missing(&self) -> u64 {
        self.lost + self.refused + self.lost_on_disk
    }
}

/// How a capture ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureReport {
    /// How much.
    pub counts: CaptureCounts,
    /// The first thing that failed, with its file; the others are counted.
    pub first_error: Option<String>,
}

impl CaptureReport {
    /// Whether every frame offered is in a file.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let c = &self.counts;
        self.first_error.is_none() && c.missing() + c.errors == 0
    }
}

/// The counters of the writing thread, and of lost frames, which it tells in the manifest.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) lost: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) lost_on_disk: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) blocks: AtomicU64,
    pub(super) files: AtomicU64,
    pub(super) text_bytes: AtomicU64,
    pub(super) packed_bytes: AtomicU64,
    errors: AtomicU64,
    first_error: Mutex<Option<String>>,
}

/// Adds to a counter that others only read.
pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Shared {
    /// Counts a failure, and logs and keeps the first.
    pub(super) fn fail(&self, message: String) {
        add(&self.errors, 1);
        let mut first = self.first_error.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if first.is_none() {
            log::error!("capture: {message}");
            *first = Some(message);
        }
    }

    pub(super) fn counts(&self, taken: u64, lost: u64) -> CaptureCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CaptureCounts {
            taken,
            lost,
            refused: get(&self.refused),
            lost_on_disk: get(&self.lost_on_disk),
            written: get(&self.written),
            blocks: get(&self.blocks),
            files: get(&self.files),
            text_bytes: get(&self.text_bytes),
            packed_bytes: get(&self.packed_bytes),
            errors: get(&self.errors),
        }
    }

    /// What the writing thread knows; of what was taken it knows nothing.
    pub(super) fn now(&self) -> CaptureCounts {
        self.counts(0, self.lost.load(Ordering::Relaxed))
    }

    pub(super) fn report(&self, taken: u64, lost: u64) -> CaptureReport {
        let first = self.first_error.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        CaptureReport { counts: self.counts(taken, lost), first_error: first.clone() }
    }
}
