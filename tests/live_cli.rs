//! `algo-trader run` as a person and a script meet it: a small venue on loopback, a pipe or a pseudo-terminal.

#[path = "support/wire.rs"]
mod wire;

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wire::{Certificate, Fault, Venue, Welcome};

const PROGRAM: &str = env!("CARGO_BIN_EXE_algo-trader");

struct Rig {
    venue: Venue,
    dir: tempfile::TempDir,
    config: PathBuf,
}

impl Rig {
    fn new(more: &str) -> Self {
        let venue = Venue::start(&["ETHUSDT".into()], Duration::from_millis(5), Certificate::Good);
        let dir = tempfile::tempdir().expect("a directory");
        let spot = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/instruments/binance-spot.toml");
        let ca = if more.contains("ca_file") {
            String::new()
        } else {
            format!("ca_file = {:?}\n", venue.ca_file.path())
        };
        // Spot's other instrument is not served: its streams say nothing, and its book is refused.
        let text = format!(
            "[instruments]\nfiles = [{spot:?}]\n[risk]\nunset = \"default\"\n[venue]\nsilence_ms = 20000\n{ca}{more}\n[venue.spot]\n{}\
             [[strategy]]\nname = \"imbalance-maker\"\ninstruments = [\"binance:spot:ETHUSDT\"]\n\
             [strategy.params]\nqty = \"0.100\"\nthreshold = 0.05\nhold_ms = 50\n",
            venue.endpoints()
        );
        let config = dir.path().join("live.toml");
        std::fs::write(&config, text).expect("written");
        Self { venue, dir, config }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        // Anybody may set these: they say nothing of who it is.
        command.env("USER", "somebody-else").env_remove("LOGNAME");
        command.arg("run").arg("--config").arg(&self.config).args(["--wait", "backoff"]).args(more);
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().expect("the program starts")
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    assert!(!text.contains("panicked"), "a panic reached the user: {text}");
    text
}

#[test]
fn a_run_whose_markets_free_days_are_known_no_further_says_so_at_its_start() {
    let rig = Rig::new("[hours]\n\"binance:spot\" = \"fx-fxcm\"");
    let output = rig.run(&["--seconds", "2"]);
    let told = text(&output.stderr);
    assert!(told.contains("[hours] fx-fxcm: its days are known up to 2025-12-31T05:00:00"), "{told}");
}

#[test]
fn a_run_ends_by_itself_with_json_a_report_and_a_journal_that_replays() {
    let rig = Rig::new("");
    let (journal, report) = (rig.path("run.journal"), rig.path("report"));
    let output = rig.run(&["--seconds", "6", "--json", "--journal", &journal, "--report", &report]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    let spot = &summary["live"]["markets"]["spot"];
    assert_eq!((&spot["opened"], &spot["books_synced"]), (&Value::from(1), &Value::from(1)), "{spot}");
    assert!(summary["frames"].as_u64() > Some(300) && summary["decode_errors"] == 0, "{summary}");
    for stage in ["socket", "tls", "decode", "sequence", "market", "gateway", "total"] {
        assert!(summary["stages"][stage]["count"].as_u64() > Some(0), "{stage}");
    }
    assert!(
        Path::new(&report).join("index.html").exists()
            || std::fs::read_dir(&report).expect("made").count() > 0
    );
    let again =
        Command::new(PROGRAM).args(["replay", &journal, "--json"]).output().expect("the program starts");
    let again: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(again["order_stream_sha256"], summary["order_stream_sha256"]);
}

#[test]
fn a_run_that_could_trade_nothing_by_its_streams_does_not_begin_and_one_without_trades_says_so() {
    // The slower depth is one of futures alone.
    for streams in ["[\"trade\"]", "[\"aggTrade\", \"kline_1m\"]", "[\"trade\", \"depth@500ms\"]"] {
        let rig = Rig::new(&format!("streams = {streams}"));
        let journal = rig.path("run.journal");
        let output = rig.run(&["--seconds", "2", "--journal", &journal]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        let place = format!(
            "live.toml:8:11: venue.streams = {streams}: has no best bid and ask of binance:spot:ETHUSDT"
        );
        assert!(told.contains(&place), "{told}");
        assert!(!Path::new(&journal).exists());
    }
    for (streams, missed) in [
        ("[\"bookTicker\", \"depth@100ms\"]", true),
        ("[\"depth5@100ms\"]", true),
        ("[\"aggTrade\", \"bookTicker\"]", false),
    ] {
        let rig = Rig::new(&format!("streams = {streams}"));
        let output = rig.run(&["--seconds", "2"]);
        let told = text(&output.stderr);
        assert_ne!(output.status.code(), Some(2), "{told}");
        let place =
            format!("live.toml:8:11: venue.streams = {streams}: has no trades of binance:spot:ETHUSDT");
        assert_eq!(told.contains(&place), missed, "{told}");
    }
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

#[test]
fn ctrl_c_ends_it_cleanly_and_a_pipe_gets_no_control_characters() {
    let rig = Rig::new("");
    let report = rig.path("report");
    let child = rig.command(&["--report", &report]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    wire::wait_for("a book", || rig.venue.opened() == 1 && rig.venue.depth_requests() >= 2);
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(out.contains("1 of 1 connections live") && out.contains("order stream sha256"), "{out}");
    assert!(err.contains("latency report: "), "{err}");
    assert!(!out.contains('\x1b') && !err.contains('\x1b') && !err.contains('\r'), "{err:?}");
}

/// What `ctl` says of the run, once `good`.
fn status(rig: &Rig, what: &str, good: impl Fn(&Value) -> bool) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let output = ctl(rig, &["status", "--json"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if good(&told) {
            return told;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}: {told} {}", text(&output.stderr));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ctl(rig: &Rig, what: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("ctl").arg("--config").arg(&rig.config).arg("--dir").arg(rig.dir.path()).args(what);
    command.output().expect("the program starts")
}

#[test]
fn a_person_stops_and_releases_a_run_by_ctl_and_by_a_signal() {
    let rig = Rig::new("");
    let nobody = ctl(&rig, &["status"]);
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody.stderr));
    assert!(text(&nobody.stderr).contains("is it running"), "{}", text(&nobody.stderr));
    let who = ["--operator", "anna", "--reason", "a test"];
    let nobody = ctl(&rig, &[&["kill", "all"], who.as_slice()].concat());
    let told = text(&nobody.stderr);
    assert!(nobody.status.code() == Some(1) && told.contains(&rig.path("default.kill")), "{told}");
    let journal = rig.path("run.journal");
    let child = rig.command(&["--journal", &journal]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    status(&rig, "it listens", |told| told["events"].as_u64() > Some(100));
    let kill = |scope: &[&str]| ctl(&rig, &[&["kill"], scope, &who].concat());
    let killed = kill(&["strategy", "imbalance-maker"]);
    assert_eq!(killed.status.code(), Some(0), "{}", text(&killed.stderr));
    assert!(text(&killed.stdout).contains("STOPPED strategy imbalance-maker: killed, by anna (a test)"));
    let wrong = kill(&["strategy", "ma-cross"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
    assert!(text(&wrong.stderr).contains("there are: imbalance-maker"), "{}", text(&wrong.stderr));
    let released = ctl(&rig, &[&["release", "all"], who.as_slice()].concat());
    assert!(text(&released.stdout).contains("nothing is stopped"), "{}", text(&released.stderr));
    // Who has to stop it mends no file first.
    let good = std::fs::read_to_string(&rig.config).expect("a configuration");
    std::fs::write(&rig.config, format!("{good}\n[paper]\nfil = \"touch\"\n")).expect("written");
    let killed = kill(&["strategy", "imbalance-maker"]);
    assert_eq!(killed.status.code(), Some(0), "{}", text(&killed.stderr));
    assert!(text(&killed.stderr).contains("paper.fil"), "{}", text(&killed.stderr));
    let watched = ctl(&rig, &["dashboard", "--once"]);
    assert_eq!(watched.status.code(), Some(2), "it needs all of it: {}", text(&watched.stdout));
    std::fs::write(&rig.config, "[run]\nname = \"a b\"\n").expect("written");
    assert_eq!(kill(&["all"]).status.code(), Some(2), "which run is not known");
    // Nor does who has no configuration any more.
    std::fs::write(&rig.config, "[run]\nname = \"default\"\n").expect("written");
    let released = ctl(&rig, &[&["release", "all"], who.as_slice()].concat());
    assert!(text(&released.stdout).contains("nothing is stopped"), "{}", text(&released.stderr));
    std::fs::write(&rig.config, good).expect("written");
    let sent = Command::new("kill").args(["-USR1", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let told = status(&rig, "the signal stops it", |told| told["stopped"][0]["scope"] == "all");
    assert_eq!(told["stopped"][0]["by"], "SIGUSR1");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("KILLED: all is stopped by SIGUSR1"), "{}", text(&output.stderr));
    let kept = std::fs::read_to_string(rig.path("default.latched")).expect("kept");
    assert!(kept.contains("SIGUSR1"), "{kept}");
}

#[test]
fn nobody_else_may_write_the_files_of_a_run_however_open_the_umask_is() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::new("");
    let config = rig.config.display();
    let command =
        format!("umask 0; exec {PROGRAM} run --config {config} --wait backoff --journal run.journal");
    let mut child = Command::new("sh");
    child.args(["-c", &command]).current_dir(rig.dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().expect("the program starts");
    status(&rig, "it lives", |told| told["events"].as_u64() > Some(100));
    wire::wait_for("a heartbeat", || rig.dir.path().join("default.heartbeat").exists());
    let mode =
        |name: &str| std::fs::metadata(rig.path(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode("default.heartbeat"), 0o644);
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn the_signal_that_stops_everything_ends_a_run_that_could_not_be_released_with_its_summary() {
    let rig = Rig::new("");
    let child = rig.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    wire::wait_for("a book", || rig.venue.opened() == 1 && rig.venue.depth_requests() >= 2);
    let sent = Command::new("kill").args(["-USR1", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("order stream sha256"), "{}", text(&output.stdout));
}

#[test]
fn a_status_in_words_says_which_book_is_out_of_step_and_which_connection_is_down_and_what_that_means() {
    let rig = Rig::new("");
    let journal = rig.path("run.journal");
    let child = rig.command(&["--journal", &journal]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    status(&rig, "a book", |told| told["feed"]["books_synced"] == 1 && told["feed"]["connections_live"] == 1);
    let words = || text(&ctl(&rig, &["status"]).stdout);
    let told = words();
    assert!(told.contains("market data: 1 of 1 connections live, 1 of 2 books in step"), "{told}");
    // What the venue does not serve.
    let line =
        |told: &str, with: &str| told.lines().find(|line| line.contains(with)).unwrap_or_default().to_owned();
    let of = line(&told, "MARKET DATA binance:spot:BTCUSDT has a book out of step for ");
    assert!(of.contains("denied (book-invalid)"), "{told}");
    assert!(!told.contains("MARKET DATA binance:spot:ETHUSDT"), "{told}");
    rig.venue.welcome(Welcome::Status(503));
    rig.venue.fault(&Fault::Cut);
    let begun = Instant::now();
    let down = loop {
        let told = words();
        let down = line(&told, "MARKET DATA connection spot 1 (");
        if !down.is_empty() {
            break down;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{told}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(down.contains("binance:spot:ETHUSDT") && down.contains(") is down for "), "{down}");
    assert!(down.contains("every order in these instruments is denied (book-invalid)"), "{down}");
    interrupt(&child);
    child.wait_with_output().expect("it ends");
}

#[test]
fn a_person_pauses_and_resumes_an_instrument_by_ctl_which_says_so() {
    let rig = Rig::new("");
    let journal = rig.path("run.journal");
    let child = rig.command(&["--journal", &journal]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    status(&rig, "it listens", |told| told["events"].as_u64() > Some(100));
    let who = ["--operator", "anna", "--reason", "a test"];
    let one = "binance:spot:BTCUSDT";
    let paused = ctl(&rig, &[&["pause", one], who.as_slice()].concat());
    assert_eq!(paused.status.code(), Some(0), "{}", text(&paused.stderr));
    let said = text(&paused.stdout);
    assert!(said.contains(&format!("PAUSED {one}: by anna (a test) since 20")), "{said}");
    assert!(said.contains("nothing is stopped"), "{said}");
    let told = status(&rig, "it is paused", |told| told["paused"][0]["scope"] == one);
    assert_eq!(told["paused"][0]["by"], "anna");
    for (what, code, said) in [
        (&["pause", "BTCUSDT"][..], 2, "there is no instrument \"BTCUSDT\" in this run; there are: binance:"),
        (&["resume", "binance:spot:NONE"], 2, "there is no instrument"),
        (&["pause", one, "--operator", " ", "--reason", "x"], 2, "needs an operator"),
    ] {
        let named: &[&str] = if what.contains(&"--operator") { &[] } else { &who };
        let output = ctl(&rig, &[what, named].concat());
        assert_eq!(output.status.code(), Some(code), "{what:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{what:?}: {}", text(&output.stderr));
    }
    let resumed = ctl(&rig, &[&["resume", one, "--json"], who.as_slice()].concat());
    let told: Value = serde_json::from_slice(&resumed.stdout).expect("JSON");
    assert_eq!((resumed.status.code(), &told["paused"]), (Some(0), &serde_json::json!([])), "{told}");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let help = text(&ctl(&rig, &["--help"]).stdout);
    assert!(help.contains("pause binance:spot:BTCUSDT --operator anna"), "{help}");
}

/// A pseudo-terminal with the dashboard on it.
struct Dashboard {
    keys: File,
    shown: Arc<Mutex<Vec<u8>>>,
    child: Child,
    terminal: OwnedFd,
    before: Termios,
}

impl Dashboard {
    fn open(rig: &Rig, columns: u16, rows: u16, more: &[&str]) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).expect("a pseudo-terminal");
        // Clones are closed in children. One that held the other end of its own terminal would never see it go, and would wait
        // for ever to be read.
        let keys = File::from(pair.master.try_clone().expect("cloned"));
        let terminal = pair.slave.try_clone().expect("cloned");
        drop(pair);
        let before = tcgetattr(&terminal).expect("a terminal");
        let end = || Stdio::from(terminal.try_clone().expect("cloned"));
        let mut command = Command::new(PROGRAM);
        command.arg("ctl").arg("--config").arg(&rig.config).arg("--dir").arg(rig.dir.path());
        command.arg("dashboard").args(more).env("TERM", "xterm");
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("the program starts");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut from, into) = (keys.try_clone().expect("cloned"), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut room = [0; 4_096];
            while let Ok(n @ 1..) = from.read(&mut room) {
                into.lock().expect("no panic").extend_from_slice(&room[..n]);
            }
        });
        Self { keys, shown, child, terminal, before }
    }

    fn text(&self) -> String {
        text(&self.shown.lock().expect("no panic"))
    }

    /// Types, and waits until something is shown that was not before.
    fn type_until(&mut self, keys: &str, what: &str) {
        let before = self.text().len();
        self.keys.write_all(keys.as_bytes()).expect("typed");
        let begun = Instant::now();
        while !self.text()[before..].contains(what) {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "{what:?} is not in {:?}",
                &self.text()[before..]
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has ended; the terminal has to be as it was, on its own screen, with its cursor.
    fn ended(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("it ends");
        let begun = Instant::now();
        while !self.text().ends_with("\x1b[0m\x1b[?25h\x1b[?1049l") {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "the screen is not given back: {:?}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        let after = tcgetattr(&self.terminal).expect("a terminal");
        assert_eq!(after, self.before, "keys are as they were");
        (status.code(), self.text())
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that were drawn, each time that they were.
fn drawn(shown: &str) -> impl Iterator<Item = &str> {
    shown.split("\x1b[2K").skip(1).map(|text| text.split('\x1b').next().unwrap_or_default())
}

#[test]
fn a_person_watches_and_kills_on_the_dashboard_which_gives_the_terminal_back() {
    let rig = Rig::new("");
    let plain = |more: &[&str]| ctl(&rig, &[&["dashboard"], more].concat());
    let nobody = plain(&["--once"]);
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody.stderr));
    assert!(text(&nobody.stderr).contains("is it running"), "{}", text(&nobody.stderr));
    let journal = rig.path("run.journal");
    let child = rig.command(&["--journal", &journal]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    status(&rig, "there are metrics", |told| {
        told["metrics"]["by_strategy"][0]["orders_per_min"].as_u64() > Some(0)
    });

    // Into a pipe it is text, once.
    let output = plain(&[]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for part in
        ["1/1 connections live, 1/2 books in step", "equity ", "value at risk", "imbalance-maker", "LIMITS"]
    {
        assert!(told.contains(part), "{part:?} is missing in {told}");
    }
    assert!(!told.contains('\x1b'), "{told:?}");

    // On a small terminal nothing is wider than it, and a signal gives it back.
    let mut small = Dashboard::open(&rig, 30, 9, &[]);
    small.type_until("", "q quit");
    small.type_until("", "equity");
    let sent =
        Command::new("kill").args(["-TERM", &small.child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let (code, shown) = small.ended();
    assert_eq!(code, Some(0), "{shown:?}");
    let wide: Vec<&str> = drawn(&shown).filter(|line| line.chars().count() > 30).collect();
    assert!(wide.is_empty() && drawn(&shown).count() > 9 - 2, "{wide:#?}");
    assert!(!shown.contains("\x1b[10;"), "nothing is below the last row: {shown:?}");

    let mut screen = Dashboard::open(&rig, 100, 30, &["--operator", "anna"]);
    screen.type_until("", "nothing is stopped");
    screen.type_until("k", "kill what?");
    screen.type_until("\x1b", "nothing was done");
    screen.type_until("k", "kill what?");
    screen.type_until("s", "imbalance-maker");
    screen.type_until("imb\t\r", "Why?");
    screen.type_until("a test\r", "y kills it");
    screen.type_until("y", "STOPPED strategy imbalance-maker: killed, by anna (a test)");
    let dashboard = screen.child.id();
    screen.keys.write_all(b"q").expect("typed");
    let (code, shown) = screen.ended();
    assert_eq!(code, Some(0), "{shown:?}");
    let stopped =
        status(&rig, "it is stopped", |told| told["stopped"][0]["scope"] == "strategy imbalance-maker");
    assert_eq!(
        (&stopped["stopped"][0]["by"], stopped["stopped"].as_array().map(Vec::len)),
        (&"anna".into(), Some(1))
    );

    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let trail = std::fs::read_to_string(format!("{journal}.audit")).expect("a trail");
    let records = trail.lines().map(|line| serde_json::from_str::<Value>(&line[65..]).expect("a record"));
    let came: Vec<Value> = records.filter(|record| record["kind"] == "access").collect();
    let kills: Vec<&Value> = came.iter().filter(|a| a["what"] == "kill strategy imbalance-maker").collect();
    assert_eq!(kills.len(), 1, "{came:#?}");
    let detail = kills[0]["detail"].as_str().unwrap_or_default();
    let (user, number) = me();
    let process = format!("over the control socket from the dashboard, process {dashboard} of {user}");
    assert!(detail.starts_with(&process) && detail.ends_with("; reason: a test"), "{detail}");
    assert!(detail.contains(&number), "{detail}");
    assert_eq!((&kills[0]["who"], &kills[0]["allowed"]), (&"anna".into(), &true.into()));
    // Who asks every second is recorded once; who started the run is whose process it is.
    let asked = came.iter().filter(|a| {
        let detail = a["detail"].as_str().unwrap_or_default();
        a["what"] == "metrics" && detail.contains(&format!("process {dashboard} "))
    });
    assert_eq!(asked.count(), 1, "{came:#?}");
    assert_eq!((&came[0]["who"], &came[0]["what"]), (&user.into(), &"run on paper".into()));
}

/// Whom this test runs as: the name, or `uid N` where there is none, and `uid N`.
fn me() -> (String, String) {
    let id = |what: &str| {
        let output = Command::new("id").arg(what).output().expect("id runs");
        output.status.success().then(|| text(&output.stdout).trim().to_owned())
    };
    let number = format!("uid {}", id("-u").expect("everybody has a number"));
    (id("-un").unwrap_or_else(|| number.clone()), number)
}

#[test]
fn a_terminal_shows_one_line_that_is_never_wider_than_it() {
    let has_script = Command::new("script").arg("--version").output().is_ok_and(|o| o.status.success());
    if !has_script {
        println!("SKIPPED: no script(1) for a pseudo-terminal");
        return;
    }
    let rig = Rig::new("");
    let inner = format!(
        "stty rows 24 cols 40; {PROGRAM} run --config {} --seconds 6 --wait backoff",
        rig.config.display()
    );
    let mut script = Command::new("script");
    script.args(["-qec", &inner, "/dev/null"]).env("TERM", "xterm").env("NO_COLOR", "1").stdin(Stdio::null());
    let output = script.output().expect("script runs");
    let shown = text(&output.stdout);
    let lines: Vec<&str> = shown.split("\r\x1b[K").skip(1).collect();
    assert!(lines.len() >= 3, "{shown:?}");
    let (last, progress) = lines.split_last().expect("some");
    assert!(progress.iter().any(|l| l.contains("frames, 1/1 connections")), "{progress:?}");
    // The program's own log may come between.
    let bare = progress.iter().filter(|l| !l.contains('\n'));
    assert!(bare.clone().count() > 0 && bare.clone().all(|l| l.chars().count() < 40), "{progress:?}");
    assert!(last.contains("order stream sha256"), "the line is gone before the summary: {last:?}");
    // A word alone may be wider: it can be taken up whole.
    let fits = |line: &str| line.chars().count() <= 40 || line.split_whitespace().count() == 1;
    let wide: Vec<&str> = last.lines().filter(|line| !fits(line.trim_end_matches('\r'))).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(last.contains("fills ") && last.contains(", net "), "tables are records here: {last}");
    assert!(!shown.contains("\x1b[3") && !shown.contains("\x1b[0"), "no colours");
}

#[test]
fn the_configuration_for_binances_public_streams_is_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/binance-paper.toml");
    let output = Command::new(PROGRAM).args(["run", "--show-topology", "--config"]).arg(path).output();
    let output = output.expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn what_cannot_be_is_told_with_what_to_do() {
    let refused = |output: &Output, status: i32, say: &str| {
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{err}");
        assert!(err.contains(say), "{say:?} is missing in: {err}");
    };
    let none = Command::new(PROGRAM).arg("run").output().expect("the program starts");
    refused(&none, 2, "--config config/binance-paper.toml");
    let rig = Rig::new("ca_file = \"/does/not/exist.pem\"");
    refused(&rig.run(&["--seconds", "1"]), 2, "/does/not/exist.pem");
    let rig = Rig::new("ca_file = \"\"");
    // It ends by itself, and at once.
    let output = rig.run(&["--seconds", "100"]);
    refused(&output, 1, "its issuer is not trusted (add it to [venue] ca_file if it is yours)");
    assert_eq!(rig.venue.opened(), 0);
    let rig = Rig::new("ca_file = \"\"\naccept_any_certificate = true");
    let output = rig.run(&["--seconds", "1"]);
    refused(&output, 0, "certificates are NOT checked");
}

#[test]
fn nobody_who_reads_ends_nothing() {
    let rig = Rig::new("");
    let journal = rig.path("unread.journal");
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        writer
    };
    let mut command = rig.command(&["--seconds", "1", "--journal", &journal]);
    let output = command.stdout(closed()).stderr(Stdio::piped()).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for arguments in
        [&["list", "strategies"][..], &["doctor"], &["replay", &journal], &["pnl", "--journal", &journal]]
    {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).stdout(closed()).stderr(Stdio::piped());
        text(&command.output().expect("the program starts").stderr);
    }
    let mut command = rig.command(&["--seconds", "1"]);
    let status = command.stdout(closed()).stderr(closed()).status().expect("the program starts");
    assert_eq!(status.code(), Some(0), "messages alike");
}

#[test]
fn a_run_that_hears_nothing_is_not_a_good_one() {
    let rig = Rig::new("");
    let Rig { venue, dir, config } = rig;
    let (issuer, written) = (dir.path().join("ca.pem"), std::fs::read_to_string(&config).expect("there"));
    std::fs::copy(venue.ca_file.path(), &issuer).expect("copied");
    let written = written.replace(&format!("{:?}", venue.ca_file.path()), &format!("{issuer:?}"));
    std::fs::write(&config, written).expect("written");
    // Nobody listens there any more.
    drop(venue);
    let output = Command::new(PROGRAM)
        .args(["run", "--seconds", "1", "--wait", "backoff", "--config"])
        .arg(&config)
        .output()
        .expect("the program starts");
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("not one frame came from the venue"), "{err}");
    let out = dir.path().join("captured");
    let output = Command::new(PROGRAM)
        .args(["capture", "--seconds", "1", "--config"])
        .arg(&config)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("the program starts");
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("not one frame came from the venue"), "{err}");
}
