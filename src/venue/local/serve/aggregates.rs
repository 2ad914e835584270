//! Aggregate trades of one instrument: what an incoming order traded at one price, as one.
//!
//! Owns: their ids and the last of them, from which both the stream and REST are served. Trades of one price, one side
//! and one moment that follow each other are one, until another trade or a later moment is seen. Where the origin sends
//! the stream itself, its aggregates are kept as they are.

use super::super::encode::AggTrade;
use super::listing::Trade;
use crate::domain::Qty;
use std::collections::VecDeque;

/// Aggregates that REST can show: more than one answer has, so that whoever fetches a history has to ask again.
const KEPT: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Aggregates {
    native: bool,
    /// Zero before the first trade, whose id is also the first aggregate's.
    next_id: u64,
    open: Option<AggTrade>,
    whole: VecDeque<AggTrade>,
}

impl Aggregates {
    /// The origin sends them: none are made.
    pub fn be_native(&mut self) {
        if !self.native {
            (self.native, self.open) = (true, None);
            self.whole.clear();
        }
    }

    /// Takes in one of the origin's own.
    pub fn keep(&mut self, aggregate: AggTrade) {
        if self.whole.len() == KEPT {
            self.whole.pop_front();
        }
        self.next_id = aggregate.id + 1;
        self.whole.push_back(aggregate);
    }

    /// Takes in a trade.
    pub fn add(&mut self, trade: &Trade) {
        if self.native {
            return;
        }
        if let Some(open) = &mut self.open
            && (open.price, open.maker_side, open.ms) == (trade.price, trade.maker_side, trade.ms)
        {
            open.last_id = trade.id;
            open.qty = Qty(open.qty.0.saturating_add(trade.qty.0));
            return;
        }
        self.close();
        if self.next_id == 0 {
            self.next_id = trade.id;
        }
        self.open = Some(AggTrade {
            id: self.next_id,
            first_id: trade.id,
            last_id: trade.id,
            price: trade.price,
            qty: trade.qty,
            maker_side: trade.maker_side,
            ms: trade.ms,
        });
    }

    /// Time has come to `now_ms`: nothing earlier can grow.
    pub fn pass(&mut self, now_ms: u64) {
        if self.open.is_some_and(|open| open.ms < now_ms) {
            self.close();
        }
    }

    /// Nothing can grow any more.
    pub fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.keep(open);
        }
    }

    /// The id that the next whole one has, or a later one.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Those that are whole and have this id or a later one, oldest first.
    pub fn since(&self, id: u64) -> impl Iterator<Item = &AggTrade> {
        let begin = self.whole.partition_point(|whole| whole.id < id);
        self.whole.range(begin..)
    }

    /// Those that are whole, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &AggTrade> {
        self.whole.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Side};

    fn trade(id: u64, ms: u64, price: i64, maker_side: Side) -> Trade {
        Trade { id, ms, price: Price(price), qty: Qty(1), maker_side }
    }

    #[test]
    fn trades_of_a_moment_a_price_and_a_side_are_one() {
        let mut aggregates = Aggregates::default();
        for (id, ms, price, side) in [
            (7, 1, 10, Side::Buy),
            (8, 1, 10, Side::Buy),
            (9, 1, 11, Side::Buy),
            (10, 1, 11, Side::Sell),
            (11, 2, 11, Side::Sell),
        ] {
            aggregates.add(&trade(id, ms, price, side));
        }
        let ids = |of: &Aggregates| of.iter().map(|a| (a.id, a.first_id, a.last_id)).collect::<Vec<_>>();
        assert_eq!(ids(&aggregates), [(7, 7, 8), (8, 9, 9), (9, 10, 10)]);
        aggregates.pass(2);
        assert_eq!(ids(&aggregates).len(), 3, "it could still grow");
        aggregates.pass(3);
        assert_eq!(ids(&aggregates).last(), Some(&(10, 11, 11)));
    }
}
