//! What a person meets who gives the program something it cannot use: a clear message, the right exit status, and
//! everything else still counted. Never a panic.

#[path = "support/interrupt.rs"]
mod interrupt;

use algo_trader::domain::Time;
use algo_trader::history::RecordingWriter;
use interrupt::interrupt;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const NOW_NS: u64 = 1_723_161_255_000_000_000;
const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":1,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#;

fn program(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_algo-trader")).args(args).output().expect("the program starts")
}

fn replay(path: &Path, more: &[&str]) -> Output {
    let path = path.display().to_string();
    program(&[&["replay", path.as_str()], more].concat())
}

/// A recording of spot BTCUSDT with these frames, a microsecond apart.
fn recording(dir: &Path, frames: &[&[u8]]) -> PathBuf {
    let path = dir.join("spot-btcusdt-20240808.gz");
    let mut writer = RecordingWriter::create(&path).expect("a file");
    for (frame, n) in frames.iter().zip(0u64..) {
        writer.write(Time(NOW_NS + n * 1_000), frame).expect("written");
    }
    writer.finish().expect("finished");
    path
}

fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "a panic reached the user: {text}");
    text
}

/// Exit status and standard error of a refusal.
fn refused(output: &Output, status: i32, must_say: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{text}");
    for words in must_say {
        assert!(text.contains(words), "{words:?} is missing in: {text}");
    }
}

fn counts(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    refused(&replay(&dir.path().join("spot-btcusdt-20240808.gz"), &[]), 1, &["spot-btcusdt-20240808.gz"]);
    refused(&replay(dir.path(), &[]), 1, &[&dir.path().display().to_string()]);
    let empty = dir.path().join("spot-ethusdt-20240808.gz");
    std::fs::write(&empty, b"").expect("written");
    refused(&replay(&empty, &[]), 1, &["spot-ethusdt-20240808.gz", "empty"]);
    let noise = dir.path().join("usdm-btcusdt-20240808.gz");
    std::fs::write(&noise, [7u8; 5_000]).expect("written");
    refused(&replay(&noise, &[]), 1, &["usdm-btcusdt-20240808.gz"]);
    let odd = dir.path().join("notes.gz");
    std::fs::write(&odd, b"x").expect("written");
    refused(&replay(&odd, &[]), 1, &["notes.gz"]);
}

#[test]
fn a_cut_recording_is_replayed_to_the_cut_and_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let noise: Vec<String> =
        (0..5_000u64).map(|n| TRADE.replace("\"t\":1", &format!("\"t\":{}", n * 7_919))).collect();
    let frames: Vec<&[u8]> = noise.iter().map(String::as_bytes).collect();
    let path = recording(dir.path(), &frames);
    let whole = std::fs::read(&path).expect("read");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    let output = replay(&path, &["--json"]);
    refused(&output, 1, &["spot-btcusdt-20240808.gz", "truncated"]);
    let summary: Value = serde_json::from_slice(&output.stdout).expect("the summary of what was replayed");
    let frames = summary["frames"].as_u64().expect("a count");
    assert!((1..5_000).contains(&frames), "{frames}");
}

#[test]
fn bad_frames_are_counted_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let digits = TRADE.replace("61837.63000000", "12345678901234567890.1");
    let negative = TRADE.replace("\"q\":\"0.02000000\"", "\"q\":\"-0.02000000\"");
    let huge = TRADE.replace("btcusdt@trade", &"x".repeat(10 << 20));
    let unknown = TRADE.replace("BTCUSDT", "NOSUCH").replace("btcusdt", "nosuch");
    let frames: [&[u8]; 8] = [
        TRADE.as_bytes(),
        &TRADE.as_bytes()[..60],
        b"\xff\xfe\x80 not text",
        digits.as_bytes(),
        negative.as_bytes(),
        huge.as_bytes(),
        unknown.as_bytes(),
        TRADE.as_bytes(),
    ];
    let path = recording(dir.path(), &frames);
    let output = replay(&path, &["--json"]);
    let summary = counts(&output);
    assert_eq!(summary["frames"], 8, "every frame is counted");
    assert_eq!(summary["decode_errors"], 5);
    assert_eq!(summary["unknown_instruments"], 1);
    assert_eq!(summary["frames_by_kind"]["trade"], 2);
    let text = String::from_utf8(replay(&path, &[]).stdout).expect("text");
    assert!(
        text.contains("spot-btcusdt-20240808.gz:2:"),
        "the first bad frames are told with their line: {text}"
    );
}

