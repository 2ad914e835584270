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
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
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
const DATABASE_ERRS: &[(&str, &str, &str)] = &[
    ("us-equity", "2002-09-11", "stocks were traded from noon on, a year after the attacks"),
    (
        "cme-index",
        "2025-12-25",
        "closed for Christmas until the evening, as in every other year of the database",
    ),
    ("cme-energy-metals", "2025-12-25", "the same: half of the entries have it"),
];

/// The last day for which the database knows the holidays of stocks.
const STOCKS_KNOWN_TO: &str = "2028-12-31";

/// What of an entry is not looked at: a moment of the entry's zone.
type Apart = fn(&Zoned) -> bool;

/// Entries that one of our calendars is held against.
struct Held {
    calendar: &'static str,
    keys: &'static [&'static str],
    /// From and to this day; before and after it the entry is not to be trusted.
    days: [&'static str; 2],
    /// Whether the sessions before and after the main one are told apart; if not, only when it is open.
    phases: bool,
    apart: Option<Apart>,
}

const ALL_DAYS: [&str; 2] = ["2010-01-01", "2030-12-31"];

/// All days, all phases.
const fn held(calendar: &'static str, keys: &'static [&'static str]) -> Held {
    Held { calendar, keys, days: ALL_DAYS, phases: true, apart: None }
}

impl Held {
    /// From when the product began to trade, or the database began to keep its days.
    const fn from(self, day: &'static str) -> Self {
        Self { days: [day, self.days[1]], ..self }
    }

    /// Up to when the database kept its days.
    const fn to(self, day: &'static str) -> Self {
        Self { days: [self.days[0], day], ..self }
    }

    /// Without telling phases apart.
    const fn open_or_not(self) -> Self {
        Self { phases: false, ..self }
    }

    /// Not at these moments.
    const fn but(self, apart: Apart) -> Self {
        Self { apart: Some(apart), ..self }
    }
}

/// Every entry of stocks of the United States, crypto, currencies and the markets of CME group that a calendar is held against.
const HELD: &[Held] = &[
    // Of 1998 it lacks the two days that ended early.
    held("us-equity", &["Equity-usa-[*]"]).from("1999-01-01").to(STOCKS_KNOWN_TO),
    held(
        "always",
        &[
            "Crypto-binance-[*]",
            "Crypto-binanceus-[*]",
            "Crypto-bitfinex-[*]",
            "Crypto-bybit-[*]",
            "Crypto-coinbase-[*]",
            "Crypto-ftx-[*]",
            "Crypto-ftxus-[*]",
            "Crypto-kraken-[*]",
            "CryptoFuture-binance-[*]",
            "CryptoFuture-bybit-[*]",
            "CryptoFuture-dydx-[*]",
        ],
    ),
    held("fx", &["Forex-interactivebrokers-[*]"]),
    // The database keeps their days no further.
    held("fx-oanda", &["Forex-oanda-[*]"]).to("2026-12-23"),
    held(
        "fx-oanda-nzd",
        &[
            "Forex-oanda-EURNZD",
            "Forex-oanda-GBPNZD",
            "Forex-oanda-NZDCAD",
            "Forex-oanda-NZDCHF",
            "Forex-oanda-NZDHKD",
            "Forex-oanda-NZDJPY",
            "Forex-oanda-NZDSGD",
            "Forex-oanda-NZDUSD",
        ],
    )
    .to("2026-12-23"),
    held("fx-fxcm", &["Forex-fxcm-[*]"]),
    held(
        "cme-index",
        &[
            "Future-cme-E3G",
            "Future-cme-ENY",
            "Future-cme-ES",
            "Future-cme-ESG",
            "Future-cme-M2K",
            "Future-cme-MES",
            "Future-cme-MNQ",
            "Future-cme-NIY",
            "Future-cme-NKD",
            "Future-cme-NQ",
            "Future-cme-RS1",
            "Future-cme-RTY",
            "Future-cme-SDA",
            "Future-cme-TPD",
            "Future-cme-TPY",
            // The Dow, at CME group's CBOT.
            "Future-cbot-MYM",
            "Future-cbot-YM",
        ],
    ),
    // The same hours told in the zone of Chicago: phases change at another midnight, and where there was no evening before,
    // the day of these begins an hour after that of the others.
    held(
        "cme-index",
        &[
            "Future-cme-BIO",
            "Future-cme-EI",
            "Future-cme-EMD",
            "Future-cme-FT1",
            "Future-cme-FT5",
            "Future-cme-FTU",
            "Future-cme-IBV",
        ],
    )
    .open_or_not()
    .but(|at| at.hour() == 23),
    // The database keeps its days no further.
    held("cme-index", &["Future-cme-RX"]).to("2023-12-30"),
    held(
        "cme-fx",
        &[
            "Future-cme-6A",
            "Future-cme-6B",
            "Future-cme-6C",
            "Future-cme-6E",
            "Future-cme-6J",
            "Future-cme-6L",
            "Future-cme-6M",
            "Future-cme-6N",
            "Future-cme-6R",
            "Future-cme-6S",
            "Future-cme-6Z",
            "Future-cme-ACD",
            "Future-cme-AJY",
            "Future-cme-ANE",
            "Future-cme-CJY",
            "Future-cme-CNH",
            "Future-cme-E7",
            "Future-cme-EAD",
            "Future-cme-ECD",
            "Future-cme-ESK",
            "Future-cme-J7",
            "Future-cme-M6A",
            "Future-cme-M6B",
            "Future-cme-M6E",
            "Future-cme-MCD",
            "Future-cme-MIR",
            "Future-cme-MNH",
            "Future-cme-MSF",
        ],
    ),
    // The database keeps their days no further.
    held("cme-fx", &["Future-cme-M6C", "Future-cme-M6J", "Future-cme-M6S"]).to("2025-04-16"),
    // Before, the database has it closed in the evenings of its short days.
    held("cme-fx", &["Future-cme-MJY"]).from("2023-12-26"),
    held("cme-crypto", &["Future-cme-BTC"]),
    // From when each began to trade.
    held("cme-crypto", &["Future-cme-ETH"]).from("2021-02-08"),
    held("cme-crypto", &["Future-cme-MBT"]).from("2021-05-03"),
    held("cme-crypto", &["Future-cme-MET"]).from("2021-12-06"),
    held("cme-livestock", &["Future-cme-GF", "Future-cme-HE", "Future-cme-LE"]),
    held("cme-lumber", &["Future-cme-LBR"]),
    held("cme-dairy", &["Future-cme-DY"]),
    // All day is its main session.
    held("cme-dairy", &["Future-cme-GNF"]).open_or_not(),
    // On Fridays these end at 13:55 as the others: the exchange's hours are those of all of dairy, and the database has it
    // for two of them alone.
    held("cme-dairy", &["Future-cme-CB", "Future-cme-CSC", "Future-cme-DC", "Future-cme-GDK"])
        .but(|at| at.weekday() == Weekday::Friday && (at.hour(), at.minute()) >= (13, 55)),
    held(
        "cme-rates",
        &[
            "Future-cbot-10Y",
            "Future-cbot-2YY",
            "Future-cbot-30Y",
            "Future-cbot-5YY",
            "Future-cbot-TN",
            "Future-cbot-UB",
            "Future-cbot-ZB",
            "Future-cbot-ZF",
            "Future-cbot-ZN",
            "Future-cbot-ZT",
        ],
    ),
    held(
        "cme-energy-metals",
        &[
            "Future-nymex-1S",
            "Future-nymex-22",
            "Future-nymex-A0D",
            "Future-nymex-A0F",
            "Future-nymex-A1L",
            "Future-nymex-A1M",
            "Future-nymex-A1R",
            "Future-nymex-A32",
            "Future-nymex-A3G",
            "Future-nymex-A7E",
            "Future-nymex-A7I",
            "Future-nymex-A7Q",
            "Future-nymex-A8J",
            "Future-nymex-A8K",
            "Future-nymex-A8O",
            "Future-nymex-A91",
            "Future-nymex-A9N",
            "Future-nymex-AA6",
            "Future-nymex-AA8",
            "Future-nymex-ABS",
            "Future-nymex-ABT",
            "Future-nymex-AC0",
            "Future-nymex-AD0",
            "Future-nymex-ADB",
            "Future-nymex-AE5",
            "Future-nymex-AGA",
            "Future-nymex-AJL",
            "Future-nymex-AJS",
            "Future-nymex-AKL",
            "Future-nymex-AKZ",
            "Future-nymex-APS",
            "Future-nymex-AR0",
            "Future-nymex-ARE",
            "Future-nymex-AVZ",
            "Future-nymex-AYV",
            "Future-nymex-AYX",
            "Future-nymex-AZ1",
            "Future-nymex-B0",
            "Future-nymex-B7H",
            "Future-nymex-BK",
            "Future-nymex-BOO",
            "Future-nymex-BR7",
            "Future-nymex-BZ",
            "Future-nymex-CL",
            "Future-nymex-CRB",
            "Future-nymex-CSX",
            "Future-nymex-CU",
            "Future-nymex-D1N",
            "Future-nymex-DCB",
            "Future-nymex-E6",
            "Future-nymex-EN",
            "Future-nymex-EPN",
            "Future-nymex-EVC",
            "Future-nymex-EWG",
            "Future-nymex-EWN",
            "Future-nymex-EXR",
            "Future-nymex-FO",
            "Future-nymex-FRC",
            "Future-nymex-FSS",
            "Future-nymex-GCU",
            "Future-nymex-HH",
            "Future-nymex-HO",
            "Future-nymex-HP",
            "Future-nymex-HTT",
            "Future-nymex-M1B",
            "Future-nymex-M35",
            "Future-nymex-MAF",
            "Future-nymex-MCL",
            "Future-nymex-MEF",
            "Future-nymex-NG",
            "Future-nymex-R5O",
            "Future-nymex-RB",
            "Future-nymex-S5O",
        ],
    ),
    held(
        "cme-energy-metals",
        &[
            "Future-comex-AUP",
            "Future-comex-EDP",
            "Future-comex-MGC",
            "Future-comex-MGT",
            "Future-comex-SIL",
            "Future-nymex-PAM",
        ],
    ),
    // Before, the database knows few of their short days and of the evenings after them.
    held(
        "cme-energy-metals",
        &["Future-comex-GC", "Future-comex-SI", "Future-nymex-PA", "Future-nymex-PL", "Future-comex-HG"],
    )
    .from("2023-12-26"),
    held("cme-grains", &["Future-cbot-ZC", "Future-cbot-ZO", "Future-cbot-ZW"]),
    // Before, the database closes it on days on which it was open as the others.
    held("cme-grains", &["Future-cbot-KE"]).from("2023-01-03"),
    // Before, the database knows next to none of their days.
    held("cme-grains", &["Future-cbot-ZL", "Future-cbot-ZM", "Future-cbot-ZS"]).from("2025-12-27"),
];

/// Entries that none of our calendars is for, with the reason.
const APART: &[(&str, &str)] = &[
    ("Future-cbot-[*]", "stands for what has no entry: closed all of the days on which others end early"),
    (
        "Future-cbot-AW",
        "an index of raw materials, whose evenings before and after free days the database lacks",
    ),
    ("Future-cbot-BCF", "corn of the Black Sea, not traded any more: no pause between night and day"),
    ("Future-cbot-BWF", "wheat of the Black Sea, not traded any more: no pause between night and day"),
    ("Future-cbot-EH", "ethanol, not traded any more: ends days early in its own way"),
    ("Future-cbot-F1U", "the database knows none of its days"),
    ("Future-comex-[*]", "stands for what has no entry: closed all of the days on which others end early"),
    ("Future-nymex-[*]", "stands for what has no entry: closed all of the days on which others end early"),
    ("Future-nymex-CSW", "steel: no evenings after short days, and no free days"),
    ("Future-nymex-HCL", "steel: no evenings after short days, and no free days"),
    ("Future-nymex-HRC", "steel: no evenings after short days, and no free days"),
    ("Future-nymex-M5F", "coal: no evenings after short days, and no free days"),
    ("Future-nymex-YO", "sugar: ends days early in its own way"),
    (
        "Future-cme-[*]",
        "stands for what has no entry: closed all of the days on which each of the others ends early",
    ),
    (
        "Future-cme-GD",
        "an index of raw materials: it ends days early as grains do, and has no evenings after them",
    ),
    ("Future-cme-GE", "not traded since April 2023, and without the evenings of days that end early"),
    ("Future-cme-LBS", "not traded since May 2023: LBR took its place"),
    ("Future-cme-MIB", "Milan's index: days that end early as Milan's do, and no evenings after them"),
    (
        "Future-cme-MRB",
        "ends days early at another time than every other index, and has no evenings after them",
    ),
];

/// The markets that are asked for.
const ASKED: [&str; 7] =
    ["Equity-usa-", "Crypto", "Forex-", "Future-cme-", "Future-cbot-", "Future-nymex-", "Future-comex-"];

/// The days that an entry has, or, where it has none, those of its whole market.
fn entry(entries: &Value, key: &str) -> Value {
    let mut entry = entries[key].clone();
    let market = key.rsplit_once('-').map(|(market, _)| format!("{market}-[*]")).unwrap_or_default();
    let days = ["holidays", "earlyCloses", "lateOpens"];
    let none = |value: &Value| {
        value.as_array().is_none_or(Vec::is_empty) && value.as_object().is_none_or(serde_json::Map::is_empty)
    };
    if days.iter().all(|name| none(&entry[*name])) {
        for name in days {
            entry[name] = entries[&market][name].clone();
        }
    }
    if let Some(entry) = entry.as_object_mut() {
        entry.remove("comment");
    }
    entry
}

#[test]
fn sessions_are_those_of_the_database_from_2010_to_2030() {
    let Some(folder) = recordings::folder("stocks") else { return };
    let text = std::fs::read_to_string(folder.join("market-hours-database.json")).expect("a file");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let entries = json["entries"].as_object().expect("entries");
    // Each entry is held against a calendar, once, or has a reason why not.
    let told = HELD.iter().flat_map(|held| held.keys).chain(APART.iter().map(|(key, _)| key));
    let mut told: Vec<&str> = told.copied().collect();
    let asked =
        entries.keys().map(String::as_str).filter(|key| ASKED.iter().any(|begins| key.starts_with(begins)));
    let mut asked: Vec<&str> = asked.collect();
    told.sort_unstable();
    asked.sort_unstable();
    assert_eq!(told, asked, "entries of the database, and what is said of them here");
    let used: BTreeSet<&str> = HELD.iter().map(|held| held.calendar).collect();
    assert_eq!(
        used,
        BUILT_IN.iter().map(|(name, _)| *name).collect(),
        "each calendar is held against something"
    );

    for held in HELD {
        // Entries that say the same are looked at once.
        let mut known: Vec<Value> = Vec::new();
        for key in held.keys {
            let entry = entry(&json["entries"], key);
            if !known.contains(&entry) {
                hold(held, key, &Entry::read(&entry));
                known.push(entry);
            }
        }
    }
}

fn hold(held: &Held, key: &str, entry: &Entry) {
    let name = held.calendar;
    let calendar = Calendar::built_in(name).expect("built in");
    let errs: HashSet<Date> = DATABASE_ERRS
        .iter()
        .filter(|(calendar, _, _)| *calendar == name)
        .map(|(_, day, _)| day.parse().expect("a date"))
        .collect();
    let [first, last]: [Date; 2] = held.days.map(|day| day.parse().expect("a date"));
    // What is not known is closed, whatever the database takes it for.
    let last = calendar.known_until().map_or(last, |known| known.min(last));
    let zone = entry.zone.clone();
    let (mut asked, mut open, mut changes, mut wrong) = (0u64, 0u64, 0, Vec::new());
    let mut day = first;
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
            let local = moment.to_zoned(zone.clone());
            let date = local.date();
            if !(first..=last).contains(&date)
                || errs.contains(&date)
                || held.apart.is_some_and(|apart| apart(&local))
            {
                continue;
            }
            let said = calendar.phase(time(moment));
            asked += 1;
            open += u64::from(said.is_some());
            let same = if held.phases { said == expected } else { said.is_some() == expected.is_some() };
            if !same && wrong.len() < 10 {
                wrong.push(format!("{moment} ({local}): {said:?}, and the database says {expected:?}"));
            }
            assert_eq!(calendar.is_open(time(moment), true), said.is_some());
            assert_eq!(calendar.is_open(time(moment), false), said == Some(Phase::Regular));
        }
        day = tomorrow;
    }
    assert!(wrong.is_empty(), "{name}, {key}:\n{}", wrong.join("\n"));
    println!("{name} equals {key}: {asked} moments, {open} of them open, {changes} days of 23 or 25 hours");
    let years = u32::try_from(last.year() - first.year()).expect("the last is later").saturating_sub(1);
    assert!(zone == TimeZone::UTC || changes >= 2 * years, "{name}: both changes of the clocks of each year");
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
fn what_never_closes_is_open_before_and_after_what_calendars_cover() {
    let (always, stocks) = (Calendar::built_in("always"), Calendar::built_in("us-equity"));
    let (always, stocks) = (always.expect("built in"), stocks.expect("built in"));
    for moment in
        ["1970-01-01T00:00:00Z", "1998-01-01T00:00:00Z", "2041-01-02T15:00:00Z", "2200-06-01T15:00:00Z"]
    {
        let moment = time(moment.parse().expect("a moment"));
        assert!(always.is_open(moment, false) && !stocks.is_open(moment, true), "{moment}");
    }
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
