//! Watching one book's diffs: whether each follows the last, and when the book must be fetched anew.
//!
//! Keeps no levels: it judges heads by the same rule as the books do behind the ring (`market::book::sync`), and counts
//! what they keep as they do, so that it knows what state they are in without asking them. While a book waits for its
//! turn to be fetched its diffs are held back, since the book that comes will cover them; from the moment it is asked
//! for they are published, and the stages keep them until the book is there. Where it does not come, or is too old,
//! what they kept is of no use, since what follows is held back: they are told to forget it.

use super::admission::{EARLY_NS_MAX, Verdict};
use crate::domain::Time;
use crate::domain::event::DepthHead;
use crate::domain::kept::{Keep, Kept};

/// A book on which no diff came for so long after it was fetched is not seen to be in step.
const UNCONFIRMED_NS: u64 = 5_000_000_000;
/// How long a book waits for its stream's first diff before it is fetched.
const QUIET_NS_MAX: u64 = 500_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No connection brings its diffs.
    Lost,
    /// It is to be fetched, once a diff shows that its stream flows.
    Quiet,
    /// It is to be fetched.
    Wanted,
    /// It was asked for.
    Fetching,
    /// A book is there, and no diff on top of it yet.
    Bridging,
    /// In step.
    Synced,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct BookWatch {
    futures: bool,
    state: State,
    /// Last update id of the book, or of the run of diffs kept for it.
    last_id: u64,
    /// First diff of the unbroken run published last while there is no book.
    run: Option<DepthHead>,
    /// What the stages keep.
    kept: Kept,
    early_since: Option<Time>,
    /// Connections whose next diff does not follow either.
    votes: u64,
    last_at: Time,
    /// When it was fetched.
    fetched_at: Time,
}

/// What a fetched book is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotVerdict {
    /// Publish it: the book is in step then.
    Publish,
    /// Older than the diffs kept: fetch another.
    TooOld,
    /// Nobody waits for it.
    Unwanted,
}

impl BookWatch {
    /// Nothing known yet.
    pub fn new(futures: bool) -> Self {
        Self {
            futures,
            state: State::Lost,
            last_id: 0,
            run: None,
            kept: Kept::default(),
            early_since: None,
            votes: 0,
            last_at: Time(0),
            fetched_at: Time(0),
        }
    }

    /// Whether the book is in step with the venue.
    pub fn synced(&self) -> bool {
        matches!(self.state, State::Bridging | State::Synced)
    }

    /// Whether it was fetched a while ago, and no diff came on top of it.
    pub fn unconfirmed(&self, now: Time) -> bool {
        self.state == State::Bridging && now.since(self.fetched_at) >= UNCONFIRMED_NS
    }

    /// When it was fetched.
    pub fn fetched(&mut self, now: Time) {
        self.fetched_at = now;
    }

    /// The update id that the book stands at.
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// When the last new diff came.
    pub fn last_at(&self) -> Time {
        self.last_at
    }

    /// No connection brings its diffs any more.
    pub fn lost(&mut self) {
        *self = Self::new(self.futures);
    }

    /// A connection brings its diffs.
    pub fn live(&mut self, now: Time) {
        let news = self.state == State::Lost;
        if news {
            self.state = State::Quiet;
            self.last_at = now;
        }
    }

    /// Whether a book whose stream said nothing at first is to be fetched all the same.
    pub fn waited_enough(&mut self, now: Time) -> bool {
        let enough = self.state == State::Quiet && now.since(self.last_at) >= QUIET_NS_MAX;
        if enough {
            self.state = State::Wanted;
        }
        enough
    }

    /// It is asked for now: from here on diffs are published.
    pub fn fetching(&mut self) {
        if self.state == State::Wanted {
            self.state = State::Fetching;
        }
    }

    /// The request failed: it is to be fetched still. Says whether it is.
    pub fn fetch_failed(&mut self) -> bool {
        if self.state == State::Fetching {
            self.state = State::Wanted;
        }
        self.state == State::Wanted
    }

    /// Of a book that was fetched in vain: whether the stages keep anything for it, which they are to forget.
    pub fn forget_kept(&mut self) -> bool {
        let any = self.state == State::Wanted && self.kept.any();
        if any {
            (self.run, self.kept, self.early_since, self.votes) = (None, Kept::default(), None, 0);
        }
        any
    }

    /// The venue does not show it: if it was in step, it counts as such no more. Says whether it was.
    pub fn doubted(&mut self) -> bool {
        let was = self.synced();
        if was {
            self.state = State::Wanted;
            (self.run, self.early_since, self.votes) = (None, None, 0);
        }
        was
    }

