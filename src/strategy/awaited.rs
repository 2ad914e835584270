//! What a strategy waits for, bar by bar: a backtest passes over bars that bring none of it.
//!
//! A strategy says it in so many words rather than by looking: it cannot see what is to come.

use super::IndicatorHandle;
use crate::domain::{Column, Stretch};

/// Something with a value at each close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// The close, in units of the quote asset.
    Close,
    /// One of an indicator's outputs, counted from 0.
    Output(IndicatorHandle, usize),
    /// The same at all times.
    Level(f64),
}

impl From<IndicatorHandle> for Measured {
    /// An indicator's first output.
    fn from(indicator: IndicatorHandle) -> Self {
        Self::Output(indicator, 0)
    }
}

impl From<f64> for Measured {
    fn from(level: f64) -> Self {
        Self::Level(level)
    }
}

/// That one thing is above another at a close, or is not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    left: Measured,
    right: Measured,
    above: bool,
}

impl Condition {
    /// That `left` > `right`.
    #[must_use]
    pub fn above(left: impl Into<Measured>, right: impl Into<Measured>) -> Self {
        Self { left: left.into(), right: right.into(), above: true }
    }

    /// That `left` > `right` does not hold.
    #[must_use]
    pub fn not_above(left: impl Into<Measured>, right: impl Into<Measured>) -> Self {
        Self { above: false, ..Self::above(left, right) }
    }
}

/// Most conditions that can be waited for at once.
const CONDITIONS_MAX: usize = 4;

/// What [`on_bar`](super::Strategy::on_bar) waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Awaited {
    any: bool,
    conditions: [Option<Condition>; CONDITIONS_MAX],
}

impl Awaited {
    /// Any bar: each is handed over.
    pub const ANY_BAR: Self = Self { any: true, conditions: [None; CONDITIONS_MAX] };
    /// None: no bar makes the strategy do anything.
    pub const NO_BAR: Self = Self { any: false, conditions: [None; CONDITIONS_MAX] };

    /// Bars at whose close this holds.
    #[must_use]
    pub fn when(condition: Condition) -> Self {
        Self::NO_BAR.or(condition)
    }

    /// Those, and bars at whose close this holds; any bar, where that is more than four conditions.
    #[must_use]
    pub fn or(mut self, condition: Condition) -> Self {
        match self.conditions.iter_mut().find(|c| c.is_none()) {
            Some(free) => *free = Some(condition),
            None => self.any = true,
        }
        self
    }

    /// Whether it is any bar.
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.any
    }

    /// How many bars of a stretch come before one that is waited for, whose closes are worth so much a unit.
    pub(super) fn before(&self, stretch: &Stretch<'_>, price_unit: f64) -> usize {
        if self.any {
            return 0;
        }
        let mut before = stretch.bars().len();
        for condition in self.conditions.iter().flatten() {
            let seen = |of| Seen::of(of, stretch, price_unit);
            let (Some(left), Some(right)) = (seen(condition.left), seen(condition.right)) else { return 0 };
            // What has no value yet is not known to be waited for or not.
            let met = |bar: usize| match (left.at(bar), right.at(bar)) {
                (Some(left), Some(right)) => (left > right) == condition.above,
                _ => true,
            };
            before = match (&left, &right) {
                // Two averages: by far the most frequent.
                (Seen::Values(left, 1), Seen::Values(right, 1)) => {
                    let known = before.min(left.len()).min(right.len());
                    first_met(&left[..known], &right[..known], condition.above).unwrap_or(known)
                }
                _ => (0..before).find(|bar| met(*bar)).unwrap_or(before),
            };
        }
        before
    }
}

/// The first place at which what is to the left is above, or is not; both are as long.
#[inline]
fn first_met(left: &[f64], right: &[f64], above: bool) -> Option<usize> {
    // By eights without a branch among them, since it is met seldom.
    let eights = left.as_chunks::<8>().0.iter().zip(right.as_chunks::<8>().0);
    let met = |(l, r): (&[f64; 8], &[f64; 8])| (0..8).fold(false, |met, n| met | ((l[n] > r[n]) == above));
    let passed = 8 * eights.map(met).take_while(|met| !met).count();
    let rest = left[passed..].iter().zip(&right[passed..]);
    rest.map(|(l, r)| (l > r) == above).position(|met| met).map(|place| passed + place)
}

