//! Bars in columns: what is looked at of many bars at once lies beside its like.
//!
//! Owns: that layout, as a view ([`BarColumns`]) and as what holds one ([`BarTable`]). Whoever needs a bar whole, at which
//! something happens, asks its holder for it.

use super::event::{BarOrigin, Kline};
use super::{InstrumentId, Notional, Price, Qty, Time};
use std::ops::Range;

/// The longest time bar, s: a week.
pub const WEEK_S: u32 = 7 * 86_400;

/// When the first time bar of this length, s, begins, ns since 1970: weeks begin on Mondays, and 1970-01-01 was a Thursday.
#[must_use]
pub const fn first_bar_ns(seconds: u32) -> u64 {
    const FIRST_MONDAY_NS: u64 = 4 * 86_400 * 1_000_000_000;
    if seconds == WEEK_S { FIRST_MONDAY_NS } else { 0 }
}

/// A bar and when it was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedBar {
    /// When it was known: at its end.
    pub time: Time,
    /// The bar.
    pub bar: Kline,
}

/// A bar, as strategies and indicators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Of what.
    pub instrument: InstrumentId,
    /// By the venue's clock: of a time bar the start of its interval, of another its first trade.
    pub start: Time,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Base volume.
    pub volume: Qty,
    /// Trades in it.
    pub trades: u32,
}

impl From<&Kline> for Bar {
    fn from(kline: &Kline) -> Self {
        Self {
            instrument: kline.instrument,
            start: kline.open_time,
            open: kline.open,
            high: kline.high,
            low: kline.low,
            close: kline.close,
            volume: kline.volume,
            trades: u32::try_from(kline.trades).unwrap_or(u32::MAX),
        }
    }
}

/// Columns of bars of one instrument, one after the other; all are as long as the first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Columns<'a> {
    /// Of what.
    pub instrument: InstrumentId,
    /// When each was known: at its end, in nanoseconds as a [`Time`]'s.
    pub times: &'a [i64],
    /// How long before that each started, nanoseconds.
    pub lags: &'a [i64],
    /// First prices, as those of [`Price`].
    pub opens: &'a [i64],
    /// Highest prices.
    pub highs: &'a [i64],
    /// Lowest prices.
    pub lows: &'a [i64],
    /// Last prices.
    pub closes: &'a [i64],
    /// Base volumes, as those of [`Qty`].
    pub volumes: &'a [i64],
    /// How many trades.
    pub trades: &'a [i64],
}

/// Some of the bars that lie in columns. To leave some of them away costs nothing: columns are cut where they are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct BarColumns<'a> {
    whole: Columns<'a>,
    from: usize,
    bars: usize,
}

impl<'a> From<Columns<'a>> for BarColumns<'a> {
    #[inline]
    fn from(whole: Columns<'a>) -> Self {
        Self { whole, from: 0, bars: whole.times.len() }
    }
}

impl<'a> BarColumns<'a> {
    /// How many they are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.bars
    }

    /// Whether they are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bars == 0
    }

    #[inline]
    fn cut(&self, column: &'a [i64]) -> &'a [i64] {
        &column[self.from..self.from + self.bars]
    }

    /// Open, high, low and close.
    #[inline]
    #[must_use]
    pub fn prices(&self) -> [&'a [i64]; 4] {
        [self.whole.opens, self.whole.highs, self.whole.lows, self.whole.closes]
            .map(|column| self.cut(column))
    }

    /// Last prices.
    #[inline]
    #[must_use]
    pub fn closes(&self) -> &'a [i64] {
        self.cut(self.whole.closes)
    }

    /// Base volumes.
    #[inline]
    #[must_use]
    pub fn volumes(&self) -> &'a [i64] {
        self.cut(self.whole.volumes)
    }

    /// The first so many, and the rest.
    ///
    /// # Panics
    /// If they are fewer.
    #[inline]
    #[must_use]
    pub fn split_at(&self, bars: usize) -> (Self, Self) {
        (self.part(0..bars), self.part(bars..self.bars))
    }

    /// Those of a range.
    ///
    /// # Panics
    /// If they are not all there.
    #[inline]
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.bars, "{range:?} of {}", self.bars);
        Self { from: self.from + range.start, bars: range.end - range.start, ..*self }
    }

    /// Leaves only the first so many.
    #[inline]
    pub fn truncate(&mut self, bars: usize) {
        self.bars = self.bars.min(bars);
    }

    /// How many of them were known before a moment, of bars in the order of time.
    #[inline]
    #[must_use]
    pub fn before(&self, moment: Time) -> usize {
        let times = self.cut(self.whole.times);
        match times.last() {
            Some(&last) if moment <= Time(last as u64) => {
                times.partition_point(|time| Time(*time as u64) < moment)
            }
            _ => self.bars,
        }
    }

    /// When one of them was known.
    #[inline]
    #[must_use]
    pub fn time(&self, bar: usize) -> Option<Time> {
        self.cut(self.whole.times).get(bar).map(|time| Time(*time as u64))
    }

    /// One of them.
    #[inline]
    #[must_use]
    pub fn bar(&self, bar: usize) -> Option<Bar> {
        let (at, time, whole) = (self.from + bar, self.time(bar)?, &self.whole);
        Some(Bar {
            instrument: whole.instrument,
            start: Time(time.0.wrapping_sub(*whole.lags.get(at)? as u64)),
            open: Price(*whole.opens.get(at)?),
            high: Price(*whole.highs.get(at)?),
            low: Price(*whole.lows.get(at)?),
            close: Price(*whole.closes.get(at)?),
            volume: Qty(*whole.volumes.get(at)?),
            trades: u32::try_from(*whole.trades.get(at)? as u64).unwrap_or(u32::MAX),
        })
    }

    /// Each of them.
    pub fn bars(self) -> impl Iterator<Item = Bar> + 'a {
        (0..self.bars).filter_map(move |bar| self.bar(bar))
    }

    /// The last of them, and when it was known.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Option<(Time, Bar)> {
        let last = self.bars.checked_sub(1)?;
        Some((self.time(last)?, self.bar(last)?))
    }
}

