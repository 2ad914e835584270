//! What was received: files of raw frames, and the local history of events that a backtest reads.
//!
//! Owns: the formats of recordings and of the history. Invariant: what cannot be read or written is counted or is an
//! error that names the file, never silence.
//!
//! [`recording`] and [`capture`] hold raw frames and decode none. [`import`] makes [`segment`]s of vendors' files and of
//! recordings, [`catalogue`] knows them, [`events`] reads them merged by time, and [`export`] writes them out;
//! [`fetched`] is what a venue is asked for.

pub mod capture;
pub mod catalogue;
pub mod events;
pub mod export;
pub mod fetched;
pub mod import;
pub mod recording;
pub mod segment;

pub use capture::{Capture, CaptureError, CaptureOptions, CaptureReport};
pub use catalogue::{Catalogue, CatalogueWriter, HistoryError};
pub use events::{HistoryEvent, HistoryEvents, Query};
pub use recording::{Recording, RecordingFacts, RecordingOptions, RecordingWriter};
