//! Running: the only place that builds rings and starts threads.
//!
//! Owns: how a configuration becomes a pipeline, and how frames and answers get into it. Decides nothing about
//! markets or orders. Invariant: the same frames and configuration give the same order stream, whatever the threads.

mod affinity;
pub mod alerts;
pub mod audit;
pub mod backtest;
pub mod capture;
pub mod config;
pub mod control;
mod disk_space;
mod fee_rates;
pub mod feed;
pub mod fetch;
mod followers;
pub mod interrupt;
mod journaled_risk;
pub mod limit_uses;
pub mod live;
pub mod orders;
pub mod pipeline;
pub mod pnl;
pub mod recover;
pub mod replay;
pub mod risk_report;
pub mod sequencer;
pub mod store;
pub mod summary;
pub mod sweep;
pub mod users;
pub mod watch;
pub mod why;

#[cfg(test)]
#[path = "../../tests/support/webhook.rs"]
mod webhook_of_tests;

pub use alerts::AlertRequest;
pub use audit::{AuditNotes, AuditRequest, AuditSummary, AuditThread};
pub use backtest::{BacktestError, BacktestOptions, run_backtest};
pub use capture::{CaptureRun, Captured, capture_frames};
pub use config::Config;
pub use live::{LiveCapture, LiveError, LiveOptions, LiveStatus, capture_live, run_live};
pub use pipeline::{Pipeline, PipelineError, PipelineOptions};
pub use recover::RecoverError;
pub use replay::{Pace, ReplayError, ReplayOptions, replay_frames, replay_journal};
pub use store::{StoreLink, StoreRequest, StoreSummary, StoreThread};
pub use summary::Summary;
