//! A calendar, unrolled into moments.

use super::BUILT_IN;
use super::file::{CalendarError, Definition, Session, read};
use crate::domain::Time;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::HashMap;

/// What a market that is open is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the main session.
    Pre,
    /// The main session.
    #[default]
    Regular,
    /// After it.
    Post,
}

/// From a moment to before another, ns since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: u64,
    to: u64,
    phase: Phase,
}

/// When a market is open. Times outside the years that it covers, and after the last day of which its free days are known,
/// are closed, unless it never closes.
#[derive(Debug, Clone)]
pub struct Calendar {
    name: String,
    known_until: Option<Date>,
    /// The first moment that nothing is known of; none where it never closes.
    ends: Option<Time>,
    /// Sorted, apart from each other.
    phases: Vec<Span>,
    /// The main sessions, those that follow each other at once in one.
    regular: Vec<Span>,
    /// All sessions, likewise.
    any: Vec<Span>,
}

/// The last year that calendars cover.
const LAST_YEAR: i16 = 2040;

impl Calendar {
    /// The calendar that is built in under this name.
    ///
    /// # Errors
    /// [`CalendarError::Unknown`].
    pub fn built_in(name: &str) -> Result<Self, CalendarError> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((name, text)) => Self::from_text(name, text),
            None => {
                let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                Err(CalendarError::Unknown { name: name.to_owned(), known: known.join(", ") })
            }
        }
    }

    /// A calendar from the text of its file.
    ///
    /// # Errors
    /// [`CalendarError::Bad`] with what is wrong.
    pub fn from_text(name: &str, text: &str) -> Result<Self, CalendarError> {
        let definition = read(name, text)?;
        let known_until = definition.known_until;
        let last = last_day(&definition);
        let mut ends = last.and_then(|last| moment(&definition, last, 1_440)).map(Time);
        let mut phases = unroll(&definition);
        if let [always] = &mut phases[..] {
            (always.from, always.to) = (0, u64::MAX);
            ends = None;
        }
        let regular = joined(phases.iter().filter(|span| span.phase == Phase::Regular));
        let any = joined(phases.iter());
        Ok(Self { name: name.to_owned(), known_until, ends, phases, regular, any })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last day, in its zone, of which its free days are known; none where they come by rule, or there are none.
    #[must_use]
    pub fn known_until(&self) -> Option<Date> {
        self.known_until
    }

    /// The first moment that nothing is known of, from which on it counts as closed; none where it never closes.
    #[must_use]
    pub fn ends(&self) -> Option<Time> {
        self.ends
    }

    /// What the market is at; none where it is closed.
    #[inline]
    #[must_use]
    pub fn phase(&self, time: Time) -> Option<Phase> {
        at_or_after(&self.phases, time.0).filter(|span| span.from <= time.0).map(|span| span.phase)
    }

    /// Whether the market is open: in its main session, or, where `extended`, in any.
    #[inline]
    #[must_use]
    pub fn is_open(&self, time: Time, extended: bool) -> bool {
        at_or_after(self.spans(extended), time.0).is_some_and(|span| span.from <= time.0)
    }

    /// The next moment at which it is open: `time` itself where it is; none where it is not known.
    #[must_use]
    pub fn next_open(&self, time: Time, extended: bool) -> Option<Time> {
        at_or_after(self.spans(extended), time.0).map(|span| Time(span.from.max(time.0)))
    }

    /// The next moment at which it closes; none where it is not known.
    #[must_use]
    pub fn next_close(&self, time: Time, extended: bool) -> Option<Time> {
        at_or_after(self.spans(extended), time.0).map(|span| Time(span.to))
    }

    fn spans(&self, extended: bool) -> &[Span] {
        if extended { &self.any } else { &self.regular }
    }
}

/// The first span that ends after `time`.
#[inline]
fn at_or_after(spans: &[Span], time: u64) -> Option<&Span> {
    spans.get(spans.partition_point(|span| span.to <= time))
}

/// Spans that follow each other at once, in one.
fn joined<'a>(spans: impl Iterator<Item = &'a Span>) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::new();
    for span in spans {
        match all.last_mut() {
            Some(last) if last.to == span.from => last.to = span.to,
            _ => all.push(*span),
        }
    }
    all
}

/// The last day that is unrolled.
fn last_day(definition: &Definition) -> Option<Date> {
    definition.known_until.or_else(|| Date::new(LAST_YEAR, 12, 31).ok())
}

