//! What the README says of JSON, held to by what the commands print that need no venue.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Under these, names are those of stages, reasons, assets and the like.
const NAMED_ELSEWHERE: [&str; 5] =
    ["stages", "denials_by_reason", "last_denial_by_reason", "refused_requests_by_reason", "fees_by_asset"];
/// Words for what has another name in every other place.
const OTHER_NAMES: [&str; 2] = ["of", "position"];

/// Amounts that are exact wherever they are, but in what is told to be statistics.
const EXACT: [&str; 8] =
    ["profit", "fees", "funding", "traded", "qty", "price", "start_equity", "end_equity"];
/// What is told to be statistics.
const STATISTICS: [&str; 4] = ["statistics", "closed", "walk_forward", "machine"];

/// Runs the program in `dir`; what it printed, if that is JSON.
fn told(dir: &Path, args: &[&str]) -> Option<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
    let output = command.current_dir(dir).args(args).output().expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    serde_json::from_slice(&output.stdout).ok()
}

/// Everything in `value` that breaks a rule, by where it is.
fn broken(value: &Value, place: &str, breaks: &mut Vec<String>) {
    let last = place.rsplit('/').next().unwrap_or_default().trim_end_matches("[]");
    match value {
        Value::Object(all) => {
            let elsewhere = NAMED_ELSEWHERE.contains(&last);
            // All that `risk` tells is metrics.
            let statistics = place.starts_with("risk ")
                || place.split('/').any(|part| STATISTICS.contains(&part.trim_end_matches("[]")));
            for (name, value) in all {
                if !(elsewhere || statistics) && EXACT.contains(&name.as_str()) && value.is_number() {
                    breaks.push(format!("{place}/{name}: {value}, which is exact and no text"));
                }
                let named = ["strategies", "instruments"].contains(&last) && place.ends_with("[]");
                if named && name == "name" && all.contains_key("profit") {
                    breaks.push(format!("{place}: the name {name:?}"));
                }
                let snake = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
                if !(elsewhere || snake) || OTHER_NAMES.contains(&name.as_str()) {
                    breaks.push(format!("{place}: the name {name:?}"));
                }
                broken(value, &format!("{place}/{name}"), breaks);
            }
        }
        Value::Array(all) => all.iter().for_each(|value| broken(value, &format!("{place}[]"), breaks)),
        Value::Number(number) => {
            let number = number.as_f64().expect("it is finite");
            // Nothing that is counted here is as many as ns since 1970.
            if number > 1e17 && !last.ends_with("_ns") {
                breaks.push(format!("{place}: {number}, a moment that is no text"));
            }
            if number == 0.0 && number.is_sign_negative() {
                breaks.push(format!("{place}: less than nothing"));
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[test]
fn what_is_printed_as_json_keeps_to_the_rules_for_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let days = [100.5, 101.5, 102.5, 101.5, 100.5, 99.5, 101.0, 103.0, 104.0, 105.0];
    let rows = days.iter().zip(1..).map(|(close, day)| {
        format!("2024-01-{day:02}T00:00:00Z,{close:.1},{:.1},{:.1},{close:.1},10\n", close + 1.0, close - 1.0)
    });
    let bars = format!("time,open,high,low,close,volume\n{}", rows.collect::<String>());
    std::fs::write(dir.join("bars.csv"), bars).expect("written");
    let config = "[risk]\nunset = \"default\"\n[backtest]\nseries = [\"bars-1d\"]\n[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"usa:spot:XYZ\"]\n\
                  params = { fast = 2, slow = 3, qty = \"1\" }\n";
    std::fs::write(dir.join("bars.toml"), config).expect("written");
    let mut breaks = Vec::new();
    let mut check = |args: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        let json = told(dir, &[&args[..], &["--json"]].concat());
        let json = json.unwrap_or_else(|| panic!("{args:?}: JSON and nothing else"));
        broken(&json, &args.join(" "), &mut breaks);
        json
    };
    let demo = check("demo --speed max --seconds 5 --journal run.journal --report report");
    assert!(demo["fills"].as_u64() > Some(0) && demo["stages"]["hop-to-market"]["count"].is_u64(), "{demo}");
    for args in [
        "list strategies",
        "list indicators",
        "list sizing",
        "list hours",
        "list risk-rules",
        "doctor",
        "replay run.journal",
        "replay run.journal --show-topology",
        "risk --journal run.journal",
        "audit verify run.journal.audit",
        "audit load --journal run.journal --trail again.audit",
        "audit export run.journal.audit --out trail.csv",
        "store load --journal run.journal --store sqlite:run.db",
        "store status --store sqlite:run.db",
        "import csv --instrument usa:spot:XYZ --base XYZ --quote USD --every 1d bars.csv",
        "history list",
        "history verify",
        "export --out exported",
    ] {
        check(args);
    }
    let settings = |json: &Value| {
        let all = json["settings"].as_array().expect("a list");
        assert!(
            !all.is_empty() && all.iter().all(|s| s["key"].is_string() && s["value"].is_string()),
            "{json}"
        );
    };
    let ran = check("backtest --config bars.toml --report ran");
    let swept = check("sweep --config bars.toml --param fast=2..3 --param slow=4..5");
    let result = std::fs::read(dir.join("ran/result.json")).expect("it was asked for");
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    [&ran, &swept, &result].into_iter().for_each(settings);
    assert_eq!((&ran["start_equity"], &ran["end_equity"]), (&result["start_equity"], &result["end_equity"]));
    let (strategy, instrument) = (&result["strategies"][0], &result["instruments"][0]);
    assert_eq!(
        (&strategy["strategy"], &instrument["instrument"]),
        (&"ma-cross".into(), &"usa:spot:XYZ".into())
    );
    let profit = check("pnl --journal run.journal");
    assert!(profit["strategies"][0]["strategy"].is_string() && profit["days"][0]["day"].is_string());
    assert!(profit["whole"][0]["net"].is_string(), "{profit}");
    let trail = std::fs::read_to_string(dir.join("run.journal.audit")).expect("a trail");
    let order = trail.split("\"order\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
    let why = check(&format!("audit why {} --journal run.journal", order.expect("something was ordered")));
    assert!(why["qty"].is_string(), "{why}");
    let sources = check("history sources");
    let moment = |value: &Value| value.as_str().is_some_and(|text| text.ends_with('Z'));
    let (entry, segment) = (&sources[0], &sources[0]["segments"][0]);
    assert!([&entry["imported"], &segment["first"], &segment["last"]].into_iter().all(moment), "{sources}");
    let removed = check(&format!("history remove {}", entry["id"].as_str().expect("it has a name")));
    assert!(moment(&removed["removed"]["imported"]), "{removed}");
    let report = std::fs::read(dir.join("report/latency.json")).expect("it was asked for");
    broken(&serde_json::from_slice(&report).expect("JSON"), "latency.json", &mut breaks);
    broken(&result, "result.json", &mut breaks);
    assert!(breaks.is_empty(), "{}", breaks.join("\n"));
}
