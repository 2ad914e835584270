//! Statistics of a finished run: from an equity curve and the trades that made it to the figures people compare.
//!
//! Owns: the formulas, each with its source and how it is annualised. Pure functions over slices: no I/O, no clock, no
//! state. Knows of the domain only time. Invariant: what is not defined (no points, no loss to divide by, no movement)
//! is [`None`], never NaN or an infinity; the same input gives the same bits.
//!
//! Amounts come in as f64: they are statistics, never money. Ratios are fractions (0.01 is one per cent), losses and
//! drawdowns negative.
//!
//! The definitions are those of quantstats and empyrical where these two agree, and `tests/statistics.rs` holds them
//! to both. Where they differ from each other, or from us, the function says so.

pub mod benchmark;
pub mod drawdown;
pub mod moments;
pub mod months;
pub mod normal;
pub mod outcome;
pub mod periods;
pub mod ratios;
pub mod sharpe;
pub(crate) mod stamp;
pub mod summary;
pub mod tail;
pub mod trades;

pub use drawdown::Drawdown;
pub use periods::{Periods, Sample};
pub use summary::{Inputs, Statistics, statistics};
pub use trades::{ClosedTrade, TradeStatistics};
