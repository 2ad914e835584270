//! Order books: exact, dense near the touch, and never shown before they are synchronised.
//!
//! Owns: a book's levels ([`Book`]), its synchronisation with the venue ([`BookSync`]), and the check of one stream
//! against another ([`BboCheck`]). Invariant: after an applied event a book equals what a plain ordered map would hold.

mod bbo;
pub mod far;
mod keeper;
mod ladder;
mod pending;
pub mod side;
mod sync;
pub mod window;

pub use bbo::BboCheck;
pub use keeper::BookKeeper;
pub use ladder::Book;
pub use pending::PendingDiffs;
pub use sync::{BookSync, DepthKind, SyncCounts, SyncOutcome};
