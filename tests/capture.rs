//! A capture comes back as the frames that were received, whatever ends it.

#[path = "support/frames.rs"]
#[allow(unused_imports, reason = "a part is taken")]
mod frames;

use algo_trader::domain::{Market, Time};
use algo_trader::history::capture::{
    Capture, CaptureOptions, CaptureReport, FileState, MANIFEST_NAME, WhenFull, verify,
};
use algo_trader::history::{Recording, RecordingOptions};
use algo_trader::net::{FrameSource, SourceId, SourceInfo};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// 2024-08-08T23:54:13Z.
const START: u64 = 1_723_161_253_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// Receive time and frame.
type Row = (u64, Vec<u8>);

fn sources() -> Vec<SourceInfo> {
    vec![
        frames::source("a", Market::Spot, Some("BTCUSDT")),
        frames::source("b", Market::CoinM, Some("BTCUSD_PERP")),
        frames::source("streams", Market::UsdM, None),
    ]
}

fn options(dir: &Path) -> CaptureOptions {
    CaptureOptions { when_full: WhenFull::Wait, block_bytes: 8 << 10, ..CaptureOptions::new(dir.into()) }
}

fn frame(n: u64) -> Vec<u8> {
    format!("{{\"u\":{n},\"noise\":\"{:016x}\"}}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes()
}

/// Captures `rows` with their sources.
fn capture(options: &CaptureOptions, rows: impl IntoIterator<Item = (u16, Row)>) -> CaptureReport {
    let mut capture = Capture::start(&sources(), options).expect("a capture starts");
    for (source, (received, frame)) in rows {
        assert!(capture.push(SourceId(source), Time(received), &frame), "room is waited for");
    }
    capture.finish()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(dir).expect("the directory is there").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "gz")).collect();
    files.sort();
    files
}

/// All frames of `paths`, merged, by (market, symbol), and the count of torn files.
fn read(paths: &[PathBuf]) -> (Vec<(Market, Option<String>, Row)>, u64) {
    let mut recording =
        Recording::open(paths, &RecordingOptions::default()).expect("a capture is a recording");
    let infos = recording.sources().to_vec();
    let mut rows = Vec::new();
    while let Some(frame) = recording.next_frame().expect("readable to its end") {
        let info = &infos[usize::from(frame.source.0)];
        rows.push((info.market, info.symbol.clone(), (frame.received.0, frame.bytes.to_vec())));
    }
    assert_eq!(recording.malformed(), 0);
    (rows, recording.torn())
}

fn rows_of(paths: &[PathBuf]) -> Vec<Row> {
    read(paths).0.into_iter().map(|(_, _, row)| row).collect()
}

fn program(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_algo-trader")).args(args).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[test]
fn frames_come_back_the_same_from_files_that_rotate_by_size_and_by_time() {
    let dir = tempdir().expect("a directory");
    // Forty minutes from six before midnight, three sources in turn, ten frames of the same moment now and then.
    let rows: Vec<(u16, Row)> =
        (0..24_000).map(|n: u64| ((n % 3) as u16, (START + n / 10 * SECOND, frame(n)))).collect();
    let by_time = CaptureOptions { rotate_every: Duration::from_secs(600), ..options(dir.path()) };
    let report = capture(&by_time, rows.iter().cloned());
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.counts.taken, report.counts.written), (24_000, 24_000));
    let names: Vec<String> = files(dir.path())
        .iter()
        .filter_map(|path| path.file_name()?.to_str().filter(|name| name.starts_with("spot")).map(Into::into))
        .collect();
    assert_eq!(
        names,
        [
            "spot-btcusdt-20240808T235413_0001.gz",
            "spot-btcusdt-20240809T000000_0002.gz",
            "spot-btcusdt-20240809T001000_0003.gz",
            "spot-btcusdt-20240809T002000_0004.gz",
            "spot-btcusdt-20240809T003000_0005.gz",
        ]
    );
    let (read, torn) = read(&files(dir.path()));
    assert_eq!(torn, 0);
    for (source, info) in sources().iter().enumerate() {
        let of = |market, symbol: &Option<String>| market == info.market && *symbol == info.symbol;
        let back: Vec<_> = read.iter().filter(|r| of(r.0, &r.1)).map(|r| r.2.clone()).collect();
        let sent: Vec<_> = rows.iter().filter(|r| usize::from(r.0) == source).map(|r| r.1.clone()).collect();
        assert!(back == sent, "{info:?}");
    }
    assert!(verify(dir.path()).expect("a capture").is_good());

    let dir = tempdir().expect("a directory");
    let by_size =
        CaptureOptions { file_bytes_max: 64 << 10, rotate_every: Duration::ZERO, ..options(dir.path()) };
    let report = capture(&by_size, rows.iter().cloned());
    let made = files(dir.path());
    assert_eq!(made.len() as u64, report.counts.files);
    assert!(made.len() > 6, "{} files", made.len());
    for path in &made {
        let size = fs::metadata(path).expect("is there").len();
        assert!(size < (64 << 10) + (8 << 10), "{size} bytes: at most a block over");
    }
    assert_eq!(rows_of(&made).len(), 24_000);
}

