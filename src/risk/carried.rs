//! What losses and a day's counts go on from, where an earlier run of the same name had some.
//!
//! It is in the journal's header, since decisions go by it: a replay counts from the same.

use serde::{Deserialize, Serialize};

/// What one strategy, or everything, goes on from. Amounts are profits in units of 10^-8 quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CarriedTrack {
    /// When the day began.
    pub day_start: i64,
    /// At its peak.
    pub peak: i64,
    /// Positions that were closed with a loss, one after the other.
    pub losses_in_a_row: u32,
    /// Orders of the day.
    pub orders: u32,
    /// Cancels of the day.
    pub cancels: u32,
    /// Trades of the day.
    pub trades: u32,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Carried {
    /// When the day ends that the earlier run ended in, ns since 1970; zero where a new one has begun since.
    pub day_ends_ns: u64,
    /// Amounts are added to the profit that this run begins with; otherwise its profits go on from the earlier run's.
    pub from_here: bool,
    /// Of everything.
    pub whole: CarriedTrack,
    /// By strategy.
    pub strategies: Vec<CarriedTrack>,
}
