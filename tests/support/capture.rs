//! What tests of captures share: sources, frames, and reading back.

#![allow(dead_code, reason = "each user takes a part")]

use super::frames;
use algo_trader::domain::{Market, Time};
use algo_trader::history::capture::{Capture, CaptureOptions, CaptureReport, WhenFull};
use algo_trader::history::{Recording, RecordingOptions};
use algo_trader::net::{FrameSource, SourceId, SourceInfo};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// 2024-08-08T23:54:13Z.
pub const START: u64 = 1_723_161_253_000_000_000;
pub const SECOND: u64 = 1_000_000_000;

/// Receive time and frame.
pub type Row = (u64, Vec<u8>);

pub fn sources() -> Vec<SourceInfo> {
    vec![
        frames::source("a", Market::Spot, Some("BTCUSDT")),
        frames::source("b", Market::CoinM, Some("BTCUSD_PERP")),
        frames::source("streams", Market::UsdM, None),
    ]
}

pub fn options(dir: &Path) -> CaptureOptions {
    CaptureOptions { when_full: WhenFull::Wait, block_bytes: 8 << 10, ..CaptureOptions::new(dir.into()) }
}

pub fn frame(n: u64) -> Vec<u8> {
    format!("{{\"u\":{n},\"noise\":\"{:016x}\"}}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes()
}

/// Captures `rows` with their sources.
pub fn capture(options: &CaptureOptions, rows: impl IntoIterator<Item = (u16, Row)>) -> CaptureReport {
    let mut capture = Capture::start(&sources(), options).expect("a capture starts");
    for (source, (received, frame)) in rows {
        assert!(capture.push(SourceId(source), Time(received), &frame), "room is waited for");
    }
    capture.finish()
}

pub fn files(dir: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(dir).expect("the directory is there").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "gz")).collect();
    files.sort();
    files
}

/// All frames of `paths`, merged, by (market, symbol), and the count of torn files.
pub fn read(paths: &[PathBuf]) -> (Vec<(Market, Option<String>, Row)>, u64) {
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

pub fn rows_of(paths: &[PathBuf]) -> Vec<Row> {
    read(paths).0.into_iter().map(|(_, _, row)| row).collect()
}

pub fn program(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_algo-trader")).args(args).output().expect("the program starts")
}

pub fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    text
}
