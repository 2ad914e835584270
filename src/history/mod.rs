//! What was recorded: files of raw frames, read back as a source of frames.
//!
//! Owns: the recording format. Decodes no frame; knows venues by name only. Invariant: what cannot be read is counted
//! or is an error that names the file, never silence.

pub mod recording;

pub use recording::{Recording, RecordingFacts, RecordingOptions, RecordingWriter};
