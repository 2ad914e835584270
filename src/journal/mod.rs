//! The journal: what happened, in ring order, hashed always and written where asked.
//!
//! Owns: the journal's file format, its writer, its reader, the follower of one that grows, the order stream's hash, and
//! building desks again. Invariant: the stage stands before the gateway in the chain, so an order is in the kernel's
//! hands before it is in the gateway's.

pub mod follower;
pub mod format;
pub mod locked;
pub mod reader;
pub mod recover;
pub mod stage;
pub mod successor;
pub mod writer;

pub use follower::{Follower, Next};
pub use format::{Entry, JournalError, JournalHeader, JournalStrategy};
pub use locked::LockedFile;
pub use reader::JournalReader;
pub use recover::{Recovered, Recovery, Resumed, Unpriced, recover};
pub use stage::JournalStage;
pub use writer::{JournalSink, JournalWriter, SyncPolicy};
