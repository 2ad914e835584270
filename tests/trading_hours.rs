//! Trading hours are those of a database of session calendars, from 2010 to 2030, at every change of the clocks.
//!
//! The database says what a day of the exchange's own zone is; ours says what a moment is. So each moment is turned into
//! the zone's time here, and looked up there.

#[path = "support/recordings.rs"]
mod recordings;
#[path = "support/store.rs"]
mod runs;

use algo_trader::calendar::{BUILT_IN, Calendar, Phase};
use algo_trader::domain::{InstrumentTable, Market, Time};
use algo_trader::run::{Config, Summary, replay_frames};
use algo_trader::venue::local::demo_instruments;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

/// An entry of the database.
struct Entry {
    zone: TimeZone,
    /// By weekday from Monday: from, to (minutes) and phase.
    week: Vec<Vec<(i64, i64, Phase)>>,
    holidays: HashSet<Date>,
    early: HashMap<Date, i64>,
    late: HashMap<Date, i64>,
}

/// `1.00:00:00` is the end of the day.
fn minutes(text: &str) -> i64 {
    let (days, time) = text.split_once('.').map_or((0, text), |(d, t)| (d.parse().expect("days"), t));
    let parts: Vec<i64> = time.split(':').map(|p| p.parse().expect("a number")).collect();
    assert_eq!(parts[2], 0, "whole minutes");
    days * 1_440 + parts[0] * 60 + parts[1]
}

/// `month/day/year`.
fn date(text: &str) -> Date {
    let parts: Vec<i16> = text.split('/').map(|p| p.parse().expect("a number")).collect();
    Date::new(parts[2], parts[0] as i8, parts[1] as i8).expect("a date")
}

impl Entry {
    fn read(json: &Value) -> Self {
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let segment = |s: &Value| {
            let text = |name: &str| s[name].as_str().expect("text");
            let phase = match text("state") {
                "premarket" => Phase::Pre,
                "market" => Phase::Regular,
                _ => Phase::Post,
            };
            (minutes(text("start")), minutes(text("end")), phase)
        };
        let times = |name: &str| -> HashMap<Date, i64> {
            let all = json[name].as_object();
            let all = all.into_iter().flatten();
            all.map(|(day, time)| (date(day), minutes(time.as_str().expect("text")))).collect()
        };
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        Self {
            zone: TimeZone::get(json["exchangeTimeZone"].as_str().expect("text")).expect("a zone"),
            week: days.iter().map(|day| list(&json[*day]).iter().map(segment).collect()).collect(),
            holidays: list(&json["holidays"]).iter().map(|d| date(d.as_str().expect("text"))).collect(),
            early: times("earlyCloses"),
            late: times("lateOpens"),
        }
    }

    fn phase(&self, moment: Timestamp) -> Option<Phase> {
        let local = moment.to_zoned(self.zone.clone());
        let (day, minute) = (local.date(), i64::from(local.hour()) * 60 + i64::from(local.minute()));
        if self.holidays.contains(&day) {
            return None;
        }
        let open = match (self.early.get(&day), self.late.get(&day)) {
            (None, None) => true,
            (Some(&end), None) => minute < end,
            (None, Some(&begin)) => minute >= begin,
            (Some(&end), Some(&begin)) if end <= begin => minute < end || minute >= begin,
            (Some(&end), Some(&begin)) => (begin..end).contains(&minute),
        };
        let sessions = &self.week[usize::from(local.weekday().to_monday_zero_offset() as u8)];
        let found = sessions.iter().find(|(from, to, _)| (*from..*to).contains(&minute));
        found.filter(|_| open).map(|(_, _, phase)| *phase)
    }
}

fn time(moment: Timestamp) -> Time {
    Time(u64::try_from(moment.as_nanosecond()).expect("after 1970"))
}

/// Days on which the calendar is right and the database is not, with the reason.
const DATABASE_ERRS: &[(&str, &str, &str)] = &[(
    "cme-index",
    "2025-12-25",
    "closed for Christmas until the evening, as in every other year of the database",
)];

