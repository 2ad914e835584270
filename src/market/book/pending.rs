//! Diffs that came before their book's snapshot: one bounded pool for all books of a thread.

use crate::domain::event::DepthHead;
use crate::domain::kept::{KEPT_DIFFS_MAX, KEPT_LEVELS_MAX, Keep, Kept};
use crate::domain::{InstrumentId, Level};

/// Books that can have all they may at once. A live feed fetches one of each of three markets at a time, and lets pass
/// no diff of a book that waits for its turn but the one that showed its gap.
const BOOKS: usize = 4;
/// Levels the pool holds.
const LEVELS_MAX: usize = BOOKS * KEPT_LEVELS_MAX;
/// Diffs the pool holds.
const DIFFS_MAX: usize = BOOKS * KEPT_DIFFS_MAX;

/// See the module. A book whose share is used up begins anew with its newest diff, as the feed knows that it does.
/// Where more books wait than a feed lets wait, in a recording of many, the oldest diffs of all make room: a snapshot
/// that is no older than those that are left still finds what it has to join. What is dropped is counted.
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
    /// An empty pool; all its memory is reserved now.
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

    /// A diff begins, of a book of which `kept` is there.
    pub(super) fn begin(&mut self, head: &DepthHead, kept: &mut Kept) {
        let keep = kept.add(head.levels());
        if keep != Keep::Behind {
            self.dropped += self.remove(head.instrument);
        }
        self.open = keep != Keep::Not;
        if self.open {
            self.make_room(head.levels());
            self.diffs.push(PendingDiff { head: *head, start: self.levels.len(), len: 0 });
        } else {
            self.dropped += 1;
        }
    }

    /// Drops the oldest diffs until one more of so many levels, at most one book's share, fits: many at once, since each
    /// time all the others are moved.
    fn make_room(&mut self, levels: usize) {
        let cut = if self.levels.len() + levels > LEVELS_MAX {
            self.diffs.partition_point(|diff| diff.start < KEPT_LEVELS_MAX)
        } else if self.diffs.len() == DIFFS_MAX {
            KEPT_DIFFS_MAX
        } else {
            return;
        };
        let start = self.diffs.get(cut).map_or(self.levels.len(), |diff| diff.start);
        self.levels.drain(..start);
        self.diffs.drain(..cut);
        self.diffs.iter_mut().for_each(|diff| diff.start -= start);
        self.dropped += cut as u64;
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
