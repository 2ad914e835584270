//! Whether a captured directory is what its manifest says.
//!
//! Owns: that comparison. Changes nothing.

use super::fault::CaptureError;
use super::manifest::{self, FileEntry, LossEntry, SessionEntry};
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
    /// Sessions that did not end, and what they said of their losses: they have lost at least that.
    pub open_sessions: Vec<LossEntry>,
    /// Whether a process captures there now: the last of the open sessions is its own. All others were cut.
    pub running: bool,
    /// Lines of the manifest that a killed process has not finished; their files are found as open ones.
    pub cut_manifest_lines: Vec<usize>,
    /// Lines of the manifest that are damaged.
    pub bad_manifest_lines: Vec<usize>,
}

impl Verification {
    /// Whether nothing that was written whole is missing or changed, and no session has told of a loss.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let good = |verdict: &FileVerdict| matches!(verdict.state, FileState::Good | FileState::Open { .. });
        let complete = |session: &SessionEntry| session.lost == 0 && session.errors == 0;
        let complete_so_far = |session: &LossEntry| session.lost == 0 && session.errors == 0;
        self.files.iter().all(good)
            && self.bad_manifest_lines.is_empty()
            && self.sessions.iter().all(complete)
            && self.open_sessions.iter().all(complete_so_far)
    }

    /// Whether every capture ended and closed its files: of one that was cut nobody knows what came at its end.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        let is_open = |verdict: &FileVerdict| matches!(verdict.state, FileState::Open { .. });
        self.open_sessions.is_empty() && !self.files.iter().any(is_open)
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

    /// Frames that sessions lost while they wrote, as far as they have told it.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let ended = self.sessions.iter().map(|session| session.lost);
        ended.chain(self.open_sessions.iter().map(|session| session.lost)).sum()
    }

    /// Calls to the system that failed while they wrote, as far as they have told it.
    #[must_use]
    pub fn errors(&self) -> u64 {
        let ended = self.sessions.iter().map(|session| session.errors);
        ended.chain(self.open_sessions.iter().map(|session| session.errors)).sum()
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
    // Before the manifest is read: a capture that ends meanwhile is in it as one that ended.
    let running = manifest::is_held(dir);
    let manifest = manifest::read(dir)?;
    let sessions = manifest.begun.len() + manifest.sessions.len();
    if names.is_empty() && manifest.files.is_empty() && sessions == 0 {
        return Err(CaptureError::NotCapture { path: dir.display().to_string() });
    }
    let mut files: Vec<FileVerdict> = manifest.files.iter().map(|entry| listed(dir, entry)).collect();
    for entry in &manifest.files {
        names.remove(&entry.file);
    }
    files.extend(names.into_iter().map(|name| unlisted(dir, name)));
    files.sort_by(|a, b| a.file.cmp(&b.file));
    let ended: BTreeSet<u64> = manifest.sessions.iter().map(|session| session.session).collect();
    let of_files = manifest.files.iter().map(|entry| entry.session);
    let begun: BTreeSet<u64> = manifest.begun.iter().copied().chain(of_files).collect();
    let open = |&session: &u64| {
        let told = manifest.losses.iter().rfind(|loss| loss.session == session);
        told.cloned().unwrap_or(LossEntry { session, ..LossEntry::default() })
    };
    let open_sessions: Vec<LossEntry> = begun.difference(&ended).map(open).collect();
    Ok(Verification {
        files,
        running: running && !open_sessions.is_empty(),
        open_sessions,
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