fn unroll(definition: &Definition) -> Vec<Span> {
    let last = last_day(definition);
    let mut spans: Vec<Span> = Vec::new();
    let mut days: Vec<Session> = Vec::new();
    for year in definition.since..=LAST_YEAR {
        let closed: std::collections::HashSet<Date> = definition.closed.of_year(year).collect();
        let by_day = |all: &[(u16, super::file::Days)]| -> HashMap<Date, u16> {
            all.iter().flat_map(|(time, days)| days.of_year(year).map(|day| (day, *time))).collect()
        };
        let (early, late) = (by_day(&definition.early), by_day(&definition.late));
        // A day of a year that is kept in the next one does not matter: it is a weekend's.
        let mut date = Date::new(year, 1, 1).ok();
        while let Some(day) = date.filter(|day| day.year() == year && Some(*day) <= last) {
            date = day.tomorrow().ok();
            if closed.contains(&day) {
                continue;
            }
            days.clear();
            days.extend(definition.sessions.iter().filter(|s| s.day.weekday() == day.weekday()));
            days.sort_by_key(|session| session.from);
            for session in &days {
                for (from, to) in cut(session, early.get(&day).copied(), late.get(&day).copied()) {
                    let (Some(from), Some(to)) = (moment(definition, day, from), moment(definition, day, to))
                    else {
                        continue;
                    };
                    if from >= to {
                        continue;
                    }
                    match spans.last_mut() {
                        Some(last) if last.to == from && last.phase == session.phase => last.to = to,
                        _ => spans.push(Span { from, to, phase: session.phase }),
                    }
                }
            }
        }
    }
    spans
}

/// What is left of a session on a day that ends early, begins late, or does both: where it begins again after it ended,
/// both parts.
fn cut(session: &Session, early: Option<u16>, late: Option<u16>) -> impl Iterator<Item = (u16, u16)> {
    let whole = (session.from, session.to);
    let before = |end: u16| (whole.0, whole.1.min(end));
    let after = |begin: u16| (whole.0.max(begin), whole.1);
    let parts = match (early, late) {
        (None, None) => [Some(whole), None],
        (Some(end), None) => [Some(before(end)), None],
        (None, Some(begin)) => [Some(after(begin)), None],
        (Some(end), Some(begin)) if begin >= end => [Some(before(end)), Some(after(begin))],
        (Some(end), Some(begin)) => [Some((whole.0.max(begin), whole.1.min(end))), None],
    };
    parts.into_iter().flatten().filter(|(from, to)| from < to)
}

