//! The log: what it says of when and of which run, and that nothing ends because it cannot be written.

#[path = "support/wire.rs"]
mod wire;

use algo_trader::domain::Time;
use algo_trader::history::RecordingWriter;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use wire::{Certificate, Venue};

const PROGRAM: &str = env!("CARGO_BIN_EXE_algo-trader");
const TRADE: &[u8] = br#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":1,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#;

/// A venue on loopback, and where a run on it writes.
struct Rig {
    venue: Venue,
    dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let venue = Venue::start(&["ETHUSDT".into()], Duration::from_millis(5), Certificate::Good);
        Self { venue, dir: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A configuration by which this file has the log.
    fn config(&self, log: &Path) -> PathBuf {
        let spot = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/instruments/binance-spot.toml");
        let text = format!(
            "[instruments]\nfiles = [{spot:?}]\n[risk]\nunset = \"default\"\n[log]\nfile = {log:?}\n\
             [venue]\nca_file = {:?}\n[venue.spot]\n{}\
             [[strategy]]\nname = \"imbalance-maker\"\ninstruments = [\"binance:spot:ETHUSDT\"]\n\
             [strategy.params]\nqty = \"0.100\"\nthreshold = 0.05\nhold_ms = 50\n",
            self.venue.ca_file.path(),
            self.venue.endpoints()
        );
        let path = self.path("live.toml");
        std::fs::write(&path, text).expect("written");
        path
    }

    /// A run of two seconds.
    fn command(&self, log: &Path, journal: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--wait", "backoff", "--seconds", "2", "--config"]).arg(self.config(log));
        command.arg("--journal").arg(self.path(journal)).stdout(Stdio::null()).env_remove("JOURNAL_STREAM");
        command
    }
}

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("it is there")
}

fn text(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "a panic reached the user: {text}");
    text
}

/// Lines of the log that begin with a moment, to the millisecond and in UTC, without it; and how many others there are.
fn with_moments(log: &str) -> (Vec<&str>, usize) {
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(" algo_trader::")).collect();
    let told: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once(' '))
        .filter(|(moment, _)| moment.len() == 24 && moment.parse::<jiff::Timestamp>().is_ok())
        .map(|(_, rest)| rest)
        .collect();
    let others = lines.len() - told.len();
    (told, others)
}

#[test]
fn a_log_and_messages_that_cannot_be_written_end_neither_a_replay_nor_a_run() {
    let rig = Rig::new();
    let log = Path::new("/dev/full");
    let recording = rig.path("spot-btcusdt-20240808.gz");
    let mut writer = RecordingWriter::create(&recording).expect("a file");
    writer.write(Time(1_723_161_255_000_000_000), TRADE).expect("written");
    writer.finish().expect("finished");
    let mut replay = Command::new(PROGRAM);
    replay.arg("replay").arg(&recording).arg("--config").arg(rig.config(log)).arg("--journal");
    replay.arg(rig.path("replay.journal")).stdout(Stdio::null()).stderr(full());
    assert_eq!(replay.status().expect("it starts").code(), Some(0), "a replay");
    let ended = rig.command(log, "run.journal").stderr(full()).status().expect("it starts");
    assert_eq!(ended.code(), Some(0), "a run");
    let output = rig.command(log, "told.journal").stderr(Stdio::piped()).output().expect("it starts");
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(told.matches("cannot log to /dev/full: ").count(), 1, "told once: {told}");
}

#[test]
fn a_log_says_when_each_line_was_told_and_where_a_run_begins_and_the_journals_of_systemd_know_when() {
    let rig = Rig::new();
    let (log, told) = (rig.path("run.log"), rig.path("told"));
    for (run, in_journal) in [(1, false), (2, true)] {
        let stderr = File::create(&told).expect("a file");
        let found = stderr.metadata().expect("it is there");
        // Of a unit whose messages go elsewhere it names another stream.
        let inode = if in_journal { found.ino() } else { found.ino() + 1 };
        let mut command = rig.command(&log, &format!("{run}.journal"));
        command.env("JOURNAL_STREAM", format!("{}:{inode}", found.dev())).stderr(stderr);
        assert_eq!(command.status().expect("it starts").code(), Some(0));
        let told = std::fs::read_to_string(&told).expect("a file");
        let (with, without) = with_moments(&told);
        assert!(with.len() + without > 0, "something was told: {told}");
        assert_eq!(if in_journal { with.len() } else { without }, 0, "{told}");
    }
    let log = std::fs::read_to_string(&log).expect("a file");
    let (lines, others) = with_moments(&log);
    assert!(lines.len() > 2 && others == 0, "{log}");
    assert!(log.lines().is_sorted_by_key(|line| &line[..24]), "{log}");
    let begins = |line: &&&str| {
        line.contains(concat!(": algo-trader ", env!("CARGO_PKG_VERSION"), ", process "))
            && line.contains(": run on paper, by ")
            && line.ends_with("live.toml")
    };
    assert_eq!(lines.iter().filter(begins).count(), 2, "a run after another: {log}");
    assert!(begins(&&lines[0]), "{log}");
}

#[test]
fn the_room_of_a_disk_that_has_the_log_alone_is_watched_and_that_it_is_full_ends_no_run() {
    let rig = Rig::new();
    let small = rig.path("small");
    std::fs::create_dir(&small).expect("made");
    let path = small.display().to_string();
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).stderr(Stdio::null()).status();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=8k", "none", &path]).is_ok_and(|status| status.success())
    {
        println!("SKIPPED: a small disk cannot be mounted here (needs root)");
        return;
    }
    let ran = || {
        std::fs::write(small.join("other"), [0; 4_096]).expect("room");
        let ran = rig.command(&small.join("run.log"), "run.journal").stderr(Stdio::piped()).output();
        ran.expect("it starts")
    };
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(ran));
    assert!(mount(&["umount", &path]).is_ok_and(|status| status.success()), "{path} stays mounted");
    let output = ran.expect("as it must be");
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let short = format!("the disk of {path} (log) has 0 MiB left; once it is full the run goes on");
    assert!(told.contains(&short), "{told}");
}
