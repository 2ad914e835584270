//! `algo-trader run` as a person and a script meet it: a small venue on loopback, a pipe or a pseudo-terminal.

#[path = "support/wire.rs"]
mod wire;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use wire::{Certificate, Venue};

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
    let journal = rig.path("run.journal");
    let child = rig.command(&["--journal", &journal]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    status(&rig, "it listens", |told| told["events"].as_u64() > Some(100));
    let who = ["--operator", "anna", "--reason", "a test"];
    let kill = |scope: &[&str]| ctl(&rig, &[&["kill"], scope, &who].concat());
    let killed = kill(&["strategy", "imbalance-maker"]);
    assert_eq!(killed.status.code(), Some(0), "{}", text(&killed.stderr));
    assert!(text(&killed.stdout).contains("STOPPED strategy imbalance-maker: killed, by anna (a test)"));
    let wrong = kill(&["strategy", "ma-cross"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
    assert!(text(&wrong.stderr).contains("there are: imbalance-maker"), "{}", text(&wrong.stderr));
    let released = ctl(&rig, &[&["release", "all"], who.as_slice()].concat());
    assert!(text(&released.stdout).contains("nothing is stopped"), "{}", text(&released.stderr));
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
