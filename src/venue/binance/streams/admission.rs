//! Which messages are new: by trade id, update id or bar, for each stream, first arrival wins.

use crate::domain::Time;
use crate::domain::event::Kline;

/// How long what came early waits for another connection to bring what it follows.
pub const EARLY_NS_MAX: u64 = 250_000_000;

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is new: publish it.
    Publish,
    /// It has been there before.
    Duplicate,
    /// It came before those it follows, which another connection will bring: leave it to that one.
    Early,
    /// Its book waits for its turn to be fetched, which will cover this.
    Unsynced,
    /// Not of a stream that was subscribed to.
    Unknown,
}

/// What was passed over and does not come within so long is missing: what overtakes is ahead by less.
const MISSING_AFTER_NS: u64 = 2_000_000_000;

/// Ids seen, and which of the last 256 below the highest: messages may overtake each other by so many.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    highest: u64,
    /// Bit n: `highest - n` was seen.
    seen: [u64; 4],
}

/// Ids that were passed over, of a stream whose ids go up by one.
#[derive(Debug, Clone, Copy, Default)]
pub struct PassedOver {
    /// What was seen of the ids before, if anything.
    highest: Option<u64>,
    /// Passed over, and not come yet.
    open: u64,
    /// Since when.
    since: Time,
}

impl PassedOver {
    /// A new message has this id.
    #[inline]
    pub fn take(&mut self, id: u64, now: Time) {
        match self.highest {
            Some(highest) if id == highest.wrapping_add(1) => {}
            Some(highest) if id <= highest => {
                self.open = self.open.saturating_sub(1);
                return;
            }
            Some(highest) => {
                if self.open == 0 {
                    self.since = now;
                }
                self.open = self.open.saturating_add(id - highest - 1);
            }
            None => {}
        }
        self.highest = Some(id);
    }

    /// How many of those that were passed over will not come any more, as is known now.
    #[inline]
    pub fn missing(&mut self, now: Time) -> u64 {
        if self.open == 0 || now.since(self.since) < MISSING_AFTER_NS {
            return 0;
        }
        std::mem::take(&mut self.open)
    }
}

