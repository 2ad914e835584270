//! The local market: a matching engine, seeded order flow on top of it, and the frames a venue would send of it.
//!
//! Owns: an offline market that looks like Binance's, for the demo, for tests with hundreds of instruments, and for a
//! local venue. Does no I/O and reads no clock, but in `serve`, which puts all this on the wire. Invariant: one seed and
//! configuration make one stream, byte for byte, on every machine; so nothing that makes it uses floating point.

pub mod api;
mod bar;
pub mod config;
mod encode;
pub mod engine;
pub mod exchange;
pub mod flow;
pub mod instruments;
mod resting;
pub mod rng;
pub mod serve;
pub mod stream;

pub use config::{FlowConfig, FlowError, FlowInstrument};
pub use engine::{MatchEvent, MatchingEngine, NewOrder, RejectReason};
pub use flow::OrderFlow;
pub use instruments::{demo_instruments, generated_instruments, opening_price, small_qty};
pub use stream::FlowSource;
