//! What can be wrong with a recording, in words that say what to do.
//!
//! Owns: every message about a file or a line. Reads nothing.

use crate::net::SourceError;
use std::any::Any;
use std::fmt;
use thiserror::Error;

/// Why a file cannot be read, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileFault {
    /// No file was named at all.
    #[error("no file given: name at least one, for example spot-btcusdt-20240808.gz")]
    NoneGiven,
    /// More files than source ids.
    #[error("{given} files given, at most {max} can be read at once")]
    TooMany {
        /// How many were named.
        given: usize,
        /// The limit.
        max: usize,
    },
    /// A directory instead of its files.
    #[error("is a directory: give the files in it, for example {directory}/*.gz")]
    Directory {
        /// Its path.
        directory: String,
    },
    /// A pipe, a device.
    #[error("is not a regular file: save it as a file first")]
    NotRegular,
    /// No byte, or none once unpacked.
    #[error("is empty: leave it out, or copy it again if it should not be")]
    Empty,
    /// The same file under the same or another path.
    #[error("is given twice (first as {first}): give each file once")]
    Duplicate {
        /// The path it was first given by.
        first: String,
    },
    /// The same frames under another name, packed in the same way or not.
    #[error(
        "begins with the very frames that {first} begins with: it looks like a copy, or a part of one, and each of its \
         events would come twice; give one of the two"
    )]
    Copy {
        /// The file whose frames they are, too.
        first: String,
    },
    /// Its name does not tell what it holds.
    #[error(
        "{0}: the name must be <market>-<symbol>-<date>.gz with the market spot, usdm or coinm, \
         for example spot-btcusdt-20240808.gz (a capture's: spot-btcusdt-20240808T235414_0001.gz); rename the file"
    )]
    Name(NameFault),
    /// Something else than a recording.
    #[error(
        "is not a recording: expected gzip, or text, with lines of a receive time (19 digits, ns since 1970), \
         a space and a frame, for example 1723161253937085768 {{\"stream\":...}}"
    )]
    NotRecording,
    /// The packed data ends in the middle.
    #[error(
        "gzip stream ends early after {lines} lines: the file is truncated; copy it again, or, if this is all \
         there is, keep what is readable with `gzip -dc OLD | gzip > NEW`"
    )]
    Truncated {
        /// Whole lines before that place.
        lines: u64,
    },
    /// The packed data contradicts itself.
    #[error("gzip stream is corrupt after {lines} lines ({what}): copy the file again")]
    Corrupt {
        /// Whole lines before that place.
        lines: u64,
        /// What the unpacker says.
        what: String,
    },
    /// Something that is not gzip follows the packed data.
    #[error(
        "something that is not gzip follows the gzip stream after {lines} lines: cut it off, or copy the file again"
    )]
    TrailingData {
        /// Whole lines before that place.
        lines: u64,
    },
    /// An error in this program, not in the file.
    #[error("the reader stopped by a panic ({what}): please report this as a bug")]
    Panicked {
        /// The panic's message.
        what: String,
    },
    /// Asked for more after an error.
    #[error("reading has stopped at the error reported before")]
    Stopped,
}

impl FileFault {
    /// As the error of the file at `path`.
    pub(super) fn of(self, path: &str) -> SourceError {
        SourceError::Bad { path: path.into(), problem: self.to_string() }
    }
}

/// Which part of a file name is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameFault {
    /// Not even two parts.
    #[error("the file name has no parts joined by `-`")]
    Parts,
    /// An unknown market.
    #[error("{0:?} is not a market")]
    Market(String),
    /// An empty symbol, or characters no symbol has.
    #[error("{0:?} is not a symbol")]
    Symbol(String),
    /// Not eight digits, or no day of the calendar; or no time of day and number after it.
    #[error("{0:?} is not a date such as 20240808")]
    Date(String),
    /// Another ending than `.gz`, `.txt` or none.
    #[error("the file name ends in {0:?}")]
    Ending(String),
}

/// Why a line is not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LineFault {
    /// The line does not begin with 19 digits and a space.
    #[error("does not begin with a receive time (19 digits, ns since 1970) and a space")]
    NoTime,
    /// Nothing follows the receive time.
    #[error("has a receive time and no frame after it")]
    NoFrame,
    /// Over [`LINE_BYTES_MAX`](super::LINE_BYTES_MAX).
    #[error("is longer than 16 MiB")]
    TooLong,
    /// The end of a capture that was cut; the line is the last one before it. Not counted as malformed.
    #[error(
        "the capture was cut here: {bytes} bytes of a block that was never finished follow, and are left out; \
         everything before them is whole"
    )]
    Torn {
        /// Packed bytes after the last whole block.
        bytes: u64,
    },
}

/// A line that was counted and passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineProblem {
    /// The file's path as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: LineFault,
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.fault)
    }
}

/// The message of a caught panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
