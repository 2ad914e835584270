//! A built-in oracle: at every update id that a depth diff and a best-bid-and-ask event share, they must agree.

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
        Self { quotes, next: 0, len: 0, top: None, checked: 0, equal: 0 }
    }

    /// A best-bid-and-ask event.
    #[inline]
    pub fn on_quote(&mut self, quote: &Quote) {
        if let Some((id, top)) = self.top
            && id == quote.update_id
        {
            self.compare(quote, &top);
            self.top = None;
            return;
        }
        self.quotes[self.next] = *quote;
        self.next = (self.next + 1) % REMEMBERED;
        self.len = (self.len + 1).min(REMEMBERED);
    }

    /// A diff was applied, and the book, which is valid, stands at `update_id`.
    #[inline]
    pub fn on_book(&mut self, update_id: u64, top: &Top) {
        self.top = Some((update_id, *top));
        // Newest first: ids rise, so the search ends as soon as they are below.
        for back in 1..=self.len {
            let index = (self.next + REMEMBERED - back) % REMEMBERED;
            let quote = self.quotes[index];
            if quote.update_id < update_id {
                break;
            }
            if quote.update_id == update_id {
                self.compare(&quote, top);
                self.top = None;
                break;
            }
        }
    }

    fn compare(&mut self, quote: &Quote, top: &Top) {
        self.checked += 1;
        self.equal += u64::from(quote.bid == top.bid && quote.ask == top.ask);
    }
}
