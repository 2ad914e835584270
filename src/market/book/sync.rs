//! Synchronising a book: snapshot, diffs, and the venue's rule of which follows which.
//!
//! Binance, spot: the first diff applied covers `lastUpdateId + 1`, each next one begins at most one past the last.
//! Futures: the first diff applied straddles `lastUpdateId`, each next one names the last update id of the one before
//! (`pu`). Sources: the venue's "How to manage a local order book correctly", spot and USD-M editions.

use super::ladder::Book;
use super::pending::PendingDiffs;
use crate::domain::event::DepthHead;
use crate::domain::kept::Kept;
use crate::domain::{Level, Market, Price, Side};

/// What kind of depth event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepthKind {
    /// Changes.
    Diff,
    /// A whole book.
    Snapshot,
    /// The best few levels, whole.
    Partial,
}

/// What became of a depth event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncOutcome {
    /// In the book.
    Applied,
    /// Kept until a snapshot comes.
    Buffered,
    /// Older than the book: nothing to do.
    Stale,
    /// Something between is missing: the book is invalid until the next snapshot.
    Gap,
    /// The book is whole; this many kept diffs were applied on top of the snapshot.
    Synced(u32),
    /// The snapshot is older than the first kept diff: another one is needed.
    NotBridging,
}

/// Counters of one book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SyncCounts {
    /// Diffs applied.
    pub diffs: u64,
    /// Levels set or removed.
    pub levels: u64,
    /// Gaps found after the book was synchronised.
    pub gaps: u64,
    /// Diffs older than the book.
    pub stale: u64,
    /// Snapshots applied.
    pub snapshots: u64,
    /// Snapshots too old to be of use.
    pub not_bridging: u64,
    /// Times the book was crossed after an applied event.
    pub crossed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No snapshot yet, or a gap since.
    Unsynced,
    /// A snapshot, and no diff on top of it yet.
    Bridging,
    /// In step with the venue.
    Synced,
    /// Fed by partial books: the best levels, until a snapshot brings the whole.
    Shallow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    Apply,
    Buffer,
    Skip(SyncOutcome),
    Replace(DepthKind),
}

/// A book with its synchronisation.
#[derive(Debug)]
pub struct BookSync {
    book: Book,
    futures: bool,
    state: State,
    last_id: u64,
    doing: Doing,
    /// By side: the last level of what last replaced the book.
    reach: [Option<Price>; 2],
    bids_left: u32,
    head: Option<DepthHead>,
    /// Of this book, among what waits for a snapshot.
    kept: Kept,
    crossed: bool,
    counts: SyncCounts,
}

enum Verdict {
    Apply,
    Stale,
    Gap,
}

impl BookSync {
    /// An empty, unsynchronised book of a market with this rule.
    #[must_use]
    pub fn new(market: Market, tick: Price) -> Self {
        Self {
            book: Book::new(tick),
            futures: market != Market::Spot,
            state: State::Unsynced,
            last_id: 0,
            doing: Doing::Nothing,
            reach: [None; 2],
            bids_left: 0,
            head: None,
            kept: Kept::default(),
            crossed: false,
            counts: SyncCounts::default(),
        }
    }

    /// The book; meaningful while [`valid`](Self::valid).
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Whether the book is in step with the venue, and could be one: no bid is met by an ask.
    #[inline]
    #[must_use]
    pub fn valid(&self) -> bool {
        self.state != State::Unsynced && self.doing == Doing::Nothing && !self.crossed
    }

