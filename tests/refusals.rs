//! A refusal reaches its reader with its rule, its limit and what the order came to: in the trail and what is exported of
//! it, in `audit why`, and in the run's summary. An order that passed is told with what each rule compared.

#[path = "support/store.rs"]
mod support;

use algo_trader::audit::{ExportFormat, Link, Scribe, Scribed, export, verify};
use algo_trader::domain::decimal::parse;
use algo_trader::risk::{RULES, Told};
use algo_trader::run::why::{RuleResult, Why, why};
use algo_trader::run::{Config, Summary, replay_frames};
use algo_trader::venue::local::demo_instruments;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A maker whose orders are worth some three hundred, of which no more than `notional_max` is allowed.
fn config(notional_max: &str) -> Config {
    let text = format!(
        "[risk]\nunset = \"default\"\norders_per_second_max = 2\norder_notional_max = \"{notional_max}\"\n[[strategy]]\nname = \
         \"imbalance-maker\"\ninstruments = [\"binance:spot:ETHUSDT\"]\n[strategy.params]\nlevels = 2\nthreshold = \
         0.05\nqty = \"0.100\"\nhold_ms = 60\n"
    );
    let table = algo_trader::domain::InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    Config::from_text_with_instruments(&text, "maker.toml", table).expect("a good configuration")
}

fn run(dir: &Path, notional_max: &str) -> (PathBuf, Summary) {
    let journal = dir.join("run.journal");
    let options = support::options(Some(journal.clone()));
    let summary = replay_frames(&config(notional_max), &mut support::market(4), options);
    (journal, summary.expect("a good run"))
}

/// The trail's bytes, and its records.
fn trail(journal: &Path) -> (Vec<u8>, Vec<Value>) {
    let path = journal.with_extension("audit");
    let mut scribe = Scribe::open(journal, &path, &[]).expect("a journal").expect("with a header");
    while scribe.read().expect("it reads") == Scribed::More {}
    drop(scribe);
    let bytes = std::fs::read(&path).expect("a file");
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.map(|line| serde_json::from_slice(&line[65..]).expect("JSON")).collect();
    (bytes, records)
}

/// Decimal text in units of 10^-8.
fn units(text: &str) -> i128 {
    parse(text.as_bytes(), 8).unwrap_or_else(|error| panic!("{text}: {error}")).into()
}

/// What an order of the trail is worth by its own price, units of 10^-8.
fn worth(record: &Value) -> i128 {
    let number = |name: &str| units(record[name].as_str().unwrap_or_else(|| panic!("{name} of {record}")));
    number("qty") * number("price") / 100_000_000
}

fn of<'a>(told: &'a Why, rule: &str) -> &'a RuleResult {
    told.rules.iter().find(|said| said.rule == rule).unwrap_or_else(|| panic!("{rule} is not told"))
}

fn limit(limit: &str, value: &str, unit: &str) -> Told {
    Told {
        limit: limit.into(),
        value: value.into(),
        unit: unit.into(),
        subject: None,
        binds: None,
        reckoned_max: None,
    }
}

#[test]
fn a_denial_is_told_with_its_rule_its_limit_and_what_it_came_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, summary) = run(dir.path(), "100.5");
    let (bytes, records) = trail(&journal);
    let denied: Vec<&Value> = records.iter().filter(|r| r["decision"] == "denied").collect();
    assert!(denied.len() > 5, "{}", denied.len());
    let mut last = None;
    for order in &denied {
        assert_eq!((&order["reason"], &order["rule"]), (&"order-too-large".into(), &"order-size".into()));
        let reply = records.iter().find(|r| r["reply"] == "denied" && r["order"] == order["order"]);
        let reply = reply.expect("its strategy was told");
        assert_eq!(reply["rule"], "order-size");
        assert_eq!((&reply["limit"], &reply["unit"]), (&"100.5".into(), &"USDT".into()));
        let value = reply["value"].as_str().expect("a decimal");
        assert_eq!(units(value), worth(order), "{reply}");
        last = Some(value.to_owned());
    }

    // The run's summary has the last of each reason.
    let last = limit("100.5", &last.expect("some"), "USDT");
    let count = denied.len() as u64;
    assert_eq!(summary.denials, [("order-too-large", count, Some(last.clone()))]);
    let json = summary.to_json();
    assert_eq!(json["denials_by_reason"]["order-too-large"], count);
    assert_eq!(json["last_denial_by_reason"]["order-too-large"]["value"], Value::from(last.value));

    // What is exported has them too.
    assert!(verify(&bytes[..], &[]).expect("memory").is_ok());
    let mut out = Vec::new();
    export(&bytes[..], None, None, ExportFormat::Csv, &mut out).expect("memory");
    let text = String::from_utf8(out).expect("text");
    let names: Vec<&str> = text.lines().next().expect("names").split(',').collect();
    let at = |name: &str| names.iter().position(|n| *n == name).expect("a column");
    let rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let rows: Vec<_> = rows.filter(|row| row.get(at("reply")) == Some(&"denied")).collect();
    assert_eq!(rows.len(), denied.len());
    for row in rows {
        assert_eq!((row[at("rule")], row[at("limit")], row[at("unit")]), ("order-size", "100.5", "USDT"));
        assert!(units(row[at("value")]) > units("100.5"));
    }

    // Why: every rule before the one that denied had let it pass, in the order in which they run.
    let told = why(&journal, &denied[0]["order"].to_string(), &[]).expect("it is there");
    let names: Vec<&str> = told.rules.iter().map(|said| said.rule.as_str()).collect();
    let table: Vec<&str> = RULES.iter().map(|rule| rule.name).take(names.len()).collect();
    assert_eq!(names, table);
    let (denier, passed) = told.rules.split_last().expect("rules");
    assert!(!denier.passed && passed.iter().all(|said| said.passed));
    assert_eq!((denier.rule.as_str(), denier.compared.len()), ("order-size", 1));
    assert_eq!(denier.compared[0].reason, "order-too-large");
    assert_eq!(denier.compared[0].told.limit, "100.5");
    assert_eq!(units(&denier.compared[0].told.value), worth(denied[0]));
    let after: Vec<&str> = told.afterwards.iter().map(|told| told.text.as_str()).collect();
    assert_eq!(after, [format!("denied: order-too-large, {}", denier.compared[0].told)]);
}

