//! What a capture leaves that ended badly: killed, torn, or on a full disk.

#[path = "support/frames.rs"]
mod frames;
#[path = "support/capture.rs"]
mod support;

use algo_trader::domain::{Market, Time};
use algo_trader::history::capture::{Capture, CaptureOptions, FileState, WhenFull, verify};
use algo_trader::history::{Recording, RecordingOptions};
use algo_trader::net::{FrameSource, SourceId};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Row, START, capture, files, frame, options, program, read, sources, text};
use tempfile::tempdir;

#[test]
fn a_torn_block_at_the_end_is_told_and_counted_and_damage_elsewhere_is_an_error() {
    let dir = tempdir().expect("a directory");
    let rows: Vec<Row> = (0..2_000).map(|n| (START + n, frame(n))).collect();
    capture(&options(dir.path()), rows.iter().map(|row| (0, row.clone())));
    let path = files(dir.path()).remove(0);
    let whole = fs::read(&path).expect("readable");
    for cut in [whole.len() - 1, whole.len() / 2, whole.len() / 3, 30, 5, 0] {
        fs::write(&path, &whole[..cut]).expect("written");
        let paths = [path.clone()];
        let mut recording = Recording::open(&paths, &RecordingOptions::default()).expect("cut, and no worse");
        let mut read = Vec::new();
        while let Some(frame) = recording.next_frame().expect("a cut is no error") {
            read.push((frame.received.0, frame.bytes.to_vec()));
        }
        assert!(rows.starts_with(&read) && read.len() < rows.len());
        assert!(
            read.len() * whole.len() + 400 * whole.len() > rows.len() * cut,
            "more than a block is missing"
        );
        assert_eq!((recording.torn(), recording.malformed()), (1, 0), "cut at {cut}");
        let note = recording.problems()[0].to_string();
        assert!(note.contains("the capture was cut here") && note.contains("0001.gz"), "{note}");
        let found = verify(dir.path()).expect("a capture");
        assert!(!found.is_good(), "the manifest knows how it was");
    }
    fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    let output = program(&["replay", "--json", "--wait", "yield", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("the capture was cut here"));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&summary["torn_files"], &summary["malformed_lines"]), (&1.into(), &0.into()));

    let mut bad = whole.clone();
    bad[whole.len() / 2] ^= 0x10;
    fs::write(&path, &bad).expect("written");
    let mut recording =
        Recording::open(std::slice::from_ref(&path), &RecordingOptions::default()).expect("begins well");
    let error = loop {
        match recording.next_frame() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("damage went unseen"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("0001.gz") && error.contains("after") && error.contains("lines"), "{error}");
}

/// The child of the test below: captures without end.
#[test]
#[ignore = "is run by the test that kills it"]
fn child_that_captures_until_it_is_killed() {
    let Some(dir) = std::env::var_os("CAPTURE_CHILD_DIR") else { return };
    let options = CaptureOptions {
        rotate_every: Duration::from_secs(1),
        block_age: Duration::from_millis(5),
        ..options(Path::new(&dir))
    };
    let mut capture = Capture::start(&sources(), &options).expect("starts");
    for n in 0.. {
        capture.push(SourceId((n % 3) as u16), Time(START + n * 20_000), &frame(n));
    }
}

#[test]
fn what_a_killed_process_leaves_reads_to_its_last_whole_block() {
    let dir = tempdir().expect("a directory");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "child_that_captures_until_it_is_killed", "--ignored"])
        .env("CAPTURE_CHILD_DIR", dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program starts");
    let begun = Instant::now();
    while files(dir.path()).len() < 6 && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
    let made = files(dir.path());
    assert!(made.len() >= 6, "{} files", made.len());
    let (rows, torn) = read(&made);
    assert!(torn <= 3, "one a source at most");
    // Each source's frames are the first of what was sent, none left out, none changed.
    let mut seen = [0u64; 3];
    for (market, _, (received, bytes)) in &rows {
        let source = [Market::Spot, Market::CoinM, Market::UsdM]
            .iter()
            .position(|m| m == market)
            .expect("one of ours");
        let n = seen[source] * 3 + source as u64;
        assert!(*received == START + n * 20_000 && *bytes == frame(n), "frame {n} of source {source}");
        seen[source] += 1;
    }
    assert!(seen.iter().all(|n| *n > 10_000), "{seen:?}");
    let found = verify(dir.path()).expect("a capture");
    assert!(found.is_good() && found.frames() == rows.len() as u64, "{found:?}");
    // Nobody knows what it would have had to write yet: it says so.
    assert!(!found.is_ended() && !found.running && found.open_sessions.len() == 1, "{found:?}");
    let said = text(&program(&["capture", "verify", &dir.path().display().to_string()]).stdout);
    assert!(
        said.contains("was cut: what came at its end") && said.contains("good up to where it was cut"),
        "{said}"
    );
    let open = found.files.iter().filter(|v| matches!(v.state, FileState::Open { .. })).count();
    assert!((1..=6).contains(&open), "{open} files were never closed");
}

