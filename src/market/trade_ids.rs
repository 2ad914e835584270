//! Whether anything was traded between two trades that came, by their ids.
//!
//! Binance numbers the trades of a symbol one after the other, so that nothing is missing between two whose ids follow each
//! other, whatever happened to the connections meanwhile. Where numbers are passed over, what they belong to is missing, or
//! was overtaken and comes yet; some markets use up numbers for what no stream brings (`venue::binance::ids_are_dense`), and
//! there a number that is passed over says something only after an interruption.

/// Trades may be overtaken by so many; an id further back is of another count.
const OVERTAKEN_MAX: u64 = 256;

/// What an id says of what came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Nothing came before it.
    First,
    /// Nothing is known to be missing before it.
    Follows,
    /// It was overtaken: its number was passed over.
    Behind,
    /// So many were passed over.
    Skips(u64),
    /// After an interruption something is missing, how much nobody knows; or the venue counts anew.
    Lost,
}

/// The ids of one instrument's trades.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TradeIds {
    /// The next trade's, if none is missing; zero where none had an id.
    next: u64,
    /// Whether one came.
    begun: bool,
    /// Whether the data was interrupted since the last.
    doubted: bool,
    /// Whether numbers that are passed over are trades that are missing.
    dense: bool,
    /// Passed over, and not come since.
    missing: u64,
}

impl TradeIds {
    /// Of a market where every number is that of a trade, or not.
    pub const fn new(dense: bool) -> Self {
        Self { next: 0, begun: false, doubted: false, dense, missing: 0 }
    }

    /// What was passed over and has not come.
    pub const fn missing(&self) -> u64 {
        self.missing
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
        if id == self.next && id != 0 {
            (self.next, self.doubted) = (id.wrapping_add(1), false);
            return Link::Follows;
        }
        self.take_other(id)
    }

    fn take_other(&mut self, id: u64) -> Link {
        let doubted = std::mem::take(&mut self.doubted);
        // An id of zero is none.
        let next = std::mem::replace(&mut self.next, if id == 0 { 0 } else { id.wrapping_add(1) });
        if !std::mem::replace(&mut self.begun, true) {
            return Link::First;
        }
        if doubted {
            return Link::Lost;
        }
        if id == 0 || next == 0 {
            return Link::Follows;
        }
        match id.checked_sub(next) {
            Some(_) if !self.dense => Link::Follows,
            Some(passed) => {
                self.missing = self.missing.saturating_add(passed);
                Link::Skips(passed)
            }
            None if next - id <= OVERTAKEN_MAX => {
                self.next = next;
                self.missing = self.missing.saturating_sub(1);
                Link::Behind
            }
            None if self.dense => Link::Lost,
            None => Link::Follows,
        }
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
