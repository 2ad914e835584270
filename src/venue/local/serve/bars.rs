//! Bars of one instrument, from the trades that are sent.
//!
//! Owns: the last seconds and minutes that had trades; every longer interval is put together from them. A trade counts
//! by its own time, however late it comes.

use super::super::bar::Bar;
use super::super::engine::Fill;
use super::interval::Interval;
use crate::domain::Price;
use std::collections::VecDeque;

/// Bars kept: 20 minutes of seconds, and eight days of minutes, since tickers look seven days back.
const SECONDS_KEPT: usize = 1_200;
const MINUTES_KEPT: usize = 8 * 24 * 60;
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

    /// The bar of this interval that begins at `open_ms`. Without trades it stands at the close before it; `None` where
    /// nothing traded until its end.
    pub fn bar(&self, interval: &Interval, open_ms: u64) -> Option<Bar> {
        let ring = self.ring(interval);
        let end_ms = interval.next(open_ms);
        let begin = ring.partition_point(|bar| bar.open_ms < open_ms);
        let end = ring.partition_point(|bar| bar.open_ms < end_ms);
        let before = begin.checked_sub(1).and_then(|last| ring.get(last)).map(|bar| bar.close);
        let standing = before.or_else(|| ring.get(begin).filter(|_| begin < end).map(|bar| bar.open))?;
        let mut bar = Bar::new(1, open_ms, standing);
        bar.interval_ms = end_ms - open_ms;
        ring.range(begin..end).for_each(|part| bar.merge(part));
        Some(bar)
    }

    /// Beginnings of the intervals from the first trade kept to `now_ms`, oldest first.
    pub fn openings(&self, interval: &Interval, now_ms: u64) -> impl Iterator<Item = u64> + use<> {
        let first = interval.opening(self.ring(interval).front().map_or(now_ms, |bar| bar.open_ms));
        let interval = *interval;
        std::iter::successors(Some(first), move |opening| Some(interval.next(*opening)))
            .take_while(move |opening| *opening <= now_ms)
    }

    fn ring(&self, interval: &Interval) -> &VecDeque<Bar> {
        if interval.is_short() { &self.seconds } else { &self.minutes }
    }

    /// The minutes that begin at `open_ms` or later, and the close before them.
    pub fn minutes_from(&self, open_ms: u64) -> (impl Iterator<Item = &Bar>, Option<Price>) {
        let begin = self.minutes.partition_point(|bar| bar.open_ms < open_ms);
        let before = begin.checked_sub(1).and_then(|last| self.minutes.get(last)).map(|bar| bar.close);
        (self.minutes.range(begin..), before)
    }

    /// The seconds that end after `ms`.
    pub fn seconds_from(&self, ms: u64) -> impl Iterator<Item = &Bar> {
        let begin = self.seconds.partition_point(|bar| bar.close_ms() < ms);
        self.seconds.range(begin..)
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

    fn of(label: &str) -> Interval {
        Interval::from_label(label).expect("a label")
    }

    #[test]
    fn a_longer_bar_is_made_of_the_shorter_ones() {
        let mut bars = Bars::default();
        for (id, ms, price, qty) in
            [(1, 60_500, 10, 1), (2, 61_200, 12, 2), (3, 61_900, 9, 3), (4, 125_000, 11, 4)]
        {
            bars.add(&fill(id, Price(price), Qty(qty), Side::Sell), ms);
        }
        let second = bars.bar(&of("1s"), 61_000).expect("two trades");
        assert_eq!(
            (second.open, second.high, second.low, second.close),
            (Price(12), Price(12), Price(9), Price(9))
        );
        let minute = bars.bar(&of("1m"), 60_000).expect("three trades");
        assert_eq!((minute.first_id, minute.last_id, minute.trades, minute.volume), (1, 3, 3, Qty(6)));
        let three = bars.bar(&of("3m"), 0).expect("four trades");
        assert_eq!((three.trades, three.open, three.close), (4, Price(10), Price(11)));
        let empty = bars.bar(&of("1s"), 62_000).expect("it stands at the last price");
        assert_eq!((empty.trades, empty.open, empty.close), (0, Price(9), Price(9)));
        assert_eq!(bars.bar(&of("1s"), 0), None, "nothing had traded yet");
        assert_eq!(bars.openings(&of("1m"), 130_000).collect::<Vec<_>>(), [60_000, 120_000]);
    }

    #[test]
    fn a_late_trade_counts_where_it_belongs() {
        let mut bars = Bars::default();
        bars.add(&fill(2, Price(10), Qty(1), Side::Buy), 2_000);
        bars.add(&fill(1, Price(8), Qty(1), Side::Buy), 1_999);
        assert_eq!(bars.bar(&of("1s"), 1_000).expect("one trade").close, Price(8));
    }
}
