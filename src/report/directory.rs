//! A report's directory: made where it is not there, its files written whole, and never over an earlier report's.

use super::html::write_whole;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a report could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// Where the directory should be there is something else.
    #[error("{0}: not a directory; name another place for the report, or remove the file")]
    NotADirectory(PathBuf),
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What it said.
        #[source]
        error: io::Error,
    },
    /// A figure that JSON cannot carry.
    #[error("{name}: {error}")]
    Json {
        /// Which file.
        name: &'static str,
        /// What was wrong.
        #[source]
        error: serde_json::Error,
    },
}

/// Makes the directory and those above it.
pub(super) fn make(dir: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ReportError::NotADirectory(dir.to_owned())
        }
        _ => ReportError::Io { path: dir.to_owned(), error },
    })
}

/// Makes the directory and finds out whether it can be written to, before the work whose report it is to hold.
///
/// # Errors
/// [`ReportError::NotADirectory`] if it or a part of its path is a file, [`ReportError::Io`] if the file system refuses.
pub fn prepare(dir: &Path) -> Result<(), ReportError> {
    make(dir)?;
    let probe = dir.join(format!(".{}.probe", std::process::id()));
    let written = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
    written.map_err(|error| ReportError::Io { path: dir.to_owned(), error })
}

/// Where a report goes that is asked for in `dir`: there, or, where a report is already, into the first `run-2`, `run-3`, …
/// below it that is not there yet.
pub(super) fn place(dir: &Path) -> Result<PathBuf, ReportError> {
    make(dir)?;
    let io = |path: &Path| {
        let path = path.to_owned();
        |error| ReportError::Io { path, error }
    };
    let mut names = fs::read_dir(dir).map_err(io(dir))?.map(|entry| entry.map(|entry| entry.file_name()));
    let is_taken =
        names.try_fold(false, |taken, name| name.map(|name| taken || is_of_a_report(Path::new(&name))));
    if !is_taken.map_err(io(dir))? {
        return Ok(dir.to_owned());
    }
    let mut number = 2_u64;
    loop {
        let path = dir.join(format!("run-{number}"));
        // Made by whoever comes first.
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(io(&path)(error)),
        }
    }
}

/// Whether a file of this name is what some report writes.
fn is_of_a_report(name: &Path) -> bool {
    const NAMES: [&str; 7] =
        ["index.html", "latency.json", "result.json", "sweep.json", "trades.csv", "equity.csv", "fills.csv"];
    NAMES.iter().any(|of| name == Path::new(of)) || name.extension().is_some_and(|ending| ending == "hgrm")
}

/// Writes one file, which appears whole; one of the same name that is there is an error.
pub(super) fn save(dir: &Path, name: &str, content: &[u8]) -> Result<PathBuf, ReportError> {
    let path = dir.join(name);
    match write_whole(&path, content) {
        Ok(()) => Ok(path),
        Err(error) => Err(ReportError::Io { path, error }),
    }
}
