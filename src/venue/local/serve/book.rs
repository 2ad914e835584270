//! The server's own book of one instrument: two ordered maps, updated from the frames that are sent.
//!
//! Owns: what REST depth answers and what a client's book is compared with. As plain as can be: it is the oracle.

use super::scan;
use crate::domain::Level;
use crate::domain::decimal::parse;
use std::collections::BTreeMap;

/// A book at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookView {
    /// The update id of this state.
    pub update_id: u64,
    /// Best first, in units of the printed precision.
    pub bids: Vec<Level>,
    /// Best first.
    pub asks: Vec<Level>,
}

/// What became of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    Yes,
    /// Not newer than the book, or there is no book yet.
    Old,
    /// Applied, and something before it is missing.
    AfterGap,
    /// Not as the venue prints it; the book is as before, or changed in part.
    Unreadable,
}

/// Ids of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DiffIds {
    pub first: u64,
    pub last: u64,
    /// Futures only: the diff before's last.
    pub prev: Option<u64>,
}

impl DiffIds {
    pub fn of(diff: &[u8]) -> Option<Self> {
        // Levels come last and hold no keys, but there may be many of them.
        let head = &diff[..diff.len().min(256)];
        let (first, last) = (scan::integer(head, br#""U":"#)?, scan::integer(head, br#""u":"#)?);
        Some(Self { first, last, prev: scan::integer(head, br#""pu":"#) })
    }
}

/// The book.
#[derive(Debug, Default)]
pub(super) struct Book {
    price_decimals: u8,
    qty_decimals: u8,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    update_id: u64,
    synced: bool,
    /// The last diff came while this was the book.
    last_diff: Option<u64>,
}

impl Book {
    pub fn new(price_decimals: u8, qty_decimals: u8) -> Self {
        Self { price_decimals, qty_decimals, ..Self::default() }
    }

    /// Whether there is a book.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    pub fn update_id(&self) -> u64 {
        self.update_id
    }

    /// Takes a REST snapshot, unless the book is at least as new. False where it cannot be read.
    pub fn seed(&mut self, snapshot: &[u8]) -> bool {
        let Some(id) = scan::integer(snapshot, br#""lastUpdateId":"#) else { return false };
        if self.synced && id <= self.update_id {
            return true;
        }
        let mut fresh = Self::new(self.price_decimals, self.qty_decimals);
        if fresh.set_levels(snapshot, br#""bids":["#, br#""asks":["#).is_none() {
            return false;
        }
        (fresh.update_id, fresh.synced) = (id, true);
        *self = fresh;
        true
    }

    pub fn apply(&mut self, ids: DiffIds, diff: &[u8]) -> Applied {
        if !self.synced || ids.last <= self.update_id {
            return Applied::Old;
        }
        let follows = match (ids.prev, self.last_diff) {
            (Some(prev), Some(last)) => prev == last,
            // The first diff over the snapshot straddles it; futures ids have holes between diffs.
            (Some(prev), None) => prev <= self.update_id,
            (None, _) => ids.first <= self.update_id + 1,
        };
        if self.set_levels(diff, br#""b":["#, br#""a":["#).is_none() {
            return Applied::Unreadable;
        }
        self.update_id = ids.last;
        self.last_diff = Some(ids.last);
        if follows { Applied::Yes } else { Applied::AfterGap }
    }

    fn set_levels(&mut self, frame: &[u8], bids: &[u8], asks: &[u8]) -> Option<()> {
        let (price_decimals, qty_decimals) = (self.price_decimals, self.qty_decimals);
        for (key, side) in [(bids, &mut self.bids), (asks, &mut self.asks)] {
            scan::levels(frame, key, |price, qty| {
                let (price, qty) = (parse(price, price_decimals).ok()?, parse(qty, qty_decimals).ok()?);
                if qty == 0 {
                    side.remove(&price);
                } else {
                    side.insert(price, qty);
                }
                Some(())
            })?;
        }
        Some(())
    }

    /// Bids, best first.
    pub fn bids(&self) -> impl Iterator<Item = Level> + '_ {
        self.bids.iter().rev().map(|(&price, &qty)| Level::new(price, qty))
    }

    /// Asks, best first.
    pub fn asks(&self) -> impl Iterator<Item = Level> + '_ {
        self.asks.iter().map(|(&price, &qty)| Level::new(price, qty))
    }

    /// The best `levels` of each side; `None` without a book.
    pub fn view(&self, levels: usize) -> Option<BookView> {
        self.synced.then(|| BookView {
            update_id: self.update_id,
            bids: self.bids().take(levels).collect(),
            asks: self.asks().take(levels).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(book: &mut Book, diff: &str) -> Applied {
        let ids = DiffIds::of(diff.as_bytes()).expect("ids");
        book.apply(ids, diff.as_bytes())
    }

    #[test]
    fn a_spot_book_follows_its_diffs_from_the_snapshot_on() {
        let mut book = Book::new(1, 1);
        assert_eq!(applied(&mut book, r#"{"U":1,"u":2,"b":[["1.0","1.0"]],"a":[]}"#), Applied::Old);
        assert!(
            book.seed(br#"{"lastUpdateId":10,"bids":[["1.0","1.0"],["0.9","2.0"]],"asks":[["1.1","1.0"]]}"#)
        );
        assert_eq!(applied(&mut book, r#"{"U":5,"u":10,"b":[["1.0","9.0"]],"a":[]}"#), Applied::Old);
        assert_eq!(
            applied(&mut book, r#"{"U":9,"u":12,"b":[["1.0","0.0"]],"a":[["1.0","3.0"]]}"#),
            Applied::Yes
        );
        let view = book.view(5).expect("synced");
        assert_eq!((view.update_id, view.bids), (12, vec![Level::new(9, 20)]));
        assert_eq!(view.asks, [Level::new(10, 30), Level::new(11, 10)]);
        assert_eq!(applied(&mut book, r#"{"U":14,"u":15,"b":[],"a":[]}"#), Applied::AfterGap);
        assert_eq!(applied(&mut book, r#"{"U":16,"u":17,"b":[["x","1"]],"a":[]}"#), Applied::Unreadable);
        assert!(!book.seed(b"{}"));
    }

    #[test]
    fn a_futures_book_goes_by_the_previous_id() {
        let mut book = Book::new(0, 0);
        assert!(book.seed(br#"{"lastUpdateId":10,"bids":[],"asks":[]}"#));
        assert_eq!(applied(&mut book, r#"{"U":8,"u":12,"pu":7,"b":[],"a":[]}"#), Applied::Yes);
        assert_eq!(applied(&mut book, r#"{"U":20,"u":22,"pu":12,"b":[],"a":[]}"#), Applied::Yes);
        assert_eq!(applied(&mut book, r#"{"U":30,"u":32,"pu":25,"b":[],"a":[]}"#), Applied::AfterGap);
    }
}
