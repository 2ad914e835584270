//! A capture comes back as the frames that were received, whatever ends it.

#[path = "support/frames.rs"]
mod frames;

#[path = "support/capture.rs"]
mod support;

use algo_trader::domain::Time;
use algo_trader::history::capture::{Capture, CaptureOptions, FileState, MANIFEST_NAME, WhenFull, verify};
use algo_trader::net::SourceId;
use proptest::prelude::*;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use support::{Row, SECOND, START, capture, files, frame, options, program, read, rows_of, sources, text};
use tempfile::tempdir;

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
fn a_directory_takes_one_capture_at_a_time_and_another_once_that_has_ended() {
    let dir = tempdir().expect("a directory");
    let first = Capture::start(&sources(), &options(dir.path())).expect("starts");
    let error = Capture::start(&sources(), &options(dir.path())).expect_err("it is taken").to_string();
    assert!(error.contains("another process") && error.contains("a directory of its own"), "{error}");
    // The program, too, and nothing of what it was to write is there.
    let elsewhere = tempdir().expect("a directory");
    let recording = elsewhere.path().join("spot-btcusdt-20240808.gz");
    let row = (Time(START), &frame(0)[..]);
    algo_trader::history::recording::write_recording(&recording, [row]).expect("written");
    let (from, out) = (recording.display().to_string(), dir.path().display().to_string());
    let command = ["capture", "--from", &from, "--out", &out];
    let output = program(&command);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("another process is capturing"), "{output:?}");
    assert!(files(dir.path()).is_empty());
    assert!(first.finish().is_complete());
    assert_eq!(program(&command).status.code(), Some(0));
    assert_eq!(files(dir.path()).len(), 1);
}

#[test]
fn a_line_of_the_manifest_that_was_cut_swallows_no_other_and_a_changed_one_is_found() {
    let dir = tempdir().expect("a directory");
    let _ = capture(&options(dir.path()), [(0, (START, frame(0)))]);
    let manifest = dir.path().join(MANIFEST_NAME);
    let text = fs::read(&manifest).expect("readable");
    // As a kill amid the last line leaves it: the session has no end, its file is known.
    fs::write(&manifest, &text[..text.len() - 10]).expect("written");
    let _ = capture(&options(dir.path()), [(0, (START, frame(1)))]);
    let found = verify(dir.path()).expect("a capture");
    let cut = found.cut_manifest_lines.as_slice();
    assert_eq!((cut, found.open_sessions.len(), found.frames()), (&[3][..], 1, 2));
    assert!(found.is_good(), "{found:?}");
    let mut text = fs::read(&manifest).expect("readable");
    text[3] = b'#';
    fs::write(&manifest, &text).expect("written");
    let found = verify(dir.path()).expect("a capture");
    assert!(found.bad_manifest_lines == [1] && !found.is_good(), "{found:?}");
}

#[test]
fn a_file_that_the_manifest_has_twice_is_found_and_counted_once() {
    let dir = tempdir().expect("a directory");
    let _ = capture(&options(dir.path()), [(0, (START, frame(0)))]);
    let manifest = dir.path().join(MANIFEST_NAME);
    let lines = fs::read_to_string(&manifest).expect("readable");
    let of_file = lines.lines().find(|line| line.contains("\"file\"")).expect("a line of the file");
    fs::write(&manifest, format!("{lines}{of_file}\n")).expect("written");
    let found = verify(dir.path()).expect("a capture");
    let again = lines.lines().count() + 1;
    assert_eq!(
        (found.frames(), found.files.len(), found.bad_manifest_lines.as_slice()),
        (1, 1, &[again][..])
    );
    assert!(!found.is_good(), "{found:?}");
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
    let found = verify(dir.path()).expect("a capture");
    assert_eq!((found.lost(), found.is_good()), (report.counts.lost, false));
}

#[test]
fn a_quiet_source_is_written_when_its_block_has_waited_long_enough() {
    let dir = tempdir().expect("a directory");
    let quick = CaptureOptions { block_age: Duration::from_millis(20), ..options(dir.path()) };
    let mut capture = Capture::start(&sources(), &quick).expect("starts");
    assert!(capture.push(SourceId(0), Time(START), b"{}"));
    let begun = Instant::now();
    while capture.counts().written == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was written");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Still open, and readable by another.
    assert_eq!(rows_of(&files(dir.path())), [(START, b"{}".to_vec())]);
    let found = verify(dir.path()).expect("a capture");
    assert!(found.is_good() && found.running && !found.is_ended(), "{found:?}");
    let told = text(&program(&["capture", "verify", &dir.path().display().to_string()]).stdout);
    assert!(told.contains("is still running\ngood so far"), "{told}");
    assert!(capture.finish().is_complete());
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
        let found = verify(dir.path()).expect("a capture");
        prop_assert_eq!(found.is_good(), report.counts.refused == 0);
    }
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
        (&["capture", "--out", &out], 2, "--from"),
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
