//! The market stage: books, bars and indicators, kept from the events of the ring.
//!
//! Owns: what the market looks like. Tells the strategy stage by a lane and nobody else; sends no orders. Invariant:
//! each indicator is computed once, however many strategies use it.

pub mod bar;
pub mod book;
pub mod indicator;
pub mod known;
pub mod message;
pub mod request;
pub mod stage;
pub(crate) mod trade_ids;

pub use bar::{BarBuilder, BarSpec, IncompleteBars};
pub use known::{KnownIndicators, known_values};
pub use message::{Bar, MarketMessage, Top};
pub use request::IndicatorRequest;
pub use stage::{MarketSettings, MarketStage, Sourcing, TopSource};
