//! Diffs that came before their book's snapshot: one bounded pool for all books of a stage.

use crate::domain::event::DepthHead;
use crate::domain::{InstrumentId, Level};

/// Levels the pool holds.
const LEVELS_MAX: usize = 65_536;
/// Diffs the pool holds.
const DIFFS_MAX: usize = 8_192;

/// See the module. What does not fit is dropped and counted; the gap that leaves is found when the book bridges.
#[derive(Debug)]
pub struct PendingDiffs {
    diffs: Vec<PendingDiff>,
    levels: Vec<Level>,
    dropped: u64,
    open: bool,
}

#[derive(Debug, Clone, Copy)]
struct PendingDiff {
    head: DepthHead,
    start: usize,
    len: usize,
}

impl Default for PendingDiffs {
    fn default() -> Self {
        Self::new()
    }
}

impl PendingDiffs {
    /// An empty pool; all its memory is taken now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            diffs: Vec::with_capacity(DIFFS_MAX),
            levels: Vec::with_capacity(LEVELS_MAX),
            dropped: 0,
            open: false,
        }
    }

    /// Diffs dropped for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn begin(&mut self, head: &DepthHead) {
        let fits =
            |pool: &Self| pool.diffs.len() < DIFFS_MAX && pool.levels.len() + head.levels() <= LEVELS_MAX;
        if !fits(self) {
            // The oldest of this very book go first: without its newest diffs no snapshot can ever be bridged.
            self.dropped += self.remove(head.instrument);
        }
        self.open = fits(self);
        if self.open {
            self.diffs.push(PendingDiff { head: *head, start: self.levels.len(), len: 0 });
        } else {
            self.dropped += 1;
        }
    }

    pub(super) fn level(&mut self, level: Level) {
        if self.open
            && let Some(diff) = self.diffs.last_mut()
        {
            self.levels.push(level);
            diff.len += 1;
        }
    }

    /// The index of this instrument's first diff at or after `from`.
    pub(super) fn next(&self, instrument: InstrumentId, from: usize) -> Option<usize> {
        (from..self.diffs.len()).find(|i| self.diffs[*i].head.instrument == instrument)
    }

    pub(super) fn get(&self, index: usize) -> (&DepthHead, &[Level]) {
        let diff = &self.diffs[index];
        (&diff.head, &self.levels[diff.start..diff.start + diff.len])
    }

    /// Forgets this instrument's diffs; says how many there were.
    pub(super) fn remove(&mut self, instrument: InstrumentId) -> u64 {
        let before = self.diffs.len();
        let mut kept_levels = 0;
        let levels = &mut self.levels;
        self.diffs.retain_mut(|diff| {
            if diff.head.instrument == instrument {
                return false;
            }
            levels.copy_within(diff.start..diff.start + diff.len, kept_levels);
            diff.start = kept_levels;
            kept_levels += diff.len;
            true
        });
        self.levels.truncate(kept_levels);
        (before - self.diffs.len()) as u64
    }
}
