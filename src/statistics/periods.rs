//! From an equity curve to returns by equal periods.
//!
//! An equity curve has a point wherever something happened; ratios want returns over equal periods, and how many of
//! these a year has. The first point is what the account began with. Of each period the last point counts, whatever
//! came before it, and a point at midnight is the last of the day that ends there; a period without a point either is
//! none (stock exchanges are closed at weekends: 252 a year) or is one in which nothing moved (crypto never closes: 365
//! days a year).

use crate::domain::Time;
use serde::{Deserialize, Serialize};

const S: u64 = 1_000_000_000;
const HOUR_NS: u64 = 3_600 * S;
const DAY_NS: u64 = 86_400 * S;
/// Seconds of a year of 365 days, the crypto convention.
const YEAR_S: f64 = 365.0 * 86_400.0;

/// A value at a moment: of an account, a price, an exposure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When.
    pub time: Time,
    /// What.
    pub value: f64,
}

impl Sample {
    /// A value at a moment.
    #[must_use]
    pub const fn new(time: Time, value: f64) -> Self {
        Self { time, value }
    }
}

/// What a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeriodKind {
    /// From each point to the next, as they come.
    Points,
    /// Days that have a point: of UTC, or such that begin at another of its hours.
    Sessions,
    /// UTC days, all of them.
    Days,
    /// Hours, all of them.
    Hours,
    /// Minutes, all of them.
    Minutes,
    /// Seconds, all of them.
    Seconds,
    /// Hours that have a point.
    SessionHours,
    /// Minutes that have a point.
    SessionMinutes,
}

/// What a period is, and how many a year has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Periods {
    /// What a period is.
    pub kind: PeriodKind,
    /// How many a year has; positive. Means are annualised by this, deviations by its square root.
    pub per_year: f64,
    /// The hour of UTC at which sessions begin: one that goes on past midnight is one.
    #[serde(default, skip_serializing_if = "is_midnight")]
    pub day_begins_h: u8,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_midnight(hour: &u8) -> bool {
    *hour == 0
}

impl Periods {
    /// Each point ends a period, `per_year` of them a year.
    #[must_use]
    pub const fn points(per_year: f64) -> Self {
        Self { kind: PeriodKind::Points, per_year, day_begins_h: 0 }
    }

    /// Periods of `kind`, as many a year as there are; [`PeriodKind::Points`] and sessions count as 252 days of 6.5 hours.
    #[must_use]
    pub fn of(kind: PeriodKind) -> Self {
        let per_year = match kind {
            PeriodKind::Points | PeriodKind::Sessions => 252.0,
            PeriodKind::Days => 365.0,
            PeriodKind::Hours => YEAR_S / 3_600.0,
            PeriodKind::Minutes => YEAR_S / 60.0,
            PeriodKind::Seconds => YEAR_S,
            PeriodKind::SessionHours => 252.0 * 6.5,
            PeriodKind::SessionMinutes => 252.0 * 6.5 * 60.0,
        };
        Self { kind, per_year, day_begins_h: 0 }
    }

