//! Orders that wait for a price.

use std::collections::{BTreeSet, VecDeque};

/// Waiting orders by the price they wait for, and those whose price has come.
#[derive(Debug, Default)]
pub(super) struct Triggers {
    /// Those that trigger at or above.
    rising: BTreeSet<(i64, u64)>,
    /// Those that trigger at or below.
    falling: BTreeSet<(i64, u64)>,
    due: VecDeque<u64>,
}

impl Triggers {
    pub fn wait(&mut self, number: u64, stop: i64, rising: bool) {
        if rising {
            self.rising.insert((stop, number))
        } else {
            self.falling.insert((stop, number))
        };
    }

    pub fn forget(&mut self, number: u64, stop: i64) {
        self.rising.remove(&(stop, number));
        self.falling.remove(&(stop, number));
    }

    /// A trade: the orders that it triggers become due, oldest first, after those that are due already.
    pub fn trade(&mut self, price: i64) {
        let mut found = Vec::new();
        while let Some(first) = self.rising.first().copied().filter(|(stop, _)| *stop <= price) {
            self.rising.remove(&first);
            found.push(first.1);
        }
        while let Some(last) = self.falling.last().copied().filter(|(stop, _)| *stop >= price) {
            self.falling.remove(&last);
            found.push(last.1);
        }
        found.sort_unstable();
        self.due.extend(found);
    }

    /// The next order whose price has come.
    pub fn next_due(&mut self) -> Option<u64> {
        self.due.pop_front()
    }
}
