//! Clients that other people wrote work against `algo-trader venue serve`: nothing is changed but addresses, options and
//! whom they trust. What each does is in `tests/clients`.
//!
//! `scripts/setup-clients` installs them. Where they are not, the tests are skipped with a line that says so;
//! `ALGO_TRADER_REQUIRE_CLIENTS=1` makes that a failure.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a script may take. Most of it is waiting for streams that speak once a second.
const SCRIPT_SECONDS: u64 = 150;

/// The interpreter that has the clients, or `None` where they were not installed.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let dir =
        std::env::var_os("ALGO_TRADER_CLIENTS_DIR").map_or_else(|| target.join("clients"), PathBuf::from);
    let python = dir.join("bin/python");
    if python.exists() && dir.join("stamp").exists() {
        return Some(python);
    }
    let required = std::env::var_os("ALGO_TRADER_REQUIRE_CLIENTS").is_some_and(|value| value == "1");
    assert!(!required, "no clients in {}: run scripts/setup-clients", dir.display());
    eprintln!("SKIPPED: no clients in {}: run scripts/setup-clients", dir.display());
    None
}

/// A served venue; ended when this is dropped.
struct Venue {
    child: Child,
    said: Value,
    ca: tempfile::NamedTempFile,
}

impl Venue {
    fn start() -> Self {
        let ca = tempfile::NamedTempFile::new().expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_algo-trader"))
            .args([
                "venue", "serve", "--json", "--market", "spot", "--admin", "0", "--rate", "300", "--ca-out",
            ])
            .arg(ca.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("text");
        let said = serde_json::from_str(&line).expect("JSON");
        Self { child, said, ca }
    }

    fn address(&self, kind: &str) -> &str {
        self.said["endpoints"][0][kind].as_str().expect("an address")
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        // It runs until it is told to end; nothing more is wanted of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a script of `tests/clients` against a venue of its own. Whatever fails is told by the script, one line a check.
fn run(script: &str) {
    let Some(python) = python() else { return };
    let venue = Venue::start();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let output = tempfile::NamedTempFile::new().expect("a file");
    let told = || output.reopen().expect("a file");
    let mut child = Command::new(python)
        .arg(scripts.join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("VENUE_REST", venue.address("rest"))
        .env("VENUE_STREAM", venue.address("stream"))
        .env("VENUE_CA", venue.ca.path())
        // The two ways in which Python programs are told whom to trust.
        .env("REQUESTS_CA_BUNDLE", venue.ca.path())
        .env("SSL_CERT_FILE", venue.ca.path())
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .stdout(told())
        .stderr(told())
        .spawn()
        .expect("Python starts");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break Some(status);
        }
        if began.elapsed() > Duration::from_secs(SCRIPT_SECONDS) {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let text = std::fs::read_to_string(output.path()).expect("text");
    println!("{text}");
    let done = text.lines().filter(|line| line.starts_with("ok ")).count();
    match status {
        Some(status) if status.success() => assert!(done > 5, "{script} checked next to nothing"),
        Some(status) => panic!("{script}: {status}\n{text}"),
        None => panic!("{script} took more than {SCRIPT_SECONDS} s\n{text}"),
    }
}

#[test]
fn ccxt_reads_and_streams_the_market() {
    run("ccxt_market.py");
}

#[test]
fn python_binance_reads_and_streams_the_market() {
    run("python_binance_market.py");
}