/// The last day for which the database knows the holidays of stocks.
const STOCKS_KNOWN_TO: &str = "2028-12-31";

#[test]
fn sessions_are_those_of_the_database_from_2010_to_2030() {
    let Some(folder) = recordings::folder("stocks") else { return };
    let text = std::fs::read_to_string(folder.join("market-hours-database.json")).expect("a file");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let pairs = [
        ("us-equity", "Equity-usa-[*]"),
        ("always", "Crypto-binance-[*]"),
        ("always", "CryptoFuture-binance-[*]"),
        ("fx", "Forex-interactivebrokers-[*]"),
        ("fx-oanda", "Forex-oanda-[*]"),
        ("fx-fxcm", "Forex-fxcm-[*]"),
        ("cme-index", "Future-cme-ES"),
        ("cme-fx", "Future-cme-6E"),
    ];
    for (name, key) in pairs {
        let calendar = Calendar::built_in(name).expect("built in");
        let entry = Entry::read(&json["entries"][key]);
        let errs: HashSet<Date> = DATABASE_ERRS
            .iter()
            .filter(|(calendar, _, _)| *calendar == name)
            .map(|(_, day, _)| day.parse().expect("a date"))
            .collect();
        let last = if name == "us-equity" { STOCKS_KNOWN_TO } else { "2030-12-31" };
        let last: Date = last.parse().expect("a date");
        let zone = entry.zone.clone();
        let (mut asked, mut open, mut changes, mut wrong) = (0u64, 0u64, 0, Vec::new());
        let mut day = Date::new(2010, 1, 1).expect("a date");
        let mut offset = None;
        while day <= last {
            let midnight = day.at(0, 0, 0, 0).to_zoned(zone.clone()).expect("a moment");
            let changed = offset.replace(midnight.offset()).is_some_and(|before| before != midnight.offset());
            let tomorrow = day.tomorrow().expect("not the last");
            let end = tomorrow.at(0, 0, 0, 0).to_zoned(zone.clone()).expect("a moment").timestamp();
            let changes_today = (end.as_second() - midnight.timestamp().as_second()) != 86_400;
            changes += u32::from(changes_today);
            // Every half hour, and each minute around where something may happen or the clocks change.
            let mut minutes: BTreeSet<i64> = (0..1_440).step_by(30).collect();
            let weekday = usize::from(day.weekday().to_monday_zero_offset() as u8);
            for (from, to, _) in &entry.week[weekday] {
                minutes.extend([from - 1, *from, to - 1, *to]);
            }
            let special = [entry.early.get(&day), entry.late.get(&day)];
            minutes.extend(special.into_iter().flatten().flat_map(|at| [at - 1, *at]));
            if changes_today || changed {
                minutes.extend(0..1_500);
            }
            for minute in minutes {
                let moment = midnight.timestamp().checked_add(minute.minutes()).expect("a moment");
                let expected = entry.phase(moment);
                let local = moment.to_zoned(zone.clone()).date();
                if local.year() < 2010 || errs.contains(&local) {
                    continue;
                }
                let said = calendar.phase(time(moment));
                asked += 1;
                open += u64::from(said.is_some());
                if said != expected && wrong.len() < 10 {
                    wrong.push(format!("{moment} ({local}): {said:?}, and the database says {expected:?}"));
                }
                assert_eq!(calendar.is_open(time(moment), true), said.is_some());
                assert_eq!(calendar.is_open(time(moment), false), said == Some(Phase::Regular));
            }
            day = tomorrow;
        }
        assert!(wrong.is_empty(), "{name}, {key}:\n{}", wrong.join("\n"));
        println!(
            "{name} equals {key}: {asked} moments, {open} of them open, {changes} days of 23 or 25 hours"
        );
        assert!(
            zone == TimeZone::UTC || changes >= 2 * 19,
            "{name}: both changes of the clocks of each year"
        );
    }
}

