//! How fast recordings are read, beside unpacking alone.
//!
//! Reads `$ALGO_TRADER_SHARED/binance-20240808` where it is there, else files it makes. Best of several rounds, all in
//! one run; the files are in the page cache after the first. Consumer cost is taken while batches wait, so that
//! waiting for the reader is not in it.

use algo_trader::domain::Time;
use algo_trader::history::recording::{Recording, RecordingOptions, write_recording};
use algo_trader::net::FrameSource;
use flate2::read::MultiGzDecoder;
use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let made = tempfile::tempdir()?;
    let shared = std::env::var_os("ALGO_TRADER_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let mut paths = gz_files(&shared.join("binance-20240808"));
    if paths.is_empty() {
        println!("no recorded data at {}: reading files made here", shared.display());
        paths = make_files(made.path())?;
    }

    let raw = best(|| gunzip(&paths));
    let (lines, bytes) = facts(&paths)?;
    println!("{} files, {lines} lines, {:.1} MB unpacked", paths.len(), bytes as f64 / 1e6);
    report("unpack only, one thread", raw, lines, bytes, raw);
    for readers in [1, 2] {
        let options = RecordingOptions { readers, ..RecordingOptions::default() };
        let took = best(|| drain(&paths, &options));
        report(&format!("recording, {readers} reader(s)"), took, lines, bytes, raw);
    }
    println!("time to first frame: {:.2} ms", best(|| first_frame(&paths)).as_secs_f64() * 1e3);
    let mut costs = consumer_ns(&paths)?;
    costs.sort_by(f64::total_cmp);
    let at = |share: f64| costs[((costs.len() - 1) as f64 * share) as usize];
    println!(
        "consumer: {:.1} ns a frame (median of {} spells), {:.1} at p95",
        at(0.5),
        costs.len(),
        at(0.95)
    );
    Ok(())
}

fn report(what: &str, took: Duration, lines: u64, bytes: u64, raw: Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "{what:<26} {:7.1} ms  {:5.2} M lines/s  {:6.0} MB/s  {:4.2} x unpacking alone",
        seconds * 1e3,
        lines as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6,
        seconds / raw.as_secs_f64(),
    );
}

fn best(mut round: impl FnMut() -> Result<u64, Box<dyn Error>>) -> Duration {
    let one = |_| {
        let start = Instant::now();
        black_box(round().expect("the files can be read"));
        start.elapsed()
    };
    (0..ROUNDS).map(one).min().unwrap_or_default()
}

fn gunzip(paths: &[PathBuf]) -> Result<u64, Box<dyn Error>> {
    let mut out = vec![0; 128 << 10];
    let mut bytes = 0;
    for path in paths {
        let mut unpacker = MultiGzDecoder::new(File::open(path)?);
        loop {
            match unpacker.read(&mut out)? {
                0 => break,
                n => bytes += n as u64,
            }
        }
    }
    Ok(bytes)
}

fn drain(paths: &[PathBuf], options: &RecordingOptions) -> Result<u64, Box<dyn Error>> {
    let mut recording = Recording::open(paths, options)?;
    let mut sum = 0;
    while let Some(frame) = recording.next_frame()? {
        sum += frame.received.0 ^ u64::from(frame.bytes[0]);
    }
    Ok(sum)
}

fn first_frame(paths: &[PathBuf]) -> Result<u64, Box<dyn Error>> {
    let mut recording = Recording::open(paths, &RecordingOptions::default())?;
    let frame = recording.next_frame()?;
    Ok(frame.map_or(0, |frame| frame.received.0))
}

fn facts(paths: &[PathBuf]) -> Result<(u64, u64), Box<dyn Error>> {
    let mut recording = Recording::open(paths, &RecordingOptions::default())?;
    while recording.next_frame()?.is_some() {}
    Ok((recording.facts().lines, recording.facts().bytes))
}

/// Nanoseconds a frame, one figure a spell of frames that were ready, first byte of each frame touched.
fn consumer_ns(paths: &[PathBuf]) -> Result<Vec<f64>, Box<dyn Error>> {
    const SPELL: usize = 2_000;
    let mut recording = Recording::open(paths, &RecordingOptions::default())?;
    let mut costs = Vec::new();
    loop {
        std::thread::sleep(Duration::from_millis(15));
        let start = Instant::now();
        for _ in 0..SPELL {
            let Some(frame) = recording.next_frame()? else { return Ok(costs) };
            black_box(frame.received.0 ^ u64::from(frame.bytes[0]));
        }
        costs.push(start.elapsed().as_nanos() as f64 / SPELL as f64);
    }
}

fn gz_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "gz"));
    paths.sort();
    paths
}

/// Eight files of 50,000 frames of some 300 bytes.
fn make_files(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let make = |file: u64| {
        let path = directory.join(format!("spot-made{file}-20240808.gz"));
        let frames: Vec<_> = (0..50_000u64)
            .map(|i| {
                let noise = (i * 8 + file).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let level =
                    format!("[\"{}.{:08}\",\"0.{:08}\"]", 60_000 + noise % 100, noise >> 40, noise >> 42);
                let levels = vec![level; 8].join(",");
                (
                    Time(1_723_161_253_000_000_000 + i * 1_000_000 + file),
                    format!("{{\"u\":{i},\"b\":[{levels}]}}"),
                )
            })
            .collect();
        write_recording(&path, frames.iter().map(|(time, frame)| (*time, frame.as_bytes())))?;
        Ok(path)
    };
    (0..8).map(make).collect()
}
