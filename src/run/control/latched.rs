//! What is stopped, in a file that outlives the process.
//!
//! Written to a file beside it, forced to the disk, and renamed over the old one: at any moment the file is the old or the
//! new list, whole. A file that cannot be read stops the start: what it held may not trade.

use super::file::write_whole;
use crate::domain::{DenyReason, Kill, Scope, Time};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// One thing that is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopped {
    /// What, by its name.
    pub scope: String,
    /// The reason that orders are denied by: `killed`, or the loss limit.
    pub cause: String,
    /// Who did it: an operator, a signal, a file, or the limit.
    pub by: String,
    /// What they said.
    pub reason: String,
    /// Since when, by the sequencer's clock.
    pub since: String,
    /// Whether what is open of it is closed, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flatten: bool,
    /// Since when that was asked for, where it was stopped before; by the same clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flatten_since: Option<String>,
}

/// Why the list cannot be kept.
#[derive(Debug, Error)]
pub enum LatchedError {
    /// The file cannot be read or written.
    #[error(
        "{path}: {error}; what is stopped, and what was lost, must be kept over a restart: make the file, and the \
         directory that it is in, readable and writable"
    )]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file is not what it should be.
    #[error(
        "{path}: {problem}; it says what may not trade, or what was lost, and cannot be guessed: mend it, or, if nothing \
         is to stay stopped and no loss to be counted on, remove it"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// The file.
#[derive(Debug)]
pub struct Latched {
    path: PathBuf,
    /// What it says.
    pub stopped: Vec<Stopped>,
    /// Why what it says is not on disk, where the last write failed.
    unsaved: Option<String>,
}

impl Latched {
    /// Reads the file; without one nothing is stopped.
    ///
    /// # Errors
    /// [`LatchedError`].
    pub fn open(path: &Path) -> Result<Self, LatchedError> {
        let path = path.to_owned();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, stopped: Vec::new(), unsaved: None });
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(LatchedError::Damaged { path, problem: "it is no text".to_owned() });
            }
            Err(error) => return Err(LatchedError::Io { path, error }),
        };
        match serde_json::from_str(&text) {
            Ok(stopped) => Ok(Self { path, stopped, unsaved: None }),
            Err(error) => Err(LatchedError::Damaged { path, problem: error.to_string() }),
        }
    }

    /// Refuses a list with something on it that is no name at all: a slip of whoever mended it would let it trade.
    ///
    /// # Errors
    /// [`LatchedError::Damaged`].
    pub fn names(&self, is_name: impl Fn(&str) -> bool) -> Result<(), LatchedError> {
        match self.stopped.iter().find(|stopped| !is_name(&stopped.scope)) {
            Some(stopped) => Err(LatchedError::Damaged {
                path: self.path.clone(),
                problem: format!("{:?} is the name of nothing that can be stopped", stopped.scope),
            }),
            None => Ok(()),
        }
    }

    /// Adds to the list, and writes it.
    ///
    /// # Errors
    /// [`LatchedError`]; the list in memory has it all the same.
    pub fn add(&mut self, stopped: Stopped) -> Result<(), LatchedError> {
        self.stopped.retain(|s| s.scope != stopped.scope);
        self.stopped.push(stopped);
        self.save()
    }

    /// Takes one off, or, of `all`, everything; and writes the list.
    ///
    /// # Errors
    /// [`LatchedError`]; the list in memory is without it all the same.
    pub fn remove(&mut self, scope: &str) -> Result<(), LatchedError> {
        self.stopped.retain(|s| s.scope != scope && scope != "all");
        self.save()
    }

    /// Why a restart would not know what it says, if it would not.
    #[must_use]
    pub fn unsaved(&self) -> Option<&str> {
        self.unsaved.as_deref()
    }

    /// Tries again what could not be written.
    pub fn save_again(&mut self) {
        if self.unsaved.is_some() && self.save().is_ok() {
            log::warn!("{} is written now", self.path.display());
        }
    }

    pub(super) fn save(&mut self) -> Result<(), LatchedError> {
        let saved = self.write().map_err(|error| LatchedError::Io { path: self.path.clone(), error });
        self.unsaved = saved.as_ref().err().map(ToString::to_string);
        saved
    }

    fn write(&self) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(&self.stopped)?;
        text.push('\n');
        write_whole(&self.path, &text)
    }
}

