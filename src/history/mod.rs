//! What was received: files of raw frames, written while they come and read back as a source of frames.
//!
//! Owns: the recording format. Decodes no frame; knows venues by name only. Invariant: what cannot be read or written
//! is counted or is an error that names the file, never silence.

pub mod capture;
pub mod recording;

pub use capture::{Capture, CaptureError, CaptureOptions, CaptureReport};
pub use recording::{Recording, RecordingFacts, RecordingOptions, RecordingWriter};
