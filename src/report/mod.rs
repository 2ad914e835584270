//! Reports: what a person reads afterwards.
//!
//! Owns: pages, tables and files made of finished measurements. Never touches a running pipeline, starts no thread.
//! Invariant: a report is one file that needs nothing else, and is whole or not there.

pub mod backtest;
mod directory;
pub mod html;
pub mod latency;
mod plot;
mod setting;
pub mod sweep;
pub mod units;
