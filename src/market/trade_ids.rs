//! Whether anything was traded between two trades that came, by their ids, and whether one came before.
//!
//! Binance numbers the trades of a symbol one after the other, so that nothing is missing between two whose ids follow each
//! other, whatever happened to the connections meanwhile. Where numbers are passed over, what they belong to is missing, or
//! was overtaken and comes yet; some markets use up numbers for what no stream brings (`venue::binance::ids_are_dense`), and
//! there a number that is passed over says something only after an interruption.
//!
//! One that is far from the last is believed once another goes on from it: else one odd id would make millions of trades
//! missing. Until then it is held that some may be.
//!
//! Which of the last 256 numbers came is kept, so that a trade that a recording has twice is told from one that was
//! overtaken; of one from further back nobody can tell.

/// Trades may be overtaken by so many; an id further back, or further on, may be a mistake or of another count.
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
    /// It is far from the last: what comes tells whether there is a gap, or another count, or its id is a mistake.
    Strays,
    /// One before strayed, and this goes on from it: there is a gap.
    Confirms,
    /// One before strayed, and this goes on from what was before that: nothing is missing.
    Refutes,
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
        if id - self.next >= OVERTAKEN_MAX {
            // None that came is near enough: each place is another number's.
            self.came = Self::new().came;
        } else {
            for passed in self.next..id {
                let (word, bit) = place(passed);
                self.came[word] &= !bit;
            }
        }
        self.mark(id);
        self.next = id.wrapping_add(1);
    }

    /// Whether this is one of the last that came.
    fn has(&self, id: u64) -> bool {
        let (word, bit) = place(id);
        id < self.next && self.next - id <= OVERTAKEN_MAX && self.came[word] & bit != 0
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
    /// That of those that strayed, or that which was left for another; else none.
    other: Count,
    /// How many were passed over among those that strayed.
    other_lacks: u64,
    /// Whether one strayed, and none has told yet.
    strayed: bool,
    /// Whether one came.
    begun: bool,
    /// Whether the data was interrupted since the last.
    doubted: bool,
    /// Whether a trade that could not be read came since the count last went on.
    unread: bool,
    /// As long as the next is below, that trade may be one that is missing, which a silence would not tell.
    unsure_below: u64,
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
        Self {
            count: Count::new(),
            other: Count::new(),
            other_lacks: 0,
            strayed: false,
            begun: false,
            doubted: false,
            unread: false,
            unsure_below: 0,
            dense,
            missing: 0,
            repeated: 0,
        }
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

    /// A trade came that could not be read: where every number is a trade's a later id tells whether it is missing, and
    /// elsewhere whether anything may be. One of before does not; nor does the next alone, which it may have overtaken.
    pub const fn unread(&mut self) {
        self.unread = true;
        self.unsure_below = self.count.next.saturating_add(2);
    }

    /// Whether something may be missing since the last trade.
    pub const fn doubted(&self) -> bool {
        self.doubted || self.unread || self.count.next < self.unsure_below
    }

    /// Nothing came for long: what comes now was not overtaken by what came before.
    pub fn fell_silent(&mut self) {
        self.unsure_below = self.unsure_below.min(self.count.next.saturating_add(1));
    }

    /// A trade came.
    #[inline]
    pub fn take(&mut self, id: u64) -> Link {
        if id == self.count.next && id != 0 && !self.strayed {
            self.count.mark(id);
            (self.count.next, self.doubted, self.unread) = (id.wrapping_add(1), false, false);
            return Link::Follows;
        }
        self.take_other(id)
    }

    fn take_other(&mut self, id: u64) -> Link {
        let strayed = std::mem::take(&mut self.strayed);
        let is_first = !std::mem::replace(&mut self.begun, true);
        let next = self.count.next;
        // An id of zero is none.
        let is_known = id != 0 && next != 0;
        let is_earlier = is_known && id < next && next - id <= OVERTAKEN_MAX;
        let unread_is_lost = !is_known || (!self.dense && !is_earlier);
        let doubted = std::mem::take(&mut self.doubted) || (self.unread && unread_is_lost);
        if is_first || doubted || !is_known {
            self.begin(if id == 0 { Count::new() } else { Count::from(id) });
            self.other = Count::new();
            return if is_first {
                Link::First
            } else if doubted {
                Link::Lost
            } else {
                Link::Follows
            };
        }
        match id.checked_sub(next) {
            Some(passed) if passed <= OVERTAKEN_MAX || !self.dense => {
                self.count.go_on(id);
                self.unread = false;
                if strayed {
                    self.other = Count::new();
                }
                match passed {
                    0 => Link::Refutes,
                    _ if !self.dense => Link::Follows,
                    _ => {
                        self.missing = self.missing.saturating_add(passed);
                        Link::Skips(passed)
                    }
                }
            }
            None if is_earlier => {
                self.strayed = strayed;
                self.take_earlier(id)
            }
            None if !self.dense => {
                self.begin(Count::from(id));
                Link::Follows
            }
            _ => self.take_far(id, strayed),
        }
    }

    /// Goes by another count, of which nothing of before tells; gives the one that is left.
    fn begin(&mut self, count: Count) -> Count {
        (self.unread, self.unsure_below) = (false, 0);
        std::mem::replace(&mut self.count, count)
    }

    /// One that is far from the last: of another count, which is believed once one of it goes on from another; or what goes
    /// on with the count that was left.
    fn take_far(&mut self, id: u64, strayed: bool) -> Link {
        let other = &mut self.other;
        if other.next == 0 || id.abs_diff(other.next) > OVERTAKEN_MAX {
            (self.other, self.other_lacks, self.strayed) = (Count::from(id), 0, true);
            return Link::Strays;
        }
        if !strayed {
            let left = std::mem::take(other);
            self.begin(left);
            return self.take(id);
        }
        let goes_on = other.has(id - 1);
        if id >= other.next {
            self.other_lacks += id - other.next;
            other.go_on(id);
        } else if !other.mark(id) {
            self.strayed = true;
            self.repeated += 1;
            return Link::Again;
        } else if id < other.first {
            self.other_lacks += other.first - id - 1;
            other.first = id;
        } else {
            self.other_lacks = self.other_lacks.saturating_sub(1);
        }
        if !goes_on {
            self.strayed = true;
            return Link::Strays;
        }
        let other = std::mem::take(other);
        let left = self.begin(other);
        match self.count.first.checked_sub(left.next) {
            Some(passed) => {
                self.missing = self.missing.saturating_add(passed).saturating_add(self.other_lacks);
                // What was passed over may come yet.
                self.count.first = left.next;
                Link::Confirms
            }
            None => {
                // Of a part that a recording has twice it goes on with what comes behind both. What it lacks came before, or
                // nobody knows.
                (self.count.first, self.other) = (id, left);
                Link::Lost
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
        use Link::{Behind, First, Follows, Lost, Skips, Strays};
        assert_eq!(links(true, &[7, 8, 9]), (vec![First, Follows, Follows], 0));
        assert_eq!(links(true, &[7, 10, 8, 9, 11]), (vec![First, Skips(2), Behind, Behind, Follows], 0));
        assert_eq!(links(true, &[7, 10, 9, 11]), (vec![First, Skips(2), Behind, Follows], 1));
        assert_eq!(links(true, &[1_000, 7, 8]), (vec![First, Strays, Lost], 0), "the venue counts anew");
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
        let far = [7, 1_100, 1_031, 1_031, 1_100];
        assert_eq!(links(false, &far).0, [First, Follows, Behind, Again, Again], "1031 has the place of 7");
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
    fn one_odd_id_makes_nothing_missing_and_a_gap_is_counted_once_the_next_goes_on_from_it() {
        use Link::{Again, Behind, Confirms, First, Follows, Lost, Refutes, Skips, Strays};
        assert_eq!(
            links(true, &[500, 501, 1, 502, 503]),
            (vec![First, Follows, Strays, Refutes, Follows], 0)
        );
        assert_eq!(links(true, &[500, 501, 9_000_000_000, 502]), (vec![First, Follows, Strays, Refutes], 0));
        assert_eq!(links(true, &[500, 501, 1, 2, 3]), (vec![First, Follows, Strays, Lost, Follows], 0));
        assert_eq!(
            links(true, &[500, 501, 900, 901, 902]),
            (vec![First, Follows, Strays, Confirms, Follows], 398)
        );
        assert_eq!(
            links(true, &[500, 5_500, 5_501, 5_503]),
            (vec![First, Strays, Confirms, Skips(1)], 5_000)
        );
        // What overtook, or came again, tells nothing of it; the same odd id again is no second.
        assert_eq!(links(true, &[500, 502, 1, 501, 503]).0, [First, Skips(1), Strays, Behind, Refutes]);
        assert_eq!(links(true, &[500, 501, 1, 1, 502]), (vec![First, Follows, Strays, Again, Refutes], 0));
        assert_eq!(links(true, &[500, 501, 1, u64::MAX, 502]).1, 0);
        // A refuted one is forgotten.
        assert_eq!(
            links(true, &[500, 900, 501, 901, 902]),
            (vec![First, Strays, Refutes, Strays, Confirms], 399)
        );
        // What of a gap comes yet.
        assert_eq!(links(true, &[500, 900, 901, 899]), (vec![First, Strays, Confirms, Behind], 398));
        // A hundred that a recording has twice, two thousand later.
        let ids: Vec<u64> = (1_000..=3_000).chain(1_000..1_100).chain(3_001..=3_100).collect();
        assert_eq!(links(true, &ids).1, 0);
        assert_eq!(links(false, &[500, 1, 502]).0, [First, Follows, Follows], "its numbers say nothing");
    }

    #[test]
    fn after_a_gap_what_came_is_not_missing_in_whatever_order_it_came() {
        use Link::{Again, Behind, Confirms, First, Follows, Lost, Skips, Strays};
        assert_eq!(links(true, &[500, 900, 902, 903]), (vec![First, Strays, Strays, Confirms], 400));
        assert_eq!(links(true, &[500, 900, 903, 905, 906, 904, 901, 902]).1, 399);
        assert_eq!(links(true, &[500, 900, 902, 901]), (vec![First, Strays, Strays, Confirms], 399));
        assert_eq!(links(true, &[500, 902, 900, 901, 903]).0, [First, Strays, Strays, Confirms, Follows]);
        assert_eq!(links(true, &[500, 902, 900, 901, 903]).1, 399);
        // Each of the first after it comes again, before it is known to be a gap and then.
        let again = [500, 900, 900, 902, 900, 903, 900, 902, 901];
        let expected = vec![First, Strays, Again, Strays, Again, Confirms, Again, Again, Behind];
        assert_eq!(links(true, &again), (expected, 399));
        // Another count lacks what nobody knows, and what comes of it yet stands for none that is missing elsewhere.
        let anew = [5_000, 5_002, 7, 9, 10, 8, 7, 11];
        let expected = vec![First, Skips(1), Strays, Strays, Lost, Follows, Again, Follows];
        assert_eq!(links(true, &anew), (expected, 1));
        // What goes on with what was left lacks only what is passed over there.
        let ids: Vec<u64> = (1_000..=3_000).chain(1_000..1_100).chain([3_002, 3_003, 3_001]).collect();
        let (all, missing) = links(true, &ids);
        assert_eq!((&all[all.len() - 3..], missing), (&[Skips(1), Follows, Behind][..], 0));
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
        // After a trade that could not be read ids tell how many are missing, where they can.
        for (dense, link) in [(true, Link::Skips(1)), (false, Link::Lost)] {
            let mut ids = TradeIds::new(dense);
            ids.take(7);
            ids.unread();
            assert!(ids.doubted());
            assert_eq!((ids.take(9), ids.doubted()), (link, false), "{dense}");
        }
    }

    #[test]
    fn that_a_trade_could_not_be_read_is_forgotten_at_none_that_is_of_before_it() {
        use Link::{Again, Behind, Follows, Refutes, Skips, Strays};
        for dense in [true, false] {
            let after = |ids: &[u64], then: &[(u64, Link)]| {
                let mut all = TradeIds::new(dense);
                for id in ids {
                    all.take(*id);
                }
                all.unread();
                for (id, link) in then {
                    assert_eq!(all.take(*id), *link, "{dense}: {id} after {ids:?}");
                    assert!(all.doubted(), "{dense}: {id} after {ids:?}");
                }
                all
            };
            let mut again = after(&[7], &[(7, Again), (6, Follows)]);
            let later = if dense { Skips(1) } else { Link::Lost };
            assert_eq!((again.take(9), again.doubted()), (later, false));
            let mut overtaken = after(&[5, 7], &[(6, Behind), (6, Again)]);
            assert_eq!((overtaken.take(9), overtaken.doubted()), (later, false));
            // It may be 8 over another connection, or 9, which overtook it.
            let mut right_behind = after(&[7], &[(8, Follows), (8, Again)]);
            let then = if dense { Skips(1) } else { Follows };
            assert_eq!((right_behind.clone().take(10), right_behind.take(9)), (then, Follows));
            assert!(!right_behind.doubted());
            // Long after it.
            let mut silent = after(&[7], &[]);
            silent.fell_silent();
            assert!(silent.doubted());
            assert_eq!((silent.take(8), silent.doubted()), (Follows, false));
        }
        let mut strayed = TradeIds::new(true);
        strayed.take(7);
        strayed.unread();
        assert_eq!((strayed.take(9_000), strayed.doubted()), (Strays, true));
        assert_eq!((strayed.take(8), strayed.doubted()), (Refutes, true));
        assert_eq!((strayed.take(9), strayed.doubted()), (Follows, false));
    }
}
