//! Where bytes come from: the seam between transports and the pipeline.
//!
//! Owns: the frame and the source of frames. Decodes nothing.

pub mod frame;
pub mod poll;

pub use frame::{Frame, FrameSource, SourceError, SourceId, SourceInfo};
pub use poll::{PollSource, Polled};
