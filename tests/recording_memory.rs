//! Memory of reading stays bounded. Alone in its file: it measures the whole process, one step after the other.

use algo_trader::domain::Time;
use algo_trader::history::recording::{LINE_BYTES_MAX, Recording, RecordingOptions, RecordingWriter};
use algo_trader::net::FrameSource;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

const START: u64 = 1_723_161_253_000_000_000;
const MB: u64 = 1_000_000;

/// The most memory the process ever had, bytes.
fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok().map(|kb: u64| kb * 1024)
}

fn drain(paths: &[PathBuf], readers: usize) -> (u64, u64) {
    let options = RecordingOptions { readers, ..RecordingOptions::default() };
    let mut recording = Recording::open(paths, &options).expect("good recordings");
    let mut frames = 0;
    while recording.next_frame().expect("good files").is_some() {
        frames += 1;
    }
    (frames, recording.malformed())
}

/// 40,000 frames of 250 bytes: 10 MB.
fn ordinary_file(directory: &Path, at: u64) -> PathBuf {
    let path = directory.join(format!("spot-coin{at}-20240808.gz"));
    let mut writer = RecordingWriter::create(&path).expect("can be made");
    for i in 0..40_000 {
        writer.write(Time(START + i * 1000 + at), &[b'x'; 250]).expect("a good frame");
    }
    writer.finish().expect("can be closed");
    path
}

/// A line of 200 MB between two frames.
fn file_with_a_giant_line(directory: &Path) -> PathBuf {
    let path = directory.join("spot-giant-20240808.gz");
    let mut out = GzEncoder::new(File::create(&path).expect("can be made"), Compression::fast());
    let piece = vec![b'y'; 1 << 20];
    write!(out, "{START} first\n{START} ").expect("can be written");
    (0..200).for_each(|_| out.write_all(&piece).expect("can be written"));
    write!(out, "\n{START} last\n").expect("can be written");
    out.finish().expect("can be closed");
    path
}

#[test]
fn eight_files_take_under_40_mb_and_a_giant_line_no_more_than_the_limit() {
    let Some(_) = peak_bytes() else {
        println!("SKIPPED: /proc/self/status has no VmHWM here");
        return;
    };
    let directory = tempdir().expect("a directory can be made");
    let eight: Vec<_> = (0..8).map(|at| ordinary_file(directory.path(), at)).collect();
    let giant = file_with_a_giant_line(directory.path());
    let before = peak_bytes().unwrap_or(0);

    for readers in [1, 4] {
        assert_eq!(drain(&eight, readers), (320_000, 0));
    }
    let taken = peak_bytes().unwrap_or(u64::MAX) - before;
    println!("eight files: {:.1} MB", taken as f64 / MB as f64);
    assert!(taken < 40 * MB, "eight files took {taken} bytes");

    assert_eq!(drain(&[giant], 1), (2, 1));
    let taken = peak_bytes().unwrap_or(u64::MAX) - before;
    println!("with a giant line: {:.1} MB", taken as f64 / MB as f64);
    assert!(taken < 2 * LINE_BYTES_MAX as u64, "a line of 200 MB took {taken} bytes");
}