#[test]
fn an_order_that_passed_is_told_with_the_limit_of_each_rule_and_what_it_came_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, summary) = run(dir.path(), "5000");
    let (_, records) = trail(&journal);
    let approved: Vec<&Value> = records.iter().filter(|r| r["decision"] == "approved").collect();
    assert!(approved.len() > 5, "{}", approved.len());
    for order in [approved[0], approved[approved.len() / 2]] {
        let told = why(&journal, &order["order"].to_string(), &[]).expect("it is there");
        assert!(told.rules.iter().all(|said| said.passed));
        let binding = RULES.iter().filter(|rule| order["reduce_only"] == false || rule.binds_reducing);
        assert!(told.rules.iter().map(|said| said.rule.as_str()).eq(binding.map(|rule| rule.name)));
        if order["reduce_only"] == true {
            continue;
        }
        let size = &of(&told, "order-size").compared[0].told;
        assert_eq!((size.limit.as_str(), size.unit.as_str()), ("5000", "USDT"));
        assert_eq!(units(&size.value), worth(order));
        assert!(of(&told, "halt").compared.is_empty(), "it compares nothing");
        assert_eq!(of(&told, "scale-net").compared.len(), 5, "a level each");
    }
    // The first order of all is the first of its second, and the first that is open.
    let first = why(&journal, &approved[0]["order"].to_string(), &[]).expect("it is there");
    assert_eq!(of(&first, "order-rate").compared[0].told, limit("2", "1", "orders"));
    assert_eq!(of(&first, "open-orders").compared[0].told.value, "1");

    // The third of one second is over its limit.
    let rate = summary.denials.iter().find(|d| d.0 == "order-rate").expect("it orders often");
    assert_eq!(rate.2, Some(limit("2", "3", "orders")));
    let denied = records.iter().find(|r| r["decision"] == "denied" && r["reason"] == "order-rate");
    let denied = why(&journal, &denied.expect("it is there")["order"].to_string(), &[]).expect("it is there");
    let denier = denied.rules.last().expect("rules");
    assert_eq!((denier.rule.as_str(), denier.passed), ("order-rate", false));
    assert_eq!(denier.compared[0].told, limit("2", "3", "orders"));
    assert_eq!(of(&denied, "order-size").compared[0].told.limit, "5000", "what it had passed");
}

/// A maker of orders of `qty` without limits that matter here, and what it has.
fn run_of(dir: &Path, qty: &str, balances: &str) -> (PathBuf, Summary) {
    let text = format!(
        "[risk]\nunset = \"default\"\n{balances}[[strategy]]\nname = \"imbalance-maker\"\ninstruments = \
         [\"binance:spot:ETHUSDT\"]\n[strategy.params]\nlevels = 2\nthreshold = 0.05\nqty = \"{qty}\"\nhold_ms = 60\n"
    );
    let table = algo_trader::domain::InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let config =
        Config::from_text_with_instruments(&text, "maker.toml", table).expect("a good configuration");
    let journal = dir.join("run.journal");
    let options = support::options(Some(journal.clone()));
    (journal, replay_frames(&config, &mut support::market(4), options).expect("a good run"))
}