/// Where the values over a stretch are.
enum Seen<'a> {
    Closes(&'a [i64], f64),
    /// Of each bar so many, the first of them what is looked at.
    Values(&'a [f64], usize),
    Output(&'a Column, usize),
    Level(f64),
}

impl<'a> Seen<'a> {
    fn of(measured: Measured, stretch: &'a Stretch<'a>, price_unit: f64) -> Option<Self> {
        Some(match measured {
            Measured::Close => Self::Closes(stretch.bars().closes(), price_unit),
            Measured::Output(indicator, output) => {
                let column = stretch.column(indicator.0)?;
                match column.values.since(column.from) {
                    Some((values, each)) if output < each => Self::Values(values.get(output..)?, each),
                    _ => Self::Output(column, output),
                }
            }
            Measured::Level(level) => Self::Level(level),
        })
    }

    #[inline]
    fn at(&self, bar: usize) -> Option<f64> {
        match self {
            Self::Closes(closes, unit) => closes.get(bar).map(|close| *close as f64 * unit),
            Self::Values(values, each) => values.get(bar * each).copied(),
            Self::Output(column, output) => column.values.output(column.from + bar, *output),
            Self::Level(level) => Some(*level),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{BarOrigin, Kline};
    use crate::domain::{BarTable, InstrumentId, KnownValues, Notional, Price, Qty, Time, TimedBar};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn bars(closes: &[i64]) -> BarTable {
        let bar = |close: &i64| Kline {
            instrument: InstrumentId(0),
            open: Price(1),
            high: Price(1),
            low: Price(1),
            close: Price(*close),
            volume: Qty(1),
            open_time: Time(0),
            close_time: Time(0),
            trades: 1,
            quote_volume: Notional(1),
            closed: true,
            origin: BarOrigin::Told,
        };
        let mut table = BarTable::with_capacity(InstrumentId(0), closes.len());
        closes.iter().for_each(|close| table.push(TimedBar { time: Time(1), bar: bar(close) }));
        table
    }

    fn before(awaited: Awaited, closes: &[i64], values: &[Option<f64>], from: usize) -> usize {
        let bars = bars(closes);
        let mut stretch = Stretch::new(InstrumentId(0), bars.columns(), Vec::new());
        let mut known = KnownValues::none_for(values.iter().take_while(|value| value.is_none()).count());
        values.iter().flatten().for_each(|value| known.push(&[*value], 0, |_| 0));
        stretch.columns.push(Column { slot: 3, values: Arc::new(known), from });
        awaited.before(&stretch, 0.01)
    }

    #[test]
    fn what_is_waited_for_ends_what_is_passed_over() {
        let average = IndicatorHandle(3);
        let (closes, values) = ([100, 200, 300, 400], [1.0, 2.5, 2.5, 4.0].map(Some));
        let over = Awaited::when(Condition::above(Measured::Close, average));
        assert_eq!(before(over, &closes, &values, 0), 2, "3.00 is above 2.5");
        let not_under = Awaited::when(Condition::not_above(average, Measured::Close));
        assert_eq!(before(not_under, &closes, &values, 0), 0, "1.00 is not above 1.0");
        let far = Awaited::when(Condition::above(average, 9.0));
        assert_eq!(before(far, &closes, &values, 0), 4);
        assert_eq!(
            before(far.or(Condition::above(average, 2.0)), &closes, &values, 0),
            1,
            "the first of two"
        );
        assert_eq!(before(far, &closes[..2], &values, 2), 2);
        assert_eq!(before(far, &closes, &values, 1), 3, "what is not known is waited for");
        assert_eq!(before(Awaited::NO_BAR, &closes, &values, 0), 4);
        assert_eq!(before(Awaited::ANY_BAR, &closes, &values, 0), 0);
        let five = (0..5).fold(Awaited::NO_BAR, |all, _| all.or(Condition::above(average, 9.0)));
        assert_eq!(before(five, &closes, &values, 0), 0, "more than it holds are any bar");
    }

    proptest! {
        #[test]
        fn the_first_place_is_found_wherever_it_is(values in proptest::collection::vec((0u8..9, 0u8..9), 0..60), above: bool) {
            let (left, right): (Vec<f64>, Vec<f64>) = values.iter().map(|(l, r)| (f64::from(*l), f64::from(*r))).unzip();
            let naive = (0..left.len()).find(|n| (left[*n] > right[*n]) == above);
            prop_assert_eq!(first_met(&left, &right, above), naive);
            let level = vec![if above { 9.0 } else { -1.0 }; left.len()];
            prop_assert_eq!(first_met(&left, &level, above), None);
        }
    }

    #[test]
    fn what_has_no_value_is_waited_for() {
        let far = Awaited::when(Condition::above(IndicatorHandle(3), 9.0));
        assert_eq!(before(far, &[1; 4], &[None, Some(1.0), Some(1.0), Some(1.0)], 0), 0, "while it warms up");
        let other = Awaited::when(Condition::above(IndicatorHandle(4), 9.0));
        assert_eq!(before(other, &[1; 4], &[Some(1.0); 4], 0), 0, "what is of another instrument");
    }
}
