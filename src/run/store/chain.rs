//! The journals that come before a run's: of those that went on one with another, the ones that the database lacks some of.
//!
//! Whoever was killed wrote no more, and a database may be away for longer than one run after the other lives. So from
//! the journal that a run goes on with it is gone back, by the notes beside them, to the first of which the database has all:
//! what comes before that one was taken in before it.

use crate::journal::successor::predecessor;
use crate::journal::{Entry, Follower, JournalError, JournalHeader, Lineage, Next};
use crate::store::{Store, StoreError, Watermark};
use std::path::{Path, PathBuf};

/// See the module.
#[derive(Debug, Default)]
pub struct Chain {
    /// Those that the database lacks some of, the newest first.
    pub journals: Vec<PathBuf>,
    /// The one before them, where it is not there to be taken in, for a person.
    pub lost: Option<String>,
}

impl Chain {
    /// Goes back from the journal that a run goes on with.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn before(store: &mut dyn Store, newest: &Path) -> Result<Self, StoreError> {
        let mut chain = Self::default();
        let (mut path, mut expected, mut is_entered) = (newest.to_owned(), None, false);
        loop {
            let mut follower = match open(&path, expected.as_ref()) {
                Ok(follower) => follower,
                Err(error) => {
                    chain.lost = (!is_entered).then(|| error.to_string());
                    return Ok(chain);
                }
            };
            let stands = store.find(follower.run_key())?;
            if stands.is_some_and(|stands| has_all(stands, &mut follower)) {
                return Ok(chain);
            }
            chain.journals.push(path.clone());
            // A run is entered once what comes before it was taken in, or was told to be missing.
            is_entered = stands.is_some();
            let Some(of) = before(follower.header()) else { return Ok(chain) };
            let found = predecessor(&path).unwrap_or_default();
            let Some(found) = found else {
                let lost = || {
                    format!("the run that {} goes on with, whose journal is not beside it", path.display())
                };
                chain.lost = (!is_entered).then(lost);
                return Ok(chain);
            };
            (path, expected) = (found, Some(of));
        }
    }
}

/// Where the run stands that one with this header goes on with, if it does with one.
fn before(header: &JournalHeader) -> Option<Lineage> {
    let of = header.lineage.as_ref()?;
    Some(Lineage { first: of.first.clone(), nth: of.nth.checked_sub(1)? })
}

/// Opens a journal whose run stands there: a note may be of a file that another run has written since.
fn open(path: &Path, expected: Option<&Lineage>) -> Result<Follower, JournalError> {
    let bad = |problem: &str| JournalError::Bad { path: path.display().to_string(), problem: problem.into() };
    let follower = Follower::open(path)?.ok_or_else(|| bad("has no whole header"))?;
    let header = follower.header();
    let is_it = expected.is_none_or(|of| match &header.lineage {
        Some(stands) => stands == of,
        None => of.nth == 0 && of.first == follower.run_key(),
    });
    if is_it { Ok(follower) } else { Err(bad("is not of the run that was gone on with")) }
}

/// Whether a database that stands there has all that the journal holds.
fn has_all(stands: Watermark, follower: &mut Follower) -> bool {
    if stands.ended {
        return true;
    }
    let mut seq = 0;
    loop {
        match follower.next_entry() {
            Ok(Next::Entry(Entry::Slot(_), _)) if seq == stands.seq => return false,
            Ok(Next::Entry(Entry::Slot(_), _)) => seq += 1,
            Ok(Next::Entry(..)) => {}
            Ok(Next::Pending) => return true,
            // Its end is not there; or what can be read of it may not be.
            Ok(Next::Ended) | Err(_) => return false,
        }
    }
}
