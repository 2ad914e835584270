//! Intervals of klines: where one begins and where the next does.
//!
//! Owns: the sixteen labels. Hours and days are counted from 1970, weeks from Mondays, months by the calendar; a time
//! zone moves all of these and nothing else.

use jiff::civil::{Date, date};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// 1970 began on a Thursday; the first Monday was the fifth of January.
const FIRST_MONDAY: u64 = 4 * DAY;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    /// So long, counted from a moment that is less after 1970.
    Fixed {
        ms: u64,
        from: u64,
    },
    Month,
}

const fn fixed(ms: u64) -> Span {
    Span::Fixed { ms, from: 0 }
}

const SPANS: [(&str, Span); 16] = [
    ("1s", fixed(SECOND)),
    ("1m", fixed(MINUTE)),
    ("3m", fixed(3 * MINUTE)),
    ("5m", fixed(5 * MINUTE)),
    ("15m", fixed(15 * MINUTE)),
    ("30m", fixed(30 * MINUTE)),
    ("1h", fixed(HOUR)),
    ("2h", fixed(2 * HOUR)),
    ("4h", fixed(4 * HOUR)),
    ("6h", fixed(6 * HOUR)),
    ("8h", fixed(8 * HOUR)),
    ("12h", fixed(12 * HOUR)),
    ("1d", fixed(DAY)),
    ("3d", fixed(3 * DAY)),
    ("1w", Span::Fixed { ms: 7 * DAY, from: FIRST_MONDAY }),
    ("1M", Span::Month),
];

/// A kline's interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub label: &'static str,
    span: Span,
    /// East of UTC, ms.
    zone_ms: i64,
}

impl Interval {
    pub fn from_label(label: &str) -> Option<Self> {
        let found = SPANS.iter().find(|(known, _)| *known == label);
        found.map(|&(label, span)| Self { label, span, zone_ms: 0 })
    }

    /// The same interval by the clocks of a time zone.
    pub fn in_zone(self, zone_ms: i64) -> Self {
        Self { zone_ms, ..self }
    }

    /// Whether it is shorter than a minute.
    pub fn is_short(&self) -> bool {
        matches!(self.span, Span::Fixed { ms, .. } if ms < MINUTE)
    }

    /// The beginning of the interval that `ms` is in.
    pub fn opening(&self, ms: u64) -> u64 {
        let local = ms.saturating_add_signed(self.zone_ms);
        let opening = match self.span {
            Span::Fixed { ms, from } => {
                let ahead = (ms - from) % ms;
                (local.saturating_add(ahead) / ms * ms).saturating_sub(ahead)
            }
            Span::Month => day_ms(day(local).first_of_month()),
        };
        opening.saturating_add_signed(-self.zone_ms)
    }

    /// The beginning of the interval after the one that begins at `opening`.
    pub fn next(&self, opening: u64) -> u64 {
        match self.span {
            Span::Fixed { ms, .. } => opening.saturating_add(ms),
            // Any moment of the month after: months have at most 31 days and at least 28.
            Span::Month => self.opening(opening.saturating_add(31 * DAY + 12 * HOUR)),
        }
    }
}

fn day(ms: u64) -> Date {
    let days = i64::try_from(ms / DAY).unwrap_or(i64::MAX);
    // A date past the year 9999 is that year's last day.
    date(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).unwrap_or_default()).unwrap_or(Date::MAX)
}

fn day_ms(of: Date) -> u64 {
    let days = date(1970, 1, 1).until(of).map_or(0, |span| span.get_days());
    u64::try_from(days).unwrap_or(0) * DAY
}

/// A time zone as the venue writes it: `0`, `8`, `-1:00`, `+08:00`, `05:45`, from -12:00 to +14:00. East of UTC, ms.
pub(super) fn zone(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let number = |text: &str| -> Option<i64> {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| plain)
    };
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    let total = sign * (hours * 60 + minutes);
    (-12 * 60..=14 * 60).contains(&total).then_some(total * MINUTE as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(label: &str) -> Interval {
        Interval::from_label(label).expect("a label")
    }

    fn ms(text: &str) -> u64 {
        u64::try_from(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond()).expect("after 1970")
    }

    #[test]
    fn weeks_begin_on_mondays_and_months_on_the_first() {
        let at = ms("2024-08-08T13:45:12Z");
        for (label, begin, next) in [
            ("1m", "2024-08-08T13:45:00Z", "2024-08-08T13:46:00Z"),
            ("12h", "2024-08-08T12:00:00Z", "2024-08-09T00:00:00Z"),
            ("1w", "2024-08-05T00:00:00Z", "2024-08-12T00:00:00Z"),
            ("1M", "2024-08-01T00:00:00Z", "2024-09-01T00:00:00Z"),
        ] {
            assert_eq!((of(label).opening(at), of(label).next(ms(begin))), (ms(begin), ms(next)), "{label}");
        }
        assert_eq!(of("3d").opening(at) % (3 * DAY), 0);
        assert_eq!(of("1M").next(ms("2024-01-01T00:00:00Z")), ms("2024-02-01T00:00:00Z"));
        assert_eq!(of("1w").opening(FIRST_MONDAY), FIRST_MONDAY);
    }

    #[test]
    fn a_time_zone_moves_the_boundaries() {
        let zone = zone("+08:00").expect("a zone");
        let at = ms("2024-08-08T17:45:12Z");
        for (label, begin) in
            [("1d", "2024-08-08T16:00:00Z"), ("1w", "2024-08-04T16:00:00Z"), ("1M", "2024-07-31T16:00:00Z")]
        {
            let interval = of(label).in_zone(zone);
            assert_eq!(interval.opening(at), ms(begin), "{label}");
            assert_eq!(interval.opening(interval.next(ms(begin)) - 1), ms(begin), "{label}");
        }
    }

    #[test]
    fn zones_are_read_as_the_venue_writes_them() {
        for (text, minutes) in [("0", 0), ("8", 480), ("-1:00", -60), ("+08:00", 480), ("05:45", 345)] {
            assert_eq!(zone(text), Some(minutes * MINUTE as i64), "{text}");
        }
        for wrong in ["", "x", "15", "-12:01", "1:60", "1:2:3", "+-1", "123"] {
            assert_eq!(zone(wrong), None, "{wrong}");
        }
    }
}
