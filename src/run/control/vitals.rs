//! Signs of life of the engine, from its own thread: what else could tell a process that trades from one that hangs?
//!
//! The feed's thread beats, and only while the stages handle what it publishes: where these have threads of their own, one
//! that hangs would otherwise be seen once the ring is full, and until then nothing is traded, taken back or stopped.

use super::request::FeedReply;
use super::stages::StagesReply;
use crate::run::live::{LiveStatus, SharedHealth};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Stages that are behind for less are told to nobody.
const BEHIND_MS: u64 = 1_000;

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
    /// How far the last stage was.
    handled: AtomicU64,
    /// Milliseconds from `begun` to when the oldest event was published that a stage has not handled, and one more; zero where
    /// none waits.
    waiting_since: AtomicU64,
    feed: [AtomicU64; 6],
    /// Milliseconds from `begun` to the last beat.
    at_ms: AtomicU64,
}

/// What was published, and when, until every stage has handled it.
#[derive(Debug)]
pub(in crate::run) struct Backlog {
    marks: VecDeque<(u64, Instant)>,
}

/// Marks that are kept at once: what is published later counts from the last of them on.
const MARKS: usize = 1_024;

impl Default for Backlog {
    fn default() -> Self {
        Self { marks: VecDeque::with_capacity(MARKS) }
    }
}

impl Backlog {
    /// Takes in how much was published by now, and how much of it is handled; says when the oldest that is not was seen first.
    pub fn look(&mut self, published: u64, handled: u64, now: Instant) -> Option<Instant> {
        while self.marks.front().is_some_and(|(seq, _)| *seq <= handled) {
            self.marks.pop_front();
        }
        let newest = self.marks.back().map_or(handled, |(seq, _)| *seq);
        if newest < published && self.marks.len() < MARKS {
            self.marks.push_back((published, now));
        }
        self.marks.front().map(|(_, at)| *at)
    }
}

impl Default for Vitals {
    fn default() -> Self {
        Self { shared: Arc::default(), health: SharedHealth::default(), begun: Instant::now() }
    }
}

impl Vitals {
    /// The feed's thread is alive, and so are the stages, if they have handled all or something since the last time.
    pub fn beat(&self, status: &LiveStatus) {
        let before = self.note(status);
        if status.handled >= status.seq || status.handled != before {
            self.note_beat();
        }
    }

    /// The same whatever the stages have handled: begin and end are bounded, and stages that failed handle nothing any more.
    /// What counts is that somebody is at it.
    pub(in crate::run) fn beat_anyway(&self, status: &LiveStatus) {
        self.note(status);
        self.note_beat();
    }

    fn note_beat(&self) {
        self.shared.at_ms.store(self.ms(Instant::now()), Ordering::Relaxed);
        self.shared.beats.fetch_add(1, Ordering::Release);
    }

    /// Shows how the run is doing; gives how far the stages were before.
    fn note(&self, status: &LiveStatus) -> u64 {
        self.shared.events.store(status.seq, Ordering::Relaxed);
        let counts = [status.connections_live, status.connections, status.books_synced, status.books];
        let counts =
            counts.map(|count| count as u64).into_iter().chain([status.frames, status.decode_errors]);
        for (told, count) in self.shared.feed.iter().zip(counts) {
            told.store(count, Ordering::Relaxed);
        }
        self.shared.handled.swap(status.handled, Ordering::Relaxed)
    }

    /// Since when the oldest event waits that a stage has not handled.
    pub(in crate::run) fn note_waiting(&self, since: Option<Instant>) {
        let since = since.map_or(0, |since| self.ms(since).saturating_add(1));
        self.shared.waiting_since.store(since, Ordering::Relaxed);
    }

    /// How far the stages are behind; none where nothing has waited for long.
    pub(in crate::run) fn stages_behind(&self) -> Option<StagesReply> {
        let since = self.shared.waiting_since.load(Ordering::Relaxed).checked_sub(1)?;
        let for_ms = self.ms(Instant::now()).saturating_sub(since);
        let handled = self.shared.handled.load(Ordering::Relaxed);
        let events = self.events().saturating_sub(handled);
        (for_ms >= BEHIND_MS).then_some(StagesReply { events, for_ms })
    }

    fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_told_by_the_oldest_of_it_however_much_comes_and_goes() {
        let (mut backlog, begun) = (Backlog::default(), Instant::now());
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut waits = |ms, published, handled| {
            backlog.look(published, handled, at(ms)).map(|since| (since - begun).as_millis())
        };
        assert_eq!(waits(0, 0, 0), None);
        assert_eq!(waits(200, 10, 10), None);
        // One that is slow, but goes on, is behind by what it has not come to.
        assert_eq!(waits(400, 20, 12), Some(400));
        assert_eq!(waits(600, 30, 19), Some(400));
        assert_eq!(waits(800, 40, 20), Some(600));
        // One that hangs.
        for n in 0..2 * MARKS as u64 {
            assert_eq!(waits(1_000 + n * 200, 50 + n, 20), Some(600));
        }
        assert_eq!(waits(900_000, 5_000, 5_000), None);
        assert_eq!(waits(900_200, 5_001, 5_000), Some(900_200));
    }

    #[test]
    fn only_stages_that_handle_what_is_published_are_a_sign_of_life() {
        let vitals = Vitals::default();
        let beats = |seq, handled| {
            let before = vitals.beats();
            vitals.beat(&LiveStatus { seq, handled, ..LiveStatus::default() });
            vitals.beats() - before
        };
        assert_eq!((beats(0, 0), beats(9, 9), beats(9, 9)), (1, 1, 1), "nothing comes, and all is handled");
        assert_eq!((beats(19, 12), beats(29, 13)), (1, 1), "slow, and alive");
        assert_eq!((beats(39, 13), beats(39, 13), beats(49, 13)), (0, 0, 0));
        assert_eq!((beats(59, 14), beats(59, 59)), (1, 1));
        let (before, end) = (vitals.beats(), LiveStatus { seq: 59, handled: 58, ..LiveStatus::default() });
        (0..2).for_each(|_| vitals.beat_anyway(&end));
        assert_eq!(vitals.beats() - before, 2, "at the end, whatever they do");
        assert_eq!(vitals.events(), 59);
    }
}
