//! The host as a latency-sensitive program sees it: what is set, what should be, and the exact change.
//!
//! Owns: reading `/proc` and `/sys` into [`HostFacts`], and the one table of [checks](check::CHECKS) over them.
//! Touches nothing: it only reads, without libc and without privileges. Invariant: no content of those files, present,
//! absent or absurd, makes it panic or fail; what cannot be read is `None` or empty, and a check then says `Unknown`.

pub mod check;
pub mod cpu_list;
pub mod facts;
mod gather;

pub use check::{Finding, Level, findings};
pub use facts::HostFacts;
