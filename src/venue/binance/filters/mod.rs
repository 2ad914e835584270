//! The venue's filters: what an order must keep to, checked in exact integers before it is sent, or on arrival.
//!
//! Owns: each filter's formula, which filter is named first, and how an order is fitted to them. Pure: what the rest
//! of the market and the account say is passed in, nothing is looked up. The same [`Filters::check`] serves a client
//! that would rather not be refused and a venue that refuses. Invariant: what [`Filters::fit`] returns passes
//! [`Filters::check`], and asks for no more than what it was given.

mod breach;
mod check;
mod fit;
mod name;
mod plain;
mod range;
mod rules;
mod terms;

pub use breach::{Bound, FilterBreach, Subject};
pub use fit::{FitPolicy, OffStep, UnknownReference};
pub use name::FilterName;
pub use plain::Plain;
pub use range::PriceRange;
pub use rules::{
    CountLimits, Filters, LotSize, MinNotional, Multiplier, NotionalRange, PercentPrice, PercentPriceBySide,
    PriceFilter, TrailingDelta,
};
pub use terms::{AccountState, MarketState, OpenCounts, OrderType, Size, Terms};
