//! One source's files: the block being filled, the file being written, and when another begins.
//!
//! Owns: a source's open file and its name. Invariants: a file holds whole blocks, also after a write that failed;
//! another file begins only with a frame that is not older than any before it, so that the files of a source do not
//! overlap in time and are merged back in the order of their frames.

use super::counts::{Shared, add};
use super::manifest::{FileEntry, ManifestWriter};
use super::{CaptureOptions, Fsync};
use crate::domain::Time;
use crate::history::recording::block::BlockPacker;
use crate::history::recording::{CapturePart, LINE_BYTES_MAX, RecordingName};
use crate::net::SourceInfo;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

/// Receive times are written with this many digits.
const TIMES: std::ops::Range<u64> = 10u64.pow(18)..10u64.pow(19);
/// Of a line that are not the frame: receive time, space, line end.
const LINE_EXTRA_BYTES: usize = 21;

/// What all sources write through.
pub(super) struct Output {
    pub(super) options: CaptureOptions,
    pub(super) session: Time,
    pub(super) packer: BlockPacker,
    pub(super) manifest: ManifestWriter,
    pub(super) shared: Arc<Shared>,
}

/// See the module.
pub(super) struct SourceFiles {
    info: SourceInfo,
    /// Lines of the block being filled, how many, and when the first of them was received and came.
    text: Vec<u8>,
    frames: u64,
    first: Time,
    begun: Instant,
    /// The latest receive time of all.
    latest: Time,
    /// A frame received then or later begins another file.
    window_end: Time,
    number: u32,
    open: Option<OpenFile>,
}

struct OpenFile {
    path: PathBuf,
    file: File,
    sha256: Sha256,
    entry: FileEntry,
}

impl SourceFiles {
    pub(super) fn new(info: &SourceInfo) -> Self {
        Self {
            info: info.clone(),
            text: Vec::new(),
            frames: 0,
            first: Time(0),
            begun: Instant::now(),
            latest: Time(0),
            window_end: Time(0),
            number: 0,
            open: None,
        }
    }

    /// Whether frames of `info` belong into these files.
    pub(super) fn is_of(&self, info: &SourceInfo) -> bool {
        (&self.info.venue, self.info.market, &self.info.symbol) == (&info.venue, info.market, &info.symbol)
    }

    /// Adds a frame, given in two parts.
    pub(super) fn add(&mut self, received: Time, frame: [&[u8]; 2], out: &mut Output) {
        if !is_line(received, frame) {
            return add(&out.shared.refused, 1);
        }
        let line = LINE_EXTRA_BYTES + frame[0].len() + frame[1].len();
        let age = u64::try_from(out.options.block_age.as_nanos()).unwrap_or(u64::MAX);
        let full = self.text.len() + line > out.options.block_bytes;
        if self.frames > 0 && (full || received.since(self.first) >= age) {
            self.write_block(out);
        }
        if received >= self.latest && self.wants_new_file(received, out) {
            self.close(out);
        }
        if self.frames == 0 {
            (self.first, self.begun) = (received, Instant::now());
            if self.open.is_none() {
                self.window_end = window_end(received, out.options.rotate_every.as_nanos());
            }
        }
        self.latest = self.latest.max(received);
        self.frames += 1;
        // Writing to memory cannot fail.
        let _ = write!(self.text, "{} ", received.0);
        self.text.extend_from_slice(frame[0]);
        self.text.extend_from_slice(frame[1]);
        self.text.push(b'\n');
    }

    fn wants_new_file(&self, received: Time, out: &Output) -> bool {
        let packed = self.open.as_ref().map_or(0, |open| open.entry.packed_bytes);
        let begun = self.frames > 0 || self.open.is_some();
        begun && (received >= self.window_end || packed >= out.options.file_bytes_max)
    }

    /// Writes the block being filled if it has waited long enough.
    pub(super) fn tick(&mut self, out: &mut Output) {
        if self.frames > 0 && self.begun.elapsed() >= out.options.block_age {
            self.write_block(out);
        }
    }

    fn write_block(&mut self, out: &mut Output) {
        let (frames, text_bytes) = (self.frames, self.text.len() as u64);
        match self.try_write_block(out) {
            Ok(packed_bytes) => {
                let shared = &out.shared;
                let count = |counter: &AtomicU64, n| add(counter, n);
                count(&shared.blocks, 1);
                count(&shared.written, frames);
                count(&shared.text_bytes, text_bytes);
                count(&shared.packed_bytes, packed_bytes);
            }
            Err((path, error)) => {
                add(&out.shared.lost_on_disk, frames);
                out.shared.fail(io_message(&path, &error));
                self.go_back();
            }
        }
        self.text.clear();
        // Room grown for one long frame is not kept.
        self.text.shrink_to(2 * out.options.block_bytes);
        self.frames = 0;
    }

