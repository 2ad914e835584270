//! The checks before anything is read: all files, all at once, so that a run does not fail in its middle for what
//! could be seen at its start.
//!
//! Owns: which files are taken. Reads only the first bytes of each.

use super::fault::FileFault;
use super::lines::parse_time;
use super::name::RecordingName;
use super::unpack::{UnpackError, Unpacker};
use crate::domain::Time;
use crate::net::{SourceError, SourceInfo};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Unpacked bytes in which one receive time must be found.
const PEEK_BYTES: usize = 64 << 10;
/// Source ids are 16 bits.
const FILES_MAX: usize = 1 << 16;

/// A file that was looked at.
#[derive(Debug)]
pub(super) struct CheckedFile {
    pub(super) path: PathBuf,
    pub(super) name: RecordingName,
    /// Size on disk.
    pub(super) packed_bytes: u64,
    /// Receive time of its first frame: it need not be opened before.
    pub(super) first: Time,
}

impl CheckedFile {
    pub(super) fn source_info(&self, venue: &str) -> SourceInfo {
        SourceInfo {
            name: self.path.display().to_string(),
            venue: venue.into(),
            market: self.name.market,
            symbol: self.name.symbol.clone(),
        }
    }
}

/// Checks files in the order given.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<CheckedFile>, SourceError> {
    if paths.is_empty() {
        return Err(FileFault::NoneGiven.of("recording"));
    }
    if paths.len() > FILES_MAX {
        return Err(FileFault::TooMany { given: paths.len(), max: FILES_MAX }.of("recording"));
    }
    let (mut seen, mut begun) = (HashMap::new(), HashMap::new());
    paths
        .iter()
        .map(|path| {
            let (file, begins) = check(path)?;
            // Resolved, since `a.gz` and `./a.gz` are one file.
            let resolved = fs::canonicalize(path).map_err(|error| io_error(path, error))?;
            if let Some(first) = seen.insert(resolved, path) {
                return Err(fault(path, FileFault::Duplicate { first: first.display().to_string() }));
            }
            // Of another market its frames would be of other instruments.
            if let Some(begins) = begins
                && let Some(first) = begun.insert((file.name.market, begins), path)
            {
                return Err(fault(path, FileFault::Copy { first: first.display().to_string() }));
            }
            Ok(file)
        })
        .collect()
}

/// The file, and the hash of what it begins with; none where nothing whole is in it yet.
fn check(path: &Path) -> Result<(CheckedFile, Option<Beginning>), SourceError> {
    let facts = fs::metadata(path).map_err(|error| io_error(path, error))?;
    if facts.is_dir() {
        return Err(fault(path, FileFault::Directory { directory: path.display().to_string() }));
    }
    if !facts.is_file() {
        return Err(fault(path, FileFault::NotRegular));
    }
    let name = RecordingName::parse(path).map_err(|name| fault(path, FileFault::Name(name)))?;
    let (first, begins) = match beginning(path) {
        // A capture that was cut before the first block of this file was written: told when the file is read.
        Err(_) if facts.len() == 0 && name.part.is_some() => (Time(u64::MAX), None),
        found => found?,
    };
    Ok((CheckedFile { path: path.into(), name, packed_bytes: facts.len(), first }, begins))
}

/// SHA-256 of the first bytes, unpacked.
type Beginning = [u8; 32];

/// The first receive time in the first bytes, and their hash. Lines before it may be malformed: the reader counts them.
fn beginning(path: &Path) -> Result<(Time, Option<Beginning>), SourceError> {
    let file = File::open(path).map_err(|error| io_error(path, error))?;
    let mut unpacker = Unpacker::new(Box::new(file)).map_err(|error| io_error(path, error))?;
    let mut bytes = vec![0; PEEK_BYTES];
    let mut filled = 0;
    let mut cut_short = None;
    while filled < bytes.len() {
        match unpacker.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) => {
                cut_short = Some(error);
                break;
            }
        }
    }
    let lines = bytes[..filled].split(|&byte| byte == b'\n');
    match (lines.filter_map(parse_time).next(), cut_short) {
        (Some(first), _) => Ok((first, Some(Sha256::digest(&bytes[..filled]).into()))),
        // Nothing to read before the place where it is cut or corrupt; elsewhere the reader tells.
        (None, Some(error)) => Err(unpack_error(path, error)),
        (None, None) if unpacker.torn().is_some_and(|bytes| bytes > 0) => Ok((Time(u64::MAX), None)),
        (None, None) if filled == 0 => Err(fault(path, FileFault::Empty)),
        (None, None) => Err(fault(path, FileFault::NotRecording)),
    }
}

fn unpack_error(path: &Path, error: UnpackError) -> SourceError {
    error.of(&path.display().to_string(), 0)
}

fn fault(path: &Path, fault: FileFault) -> SourceError {
    fault.of(&path.display().to_string())
}

/// The system's error, with what to do where that is known.
pub(super) fn io_error(path: &Path, error: io::Error) -> SourceError {
    let advice = match error.kind() {
        ErrorKind::NotFound => "no such file: check the path",
        ErrorKind::PermissionDenied => "not readable by this user: change its permissions, or copy it",
        _ => return SourceError::Io { path: path.display().to_string(), error },
    };
    SourceError::Io { path: path.display().to_string(), error: io::Error::new(error.kind(), advice) }
}