    /// What suits a curve: days from two months on, hours from two days on, minutes from two hours on, else seconds; but
    /// nothing shorter than what lies between two of its points: where that is more than half as long again, these are
    /// periods themselves, as many a year as there are. A curve of a beginning and an end alone is one period: cut into more,
    /// all but the last would be of nothing, and make a ratio of whatever was earned.
    ///
    /// Where the market closes, periods without a point are none: they would be returns of nothing, among which what was
    /// lost does not show. It closes where no more than five of the seven weekdays have a point, by days that begin at some
    /// hour of UTC (a Friday's bar may end on a Saturday), or some hours of the day have none.
    #[must_use]
    pub fn fitting(points: &[Sample]) -> Self {
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return Self::of(PeriodKind::Days);
        };
        let span = last.time.since(first.time);
        let apart = if points.len() == 2 { span } else { median_gap(points) };
        let kind = match (span, apart) {
            (span, apart) if span >= 60 * DAY_NS || apart >= DAY_NS / 2 => PeriodKind::Days,
            (span, apart) if span >= 2 * DAY_NS || apart >= 1_800 * S => PeriodKind::Hours,
            (span, apart) if span >= 7_200 * S || apart >= 30 * S => PeriodKind::Minutes,
            _ => PeriodKind::Seconds,
        };
        let periods = Self::of(kind);
        let a_year = |count: usize| count as f64 * YEAR_S * S as f64 / span.max(1) as f64;
        if apart > periods.length_ns() * 3 / 2 {
            return Self::points(a_year(points.len() - 1));
        }
        // The first and the last point are where the run began and ended, whatever moment that was.
        let between = points.get(1..points.len() - 1).unwrap_or_default();
        let sessions = session_begins(between);
        let of_sessions = match kind {
            PeriodKind::Days => {
                let sessions =
                    sessions.map(|day_begins_h| Self { day_begins_h, ..Self::of(PeriodKind::Sessions) });
                return sessions.unwrap_or(periods);
            }
            PeriodKind::Hours => PeriodKind::SessionHours,
            PeriodKind::Minutes => PeriodKind::SessionMinutes,
            _ => return periods,
        };
        if sessions.is_none() && !has_idle_hours(between) {
            return periods;
        }
        let of_sessions = Self::of(of_sessions);
        let count = of_sessions.sample(points).len() - 1;
        Self { per_year: a_year(count), ..of_sessions }
    }

    fn length_ns(self) -> u64 {
        match self.kind {
            PeriodKind::Points => 1,
            PeriodKind::Sessions | PeriodKind::Days => DAY_NS,
            PeriodKind::Hours | PeriodKind::SessionHours => HOUR_NS,
            PeriodKind::Minutes | PeriodKind::SessionMinutes => 60 * S,
            PeriodKind::Seconds => S,
        }
    }

    /// The curve at its beginning and at the end of each period; `points` in order of time.
    #[must_use]
    pub fn sample(self, points: &[Sample]) -> Vec<Sample> {
        if self.kind == PeriodKind::Points {
            return points.to_vec();
        }
        let Some((first, rest)) = points.split_first() else { return Vec::new() };
        let filled = matches!(
            self.kind,
            PeriodKind::Days | PeriodKind::Hours | PeriodKind::Minutes | PeriodKind::Seconds
        );
        let length = self.length_ns();
        let begins = u64::from(self.day_begins_h) * HOUR_NS;
        // What ends at midnight belongs to the day that ends.
        let period = |point: &Sample| point.time.0.saturating_sub(begins + 1) / length;
        let mut sampled = vec![*first];
        let mut rest = rest.iter().peekable();
        let mut last = first;
        while let Some(point) = rest.next() {
            if filled {
                // Ends of the periods in between. A period that has a point ends with its last; so does the first, with what the
                // account began with: one point a day is taken as it is.
                let ended = sampled.last().map_or(0, period);
                let silent = ended + 1..period(point);
                sampled.extend(silent.map(|p| Sample::new(Time((p + 1) * length), last.value)));
            }
            last = point;
            if rest.peek().is_none_or(|next| period(next) != period(point)) {
                sampled.push(*point);
            }
        }
        sampled
    }
}

/// The first hour of UTC by which days begin of which a week has five at most; none where there is none such, and where less
/// than a week is seen, in which nobody sees which days have no point.
fn session_begins(between: &[Sample]) -> Option<u8> {
    let (Some(first), Some(last)) = (between.first(), between.last()) else { return None };
    if last.time.since(first.time) < 7 * DAY_NS {
        return None;
    }
    let weekdays = |hour: &u8| {
        let begins = u64::from(*hour) * HOUR_NS;
        let day = |point: &Sample| point.time.0.saturating_sub(begins + 1) / DAY_NS;
        between.iter().fold(0u8, |days, point| days | 1 << (day(point) % 7)).count_ones()
    };
    (0..24).find(|hour| weekdays(hour) <= 5)
}

/// Whether four hours of the day or more have no point, on any day; where a day is seen at all.
fn has_idle_hours(between: &[Sample]) -> bool {
    let (Some(first), Some(last)) = (between.first(), between.last()) else { return false };
    let hour = |point: &Sample| point.time.0.saturating_sub(1) / HOUR_NS % 24;
    let seen = between.iter().fold(0u32, |hours, point| hours | 1 << hour(point)).count_ones();
    last.time.since(first.time) >= DAY_NS && seen <= 20
}

/// The time between two points that half of them have at most, ns; 0 of fewer than three, of which the first and the last are
/// where a run began and ended.
#[must_use]
pub fn median_gap(points: &[Sample]) -> u64 {
    if points.len() < 3 {
        return 0;
    }
    let mut gaps: Vec<u64> = points.windows(2).map(|pair| pair[1].time.since(pair[0].time)).collect();
    let middle = gaps.len() / 2;
    *gaps.select_nth_unstable(middle).1
}

/// Simple returns from each point to the next: e₁ / e₀ − 1.
///
/// An account that has come to nothing, or owes, is ruined: that return is −1, whatever it owes, and there is none
/// after it. Empty unless the first value is positive.
#[must_use]
pub fn returns(points: &[Sample]) -> Vec<f64> {
    let mut returns = Vec::with_capacity(points.len().saturating_sub(1));
    for pair in points.windows(2) {
        let (from, to) = (pair[0].value, pair[1].value);
        if !(from > 0.0 && to.is_finite()) {
            break;
        }
        returns.push(if to > 0.0 { to / from - 1.0 } else { -1.0 });
    }
    returns
}

