//! Bars of one instrument, from the trades that are sent.
//!
//! Owns: the last seconds and minutes that had trades; every longer interval is put together from them. A trade counts
//! by its own time, however late it comes.

use super::super::bar::Bar;
use super::super::engine::Fill;
use std::collections::VecDeque;

/// Bars kept: 20 minutes of seconds, and two days of minutes.
const SECONDS_KEPT: usize = 1_200;
const MINUTES_KEPT: usize = 2 * 24 * 60;
const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60_000;

#[derive(Debug, Default)]
pub(super) struct Bars {
    seconds: VecDeque<Bar>,
    minutes: VecDeque<Bar>,
}

impl Bars {
    pub fn add(&mut self, fill: &Fill, ms: u64) {
        add(&mut self.seconds, SECOND_MS, SECONDS_KEPT, fill, ms);
        add(&mut self.minutes, MINUTE_MS, MINUTES_KEPT, fill, ms);
    }

    /// The bar of this length that begins at `open_ms`. Without trades it stands at the close before it; `None` where
    /// nothing traded until its end.
    pub fn bar(&self, interval_ms: u64, open_ms: u64) -> Option<Bar> {
        let ring = if interval_ms < MINUTE_MS { &self.seconds } else { &self.minutes };
        let begin = ring.partition_point(|bar| bar.open_ms < open_ms);
        let end = ring.partition_point(|bar| bar.open_ms < open_ms.saturating_add(interval_ms));
        let before = begin.checked_sub(1).and_then(|last| ring.get(last)).map(|bar| bar.close);
        let standing = before.or_else(|| ring.get(begin).filter(|_| begin < end).map(|bar| bar.open))?;
        let mut bar = Bar::new(interval_ms, open_ms, standing);
        ring.range(begin..end).for_each(|part| bar.merge(part));
        Some(bar)
    }

    /// Beginnings of the intervals of this length from the first trade kept to `now_ms`, oldest first.
    pub fn openings(&self, interval_ms: u64, now_ms: u64) -> impl DoubleEndedIterator<Item = u64> + use<> {
        let ring = if interval_ms < MINUTE_MS { &self.seconds } else { &self.minutes };
        let first = ring.front().map_or(now_ms, |bar| bar.open_ms) / interval_ms;
        (first..=now_ms / interval_ms).map(move |number| number * interval_ms)
    }
}

fn add(ring: &mut VecDeque<Bar>, interval_ms: u64, kept: usize, fill: &Fill, ms: u64) {
    let open_ms = ms - ms % interval_ms;
    let at = ring.partition_point(|bar| bar.open_ms < open_ms);
    if ring.get(at).is_none_or(|bar| bar.open_ms != open_ms) {
        if at == 0 && ring.len() == kept {
            return;
        }
        ring.insert(at, Bar::new(interval_ms, ms, fill.price));
    }
    ring[at].add(fill);
    if ring.len() > kept {
        ring.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::super::listing::fill;
    use super::*;
    use crate::domain::{Price, Qty, Side};

    #[test]
    fn a_longer_bar_is_made_of_the_shorter_ones() {
        let mut bars = Bars::default();
        for (id, ms, price, qty) in
            [(1, 60_500, 10, 1), (2, 61_200, 12, 2), (3, 61_900, 9, 3), (4, 125_000, 11, 4)]
        {
            bars.add(&fill(id, Price(price), Qty(qty), Side::Sell), ms);
        }
        let second = bars.bar(1_000, 61_000).expect("two trades");
        assert_eq!(
            (second.open, second.high, second.low, second.close),
            (Price(12), Price(12), Price(9), Price(9))
        );
        let minute = bars.bar(60_000, 60_000).expect("three trades");
        assert_eq!((minute.first_id, minute.last_id, minute.trades, minute.volume), (1, 3, 3, Qty(6)));
        let three = bars.bar(180_000, 0).expect("four trades");
        assert_eq!((three.trades, three.open, three.close), (4, Price(10), Price(11)));
        let empty = bars.bar(1_000, 62_000).expect("it stands at the last price");
        assert_eq!((empty.trades, empty.open, empty.close), (0, Price(9), Price(9)));
        assert_eq!(bars.bar(1_000, 0), None, "nothing had traded yet");
        assert_eq!(bars.openings(60_000, 130_000).collect::<Vec<_>>(), [60_000, 120_000]);
    }

    #[test]
    fn a_late_trade_counts_where_it_belongs() {
        let mut bars = Bars::default();
        bars.add(&fill(2, Price(10), Qty(1), Side::Buy), 2_000);
        bars.add(&fill(1, Price(8), Qty(1), Side::Buy), 1_999);
        assert_eq!(bars.bar(1_000, 1_000).expect("one trade").close, Price(8));
    }
}
