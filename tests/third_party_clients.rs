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

/// What a script may take on a machine that has no time. Most of it is waiting for streams that speak once a second.
const SCRIPT_SECONDS: u64 = 500;

/// The interpreter of one of the environments, or `None` where it was not set up.
fn python(environment: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let dir =
        std::env::var_os("ALGO_TRADER_CLIENTS_DIR").map_or_else(|| target.join("clients"), PathBuf::from);
    let python = dir.join(environment).join("bin/python");
    if python.exists() && dir.join(environment).join("stamp").exists() {
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
    /// Its authority's certificate, its accounts and their keys.
    files: tempfile::TempDir,
}

impl Venue {
    fn start(python: &Path) -> Self {
        let files = tempfile::tempdir().expect("a directory");
        let made = Command::new(python).arg(scripts().join("accounts.py")).arg(files.path()).status();
        assert!(made.is_ok_and(|status| status.success()), "accounts are made");
        let mut child = Command::new(env!("CARGO_BIN_EXE_algo-trader"))
            .args(["venue", "serve", "--json", "--market", "spot", "--admin", "0", "--rate", "300"])
            .arg("--ca-out")
            .arg(files.path().join("ca.pem"))
            .arg("--account")
            .arg(files.path().join("accounts.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("text");
        let said = serde_json::from_str(&line).expect("JSON");
        Self { child, said, files }
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

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Runs a script of `tests/clients` against a venue of its own. Whatever fails is told by the script, one line a check.
fn run(environment: &str, script: &str) {
    // Keys are made by what ccxt brings along.
    let (Some(python), Some(maker)) = (python(environment), python("community")) else { return };
    let venue = Venue::start(&maker);
    let ca = venue.files.path().join("ca.pem");
    let output = tempfile::NamedTempFile::new().expect("a file");
    // Appended by both, or what one says would be written over by the other.
    let told = || std::fs::File::options().append(true).open(output.path()).expect("a file");
    let mut child = Command::new(python)
        .arg(scripts().join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("VENUE_REST", venue.address("rest"))
        .env("VENUE_STREAM", venue.address("stream"))
        .env("VENUE_ADMIN", venue.said["admin"].as_str().expect("an address"))
        .env("VENUE_KEYS", venue.files.path().join("keys.json"))
        .env("VENUE_CA", &ca)
        // The two ways in which Python programs are told whom to trust.
        .env("REQUESTS_CA_BUNDLE", &ca)
        .env("SSL_CERT_FILE", &ca)
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
    run("community", "ccxt_market.py");
}

#[test]
fn python_binance_reads_and_streams_the_market() {
    run("community", "python_binance_market.py");
}

#[test]
fn ccxt_trades_with_keys_of_every_kind() {
    run("community", "ccxt_orders.py");
}

#[test]
fn python_binance_trades_with_keys_of_every_kind() {
    run("community", "python_binance_orders.py");
}

#[test]
fn what_binance_publishes_reads_streams_and_trades() {
    run("official", "official_market_and_orders.py");
}
