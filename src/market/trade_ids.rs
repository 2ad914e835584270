//! Whether anything was traded between two trades that came, by their ids, and whether one came before.
//!
//! Binance numbers the trades of a symbol one after the other, so that nothing is missing between two whose ids follow each
//! other, whatever happened to the connections meanwhile. Where numbers are passed over, what they belong to is missing, or
//! was overtaken and comes yet; some markets use up numbers for what no stream brings (`venue::binance::ids_are_dense`), and
//! there a number that is passed over says something only after an interruption.
//!
//! Which of the last numbers came is kept, so that a trade that a recording has twice is told from one that was overtaken.

/// Trades may be overtaken by so many; an id further back is of another count.
const OVERTAKEN_MAX: u64 = 256;

/// What an id says of what came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Nothing came before it.
    First,
    /// Nothing is known to be missing before it.
    Follows,
    /// It was overtaken: its number was passed over.
    Behind,
    /// It is a trade that came before.
    Again,
    /// So many were passed over.
    Skips(u64),
    /// After an interruption something is missing, how much nobody knows; or the venue counts anew.
    Lost,
}

/// Numbers that go up by one, as far as they came.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// The next trade's, if none is missing; zero where none had an id.
    next: u64,
    /// Where it began: what is below was not passed over.
    first: u64,
    /// Which of the last came, each at its remainder: of those that follow each other one bit is set, and none is moved.
    came: [u64; (OVERTAKEN_MAX / 64) as usize],
}

/// Where the bit of a number is.
const fn place(id: u64) -> (usize, u64) {
    ((id % OVERTAKEN_MAX / 64) as usize, 1 << (id % 64))
}

impl Count {
    const fn new() -> Self {
        Self { next: 0, first: 0, came: [0; (OVERTAKEN_MAX / 64) as usize] }
    }

    fn from(id: u64) -> Self {
        let mut count = Self { next: id.wrapping_add(1), first: id, ..Self::new() };
        count.mark(id);
        count
    }

    /// The next, or one further on.
    #[inline]
    fn go_on(&mut self, id: u64) {
        for passed in self.next.max(id.saturating_sub(OVERTAKEN_MAX))..id {
            let (word, bit) = place(passed);
            self.came[word] &= !bit;
        }
        self.mark(id);
        self.next = id.wrapping_add(1);
    }

    /// Notes that one of the last came; whether it had not.
    #[inline]
    fn mark(&mut self, id: u64) -> bool {
        let (word, bit) = place(id);
        let is_new = self.came[word] & bit == 0;
        self.came[word] |= bit;
        is_new
    }
}

/// The ids of one instrument's trades.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TradeIds {
    count: Count,
    /// Whether one came.
    begun: bool,
    /// Whether the data was interrupted since the last.
    doubted: bool,
    /// Whether numbers that are passed over are trades that are missing.
    dense: bool,
    /// Passed over, and not come since.
    missing: u64,
    /// Came again.
    repeated: u64,
}

impl TradeIds {
    /// Of a market where every number is that of a trade, or not.
    pub const fn new(dense: bool) -> Self {
        Self { count: Count::new(), begun: false, doubted: false, dense, missing: 0, repeated: 0 }
    }

    /// What was passed over and has not come.
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// What came again.
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// The data was interrupted: the next id tells whether anything is missing.
    pub const fn interrupted(&mut self) {
        self.doubted = true;
    }

    /// Whether it was, and no trade came since.
    pub const fn doubted(&self) -> bool {
        self.doubted
    }

    /// A trade came.
    #[inline]
    pub fn take(&mut self, id: u64) -> Link {
        if id == self.count.next && id != 0 {
            self.count.mark(id);
            (self.count.next, self.doubted) = (id.wrapping_add(1), false);
            return Link::Follows;
        }
        self.take_other(id)
    }

