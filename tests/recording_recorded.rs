//! The recorded session is read whole and in order.

#[path = "support/recordings.rs"]
mod recordings;

use algo_trader::history::recording::{Recording, RecordingOptions};
use algo_trader::net::FrameSource;
use std::path::PathBuf;

/// File name and lines, as counted by `gzip -dc FILE | wc -l`.
const FILES: [(&str, u64); 8] = [
    ("coinm-btcusd_perp-20240808.gz", 48_270),
    ("coinm-btcusd_perp-20240809.gz", 50_116),
    ("spot-btcusdt-20240808.gz", 41_249),
    ("spot-btcusdt-20240809.gz", 58_325),
    ("spot-ethusdt-20240808.gz", 33_618),
    ("spot-ethusdt-20240809.gz", 46_126),
    ("usdm-btcusdt-20240808.gz", 93_954),
    ("usdm-ethusdt-20240808.gz", 74_655),
];

/// Where the recorded session is; `None`, with a line that says so, where it is not.
fn recorded() -> Option<Vec<PathBuf>> {
    let folder = recordings::folder("binance-20240808")?;
    Some(FILES.iter().map(|(name, _)| folder.join(name)).collect())
}

#[test]
fn every_recorded_line_is_read_once_and_in_order_of_receive_time() {
    let Some(paths) = recorded() else { return };
    for readers in [1, 2] {
        let options = RecordingOptions { readers, ..RecordingOptions::default() };
        let mut recording = Recording::open(&paths, &options).expect("good recordings");
        let mut lines = [0u64; FILES.len()];
        let (mut last, mut bytes) = (0, 0);
        while let Some(frame) = recording.next_frame().expect("good files") {
            assert!(frame.received.0 >= last, "line {} of file {}", frame.line, frame.source.0);
            last = frame.received.0;
            let at = usize::from(frame.source.0);
            lines[at] += 1;
            assert_eq!(frame.line, lines[at], "lines of a file come in order, none left out");
            assert!(frame.bytes.starts_with(b"{") && frame.bytes.ends_with(b"}"));
            bytes += frame.bytes.len() as u64 + 21;
        }
        assert_eq!(lines, FILES.map(|(_, lines)| lines));
        assert_eq!(recording.facts().lines, 446_313);
        assert_eq!(recording.facts().bytes, bytes);
        assert_eq!((recording.malformed(), recording.backwards()), (0, 0));
    }
}
