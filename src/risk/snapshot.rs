//! What risk knows, copied out now and then for whoever reckons beside the run: losses to be kept over a restart, and
//! metrics.
//!
//! The stage copies into room that was taken at the start, and only if nobody reads at that moment: it never waits, and
//! allocates nothing. Who reads has the state at one event, whole.

use super::exposure::Sum;
use super::rates::Counted;
use super::turned_away::TurnedAway;
use crate::domain::{Pauses, Price, Time};
use std::sync::{Arc, Mutex};

/// What profit is compared with, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LossTrack {
    /// Profit, realised and not, fees taken off; units of 10^-8 quote, as the others.
    pub profit: i128,
    /// What it was when the day began.
    pub day_start: i128,
    /// The most that it was.
    pub peak: i128,
    /// How far it fell within the window of the loss velocity; of everything together alone.
    pub fell: i128,
    /// Positions that were closed with a loss, one after the other; of one strategy alone.
    pub losses_in_a_row: u32,
}

/// See the module. Amounts are in units of 10^-8 quote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RiskSnapshot {
    /// The event's time; zero before the first.
    pub time: Time,
    /// Whether what an earlier run left stands at its cost, since the market has not said yet what all of it is worth: profits,
    /// and what follows from them, are of no use then.
    pub awaits_prices: bool,
    /// When the next day begins.
    pub day_ends: Time,
    /// Everything together.
    pub whole: LossTrack,
    /// By strategy.
    pub strategies: Vec<LossTrack>,
    /// What an instrument's positions are valued at, zero where that is not known.
    pub marks: Vec<Price>,
    /// Positions at the mark, by instrument, longs and shorts against each other.
    pub values: Vec<i128>,
    /// By instrument, whether anybody holds a lot of it: what is less no order closes.
    pub lots_held: Vec<bool>,
    /// Worst gross exposure, by strategy and, within it, by instrument.
    pub cells: Vec<i128>,
    /// Open orders, by strategy and, within it, by instrument.
    pub cell_orders: Vec<u32>,
    /// Trades the same way that a next one could still go on with, one after the other; likewise.
    pub same_way: Vec<u32>,
    /// How long an instrument's market was silent, ns; none before it said anything, and where nothing is to be heard.
    pub silent_ns: Vec<Option<u64>>,
    /// How far the venue's clock is from ours, ns.
    pub clock_lag_ns: u64,
    /// What is free of an instrument's quote asset in its wallet; none where no balances are known, or none is needed.
    pub quote_free: Vec<Option<i128>>,
    /// Exposure by instrument.
    pub by_instrument: Vec<Sum>,
    /// By strategy.
    pub by_strategy: Vec<Sum>,
    /// By group.
    pub by_group: Vec<Sum>,
    /// By account.
    pub by_account: Vec<Sum>,
    /// Of everything.
    pub portfolio: Sum,
    /// What each strategy sent.
    pub sent: Vec<Counted>,
    /// What all of them sent.
    pub sent_all: Counted,
    /// Trades of each strategy since the day began.
    pub trades_today: Vec<u32>,
    /// Orders of each strategy that did not come to the market, since the run began.
    pub turned_away: Vec<TurnedAway>,
    /// Who holds which instrument back.
    pub pauses: Pauses,
}

/// The snapshot that both sides have.
pub type SharedSnapshot = Arc<Mutex<RiskSnapshot>>;
