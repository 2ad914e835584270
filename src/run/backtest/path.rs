//! The path of a bar: from its open over both extremes to its close, as events at times of their own.
//!
//! The open is known when the bar opens, and the close, with the whole bar, when it ends; the extremes are put a third
//! and two thirds of the way. Which comes first is the [`PathRule`]'s to say, at the moment the first is due, by the
//! position that the answers until then tell of. An extreme at which the
//! price is already is left out, so that a bar under way whose high is its low shows that it has just opened.

use crate::domain::event::Kline;
use crate::domain::{Price, Time};
use crate::run::config::PathRule;

/// Steps of a path, each an event, whether the price is there already or not.
pub(super) const STEPS: u64 = 4;

/// A bar on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct BarPath {
    bar: Kline,
    /// When it opens, and when it is known.
    begins: Time,
    ends: Time,
    step: u8,
    /// Where it has got to.
    now: Kline,
    high_first: bool,
}

impl BarPath {
    /// The path of a bar that is known at `ends`; it does not begin before `after`.
    pub fn new(bar: Kline, ends: Time, after: Time) -> Self {
        let begins = bar.open_time.max(after).min(ends);
        let open = Kline {
            high: bar.open,
            low: bar.open,
            close: bar.open,
            volume: crate::domain::Qty::ZERO,
            quote_volume: crate::domain::Notional::ZERO,
            trades: 0,
            closed: false,
            ..bar
        };
        Self { bar, begins, ends, step: 0, now: open, high_first: true }
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

    /// Whether the next point is where it opens.
    pub fn opens(&self) -> bool {
        self.step == 0
    }

    /// The next point; `None` where the price is there already. `position` is what is held.
    pub fn next(&mut self, rule: PathRule, position: i64) -> Option<Kline> {
        self.step += 1;
        match self.step {
            1 => return Some(self.now),
            2 => self.high_first = self.goes_up(rule, position),
            3 => {}
            _ => {
                self.now = Kline { closed: true, ..self.bar };
                return Some(self.now);
            }
        }
        let up = self.high_first == (self.step == 2);
        let price = if up { self.bar.high } else { self.bar.low };
        if price == self.now.close {
            return None;
        }
        self.now.close = price;
        if up {
            self.now.high = price;
        } else {
            self.now.low = price;
        }
        Some(self.now)
    }

    /// How many points a whole bar has, and where the price is before its close.
    #[inline]
    pub fn extent(bar: &Kline, rule: PathRule, position: i64) -> (u64, Price) {
        Self::extent_of(bar, first_of(rule, position))
    }

    /// The same where it is known what comes first.
    #[inline]
    pub fn extent_of(bar: &Kline, first: First) -> (u64, Price) {
        let high_first = first.is_high(bar);
        let (first, second) = if high_first { (bar.high, bar.low) } else { (bar.low, bar.high) };
        // What the price is at already is no point.
        (2 + u64::from(first != bar.open) + u64::from(second != first), second)
    }

    /// What is left of it: how many steps, how many of them points, and where the price is before its close.
    pub fn rest(mut self, rule: PathRule, position: i64) -> (u64, u64, Price) {
        if self.step == 0 {
            let (points, before) = Self::extent(&self.bar, rule, position);
            return (STEPS, points, before);
        }
        let steps = STEPS.saturating_sub(u64::from(self.step));
        let mut points = 1;
        while self.within().is_some() {
            points += u64::from(self.next(rule, position).is_some());
        }
        (steps, points, self.now.close)
    }

    fn goes_up(&self, rule: PathRule, position: i64) -> bool {
        first_of(rule, position).is_high(&self.bar)
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
    /// Whether of this bar it is the high.
    #[inline]
    fn is_high(self, bar: &Kline) -> bool {
        let Kline { open, high, low, close, .. } = *bar;
        let (above, below) = (high.0.abs_diff(open.0), open.0.abs_diff(low.0));
        match self {
            Self::High => true,
            Self::Low => false,
            // Where both are as near, a bar that rose is taken to have fallen first.
            Self::Nearest if above == below => close < open,
            Self::Nearest => above < below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{InstrumentId, Notional, Qty};

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
                    assert_eq!(
                        BarPath::extent(&bar, rule, position),
                        (points.len() as u64, before),
                        "{bar:?} {rule}"
                    );
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
