//! Whole commands, run in this process: what they leave behind, and what they say by their exit status.

use algo_trader::cli::run_with;
use std::path::Path;

fn run(args: &[&str]) -> u8 {
    run_with(std::iter::once("algo-trader").chain(args.iter().copied()), &[])
}

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}

#[test]
fn the_demo_leaves_a_report_a_database_and_a_journal_that_other_commands_take() {
    let dir = tempfile::tempdir().expect("a directory");
    let [report, journal, store] = ["report", "run.journal", "demo.db"].map(|name| path(dir.path(), name));
    let url = format!("sqlite:{store}");
    let demo = ["demo", "--seconds", "2", "--report", &report, "--journal", &journal, "--store", &url];
    assert_eq!(run(&demo), 0);
    for file in ["index.html", "latency.json", "total.hgrm"] {
        assert!(dir.path().join("report").join(file).is_file(), "{file}");
    }
    assert_eq!(run(&demo), 2, "a journal is never written over");
    assert_eq!(run(&["replay", &journal]), 0);
    assert_eq!(run(&["replay", &journal, "--json", "--until", "100"]), 0);
    assert_eq!(run(&["risk", "--journal", &journal]), 0);
    let trail = format!("{journal}.audit");
    assert_eq!(run(&["audit", "verify", &trail]), 0);
    assert_eq!(run(&["audit", "export", &trail, "--out", &path(dir.path(), "trail.csv")]), 0);
    assert_eq!(run(&["store", "status", "--store", &url]), 0);
    assert_eq!(run(&["store", "status", "--store", &url, "--json"]), 0);
    let second = format!("sqlite:{}", path(dir.path(), "second.db"));
    for _ in 0..2 {
        assert_eq!(run(&["store", "load", "--journal", &journal, "--store", &second]), 0);
    }
}

#[test]
fn the_demo_sends_orders_and_shows_how_long_each_stretch_of_their_way_takes() {
    let dir = tempfile::tempdir().expect("a directory");
    let [report, journal, store] = ["report", "run.journal", "demo.db"].map(|name| path(dir.path(), name));
    let url = format!("sqlite:{store}");
    let demo = ["demo", "--live-orders", "--seconds", "6", "--report", &report];
    assert_eq!(run(&[&demo[..], &["--journal", &journal, "--store", &url][..]].concat()), 0);
    let stages = std::fs::read_to_string(dir.path().join("report/latency.json")).expect("a report");
    for stage in ["decode", "risk", "order-queue", "order-write", "order-seal", "order-socket", "order-total"]
    {
        assert!(stages.contains(&format!("\"{stage}\"")), "{stage}: {stages}");
    }
    assert_eq!(run(&["replay", &journal]), 0);
    assert_eq!(run(&["demo", "--live-orders", "--show-topology"]), 0);
    assert_eq!(run(&["demo", "--live-orders", "--speed", "max"]), 2);
}

#[test]
fn the_demo_without_a_network_measures_rates_of_pairs() {
    let dir = tempfile::tempdir().expect("a directory");
    let report = path(dir.path(), "report");
    assert_eq!(run(&["demo", "--seconds", "2", "--speed", "max", "--report", &report]), 0);
    assert_eq!(
        run(&["demo", "--direct", "--seconds", "1", "--instruments", "5", "--events", "100", "--json"]),
        0
    );
    let page = std::fs::read_to_string(dir.path().join("report/index.html")).expect("a page");
    assert!(page.contains("gateway"), "stages are shown");
}

#[test]
fn lists_and_the_doctor_need_nothing() {
    for what in ["strategies", "indicators", "risk-rules", "sizing", "hours"] {
        assert_eq!(run(&["list", what]), 0, "{what}");
        assert_eq!(run(&["list", what, "--json"]), 0, "{what}");
    }
    assert_eq!(run(&["doctor"]), 0);
    assert_eq!(run(&["doctor", "--json"]), 0);
    assert_eq!(run(&["--help"]), 0);
    assert_eq!(run(&["demo", "--show-topology"]), 0);
    assert_eq!(run(&["demo", "--config", "config/demo.toml", "--show-topology"]), 0);
    assert_eq!(run(&["run", "--config", "config/binance-paper.toml", "--show-topology"]), 0);
}

#[test]
fn what_cannot_be_done_is_told_by_the_exit_status() {
    let dir = tempfile::tempdir().expect("a directory");
    let nowhere = path(dir.path(), "nowhere");
    assert_eq!(run(&["frobnicate"]), 2);
    assert_eq!(run(&["replay"]), 2);
    assert_eq!(run(&["replay", &nowhere]), 1);
    assert_eq!(run(&["run"]), 2);
    assert_eq!(run(&["run", "--config", &nowhere]), 2);
    assert_eq!(run(&["capture", "--out", &nowhere]), 2);
    assert_eq!(run(&["capture", "verify", &nowhere]), 1);
    assert_eq!(run(&["store", "status"]), 2);
    assert_eq!(run(&["store", "status", "--store", "mysql://x"]), 2);
    assert_eq!(run(&["store", "load", "--journal", &nowhere, "--store", &format!("sqlite:{nowhere}.db")]), 1);
    assert_eq!(run(&["venue", "serve", "--listen", "0.0.0.0:0"]), 2);
    assert_eq!(run(&["demo", "--store", "postgres://user:secret@host/x"]), 2);
}
