//! The manifest: `manifest.jsonl`, a line for each session that began or ended, for each file that was closed, and for
//! what a session lost so far.
//!
//! Owns: its format. Invariants: lines are only ever added, each with one call; one that could not be written whole is
//! taken off again; one process at a time adds, since two captures in one directory would each be good and their frames
//! there twice.

use super::fault::CaptureError;
use crate::domain::{Market, Time};
use crate::journal::LockedFile;
use nix::fcntl::{FallocateFlags, fallocate};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The manifest's file name.
pub const MANIFEST_NAME: &str = "manifest.jsonl";

/// A file that was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name in the directory.
    pub file: String,
    /// When its session was started, ns since 1970.
    pub session: u64,
    /// The venue whose frames these are.
    pub venue: String,
    /// The part of the venue.
    pub market: Market,
    /// The symbol of frames that name none.
    pub symbol: Option<String>,
    /// Frames in it.
    pub frames: u64,
    /// Receive time of its first frame.
    pub first: u64,
    /// The latest receive time in it.
    pub last: u64,
    /// Blocks in it.
    pub blocks: u64,
    /// Unpacked bytes.
    pub text_bytes: u64,
    /// Its size.
    pub packed_bytes: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

/// The end of a session: without this line it was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// When it was started, ns since 1970.
    pub session: u64,
    /// Files it closed.
    pub files: u64,
    /// Frames it wrote.
    pub frames: u64,
    /// Frames that were lost, in the queue or on the disk, or refused.
    pub lost: u64,
    /// Writes, and other calls to the system, that failed. Captures before it was kept have none.
    #[serde(default)]
    pub errors: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
}

/// What a session had lost when it wrote this: a killed one has no other line that tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LossEntry {
    /// When it was started, ns since 1970.
    pub session: u64,
    /// Frames that were lost, in the queue or on the disk, or refused.
    pub lost: u64,
    /// Writes, and other calls to the system, that failed.
    pub errors: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line {
    /// A session began. Captures before it was kept have none.
    Begin {
        session: u64,
    },
    File(FileEntry),
    Loss(LossEntry),
    End(SessionEntry),
}

/// What a manifest says.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub(super) files: Vec<FileEntry>,
    /// Sessions that ended.
    pub(super) sessions: Vec<SessionEntry>,
    /// Sessions that began, whether they ended or not.
    pub(super) begun: Vec<u64>,
    /// What was lost, the latest last.
    pub(super) losses: Vec<LossEntry>,
    /// Numbers of lines that were cut while they were written.
    pub(super) cut_lines: Vec<usize>,
    /// Numbers of other lines that say nothing: damaged.
    pub(super) bad_lines: Vec<usize>,
}

/// Adds to the manifest of a directory, which no other process captures into until this is dropped.
#[derive(Debug)]
pub(super) struct ManifestWriter {
    pub(super) path: PathBuf,
    file: LockedFile,
}

/// Room on the disk that is kept for what follows: a session that filled the disk can still say so.
const RESERVED_BYTES: i64 = 64 << 10;

impl ManifestWriter {
    pub(super) fn open(dir: &Path) -> Result<Self, CaptureError> {
        let path = dir.join(MANIFEST_NAME);
        let io = |error| CaptureError::Io { path: path.display().to_string(), error };
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(io)?;
        let mut file = LockedFile::unless_held(file)
            .ok_or_else(|| CaptureError::Busy { path: dir.display().to_string() })?;
        let mut begin = || {
            // A line that a killed process left unfinished must not swallow the next one.
            if file.seek(SeekFrom::End(0))? > 0 {
                file.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    file.write_all(b"\n")?;
                }
            }
            reserve(&file);
            Ok(())
        };
        begin().map_err(io)?;
        Ok(Self { path, file })
    }

    pub(super) fn add_begin(&mut self, session: Time, sync: bool) -> io::Result<()> {
        self.add(&Line::Begin { session: session.0 }, sync)
    }

    pub(super) fn add_loss(&mut self, entry: LossEntry, sync: bool) -> io::Result<()> {
        self.add(&Line::Loss(entry), sync)
    }

    pub(super) fn add_file(&mut self, entry: FileEntry, sync: bool) -> io::Result<()> {
        self.add(&Line::File(entry), sync)
    }

    pub(super) fn add_end(&mut self, entry: SessionEntry, sync: bool) -> io::Result<()> {
        self.add(&Line::End(entry), sync)
    }

    fn add(&mut self, line: &Line, sync: bool) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let before = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&text) {
            // Part of a line would spoil the next.
            self.file.set_len(before)?;
            return Err(error);
        }
        reserve(&self.file);
        if sync { self.file.sync_data() } else { Ok(()) }
    }
}

/// Takes room behind the file's end, which it does not move. A file system that cannot do this does without.
fn reserve(file: &File) {
    let Ok(end) = file.metadata().map(|metadata| i64::try_from(metadata.len()).unwrap_or(0)) else { return };
    let _ = fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, end, RESERVED_BYTES);
}

/// Reads the manifest of a directory; an empty one if there is none.
pub(super) fn read(dir: &Path) -> Result<Manifest, CaptureError> {
    let path = dir.join(MANIFEST_NAME);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Manifest::default()),
        Err(error) => return Err(CaptureError::Io { path: path.display().to_string(), error }),
    };
    let mut manifest = Manifest::default();
    let mut closed = HashSet::new();
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
        match serde_json::from_slice(line) {
            Ok(Line::Begin { session }) => manifest.begun.push(session),
            Ok(Line::Loss(entry)) => manifest.losses.push(entry),
            // A file is closed once.
            Ok(Line::File(entry)) if !closed.insert(entry.file.clone()) => {
                manifest.bad_lines.push(number);
            }
            Ok(Line::File(entry)) => manifest.files.push(entry),
            Ok(Line::End(entry)) => manifest.sessions.push(entry),
            Err(_) if line.is_empty() => {}
            // A line is one object: what does not end like one was not written to its end.
            Err(_) if !line.ends_with(b"}") => manifest.cut_lines.push(number),
            Err(_) => manifest.bad_lines.push(number),
        }
    }
    Ok(manifest)
}

/// Whether a process captures into the directory now.
pub(super) fn is_held(dir: &Path) -> bool {
    File::open(dir.join(MANIFEST_NAME)).is_ok_and(|file| LockedFile::is_held(&file))
}

/// The session's name: when it is started.
pub(super) fn session_now() -> Time {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time(now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)))
}
