//! The journal: what happened, in ring order, hashed always and written where asked.
//!
//! Owns: the journal's file format, its writer, its reader, the follower of one that grows, and the order stream's hash. Invariant: the stage stands
//! before the gateway in the chain, so an order is in the kernel's hands before it is in the gateway's.

pub mod follower;
pub mod format;
pub mod reader;
pub mod stage;
pub mod writer;

pub use follower::{Follower, Next};
pub use format::{Entry, JournalError, JournalHeader, JournalStrategy};
pub use reader::JournalReader;
pub use stage::JournalStage;
pub use writer::{JournalSink, JournalWriter, SyncPolicy};