#[test]
fn a_clock_that_goes_back_is_counted_and_time_is_held() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("spot-btcusdt-20240808.gz");
    let mut writer = RecordingWriter::create(&path).expect("a file");
    for time in [NOW_NS, NOW_NS + 2_000_000, NOW_NS + 1_000_000, NOW_NS + 3_000_000] {
        writer.write(Time(time), TRADE.as_bytes()).expect("written");
    }
    writer.finish().expect("finished");
    let summary = counts(&replay(&path, &["--json"]));
    assert_eq!(summary["clock_backwards"], 1);
    assert_eq!(summary["frames"], 4);
}

#[test]
fn an_instrument_that_is_not_configured_is_told_with_where_it_belongs() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("spot-nosuch-20240808.gz");
    let mut writer = RecordingWriter::create(&path).expect("a file");
    writer.write(Time(NOW_NS), TRADE.as_bytes()).expect("written");
    writer.finish().expect("finished");
    refused(&replay(&path, &[]), 2, &["NOSUCH", "spot"]);
}

#[test]
fn bad_usage_and_configuration_end_with_two() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = recording(dir.path(), &[TRADE.as_bytes()]);
    refused(&replay(&path, &["--threading", "sideways"]), 2, &["inline, shared or dedicated"]);
    refused(&replay(&path, &["--speed=-3"]), 2, &["--speed"]);
    let config = dir.path().join("odd.toml");
    std::fs::write(&config, "[pipeline]\nring_slot = 4096\n").expect("written");
    let config = config.display().to_string();
    refused(&replay(&path, &["--config", &config]), 2, &["odd.toml:2", "ring_slots"]);
    refused(&program(&["replay"]), 2, &["PATHS"]);
    // A look for look-ahead has no figures to report.
    let report = dir.path().join("tear-sheet");
    let name = report.display().to_string();
    for more in [["--report", name.as_str()], ["--risk-free", "0.03"]] {
        let output = program(&[&["backtest", "--check-lookahead", "2"][..], &more[..]].concat());
        refused(&output, 2, &["--check-lookahead", more[0], "cannot be used with"]);
    }
    assert!(!report.exists(), "nothing is made for what is refused");
    // What a run would refuse, its threads are not shown of.
    let config = dir.path().join("unknown.toml");
    let text = "instruments.files = [\"binance-spot.toml\"]\n[[strategy]]\nname = \"ma-corss\"\n\
                instruments = [\"binance:spot:BTCUSDT\"]\n";
    std::fs::copy("config/instruments/binance-spot.toml", dir.path().join("binance-spot.toml"))
        .expect("there");
    std::fs::write(&config, text).expect("written");
    let config = config.display().to_string();
    for more in [&[][..], &["--show-topology"]] {
        let output = replay(&path, &[&["--config", config.as_str()], more].concat());
        refused(&output, 2, &["unknown.toml:3", "ma-corss", "ma-cross"]);
    }
}

