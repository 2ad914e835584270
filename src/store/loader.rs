//! Taking a journal into a database: batch after batch, from wherever the database stands.

use super::error::StoreError;
use super::projection::Projection;
use super::row::{Batch, Watermark};
use super::{RunId, Store};
use crate::journal::{Follower, JournalError, Next};
use std::path::{Path, PathBuf};

/// How a journal is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderSettings {
    /// Rows that make a batch.
    pub batch_rows: usize,
    /// Seconds of the run's time between points of the equity curves.
    pub equity_seconds: u32,
}

/// Times that another writer of the same run is given way to.
const GIVE_WAY_MAX: usize = 100;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadCounts {
    /// Rows.
    pub rows: u64,
    /// Batches, those that only moved the watermark among them.
    pub batches: u64,
}

/// How far the journal has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// The batch is full; there is more to read.
    Full,
    /// There is no more for now.
    Pending,
    /// The run came to its end, and its last rows are in the batch.
    Ended,
}

/// See the module.
pub struct Loader {
    path: PathBuf,
    settings: LoaderSettings,
    follower: Follower,
    projection: Projection,
    batch: Batch,
    run: Option<RunId>,
    ended: bool,
    counts: LoadCounts,
}

impl Loader {
    /// Opens a journal; `None` while its header is not there yet.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path, settings: LoaderSettings) -> Result<Option<Self>, JournalError> {
        let Some(follower) = Follower::open(path)? else { return Ok(None) };
        let projection = projection(path, &follower, Watermark::default(), &settings)?;
        Ok(Some(Self {
            path: path.to_owned(),
            settings,
            follower,
            projection,
            batch: Batch::default(),
            run: None,
            ended: false,
            counts: LoadCounts::default(),
        }))
    }

    /// Finds the run in `store` and goes on from there; to be called for every new connection and after every failed
    /// write, since only the database knows whether a commit that failed came through.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn attach(&mut self, store: &mut dyn Store) -> Result<(), StoreError> {
        let (run, stands) = store.begin(self.follower.run_key(), self.follower.header())?;
        self.run = Some(run);
        if stands != self.batch.after {
            // Another place than ours: read the journal from its beginning, and make rows from there on.
            let Some(follower) = Follower::open(&self.path)? else { return Ok(()) };
            self.projection = projection(&self.path, &follower, stands, &self.settings)?;
            self.follower = follower;
            self.batch = Batch { after: stands, upto: stands, ..Batch::default() };
            self.ended = false;
        }
        Ok(())
    }

    /// Reads on until the batch is full or there is no more.
    ///
    /// # Errors
    /// [`JournalError`] where the journal is damaged.
    pub fn read(&mut self) -> Result<Loaded, JournalError> {
        if self.ended {
            return Ok(Loaded::Ended);
        }
        // Rows of an event that is not yet whole cannot be written, so they alone do not make a batch.
        while self.batch.rows() < self.settings.batch_rows || !self.has_news() {
            match self.follower.next_entry()? {
                Next::Entry(entry, block_ends) => {
                    let applied = self.projection.apply(&entry, block_ends, &mut self.batch);
                    applied.map_err(|unfit| unfit_journal(&self.path, &unfit))?;
                }
                Next::Pending => return Ok(Loaded::Pending),
                Next::Ended => {
                    self.projection.end(&mut self.batch);
                    self.ended = true;
                    return Ok(Loaded::Ended);
                }
            }
        }
        Ok(Loaded::Full)
    }

    /// Whether there is anything to write.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.batch.upto != self.batch.after
    }

    /// Rows that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.batch.rows()
    }

    /// Writes the batch.
    ///
    /// # Errors
    /// [`StoreError`]; [`attach`](Self::attach) before anything else then.
    pub fn write(&mut self, store: &mut dyn Store) -> Result<(), StoreError> {
        if self.run.is_none() {
            self.attach(store)?;
        }
        let Some(run) = self.run.filter(|_| self.has_news()) else { return Ok(()) };
        let rest = self.batch.split_unfinished();
        if let Err(error) = store.write(run, &self.batch) {
            self.batch.unwritten(rest);
            return Err(error);
        }
        self.counts.rows += self.batch.rows() as u64;
        self.counts.batches += 1;
        self.batch.written(rest);
        Ok(())
    }

    /// Takes in all there is, and says whether the run came to its end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn load(&mut self, store: &mut dyn Store) -> Result<bool, StoreError> {
        self.attach(store)?;
        let mut gave_way = 0;
        loop {
            let loaded = match self.read() {
                // What comes before the damage is written all the same.
                Err(error) => {
                    self.write(store)?;
                    return Err(error.into());
                }
                Ok(loaded) => loaded,
            };
            match self.write(store) {
                // Another writer of the same run was quicker: go on from where it came to.
                Err(StoreError::Moved { .. }) if gave_way < GIVE_WAY_MAX => {
                    gave_way += 1;
                    self.attach(store)?;
                    continue;
                }
                written => written?,
            }
            match loaded {
                Loaded::Full => {}
                Loaded::Pending => return Ok(false),
                Loaded::Ended => return Ok(true),
            }
        }
    }

    /// What was written.
    #[must_use]
    pub fn counts(&self) -> LoadCounts {
        self.counts
    }

    /// Where the database stands, as far as we know.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        self.batch.after
    }

    /// Bytes of the journal that were not read yet.
    #[must_use]
    pub fn behind_bytes(&self) -> u64 {
        self.follower.behind()
    }

    /// What tells this run from every other.
    #[must_use]
    pub fn run_key(&self) -> &str {
        self.follower.run_key()
    }
}

fn projection(
    path: &Path,
    follower: &Follower,
    known: Watermark,
    settings: &LoaderSettings,
) -> Result<Projection, JournalError> {
    Projection::new(follower.header(), known, settings.equity_seconds).map_err(|e| unfit_journal(path, &e))
}

fn unfit_journal(path: &Path, unfit: &super::projection::Unfit) -> JournalError {
    JournalError::Bad { path: path.display().to_string(), problem: format!("{unfit}: the file is damaged") }
}
