//! What is used of one limit, in the window of now and, near its edge, in the one before.

use super::{Purpose, RateKind};
use crate::domain::Time;

/// A window of the venue's clock, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    /// The highest count that the venue has told of it.
    told: u64,
    /// What the venue may have counted in it without saying: answers without a count, or of an uncertain window.
    untold: u64,
}

impl Count {
    /// Of both in one window: a count that was told holds all before it, what was not told is of either.
    fn with(self, other: Self) -> Self {
        Self { told: self.told.max(other.told), untold: self.untold.saturating_add(other.untold) }
    }
}

/// One limit. What is under way counts in every window, since it may arrive in any from now on; so it is passed in.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub kind: RateKind,
    pub window_s: u64,
    pub limit: u64,
    /// Of the limit, for cancels alone.
    pub reserve: u64,
    /// Of the rest, for orders that only reduce where orders are counted, else for orders alone.
    pub kept: u64,
    /// Nanoseconds by which our clock may be off.
    pub clock_error: u64,
    /// Number of the latest window that the venue may be in.
    newest: u64,
    /// When that one begins and ends, so that a moment well within it is known without a division.
    span: (u64, u64),
    counts: [Count; 2],
}

impl Window {
    pub fn new(kind: RateKind, window_s: u64) -> Self {
        Self {
            kind,
            window_s,
            limit: 0,
            reserve: 0,
            kept: 0,
            clock_error: 0,
            newest: 0,
            span: (0, 0),
            counts: [Count::default(); 2],
        }
    }

    /// How much of it what is for this may use.
    pub fn open_to(&self, purpose: Purpose) -> u64 {
        let rest = self.limit - self.reserve;
        match purpose {
            Purpose::Cancel => self.limit,
            Purpose::Reduce => rest,
            Purpose::Order if self.kind != RateKind::Orders => rest,
            Purpose::Order | Purpose::Query => rest - self.kept,
        }
    }

    fn length(&self) -> u64 {
        self.window_s * 1_000_000_000
    }

    /// The first and last window that the venue may be in.
    fn possible(&self, now: Time) -> (u64, u64) {
        let (from, to) = (now.0.saturating_sub(self.clock_error), now.0.saturating_add(self.clock_error));
        if self.span.0 <= from && to < self.span.1 {
            return (self.newest, self.newest);
        }
        (from / self.length(), to / self.length())
    }

    /// Turns to the window that the venue may be in by now. Time that goes back changes nothing: within the clock's error
    /// both windows are known of, and a clock that was further off has [`moved`](Self::moved).
    pub fn advance(&mut self, now: Time) {
        let (_, last) = self.possible(now);
        if last > self.newest {
            let before = if last == self.newest + 1 { self.counts[1] } else { Count::default() };
            self.turn_to(last, [before, Count::default()]);
        }
    }

    fn turn_to(&mut self, newest: u64, counts: [Count; 2]) {
        (self.newest, self.counts) = (newest, counts);
        let begins = newest.saturating_mul(self.length());
        self.span = (begins, begins.saturating_add(self.length()));
    }

    /// The venue's clock is at `to`, and was taken to be at `from`. What was counted happened when it happened: it counts in
    /// each window by the new clock that it may be of, or a limit could be passed; and in no later one, or a clock that was
    /// ahead would hold everything back for as long as it was.
    pub fn moved(&mut self, from: Time, to: Time) {
        if from.0.abs_diff(to.0) <= self.clock_error {
            // It was within its error, so the windows were right.
            return;
        }
        self.advance(from);
        let [before, newest] = self.counts;
        let both = before.with(newest);
        let error = i128::from(self.clock_error);
        let (first, last) = self.possible(to);
        // Where the present window begins, and where by the new clock the newest began and the one before it ended.
        let begins = i128::from(last) * i128::from(self.length());
        let parted =
            i128::from(self.newest) * i128::from(self.length()) + i128::from(to.0) - i128::from(from.0);
        // In a window that stays, a count that the venue told holds what came before.
        let is_told = last == self.newest && newest.told > 0;
        let (mut older, mut present) = (before, newest);
        if parted + error > begins && !is_told {
            (older, present) = (Count::default(), both);
        }
        if first < last {
            older = both;
        }
        self.turn_to(last, [older, present]);
    }

    fn used(&self, which: usize, under_way: u64) -> u64 {
        let Count { told, untold } = self.counts[which];
        told.saturating_add(untold).saturating_add(under_way)
    }

    pub fn used_newest(&self, under_way: u64) -> u64 {
        self.used(1, under_way)
    }

    /// When to ask again, if with `under_way` (what is asked for included) a window that the venue may be in, or come
    /// to before it arrives, could pass `limit`.
    pub fn full_until(&self, now: Time, under_way: u64, limit: u64) -> Option<Time> {
        let (first, _) = self.possible(now);
        if self.used(1, under_way) > limit {
            // Only the next window can have room, once this one has surely ended.
            return Some(self.surely_over(self.newest));
        }
        if first < self.newest && self.used(0, under_way) > limit {
            return Some(self.surely_over(self.newest - 1));
        }
        None
    }

    fn surely_over(&self, window: u64) -> Time {
        Time((window + 1).saturating_mul(self.length()).saturating_add(self.clock_error))
    }

    /// A request that was sent at `sent` was answered at `now`; it cost `amount`, and the venue had counted `told`.
    pub fn landed(&mut self, sent: Time, now: Time, amount: u64, told: Option<u64>) {
        let (first, _) = self.possible(sent);
        let (_, last) = self.possible(now);
        let certain = first == last;
        for (which, number) in [(0, self.newest.wrapping_sub(1)), (1, self.newest)] {
            if !(first..=last).contains(&number) {
                continue;
            }
            let count = &mut self.counts[which];
            match told.filter(|_| certain) {
                Some(told) => count.told = count.told.max(told),
                None => count.untold = count.untold.saturating_add(amount),
            }
        }
    }
}
