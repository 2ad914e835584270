//! When a risk day begins: a time of the day in a zone, daylight saving taken into account.

use crate::domain::Time;
use jiff::Timestamp;
use jiff::civil::Time as TimeOfDay;
use jiff::tz::TimeZone;

/// The boundary between days.
#[derive(Debug, Clone, PartialEq)]
pub struct DayBoundary {
    zone: TimeZone,
    starts: TimeOfDay,
}

impl Default for DayBoundary {
    /// Midnight UTC.
    fn default() -> Self {
        Self { zone: TimeZone::UTC, starts: TimeOfDay::midnight() }
    }
}

impl DayBoundary {
    /// Days that begin at `starts` (`HH:MM`) in `zone`: a name of the time zone database, such as `America/New_York`.
    #[must_use]
    pub fn new(starts: &str, zone: &str) -> Option<Self> {
        let zone = match zone {
            "UTC" => TimeZone::UTC,
            name => TimeZone::get(name).ok()?,
        };
        let (hour, minute) = starts.split_once(':')?;
        let two = |text: &str| (text.len() == 2).then(|| text.parse::<i8>().ok()).flatten();
        Some(Self { zone, starts: TimeOfDay::new(two(hour)?, two(minute)?, 0, 0).ok()? })
    }

    /// The first moment after `now` at which a day begins.
    #[must_use]
    pub fn next_after(&self, now: Time) -> Time {
        self.next(now).unwrap_or(Time(u64::MAX))
    }

    /// The date on which the day began that ends at `end`: what a day is called by.
    #[must_use]
    pub fn date_of(&self, end: Time) -> String {
        let last = Timestamp::from_nanosecond(i128::from(end.0.saturating_sub(1)));
        let Ok(stamp) = last else { return String::new() };
        let date = self.zone.to_datetime(stamp).date();
        // As [`next`](Self::next) has it: where clocks are put forward over that time, the day begins as much later.
        let begun = self.zone.to_timestamp(date.to_datetime(self.starts)).is_ok_and(|begins| begins <= stamp);
        let began = if begun { Some(date) } else { date.yesterday().ok() };
        began.map_or_else(String::new, |date| date.to_string())
    }

    fn next(&self, now: Time) -> Option<Time> {
        let stamp = Timestamp::from_nanosecond(i128::from(now.0)).ok()?;
        let mut date = self.zone.to_datetime(stamp).date();
        // Today's beginning may be past, and where clocks are put back yesterday's could be said twice.
        for _ in 0..3 {
            let begins = self.zone.to_timestamp(date.to_datetime(self.starts)).ok()?;
            let begins = u64::try_from(begins.as_nanosecond()).ok().map(Time);
            if let Some(begins) = begins.filter(|begins| *begins > now) {
                return Some(begins);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        let stamp: Timestamp = text.parse().expect("a moment");
        Time(u64::try_from(stamp.as_nanosecond()).expect("after 1970"))
    }

    #[test]
    fn days_begin_where_they_are_said_to_through_both_changes_of_the_clock() {
        let utc = DayBoundary::default();
        assert_eq!(utc.next_after(at("2024-08-09T23:59:59Z")), at("2024-08-10T00:00:00Z"));
        assert_eq!(utc.next_after(at("2024-08-10T00:00:00Z")), at("2024-08-11T00:00:00Z"), "strictly after");
        let evening = DayBoundary::new("17:00", "America/New_York").expect("a zone");
        for (now, next) in [
            ("2024-03-09T12:00:00Z", "2024-03-09T22:00:00Z"),
            ("2024-03-09T22:00:00Z", "2024-03-10T21:00:00Z"),
            ("2024-11-02T21:00:00Z", "2024-11-03T22:00:00Z"),
        ] {
            assert_eq!(evening.next_after(at(now)), at(next), "{now}");
        }
        // Two in the morning is left out that day: it begins when clocks have jumped.
        let left_out = DayBoundary::new("02:30", "America/New_York").expect("a zone");
        assert_eq!(left_out.next_after(at("2024-03-10T06:00:00Z")), at("2024-03-10T07:30:00Z"));
    }

    #[test]
    fn a_day_is_called_by_the_date_on_which_it_began() {
        let utc = DayBoundary::default();
        assert_eq!(utc.date_of(utc.next_after(at("2024-08-09T23:59:59Z"))), "2024-08-09");
        let evening = DayBoundary::new("17:00", "America/New_York").expect("a zone");
        for (now, date) in [("2024-08-09T20:59:00Z", "2024-08-08"), ("2024-08-09T21:00:00Z", "2024-08-09")] {
            assert_eq!(evening.date_of(evening.next_after(at(now))), date, "{now}");
        }
        // Each once, also where the clock leaves out, or says twice, the time at which a day begins.
        for (starts, from) in [("02:30", "2024-03-07T12:00:00Z"), ("01:30", "2024-10-31T12:00:00Z")] {
            let days = DayBoundary::new(starts, "America/New_York").expect("a zone");
            let mut end = days.next_after(at(from));
            let mut dates: Vec<String> = Vec::new();
            for _ in 0..7 {
                end = days.next_after(end);
                dates.push(days.date_of(end));
            }
            let first: jiff::civil::Date = dates[0].parse().expect("a date");
            let each: Vec<String> =
                (0..7).map(|day| first.saturating_add(jiff::Span::new().days(day)).to_string()).collect();
            assert_eq!(dates, each, "{starts}");
        }
    }

    #[test]
    fn what_is_no_time_or_no_zone_is_none() {
        for (starts, zone) in
            [("24:00", "UTC"), ("7:00", "UTC"), ("07:60", "UTC"), ("", "UTC"), ("00:00", "Mars/Phobos")]
        {
            assert_eq!(DayBoundary::new(starts, zone), None, "{starts} {zone}");
        }
    }
}
