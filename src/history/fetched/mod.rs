//! What a venue's REST interface answers about the past, on its way into the history.
//!
//! Owns: what to ask for next, the reading of answers, and the rows that have come and are not in the history yet. No
//! network and no clock: who fetches is in `run`.
//!
//! Rows are written down as they come, in the layout of the venue's own dumps ([`Spool`]), and a stretch of them (a day, a
//! month, a year) is then imported like a dump: whole or not at all. Where to go on is nowhere written down: it is what the
//! catalogue lacks ([`missing`]). So a process that is killed leaves rows that are imported when the next one starts, and
//! it asks for those after them. Invariant: no row is in the history twice, and none between two that are there is lost.

mod page;
mod plan;
mod series;
mod spool;

pub use page::{FetchedRow, PageError, read};
pub use plan::{Stretch, missing};
pub use series::{FetchKind, FetchedSeries, INTERVALS, Interval};
pub use spool::{Recovered, Spool, SpoolError, recover};