#[test]
fn what_is_no_journal_or_trail_is_told_with_what_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (nowhere, text) = (path("nowhere.journal"), path("notes.txt"));
    for command in [&["pnl", "--journal", &nowhere][..], &["audit", "verify", &nowhere]] {
        refused(&program(command), 1, &["nowhere.journal: no such file: check the path"]);
    }
    std::fs::write(&text, "abc\n\nof the market,\nand no record\n").expect("written");
    let output = program(&["audit", "verify", &text]);
    refused(&output, 1, &["notes.txt: is no audit trail: no line of it is a record"]);
    let (_, journal) = journaled(dir.path());
    let output = program(&["audit", "verify", &journal.display().to_string()]);
    refused(&output, 1, &["is no audit trail: it is a journal", ".audit"]);
    assert!(!stderr(&output).contains("NOT AS IT WAS WRITTEN"));
    // What an anchor says was a trail is none that was never one.
    let anchor = format!("1:{}", "0".repeat(64));
    refused(&program(&["audit", "verify", &text, "--anchor", &anchor]), 1, &["NOT AS IT WAS WRITTEN"]);
}

#[test]
fn recordings_of_what_is_not_traded_are_told_with_how_they_are_backtested() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = recording(dir.path(), &[TRADE.as_bytes()]);
    let config = dir.path().join("my.toml");
    let spot = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/instruments/binance-spot.toml");
    let text = format!(
        "[risk]\nunset = \"default\"\n[instruments]\nfiles = [{spot:?}]\n[[strategy]]\nname = \"ma-cross\"\n\
         instruments = [\"binance:spot:ETHUSDT\"]\n"
    );
    std::fs::write(&config, text).expect("written");
    let (path, config) = (path.display().to_string(), config.display().to_string());
    let output = program(&["backtest", "--config", &config, &path]);
    refused(&output, 2, &["binance:spot:ETHUSDT is in none of the recordings", "MARKET-SYMBOL-DATE.gz"]);
}

#[test]
fn an_interrupted_replay_ends_cleanly_with_its_report() {
    let dir = tempfile::tempdir().expect("a directory");
    let frames = [TRADE.as_bytes(); 4];
    let path = dir.path().join("spot-btcusdt-20240808.gz");
    let mut writer = RecordingWriter::create(&path).expect("a file");
    for (frame, n) in frames.iter().zip(0u64..) {
        // A minute apart: at recorded speed the replay would take minutes.
        writer.write(Time(NOW_NS + n * 60_000_000_000), frame).expect("written");
    }
    writer.finish().expect("finished");
    let report = dir.path().join("report");
    let child = Command::new(env!("CARGO_BIN_EXE_algo-trader"))
        .args(["replay", &path.display().to_string(), "--speed", "1", "--json"])
        .args(["--report", &report.display().to_string()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(summary["stopped"], "interrupted");
    assert!(report.join("index.html").is_file());
}

/// A recording of a few trades, and the journal of its replay.
fn journaled(dir: &Path) -> (PathBuf, PathBuf) {
    let trades: Vec<String> =
        (0..20_000u64).map(|n| TRADE.replace("\"t\":1", &format!("\"t\":{}", n + 1))).collect();
    let frames: Vec<&[u8]> = trades.iter().map(String::as_bytes).collect();
    let (path, journal) = (recording(dir, &frames), dir.join("run.journal"));
    let journal_text = journal.display().to_string();
    assert_eq!(replay(&path, &["--journal", &journal_text]).status.code(), Some(0));
    (path, journal)
}

#[test]
fn a_journal_is_replayed_by_itself_and_what_would_be_passed_over_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let (recording, journal) = journaled(dir.path());
    for options in [
        &["--config", "nowhere.toml"][..],
        &["--speed", "10"],
        &["--rate", "10"],
        &["--rates", "1000,max"],
        &["--store", "sqlite:x.db"],
    ] {
        refused(&replay(&journal, options), 2, &["journal"]);
    }
    refused(&replay(&journal, &[&recording.display().to_string()]), 2, &["run.journal", "by itself"]);
    let again = counts(&replay(&journal, &["--json"]));
    assert!(again["journal_events"].as_u64().is_some_and(|n| n >= 20_000), "{}", again["journal_events"]);
    assert!(again["events_per_s"].as_f64().is_some_and(|n| n > 0.0) && again["answers"].is_null(), "{again}");
    // Damaged in the middle it is replayed to there.
    let mut bytes = std::fs::read(&journal).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&journal, bytes).expect("written");
    let output = replay(&journal, &["--json"]);
    refused(&output, 1, &["damaged from byte", "replayed until then"]);
    let until: Value = serde_json::from_slice(&output.stdout).expect("JSON on standard output");
    assert!(until["journal_events"].as_u64().is_some_and(|n| n > 1_000 && n < 20_000), "{until}");
}