/// Every denial of a run for `reason`: its order, what its strategy was told, and what `audit why` says of the last.
fn denials_for(dir: &Path, journal: &Path, reason: &str) -> (Vec<(Value, Value)>, Told) {
    let (_, records) = trail(journal);
    let denied: Vec<&Value> = records.iter().filter(|r| r["decision"] == "denied").collect();
    assert!(denied.len() > 5, "{} in {}", denied.len(), dir.display());
    let told = denied.into_iter().filter(|order| order["reason"] == reason).map(|order| {
        let reply = records.iter().find(|r| r["reply"] == "denied" && r["order"] == order["order"]);
        (order.clone(), reply.expect("its strategy was told").clone())
    });
    let told: Vec<(Value, Value)> = told.collect();
    let last = told.last().expect("some are").0["order"].to_string();
    let why = why(journal, &last, &[]).expect("it is there");
    let denier = why.rules.last().expect("rules");
    assert_eq!((denier.passed, denier.compared.len()), (false, 1));
    assert_eq!(denier.compared[0].reason, reason);
    assert_eq!(why.afterwards[0].text, format!("denied: {reason}, {}", denier.compared[0].told));
    (told, denier.compared[0].told.clone())
}

#[test]
fn a_filter_of_the_venue_that_denies_is_told_with_what_it_asks_and_what_the_order_has() {
    let dir = tempfile::tempdir().expect("a directory");
    // Worth some three, of the five that the venue asks for.
    let (journal, summary) = run_of(dir.path(), "0.001", "");
    let (denied, last) = denials_for(dir.path(), &journal, "MIN_NOTIONAL");
    for (order, reply) in &denied {
        assert_eq!((&reply["rule"], &reply["limit"]), (&"filters".into(), &"5".into()), "{reply}");
        assert_eq!(units(reply["value"].as_str().expect("a decimal")), worth(order));
        assert_eq!((&reply["subject"], &reply["binds"]), (&"order value".into(), &"at least".into()));
        assert_eq!(reply["unit"], "USDT");
    }
    assert_eq!(summary.denials, [("MIN_NOTIONAL", denied.len() as u64, Some(last.clone()))]);
    let value = &last.value;
    assert_eq!(last.to_string(), format!("order value {value} USDT, must be at least 5 USDT"));
}

#[test]
fn an_order_that_its_wallet_cannot_pay_is_told_with_what_it_needs_and_what_is_free() {
    let dir = tempfile::tempdir().expect("a directory");
    let balances = "[paper.balances]\n\"binance:spot\" = { USDT = \"1.5\" }\n";
    let (journal, summary) = run_of(dir.path(), "0.100", balances);
    let (denied, last) = denials_for(dir.path(), &journal, "insufficient-balance");
    for (order, reply) in &denied {
        assert_eq!((&reply["rule"], &order["side"]), (&"balance".into(), &"buy".into()));
        // The fee is a tenth of a per cent.
        let (value, worth) = (units(reply["value"].as_str().expect("a decimal")), worth(order));
        assert!(value > worth && value <= worth + worth / 900, "{value} for {worth}");
        assert_eq!((&reply["limit"], &reply["unit"]), (&"1.5".into(), &"USDT".into()), "{reply}");
        assert_eq!((&reply["subject"], &reply["binds"]), (&"cost with its fee".into(), &"at most".into()));
    }
    let of_summary = summary.denials.iter().find(|denied| denied.0 == "insufficient-balance");
    assert_eq!(of_summary.expect("it counts them").2, Some(last));
}

/// A record without what records of before did not have.
fn as_before(mut text: String) -> String {
    for name in ["rule", "limit", "value", "unit"] {
        let key = format!(",\"{name}\":\"");
        if let Some(start) = text.find(&key) {
            let end = start + key.len() + text[start + key.len()..].find('"').expect("its end") + 1;
            text.replace_range(start..end, "");
        }
    }
    text
}

#[test]
fn a_trail_of_before_refusals_had_limits_verifies_and_is_exported() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, _) = run(dir.path(), "100");
    let (bytes, _) = trail(&journal);
    let (mut link, mut old, mut shorter) = (Link::origin(), Vec::new(), 0);
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let now = String::from_utf8(line[65..].to_vec()).expect("text");
        let text = if now.contains("\"denied\"") { as_before(now.clone()) } else { now.clone() };
        shorter += usize::from(text.len() < now.len());
        link = link.next(text.as_bytes());
        old.extend_from_slice(format!("{link} {text}\n").as_bytes());
    }
    assert!(shorter > 5);
    let found = verify(&old[..], &[]).expect("memory").expect("as it was written");
    for format in [ExportFormat::Csv, ExportFormat::JsonLines] {
        let mut out = Vec::new();
        assert_eq!(export(&old[..], None, None, format, &mut out).expect("memory"), found.records);
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("order-too-large") && !text.contains("order-size"), "{format:?}");
    }
}
