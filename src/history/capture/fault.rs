//! What can be wrong with a capture before it starts, in words that say what to do.

use super::CaptureOptions;
use std::io;
use thiserror::Error;

/// Why a capture cannot be started, or a captured directory not be checked.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// No frames could come.
    #[error("there is no source to capture")]
    NoSource,
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which directory or file.
        path: String,
        /// What it said.
        #[source]
        error: io::Error,
    },
    /// Another process captures there.
    #[error(
        "{path}: another process is capturing into this directory, and a replay of both would have each frame twice: let it \
         end first, or give this capture a directory of its own"
    )]
    Busy {
        /// Which directory.
        path: String,
    },
    /// A number outside of its range.
    #[error("{name} is {given}: it must be {range}")]
    Range {
        /// Which option.
        name: &'static str,
        /// Its value.
        given: u64,
        /// What is taken.
        range: &'static str,
    },
    /// The writing thread cannot be started.
    #[error("the writing thread cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// A directory that no capture has written.
    #[error(
        "{path}: holds neither a manifest nor a captured file: give the directory that `capture --out` had"
    )]
    NotCapture {
        /// Which directory.
        path: String,
    },
}

pub(super) fn check(options: &CaptureOptions) -> Result<(), CaptureError> {
    let range = |name, given: u64, ok: bool, range| {
        if ok { Ok(()) } else { Err(CaptureError::Range { name, given, range }) }
    };
    let (block, queue) = (options.block_bytes, options.queue_bytes);
    range("block size in bytes", block as u64, (4 << 10..=16 << 20).contains(&block), "4 KiB to 16 MiB")?;
    range("queue size in bytes", queue as u64, (64 << 10..=1 << 30).contains(&queue), "64 KiB to 1 GiB")?;
    let size = options.file_bytes_max;
    range("file size in bytes", size, size >= 64 << 10, "64 KiB or more")?;
    range("packing level", options.level.into(), (1..=9).contains(&options.level), "1 to 9")
}
