//! Whether a captured directory is what its manifest says.
//!
//! Owns: that comparison. Changes nothing.

use super::fault::CaptureError;
use super::manifest::{self, FileEntry, SessionEntry};
use crate::history::recording::{LineFault, Recording, RecordingName, RecordingOptions};
use crate::net::FrameSource;
use crate::venue::binance::is_interruption;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// What was found of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// As the manifest says, frame by frame and byte by byte.
    Good,
    /// In no manifest: it is still being written, or its capture was cut. Readable to its last whole block.
    Open {
        /// Bytes of a block that was not finished.
        torn_bytes: Option<u64>,
    },
    /// In the manifest, and not in the directory.
    Missing,
    /// Its bytes are not those that were written.
    Changed {
        /// SHA-256 by the manifest.
        expected: String,
        /// SHA-256 of what is there.
        found: String,
    },
    /// Its bytes are those that were written, and its frames are not as many, or not of those times.
    Frames {
        /// Frames by the manifest.
        expected: u64,
    },
    /// It cannot be read to its end.
    Unreadable {
        /// Why, with the place.
        problem: String,
    },
}

/// One file and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVerdict {
    /// Its name in the directory.
    pub file: String,
    /// Frames that could be read.
    pub frames: u64,
    /// Interruptions of an instrument among them.
    pub interruptions: u64,
    /// What was found.
    pub state: FileState,
}

/// What was found in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verification {
    /// Every file of the manifest and of the directory, by name.
    pub files: Vec<FileVerdict>,
    /// Sessions that ended.
    pub sessions: Vec<SessionEntry>,
    /// Sessions that closed files and did not end: still running, or cut.
    pub open_sessions: usize,
    /// Lines of the manifest that a killed process has not finished; their files are found as open ones.
    pub cut_manifest_lines: Vec<usize>,
    /// Lines of the manifest that are damaged.
    pub bad_manifest_lines: Vec<usize>,
}

impl Verification {
    /// Whether nothing that was written whole is missing or changed, and no session that ended has lost anything.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let good = |verdict: &FileVerdict| matches!(verdict.state, FileState::Good | FileState::Open { .. });
        let complete = |session: &SessionEntry| session.lost == 0 && session.errors == 0;
        self.files.iter().all(good)
            && self.bad_manifest_lines.is_empty()
            && self.sessions.iter().all(complete)
    }

    /// Frames that can be read.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.files.iter().map(|verdict| verdict.frames).sum()
    }

    /// How often an instrument's data was interrupted while it was captured.
    #[must_use]
    pub fn interruptions(&self) -> u64 {
        self.files.iter().map(|verdict| verdict.interruptions).sum()
    }

    /// Frames that sessions lost while they wrote.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.sessions.iter().map(|session| session.lost).sum()
    }
}

/// Reads every file of the directory and compares it with the manifest.
///
/// # Errors
/// [`CaptureError`] where the directory or its manifest cannot be read, or no capture has written there. What is wrong
/// with a file is in its verdict.
pub fn verify(dir: &Path) -> Result<Verification, CaptureError> {
    let io = |error| CaptureError::Io { path: dir.display().to_string(), error };
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        // Recordings put here by hand are none of ours.
        if RecordingName::parse(Path::new(&name)).is_ok_and(|name| name.part.is_some()) {
            names.insert(name.to_string_lossy().into_owned());
        }
    }
    let manifest = manifest::read(dir)?;
    if names.is_empty() && manifest.files.is_empty() && manifest.sessions.is_empty() {
        return Err(CaptureError::NotCapture { path: dir.display().to_string() });
    }
    let mut files: Vec<FileVerdict> = manifest.files.iter().map(|entry| listed(dir, entry)).collect();
    for entry in &manifest.files {
        names.remove(&entry.file);
    }
    files.extend(names.into_iter().map(|name| unlisted(dir, name)));
    files.sort_by(|a, b| a.file.cmp(&b.file));
    let ended: BTreeSet<u64> = manifest.sessions.iter().map(|session| session.session).collect();
    let begun: BTreeSet<u64> = manifest.files.iter().map(|entry| entry.session).collect();
    Ok(Verification {
        files,
        open_sessions: begun.difference(&ended).count(),
        sessions: manifest.sessions,
        cut_manifest_lines: manifest.cut_lines,
        bad_manifest_lines: manifest.bad_lines,
    })
}

fn listed(dir: &Path, entry: &FileEntry) -> FileVerdict {
    let path = dir.join(&entry.file);
    let verdict = |content: &Content, state| content.verdict(entry.file.clone(), state);
    let nothing = Content::default();
    let found = match sha256(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return verdict(&nothing, FileState::Missing);
        }
        Err(error) => return verdict(&nothing, FileState::Unreadable { problem: error.to_string() }),
    };
    let content = read(&path);
    if found != entry.sha256 {
        return verdict(&content, FileState::Changed { expected: entry.sha256.clone(), found });
    }
    let state = match &content.problem {
        Some(problem) => FileState::Unreadable { problem: problem.clone() },
        None if (content.frames, content.first, content.last) != (entry.frames, entry.first, entry.last) => {
            FileState::Frames { expected: entry.frames }
        }
        None => FileState::Good,
    };
    verdict(&content, state)
}

fn unlisted(dir: &Path, file: String) -> FileVerdict {
    let content = read(&dir.join(&file));
    let state = match &content.problem {
        Some(problem) => FileState::Unreadable { problem: problem.clone() },
        None => FileState::Open { torn_bytes: content.torn_bytes },
    };
    content.verdict(file, state)
}

#[derive(Default)]
struct Content {
    frames: u64,
    interruptions: u64,
    first: u64,
    last: u64,
    torn_bytes: Option<u64>,
    problem: Option<String>,
}

impl Content {
    fn verdict(&self, file: String, state: FileState) -> FileVerdict {
        FileVerdict { file, frames: self.frames, interruptions: self.interruptions, state }
    }
}

fn read(path: &Path) -> Content {
    let mut content = Content::default();
    let mut recording = match Recording::open(&[path.to_owned()], &RecordingOptions::default()) {
        Ok(recording) => recording,
        Err(error) => return Content { problem: Some(error.to_string()), ..content },
    };
    loop {
        match recording.next_frame() {
            Ok(Some(frame)) => {
                if content.frames == 0 {
                    content.first = frame.received.0;
                }
                content.frames += 1;
                content.interruptions += u64::from(is_interruption(frame.bytes));
                content.last = content.last.max(frame.received.0);
            }
            Ok(None) => break,
            Err(error) => {
                content.problem = Some(error.to_string());
                break;
            }
        }
    }
    for problem in recording.problems() {
        match problem.fault {
            LineFault::Torn { bytes } => content.torn_bytes = Some(bytes),
            _ if content.problem.is_none() => content.problem = Some(problem.to_string()),
            _ => {}
        }
    }
    content
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut bytes = vec![0; 256 << 10];
    loop {
        match file.read(&mut bytes)? {
            0 => break,
            n => hash.update(&bytes[..n]),
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