#[test]
fn a_clock_that_goes_back_keeps_the_order_of_a_file_and_begins_no_new_one() {
    let dir = tempdir().expect("a directory");
    let rotating = CaptureOptions { rotate_every: Duration::from_secs(1), ..options(dir.path()) };
    let seconds = [0u64, 5, 3, 4, 2, 5, 9, 8];
    let rows: Vec<Row> = seconds.iter().map(|s| (START + s * SECOND, frame(*s))).collect();
    capture(&rotating, rows.iter().map(|row| (0, row.clone())));
    let made = files(dir.path());
    // Of second 0; of 5 with what came after it and before 9; of 9 with 8 after it.
    assert_eq!(made.len(), 3, "{made:?}");
    assert_eq!(rows_of(&made), rows);
}

#[test]
fn sessions_in_one_directory_stand_beside_each_other() {
    let dir = tempdir().expect("a directory");
    for n in 0..2 {
        let report = capture(&options(dir.path()), [(0, (START, frame(n)))]);
        assert!(report.is_complete(), "{report:?}");
    }
    assert_eq!(files(dir.path()).len(), 2);
    let found = verify(dir.path()).expect("a capture");
    assert!(found.is_good());
    assert_eq!((found.frames(), found.sessions.len()), (2, 2));
}

#[test]
fn frames_that_would_not_come_back_are_refused_and_counted() {
    let dir = tempdir().expect("a directory");
    let bad: [Row; 5] = [
        (START, b"".to_vec()),
        (START, b"{\n}".to_vec()),
        (START, b"{}\r".to_vec()),
        (1_723_161_253_000, b"{}".to_vec()),
        (u64::MAX, b"{}".to_vec()),
    ];
    let rows = bad.into_iter().chain([(START, b"\xff\x00{}".to_vec())]);
    let report = capture(&options(dir.path()), rows.map(|row| (0, row)));
    assert_eq!((report.counts.refused, report.counts.written), (5, 1));
    assert!(!report.is_complete());
    assert_eq!(rows_of(&files(dir.path())), [(START, b"\xff\x00{}".to_vec())]);
    assert_eq!(verify(dir.path()).expect("a capture").lost(), 5);
}

#[test]
fn a_queue_that_is_full_loses_frames_with_a_count_and_everything_else_is_there() {
    let dir = tempdir().expect("a directory");
    let small = CaptureOptions { queue_bytes: 64 << 10, when_full: WhenFull::Lose, ..options(dir.path()) };
    let mut capture = Capture::start(&sources(), &small).expect("starts");
    let mut kept = Vec::new();
    for n in 0..200_000 {
        if capture.push(SourceId(0), Time(START + n), &frame(n)) {
            kept.push((START + n, frame(n)));
        }
    }
    // Larger than the queue: lost, not waited for.
    assert!(!capture.push(SourceId(0), Time(START), &[b'x'; 70_000]));
    let report = capture.finish();
    assert!(report.counts.lost > 1, "a packer is slower than a copy");
    assert_eq!(report.counts.taken + report.counts.lost, 200_001);
    assert!(!report.is_complete());
    assert!(rows_of(&files(dir.path())) == kept);
    assert_eq!(verify(dir.path()).expect("a capture").lost(), report.counts.lost);
}

