//! The path of a bar: from its open over both extremes to its close, as events at times of their own.
//!
//! The open is known when the bar opens, and the close, with the whole bar, when it ends; the extremes are put a third
//! and two thirds of the way. Which comes first is the [`PathRule`]'s to say, at the moment the first is due, by the
//! position that the answers until then tell of. An extreme at which the
//! price is already is left out, so that a bar under way whose high is its low shows that it has just opened.

use crate::domain::event::{BarOrigin, Kline};
use crate::domain::{Bar, BarColumns, InstrumentId, Notional, Price, Qty, Time};
use crate::run::config::PathRule;

/// Steps of a path, each an event, whether the price is there already or not.
pub(super) const STEPS: u64 = 4;
/// The step of a path that is over.
const LAST_STEP: u8 = STEPS as u8;

/// A bar on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct BarPath {
    bar: Kline,
    /// When it opens, and when it is known.
    begins: Time,
    ends: Time,
    step: u8,
    high_first: bool,
    /// Where it has got to, and the extremes that it has been to.
    price: Price,
    high: Price,
    low: Price,
}

impl BarPath {
    /// None, or one that is over.
    pub const OVER: Self = Self {
        bar: Kline {
            instrument: InstrumentId(0),
            open: Price(0),
            high: Price(0),
            low: Price(0),
            close: Price(0),
            volume: Qty::ZERO,
            open_time: Time(0),
            close_time: Time(0),
            trades: 0,
            quote_volume: Notional::ZERO,
            closed: true,
            origin: BarOrigin::Told,
        },
        begins: Time(0),
        ends: Time(0),
        step: LAST_STEP,
        high_first: true,
        price: Price(0),
        high: Price(0),
        low: Price(0),
    };

    /// The path of a bar that is known at `ends`; it does not begin before `after`.
    pub fn new(bar: Kline, ends: Time, after: Time) -> Self {
        let begins = bar.open_time.max(after).min(ends);
        let price = bar.open;
        Self { bar, begins, ends, step: 0, high_first: true, price, high: price, low: price }
    }

    /// The bar as far as it has got.
    fn so_far(&self) -> Kline {
        Kline {
            high: self.high,
            low: self.low,
            close: self.price,
            volume: Qty::ZERO,
            quote_volume: Notional::ZERO,
            trades: 0,
            closed: false,
            ..self.bar
        }
    }

    /// When the next point is due; `None` at the end.
    pub fn due(&self) -> Option<Time> {
        let third = self.ends.since(self.begins) / 3;
        match self.step {
            0 => Some(self.begins),
            1 => Some(self.begins.plus_nanos(third)),
            2 => Some(self.begins.plus_nanos(2 * third)),
            3 => Some(self.ends),
            _ => None,
        }
    }

    /// When the last point before its close is due; `None` where only the close is left.
    #[inline]
    pub fn within(&self) -> Option<Time> {
        let third = self.ends.since(self.begins) / 3;
        (self.step < 3).then(|| self.begins.plus_nanos(2 * third))
    }

