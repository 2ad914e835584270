//! A writer of recordings.
//!
//! Owns: nothing but its file. Invariant: what it accepts is read back the same.

use super::lines::{LINE_BYTES_MAX, TIME_DIGITS};
use crate::domain::Time;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use thiserror::Error;

/// Why a frame was not written.
#[derive(Debug, Error)]
pub enum WriteFault {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        #[source]
        error: io::Error,
    },
    /// The receive time is not 19 digits long.
    #[error("receive time {} ns is not between the years 2001 and 2286", .0.0)]
    Time(Time),
    /// The frame would not come back as one line.
    #[error(
        "a frame must not be empty, have a line end in it, end in a carriage return, or be longer than 16 MiB"
    )]
    Frame,
}

/// Writes one recording: gzip, or plain text where the file name ends in `.txt`.
#[derive(Debug)]
pub struct RecordingWriter {
    path: String,
    out: Output,
}

#[derive(Debug)]
enum Output {
    Gzip(Box<GzEncoder<BufWriter<File>>>),
    Text(BufWriter<File>),
}

impl RecordingWriter {
    /// Creates the file, or empties it. To be read back its name must be a
    /// [`RecordingName`](super::RecordingName).
    ///
    /// # Errors
    /// [`WriteFault::Io`].
    pub fn create(path: &Path) -> Result<Self, WriteFault> {
        let name = path.display().to_string();
        let file = File::create(path).map_err(|error| WriteFault::Io { path: name.clone(), error })?;
        let file = BufWriter::new(file);
        let text = path.extension().is_some_and(|ending| ending == "txt");
        let out = if text {
            Output::Text(file)
        } else {
            Output::Gzip(Box::new(GzEncoder::new(file, Compression::default())))
        };
        Ok(Self { path: name, out })
    }

    /// Adds one frame.
    ///
    /// # Errors
    /// [`WriteFault`]; a frame or time that is refused leaves the file as it was.
    pub fn write(&mut self, received: Time, frame: &[u8]) -> Result<(), WriteFault> {
        if received.0.checked_ilog10() != Some(TIME_DIGITS as u32 - 1) {
            return Err(WriteFault::Time(received));
        }
        let too_long = frame.len() > LINE_BYTES_MAX - TIME_DIGITS - 1;
        if frame.is_empty() || too_long || frame.contains(&b'\n') || frame.ends_with(b"\r") {
            return Err(WriteFault::Frame);
        }
        let out: &mut dyn Write = match &mut self.out {
            Output::Gzip(out) => &mut **out,
            Output::Text(out) => out,
        };
        let written = write!(out, "{} ", received.0).and_then(|()| out.write_all(frame));
        let written = written.and_then(|()| out.write_all(b"\n"));
        written.map_err(|error| WriteFault::Io { path: self.path.clone(), error })
    }

    /// Writes what is buffered and closes the file; a writer merely dropped leaves a file without its end.
    ///
    /// # Errors
    /// [`WriteFault::Io`].
    pub fn finish(self) -> Result<(), WriteFault> {
        let finished = match self.out {
            Output::Gzip(out) => out.finish().and_then(|mut file| file.flush()),
            Output::Text(mut out) => out.flush(),
        };
        finished.map_err(|error| WriteFault::Io { path: self.path, error })
    }
}

/// Writes a whole recording.
///
/// # Errors
/// As [`RecordingWriter`].
pub fn write_recording<'a>(
    path: &Path,
    frames: impl IntoIterator<Item = (Time, &'a [u8])>,
) -> Result<(), WriteFault> {
    let mut writer = RecordingWriter::create(path)?;
    for (received, frame) in frames {
        writer.write(received, frame)?;
    }
    writer.finish()
}
