//! The audit trail: who decided what, when and by which settings, in a file that cannot be changed unseen.
//!
//! A trail is a file of lines, one record each: its hash, a space, the record as JSON. The hash is the SHA-256 of the
//! hash before it and of the record's bytes, so that a record that is flipped, removed, added or moved breaks every
//! hash from there on. What such a chain cannot show by itself, that its end was cut off or that all of it was written
//! anew, the *anchors* show: now and then the number and hash of the newest record go to places outside the file (a
//! file of anchors, the log, a webhook).
//!
//! The chain is not in the journal but in a file of its own, made from the journal by a follower beside the run:
//! - the journal stands before the gateway, so whatever it did would be in the way of every order; and hashing the
//!   market's slots, of which there are a thousand for each decision, would be paid there;
//! - the journal's market data may be pruned after days, while a trail is to be kept for years;
//! - who came to the program and what was refused to them never passes the ring, and belongs here;
//! - lines of text are read by any tool, with no program of ours.
//!
//! Nothing is lost by following: the journal has each decision before it takes effect, and a trail that fell behind, or
//! whose writer was killed, goes on from its last whole record (`audit load`).
//!
//! Owns: the records, the chain, the anchors, verifying and exporting. Reads journals and writes trails, and nothing of
//! it reaches a stage. Invariant: a trail only grows, and each record of the journal is in it once.

pub mod chain;
pub mod error;
pub mod export;
mod limits;
pub mod projector;
pub mod record;
pub mod scribe;
pub mod verify;
pub mod writer;

pub use chain::{Anchor, Link};
pub use error::AuditError;
pub use export::{ExportFormat, export};
pub use limits::Limits;
pub use projector::Projector;
pub use record::{Body, Stamp};
pub use scribe::{Scribe, Scribed};
pub use verify::{Fault, Verified, verify, verify_file};
pub use writer::TrailWriter;
