//! Why a trail cannot be written, read or believed.

use super::verify::Fault;
use crate::journal::JournalError;
use crate::journal::format::unopened;
use thiserror::Error;

/// See the module.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        #[source]
        error: std::io::Error,
    },
    /// The journal does not read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The trail is not what was written.
    #[error("{path}: {fault}")]
    Fault {
        /// Which file.
        path: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A file that nothing of a trail is in.
    #[error("{path}: is no audit trail: {is}")]
    NoTrail {
        /// Which file.
        path: String,
        /// What it is instead, and what to do.
        is: &'static str,
    },
    /// A file of anchors holds something else.
    #[error("{path}:{line}: is no anchor; each line is NUMBER:HASH")]
    BadAnchor {
        /// Which file.
        path: String,
        /// Where in it.
        line: usize,
    },
    /// Another run writes to the trail.
    #[error(
        "{path}: another process writes this audit trail: give each run that goes on at once one of its own"
    )]
    Busy {
        /// Which file.
        path: String,
    },
    /// The journal's run is in the trail, and others after it.
    #[error("{path}: this run is in the trail already, and later runs follow it: it cannot be gone on with")]
    Past {
        /// Which file.
        path: String,
    },
    /// A record that cannot be told as JSON.
    #[error("a record cannot be written: {0}; please report this")]
    Unwritable(#[from] serde_json::Error),
}

impl AuditError {
    pub(super) fn io(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |error| Self::Io { path: path.display().to_string(), error }
    }

    /// That a file cannot be opened to read.
    pub(super) fn unopened(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |error| Self::Io { path: path.display().to_string(), error: unopened(error) }
    }
}