/// The child of the test below: captures until some frames are lost, says so beside its directory, and waits to be killed.
#[test]
#[ignore = "is run by the test that kills it"]
fn child_that_loses_frames_until_it_is_killed() {
    let Some(dir) = std::env::var_os("CAPTURE_CHILD_DIR") else { return };
    let loses = std::env::var_os("CAPTURE_CHILD_LOSES").is_some_and(|how| how == "queue");
    let when_full = if loses { WhenFull::Lose } else { WhenFull::Wait };
    let options = CaptureOptions { queue_bytes: 64 << 10, when_full, ..options(Path::new(&dir)) };
    let mut capture = Capture::start(&sources(), &options).expect("starts");
    let lost = |capture: &Capture| capture.counts().lost + capture.counts().lost_on_disk;
    for n in 0.. {
        capture.push(SourceId(0), Time(START + n), &frame(n));
        if lost(&capture) > 1_000 {
            break;
        }
    }
    // The writing thread takes what it has, and sees what is lost.
    std::thread::sleep(Duration::from_millis(200));
    fs::write(Path::new(&dir).with_extension("lost"), lost(&capture).to_string()).expect("written");
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn what_a_killed_process_had_lost_before_is_known() {
    for (how, limit) in [("queue", "true"), ("disk", "trap '' XFSZ; ulimit -f 700")] {
        let dir = tempdir().expect("a directory");
        let (out, told) = (dir.path().join("out"), dir.path().join("out.lost"));
        let this = std::env::current_exe().expect("this program");
        let child = "--exact child_that_loses_frames_until_it_is_killed --ignored";
        let mut child = Command::new("sh")
            .args(["-c", &format!("{limit}; exec '{}' {child}", this.display())])
            .env("CAPTURE_CHILD_DIR", &out)
            .env("CAPTURE_CHILD_LOSES", how)
            .env("LLVM_PROFILE_FILE", "/dev/null")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let begun = Instant::now();
        let lost = loop {
            let lost = fs::read_to_string(&told).unwrap_or_default().parse::<u64>();
            if lost.is_ok() || begun.elapsed() > Duration::from_secs(120) {
                break lost.unwrap_or_default();
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        child.kill().expect("SIGKILL");
        child.wait().expect("it is gone");
        assert!(lost > 1_000, "{how}: {lost}");
        let found = verify(&out).expect("a capture");
        assert!(!found.is_good() && !found.is_ended() && !found.running, "{how}: {found:?}");
        let session = &found.open_sessions[0];
        // Told again whenever it has doubled: more than half of it, and never more.
        assert!(
            (lost / 2..=lost).contains(&session.lost) && found.lost() == session.lost,
            "{how}: {found:?}"
        );
        assert_eq!(session.first_error.is_some(), how == "disk", "{session:?}");
        let checked = program(&["capture", "verify", &out.display().to_string()]);
        let said = text(&checked.stdout);
        assert_eq!(checked.status.code(), Some(1), "{said}");
        assert!(said.contains("lost at least") && said.contains("NOT GOOD"), "{said}");
        assert!(said.contains("was cut: what came at its end"), "{said}");
        // What was left takes another session, whose own end is told.
        let report = capture(&options(&out), [(0, (START, frame(0)))]);
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(verify(&out).expect("a capture").sessions.len(), 1);
    }
}

/// What the program says of a capture, with standard error, in a shell with `limit` set first.
fn capture_limited(limit: &str, from: &[PathBuf], out: &Path) -> std::process::Output {
    let paths: Vec<String> = from.iter().map(|path| format!("'{}'", path.display())).collect();
    let command = format!(
        "{limit}; exec '{}' capture --from {} --out '{}' --json --block-kb 64 --queue-mb 1",
        env!("CARGO_BIN_EXE_algo-trader"),
        paths.join(" "),
        out.display()
    );
    // Where coverage is measured, its file could not grow either, and half of one is of no use to who reads it.
    Command::new("sh").args(["-c", &command]).env("LLVM_PROFILE_FILE", "/dev/null").output().expect("a shell")
}

/// Frames of a large recording: more than a full disk has room for and the queue behind it holds.
const FRAMES: u64 = 60_000;

/// A recording of some megabytes, packed.
fn large_recording(dir: &Path) -> PathBuf {
    let path = dir.join("spot-btcusdt-20240808.gz");
    let rows: Vec<Row> = (0..FRAMES).map(|n| (START + n * 1_000, frame(n))).collect();
    let rows = rows.iter().map(|(at, bytes)| (Time(*at), bytes.as_slice()));
    algo_trader::history::recording::write_recording(&path, rows).expect("written");
    path
}

/// Of what a full disk left: every block whole, and the loss told.
fn is_whole_and_told(output: &std::process::Output, out: &Path, must_say: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(must_say) && said.contains("FRAMES ARE MISSING"), "{said}");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let (written, lost) =
        (summary["written"].as_u64().unwrap_or(0), summary["lost_on_disk"].as_u64().unwrap_or(0));
    assert!(written > 1_000 && lost > 0, "{summary}");
    let (rows, torn) = read(&files(out));
    assert_eq!((rows.len() as u64, torn), (written, 0), "nothing half written is left");
    // A smaller block may have found room after a larger one had not.
    assert!(rows.is_sorted_by_key(|row| row.2.0));
    assert!(rows.iter().all(|(_, _, (at, bytes))| *bytes == frame((at - START) / 1_000)));
    assert_eq!(rows[1_000].2.0, START + 1_000_000, "what came before the loss is all there");
    // It stops at the first error: of what it has not read it knows no number, and says so.
    let frames = summary["frames"].as_u64().unwrap_or(0);
    assert_eq!(written + lost, frames, "{summary}");
    assert_eq!(summary["stopped"], frames < FRAMES, "{summary}");
    assert_eq!(said.contains("at least") && said.contains("was not read"), frames < FRAMES, "{said}");
    // The manifest says it too, on a disk that has no more room.
    let found = verify(out).expect("a capture");
    assert_eq!((found.is_good(), found.lost(), found.sessions.len()), (false, lost, 1), "{found:?}");
    let checked = program(&["capture", "verify", &out.display().to_string()]);
    let told = text(&checked.stdout);
    assert!(checked.status.code() == Some(1) && told.contains("FRAMES ARE MISSING"), "{told}");
}

#[test]
fn a_file_that_may_not_grow_is_told_and_stays_whole() {
    let dir = tempdir().expect("a directory");
    let from = large_recording(dir.path());
    let out = dir.path().join("out");
    // Blocks of 512 bytes or of 1 KiB, by shell. Ignored, the signal becomes an error of the write.
    let output = capture_limited("trap '' XFSZ; ulimit -f 700", &[from], &out);
    is_whole_and_told(&output, &out, "what was written before is whole");
}

#[test]
fn a_full_disk_is_told_and_what_was_written_before_stays_whole() {
    let dir = tempdir().expect("a directory");
    let from = large_recording(dir.path());
    let out = dir.path().join("small");
    fs::create_dir(&out).expect("made");
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).stderr(Stdio::null()).status();
    let path = out.display().to_string();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=400k", "none", &path])
        .is_ok_and(|status| status.success())
    {
        println!("SKIPPED: a small disk cannot be mounted here (needs root)");
        return;
    }
    let output = capture_limited("true", &[from], &out);
    let checked = std::panic::catch_unwind(|| {
        is_whole_and_told(&output, &out, "space");
        assert!(text(&output.stderr).contains("at least"), "{output:?}");
    });
    assert!(mount(&["umount", &path]).is_ok_and(|status| status.success()), "{path} stays mounted");
    checked.expect("as it must be");
}
