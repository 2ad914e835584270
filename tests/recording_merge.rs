//! The order of frames of several files: by receive time, then by the place of the file; the same for any readers.

use algo_trader::domain::{Market, Time};
use algo_trader::history::recording::{Recording, RecordingFacts, RecordingOptions, write_recording};
use algo_trader::net::{FrameSource, SourceError};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::tempdir;

const START: u64 = 1_723_161_253_000_000_000;

/// (receive time, source, line, frame).
type Row = (u64, u16, u64, Vec<u8>);

/// Writes one file for each list of (ns after `START`, frame); files are named for days in succession.
fn write(directory: &Path, files: &[Vec<(u64, Vec<u8>)>]) -> Vec<PathBuf> {
    let write = |(at, frames): (usize, &Vec<(u64, Vec<u8>)>)| {
        let path = directory.join(format!("spot-btcusdt-202408{:02}.gz", at + 1));
        let frames = frames.iter().map(|(time, frame)| (Time(START + time), frame.as_slice()));
        write_recording(&path, frames).expect("can be written");
        path
    };
    files.iter().enumerate().map(write).collect()
}

fn open(paths: &[PathBuf], readers: usize) -> Recording {
    let options = RecordingOptions { readers, ..RecordingOptions::default() };
    Recording::open(paths, &options).expect("good recordings")
}

fn drain(recording: &mut Recording) -> Result<Vec<Row>, SourceError> {
    let mut rows = Vec::new();
    while let Some(frame) = recording.next_frame()? {
        rows.push((frame.received.0 - START, frame.source.0, frame.line, frame.bytes.to_vec()));
    }
    Ok(rows)
}

/// The plain way: all rows, sorted by time; a stable sort keeps files and their lines in order.
fn naive(files: &[Vec<(u64, Vec<u8>)>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (source, frames) in (0..).zip(files) {
        rows.extend((1..).zip(frames).map(|(line, (time, frame))| (*time, source, line, frame.clone())));
    }
    rows.sort_by_key(|row| row.0);
    rows
}

/// `count` frames of up to `len_max` bytes at times that often meet those of other files.
fn frames(seed: u64, from: u64, count: u64, len_max: u64) -> Vec<(u64, Vec<u8>)> {
    let frame = |i: u64| {
        let noise = (seed * 1_000_003 + i).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        (from + i / 3 * 5, vec![b'a' + (noise % 26) as u8; 1 + (noise % len_max) as usize])
    };
    (0..count).map(frame).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn small_files_merge_as_a_stable_sort_would(
        files in prop::collection::vec(
            prop::collection::vec((0u64..30, "[ -~]{1,20}".prop_map(String::into_bytes)), 1..30),
            1..5,
        ),
        readers in 1usize..4,
    ) {
        let mut files = files;
        files.iter_mut().for_each(|frames| frames.sort_by_key(|frame| frame.0));
        let directory = tempdir().expect("a directory can be made");
        let mut recording = open(&write(directory.path(), &files), readers);
        prop_assert_eq!(drain(&mut recording).expect("good files"), naive(&files));
        prop_assert_eq!((recording.malformed(), recording.backwards()), (0, 0));
    }
}

#[test]
fn files_of_many_chunks_merge_the_same_with_any_number_of_readers() {
    let files = [
        frames(1, 0, 9_000, 700),
        frames(2, 3, 9_000, 300),
        // Begins when the first ends, as the next day's file does.
        frames(3, 14_995, 3_000, 700),
        // One frame far over the size of a chunk and of a batch.
        vec![(7_000, vec![b'z'; 3_000_000])],
    ];
    let directory = tempdir().expect("a directory can be made");
    let paths = write(directory.path(), &files);
    let expected = naive(&files);
    for readers in [0, 1, 2, 5] {
        let mut recording = open(&paths, readers);
        assert!(drain(&mut recording).expect("good files") == expected, "{readers} readers");
        let lines = expected.len() as u64;
        let bytes = expected.iter().map(|row| row.3.len() as u64 + 21).sum();
        let RecordingFacts { files, packed_bytes, .. } = recording.facts();
        assert_eq!(recording.facts(), RecordingFacts { files: 4, packed_bytes, lines, bytes });
        assert_eq!(files, paths.len());
        assert_eq!(
            packed_bytes,
            paths.iter().map(|path| path.metadata().expect("is there").len()).sum::<u64>()
        );
    }
}

#[test]
fn sources_are_named_by_their_files() {
    let directory = tempdir().expect("a directory can be made");
    let path = directory.path().join("coinm-btcusd_perp-20240808.gz");
    write_recording(&path, [(Time(START), b"{}".as_slice())]).expect("can be written");
    let recording = open(std::slice::from_ref(&path), 1);
    let [source] = recording.sources() else { panic!("one file, one source") };
    assert_eq!(source.name, path.display().to_string());
    assert_eq!((source.venue.as_str(), source.market), ("binance", Market::CoinM));
    assert_eq!(source.symbol.as_deref(), Some("BTCUSD_PERP"));
}

#[test]
fn times_that_go_backwards_are_counted_and_keep_the_files_order() {
    let text = |bytes: &[u8]| bytes.to_vec();
    let files = [
        vec![(10, text(b"a")), (30, text(b"b")), (5, text(b"c")), (30, text(b"d"))],
        vec![(20, text(b"e")), (30, text(b"f"))],
    ];
    let directory = tempdir().expect("a directory can be made");
    let mut recording = open(&write(directory.path(), &files), 1);
    let order: Vec<_> = drain(&mut recording).expect("good files").into_iter().map(|row| row.3).collect();
    assert_eq!(order.concat(), b"aebcdf");
    assert_eq!(recording.backwards(), 1);
}

#[test]
fn a_file_is_told_broken_where_its_frames_end_not_before() {
    let directory = tempdir().expect("a directory can be made");
    let files = [frames(1, 0, 100, 9), frames(2, 0, 40, 9)];
    let paths = write(directory.path(), &files);
    let packed = std::fs::read(&paths[1]).expect("was written");
    std::fs::write(&paths[1], &packed[..packed.len() - 4]).expect("can be written");
    let mut recording = open(&paths, 1);
    let mut count = 0;
    let error = loop {
        match recording.next_frame() {
            Ok(Some(_)) => count += 1,
            Ok(None) => panic!("the second file is cut"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("20240802") && error.contains("after 40 lines"), "{error}");
    let last = files[1][39].0;
    assert_eq!(count, 40 + files[0].iter().filter(|frame| frame.0 <= last).count());
}

#[test]
fn dropping_a_recording_at_any_moment_ends_at_once() {
    let directory = tempdir().expect("a directory can be made");
    let paths = write(directory.path(), &[frames(1, 0, 30_000, 900), frames(2, 0, 30_000, 900)]);
    for readers in [1, 3] {
        for taken in [0, 1, 1_000, 20_000] {
            for wait_ms in [0, 30] {
                let dropped_in = || {
                    let mut recording = open(&paths, readers);
                    for _ in 0..taken {
                        assert!(recording.next_frame().expect("good files").is_some());
                    }
                    // After the wait the reader waits for room; without it is at work.
                    std::thread::sleep(Duration::from_millis(wait_ms));
                    let start = Instant::now();
                    drop(recording);
                    start.elapsed()
                };
                // A machine that has no time now may have it later.
                let at_once = (0..5).any(|_| dropped_in() < Duration::from_secs(1));
                assert!(at_once, "{readers} readers, {taken} taken");
            }
        }
    }
}