#[test]
fn a_summary_and_the_profit_of_its_journal_name_what_is_held_alike() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_, journal) = journaled(dir.path());
    let summary = counts(&replay(&journal, &["--json"]));
    let strategies = summary["strategies"].as_array().expect("a list");
    assert!(!strategies.is_empty());
    for of in strategies {
        let exact = ["qty", "realised", "unrealised", "fees", "net"];
        assert!(exact.iter().all(|name| of[*name].is_string()) && of["position"].is_null(), "{of}");
    }
}

#[test]
fn what_cannot_be_written_is_told_before_the_run_or_at_its_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = recording(dir.path(), &[TRADE.as_bytes()]);
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").expect("written");
    let output = replay(&path, &["--report", &file.display().to_string()]);
    refused(&output, 2, &["not a directory"]);
    assert!(output.stdout.is_empty(), "nothing was run for it");
    // A result that is nowhere is no result.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
    let output = command.args(["replay", &path.display().to_string(), "--json"]).stdout(full).output();
    refused(&output.expect("the program starts"), 1, &["the result could not be written", "No space left"]);
    // Arguments need not be text, nor the places that they name.
    use std::os::unix::ffi::OsStrExt;
    let odd = dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
    let output =
        command.arg("replay").arg(&path).arg("--report").arg(&odd).output().expect("the program starts");
    refused(&output, 0, &["latency report"]);
    assert!(odd.join("index.html").is_file());
    let topology = counts(&replay(&path, &["--show-topology", "--json"]));
    assert_eq!(topology["threads"].as_array().map(|threads| !threads.is_empty()), Some(true), "{topology}");
}

#[test]
fn a_file_where_a_directory_is_to_be_is_told_before_the_work_by_every_command() {
    let dir = tempfile::tempdir().expect("a directory");
    let recording = recording(dir.path(), &[TRADE.as_bytes()]).display().to_string();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (file, below, bars, demo) = (path("file"), path("file/below"), path("bars.csv"), path("demo.toml"));
    std::fs::write(&file, b"x").expect("written");
    std::fs::write(&bars, "time,open,high,low,close,volume\n2024-01-01,1,1,1,1,1\n").expect("written");
    std::fs::write(&demo, format!("[risk]\nunset = \"default\"\n[report]\ndir = {file:?}\n"))
        .expect("written");
    let history = path("history");
    let csv =
        ["import", "csv", "--instrument", "usa:spot:XYZ", "--base", "XYZ", "--quote", "USD", "--every", "1d"];
    let import = |dir: &str| program(&[&csv[..], &["--dir", dir, &bars]].concat());
    assert_eq!(import(&history).status.code(), Some(0));
    let (_, journal) = journaled(tempfile::tempdir_in(dir.path()).expect("a directory").keep().as_path());
    let (journal, trail) = (journal.display().to_string(), format!("{}.audit", journal.display()));
    let fetch = [
        "fetch-history",
        "BTCUSDT",
        "--klines",
        "1m",
        "--from",
        "2024-08-01",
        "--rest",
        "https://127.0.0.1:1",
    ];
    for place in [&file, &below] {
        let store = format!("sqlite:{place}/runs.db");
        let [in_it, ca] = ["run.journal", "ca.pem"].map(|name| format!("{place}/{name}"));
        for output in [
            program(&["export", "--dir", &history, "--out", place]),
            program(&["capture", "--from", &recording, "--out", place]),
            import(place),
            program(&[&fetch[..], &["--dir", place]].concat()),
            program(&["replay", &recording, "--report", place]),
            program(&["replay", &recording, "--journal", &in_it]),
            program(&["replay", &recording, "--store", &store]),
            program(&["store", "load", "--journal", &journal, "--store", &store]),
            program(&["audit", "export", &trail, "--out", &in_it]),
            program(&["venue", "serve", "--ca-out", &ca]),
            program(&["demo", "--seconds", "1", "--config", &demo]),
            program(&["demo", "--seconds", "1", "--config", &demo, "--speed", "max"]),
            program(&["demo", "--seconds", "1", "--config", &demo, "--speed", "max", "--json"]),
        ] {
            refused(&output, 2, &[&format!("{file}: not a directory; name another place for ")]);
            let told = String::from_utf8_lossy(&output.stdout);
            assert!(!told.contains("order stream"), "nothing was run for it: {told}");
        }
    }
    assert_eq!(std::fs::read(&file).expect("read"), b"x");
}