#[test]
fn the_next_opening_and_closing_are_where_the_sessions_begin_and_end() {
    let start: Timestamp = "2023-12-20T00:00:00Z".parse().expect("a moment");
    for (name, _) in BUILT_IN {
        let calendar = Calendar::built_in(name).expect("built in");
        for extended in [false, true] {
            // Walked minute by minute, backwards: what comes next is known then.
            let (mut opens, mut closes) = (None, None);
            let days = 40;
            for minute in (0..days * 1_440).rev() {
                let now = start.checked_add(i64::from(minute).minutes()).expect("a moment");
                let after = now.checked_add(1.minutes()).expect("a moment");
                let (open, then) =
                    (calendar.is_open(time(now), extended), calendar.is_open(time(after), extended));
                if open && !then {
                    closes = Some(time(after));
                }
                if open {
                    opens = Some(time(now));
                }
                let wall = calendar.next_close(time(now), extended);
                if closes.is_some() {
                    assert_eq!(wall, closes, "{name} at {now}");
                }
                if opens.is_some() {
                    assert_eq!(calendar.next_open(time(now), extended), opens, "{name} at {now}");
                }
            }
        }
    }
}

#[test]
fn outside_its_hours_a_market_is_not_traded_and_within_them_nothing_changes() {
    // The generated market begins at seven in the evening in New York, on the last day of 2024, a Tuesday.
    let run = |hours: &str| {
        let text = format!("{}\n{hours}", runs::config().text);
        let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
        let config = Config::from_text_with_instruments(&text, "hours.toml", table).expect("good");
        replay_frames(&config, &mut runs::market(6), runs::options(None)).expect("a good run")
    };
    let fills = |summary: &Summary, market: Market| -> u64 {
        let of = summary.strategies.iter().filter(|s| s.instrument.market == market);
        of.map(|s| s.position.fills).sum()
    };
    let free = run("");
    assert!(fills(&free, Market::Spot) > 0 && fills(&free, Market::UsdM) > 0);
    let open = run("[hours]\n\"binance:spot\" = \"us-equity extended\"\n\"binance:usdm\" = \"always\"\n");
    assert_eq!(open.order_stream_sha256, free.order_stream_sha256, "all of it is open");
    let shut = run("[hours]\n\"binance:spot\" = \"us-equity\"\n");
    assert_eq!(fills(&shut, Market::Spot), 0, "the main session is over");
    assert!(fills(&shut, Market::UsdM) > 0);
    // Counted and reasoned as every other denial; without hours nothing is denied for them.
    let denied =
        |summary: &Summary| summary.denials.iter().find(|d| d.0 == "trading-hours").map_or(0, |d| d.1);
    assert!(denied(&shut) > 0 && denied(&free) == 0 && denied(&open) == 0, "{:?}", shut.denials);
    assert_eq!(shut.refused, free.refused, "no strategy is refused at its desk for it");
}

#[test]
fn days_to_come_are_closed_by_rule() {
    let calendar = Calendar::built_in("us-equity").expect("built in");
    // As the exchange has announced them, or as its rules say.
    let closed = [
        "2029-01-01",
        "2029-01-15",
        "2029-02-19",
        "2029-03-30",
        "2029-05-28",
        "2029-06-19",
        "2029-07-04",
        "2029-09-03",
        "2029-11-22",
        "2029-12-25",
        "2030-01-01",
        "2030-01-21",
        "2030-02-18",
        "2030-04-19",
        "2030-05-27",
        "2030-06-19",
        "2030-07-04",
        "2030-09-02",
        "2030-11-28",
        "2030-12-25",
    ];
    let zone = TimeZone::get("America/New_York").expect("a zone");
    let mut day = Date::new(2029, 1, 1).expect("a date");
    let mut found = Vec::new();
    while day.year() < 2031 {
        let noon = day.at(12, 0, 0, 0).to_zoned(zone.clone()).expect("a moment").timestamp();
        let weekend = day.weekday().to_monday_zero_offset() >= 5;
        if !weekend && !calendar.is_open(time(noon), false) {
            found.push(day.to_string());
        }
        day = day.tomorrow().expect("a day");
    }
    assert_eq!(found, closed);
}
