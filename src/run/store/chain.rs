//! The journals that come before a run's: of those that went on one with another, the ones that the database lacks some of.
//!
//! Whoever was killed wrote no more, and a database may be away for longer than one run after the other lives. So from
//! the journal that a run goes on with it is gone back, by the notes beside them, to the first of which the database has all:
//! what comes before that one was taken in before it. Only of which it has nothing is looked for beyond, since by hand a
//! later one may have been taken in alone.

use crate::journal::successor::predecessor;
use crate::journal::{Entry, Follower, JournalError, JournalHeader, Lineage, Next};
use crate::store::{Store, StoreError, Watermark};
use std::path::{Path, PathBuf};

/// What a database is asked: how far it has come in a run.
pub enum Question<'a> {
    /// By its key.
    Run(&'a str),
    /// By where it stands.
    Standing(&'a Lineage),
}

impl Question<'_> {
    /// The answer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn to(self, store: &mut dyn Store) -> Result<Option<Watermark>, StoreError> {
        match self {
            Self::Run(key) => store.find(key),
            Self::Standing(Lineage { first, nth }) => store.find_nth(first, *nth),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Chain {
    /// Those that the database lacks some of, the newest first.
    pub journals: Vec<PathBuf>,
    /// The one before them, where it is not there to be taken in, for a person.
    pub lost: Option<String>,
}

impl Chain {
    /// Goes back from the journal that a run goes on with. `ask` asks the database.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn before(
        mut ask: impl FnMut(Question<'_>) -> Result<Option<Watermark>, StoreError>,
        newest: &Path,
    ) -> Result<Self, StoreError> {
        let mut chain = Self::default();
        let (mut path, mut expected) = (newest.to_owned(), None);
        // A run is entered once what comes before it was taken in, or was told to be missing.
        let (mut is_entered, mut is_whole) = (false, false);
        let lost = loop {
            let mut follower = match open(&path, expected.as_ref()) {
                Ok(follower) => follower,
                Err(error) => break error.to_string(),
            };
            let stands = ask(Question::Run(follower.run_key()))?;
            is_entered = stands.is_some();
            // What comes before one that is whole is read only where nothing of it is there: journals are long.
            is_whole = stands.is_some_and(|stands| is_whole || has_all(stands, &mut follower));
            if !is_whole {
                chain.journals.push(path.clone());
            }
            let Some(of) = before(follower.header()) else { return Ok(chain) };
            let found = predecessor(&path).unwrap_or_default();
            expected = Some(of);
            match found {
                Some(found) => path = found,
                None => {
                    break format!(
                        "the run that {} goes on with, whose journal is not beside it",
                        path.display()
                    );
                }
            }
        };
        let is_there = match &expected {
            _ if is_entered => true,
            Some(of) => ask(Question::Standing(of))?.is_some_and(|stands| stands.ended),
            None => false,
        };
        chain.lost = (!is_there).then_some(lost);
        Ok(chain)
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
