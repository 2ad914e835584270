//! Risk: between what strategies want and what a gateway sees stands this stage.
//!
//! Owns: limits, and the right to make an [`Approved`]. Keeps its own positions and open orders from the same events.
//! Invariant: no order reaches a gateway that this stage did not approve at the event that asked for it.

pub mod approved;
mod exposure;
pub mod filters;
pub mod limits;
pub mod metrics;
pub mod rule;
pub mod stage;

pub use approved::Approved;
pub use limits::RiskLimits;
pub use rule::{RULES, RuleSpec};
pub use stage::{RiskStage, Verdict, VerdictBody};
