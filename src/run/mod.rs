//! Running: the only place that builds rings and starts threads.
//!
//! Owns: how a configuration becomes a pipeline, and how frames and answers get into it. Decides nothing about
//! markets or orders. Invariant: the same frames and configuration give the same order stream, whatever the threads.

mod affinity;
pub mod capture;
pub mod config;
pub mod control;
pub mod feed;
pub mod interrupt;
pub mod live;
pub mod orders;
pub mod pipeline;
pub mod replay;
pub mod sequencer;
pub mod store;
pub mod summary;

pub use capture::{CaptureRun, Captured, capture_frames};
pub use config::Config;
pub use live::{LiveCapture, LiveError, LiveOptions, LiveStatus, capture_live, run_live};
pub use pipeline::{Pipeline, PipelineError, PipelineOptions};
pub use replay::{Pace, ReplayError, ReplayOptions, replay_frames, replay_journal};
pub use store::{StoreRequest, StoreSummary, StoreThread};
pub use summary::Summary;