impl Stopped {
    /// The kill that it was, for a scope of a run that goes on with the journal of one whose last event was at `goes_on`; none
    /// where it goes on with none, and so holds nothing.
    ///
    /// What a journal lost its end of, and with that the kill that closes, is closed all the same. Of a kill that it may have,
    /// its own word counts, which comes with it: that a release could not be written here must not close what was opened
    /// after it.
    #[must_use]
    pub fn kill(&self, scope: Scope, goes_on: Option<Time>) -> Kill {
        let closes_since = self.flatten_since.as_ref().unwrap_or(&self.since);
        let lost = goes_on.is_some_and(|last| *closes_since > last.to_string());
        Kill { scope, cause: self.why(), flatten: self.flatten && lost, carried: true }
    }

    /// Whether a limit of losses stopped it, or would have.
    #[must_use]
    pub fn is_by_limit(&self) -> bool {
        self.why().is_of_losses()
    }

    /// The reason that orders are denied by.
    #[must_use]
    pub fn why(&self) -> DenyReason {
        let named = |reason: &&DenyReason| reason.label() == self.cause;
        DenyReason::ALL.iter().find(named).copied().unwrap_or(DenyReason::Killed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(scope: &str) -> Stopped {
        Stopped {
            scope: scope.into(),
            cause: "daily-loss".into(),
            by: "limit".into(),
            reason: "a test".into(),
            since: Time(7_000).to_string(),
            flatten: true,
            flatten_since: None,
        }
    }

    #[test]
    fn what_could_not_be_written_is_said_and_written_later() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("sub").join("x.latched");
        let mut latched = Latched::open(&path).expect("none is there");
        assert!(latched.unsaved().is_none());
        assert!(latched.add(stopped("all")).is_err() && latched.stopped.len() == 1);
        assert!(latched.unsaved().is_some_and(|why| why.contains("x.latched")));
        latched.save_again();
        assert!(latched.unsaved().is_some());
        std::fs::create_dir(dir.path().join("sub")).expect("a directory");
        latched.save_again();
        assert!(latched.unsaved().is_none());
        assert_eq!(Latched::open(&path).expect("read").stopped, [stopped("all")]);
    }

    #[test]
    fn what_is_stopped_is_there_after_a_restart_until_it_is_released() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.latched");
        let mut latched = Latched::open(&path).expect("none is there");
        assert!(latched.stopped.is_empty());
        latched.add(stopped("all")).expect("written");
        latched.add(stopped("strategy a")).expect("written");
        latched.add(stopped("strategy a")).expect("once is enough");
        let mut again = Latched::open(&path).expect("read");
        assert_eq!(again.stopped, latched.stopped);
        let closes = [None, Some(Time(8_000)), Some(Time(7_000)), Some(Time(6_000))].map(|goes_on| {
            let kill = again.stopped[0].kill(Scope::All, goes_on);
            assert_eq!(kill.cause, DenyReason::DailyLoss);
            assert!(kill.carried, "no person says it anew");
            kill.flatten
        });
        assert_eq!(closes, [false, false, false, true], "what a journal may tell of, it tells itself");
        let asked_later = Stopped { flatten_since: Some(Time(9_000).to_string()), ..stopped("all") };
        let closes = [Time(9_000), Time(8_000)].map(|last| asked_later.kill(Scope::All, Some(last)).flatten);
        assert_eq!(closes, [false, true], "it has the kill, and not that it closes");
        again.remove("strategy a").expect("written");
        assert_eq!(Latched::open(&path).expect("read").stopped, [stopped("all")]);
        again.add(stopped("instrument b")).expect("written");
        again.remove("all").expect("written");
        assert_eq!(Latched::open(&path).expect("read").stopped, []);
    }

    #[test]
    fn a_file_that_says_nothing_of_use_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.latched");
        for text in ["", "{}", "[{}]", "[{\"scope\":\"all\"}]", "nothing"] {
            fs::write(&path, text).expect("written");
            assert!(matches!(Latched::open(&path), Err(LatchedError::Damaged { .. })), "{text}");
        }
        fs::write(&path, b"[\xff]").expect("written");
        assert!(matches!(Latched::open(&path), Err(LatchedError::Damaged { .. })), "no text");
    }
}
