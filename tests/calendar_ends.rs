//! Where the free days of a market are known no further it counts as closed, and whoever starts there is told.

#[path = "support/history.rs"]
mod history;
#[path = "support/backtest.rs"]
mod support;

use algo_trader::calendar::{BUILT_IN, Calendar};
use algo_trader::domain::Time;
use std::path::Path;
use std::process::Command;
use support::{BEGIN, LIMITS, MINUTE, some_minutes};
use tempfile::tempdir;

const XYZ: &str = "usa:spot:XYZ";

/// Runs the program; its standard output and messages.
fn program(args: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_algo-trader")).args(args).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// What a backtest says whose history of an hour begins at `begin` and whose market has this calendar.
fn told(dir: &Path, hours: &str, begin: &str) -> String {
    let begin: jiff::Timestamp = begin.parse().expect("a moment");
    let first = (u64::try_from(begin.as_nanosecond()).expect("after 1970") - BEGIN) / MINUTE;
    let bars: Vec<(u64, [i64; 4])> = (first..first + 60).map(|n| (n, [1_000, 1_010, 990, 1_000])).collect();
    some_minutes(dir, XYZ, &bars);
    let strategy = "[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"usa:spot:XYZ\"]\n[strategy.params]\n\
                    fast = 3\nslow = 8\ncapital = \"10000\"\nstop_bps = 40";
    let text = format!("{LIMITS}\n[backtest]\nqty_decimals = 3\n{hours}\n{strategy}");
    let (file, history) = (dir.join("my.toml"), dir.join("history"));
    std::fs::write(&file, text).expect("can be written");
    let [file, history] = [file, history].map(|path| path.display().to_string());
    program(&["backtest", "--config", &file, "--history", &history]).1
}

#[test]
fn a_backtest_over_more_than_is_known_of_its_market_says_so() {
    let cases = [
        ("fx-fxcm", "2025-06-02T10:00:00Z", None),
        ("fx-fxcm", "2025-12-15T10:00:00Z", Some("which is soon")),
        (
            "fx-fxcm",
            "2026-03-02T10:00:00Z",
            Some("up to 2025-12-31T05:00:00.000000Z ALONE, and this goes on to 2026-03-02"),
        ),
        (
            "cme-index extended",
            "2027-11-25T12:00:00Z",
            Some("cme-index: its days are known up to 2027-01-02"),
        ),
        ("us-equity", "2027-11-25T12:00:00Z", None),
        ("always", "2045-11-25T12:00:00Z", None),
    ];
    for (calendar, begin, expected) in cases {
        let dir = tempdir().expect("a directory");
        let told = told(dir.path(), &format!("[hours]\n\"usa:spot\" = \"{calendar}\""), begin);
        match expected {
            None => assert!(!told.contains("[hours]"), "{calendar} {begin}: {told}"),
            Some(expected) => assert_eq!(told.matches(expected).count(), 1, "{calendar} {begin}: {told}"),
        }
    }
}

#[test]
fn the_list_of_calendars_tells_up_to_where_each_is_known_and_the_manual_says_the_same() {
    let (list, _) = program(&["list", "hours"]);
    let list = list.split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, text) in BUILT_IN {
        let calendar = Calendar::built_in(name).expect("built in");
        let by_date_alone = text.contains("dates = [") && !text.contains("rules = [");
        assert_eq!(calendar.known_until().is_some(), by_date_alone, "{name}");
        let Some(known) = calendar.known_until() else { continue };
        assert!(
            list.contains(&format!("Its days are known up to {known}; after that it counts as closed.")),
            "{name}"
        );
        let ends = calendar.ends().expect("it ends");
        assert_eq!(calendar.next_open(ends, true), None, "{name}");
        assert!(calendar.next_open(Time(ends.0 - 40 * 24 * 60 * MINUTE), true).is_some(), "{name}");
    }
    let manual = include_str!("../config/default.toml");
    for known in ["fx-fxcm to 2025-12-30", "cme-... to 2027-01-01"] {
        assert!(manual.contains(known), "{known}");
    }
}