    /// A frame of its diffs cannot be read: what it would have changed is missing. Says whether the book is to be fetched anew,
    /// and whether the stages have one, or keep diffs for one, which they are to forget.
    pub fn unread(&mut self) -> (bool, bool) {
        let fetch = self.synced() || self.state == State::Fetching;
        let told = self.synced() || self.kept.any();
        if fetch {
            self.state = State::Wanted;
        }
        if told {
            (self.run, self.kept, self.early_since, self.votes) = (None, Kept::default(), None, 0);
        }
        (fetch, told)
    }

    /// A diff came over connection `link`; `live` has a bit for each connection that brings this book's diffs. The second result says
    /// that the book has to be fetched.
    #[inline]
    pub fn diff(&mut self, head: &DepthHead, link: u32, live: u64, now: Time) -> (Verdict, bool) {
        match self.state {
            State::Synced if self.in_step(head) => {
                self.accepted(head, now);
                (Verdict::Publish, false)
            }
            State::Quiet => {
                self.state = State::Wanted;
                (Verdict::Unsynced, true)
            }
            State::Lost | State::Wanted => (Verdict::Unsynced, false),
            _ => self.unusual(head, link, live, now),
        }
    }

    #[inline]
    fn in_step(&self, head: &DepthHead) -> bool {
        if self.futures {
            head.prev_id == self.last_id
        } else {
            head.last_id > self.last_id && head.first_id <= self.last_id.saturating_add(1)
        }
    }

    fn accepted(&mut self, head: &DepthHead, now: Time) {
        self.last_id = head.last_id;
        self.last_at = now;
        self.early_since = None;
        self.votes = 0;
    }

    /// The stages keep this diff, which follows those they kept before or begins a run of its own.
    fn keep(&mut self, head: &DepthHead, follows: bool) {
        match self.kept.add(head.levels()) {
            Keep::Behind if follows => {}
            Keep::Behind | Keep::Alone => self.run = Some(*head),
            Keep::Not => self.run = None,
        }
    }

    fn unusual(&mut self, head: &DepthHead, link: u32, live: u64, now: Time) -> (Verdict, bool) {
        let kept = self.state == State::Fetching;
        if kept && self.run.is_none() {
            self.keep(head, false);
            self.accepted(head, now);
            return (Verdict::Publish, false);
        }
        let follows = match self.state {
            State::Bridging => bridges(self.futures, head, self.last_id),
            _ => self.in_step(head),
        };
        if follows {
            if self.state == State::Bridging {
                self.state = State::Synced;
            } else if kept {
                self.keep(head, true);
            }
            self.accepted(head, now);
            return (Verdict::Publish, false);
        }
        if head.last_id <= self.last_id {
            return (Verdict::Duplicate, false);
        }
        // Something is missing; another connection may still bring it.
        self.votes |= 1 << (link % 64);
        let others = live & !self.votes != 0;
        let since = *self.early_since.get_or_insert(now);
        if others && now.since(since) < EARLY_NS_MAX {
            return (Verdict::Early, false);
        }
        self.keep(head, false);
        self.accepted(head, now);
        if kept {
            return (Verdict::Publish, false);
        }
        // Published all the same: that is how the books learn of the gap.
        self.state = State::Wanted;
        (Verdict::Publish, true)
    }

    /// The book came.
    pub fn snapshot(&mut self, last_id: u64) -> SnapshotVerdict {
        if self.state != State::Fetching {
            return SnapshotVerdict::Unwanted;
        }
        if let Some(run) = &self.run
            && run.last_id > last_id
            && !bridges(self.futures, run, last_id)
        {
            self.state = State::Wanted;
            return SnapshotVerdict::TooOld;
        }
        self.state =
            if self.run.is_some() && self.last_id > last_id { State::Synced } else { State::Bridging };
        self.last_id = self.last_id.max(last_id);
        if self.state == State::Bridging {
            self.last_id = last_id;
        }
        (self.run, self.kept) = (None, Kept::default());
        SnapshotVerdict::Publish
    }

    /// Its stream was silent, and rightly so.
    pub fn touch(&mut self, now: Time) {
        self.last_at = now;
    }
}