    fn take_other(&mut self, id: u64) -> Link {
        let doubted = std::mem::take(&mut self.doubted);
        let is_first = !std::mem::replace(&mut self.begun, true);
        let next = self.count.next;
        // An id of zero is none.
        if is_first || doubted || id == 0 || next == 0 {
            self.count = if id == 0 { Count::new() } else { Count::from(id) };
            return if is_first {
                Link::First
            } else if doubted {
                Link::Lost
            } else {
                Link::Follows
            };
        }
        match id.checked_sub(next) {
            Some(passed) => {
                self.count.go_on(id);
                if !self.dense {
                    return Link::Follows;
                }
                self.missing = self.missing.saturating_add(passed);
                Link::Skips(passed)
            }
            None if next - id <= OVERTAKEN_MAX => self.take_earlier(id),
            None => {
                self.count = Count::from(id);
                if self.dense { Link::Lost } else { Link::Follows }
            }
        }
    }

    /// One of the last numbers, or of those right below the first.
    fn take_earlier(&mut self, id: u64) -> Link {
        if !self.count.mark(id) {
            self.repeated += 1;
            return Link::Again;
        }
        if id < self.count.first {
            return Link::Follows;
        }
        self.missing = self.missing.saturating_sub(1);
        Link::Behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(dense: bool, ids: &[u64]) -> (Vec<Link>, u64) {
        let mut all = TradeIds::new(dense);
        let links = ids.iter().map(|id| all.take(*id)).collect();
        (links, all.missing())
    }

    #[test]
    fn what_is_passed_over_is_missing_until_it_comes() {
        use Link::{Behind, First, Follows, Lost, Skips};
        assert_eq!(links(true, &[7, 8, 9]), (vec![First, Follows, Follows], 0));
        assert_eq!(links(true, &[7, 10, 8, 9, 11]), (vec![First, Skips(2), Behind, Behind, Follows], 0));
        assert_eq!(links(true, &[7, 10, 9, 11]), (vec![First, Skips(2), Behind, Follows], 1));
        assert_eq!(links(true, &[1_000, 7, 8]), (vec![First, Lost, Follows], 0), "the venue counts anew");
        assert_eq!(links(false, &[7, 10, 8, 11]), (vec![First, Follows, Behind, Follows], 0));
        assert_eq!(links(true, &[0, 0, 5, 0]), (vec![First, Follows, Follows, Follows], 0), "without ids");
        assert_eq!(
            links(true, &[7, 10, 6, 11]),
            (vec![First, Skips(2), Follows, Follows], 2),
            "not passed over"
        );
    }

    #[test]
    fn a_trade_that_comes_again_is_told_from_one_that_was_overtaken() {
        use Link::{Again, Behind, First, Follows, Skips};
        assert_eq!(links(true, &[7, 8, 8, 10, 8]), (vec![First, Follows, Again, Skips(1), Again], 1));
        assert_eq!(links(true, &[7, 10, 8, 8, 9, 9]).0, [First, Skips(2), Behind, Again, Behind, Again]);
        assert_eq!(links(false, &[7, 9, 9, 8, 8]).0, [First, Follows, Again, Behind, Again]);
        assert_eq!(links(true, &[7, 6, 6]), (vec![First, Follows, Again], 0), "right before the first");
        // Each of the last 256, and none for another that has the same remainder.
        let mut ids = TradeIds::new(true);
        for id in 1..=1_000 {
            ids.take(id);
        }
        assert_eq!(ids.take(1_200), Skips(199));
        let came = |id: &u64| ids.clone().take(*id) == Again;
        assert_eq!(
            (945..=1_200).filter(came).collect::<Vec<_>>(),
            (945..=1_000).chain([1_200]).collect::<Vec<_>>()
        );
        for id in 1_001..=1_199 {
            assert_eq!(ids.take(id), Behind, "{id}");
        }
        assert_eq!((ids.missing(), ids.repeated()), (0, 0));
        assert!((945..=1_200).all(|id| ids.take(id) == Again) && ids.repeated() == 256);
    }

    #[test]
    fn after_an_interruption_the_next_id_tells_whether_anything_is_missing() {
        for dense in [true, false] {
            for (next, link) in [(8, Link::Follows), (9, Link::Lost), (3, Link::Lost), (0, Link::Lost)] {
                let mut ids = TradeIds::new(dense);
                ids.take(7);
                ids.interrupted();
                assert!(ids.doubted());
                assert_eq!((ids.take(next), ids.doubted()), (link, false), "{next}");
            }
        }
    }
}
