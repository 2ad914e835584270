//! Binance's market streams as a state machine without I/O: what happened and the time in, what to do out.
//!
//! Owns: which streams go over which connection, when connections are opened, replaced and given up, which frames are
//! new, and which books have to be fetched anew, and which bars asked for. Has no socket, no clock and no thread: the live feed carries out the
//! [`Request`]s and reports what came of them, and so can a test.
//!
//! Facts: at most 1,024 streams a connection, 5 messages a second to the venue, 300 connections in five minutes, a cut
//! after 24 hours, `serverShutdown` before a planned one, REST by weight (sources: the venue's "WebSocket Streams" and
//! "Market Data endpoints" pages, spot, USD-M and COIN-M editions).

mod admission;
mod bars;
mod book_watch;
mod client;
mod clock;
mod counts;
mod doubt;
mod line;
mod messages;
mod plan;
mod snapshots;
mod subscription;
#[cfg(test)]
mod tests;

pub use admission::Verdict;
pub use bars::BarsAsked;
pub use book_watch::SnapshotVerdict;
pub use client::{FollowedState, LineState, Request, StreamClient, StreamSettings};
pub use counts::StreamCounts;
pub use doubt::{Loss, UnreadFrames};
pub use line::ConnectionId;
pub use plan::{STREAMS, StreamKind, StreamName};
pub use snapshots::{ASIDE, FetchFailure, snapshot_weight};