/// The moment of so many minutes into a day of the zone, ns since 1970.
fn moment(definition: &Definition, day: Date, minutes: u16) -> Option<u64> {
    let (day, minutes) = match minutes {
        1_440 => (day.tomorrow().ok()?, 0),
        other => (day, other),
    };
    let civil = day.at(0, 0, 0, 0).checked_add(i64::from(minutes).minutes()).ok()?;
    let zoned = civil.to_zoned(definition.zone.clone()).ok()?;
    u64::try_from(zoned.timestamp().as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        let moment: jiff::Timestamp = text.parse().expect("a moment");
        Time(u64::try_from(moment.as_nanosecond()).expect("after 1970"))
    }

    #[test]
    fn new_york_opens_at_half_past_nine_whatever_its_clocks_show() {
        let calendar = Calendar::built_in("us-equity").expect("built in");
        // The clocks went forward on 2024-03-10 and back on 2024-11-03.
        for (before, open, close) in [
            ("2024-03-08T12:00:00Z", "2024-03-08T14:30:00Z", "2024-03-08T21:00:00Z"),
            ("2024-03-11T12:00:00Z", "2024-03-11T13:30:00Z", "2024-03-11T20:00:00Z"),
            ("2024-11-01T12:00:00Z", "2024-11-01T13:30:00Z", "2024-11-01T20:00:00Z"),
            ("2024-11-04T12:00:00Z", "2024-11-04T14:30:00Z", "2024-11-04T21:00:00Z"),
        ] {
            assert_eq!(calendar.next_open(at(before), false), Some(at(open)));
            assert_eq!(calendar.next_close(at(before), false), Some(at(close)));
            assert!(calendar.is_open(at(open), false) && !calendar.is_open(at(close), false));
            assert!(calendar.is_open(at(close), true), "the late session");
            assert_eq!(calendar.phase(at(before)), Some(Phase::Pre));
        }
        // Thanksgiving, and the short day after it.
        assert_eq!(calendar.next_open(at("2024-11-28T12:00:00Z"), true), Some(at("2024-11-29T09:00:00Z")));
        assert_eq!(calendar.next_close(at("2024-11-29T15:00:00Z"), true), Some(at("2024-11-29T18:00:00Z")));
    }

    #[test]
    fn what_is_not_known_is_closed_and_what_never_closes_never_does() {
        let always = Calendar::built_in("always").expect("built in");
        assert!(always.is_open(at("2024-02-29T00:00:00Z"), false));
        assert!(always.is_open(Time(0), true) && always.is_open(at("2100-01-01T00:00:00Z"), true));
        let stocks = Calendar::built_in("us-equity").expect("built in");
        assert!(!stocks.is_open(Time(0), true) && !stocks.is_open(at("2100-01-04T15:00:00Z"), true));
        assert_eq!(stocks.next_open(at("2100-01-01T00:00:00Z"), true), None);
        assert!(Calendar::built_in("moon").expect_err("none").to_string().contains("us-equity"));
    }

    #[test]
    fn after_the_last_day_that_is_known_it_is_closed_and_says_since_when() {
        let index = Calendar::built_in("cme-index").expect("built in");
        assert_eq!(index.known_until(), Some(Date::constant(2027, 1, 1)));
        assert_eq!(index.ends(), Some(at("2027-01-02T05:00:00Z")));
        assert!(index.is_open(at("2026-12-31T16:00:00Z"), true));
        // Thanksgiving, and a day like any other.
        for day in ["2027-11-25T16:00:00Z", "2027-01-05T16:00:00Z", "2035-06-05T16:00:00Z"] {
            assert!(!index.is_open(at(day), true), "{day}");
        }
        assert_eq!(index.next_open(at("2027-01-01T12:00:00Z"), true), None);
        let oanda = Calendar::built_in("fx-oanda").expect("built in");
        assert!(oanda.is_open(at("2026-12-24T15:00:00Z"), true), "the morning before Christmas");
        for day in ["2026-12-25T15:00:00Z", "2027-01-01T15:00:00Z", "2031-01-02T15:00:00Z"] {
            assert!(!oanda.is_open(at(day), true), "{day}");
        }
        let stocks = Calendar::built_in("us-equity").expect("built in");
        assert_eq!((stocks.known_until(), stocks.ends()), (None, Some(at("2041-01-01T05:00:00Z"))));
        assert_eq!(Calendar::built_in("always").expect("built in").ends(), None);
    }

    #[test]
    fn a_wrong_file_is_told_what_is_wrong_with_it() {
        let refused = |text: &str| Calendar::from_text("x", text).expect_err(text).to_string();
        let session = "[[session]]\ndays = [\"mon\"]\n";
        assert!(refused("zone = \"Mars/Base\"\nsession = []").contains("no time zone is named"));
        assert!(
            refused(&format!("zone = \"UTC\"\n{session}from = \"9:30\"\nto = \"16:00\"")).contains("no time")
        );
        assert!(
            refused(&format!("zone = \"UTC\"\n{session}from = \"16:00\"\nto = \"09:30\""))
                .contains("over midnight")
        );
        let twice = format!(
            "zone = \"UTC\"\n{session}from = \"09:00\"\nto = \"12:00\"\n{session}from = \"11:00\"\nto = \"13:00\""
        );
        assert!(refused(&twice).contains("overlap"));
        let bad_day = format!(
            "zone = \"UTC\"\n{session}from = \"09:00\"\nto = \"12:00\"\n[closed]\ndates = [\"2024-13-01\"]"
        );
        assert!(refused(&bad_day).contains("no date"));
        let by_date = |known: &str| {
            format!(
                "zone = \"UTC\"\n{known}{session}from = \"09:00\"\nto = \"12:00\"\n[closed]\ndates = [\"2024-12-25\"]"
            )
        };
        assert!(refused(&by_date("")).contains("known_until"));
        assert!(refused(&by_date("known_until = \"someday\"\n")).contains("no date"));
        assert!(Calendar::from_text("x", &by_date("known_until = \"2024-12-31\"\n")).is_ok());
    }
}