impl Window {
    /// Whether `id` is new; it counts as seen from now on. Ids far below the highest are taken for old.
    #[inline]
    pub fn admit(&mut self, id: u64) -> bool {
        if id > self.highest {
            self.shift(id - self.highest);
            self.highest = id;
            self.seen[0] |= 1;
            return true;
        }
        let age = self.highest - id;
        let Some(word) = self.seen.get_mut((age / 64) as usize) else { return false };
        let bit = 1u64 << (age % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    #[inline]
    fn shift(&mut self, by: u64) {
        if by >= 256 {
            self.seen = [0; 4];
            return;
        }
        let (words, bits) = ((by / 64) as usize, (by % 64) as u32);
        for at in (0..4).rev() {
            let low = if at >= words { self.seen[at - words] } else { 0 };
            let carry = if at > words && bits > 0 { self.seen[at - words - 1] >> (64 - bits) } else { 0 };
            self.seen[at] = (low << bits) | carry;
        }
    }
}

/// The newest id of a stream of states, each of which replaces the one before, and which connections are level with it.
///
/// A state that comes after a newer one is of no use. So a connection that joins others may not lead before it has
/// brought something that was there already: what lies between is on its way over the others, and would come too late.
#[derive(Debug, Clone, Copy, Default)]
pub struct Newest {
    id: u64,
    /// A bit for each connection, by its number.
    level: u64,
    early_since: Option<Time>,
}

impl Newest {
    /// Whether the state `id`, over the connection of this number, is to be published.
    #[inline]
    pub fn admit(&mut self, id: u64, connection: u32, now: Time) -> Verdict {
        let bit = 1u64 << (connection % 64);
        if id <= self.id {
            self.level |= bit;
            return Verdict::Duplicate;
        }
        if self.level & bit == 0 && self.level != 0 {
            let since = *self.early_since.get_or_insert(now);
            if now.since(since) < EARLY_NS_MAX {
                return Verdict::Early;
            }
        }
        self.level |= bit;
        (self.id, self.early_since) = (id, None);
        Verdict::Publish
    }

    /// The connection of this number is gone.
    pub fn left(&mut self, connection: u32) {
        self.level &= !(1 << (connection % 64));
    }
}

/// The newest state of each length of bar.
#[derive(Debug, Clone, Default)]
pub struct Bars {
    newest: Vec<(u64, (Time, u64, bool))>,
}

impl Bars {
    /// Whether this state of a bar is newer than what was seen of bars of its length.
    pub fn admit(&mut self, kline: &Kline) -> bool {
        let length = kline.close_time.since(kline.open_time);
        let state = (kline.open_time, kline.trades, kline.closed);
        match self.newest.iter_mut().find(|(l, _)| *l == length) {
            Some((_, newest)) if state > *newest => {
                *newest = state;
                true
            }
            Some(_) => false,
            None => {
                self.newest.push((length, state));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_joins_leads_only_once_it_is_level() {
        let (mut newest, now) = (Newest::default(), Time(1));
        assert_eq!([10, 11].map(|id| newest.admit(id, 1, now)), [Verdict::Publish; 2]);
        // 12 is on its way over the first when the second begins with 13.
        assert_eq!(newest.admit(13, 2, now), Verdict::Early);
        assert_eq!([12, 13].map(|id| newest.admit(id, 1, now)), [Verdict::Publish; 2]);
        assert_eq!(newest.admit(13, 2, now), Verdict::Duplicate);
        assert_eq!(newest.admit(14, 2, now), Verdict::Publish, "level, so it may lead");
        // The first dies; one that joins waits for the second alone.
        newest.left(1);
        assert_eq!(newest.admit(16, 3, now), Verdict::Early);
        newest.left(2);
        assert_eq!(newest.admit(17, 3, now), Verdict::Publish, "nobody else is there");
        // One that hangs is not waited for for ever.
        assert_eq!(newest.admit(20, 4, now), Verdict::Early);
        assert_eq!(newest.admit(21, 4, now.plus_nanos(EARLY_NS_MAX)), Verdict::Publish);
    }
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn every_id_is_new_once_however_two_connections_interleave(
            ids in proptest::collection::vec(1u64..2_000, 1..50),
            order in proptest::collection::vec(any::<bool>(), 400),
        ) {
            // Two copies of one rising sequence, each in its order, merged by chance; none lags by more than 256.
            let mut all: Vec<u64> = ids;
            all.sort_unstable();
            all.dedup();
            let (mut a, mut b) = (all.iter().peekable(), all.iter().peekable());
            let (mut window, mut seen) = (Window::default(), HashSet::new());
            let mut order = order.into_iter().cycle();
            while a.peek().is_some() || b.peek().is_some() {
                let from_a = b.peek().is_none() || a.peek().is_some() && order.next().unwrap_or(true);
                let ahead = a.peek().zip(b.peek()).map_or(0, |(x, y)| x.abs_diff(**y));
                let lagging_b = a.peek().zip(b.peek()).is_some_and(|(x, y)| x > y);
                let from_a = if ahead > 200 { !lagging_b } else { from_a };
                let id = if from_a { a.next() } else { b.next() };
                let Some(&id) = id else { break };
                if window.admit(id) {
                    prop_assert!(seen.insert(id), "{} twice", id);
                }
            }
            prop_assert_eq!(seen.len(), all.len());
        }
    }

    #[test]
    fn what_overtakes_is_taken_and_what_comes_again_is_not() {
        let mut window = Window::default();
        for (id, new) in
            [(1_000, true), (1_001, true), (1_000, false), (998, true), (998, false), (1_300, true)]
        {
            assert_eq!(window.admit(id), new, "{id}");
        }
        assert!(window.admit(1_299) && !window.admit(1_001), "too old to be known");
        assert!(window.admit(1_300 + 63) && !window.admit(1_300) && !window.admit(1_299));
    }
}