#[test]
fn a_journal_that_finds_no_room_is_a_failure_of_the_moment_and_leaves_no_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = recording(dir.path(), &[TRADE.as_bytes()]);
    let journal = dir.path().join("run.journal");
    // No file may grow beyond one block, as if the disk were full.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 1; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_algo-trader")]);
    command.arg("replay").arg(&path).arg("--journal").arg(&journal).arg("--json");
    let output = command.output().expect("a shell");
    refused(&output, 1, &["run.journal"]);
    assert!(!journal.exists(), "nothing is in it");
}

#[test]
fn a_book_that_never_came_and_frames_that_do_not_decode_are_told_with_where_they_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let diff = r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255343,"s":"BTCUSDT","U":10,"u":12,"b":[["61837.63000000","1.00000000"]],"a":[]}}"#;
    let path = recording(dir.path(), &[TRADE.as_bytes(), diff.as_bytes(), b"{\"half"]);
    let output = replay(&path, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("binance:spot:BTCUSDT has no book in the end: no snapshot came"), "{text}");
    let told = counts(&replay(&path, &["--json"]));
    assert_eq!(told["problems"][0]["line"], 3, "{told}");
}

#[test]
fn a_rate_that_fails_takes_nothing_from_the_run_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, _) = journaled(dir.path());
    let config = dir.path().join("c.toml");
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/instruments/binance-spot.toml");
    let journal = dir.path().join("configured.journal");
    let text = format!("[instruments]\nfiles = [{files:?}]\n[journal]\npath = {journal:?}\n");
    std::fs::write(&config, text).expect("written");
    let config = config.display().to_string();
    let told = counts(&replay(&path, &["--config", &config, "--rates", "50000,max", "--json"]));
    let frames: Vec<_> = told["rates"].as_array().expect("rates").iter().map(|r| &r["frames"]).collect();
    assert_eq!(frames, [20_000, 20_000], "the journal has the run itself: {told}");
    std::fs::remove_file(&journal).expect("it is there");
    let told = counts(&replay(&path, &["--config", &config, "--rates", "max", "--until", "100", "--json"]));
    assert_eq!(told["rates"][0]["frames"], told["frames"], "as far as the run itself");
}

#[test]
fn the_replay_of_a_journal_writes_nothing_into_the_runs_own_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, log) = (recording(dir.path(), &[TRADE.as_bytes()]), dir.path().join("run.log"));
    let config = dir.path().join("my.toml");
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/instruments/binance-spot.toml");
    let text = format!("instruments.files = [{built_in:?}]\n[log]\nfile = {log:?}\n");
    std::fs::write(&config, text).expect("a file");
    let journal = dir.path().join("run.journal").display().to_string();
    let more = ["--config", &config.display().to_string(), "--journal", &journal];
    assert_eq!(replay(&path, &more).status.code(), Some(0), "{}", stderr(&replay(&path, &more)));
    std::fs::remove_file(&log).expect("the run had its log");
    let again = program(&["replay", &journal]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(!log.exists(), "it has another's words");
}
