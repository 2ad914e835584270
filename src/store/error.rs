//! Why a store cannot do what is asked.

use super::url::UrlError;
use crate::journal::JournalError;
use thiserror::Error;

/// See the module.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The address is not one.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The database cannot be reached, or refuses.
    #[error("{place}: {problem}")]
    Database {
        /// Which.
        place: String,
        /// What it said, and where it is known, what to do.
        problem: String,
    },
    /// The database was written by a newer program.
    #[error(
        "{place}: its tables are of version {found}, made by a newer version of algo-trader; this one knows up to \
         {known}: use the newer program, or another database"
    )]
    NewerSchema {
        /// Which.
        place: String,
        /// Its version.
        found: i64,
        /// The version known here.
        known: i64,
    },
    /// The run's watermark is not where the batch begins: another process wrote, or the last commit's answer was lost.
    #[error("{place}: the run is at another event than this batch follows")]
    Moved {
        /// Which.
        place: String,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl StoreError {
    /// Whether trying again may help: a database comes back, a disk gets room; a newer schema or a damaged journal
    /// stay what they are.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Database { .. } | StoreError::Moved { .. })
    }
}
