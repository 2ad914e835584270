//! Risk: between what strategies want and what a gateway sees stands this stage.
//!
//! Owns: limits, the kill switch, and the right to make an [`Approved`]. Keeps its own positions and open orders from the
//! same events. Invariant: no order reaches a gateway that this stage did not approve at the event that asked for it.
//!
//! A loss that is over its limit, and an operator's kill, stop the same way: at that very event orders are denied and
//! what is open is taken back; only what reduces and leaves at once still passes, and, unless positions are closed, what
//! reduces and waits for its price, which stays as well. What a loss stopped enters the ring as a
//! command, like an operator's, so that the journal has it.

pub mod approved;
mod carried;
mod day;
mod exposure;
mod judge;
pub mod limits;
mod live;
mod losses;
pub mod metrics;
mod rates;
mod recent;
mod room;
pub mod rule;
pub mod rules;
mod setup;
pub mod snapshot;
pub mod stage;
mod switch;
mod turned_away;
pub mod units;
pub mod watch;
mod witness;

pub use approved::Approved;
pub use carried::{Carried, CarriedTrack};
pub use day::DayBoundary;
pub use exposure::Sum;
pub use limits::RiskLimits;
pub use rates::{Counted, Pulse};
pub use rule::{EveryRule, NoRules, RULES, Refusal, RuleList, RuleSpec};
pub use rules::filters;
pub use setup::RiskSetup;
pub use stage::{RiskStage, Verdict, VerdictBody};
pub use turned_away::{TurnedAway, TurnedAwayOrder};
pub use units::{Told, Unit, rule_of};
pub use witness::{Comparison, Heard, WatchedRules};