/// The values of `points` as they stood at each of `times`, both in order of time; before the first point, its value.
#[must_use]
pub fn at_times(points: &[Sample], times: impl IntoIterator<Item = Time>) -> Vec<Sample> {
    let mut next = 0;
    let at = |time: Time| {
        while next < points.len() && points[next].time <= time {
            next += 1;
        }
        points.get(next.saturating_sub(1)).map(|point| Sample::new(time, point.value))
    };
    times.into_iter().map_while(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u64, f64)]) -> Vec<Sample> {
        points.iter().map(|&(time, value)| Sample::new(Time(time), value)).collect()
    }

    fn values(points: &[Sample]) -> Vec<f64> {
        points.iter().map(|point| point.value).collect()
    }

    #[test]
    fn one_point_a_day_is_taken_as_it_is() {
        let daily: Vec<_> = (0..100).map(|day| Sample::new(Time(day * DAY_NS + 7), day as f64)).collect();
        assert_eq!(Periods::of(PeriodKind::Days).sample(&daily), daily);
        assert_eq!(Periods::of(PeriodKind::Sessions).sample(&daily), daily);
    }

    #[test]
    fn the_last_point_of_a_period_counts_and_a_silent_period_repeats_it() {
        let points = curve(&[
            (0, 10.0),
            (5, 11.0),
            (DAY_NS - 1, 12.0),
            (3 * DAY_NS + 1, 13.0),
            (3 * DAY_NS + 9, 14.0),
        ]);
        assert_eq!(values(&Periods::of(PeriodKind::Sessions).sample(&points)), [10.0, 12.0, 14.0]);
        assert_eq!(values(&Periods::of(PeriodKind::Days).sample(&points)), [10.0, 12.0, 12.0, 12.0, 14.0]);
    }

    #[test]
    fn what_stands_at_midnight_ends_the_day_before() {
        // Bars of half a day from a midnight on, and a run that ends a little later.
        let half = DAY_NS / 2;
        let points: Vec<_> = (0..5).map(|n| Sample::new(Time(DAY_NS + n * half), n as f64)).collect();
        for kind in [PeriodKind::Sessions, PeriodKind::Days] {
            assert_eq!(values(&Periods::of(kind).sample(&points)), [0.0, 2.0, 4.0], "{kind:?}");
            assert_eq!(values(&Periods::of(kind).sample(&points[..4])), [0.0, 2.0, 3.0], "{kind:?}");
        }
    }

    #[test]
    fn the_period_fits_the_span() {
        let kind = |points: &[(u64, f64)]| Periods::fitting(&curve(points)).kind;
        assert_eq!(kind(&[]), PeriodKind::Days);
        for span in [600 * S, 5 * HOUR_NS, 9 * DAY_NS, 400 * DAY_NS] {
            let two = curve(&[(0, 100.0), (span, 155.0)]);
            let periods = Periods::fitting(&two);
            assert_eq!((periods.kind, periods.sample(&two).len()), (PeriodKind::Points, 2), "{span}");
        }
        // Tuesdays to Saturdays, as daily bars of New York end by UTC; and six days of the week.
        let on =
            |days: fn(u64) -> bool| (0..90).filter(move |day| days(day % 7)).map(|day| (day * DAY_NS, 1.0));
        let curve = |days| on(days).collect::<Vec<_>>();
        assert_eq!(kind(&curve(|weekday| weekday != 3 && weekday != 4)), PeriodKind::Sessions);
        assert_eq!(kind(&curve(|weekday| weekday != 3)), PeriodKind::Days);
        // Weeks, whatever the weekday; some days of daily points, some hours of hourly ones.
        let every = |apart: u64, count: u64| (0..count).map(|n| (n * apart, 1.0)).collect::<Vec<_>>();
        let weeks = Periods::fitting(&super::tests::curve(&every(7 * DAY_NS, 100)));
        assert_eq!(weeks.kind, PeriodKind::Points);
        assert!((weeks.per_year - 365.0 / 7.0).abs() < 1e-9, "{}", weeks.per_year);
        assert_eq!(kind(&every(DAY_NS, 20)), PeriodKind::Days);
        assert_eq!(kind(&every(3_600 * S, 20)), PeriodKind::Hours);
        assert_eq!(kind(&every(60 * S, 20)), PeriodKind::Minutes);
        assert_eq!(kind(&every(S, 20)), PeriodKind::Seconds);
        assert_eq!(kind(&every(S, 2 * 3_600)), PeriodKind::Seconds);
        assert_eq!(kind(&every(S, 2 * 3_600 + 1)), PeriodKind::Minutes);
        assert_eq!(kind(&every(60 * S, 9 * 24 * 60)), PeriodKind::Hours);
        // What has no point within is no period, at any length.
        for (apart, count) in [(2 * DAY_NS, 40), (4 * HOUR_NS, 252), (300 * S, 50), (10 * S, 100)] {
            let periods = Periods::fitting(&super::tests::curve(&every(apart, count)));
            assert_eq!(periods.kind, PeriodKind::Points, "{apart}");
            let a_year = YEAR_S * S as f64 / apart as f64;
            assert!((periods.per_year / a_year - 1.0).abs() < 1e-12, "{apart}: {}", periods.per_year);
        }
    }

    /// The ends of hours of sessions that begin at an hour of UTC, Mondays to Fridays, over so many weeks.
    fn sessions(weeks: u64, from_hour: u64, hours: u64) -> Vec<Sample> {
        // The first Monday of 1970.
        let day = |week: u64, weekday: u64| (4 + week * 7 + weekday) * DAY_NS;
        let days = (0..weeks).flat_map(|week| (0..5).map(move |weekday| day(week, weekday)));
        let ends = days.flat_map(|day| (0..=hours).map(move |hour| day + (from_hour + hour) * HOUR_NS));
        ends.enumerate().map(|(n, at)| Sample::new(Time(at), 100.0 + (n % 7) as f64)).collect()
    }

    #[test]
    fn a_market_that_closes_has_no_returns_while_it_is_closed() {
        // Eight weeks by hours of New York's summer, ends of which seven a day are hours.
        let by_hours = sessions(8, 13, 7);
        let periods = Periods::fitting(&by_hours);
        let sampled = periods.sample(&by_hours);
        assert_eq!((periods.kind, sampled.len()), (PeriodKind::SessionHours, by_hours.len()));
        let span = by_hours[by_hours.len() - 1].time.since(by_hours[0].time);
        let a_year = (by_hours.len() - 1) as f64 * YEAR_S / (span / S) as f64;
        assert!((periods.per_year / a_year - 1.0).abs() < 1e-12, "{}", periods.per_year);
        // Three days, which tell nothing of weekends, by hours and by minutes.
        let days: Vec<_> = by_hours[..24].to_vec();
        assert_eq!(Periods::fitting(&days).kind, PeriodKind::SessionHours);
        let minutes: Vec<_> = (0..2u64)
            .flat_map(|day| (0..=390).map(move |minute| 4 * DAY_NS + day * DAY_NS + minute * 60 * S))
            .map(|at| Sample::new(Time(at), 1.0))
            .collect();
        assert_eq!(Periods::fitting(&minutes).kind, PeriodKind::SessionMinutes);
        // One that never closes has them all.
        let all: Vec<_> = (0..24 * 14).map(|hour| Sample::new(Time(hour * HOUR_NS), 1.0)).collect();
        assert_eq!(Periods::fitting(&all).kind, PeriodKind::Hours);
    }

    #[test]
    fn a_session_that_goes_on_past_midnight_is_one_day() {
        // From four in the morning to eight in the evening of New York's winter: 09:00 to 01:00 UTC.
        let extended = sessions(13, 9, 16);
        let periods = Periods::fitting(&extended);
        assert_eq!((periods.kind, periods.per_year, periods.day_begins_h), (PeriodKind::Sessions, 252.0, 1));
        let ends: Vec<_> = extended.chunks(17).map(|day| day[16]).collect();
        assert_eq!(periods.sample(&extended)[1..], ends);
        // Midnight, where that does: it is not told of then.
        let usual = Periods::fitting(&sessions(13, 13, 7));
        assert_eq!((usual.kind, usual.day_begins_h), (PeriodKind::Sessions, 0));
        let json = |periods: Periods| serde_json::to_string(&periods).expect("JSON");
        assert_eq!(json(usual), r#"{"kind":"sessions","per_year":252.0}"#);
        assert_eq!(json(periods), r#"{"kind":"sessions","per_year":252.0,"day_begins_h":1}"#);
    }

    #[test]
    fn ruin_ends_the_returns() {
        assert_eq!(returns(&curve(&[(0, 10.0), (1, 5.0), (2, -3.0), (3, 4.0), (4, 8.0)])), [-0.5, -1.0]);
        assert_eq!(returns(&curve(&[(0, 0.0), (1, 5.0)])), [0.0; 0]);
        assert_eq!(returns(&curve(&[(0, 1.0)])), [0.0; 0]);
        assert_eq!(returns(&[]), [0.0; 0]);
    }

    #[test]
    fn values_are_carried_to_other_times() {
        let points = curve(&[(10, 1.0), (20, 2.0)]);
        let at = at_times(&points, [5, 10, 19, 20, 99].map(Time));
        assert_eq!(values(&at), [1.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(at_times(&[], [Time(1)]), []);
    }
}
