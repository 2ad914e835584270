//! The files of calendars, read and checked.

use super::hours::Phase;
use super::rule::{Day, DayRule};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;

/// Why there is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CalendarError {
    /// None is built in under that name.
    #[error("no calendar is named {name:?}; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The text is not a calendar.
    #[error("{name}: {problem}")]
    Bad {
        /// Which calendar.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCalendar {
    zone: String,
    /// The first year that it says anything of; 2005 where it is not written.
    since: Option<i16>,
    /// The last day of the zone whose days are known; where they come by rule they are as long as calendars go.
    known_until: Option<String>,
    session: Vec<RawSession>,
    #[serde(default)]
    closed: RawDays,
    /// By the time at which the day ends.
    #[serde(default)]
    early: BTreeMap<String, RawDays>,
    /// By the time at which the day begins.
    #[serde(default)]
    late: BTreeMap<String, RawDays>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSession {
    days: Vec<Day>,
    from: String,
    to: String,
    #[serde(default)]
    phase: Phase,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDays {
    rules: Vec<DayRule>,
    dates: Vec<String>,
}

/// A session of a week's day: minutes since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    pub day: Day,
    pub from: u16,
    pub to: u16,
    pub phase: Phase,
}

/// Days, by rule and by date.
#[derive(Debug, Clone, Default)]
pub(super) struct Days {
    rules: Vec<DayRule>,
    dates: Vec<Date>,
}

impl Days {
    pub(super) fn of_year(&self, year: i16) -> impl Iterator<Item = Date> {
        let dates = self.dates.iter().copied().filter(move |date| date.year() == year);
        self.rules.iter().filter_map(move |rule| rule.in_year(year)).chain(dates)
    }
}

/// A calendar as its file says it.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub zone: TimeZone,
    pub since: i16,
    /// The last day that anything is known of, where it is not known of all.
    pub known_until: Option<Date>,
    pub sessions: Vec<Session>,
    pub closed: Days,
    pub early: Vec<(u16, Days)>,
    pub late: Vec<(u16, Days)>,
}

/// The first year of calendars that do not say which.
const SINCE: i16 = 2005;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

pub(super) fn read(name: &str, text: &str) -> Result<Definition, CalendarError> {
    let bad = |problem: String| CalendarError::Bad { name: name.to_owned(), problem };
    let raw: RawCalendar = toml::from_str(text).map_err(|e| bad(e.to_string().trim_end().to_owned()))?;
    let zone = TimeZone::get(&raw.zone).map_err(|_| bad(format!("no time zone is named {:?}", raw.zone)))?;
    let minutes = |text: &str| minutes(text).ok_or_else(|| bad(format!("{text:?} is no time such as 09:30")));
    let mut sessions = Vec::new();
    for session in &raw.session {
        let (from, to) = (minutes(&session.from)?, minutes(&session.to)?);
        if from >= to {
            let said =
                format!("a session from {} to {} has no end after its beginning", session.from, session.to);
            return Err(bad(said + ": one that goes on over midnight is two"));
        }
        sessions.extend(session.days.iter().map(|&day| Session { day, from, to, phase: session.phase }));
    }
    for (at, one) in sessions.iter().enumerate() {
        let meets = |other: &Session| other.day == one.day && other.from < one.to && one.from < other.to;
        if sessions[at + 1..].iter().any(meets) {
            return Err(bad(format!("two sessions of one {:?} overlap", one.day)));
        }
    }
    let date = |text: &String| {
        text.parse::<Date>().map_err(|_| bad(format!("{text:?} is no date such as 2024-12-25")))
    };
    let days = |raw: RawDays| -> Result<Days, CalendarError> {
        if let Some(problem) = raw.rules.iter().find_map(DayRule::problem) {
            return Err(bad(problem.to_owned()));
        }
        let dates = raw.dates.iter().map(date).collect::<Result<_, _>>()?;
        Ok(Days { rules: raw.rules, dates })
    };
    let by_time = |all: BTreeMap<String, RawDays>| -> Result<Vec<(u16, Days)>, CalendarError> {
        all.into_iter().map(|(time, raw)| Ok((minutes(&time)?, days(raw)?))).collect()
    };
    let since = raw.since.unwrap_or(SINCE);
    if !(1970..=SINCE).contains(&since) {
        return Err(bad(format!("since {since} is not from 1970 to {SINCE}")));
    }
    let known_until = raw.known_until.as_ref().map(date).transpose()?;
    let (closed, early, late) = (days(raw.closed)?, by_time(raw.early)?, by_time(raw.late)?);
    let by_date = |days: &Days| !days.dates.is_empty();
    let any_date = by_date(&closed) || early.iter().chain(&late).any(|(_, days)| by_date(days));
    if known_until.is_none() && any_date && closed.rules.is_empty() {
        let said =
            "its free days are given by date alone: say with known_until up to which day those are all";
        return Err(bad(said.to_owned()));
    }
    Ok(Definition { zone, since, known_until, sessions, closed, early, late })
}

/// Minutes since midnight of `HH:MM`, up to 24:00.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
    let all = 60 * hours + minutes;
    (minutes < 60 && all <= DAY).then_some(all)
}
