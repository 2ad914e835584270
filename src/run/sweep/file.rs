//! The results file: what has been run, a line a run, so that a sweep goes on where it was stopped.
//!
//! The first line says of what the results are; each other one is a result, written whole with one call when the run
//! ends. Killed at any moment it reads to its last whole line, and is cut there. Each line has its CRC-32, since a figure
//! that was changed would be ranked as if it had been run. One process at a time has the file. Results are found by point
//! and span, so that a sweep of more points, or other windows, takes over what it can.

use super::{EvaluateError, Evaluation, Point, Space, Span, SweepError, Task};
use crate::domain::Time;
use crate::journal::LockedFile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    /// Of everything that bears on a result, but for point and span.
    sweep: String,
    /// Whether each line behind it has a checksum: in files of before none has.
    #[serde(default)]
    checked: bool,
}

/// Any other line.
#[derive(Serialize, Deserialize)]
struct Line {
    point: u64,
    from: u64,
    until: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watched_from: Option<u64>,
    with_equity: bool,
    result: Result<Evaluation, EvaluateError>,
}

/// See the module.
#[derive(Debug)]
pub struct ResultsFile {
    path: PathBuf,
    file: LockedFile,
    found: HashMap<Task, Result<Evaluation, EvaluateError>>,
}

/// What tells one sweep's results from another's: the axes with their values, and `subject`, which the caller makes of
/// everything else that a result depends on: configuration, data, the program's version.
fn identity(space: &Space, subject: &str) -> String {
    let mut hash = Sha256::new();
    for axis in space.axes() {
        for text in std::iter::once(&axis.name).chain(&axis.values) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(u64::MAX.to_le_bytes());
    }
    hash.update(subject.as_bytes());
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl ResultsFile {
    /// Opens the results of this sweep, or begins them; cuts off a line that was not finished.
    ///
    /// # Errors
    /// [`SweepError::OtherSweep`] if the file has other results, [`SweepError::Damaged`] or [`SweepError::Changed`] where a
    /// line is no result or not as it was written, [`SweepError::Busy`] while another process has the file,
    /// [`SweepError::Io`].
    pub fn open(path: &Path, space: &Space, subject: &str) -> Result<Self, SweepError> {
        let io = |error| SweepError::Io { path: path.to_owned(), error };
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let busy = || SweepError::Busy { path: path.to_owned() };
        let mut file = LockedFile::unless_held(file).ok_or_else(busy)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let header = Header { sweep: identity(space, subject), checked: true };
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut lines = bytes[..whole].split(|&byte| byte == b'\n').zip(1..);
        let theirs = match lines.next() {
            Some((first, _)) if whole > 0 => serde_json::from_slice::<Header>(first).ok(),
            _ => is_begun(&bytes).then(|| Header { sweep: header.sweep.clone(), checked: true }),
        };
        let Some(theirs) = theirs.filter(|theirs| theirs.sweep == header.sweep) else {
            return Err(SweepError::OtherSweep { path: path.to_owned() });
        };
        let mut found = HashMap::new();
        for (text, number) in lines.filter(|(line, _)| !line.is_empty()) {
            let line: Line = serde_json::from_slice(text).map_err(|error| SweepError::Damaged {
                path: path.to_owned(),
                line: number,
                error,
            })?;
            if !checked(text).unwrap_or(!theirs.checked) {
                return Err(SweepError::Changed { path: path.to_owned(), line: number });
            }
            let span = Span { from: Time(line.from), until: Time(line.until) };
            let task = Task {
                point: Point(line.point),
                span,
                watched_from: line.watched_from.map(Time),
                with_equity: line.with_equity,
            };
            found.insert(task, line.result);
        }
        file.set_len(whole as u64).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let mut results = Self { path: path.to_owned(), file, found };
        if whole == 0 {
            results.write(&header, false)?;
        }
        Ok(results)
    }

    /// The result of a run that is there.
    #[must_use]
    pub fn get(&self, task: &Task) -> Option<&Result<Evaluation, EvaluateError>> {
        self.found.get(task)
    }

    /// How many results are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds a result. Failures are not kept: they are tried again.
    ///
    /// # Errors
    /// [`SweepError::Io`].
    pub fn add(&mut self, task: Task, result: &Result<Evaluation, EvaluateError>) -> Result<(), SweepError> {
        if matches!(result, Err(EvaluateError::Failed(_))) {
            return Ok(());
        }
        let line = Line {
            point: task.point.0,
            from: task.span.from.0,
            until: task.span.until.0,
            watched_from: task.watched_from.map(|from| from.0),
            with_equity: task.with_equity,
            result: result.clone(),
        };
        self.write(&line, true)
    }

    fn write(&mut self, line: &impl Serialize, with_sum: bool) -> Result<(), SweepError> {
        let io = |error| SweepError::Io { path: self.path.clone(), error };
        let mut text = serde_json::to_vec(line).map_err(|error| io(io::Error::other(error)))?;
        if with_sum {
            let sum = crc32fast::hash(&text);
            text.pop();
            text.extend_from_slice(SUM.as_bytes());
            text.extend_from_slice(format!("{sum}}}").as_bytes());
        }
        text.push(b'\n');
        self.file.write_all(&text).map_err(io)
    }
}

/// What stands before a line's checksum, which is of the line without these last words.
const SUM: &str = ",\"crc32\":";

/// Whether a line is as it was written; `None` where it has no checksum.
fn checked(line: &[u8]) -> Option<bool> {
    let at = memchr::memmem::rfind(line, SUM.as_bytes())?;
    let sum = line[at + SUM.len()..].strip_suffix(b"}").and_then(|sum| std::str::from_utf8(sum).ok());
    let mut written = line[..at].to_vec();
    written.push(b'}');
    Some(sum.and_then(|sum| sum.parse().ok()) == Some(crc32fast::hash(&written)))
}

/// Whether a file without a whole line is empty, or the beginning of a first line: then it is ours to begin anew.
fn is_begun(bytes: &[u8]) -> bool {
    bytes.is_empty() || b"{\"sweep\":\"".starts_with(&bytes[..bytes.len().min(10)])
}