    /// How often the book was replaced, by a snapshot or a partial book; what it did not show was forgotten then.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.counts.snapshots
    }

    /// Whether what last replaced the book showed its side as far as this price: further on it told of nothing.
    #[must_use]
    pub fn reaches(&self, side: Side, price: Price) -> bool {
        self.reach[side as usize].is_some_and(|last| side.at_least_as_aggressive(price, last))
    }

    /// Whether diffs tell of every change since.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.state == State::Synced
    }

    /// The update id the book stands at.
    #[inline]
    #[must_use]
    pub fn last_update_id(&self) -> u64 {
        self.last_id
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> &SyncCounts {
        &self.counts
    }

    /// The venue's messages were interrupted: the book is invalid until the next snapshot, and what was kept for it is
    /// of no use.
    pub fn interrupt(&mut self, instrument: crate::domain::InstrumentId, pending: &mut PendingDiffs) {
        self.state = State::Unsynced;
        self.doing = Doing::Nothing;
        self.head = None;
        self.kept = Kept::default();
        pending.remove(instrument);
    }

    fn judge(&self, head: &DepthHead) -> Verdict {
        let last = self.last_id;
        if self.futures {
            let follows = match self.state {
                State::Synced => head.prev_id == last,
                _ => {
                    head.last_id >= last && (head.first_id <= last.saturating_add(1) || head.prev_id <= last)
                }
            };
            match (follows, head.last_id <= last) {
                (true, _) => Verdict::Apply,
                (false, true) => Verdict::Stale,
                (false, false) => Verdict::Gap,
            }
        } else if head.last_id <= last {
            Verdict::Stale
        } else if head.first_id <= last.saturating_add(1) {
            Verdict::Apply
        } else {
            Verdict::Gap
        }
    }

    /// An event begins; its levels follow, then [`end`](Self::end).
    #[inline]
    pub fn begin(&mut self, head: &DepthHead, kind: DepthKind, pending: &mut PendingDiffs) {
        self.bids_left = head.bids;
        self.head = Some(*head);
        self.doing = match kind {
            DepthKind::Diff => self.begin_diff(head, pending),
            DepthKind::Snapshot => {
                // Partials run ahead of what is fetched, but a whole book is more than any of them.
                let partly = matches!(self.state, State::Unsynced | State::Shallow);
                let newer = partly || head.last_id > self.last_id;
                if newer { Doing::Replace(kind) } else { Doing::Skip(SyncOutcome::Stale) }
            }
            DepthKind::Partial => match self.state {
                State::Unsynced | State::Shallow if self.counts.diffs == 0 => Doing::Replace(kind),
                _ => Doing::Skip(SyncOutcome::Stale),
            },
        };
        if matches!(self.doing, Doing::Replace(_)) {
            self.book.clear();
            self.reach = [None; 2];
        }
    }

    fn begin_diff(&mut self, head: &DepthHead, pending: &mut PendingDiffs) -> Doing {
        if matches!(self.state, State::Unsynced | State::Shallow) {
            pending.begin(head, &mut self.kept);
            return Doing::Buffer;
        }
        match self.judge(head) {
            Verdict::Apply => Doing::Apply,
            Verdict::Stale => Doing::Skip(SyncOutcome::Stale),
            Verdict::Gap => {
                self.counts.gaps += 1;
                self.state = State::Unsynced;
                pending.begin(head, &mut self.kept);
                Doing::Buffer
            }
        }
    }

    /// Levels of the event: bids first.
    #[inline]
    pub fn levels(&mut self, levels: &[Level], pending: &mut PendingDiffs) {
        let (bids, asks) = levels.split_at((self.bids_left as usize).min(levels.len()));
        self.bids_left -= bids.len() as u32;
        match self.doing {
            Doing::Apply | Doing::Replace(_) => {
                self.counts.levels += levels.len() as u64;
                self.book.set_all(Side::Buy, bids);
                self.book.set_all(Side::Sell, asks);
                if self.doing != Doing::Apply {
                    self.reach_to(Side::Buy, bids);
                    self.reach_to(Side::Sell, asks);
                }
            }
            Doing::Buffer => levels.iter().for_each(|level| pending.level(*level)),
            Doing::Skip(_) | Doing::Nothing => {}
        }
    }

    fn reach_to(&mut self, side: Side, levels: &[Level]) {
        let reach = &mut self.reach[side as usize];
        for level in levels.iter().filter(|level| level.qty.0 > 0) {
            if reach.is_none_or(|last| side.at_least_as_aggressive(last, level.price)) {
                *reach = Some(level.price);
            }
        }
    }

    /// The event ends: only now does it count.
    #[inline]
    pub fn end(&mut self, pending: &mut PendingDiffs) -> SyncOutcome {
        let Some(head) = self.head.take() else { return SyncOutcome::Stale };
        let outcome = match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Apply => {
                self.applied(&head);
                SyncOutcome::Applied
            }
            Doing::Buffer => {
                if self.counts.gaps > 0 && self.state == State::Unsynced {
                    SyncOutcome::Gap
                } else {
                    SyncOutcome::Buffered
                }
            }
            Doing::Skip(outcome) => {
                self.counts.stale += 1;
                outcome
            }
            Doing::Replace(DepthKind::Partial) => {
                self.state = State::Shallow;
                self.last_id = head.last_id;
                self.counts.snapshots += 1;
                SyncOutcome::Applied
            }
            Doing::Replace(_) => self.bridge(&head, pending),
            Doing::Nothing => SyncOutcome::Stale,
        };
        self.crossed = self.state != State::Unsynced && self.book.is_crossed();
        self.counts.crossed += u64::from(self.crossed);
        outcome
    }

    #[inline]
    fn applied(&mut self, head: &DepthHead) {
        self.last_id = head.last_id;
        self.state = State::Synced;
        self.counts.diffs += 1;
    }

    /// A snapshot is in the book: put the kept diffs on top of it.
    #[cold]
    fn bridge(&mut self, head: &DepthHead, pending: &mut PendingDiffs) -> SyncOutcome {
        self.last_id = head.last_id;
        self.state = State::Bridging;
        self.counts.snapshots += 1;
        let mut applied = 0;
        let mut at = 0;
        while let Some(index) = pending.next(head.instrument, at) {
            at = index + 1;
            let (diff, levels) = pending.get(index);
            match self.judge(diff) {
                Verdict::Stale => self.counts.stale += 1,
                Verdict::Apply => {
                    let diff = *diff;
                    let bids = diff.bids as usize;
                    for (n, level) in levels.iter().enumerate() {
                        let side = if n < bids { Side::Buy } else { Side::Sell };
                        self.book.set(side, *level);
                    }
                    self.counts.levels += levels.len() as u64;
                    self.applied(&diff);
                    applied += 1;
                }
                Verdict::Gap => {
                    // Too old for what was kept: what was kept stays, for the next snapshot.
                    self.counts.not_bridging += 1;
                    self.state = State::Unsynced;
                    return SyncOutcome::NotBridging;
                }
            }
        }
        self.kept = Kept::default();
        pending.remove(head.instrument);
        SyncOutcome::Synced(applied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kept::KEPT_LEVELS_MAX;
    use crate::domain::{InstrumentId, Time};

    fn head(first_id: u64, last_id: u64, prev_id: u64) -> DepthHead {
        let instrument = InstrumentId(0);
        DepthHead { instrument, first_id, last_id, prev_id, venue_time: Time(0), bids: 1, asks: 1 }
    }

    struct Rig {
        sync: BookSync,
        pending: PendingDiffs,
    }

    impl Rig {
        fn new(market: Market) -> Self {
            Self { sync: BookSync::new(market, Price(1)), pending: PendingDiffs::new() }
        }

        /// An event with one bid at `10` and one ask at `20`, of quantity `qty`.
        fn feed(&mut self, kind: DepthKind, ids: (u64, u64, u64), qty: i64) -> SyncOutcome {
            self.sync.begin(&head(ids.0, ids.1, ids.2), kind, &mut self.pending);
            self.sync.levels(&[Level::new(10, qty)], &mut self.pending);
            self.sync.levels(&[Level::new(20, qty)], &mut self.pending);
            self.sync.end(&mut self.pending)
        }

        fn bid(&self) -> Option<i64> {
            self.sync.book().best_bid().map(|l| l.qty.0)
        }
    }

    #[test]
    fn spot_bridges_from_the_snapshot_and_applies_what_was_kept() {
        let mut rig = Rig::new(Market::Spot);
        assert_eq!(rig.feed(DepthKind::Diff, (1, 5, 0), 1), SyncOutcome::Buffered);
        assert_eq!(rig.feed(DepthKind::Diff, (6, 9, 0), 2), SyncOutcome::Buffered);
        assert!(!rig.sync.valid());
        assert_eq!(rig.feed(DepthKind::Snapshot, (7, 7, 0), 7), SyncOutcome::Synced(1));
        assert!(rig.sync.valid());
        assert_eq!((rig.bid(), rig.sync.last_update_id()), (Some(2), 9));
        assert_eq!(rig.feed(DepthKind::Diff, (10, 12, 0), 3), SyncOutcome::Applied);
        assert_eq!(rig.feed(DepthKind::Diff, (8, 11, 0), 4), SyncOutcome::Stale);
        assert_eq!(rig.bid(), Some(3));
    }

    #[test]
    fn a_missing_diff_is_a_gap_until_the_next_snapshot() {
        for market in [Market::Spot, Market::UsdM] {
            let mut rig = Rig::new(market);
            rig.feed(DepthKind::Snapshot, (10, 10, 0), 1);
            assert_eq!(rig.feed(DepthKind::Diff, (9, 12, 8), 2), SyncOutcome::Applied);
            assert_eq!(rig.feed(DepthKind::Diff, (15, 17, 14), 3), SyncOutcome::Gap);
            assert!(!rig.sync.valid(), "an invalid book is not shown");
            assert_eq!(rig.sync.counts().gaps, 1);
            assert_eq!(rig.feed(DepthKind::Diff, (18, 19, 17), 4), SyncOutcome::Gap);
            assert_eq!(rig.feed(DepthKind::Snapshot, (16, 16, 0), 9), SyncOutcome::Synced(2));
            assert!(rig.sync.valid());
            assert_eq!((rig.bid(), rig.sync.counts().gaps), (Some(4), 1));
        }
    }

    #[test]
    fn a_snapshot_older_than_what_was_kept_waits_for_another() {
        let mut rig = Rig::new(Market::Spot);
        rig.feed(DepthKind::Diff, (20, 22, 0), 1);
        assert_eq!(rig.feed(DepthKind::Snapshot, (10, 10, 0), 9), SyncOutcome::NotBridging);
        assert!(!rig.sync.valid());
        assert_eq!(rig.feed(DepthKind::Snapshot, (21, 21, 0), 9), SyncOutcome::Synced(1));
        assert_eq!(rig.sync.counts().gaps, 0);
    }

    #[test]
    fn an_interrupted_book_is_invalid_and_keeps_nothing_from_before() {
        let mut rig = Rig::new(Market::Spot);
        rig.feed(DepthKind::Snapshot, (10, 10, 0), 1);
        rig.feed(DepthKind::Diff, (11, 12, 0), 2);
        rig.sync.interrupt(InstrumentId(0), &mut rig.pending);
        assert!(!rig.sync.valid());
        assert_eq!(rig.feed(DepthKind::Diff, (40, 42, 0), 3), SyncOutcome::Buffered);
        rig.sync.interrupt(InstrumentId(0), &mut rig.pending);
        assert_eq!(rig.feed(DepthKind::Diff, (60, 62, 0), 4), SyncOutcome::Buffered);
        assert_eq!(rig.feed(DepthKind::Snapshot, (59, 59, 0), 9), SyncOutcome::Synced(1));
        assert_eq!((rig.bid(), rig.sync.counts().gaps), (Some(4), 0));
    }

    #[test]
    fn a_crossed_book_is_invalid_until_it_is_uncrossed() {
        let mut rig = Rig::new(Market::Spot);
        let feed = |rig: &mut Rig, kind, id: u64, bid: Level| {
            rig.sync.begin(&DepthHead { asks: 0, ..head(id, id, 0) }, kind, &mut rig.pending);
            rig.sync.levels(&[bid], &mut rig.pending);
            rig.sync.end(&mut rig.pending);
            (rig.sync.valid(), rig.sync.counts().crossed)
        };
        rig.feed(DepthKind::Snapshot, (10, 10, 0), 1);
        assert_eq!(feed(&mut rig, DepthKind::Diff, 11, Level::new(20, 1)), (false, 1));
        assert_eq!(feed(&mut rig, DepthKind::Diff, 12, Level::new(9, 1)), (false, 2));
        assert_eq!(feed(&mut rig, DepthKind::Diff, 13, Level::new(20, 0)), (true, 2));
        assert_eq!(feed(&mut rig, DepthKind::Diff, 14, Level::new(21, 1)), (false, 3));
        rig.feed(DepthKind::Snapshot, (15, 15, 0), 1);
        assert!(rig.sync.valid(), "fetched anew");
    }

    #[test]
    fn futures_follow_the_previous_update_id() {
        let mut rig = Rig::new(Market::UsdM);
        rig.feed(DepthKind::Snapshot, (100, 100, 0), 1);
        assert_eq!(rig.feed(DepthKind::Diff, (90, 99, 80), 2), SyncOutcome::Stale);
        assert_eq!(rig.feed(DepthKind::Diff, (95, 105, 94), 3), SyncOutcome::Applied);
        assert_eq!(rig.feed(DepthKind::Diff, (130, 140, 105), 4), SyncOutcome::Applied);
        assert_eq!(rig.feed(DepthKind::Diff, (141, 150, 139), 5), SyncOutcome::Gap);
    }

    #[test]
    fn the_last_update_id_there_is_breaks_nothing() {
        for market in [Market::Spot, Market::UsdM] {
            let (mut rig, last) = (Rig::new(market), u64::MAX);
            assert_eq!(rig.feed(DepthKind::Snapshot, (last, last, 0), 1), SyncOutcome::Synced(0));
            assert_eq!(rig.feed(DepthKind::Diff, (5, 6, 4), 2), SyncOutcome::Stale);
            assert_eq!(rig.bid(), Some(1));
        }
    }

    #[test]
    fn partial_books_alone_make_a_shallow_valid_book() {
        let mut rig = Rig::new(Market::Spot);
        assert_eq!(rig.feed(DepthKind::Partial, (5, 5, 0), 6), SyncOutcome::Applied);
        assert!(rig.sync.valid());
        assert_eq!(rig.bid(), Some(6));
    }

    #[test]
    fn a_book_reaches_as_far_as_what_replaced_it() {
        for kind in [DepthKind::Partial, DepthKind::Snapshot] {
            let mut rig = Rig::new(Market::Spot);
            let reaches = |rig: &Rig| {
                let of = |side, price| rig.sync.reaches(side, Price(price));
                [of(Side::Buy, 10), of(Side::Buy, 9), of(Side::Sell, 20), of(Side::Sell, 21)]
            };
            assert_eq!(reaches(&rig), [false; 4]);
            rig.feed(kind, (5, 5, 0), 6);
            assert_eq!((reaches(&rig), rig.sync.replaced()), ([true, false, true, false], 1));
            assert!(!rig.sync.is_followed());
            // Of one with nothing on a side nobody knows how far it goes.
            rig.sync.begin(&DepthHead { asks: 0, ..head(6, 6, 0) }, kind, &mut rig.pending);
            rig.sync.levels(&[9, 8].map(|bid| Level::new(bid, 1)), &mut rig.pending);
            rig.sync.end(&mut rig.pending);
            assert_eq!((reaches(&rig), rig.sync.replaced()), ([true, true, false, false], 2));
        }
        // Diffs tell of a level, and of none beside it.
        let mut rig = Rig::new(Market::Spot);
        rig.feed(DepthKind::Snapshot, (5, 5, 0), 6);
        rig.sync.begin(&DepthHead { asks: 0, ..head(6, 6, 0) }, DepthKind::Diff, &mut rig.pending);
        rig.sync.levels(&[Level::new(5, 1)], &mut rig.pending);
        rig.sync.end(&mut rig.pending);
        assert!(rig.sync.is_followed() && !rig.sync.reaches(Side::Buy, Price(9)));
    }

    #[test]
    fn partial_books_do_not_keep_the_whole_book_from_being_synchronised() {
        for market in [Market::Spot, Market::UsdM] {
            let mut rig = Rig::new(market);
            assert_eq!(rig.feed(DepthKind::Diff, (8, 10, 7), 1), SyncOutcome::Buffered);
            assert_eq!(rig.feed(DepthKind::Partial, (10, 10, 7), 6), SyncOutcome::Applied);
            assert_eq!(rig.feed(DepthKind::Diff, (11, 12, 10), 2), SyncOutcome::Buffered);
            assert_eq!(rig.feed(DepthKind::Partial, (12, 12, 10), 7), SyncOutcome::Applied);
            // What is fetched is older than the partial that came while it was on its way.
            assert_eq!(rig.feed(DepthKind::Snapshot, (9, 9, 0), 9), SyncOutcome::Synced(2));
            assert_eq!((rig.bid(), rig.sync.last_update_id()), (Some(2), 12));
            assert_eq!(rig.feed(DepthKind::Diff, (13, 14, 12), 3), SyncOutcome::Applied);
            assert_eq!(rig.feed(DepthKind::Partial, (15, 15, 14), 8), SyncOutcome::Stale, "diffs have it");
            assert_eq!((rig.sync.valid(), rig.bid()), (true, Some(3)));
        }
    }

    #[test]
    fn a_book_is_joined_by_its_newest_diffs_whatever_it_and_others_had_to_drop() {
        let levels = 1 + (KEPT_LEVELS_MAX / 2) as u32;
        let feed = |rig: &mut Rig, of: u16, id: u64| {
            let instrument = InstrumentId(of);
            let head = DepthHead { instrument, bids: levels, asks: 0, ..head(id, id, id - 1) };
            let mut other = BookSync::new(Market::Spot, Price(1));
            let sync = if of == 0 { &mut rig.sync } else { &mut other };
            sync.begin(&head, DepthKind::Diff, &mut rig.pending);
            (0..levels).for_each(|_| sync.levels(&[Level::new(10, id as i64)], &mut rig.pending));
            assert_eq!(sync.end(&mut rig.pending), SyncOutcome::Buffered);
        };
        for others in [0, 1, 40] {
            let mut rig = Rig::new(Market::Spot);
            (1..=others).for_each(|other| feed(&mut rig, other, 7));
            (1..4).for_each(|id| feed(&mut rig, 0, id));
            assert_eq!(rig.feed(DepthKind::Snapshot, (1, 1, 0), 9), SyncOutcome::NotBridging);
            assert_eq!(rig.feed(DepthKind::Snapshot, (2, 2, 0), 9), SyncOutcome::Synced(1));
            assert_eq!(rig.bid(), Some(3));
            assert!(rig.pending.dropped() >= 2);
        }
    }

    #[test]
    fn an_old_snapshot_does_not_disturb_a_synchronised_book() {
        let mut rig = Rig::new(Market::Spot);
        rig.feed(DepthKind::Snapshot, (10, 10, 0), 1);
        rig.feed(DepthKind::Diff, (11, 12, 0), 2);
        assert_eq!(rig.feed(DepthKind::Snapshot, (9, 9, 0), 7), SyncOutcome::Stale);
        assert_eq!(rig.bid(), Some(2));
        assert_eq!(rig.feed(DepthKind::Diff, (13, 14, 0), 3), SyncOutcome::Applied);
    }
}