/// Whether a diff can be the first one on top of a book at `last_id`.
fn bridges(futures: bool, head: &DepthHead, last_id: u64) -> bool {
    let next_id = last_id.saturating_add(1);
    if futures {
        head.last_id >= last_id && (head.first_id <= next_id || head.prev_id <= last_id)
    } else {
        head.last_id > last_id && head.first_id <= next_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstrumentId;
    use crate::domain::kept::KEPT_LEVELS_MAX;

    fn head(first_id: u64, last_id: u64) -> DepthHead {
        let prev_id = first_id.saturating_sub(1);
        DepthHead {
            instrument: InstrumentId(0),
            first_id,
            last_id,
            prev_id,
            venue_time: Time(0),
            bids: 0,
            asks: 0,
        }
    }

    fn synced(futures: bool, last_id: u64) -> BookWatch {
        let mut watch = BookWatch::new(futures);
        watch.live(Time(0));
        assert_eq!(watch.diff(&head(last_id, last_id), 0, 1, Time(0)), (Verdict::Unsynced, true));
        watch.fetching();
        assert_eq!(watch.snapshot(last_id), SnapshotVerdict::Publish);
        assert_eq!(watch.diff(&head(last_id + 1, last_id + 2), 0, 1, Time(0)), (Verdict::Publish, false));
        watch
    }

    #[test]
    fn a_gap_asks_for_the_book_and_holds_diffs_back_until_it_is_asked_for() {
        for futures in [false, true] {
            let mut watch = synced(futures, 10);
            assert_eq!(watch.diff(&head(13, 14), 0, 1, Time(1)), (Verdict::Publish, false));
            assert_eq!(watch.diff(&head(13, 14), 0, 1, Time(1)), (Verdict::Duplicate, false));
            assert_eq!(watch.diff(&head(17, 18), 0, 1, Time(2)), (Verdict::Publish, true), "a gap");
            assert_eq!(watch.diff(&head(19, 20), 0, 1, Time(3)), (Verdict::Unsynced, false));
            watch.fetching();
            assert_eq!(watch.diff(&head(21, 22), 0, 1, Time(4)), (Verdict::Publish, false));
            assert_eq!(watch.diff(&head(23, 24), 0, 1, Time(4)), (Verdict::Publish, false));
            assert_eq!(watch.snapshot(18), SnapshotVerdict::TooOld);
            assert!(!watch.synced());
            watch.fetching();
            assert_eq!(watch.snapshot(22), SnapshotVerdict::Publish);
            assert!(watch.synced());
            assert_eq!(watch.diff(&head(25, 26), 0, 1, Time(5)), (Verdict::Publish, false));
        }
    }

    #[test]
    fn a_run_of_which_too_much_would_be_kept_begins_anew_as_it_does_behind_the_ring() {
        for futures in [false, true] {
            let mut watch = BookWatch::new(futures);
            watch.live(Time(0));
            watch.diff(&head(1, 1), 0, 1, Time(0));
            watch.fetching();
            let large = |id: u64| DepthHead { bids: 1 + KEPT_LEVELS_MAX as u32 / 2, ..head(id, id) };
            for id in 2..5 {
                assert_eq!(watch.diff(&large(id), 0, 1, Time(1)).0, Verdict::Publish);
            }
            assert_eq!(watch.snapshot(2), SnapshotVerdict::TooOld, "3 is kept no more");
            assert!(watch.forget_kept() && !watch.forget_kept());
            watch.fetching();
            assert_eq!(watch.diff(&head(9, 9), 0, 1, Time(2)).0, Verdict::Publish);
            assert_eq!(watch.snapshot(8), SnapshotVerdict::Publish);
            assert_eq!(watch.diff(&head(10, 10), 0, 1, Time(3)), (Verdict::Publish, false));
        }
    }

    #[test]
    fn the_last_update_id_there_is_breaks_nothing() {
        for futures in [false, true] {
            let mut watch = BookWatch::new(futures);
            watch.live(Time(0));
            watch.diff(&head(1, 1), 0, 1, Time(0));
            watch.fetching();
            assert_eq!(watch.snapshot(u64::MAX), SnapshotVerdict::Publish);
            assert_eq!(watch.diff(&head(5, 6), 0, 1, Time(1)), (Verdict::Duplicate, false));
            watch.state = State::Synced;
            assert_eq!(watch.diff(&head(7, 8), 0, 1, Time(1)), (Verdict::Duplicate, false));
        }
    }

    #[test]
    fn what_one_connection_lost_the_other_brings() {
        let mut watch = synced(false, 10);
        // 13..=14 is lost on line 0, which is ahead.
        assert_eq!(watch.diff(&head(15, 16), 0, 0b11, Time(0)).0, Verdict::Early);
        assert_eq!(watch.diff(&head(13, 14), 1, 0b11, Time(1)), (Verdict::Publish, false));
        assert_eq!(watch.diff(&head(15, 16), 1, 0b11, Time(2)), (Verdict::Publish, false));
        assert_eq!(watch.diff(&head(17, 18), 0, 0b11, Time(3)), (Verdict::Publish, false));
        // Lost on both.
        assert_eq!(watch.diff(&head(21, 22), 0, 0b11, Time(4)).0, Verdict::Early);
        assert_eq!(watch.diff(&head(21, 22), 1, 0b11, Time(5)), (Verdict::Publish, true));
        // The other one hangs: nobody waits for it for ever.
        let mut watch = synced(false, 10);
        assert_eq!(watch.diff(&head(15, 16), 0, 0b11, Time(0)).0, Verdict::Early);
        assert_eq!(watch.diff(&head(17, 18), 0, 0b11, Time(EARLY_NS_MAX)), (Verdict::Publish, true));
    }
}
