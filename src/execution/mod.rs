//! Execution: the states of orders, the books of what was earned, and the gateways that hand orders over.
//!
//! Owns: order states and ledgers of record. Takes verdicts from risk and reports from the ring; sends records to the
//! journal and orders to a gateway. Invariant: position = sum of fills, to the last digit, always.

pub mod fills;
pub mod live;
pub mod paper;
pub mod record;
pub mod score;
pub mod stage;

pub use live::LiveGateway;
pub use paper::{PaperGateway, PaperSettings};
pub use record::{Record, RecordKind};
pub use stage::{ExecutionCounts, ExecutionStage, GatewayMessage};
