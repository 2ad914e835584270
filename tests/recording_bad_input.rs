//! What a recording that is not as it should be does: a clear error before anything is read, or a count, never silence.

use algo_trader::domain::Time;
use algo_trader::history::recording::{
    LineFault, PROBLEMS_KEPT, Recording, RecordingOptions, RecordingWriter, WriteFault, write_recording,
};
use algo_trader::net::{FrameSource, SourceError};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

const START: u64 = 1_723_161_253_000_000_000;

/// (line, frame).
type Row = (u64, Vec<u8>);

fn directory() -> TempDir {
    tempdir().expect("a directory can be made")
}

fn open(paths: &[&Path]) -> Result<Recording, SourceError> {
    let paths: Vec<PathBuf> = paths.iter().map(|&path| path.into()).collect();
    Recording::open(&paths, &RecordingOptions::default())
}

/// The message of opening `path`, which must fail and name the file.
fn refusal(path: &Path) -> String {
    let message = open(&[path]).expect_err("must be refused").to_string();
    assert!(message.starts_with(&path.display().to_string()), "{message}");
    message
}

fn refusal_of(name: &str, content: &[u8]) -> String {
    let directory = directory();
    let path = directory.path().join(name);
    fs::write(&path, content).expect("can be written");
    refusal(&path)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// Lines with frames that do not pack well, so that a cut in the packed file is one in the lines.
fn lines(count: u64) -> String {
    let line = |i: u64| format!("{} {:016x}\n", START + i, (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..count).map(line).collect()
}

/// The frames that could be read, and the error that ended them.
fn drain(recording: &mut Recording) -> (Vec<Row>, Option<SourceError>) {
    let mut frames = Vec::new();
    loop {
        match recording.next_frame() {
            Ok(Some(frame)) => frames.push((frame.line, frame.bytes.to_vec())),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

fn drain_file(name: &str, content: &[u8]) -> (Recording, Vec<Row>, Option<String>) {
    let directory = directory();
    let path = directory.path().join(name);
    fs::write(&path, content).expect("can be written");
    let mut recording = open(&[&path]).expect("looks like a recording");
    let (frames, error) = drain(&mut recording);
    (recording, frames, error.map(|error| error.to_string()))
}

#[test]
fn a_missing_file_is_named() {
    let directory = directory();
    let path = directory.path().join("spot-btcusdt-20240808.gz");
    assert!(refusal(&path).contains("no such file: check the path"));
    let good = directory.path().join("spot-ethusdt-20240808.gz");
    fs::write(&good, gzip(lines(1).as_bytes())).expect("can be written");
    let error = open(&[&good, &path]).expect_err("one is missing");
    assert!(matches!(error, SourceError::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound));
}

#[test]
fn no_file_at_all_is_an_error() {
    assert!(open(&[]).expect_err("nothing to read").to_string().contains("name at least one"));
}

#[test]
fn a_directory_is_told_from_its_files() {
    let directory = directory();
    let message = refusal(directory.path());
    let files = directory.path().join("*.gz").display().to_string();
    assert!(message.contains("is a directory") && message.contains(&files), "{message}");
}

#[test]
fn empty_files_are_refused_packed_or_not() {
    assert!(refusal_of("spot-btcusdt-20240808.gz", b"").contains("is empty"));
    assert!(refusal_of("spot-btcusdt-20240808.gz", &gzip(b"")).contains("is empty"));
}

#[test]
fn a_name_without_the_pattern_is_refused_with_an_example() {
    for name in
        ["btcusdt.gz", "margin-btcusdt-20240808.gz", "spot-btcusdt-2024.gz", "spot-btcusdt-20240808.csv"]
    {
        let message = refusal_of(name, &gzip(lines(1).as_bytes()));
        assert!(message.contains("<market>-<symbol>-<date>.gz"), "{message}");
        assert!(message.contains("for example spot-btcusdt-20240808.gz"), "{message}");
    }
}

#[test]
fn what_is_no_recording_is_refused_packed_or_not() {
    for text in
        ["time,price,size\n1,2,3\n", "{\"stream\":1}\n", "1723161253000 {\"ms\":1}\n", "\u{1}\u{2}\n\n\n"]
    {
        for content in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
            let message = refusal_of("spot-btcusdt-20240808.gz", &content);
            assert!(message.contains("not a recording") && message.contains("19 digits"), "{message}");
        }
    }
}

#[test]
fn the_same_file_twice_is_refused_even_by_another_path() {
    let directory = directory();
    let path = directory.path().join("spot-btcusdt-20240808.gz");
    fs::write(&path, gzip(lines(1).as_bytes())).expect("can be written");
    let other = directory.path().join(".").join("spot-btcusdt-20240808.gz");
    for again in [&path, &other] {
        let message = open(&[&path, again]).expect_err("given twice").to_string();
        assert!(message.contains("is given twice"), "{message}");
    }
}

#[test]
fn a_copy_under_another_name_is_refused_however_it_is_packed() {
    let directory = directory();
    let text = lines(10_000);
    let write = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, content).expect("can be written");
        path
    };
    let first = write("spot-btcusdt-20240808.gz", &gzip(text.as_bytes()));
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    packed.write_all(text.as_bytes()).expect("memory takes all");
    for copy in [
        write("spot-btcusdt-20240809.gz", &gzip(text.as_bytes())),
        write("spot-copy-20240808.gz", &packed.finish().expect("memory takes all")),
        write("spot-btcusdt-20240810.txt", text.as_bytes()),
        write("spot-btcusdt-20240811.gz", &gzip(lines(5_000).as_bytes())),
    ] {
        let message = open(&[&first, &copy]).expect_err("a copy").to_string();
        assert!(message.contains(&copy.display().to_string()), "{message}");
        assert!(
            message.contains(&first.display().to_string()) && message.contains("looks like a copy"),
            "{message}"
        );
    }
    // Other frames, and the same ones of another market, are no copy.
    let other = write("spot-btcusdt-20240812.gz", &gzip(lines(10_000).replacen('a', "b", 1).as_bytes()));
    let market = write("usdm-btcusdt-20240808.gz", &gzip(text.as_bytes()));
    assert!(open(&[&first, &other, &market]).is_ok());
}

#[test]
fn a_truncated_file_gives_its_frames_then_says_after_how_many_lines() {
    let text = lines(10_000);
    let packed = gzip(text.as_bytes());
    let (recording, frames, error) = drain_file("spot-btcusdt-20240808.gz", &packed[..packed.len() / 2]);
    let error = error.expect("it is cut");
    assert!((4_000..6_000).contains(&frames.len()), "{} frames", frames.len());
    let expected = format!("gzip stream ends early after {} lines: the file is truncated", frames.len());
    assert!(error.contains(&expected), "{error}");
    let whole: Vec<_> = text.lines().map(|line| line.as_bytes()[20..].to_vec()).take(frames.len()).collect();
    assert!(frames.iter().map(|(_, frame)| frame).eq(&whole));
    assert_eq!(recording.malformed(), 0, "the line that is cut is no line");
}

#[test]
fn truncation_by_one_byte_is_seen_though_no_frame_is_lost() {
    let packed = gzip(lines(100).as_bytes());
    let (_, frames, error) = drain_file("spot-btcusdt-20240808.gz", &packed[..packed.len() - 1]);
    assert_eq!(frames.len(), 100);
    assert!(error.is_some_and(|error| error.contains("after 100 lines")));
}

#[test]
fn a_file_cut_before_its_first_line_is_refused_at_once() {
    let packed = gzip(lines(100).as_bytes());
    assert!(
        refusal_of("spot-btcusdt-20240808.gz", &packed[..12])
            .contains("after 0 lines: the file is truncated")
    );
}

#[test]
fn a_wrong_checksum_is_seen_after_the_last_frame() {
    let mut packed = gzip(lines(100).as_bytes());
    let at = packed.len() - 7;
    packed[at] ^= 0x10;
    let (_, frames, error) = drain_file("spot-btcusdt-20240808.gz", &packed);
    assert_eq!(frames.len(), 100);
    assert!(error.is_some_and(|error| error.contains("gzip stream is corrupt after 100 lines")));
}

#[test]
fn corruption_anywhere_is_an_error_or_no_difference_and_never_a_panic() {
    let text = lines(300);
    let packed = gzip(text.as_bytes());
    for at in 0..packed.len() {
        let mut bad = packed.clone();
        bad[at] ^= 0x55;
        let directory = directory();
        let path = directory.path().join("spot-btcusdt-20240808.gz");
        fs::write(&path, &bad).expect("can be written");
        let Ok(mut recording) = open(&[&path]) else { continue };
        let (frames, error) = drain(&mut recording);
        // Of the header only flags, time, level and system may change unseen: bytes 3 to 9.
        assert!(error.is_some() || ((3..10).contains(&at) && frames.len() == 300), "byte {at}");
    }
}

#[test]
fn an_error_does_not_turn_into_an_end_when_asked_again() {
    let packed = gzip(lines(10).as_bytes());
    let directory = directory();
    let path = directory.path().join("spot-btcusdt-20240808.gz");
    fs::write(&path, &packed[..packed.len() - 3]).expect("can be written");
    let mut recording = open(&[&path]).expect("begins well");
    assert!(drain(&mut recording).1.is_some());
    assert!(recording.next_frame().is_err());
}

#[test]
fn concatenated_gzip_files_and_plain_text_are_read_whole() {
    let text = lines(1_000);
    let (one, two) = text.as_bytes().split_at(text.len() / 3);
    for content in [[gzip(one), gzip(two)].concat(), text.clone().into_bytes()] {
        let (recording, frames, error) = drain_file("spot-btcusdt-20240808.gz", &content);
        assert_eq!((frames.len(), error), (1_000, None));
        assert_eq!(recording.facts().bytes, text.len() as u64);
    }
}

#[test]
fn malformed_lines_are_counted_and_the_first_are_kept_with_their_place() {
    let mut text = lines(3);
    text.push_str(
        "\nnot a frame\n1723161253000000009\n1723161253000000009 {}\r\n1723161253000000010 \u{fffd}",
    );
    let (recording, frames, error) = drain_file("spot-btcusdt-20240808.gz", &gzip(text.as_bytes()));
    assert_eq!(error, None);
    let last: Vec<_> = frames[3..].iter().map(|(line, frame)| (*line, frame.as_slice())).collect();
    assert_eq!(last, [(7, b"{}".as_slice()), (8, "\u{fffd}".as_bytes())]);
    assert_eq!(recording.malformed(), 3);
    assert_eq!(recording.facts().lines, 8);
    let problems: Vec<_> = recording.problems().iter().map(|problem| (problem.line, problem.fault)).collect();
    assert_eq!(problems, [(4, LineFault::NoTime), (5, LineFault::NoTime), (6, LineFault::NoFrame)]);
    let text = recording.problems()[2].to_string();
    assert!(text.ends_with("spot-btcusdt-20240808.gz:6: has a receive time and no frame after it"), "{text}");
}

#[test]
fn a_flood_of_malformed_lines_is_counted_in_full_and_kept_in_part() {
    let text = format!("{}{}{}", lines(1), "x\n".repeat(500_000), lines(1));
    let (recording, frames, error) = drain_file("spot-btcusdt-20240808.gz", &gzip(text.as_bytes()));
    assert_eq!((frames.len(), error), (2, None));
    assert_eq!(recording.malformed(), 500_000);
    assert_eq!(recording.problems().len(), PROBLEMS_KEPT);
}

#[test]
fn bytes_that_are_not_utf8_pass_untouched() {
    let content = [format!("{START} ").as_bytes(), b"\xff\x00\xc3(", b"\n"].concat();
    let (recording, frames, _) = drain_file("spot-btcusdt-20240808.gz", &content);
    assert_eq!(frames, [(1, b"\xff\x00\xc3(".to_vec())]);
    assert_eq!(recording.malformed(), 0);
}

#[test]
fn the_writer_refuses_what_could_not_be_read_back() {
    let directory = directory();
    let path = directory.path().join("spot-btcusdt-20240808.gz");
    let mut writer = RecordingWriter::create(&path).expect("can be made");
    writer.write(Time(START), b"{}").expect("a good frame");
    for frame in [b"".as_slice(), b"{\n}", b"{}\r"] {
        assert!(matches!(writer.write(Time(START), frame), Err(WriteFault::Frame)));
    }
    for time in [0, 1_723_161_253_000, u64::MAX] {
        assert!(matches!(writer.write(Time(time), b"{}"), Err(WriteFault::Time(_))));
    }
    writer.finish().expect("can be closed");
    let (frames, error) = drain(&mut open(&[&path]).expect("a good recording"));
    assert_eq!(frames, [(1, b"{}".to_vec())]);
    assert!(error.is_none());
    let nowhere = directory.path().join("none").join("spot-btcusdt-20240808.gz");
    assert!(matches!(write_recording(&nowhere, []), Err(WriteFault::Io { .. })));
}