    fn try_write_block(&mut self, out: &mut Output) -> Result<u64, (PathBuf, io::Error)> {
        if self.open.is_none() {
            self.open_file(out)?;
        }
        let packed = out.packer.pack(&self.text);
        let Some(open) = &mut self.open else { return Ok(0) };
        // One call: a process killed before or after it leaves whole blocks.
        let mut written = open.file.write_all(packed);
        if written.is_ok() && out.options.fsync == Fsync::Block {
            written = open.file.sync_data();
        }
        written.map_err(|error| (open.path.clone(), error))?;
        open.sha256.update(packed);
        let entry = &mut open.entry;
        if entry.blocks == 0 {
            entry.first = self.first.0;
        }
        entry.last = self.latest.0;
        entry.blocks += 1;
        entry.frames += self.frames;
        entry.text_bytes += self.text.len() as u64;
        entry.packed_bytes += packed.len() as u64;
        Ok(packed.len() as u64)
    }

    fn open_file(&mut self, out: &Output) -> Result<(), (PathBuf, io::Error)> {
        let dir = &out.options.dir;
        let moment = jiff::Timestamp::from_nanosecond(self.first.0.into()).unwrap_or_default();
        let moment = jiff::tz::Offset::UTC.to_datetime(moment);
        loop {
            self.number += 1;
            let name = RecordingName {
                market: self.info.market,
                symbol: self.info.symbol.clone(),
                date: moment.date(),
                part: Some(CapturePart { time: moment.time(), number: self.number }),
            };
            let path = dir.join(name.to_string());
            // Never over a file that is there: another session's, say.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let entry = FileEntry {
                        file: name.to_string(),
                        session: out.session.0,
                        venue: self.info.venue.clone(),
                        market: self.info.market,
                        symbol: self.info.symbol.clone(),
                        frames: 0,
                        first: 0,
                        last: 0,
                        blocks: 0,
                        text_bytes: 0,
                        packed_bytes: 0,
                        sha256: String::new(),
                    };
                    self.open = Some(OpenFile { path, file, sha256: Sha256::new(), entry });
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err((path, error)),
            }
        }
    }

    /// After a write that failed: takes off what was written of the block, so that the file is whole again.
    fn go_back(&mut self) {
        let Some(open) = &mut self.open else { return };
        let good = open.entry.packed_bytes;
        let back = open.file.set_len(good).and_then(|()| open.file.seek(SeekFrom::Start(good)));
        if back.is_err() {
            // Left with a torn block at its end, which readers know; it is in no manifest.
            self.open = None;
        }
    }

    /// Writes the block being filled and closes the file.
    pub(super) fn close(&mut self, out: &mut Output) {
        if self.frames > 0 {
            self.write_block(out);
        }
        let Some(OpenFile { path, file, sha256, mut entry }) = self.open.take() else { return };
        if entry.blocks == 0 {
            // Its first block could not be written. If it stays, it is a file without a frame.
            let _ = fs::remove_file(&path);
            return;
        }
        let sync = out.options.fsync != Fsync::Never;
        if sync && let Err(error) = file.sync_all() {
            out.shared.fail(io_message(&path, &error));
        }
        for byte in sha256.finalize() {
            let _ = write!(entry.sha256, "{byte:02x}");
        }
        match out.manifest.add_file(entry, sync) {
            Ok(()) => add(&out.shared.files, 1),
            Err(error) => out.shared.fail(io_message(&out.manifest.path, &error)),
        }
    }
}

/// Whether the frame comes back from a line as it went in.
fn is_line(received: Time, frame: [&[u8]; 2]) -> bool {
    let bytes = frame[0].len() + frame[1].len();
    let last = frame[1].last().or(frame[0].last());
    let is_one_line = frame.iter().all(|part| memchr::memchr(b'\n', part).is_none());
    TIMES.contains(&received.0)
        && is_one_line
        && bytes <= LINE_BYTES_MAX - LINE_EXTRA_BYTES
        && last.is_some_and(|&byte| byte != b'\r')
}

/// The next multiple of `every` after `received`; never for zero.
fn window_end(received: Time, every: u128) -> Time {
    match u64::try_from(every) {
        Ok(every) if every > 0 => Time(received.0 - received.0 % every).plus_nanos(every),
        _ => Time(u64::MAX),
    }
}

pub(super) fn io_message(path: &std::path::Path, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "; what was written before is whole; frames are lost until there is room: free some, or capture elsewhere"
        }
        ErrorKind::PermissionDenied => "; give the directory to this user, or capture elsewhere",
        _ => "",
    };
    format!("{}: {error}{advice}", path.display())
}
