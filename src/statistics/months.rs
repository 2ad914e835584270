//! Returns by calendar month, UTC.
//!
//! What came about between two points is of the month that the middle of it lies in, or, where they are further apart than
//! most, of as much before the second; half a day at most. So a daily bar that ends at midnight of New York, some hours into the next day of UTC, is of the day before.

use super::periods::{Sample, median_gap};
use crate::domain::Time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// One month's return.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MonthReturn {
    /// The year.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// Its return; of the first and the last month, of the part that there is.
    #[serde(rename = "return")]
    pub value: f64,
}

/// The most that the middle of what came about lies before its end.
const HALF_A_DAY_NS: u64 = 43_200_000_000_000;

/// The month, counted from year 0, that a moment lies in.
fn month_of(moment: Time) -> i64 {
    let at =
        Timestamp::from_nanosecond(i128::from(moment.0)).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC);
    i64::from(at.year()) * 12 + i64::from(at.month()) - 1
}

/// The return of every month from the first point to the last: the last value in it / the last one before it − 1. A
/// month without points has 0; after ruin there is none.
#[must_use]
pub fn monthly(points: &[Sample]) -> Vec<MonthReturn> {
    // An account that owes and is paid later has not come back from it.
    let ruined = points.iter().position(|point| point.value <= 0.0);
    let points = &points[..ruined.map_or(points.len(), |last| last + 1)];
    let Some((first, rest)) = points.split_first() else { return Vec::new() };
    // The first point ends nothing: the month begins with it.
    let mut ends = vec![(month_of(first.time), first.value)];
    // What ends at a month's first midnight was the one before.
    let usual = median_gap(points);
    for (before, point) in points.iter().zip(rest) {
        let back = (usual.min(point.time.since(before.time)) / 2).clamp(1, HALF_A_DAY_NS);
        let month = month_of(Time(point.time.0.saturating_sub(back).max(first.time.0)));
        match ends.last_mut() {
            Some(end) if end.0 == month => end.1 = point.value,
            _ => ends.push((month, point.value)),
        }
    }
    let mut months = Vec::new();
    let mut before = first.value;
    let mut next = ends.first().map_or(0, |end| end.0);
    for (month, value) in ends {
        let named = |month: i64, value: f64| MonthReturn {
            year: month.div_euclid(12) as i16,
            month: month.rem_euclid(12) as u8 + 1,
            value,
        };
        months.extend((next..month).map(|silent| named(silent, 0.0)));
        next = month + 1;
        if before.is_nan() || before <= 0.0 || !value.is_finite() {
            break;
        }
        months.push(named(month, if value > 0.0 { value / before - 1.0 } else { -1.0 }));
        before = value;
    }
    months
}

/// The return of each year that has months: theirs, compounded.
#[must_use]
pub fn yearly(months: &[MonthReturn]) -> Vec<(i16, f64)> {
    let mut years: Vec<(i16, f64)> = Vec::new();
    for month in months {
        match years.last_mut() {
            Some(year) if year.0 == month.year => year.1 = (1.0 + year.1) * (1.0 + month.value) - 1.0,
            _ => years.push((month.year, month.value)),
        }
    }
    years
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: &str, value: f64) -> Sample {
        let time: Timestamp = format!("{date}T12:00:00Z").parse().expect("a moment");
        Sample::new(Time(time.as_nanosecond().try_into().expect("after 1970")), value)
    }

    #[test]
    fn a_month_goes_from_the_end_of_the_one_before() {
        let points = [
            at("2023-11-10", 100.0),
            at("2023-11-30", 110.0),
            at("2024-01-02", 99.0),
            at("2024-01-31", 121.0),
        ];
        let months = monthly(&points);
        let shown: Vec<_> = months.iter().map(|m| (m.year, m.month, (m.value * 1e6).round() / 1e6)).collect();
        assert_eq!(shown, [(2023, 11, 0.1), (2023, 12, 0.0), (2024, 1, 0.1)]);
        let years: Vec<_> =
            yearly(&months).into_iter().map(|(year, value)| (year, (value * 1e6).round())).collect();
        assert_eq!(years, [(2023, 100_000.0), (2024, 100_000.0)]);
    }

    #[test]
    fn a_month_ends_with_what_stands_at_midnight() {
        let at = |date: &str, value: f64| {
            let time: Timestamp = format!("{date}T00:00:00Z").parse().expect("a moment");
            Sample::new(Time(time.as_nanosecond().try_into().expect("after 1970")), value)
        };
        // Daily bars from New Year on, the last of January and of February known when the next day begins.
        let points = [
            at("2024-01-01", 100.0),
            at("2024-01-02", 105.0),
            at("2024-02-01", 110.0),
            at("2024-02-02", 99.0),
            at("2024-03-01", 121.0),
        ];
        let months = monthly(&points);
        let shown: Vec<_> = months.iter().map(|m| (m.year, m.month, (m.value * 1e6).round() / 1e6)).collect();
        assert_eq!(shown, [(2024, 1, 0.1), (2024, 2, 0.1)]);
    }

    #[test]
    fn a_day_of_new_york_is_of_its_own_month() {
        // Its bars end at 05:00 UTC of the day after; the last of January is a Friday's, the first of February a Monday's.
        let at = |date: &str, value: f64| {
            let time: Timestamp = format!("{date}T05:00:00Z").parse().expect("a moment");
            Sample::new(Time(time.as_nanosecond().try_into().expect("after 1970")), value)
        };
        let points = [
            at("2020-01-29", 100.0),
            at("2020-01-30", 104.0),
            at("2020-01-31", 108.0),
            at("2020-02-01", 110.0),
            at("2020-02-04", 99.0),
            at("2020-02-05", 121.0),
        ];
        let months = monthly(&points);
        let shown: Vec<_> = months.iter().map(|m| (m.year, m.month, (m.value * 1e6).round() / 1e6)).collect();
        assert_eq!(shown, [(2020, 1, 0.1), (2020, 2, 0.1)]);
    }

    #[test]
    fn ruin_is_the_last_month() {
        let months = monthly(&[at("2024-01-01", 5.0), at("2024-02-01", -1.0), at("2024-03-01", 4.0)]);
        assert_eq!(months.iter().map(|m| m.value).collect::<Vec<_>>(), [0.0, -1.0]);
        // Within a month too.
        let within = [("2024-01-01", 5.0), ("2024-02-10", -1.0), ("2024-02-29", 4.0), ("2024-03-31", 8.0)];
        let months = monthly(&within.map(|(date, value)| at(date, value)));
        assert_eq!(months.iter().map(|m| m.value).collect::<Vec<_>>(), [0.0, -1.0]);
        assert_eq!(monthly(&[]), []);
    }
}
