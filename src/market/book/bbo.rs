//! A built-in oracle: at every update id that a depth diff and a best-bid-and-ask event share, they must agree.

use crate::domain::contradiction::{Contradiction, DIFFER_MAX};
use crate::domain::event::Quote;
use crate::market::Top;

/// Quotes remembered; on the recordings a diff closes at most some 600 of them.
const REMEMBERED: usize = 1_024;

/// Compares one instrument's book with its quotes.
#[derive(Debug)]
pub struct BboCheck {
    quotes: Box<[Quote]>,
    next: usize,
    len: usize,
    top: Option<(u64, Top)>,
    /// Shared update ids seen.
    pub checked: u64,
    /// Of those, how many agreed in price and size on both sides.
    pub equal: u64,
    /// Those in a row that did not.
    differing: u32,
}

impl Default for BboCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl BboCheck {
    /// Nothing seen yet; all memory is taken now.
    #[must_use]
    pub fn new() -> Self {
        let none = Quote {
            instrument: crate::domain::InstrumentId(0),
            bid: crate::domain::Level::default(),
            ask: crate::domain::Level::default(),
            update_id: 0,
        };
        let quotes = vec![none; REMEMBERED].into_boxed_slice();
        Self { quotes, next: 0, len: 0, top: None, checked: 0, equal: 0, differing: 0 }
    }

    /// A best-bid-and-ask event; gives how it contradicts the book, if it does.
    #[inline]
    pub fn on_quote(&mut self, quote: &Quote) -> Option<Contradiction> {
        if let Some((id, top)) = self.top
            && id == quote.update_id
        {
            self.top = None;
            return self.compare(quote, &top);
        }
        self.quotes[self.next] = *quote;
        self.next = (self.next + 1) % REMEMBERED;
        self.len = (self.len + 1).min(REMEMBERED);
        None
    }

    /// A diff was applied, and the book, which is valid, stands at `update_id`; gives how a quote contradicts it, if one does.
    #[inline]
    pub fn on_book(&mut self, update_id: u64, top: &Top) -> Option<Contradiction> {
        self.top = Some((update_id, *top));
        // Newest first: ids rise, so the search ends as soon as they are below.
        for back in 1..=self.len {
            let index = (self.next + REMEMBERED - back) % REMEMBERED;
            let quote = self.quotes[index];
            if quote.update_id < update_id {
                break;
            }
            if quote.update_id == update_id {
                self.top = None;
                return self.compare(&quote, top);
            }
        }
        None
    }

    fn compare(&mut self, quote: &Quote, top: &Top) -> Option<Contradiction> {
        self.checked += 1;
        if quote.bid == top.bid && quote.ask == top.ask {
            self.equal += 1;
            self.differing = 0;
            return None;
        }
        self.differing += 1;
        let lasting = self.differing >= DIFFER_MAX;
        if lasting {
            self.differing = 0;
        }
        Some(Contradiction { instrument: quote.instrument, lasting })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{InstrumentId, Level};

    #[test]
    fn three_in_a_row_at_equal_ids_are_no_accident_and_two_are() {
        let mut check = BboCheck::new();
        let mut compared = |id: u64, equal: bool| {
            let (bid, ask) = (Level::new(10, 1), Level::new(if equal { 12 } else { 11 }, 1));
            let quote = Quote { instrument: InstrumentId(0), bid, ask, update_id: id };
            let top = Top { bid, ask: Level::new(12, 1), valid: true };
            // Whichever of the two comes first.
            let of_quote = id.is_multiple_of(2).then(|| check.on_quote(&quote)).flatten();
            let of_book = check.on_book(id, &top);
            let of_later = (id % 2 == 1).then(|| check.on_quote(&quote)).flatten();
            of_quote.or(of_book).or(of_later).map(|contradiction| contradiction.lasting)
        };
        let told: Vec<_> = [false, false, true, false, false, false, false]
            .into_iter()
            .zip(1..)
            .map(|(equal, id)| compared(id, equal))
            .collect();
        let (one, three) = (Some(false), Some(true));
        assert_eq!(told, [one, one, None, one, one, three, one]);
        assert_eq!((check.checked, check.equal), (7, 1));
    }
}