    /// Whether nothing is left of it.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.step >= LAST_STEP
    }

    /// Whether the next point is where it opens.
    pub fn opens(&self) -> bool {
        self.step == 0
    }

    /// The next point; `None` where the price is there already. `position` is what is held.
    pub fn next(&mut self, rule: PathRule, position: i64) -> Option<Kline> {
        if !self.step(rule, position) {
            return None;
        }
        Some(if self.is_over() { Kline { closed: true, ..self.bar } } else { self.so_far() })
    }

    /// Goes on to the next point; false where the price is there already.
    pub fn step(&mut self, rule: PathRule, position: i64) -> bool {
        self.step += 1;
        match self.step {
            1 => return true,
            2 => self.high_first = self.goes_up(rule, position),
            3 => {}
            _ => {
                self.price = self.bar.close;
                return true;
            }
        }
        self.go()
    }

    /// The price that it has come to.
    pub fn price(&self) -> Price {
        self.price
    }

    /// Goes to the extreme that comes now; false where the price is there already.
    fn go(&mut self) -> bool {
        let up = self.high_first == (self.step == 2);
        let price = if up { self.bar.high } else { self.bar.low };
        if price == self.price {
            return false;
        }
        self.price = price;
        if up {
            self.high = price;
        } else {
            self.low = price;
        }
        true
    }

    /// How many points a whole bar has, and where the price is before its close.
    #[inline]
    pub fn extent(bar: &Bar, rule: PathRule, position: i64) -> (u64, Price) {
        let prices = [bar.open, bar.high, bar.low, bar.close].map(|price| price.0);
        let (points, before) = extent_of(first_of(rule, position), prices);
        (points, Price(before))
    }

    /// What is left of it: how many steps, how many of them points, and where the price is before its close.
    pub fn rest(&self, rule: PathRule, position: i64) -> (u64, u64, Price) {
        if self.step == 0 {
            let (points, before) = extent_of(first_of(rule, position), prices_of(&self.bar));
            return (STEPS, points, Price(before));
        }
        let steps = STEPS.saturating_sub(u64::from(self.step));
        let (mut path, mut points) = (*self, 1);
        while path.within().is_some() {
            points += u64::from(path.step(rule, position));
        }
        (steps, points, path.price)
    }

    fn goes_up(&self, rule: PathRule, position: i64) -> bool {
        first_of(rule, position).is_high(prices_of(&self.bar))
    }
}

/// Which of a bar's extremes comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    High,
    Low,
    /// Whichever is nearer to the open.
    Nearest,
}

/// What a rule says for somebody who holds so much.
#[inline]
pub(super) fn first_of(rule: PathRule, position: i64) -> First {
    let high = |first| if first { First::High } else { First::Low };
    match rule {
        PathRule::HighFirst => First::High,
        PathRule::LowFirst => First::Low,
        PathRule::Adverse if position != 0 => high(position < 0),
        PathRule::Favourable if position != 0 => high(position > 0),
        PathRule::Adverse | PathRule::Favourable | PathRule::Nearest => First::Nearest,
    }
}

impl First {
    /// Whether of a bar of this open, high, low and close it is the high.
    #[inline]
    fn is_high(self, [open, high, low, close]: [i64; 4]) -> bool {
        match self {
            Self::High => true,
            Self::Low => false,
            Self::Nearest => {
                let (above, below) = (high.abs_diff(open), open.abs_diff(low));
                // Where both are as near, a bar that rose is taken to have fallen first.
                (above < below) | ((above == below) & (close < open))
            }
        }
    }

    /// How many points these bars have in all.
    pub fn points(self, bars: &BarColumns<'_>) -> u64 {
        // Told what comes first once, not bar by bar. The price goes from the first extreme where it opened elsewhere, and to
        // the second where that is another; the nearer is where it opened if either is.
        match self {
            Self::High => points(bars, |open, high, _| high != open),
            Self::Low => points(bars, |open, _, low| low != open),
            Self::Nearest => points(bars, |open, high, low| (high != open) & (low != open)),
        }
    }
}

#[inline]
fn points(bars: &BarColumns<'_>, to_first: impl Fn(i64, i64, i64) -> bool) -> u64 {
    let [opens, highs, lows, _] = bars.prices();
    let extremes = highs.iter().zip(lows);
    let more = opens
        .iter()
        .zip(extremes)
        .map(|(open, (high, low))| u64::from(to_first(*open, *high, *low)) + u64::from(high != low));
    2 * opens.len() as u64 + more.sum::<u64>()
}

/// How many points a whole bar of this open, high, low and close has, and where the price is before its close.
#[inline]
pub(super) fn extent_of(first: First, prices: [i64; 4]) -> (u64, i64) {
    let [open, high, low, _] = prices;
    let (first, second) = if first.is_high(prices) { (high, low) } else { (low, high) };
    // What the price is at already is no point.
    (2 + u64::from(first != open) + u64::from(second != first), second)
}

