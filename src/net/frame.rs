//! A frame, and where frames come from: a recorded file, a generator, later a socket.

use crate::domain::{Market, Time};
use thiserror::Error;

/// Index of a source in [`FrameSource::sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SourceId(pub u16);

/// What is known of a source before its first frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// For messages: a file's path, a connection's name.
    pub name: String,
    /// The venue whose frames these are: `binance`.
    pub venue: String,
    /// The part of the venue.
    pub market: Market,
    /// The symbol of frames that do not name one (REST snapshots), in upper case, where known.
    pub symbol: Option<String>,
}

/// One frame as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// When it was received, by the recorder's clock.
    pub received: Time,
    /// From where.
    pub source: SourceId,
    /// Its place in the source, from 1 (a line number in a file).
    pub line: u64,
    /// The payload, byte for byte.
    pub bytes: &'a [u8],
}

/// Why a source cannot go on.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        #[source]
        error: std::io::Error,
    },
    /// The file is there and is not what it should be.
    #[error("{path}: {problem}")]
    Bad {
        /// Which file.
        path: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
}

/// Frames in the order of their receive times.
pub trait FrameSource: Send {
    /// Every source frames may come from.
    fn sources(&self) -> &[SourceInfo];

    /// The next frame, or `None` at the end.
    ///
    /// # Errors
    /// [`SourceError`] when the source cannot go on; frames returned before are good.
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError>;

    /// Lines that were not frames at all (no receive time, over the size limit), counted and passed over.
    fn malformed(&self) -> u64 {
        0
    }

    /// Files that end amid a block, since their capture was cut; read to their last whole block.
    fn torn(&self) -> u64 {
        0
    }
}