#[test]
fn a_quiet_source_is_written_when_its_block_has_waited_long_enough() {
    let dir = tempdir().expect("a directory");
    let quick = CaptureOptions { block_age: Duration::from_millis(20), ..options(dir.path()) };
    let mut capture = Capture::start(&sources(), &quick).expect("starts");
    assert!(capture.push(SourceId(0), Time(START), b"{}"));
    let begun = Instant::now();
    while capture.counts().written == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "nothing was written");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Still open, and readable by another.
    assert_eq!(rows_of(&files(dir.path())), [(START, b"{}".to_vec())]);
    assert!(capture.finish().is_complete());
}

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
    let mut bad = whole.clone();
    bad[whole.len() / 2] ^= 0x10;
    fs::write(&path, &bad).expect("written");
    let mut recording = Recording::open(&[path.clone()], &RecordingOptions::default()).expect("begins well");
    let error = loop {
        match recording.next_frame() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("damage went unseen"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("0001.gz") && error.contains("after") && error.contains("lines"), "{error}");
}

#[test]
fn verify_finds_a_changed_byte_a_missing_file_and_one_that_was_never_closed() {
    let dir = tempdir().expect("a directory");
    let rows = (0..600).map(|n: u64| ((n % 3) as u16, (START + n, frame(n))));
    capture(&options(dir.path()), rows);
    let made = files(dir.path());
    let state =
        || verify(dir.path()).expect("a capture").files.into_iter().map(|v| v.state).collect::<Vec<_>>();
    assert_eq!(state(), [FileState::Good, FileState::Good, FileState::Good]);

    // A byte that no unpacker looks at: the header's time.
    let mut bytes = fs::read(&made[0]).expect("readable");
    bytes[4] ^= 1;
    fs::write(&made[0], &bytes).expect("written");
    fs::remove_file(&made[1]).expect("removed");
    fs::copy(&made[2], dir.path().join("usdm-20240809T000000_0009.gz")).expect("copied");
    let states = state();
    assert!(matches!(states[0], FileState::Changed { .. }), "{states:?}");
    assert_eq!(states[1..], [FileState::Missing, FileState::Good, FileState::Open { torn_bytes: None }]);

    let output = program(&["capture", "verify", &dir.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("CHANGED") && said.contains("MISSING") && said.contains("NOT GOOD"), "{said}");
    let nothing = tempdir().expect("a directory");
    let output = program(&["capture", "verify", &nothing.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("neither a manifest nor a captured file"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_and_any_times_come_back_the_same_or_are_refused(
        rows in prop::collection::vec(
            (0u16..3, 0u64..40, prop::collection::vec(any::<u8>(), 0..300)), 0..120),
        block_kb in 4usize..8,
    ) {
        let dir = tempdir().expect("a directory");
        let options = CaptureOptions {
            block_bytes: block_kb << 10,
            rotate_every: Duration::from_secs(10),
            file_bytes_max: 64 << 10,
            ..options(dir.path())
        };
        let good = |frame: &[u8]| !frame.is_empty() && !frame.contains(&b'\n') && !frame.ends_with(b"\r");
        let sent = |source: u16| -> Vec<Row> {
            let of = rows.iter().filter(|(s, _, frame)| *s == source && good(frame));
            of.map(|(_, at, frame)| (START + at * SECOND, frame.clone())).collect()
        };
        let report = capture(&options, rows.iter().map(|(s, at, f)| (*s, (START + at * SECOND, f.clone()))));
        prop_assert_eq!(report.counts.written as usize, (0..3).map(|s| sent(s).len()).sum::<usize>());
        let made = files(dir.path());
        for (prefix, source) in [("spot-", 0u16), ("coinm-", 1), ("usdm-", 2)] {
            let is_of = |path: &&PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix));
            let paths: Vec<PathBuf> = made.iter().filter(is_of).cloned().collect();
            let back = if paths.is_empty() { Vec::new() } else { rows_of(&paths) };
            prop_assert_eq!(back, sent(source));
        }
        prop_assert!(made.is_empty() || verify(dir.path()).expect("a capture").is_good());
    }
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
    while files(dir.path()).len() < 6 && begun.elapsed() < Duration::from_secs(30) {
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
    let open = found.files.iter().filter(|v| matches!(v.state, FileState::Open { .. })).count();
    assert!((1..=6).contains(&open), "{open} files were never closed");
}

/// What the program says of a capture, with standard error, in a shell with `limit` set first.
fn capture_limited(limit: &str, from: &[PathBuf], out: &Path) -> std::process::Output {
    let paths: Vec<String> = from.iter().map(|path| format!("'{}'", path.display())).collect();
    let command = format!(
        "{limit}; exec '{}' capture --from {} --out '{}' --json --block-kb 64",
        env!("CARGO_BIN_EXE_algo-trader"),
        paths.join(" "),
        out.display()
    );
    Command::new("sh").args(["-c", &command]).output().expect("a shell")
}

/// A recording of some megabytes, packed.
fn large_recording(dir: &Path) -> PathBuf {
    let path = dir.join("spot-btcusdt-20240808.gz");
    let rows: Vec<Row> = (0..60_000).map(|n| (START + n * 1_000, frame(n))).collect();
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
    let checked = std::panic::catch_unwind(|| is_whole_and_told(&output, &out, "space"));
    assert!(mount(&["umount", &path]).is_ok_and(|status| status.success()), "{path} stays mounted");
    checked.expect("as it must be");
}

/// The recordings, or `None` with a word on why.
fn recorded_paths() -> Option<Vec<PathBuf>> {
    let root = std::env::var_os("ALGO_TRADER_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let folder = root.join("binance-20240808");
    if !folder.is_dir() {
        let required = std::env::var_os("ALGO_TRADER_REQUIRE_SHARED").is_some_and(|v| v == "1");
        assert!(!required, "no recordings in {}", folder.display());
        println!("SKIPPED: no recordings in {} (set ALGO_TRADER_SHARED)", folder.display());
        return None;
    }
    Some(files(&folder))
}

#[test]
fn recordings_captured_again_are_the_same_frames_and_the_same_orders() {
    let Some(paths) = recorded_paths() else { return };
    // Spot Ether: two files that become one source, a snapshot, both sides of midnight.
    let paths: Vec<PathBuf> =
        paths.into_iter().filter(|path| path.to_string_lossy().contains("spot-eth")).collect();
    let dir = tempdir().expect("a directory");
    let given: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let out = dir.path().display().to_string();
    let output = program(
        &[&["capture", "--out", &out, "--rotate-minutes", "3", "--json", "--from"], &given[..]].concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let made = files(dir.path());
    assert!(made.len() >= 4, "{made:?}");
    assert!(rows_of(&made) == rows_of(&paths));
    let hash = |paths: &[&str]| {
        let output = program(&[&["replay", "--json", "--wait", "yield"], paths].concat());
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(summary["frames"], 79_743);
        summary["order_stream_sha256"].as_str().map(str::to_owned)
    };
    let made: Vec<String> = made.iter().map(|path| path.display().to_string()).collect();
    let made: Vec<&str> = made.iter().map(String::as_str).collect();
    assert_eq!(hash(&made), hash(&given));

    // A minute of it.
    let cut = tempdir().expect("a directory");
    let out = cut.path().display().to_string();
    let times = ["--from-time", "2024-08-08T23:59:30Z", "--until-time", "2024-08-09T00:00:30Z"];
    let output = program(&[&["capture", "--out", &out], &times[..], &["--from"], &given[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let midnight = 1_723_161_600 * SECOND;
    let mut wanted = rows_of(&paths);
    wanted.retain(|row| (midnight - 30 * SECOND..midnight + 30 * SECOND).contains(&row.0));
    assert!(!wanted.is_empty() && rows_of(&files(cut.path())) == wanted);
}

#[test]
fn bad_usage_is_told() {
    let dir = tempdir().expect("a directory");
    let out = dir.path().join("out").display().to_string();
    for (args, status, must_say) in [
        (&["capture"][..], 2, "--out"),
        (&["capture", "--out", &out], 1, "--from"),
        (&["capture", "--out", &out, "--from", "nowhere.gz"], 1, "nowhere.gz"),
        (&["capture", "--out", &out, "--from-time", "noon"], 2, "2024-08-08T23:59:00Z"),
        (&["capture", "--out", &out, "--fsync", "often"], 2, "never, file or block"),
        (&["capture", "--out", &out, "--config", "nowhere.toml"], 2, "nowhere.toml"),
    ] {
        let output = program(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
        assert!(said.contains(must_say), "{args:?}: {said}");
    }
    // A directory that is a file.
    let file = dir.path().join("file");
    fs::write(&file, "").expect("written");
    let error = Capture::start(&sources(), &options(&file)).expect_err("not a directory").to_string();
    assert!(error.contains("file"), "{error}");
    assert!(!dir.path().join(MANIFEST_NAME).exists());
}
