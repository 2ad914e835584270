//! What a capture costs: the push on the receiving thread, and frames a second to disk beside a bare gzip writer.
//!
//! The bare writer packs the same lines, at the same level, on one thread, into one gzip stream a source, and does
//! nothing else: no blocks, no checksums of files, no queue. Reads `$ALGO_TRADER_SHARED/binance-20240808` where it is
//! there, else makes frames of that size. Rounds take turns; the median of their ratios is the figure.

#[path = "../tests/support/frames.rs"]
mod frames;
#[path = "support.rs"]
mod support;

use algo_trader::domain::{Market, Time};
use algo_trader::history::capture::{Capture, CaptureOptions, WhenFull};
use algo_trader::net::{SourceId, SourceInfo};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// What the capture may take of the bare writer's time.
const TARGET: f64 = 1.2;

/// Receive time, source and frame, in the order of receiving.
type Row = (u64, u16, Vec<u8>);

fn main() {
    let rounds = support::number("--rounds", 5);
    let level = CaptureOptions::new("x".into()).level;
    let (sources, rows) = input();
    let bytes: usize = rows.iter().map(|row| row.2.len() + 21).sum();
    println!("{}", support::host());
    println!(
        "{} frames of {} sources, {:.1} MB of lines, level {level}",
        rows.len(),
        sources.len(),
        bytes as f64 / 1e6
    );
    let dir = tempfile::tempdir().expect("a directory");
    let (mut ratio, mut bare, mut captured) =
        <(support::Rounds, support::Rounds, support::Rounds)>::default();
    for round in 0..=rounds {
        let one = bare_writer(&dir.path().join(format!("bare{round}")), sources.len(), &rows, level);
        let two = capture(&dir.path().join(format!("capture{round}")), &sources, &rows);
        // The first warms caches and the allocator.
        if round > 0 {
            bare.push(one.as_secs_f64());
            captured.push(two.as_secs_f64());
            ratio.push(two.as_secs_f64() / one.as_secs_f64());
        }
    }
    let rate = |seconds: f64| rows.len() as f64 / seconds / 1e6;
    println!("bare gzip writer        {:8.2} M frames/s", rate(bare.median()));
    println!("capture, queue to disk  {:8.2} M frames/s", rate(captured.median()));
    let figure = ratio.median();
    println!(
        "capture / bare          {figure:8.2}   (at most {TARGET}: {})",
        support::verdict(figure, TARGET)
    );
    push_cost(&dir.path().join("push"), &sources, &rows);
}

fn bare_writer(dir: &Path, sources: usize, rows: &[Row], level: u32) -> Duration {
    std::fs::create_dir(dir).expect("made");
    let begun = Instant::now();
    let mut writers: Vec<_> = (0..sources)
        .map(|n| {
            let file = File::create(dir.join(n.to_string())).expect("made");
            GzEncoder::new(BufWriter::new(file), Compression::new(level))
        })
        .collect();
    for (received, source, frame) in rows {
        let writer = &mut writers[usize::from(*source)];
        write!(writer, "{received} ").and_then(|()| writer.write_all(frame)).expect("written");
        writer.write_all(b"\n").expect("written");
    }
    for writer in writers {
        writer.finish().expect("written").flush().expect("written");
    }
    begun.elapsed()
}

fn capture(dir: &Path, sources: &[SourceInfo], rows: &[Row]) -> Duration {
    let options = CaptureOptions { when_full: WhenFull::Wait, ..CaptureOptions::new(dir.into()) };
    let begun = Instant::now();
    let mut capture = Capture::start(sources, &options).expect("starts");
    for (received, source, frame) in rows {
        capture.push(SourceId(*source), Time(*received), frame);
    }
    let report = capture.finish();
    assert!(report.is_complete() && report.counts.written == rows.len() as u64, "{report:?}");
    begun.elapsed()
}

/// Spells of frames that the queue has room for, with pauses in which the writer catches up.
fn push_cost(dir: &Path, sources: &[SourceInfo], rows: &[Row]) {
    const SPELL: usize = 1_000;
    let mut capture = Capture::start(sources, &CaptureOptions::new(dir.into())).expect("starts");
    let mut copy = Vec::with_capacity(1 << 20);
    let (mut pushed, mut copied) = (support::Rounds::default(), support::Rounds::default());
    for spell in rows.chunks_exact(SPELL).take(60) {
        std::thread::sleep(Duration::from_millis(20));
        let begun = Instant::now();
        for (received, source, frame) in spell {
            black_box(capture.push(SourceId(*source), Time(*received), frame));
        }
        pushed.push(begun.elapsed().as_nanos() as f64 / SPELL as f64);
        let begun = Instant::now();
        copy.clear();
        for (received, _, frame) in spell {
            copy.extend_from_slice(&received.to_le_bytes());
            copy.extend_from_slice(black_box(frame));
        }
        black_box(&copy);
        copied.push(begun.elapsed().as_nanos() as f64 / SPELL as f64);
    }
    let report = capture.finish();
    println!(
        "push, on the receiving thread: {:.0} ns a frame (median of spells; {:.0} at best); a bare copy of it {:.0} ns; \
         {} lost",
        pushed.median(),
        pushed.min(),
        copied.median(),
        report.counts.lost
    );
}

fn input() -> (Vec<SourceInfo>, Vec<Row>) {
    if let Some(recorded) = frames::recorded() {
        let mut rows: Vec<Row> = Vec::new();
        for (file, n) in recorded.iter().zip(0..) {
            rows.extend(file.timed_frames().map(|(time, frame)| (time, n, frame.to_vec())));
        }
        rows.sort_by_key(|row| row.0);
        return (recorded.iter().map(|file| file.source.clone()).collect(), rows);
    }
    let row = |n: u64| {
        let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let level = format!("[\"{}.{:08}\",\"0.{:08}\"]", 60_000 + noise % 100, noise >> 40, noise >> 42);
        let frame = format!("{{\"u\":{n},\"b\":[{}]}}", vec![level; 8].join(","));
        (1_723_161_253_000_000_000 + n * 1_000, (n % 4) as u16, frame.into_bytes())
    };
    let symbols = ["BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT"];
    let sources = symbols.map(|symbol| frames::source(symbol, Market::Spot, Some(symbol)));
    (sources.into(), (0..300_000).map(row).collect())
}
