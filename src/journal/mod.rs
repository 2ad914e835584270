//! The journal: what happened, in ring order, hashed always and written where asked.
//!
//! Owns: the journal's file format, its writer, its reader, the follower of one that grows, the order stream's hash, and
//! building desks again; and the modes of files that show orders. Invariant: the stage stands before the gateway in the
//! chain, so an order is in the kernel's hands before it is in the gateway's.

pub mod follower;
pub mod format;
pub mod locked;
pub mod private;
pub mod reader;
pub mod recover;
pub mod stage;
pub mod successor;
pub mod writer;

pub use follower::{Follower, Next};
pub use format::{Entry, JournalError, JournalHeader, JournalStrategy, Lineage};
pub use locked::LockedFile;
pub use private::{private_dir, private_dir_of, private_file};
pub use reader::JournalReader;
pub use recover::{Recovered, Recovery, Resumed, Unpriced, recover};
pub use stage::JournalStage;
pub use writer::{JournalSink, JournalWriter, SyncPolicy};
