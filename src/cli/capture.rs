//! `algo-trader capture`: raw frames into files, and whether the files are what was written.

use super::logging::start_log;
use super::output::grouped;
use super::replay::load;
use super::{Outcome, in_the_way};
use crate::domain::Time;
use crate::history::capture::{
    Capture, CaptureCounts, CaptureOptions, FileState, Fsync, Verification, WhenFull, verify,
};
use crate::history::{Recording, RecordingOptions};
use crate::net::FrameSource;
use crate::run::interrupt::Interrupt;
use crate::run::{CaptureRun, Captured, Config, LiveCapture, LiveError, capture_frames, capture_live};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  algo-trader capture --config config/binance-paper.toml --out captures/today --seconds 3600
  algo-trader capture --from recordings/*.gz --out cut --from-time 2024-08-08T23:59:00Z --until-time 2024-08-09T00:01:00Z
  algo-trader capture verify captures/today
  algo-trader replay captures/today/*.gz
  zcat captures/today/usdm-*.gz | grep '\"trade\"'

Recordings given with --from are merged by receive time and written as a capture: to convert them, to cut out a time \
range, to put many files into few. A range that begins after a book's snapshot has no snapshot of that book."
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Configuration file: what to connect to, and the log
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Capture these recordings instead of a venue's streams
    #[arg(long, value_name = "PATH", num_args = 1..)]
    from: Vec<PathBuf>,
    /// The directory to write into; made where it is not there, added to where it is
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// End after so many seconds; until Ctrl-C where not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// Leave out frames received before this: 2024-08-08T23:59:00Z, or ns since 1970
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from_time: Option<Time>,
    /// Leave out frames received then or later
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until_time: Option<Time>,
    /// A source gets a new file once its file has so many packed megabytes
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    max_file_mb: u64,
    /// A source gets a new file at each multiple of so many minutes, UTC; 0: by size only
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    rotate_minutes: u64,
    /// Write a block after so many kilobytes of lines ...
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u64).range(4..=16_384))]
    block_kb: u64,
    /// ... or after so many milliseconds: what a kill may cost
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    block_ms: u64,
    /// Megabytes of the queue between receiving and writing
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1_024))]
    queue_mb: u64,
    /// Wait for room while the queue is full, instead of losing frames; recordings always wait
    #[arg(long)]
    backpressure: bool,
    /// When blocks are forced to the disk: never, file (when one is closed), block
    #[arg(long, value_name = "WHEN", default_value = "never", value_parser = parse_fsync)]
    fsync: Fsync,
    /// How hard blocks are packed, 1 (quick) to 9 (small)
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    level: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Reads every file of a captured directory and compares it with the manifest
    Verify {
        /// The directory
        dir: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn parse_time(text: &str) -> Result<Time, String> {
    if let (19, Ok(nanos)) = (text.len(), text.parse()) {
        return Ok(Time(nanos));
    }
    crate::run::config::parse_time(text).ok_or_else(|| {
        "expected a day or a moment, UTC, such as 2024-08-08 or 2024-08-08T23:59:00Z, or 19 digits of ns since 1970".into()
    })
}

fn parse_fsync(text: &str) -> Result<Fsync, String> {
    let found = Fsync::ALL.iter().find(|(name, _)| *name == text);
    found.map(|(_, fsync)| *fsync).ok_or_else(|| "expected never, file or block".into())
}

impl Args {
    fn options(&self, out: &Path) -> CaptureOptions {
        let wait = self.backpressure || !self.from.is_empty();
        CaptureOptions {
            block_bytes: (self.block_kb as usize) << 10,
            block_age: Duration::from_millis(self.block_ms),
            file_bytes_max: self.max_file_mb * 1_000_000,
            rotate_every: Duration::from_secs(self.rotate_minutes * 60),
            queue_bytes: (self.queue_mb as usize) << 20,
            when_full: if wait { WhenFull::Wait } else { WhenFull::Lose },
            fsync: self.fsync,
            level: self.level,
            ..CaptureOptions::new(out.to_owned())
        }
    }
}

pub fn run(args: Args) -> Outcome {
    if let Some(Command::Verify { dir, json }) = &args.command {
        return run_verify(dir, *json);
    }
    // Required by the command line where there is no subcommand.
    let Some(out) = args.out.clone() else { return Outcome::BadUsage };
    if args.config.is_none() && args.from.is_empty() {
        eprintln!(
            "what to capture is said by a configuration (--config config/binance-paper.toml), or recordings are given (--from)"
        );
        return Outcome::BadUsage;
    }
    let config = match load(args.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    start_log(&config, "capture");
    if let Err(outcome) = in_the_way::directory(&out, "the capture") {
        return outcome;
    }
    let interrupt = Interrupt::install().unwrap_or_default();
    let failed = |error: &dyn std::fmt::Display| {
        eprintln!("{error}");
        Outcome::Failed
    };
    if args.from.is_empty() {
        return live(&args, &out, &config, interrupt);
    }
    let mut recording = match Recording::open(&args.from, &RecordingOptions::default()) {
        Ok(recording) => recording,
        Err(error) => return failed(&error),
    };
    let outcome = capture(&args, &out, &mut recording, interrupt);
    for problem in recording.problems() {
        eprintln!("{problem}");
    }
    outcome
}

fn capture(args: &Args, out: &Path, source: &mut dyn FrameSource, interrupt: Interrupt) -> Outcome {
    if let (Some(from), Some(until)) = (args.from_time, args.until_time)
        && until <= from
    {
        eprintln!("--until-time {until} must be later than --from-time {from}");
        return Outcome::BadUsage;
    }
    let capture = match Capture::start(source.sources(), &args.options(out)) {
        Ok(capture) => capture,
        Err(error) => {
            eprintln!("{error}");
            return Outcome::Failed;
        }
    };
    let run = CaptureRun {
        from: args.from_time,
        until: args.until_time,
        seconds: args.seconds,
        stop_on_error: !args.from.is_empty(),
        interrupt,
        progress: progress(),
    };
    let captured = capture_frames(source, capture, run);
    tell(args, out, &captured, None)
}

/// Captures the streams that the configuration names.
fn live(args: &Args, out: &Path, config: &Config, interrupt: Interrupt) -> Outcome {
    if args.from_time.is_some() || args.until_time.is_some() {
        eprintln!(
            "--from-time and --until-time cut recordings (--from); a live capture ends by --seconds or Ctrl-C"
        );
        return Outcome::BadUsage;
    }
    let options = LiveCapture {
        duration: args.seconds.map(Duration::from_secs),
        interrupt,
        progress: super::run::progress(),
    };
    match capture_live(config, &args.options(out), options) {
        Ok((captured, outcome, problem)) => {
            if !args.json {
                print!("{}", outcome.text());
            }
            match super::run::tell_silence(Some(&outcome), config) {
                Outcome::Done => tell(args, out, &captured, problem),
                failed => {
                    let written = captured.report.first_error.as_ref().map(ToString::to_string);
                    problem.iter().chain(&written).for_each(|problem| eprintln!("{problem}"));
                    if args.json {
                        println!("{:#}", to_json(&captured));
                    }
                    failed
                }
            }
        }
        Err(error) => {
            eprintln!("{error}");
            match error {
                LiveError::Tls(_) | LiveError::Nothing(_) => Outcome::BadUsage,
                _ => Outcome::Failed,
            }
        }
    }
}

/// Says what was captured and what was lost; `problem` is why a live source ended.
fn tell(args: &Args, out: &Path, captured: &Captured, problem: Option<String>) -> Outcome {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    if let Some(error) = &captured.source_error {
        eprintln!("{error}");
        eprintln!("what came until then is captured");
    }
    if let Some(problem) = &problem {
        eprintln!("{problem}");
        eprintln!("what came until then is captured");
    }
    if let Some(error) = &captured.report.first_error {
        eprintln!("{error}");
    }
    let lost = losses(&captured.report.counts, captured.stopped);
    if !lost.is_empty() {
        eprintln!("FRAMES ARE MISSING from {}: {}", out.display(), lost.join(", "));
    }
    if captured.stopped {
        eprintln!("it stopped there: what the recordings hold after it was not read");
    }
    if args.json {
        println!("{:#}", to_json(captured));
    } else {
        print_text(captured, out);
    }
    let complete = captured.report.is_complete() && captured.source_error.is_none() && problem.is_none();
    if complete { Outcome::Done } else { Outcome::Failed }
}

/// What is missing; of a capture that stopped there is more than was counted.
fn losses(counts: &CaptureCounts, stopped: bool) -> Vec<String> {
    let kinds = [
        (
            counts.lost,
            "lost since the queue was full (a larger --queue-mb, a lower --level, or a quicker disk)",
        ),
        (counts.lost_on_disk, "lost since they could not be written"),
        (counts.refused, "left out since they would not be one line, or their receive time is impossible"),
    ];
    let least = if stopped { "at least " } else { "" };
    kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{least}{n} {what}")).collect()
}

fn progress() -> Option<Box<dyn FnMut(CaptureCounts) + Send>> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let mut shown = Instant::now();
    Some(Box::new(move |counts| {
        if shown.elapsed().as_millis() >= 200 {
            shown = Instant::now();
            eprint!("\r\x1b[K{} frames, {:.1} MB written", counts.taken, counts.packed_bytes as f64 / 1e6);
        }
    }))
}

fn to_json(captured: &Captured) -> Value {
    let c = &captured.report.counts;
    json!({
        "frames": c.taken,
        "written": c.written,
        "lost": c.lost,
        "lost_on_disk": c.lost_on_disk,
        "refused": c.refused,
        "left_out": captured.left_out,
        "files": c.files,
        "blocks": c.blocks,
        "text_bytes": c.text_bytes,
        "packed_bytes": c.packed_bytes,
        "errors": c.errors,
        "first_error": captured.report.first_error,
        "interrupted": captured.interrupted,
        "stopped": captured.stopped,
        "elapsed_s": captured.elapsed.as_secs_f64(),
    })
}

fn print_text(captured: &Captured, out: &Path) {
    let c = &captured.report.counts;
    let seconds = captured.elapsed.as_secs_f64();
    println!(
        "{} frames in {} blocks in {} files in {}: {:.1} MB, packed from {:.1} MB, in {seconds:.1} s",
        c.written,
        c.blocks,
        c.files,
        out.display(),
        c.packed_bytes as f64 / 1e6,
        c.text_bytes as f64 / 1e6,
    );
    if captured.left_out > 0 {
        println!("{} frames outside of the given times left out", captured.left_out);
    }
    println!("next: algo-trader replay {0}/*.gz, algo-trader capture verify {0}", out.display());
}

fn run_verify(dir: &Path, as_json: bool) -> Outcome {
    let found = match verify(dir) {
        Ok(found) => found,
        Err(error) => {
            eprintln!("{error}");
            return Outcome::Failed;
        }
    };
    if as_json {
        println!("{:#}", verification_json(&found));
    } else {
        print_verification(&found);
    }
    if found.is_good() { Outcome::Done } else { Outcome::Failed }
}

fn state_text(state: &FileState) -> String {
    match state {
        FileState::Good => "good".into(),
        FileState::Open { torn_bytes: None } => "good, not closed: still being written, or cut".into(),
        FileState::Open { torn_bytes: Some(bytes) } => {
            format!("cut, readable to its last whole block ({bytes} bytes of another follow)")
        }
        FileState::Missing => "MISSING: it is in the manifest".into(),
        FileState::Changed { expected, found } => format!("CHANGED: SHA-256 is {found}, was {expected}"),
        FileState::Frames { expected } => {
            format!("DIFFERS: {expected} frames by the manifest, or other times")
        }
        FileState::Unreadable { problem } => format!("UNREADABLE: {problem}"),
    }
}

fn print_verification(found: &Verification) {
    for verdict in &found.files {
        println!("{:<48} {:>10} frames  {}", verdict.file, verdict.frames, state_text(&verdict.state));
    }
    if found.interruptions() > 0 {
        println!(
            "{} of these frames tell that an instrument's data was interrupted, by a connection that was lost or a book that \
             did not come; a replay does not trust its market from there to its next book",
            grouped(found.interruptions())
        );
    }
    let good = found.files.iter().filter(|verdict| verdict.state == FileState::Good).count();
    println!(
        "{} frames in {} files, {good} of them closed and as the manifest says; {} frames were lost while capturing{}",
        found.frames(),
        found.files.len(),
        found.lost(),
        if good == found.files.len() { "" } else { ", as far as the manifest knows" }
    );
    let missing = |session: u64, least: &str, lost: u64, errors: u64, first: Option<&String>| {
        let error = first.map_or(String::new(), |error| format!(", the first: {error}"));
        println!(
            "FRAMES ARE MISSING: the session of {} lost {least}{lost}; {errors} calls to the system failed{error}",
            Time(session),
        );
    };
    for s in found.sessions.iter().filter(|s| s.lost + s.errors > 0) {
        missing(s.session, "", s.lost, s.errors, s.first_error.as_ref());
    }
    for s in found.open_sessions.iter().filter(|s| s.lost + s.errors > 0) {
        missing(s.session, "at least ", s.lost, s.errors, s.first_error.as_ref());
    }
    for (at, s) in found.open_sessions.iter().enumerate() {
        if found.running && at + 1 == found.open_sessions.len() {
            println!("the session of {} is still running", Time(s.session));
        } else {
            println!(
                "the session of {} was cut: what came at its end, in the block being filled and the queue before it, is in no \
                 file, and how much that was is not known",
                Time(s.session)
            );
        }
    }
    for line in &found.cut_manifest_lines {
        println!("manifest.jsonl:{line}: was cut while it was written");
    }
    for line in &found.bad_manifest_lines {
        println!("manifest.jsonl:{line}: CHANGED: is not a line of a manifest");
    }
    let good = match (found.is_ended(), found.running) {
        (true, _) => "good",
        (false, true) => "good so far",
        (false, false) => "good up to where it was cut",
    };
    println!("{}", if found.is_good() { good } else { "NOT GOOD" });
}

fn verification_json(found: &Verification) -> Value {
    let state = |state: &FileState| match state {
        FileState::Good => "good",
        FileState::Open { .. } => "open",
        FileState::Missing => "missing",
        FileState::Changed { .. } => "changed",
        FileState::Frames { .. } => "frames",
        FileState::Unreadable { .. } => "unreadable",
    };
    let file = |v: &crate::history::capture::FileVerdict| json!({ "file": v.file, "frames": v.frames, "interruptions": v.interruptions, "state": state(&v.state), "detail": state_text(&v.state) });
    json!({
        "good": found.is_good(),
        "frames": found.frames(),
        "interruptions": found.interruptions(),
        "lost": found.lost(),
        "errors": found.errors(),
        "open_sessions": found.open_sessions.len(),
        "running": found.running,
        "cut_manifest_lines": found.cut_manifest_lines,
        "bad_manifest_lines": found.bad_manifest_lines,
        "files": found.files.iter().map(file).collect::<Vec<_>>(),
    })
}
