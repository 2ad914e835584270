//! Days that come every year: by date, by weekday, by Easter.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde::Deserialize;

/// A day of each year.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DayRule {
    /// What the day is, for who reads the file.
    #[allow(dead_code, reason = "it is for people")]
    pub name: String,
    /// Month, 1 to 12.
    month: Option<i8>,
    /// Day of the month.
    day: Option<i8>,
    /// The weekday that is counted, with `nth`.
    weekday: Option<Day>,
    /// The how many-th weekday of the month; -1 is the last.
    nth: Option<i8>,
    /// Days after Easter Sunday.
    easter: Option<i32>,
    /// Days after what the rest says.
    #[serde(default)]
    after: i32,
    /// Where it is kept if it falls on a weekend.
    #[serde(default)]
    observed: Observed,
    /// The first year.
    from: Option<i16>,
    /// The last year.
    to: Option<i16>,
}

/// Where a day that falls on a weekend is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Observed {
    /// Where it falls.
    #[default]
    SameDay,
    /// Saturday's on Friday, Sunday's on Monday.
    Nearest,
    /// Sunday's on Monday; Saturday's is not kept.
    Monday,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "days of the week")]
pub(super) enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    pub(super) const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

impl DayRule {
    /// What is wrong with the rule, if something is: tried on a year.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let year = self.from.unwrap_or(2024);
        match (self.easter, self.month, self.day, self.nth) {
            (Some(_), None, None, None) => None,
            (None, Some(_), Some(_), None) if self.base(year).is_some() => None,
            (None, Some(_), None, Some(_)) if self.weekday.is_some() && self.base(year).is_some() => None,
            _ => Some("a day needs easter, or month and day, or month, nth and weekday"),
        }
    }

    fn base(&self, year: i16) -> Option<Date> {
        if let Some(days) = self.easter {
            return easter(year)?.checked_add(days.days()).ok();
        }
        if let Some(day) = self.day {
            return Date::new(year, self.month?, day).ok();
        }
        Date::new(year, self.month?, 1).ok()?.nth_weekday_of_month(self.nth?, self.weekday?.weekday()).ok()
    }

    /// The day in `year`, if there is one.
    pub(super) fn in_year(&self, year: i16) -> Option<Date> {
        if self.from.is_some_and(|from| year < from) || self.to.is_some_and(|to| year > to) {
            return None;
        }
        let day = self.base(year)?.checked_add(self.after.days()).ok()?;
        match (self.observed, day.weekday()) {
            (Observed::Nearest, Weekday::Saturday) => day.yesterday().ok(),
            (Observed::Nearest | Observed::Monday, Weekday::Sunday) => day.tomorrow().ok(),
            (Observed::Monday, Weekday::Saturday) => None,
            _ => Some(day),
        }
    }
}

/// Easter Sunday of the Gregorian calendar, by the algorithm of Meeus, Jones and Butcher.
fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Date::new(year, i8::try_from(n / 31).ok()?, i8::try_from(n % 31 + 1).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_is_when_it_was() {
        for (year, month, day) in [(2008, 3, 23), (2011, 4, 24), (2019, 4, 21), (2024, 3, 31), (2025, 4, 20)]
        {
            assert_eq!(easter(year), Date::new(year, month, day).ok());
        }
    }

    #[test]
    fn a_weekend_moves_a_day_as_the_rule_says() {
        let rule = |text: &str| toml::from_str::<DayRule>(text).expect("a rule");
        let fourth = rule("name = \"Independence Day\"\nmonth = 7\nday = 4\nobserved = \"nearest\"");
        assert_eq!(fourth.in_year(2020), Date::new(2020, 7, 3).ok(), "a Saturday");
        assert_eq!(fourth.in_year(2021), Date::new(2021, 7, 5).ok(), "a Sunday");
        let first = rule("name = \"New Year\"\nmonth = 1\nday = 1\nobserved = \"monday\"");
        assert_eq!(first.in_year(2022), None, "a Saturday");
        assert_eq!(first.in_year(2023), Date::new(2023, 1, 2).ok(), "a Sunday");
        let friday = rule("name = \"the day after\"\nmonth = 11\nnth = 4\nweekday = \"thu\"\nafter = 1");
        assert_eq!(friday.in_year(2024), Date::new(2024, 11, 29).ok());
        assert!(rule("name = \"x\"\nmonth = 13\nday = 1").problem().is_some());
        assert!(rule("name = \"x\"\nmonth = 1").problem().is_some());
    }
}
