//! Where a venue's best bid and ask and the book that is kept of it are not the same at one update id.
//!
//! The market stage, which has both, finds it; the feed, which knows of connections and fetches, acts on it.

use super::InstrumentId;

/// So many that differ in a row are no accident: levels are missing, or wrong.
pub const DIFFER_MAX: u32 = 3;

/// A quote and the book differ at one update id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction {
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Whether it is the last of [`DIFFER_MAX`] in a row.
    pub lasting: bool,
}
