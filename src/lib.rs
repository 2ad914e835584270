//! algo-trader: an automated trading system whose pipeline is deterministic, lock-free and measured.
//!
//! Everything that happens enters one ring in one order; every stage sees it in that order. `ARCHITECTURE.md` draws
//! the whole; the module list below, read top to bottom, is the way of a tick to an order.

pub mod calendar;
pub mod domain;
pub mod net;
pub mod pipeline;
pub mod security;
pub mod venue;

pub mod execution;
pub mod market;
pub mod risk;
pub mod strategy;

pub mod audit;
pub mod history;
pub mod journal;
pub mod store;
pub mod surveillance;

pub mod monitor;
pub mod statistics;

pub mod report;

pub mod run;

pub mod testing;

pub mod cli;
