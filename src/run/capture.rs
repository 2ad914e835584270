//! Capturing again: frames that were recorded into other files, to convert, cut or merge them. Live streams:
//! `run/live/capture.rs`.

use super::interrupt::Interrupt;
use crate::domain::Time;
use crate::history::capture::{Capture, CaptureCounts, CaptureReport};
use crate::net::{FrameSource, SourceError};
use std::time::{Duration, Instant};

/// Frames between two looks at the clock and the interrupt, while they come without a pause.
const LOOK_FRAMES: u64 = 256;

/// What is captured, and until when.
#[derive(Default)]
pub struct CaptureRun {
    /// Frames received before this are left out.
    pub from: Option<Time>,
    /// Frames received then or later are left out.
    pub until: Option<Time>,
    /// Ends after this long.
    pub seconds: Option<u64>,
    /// Stop at the first error of the disk: for sources that can be read again.
    pub stop_on_error: bool,
    /// Ends the capture cleanly.
    pub interrupt: Interrupt,
    /// Called now and then, to show progress.
    pub progress: Option<Box<dyn FnMut(CaptureCounts) + Send>>,
}

/// How a capture went.
#[derive(Debug)]
pub struct Captured {
    /// What was written and what was lost.
    pub report: CaptureReport,
    /// Frames outside of the wanted times.
    pub left_out: u64,
    /// Why the source could not go on.
    pub source_error: Option<SourceError>,
    /// Whether it was ended by a signal.
    pub interrupted: bool,
    /// Whether it stopped at an error of the disk: what the source still had was not read, and is in no count.
    pub stopped: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// Captures until the source ends or cannot go on, the time is over, or a signal comes; always closes the files.
pub fn capture_frames(source: &mut dyn FrameSource, mut capture: Capture, mut run: CaptureRun) -> Captured {
    let begun = Instant::now();
    let (from, until) = (run.from.unwrap_or(Time(0)), run.until.unwrap_or(Time(u64::MAX)));
    let (mut polled, mut left_out, mut source_error) = (0u64, 0, None);
    let (mut interrupted, mut stopped) = (false, false);
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => {
                polled += 1;
                if (from..until).contains(&frame.received) {
                    // Counted as lost where it is.
                    let _ = capture.push(frame.source, frame.received, frame.bytes);
                } else {
                    left_out += 1;
                }
                if !polled.is_multiple_of(LOOK_FRAMES) {
                    continue;
                }
            }
            Ok(None) => break,
            Err(error) => {
                source_error = Some(error);
                break;
            }
        }
        interrupted = run.interrupt.is_raised();
        let over = run.seconds.is_some_and(|seconds| begun.elapsed().as_secs() >= seconds);
        let counts = capture.counts();
        if let Some(progress) = &mut run.progress {
            progress(counts);
        }
        stopped = run.stop_on_error && counts.errors > 0;
        if interrupted || over || stopped {
            break;
        }
    }
    let report = capture.finish();
    Captured { report, left_out, source_error, interrupted, stopped, elapsed: begun.elapsed() }
}