/// Bars of one instrument, held whole.
#[derive(Debug, Clone, Default)]
pub struct BarTable {
    instrument: InstrumentId,
    times: Vec<i64>,
    lags: Vec<i64>,
    prices: [Vec<i64>; 4],
    volumes: Vec<i64>,
    trades: Vec<i64>,
    rest: Vec<Rest>,
}

/// What of a bar is looked at with the whole of it only.
#[derive(Debug, Clone, Copy)]
struct Rest {
    quote_volume: Notional,
    close_time: Time,
    closed: bool,
}

impl BarTable {
    /// Bytes that one bar takes.
    pub const BAR_BYTES: usize = size_of::<[i64; 8]>() + size_of::<Rest>();

    /// None yet, with room for so many bars of `instrument`.
    #[must_use]
    pub fn with_capacity(instrument: InstrumentId, bars: usize) -> Self {
        let column = || Vec::with_capacity(bars);
        Self {
            instrument,
            times: column(),
            lags: column(),
            prices: std::array::from_fn(|_| column()),
            volumes: column(),
            trades: column(),
            rest: Vec::with_capacity(bars),
        }
    }

    /// Adds one.
    pub fn push(&mut self, TimedBar { time, bar }: TimedBar) {
        self.times.push(time.0 as i64);
        self.lags.push((time.0 as i64).wrapping_sub(bar.open_time.0 as i64));
        let prices = [bar.open, bar.high, bar.low, bar.close];
        self.prices.iter_mut().zip(prices).for_each(|(column, price)| column.push(price.0));
        self.volumes.push(bar.volume.0);
        self.trades.push(bar.trades as i64);
        self.rest.push(Rest {
            quote_volume: bar.quote_volume,
            close_time: bar.close_time,
            closed: bar.closed,
        });
    }

    /// How many there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// For how many there is room.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.times.capacity()
    }

    /// All of them.
    #[inline]
    #[must_use]
    pub fn columns(&self) -> BarColumns<'_> {
        let [opens, highs, lows, closes] = &self.prices;
        BarColumns::from(Columns {
            instrument: self.instrument,
            times: &self.times,
            lags: &self.lags,
            opens,
            highs,
            lows,
            closes,
            volumes: &self.volumes,
            trades: &self.trades,
        })
    }

    /// One of them, whole.
    #[must_use]
    pub fn bar(&self, bar: usize) -> Option<TimedBar> {
        let (seen, rest) = (self.columns().bar(bar)?, self.rest.get(bar)?);
        let kline = Kline {
            instrument: self.instrument,
            open: seen.open,
            high: seen.high,
            low: seen.low,
            close: seen.close,
            volume: seen.volume,
            open_time: seen.start,
            close_time: rest.close_time,
            trades: *self.trades.get(bar)? as u64,
            quote_volume: rest.quote_volume,
            closed: rest.closed,
            origin: BarOrigin::Told,
        };
        Some(TimedBar { time: self.columns().time(bar)?, bar: kline })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(n: i64) -> TimedBar {
        let bar = Kline {
            instrument: InstrumentId(7),
            open: Price(n),
            high: Price(n + 1),
            low: Price(n - 1),
            close: Price(n + 2),
            volume: Qty(10 * n),
            open_time: Time(100 * n as u64),
            close_time: Time(100 * n as u64 + 99),
            trades: n as u64,
            quote_volume: Notional(i128::MAX - i128::from(n)),
            closed: n % 2 == 0,
            origin: BarOrigin::Told,
        };
        TimedBar { time: Time(100 * n as u64 + 100), bar }
    }

    #[test]
    fn a_table_gives_back_what_was_put_in() {
        let mut table = BarTable::with_capacity(InstrumentId(7), 3);
        (1..4).for_each(|n| table.push(bar(n)));
        assert_eq!(
            (0..4).map(|n| table.bar(n)).collect::<Vec<_>>(),
            [Some(bar(1)), Some(bar(2)), Some(bar(3)), None]
        );
        let seen: Vec<Bar> = table.columns().bars().collect();
        assert_eq!(seen, [1, 2, 3].map(|n| Bar::from(&bar(n).bar)));
    }

    #[test]
    fn columns_are_cut_by_count_and_by_time() {
        let mut table = BarTable::with_capacity(InstrumentId(7), 3);
        (1..4).for_each(|n| table.push(bar(n)));
        let all = table.columns();
        let before = |moment| all.before(Time(moment));
        assert_eq!([before(0), before(200), before(201), before(400), before(401)], [0, 0, 1, 2, 3]);
        let (first, rest) = all.split_at(1);
        assert_eq!((first.len(), rest.len()), (1, 2));
        assert_eq!(rest.bar(0), all.bar(1));
        let last = |n| Some((bar(n).time, Bar::from(&bar(n).bar)));
        assert_eq!((first.last(), rest.last()), (last(1), last(3)));
        assert_eq!((all.part(1..1).last(), all.part(1..1).before(Time(9))), (None, 0));
    }
}
