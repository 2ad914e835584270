//! Signs of life of the engine, from its own thread: what else could tell a process that trades from one that hangs?

use super::request::FeedReply;
use crate::run::live::{LiveStatus, SharedHealth};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// See the module; both ends.
#[derive(Debug, Clone)]
pub struct Vitals {
    shared: Arc<Shared>,
    health: SharedHealth,
    begun: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    beats: AtomicU64,
    events: AtomicU64,
    feed: [AtomicU64; 6],
    /// Milliseconds from `begun` to the last beat.
    at_ms: AtomicU64,
}

impl Default for Vitals {
    fn default() -> Self {
        Self { shared: Arc::default(), health: SharedHealth::default(), begun: Instant::now() }
    }
}

impl Vitals {
    /// The feed's thread is alive.
    pub fn beat(&self, status: &LiveStatus) {
        let at = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.events.store(status.seq, Ordering::Relaxed);
        let counts = [status.connections_live, status.connections, status.books_synced, status.books];
        let counts =
            counts.map(|count| count as u64).into_iter().chain([status.frames, status.decode_errors]);
        for (told, count) in self.shared.feed.iter().zip(counts) {
            told.store(count, Ordering::Relaxed);
        }
        self.shared.at_ms.store(at, Ordering::Relaxed);
        self.shared.beats.fetch_add(1, Ordering::Release);
    }

    /// Beats so far.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.shared.beats.load(Ordering::Acquire)
    }

    /// Events published at the last beat.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.shared.events.load(Ordering::Relaxed)
    }

    /// How the feed stood then.
    #[must_use]
    pub fn feed(&self) -> FeedReply {
        let [connections_live, connections, books_synced, books, frames, decode_errors] =
            std::array::from_fn(|at| self.shared.feed[at].load(Ordering::Relaxed));
        FeedReply { connections_live, connections, books_synced, books, frames, decode_errors }
    }

    /// How each connection and each book stands.
    pub(in crate::run) fn health(&self) -> SharedHealth {
        Arc::clone(&self.health)
    }

    /// How long ago that was.
    #[must_use]
    pub fn since(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_millis(self.shared.at_ms.load(Ordering::Relaxed)))
    }
}