/// Open, high, low and close.
#[inline]
pub(super) fn prices_of(bar: &Kline) -> [i64; 4] {
    [bar.open, bar.high, bar.low, bar.close].map(|price| price.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BarTable, TimedBar};

    fn bar(open: i64, high: i64, low: i64, close: i64) -> Kline {
        Kline {
            instrument: InstrumentId(0),
            open: Price(open),
            high: Price(high),
            low: Price(low),
            close: Price(close),
            volume: Qty(7),
            open_time: Time(3_000),
            close_time: Time(5_999),
            trades: 3,
            quote_volume: Notional(9),
            closed: true,
            origin: BarOrigin::Told,
        }
    }

    #[test]
    fn the_extent_of_a_bar_is_that_of_its_walk() {
        for n in 0..625 {
            let at = |power: i64| 10 + n / power % 5;
            let (open, close) = (at(1), at(5));
            let bar = bar(open, open.max(close).max(at(25)), open.min(close).min(at(125)), close);
            for rule in [
                PathRule::Adverse,
                PathRule::Favourable,
                PathRule::Nearest,
                PathRule::HighFirst,
                PathRule::LowFirst,
            ] {
                for position in [-3, 0, 3] {
                    let points = walk(bar, rule, position);
                    let before = Price(points[points.len() - 2].1);
                    let mut table = BarTable::with_capacity(bar.instrument, 1);
                    table.push(TimedBar { time: Time(6_000), bar });
                    let extent = BarPath::extent(&Bar::from(&bar), rule, position);
                    assert_eq!(extent, (points.len() as u64, before), "{bar:?} {rule}");
                    assert_eq!(first_of(rule, position).points(&table.columns()), points.len() as u64);
                    let (mut path, mut gone) = (BarPath::new(bar, Time(6_000), Time(0)), 0);
                    for steps in (1..=STEPS).rev() {
                        let left = (steps, points.len() as u64 - gone, before);
                        assert_eq!(path.rest(rule, position), left, "{bar:?} {rule}");
                        gone += u64::from(path.next(rule, position).is_some());
                    }
                }
            }
        }
    }

    fn walk(bar: Kline, rule: PathRule, position: i64) -> Vec<(u64, i64, bool)> {
        let mut path = BarPath::new(bar, Time(6_000), Time(0));
        let mut points = Vec::new();
        while let Some(due) = path.due() {
            points.extend(path.next(rule, position).map(|at| (due.0, at.close.0, at.closed)));
        }
        points
    }

    #[test]
    fn the_worse_side_for_the_position_comes_first_and_the_nearer_without_one() {
        let down = [(3_000, 10, false), (4_000, 7, false), (5_000, 12, false), (6_000, 11, true)];
        let up = [(3_000, 10, false), (4_000, 12, false), (5_000, 7, false), (6_000, 11, true)];
        let bar = bar(10, 12, 7, 11);
        for (rule, position, expected) in [
            (PathRule::Adverse, 5, down),
            (PathRule::Adverse, -5, up),
            (PathRule::Adverse, 0, up),
            (PathRule::Favourable, 5, up),
            (PathRule::Favourable, -5, down),
            (PathRule::Nearest, 5, up),
            (PathRule::HighFirst, 5, up),
            (PathRule::LowFirst, -5, down),
        ] {
            assert_eq!(walk(bar, rule, position), expected, "{rule} {position}");
        }
    }

    #[test]
    fn a_price_that_it_has_already_is_no_point() {
        assert_eq!(
            walk(bar(10, 10, 7, 9), PathRule::HighFirst, 0),
            [(3_000, 10, false), (5_000, 7, false), (6_000, 9, true)]
        );
        assert_eq!(walk(bar(10, 10, 10, 10), PathRule::Adverse, 0), [(3_000, 10, false), (6_000, 10, true)]);
        let mut late = BarPath::new(bar(1, 1, 1, 1), Time(6_000), Time(7_000));
        assert_eq!(late.due(), Some(Time(6_000)), "never after its end");
        assert!(late.opens() && late.next(PathRule::Nearest, 0).is_some());
    }
}
