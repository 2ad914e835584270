//! Labels of an axis of time: round moments, told as short as they are round. UTC.

use crate::domain::Time;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

const S: u64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * S;

/// Steps below a month.
const STEPS_NS: [u64; 18] = [
    S,
    2 * S,
    5 * S,
    10 * S,
    30 * S,
    60 * S,
    120 * S,
    300 * S,
    600 * S,
    1_800 * S,
    3_600 * S,
    2 * 3_600 * S,
    6 * 3_600 * S,
    12 * 3_600 * S,
    DAY_NS,
    2 * DAY_NS,
    7 * DAY_NS,
    14 * DAY_NS,
];
/// Steps of months, whole years among them.
const STEPS_MONTHS: [i64; 8] = [1, 3, 6, 12, 24, 60, 120, 600];
/// Shorter than the shortest month.
const MONTH_NS: u64 = 28 * DAY_NS;

/// A moment in UTC; the last there is where it cannot be told.
pub(in crate::report) fn utc(time: Time) -> Zoned {
    Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC)
}

/// Round moments from `from` to `until`, about `most` of them, with their labels.
pub(in crate::report) fn ticks(from: Time, until: Time, most: u64) -> Vec<(Time, String)> {
    let wanted = until.since(from) / most.max(1);
    match STEPS_NS.into_iter().find(|step| *step >= wanted) {
        Some(step) => {
            let first = from.0.div_ceil(step);
            let moments = (first..).map_while(|n| n.checked_mul(step)).take_while(|at| *at <= until.0);
            moments.map(|at| (Time(at), label(Time(at), step))).collect()
        }
        None => by_months(from, until, wanted),
    }
}

fn label(time: Time, step: u64) -> String {
    let at = utc(time);
    let format = match step {
        step if step < 60 * S => "%H:%M:%S",
        step if step < DAY_NS && at.hour() == 0 && at.minute() == 0 => "%-d %b",
        step if step < DAY_NS => "%H:%M",
        _ => "%-d %b",
    };
    at.strftime(format).to_string()
}

fn by_months(from: Time, until: Time, wanted: u64) -> Vec<(Time, String)> {
    let enough = |step: &&i64| **step as u64 * MONTH_NS >= wanted;
    let step = STEPS_MONTHS.iter().find(enough).copied().unwrap_or(STEPS_MONTHS[STEPS_MONTHS.len() - 1]);
    let first = utc(from).date();
    let months = i64::from(first.year()) * 12 + i64::from(first.month()) - 1;
    let start = months.div_euclid(step) * step;
    let dates = (0..).map_while(|n| month(start + n * step));
    let moments = dates.filter_map(|date| Some((moment(date)?, date)));
    let named = |(time, date): (Time, Date)| {
        let format = if step >= 12 || date.month() == 1 { "%Y" } else { "%b" };
        (time, date.strftime(format).to_string())
    };
    moments.skip_while(|(time, _)| *time < from).take_while(|(time, _)| *time <= until).map(named).collect()
}

/// The first day of a month counted from year 0; none beyond what a calendar holds.
fn month(months: i64) -> Option<Date> {
    let year = i16::try_from(months.div_euclid(12)).ok().filter(|year| *year < 9_999)?;
    Some(date(year, months.rem_euclid(12) as i8 + 1, 1))
}

fn moment(date: Date) -> Option<Time> {
    let at = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_nanosecond();
    u64::try_from(at).ok().map(Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: &str, until: &str) -> Vec<String> {
        let time = |text: &str| {
            Time(text.parse::<Timestamp>().expect("a moment").as_nanosecond().try_into().expect("after 1970"))
        };
        ticks(time(from), time(until), 6).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn labels_are_as_short_as_they_are_round() {
        assert_eq!(
            labels("2024-08-08T23:58:00Z", "2024-08-09T00:03:00Z"),
            ["23:58", "23:59", "9 Aug", "00:01", "00:02", "00:03"]
        );
        assert_eq!(
            labels("2024-08-08T12:00:01Z", "2024-08-08T12:00:13Z").first().map(String::as_str),
            Some("12:00:02")
        );
        assert_eq!(
            labels("2024-01-20T00:00:00Z", "2024-06-20T00:00:00Z"),
            ["Feb", "Mar", "Apr", "May", "Jun"]
        );
        assert_eq!(
            labels("2019-11-05T00:00:00Z", "2024-06-20T00:00:00Z"),
            ["2020", "2021", "2022", "2023", "2024"]
        );
        assert_eq!(
            labels("2019-11-05T00:00:00Z", "2021-01-20T00:00:00Z"),
            ["2020", "Apr", "Jul", "Oct", "2021"]
        );
    }

    #[test]
    fn a_moment_alone_and_the_end_of_time_have_few_ticks() {
        assert_eq!(ticks(Time(5), Time(5), 6).len(), 0);
        assert!(ticks(Time(0), Time(u64::MAX), 6).len() < 20);
        assert!(ticks(Time(9), Time(3), 6).is_empty());
    }
}
