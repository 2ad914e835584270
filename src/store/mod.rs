//! The store: runs, orders, fills, positions, bars and equity in a database, for people and their queries.
//!
//! Owns: the tables, the projection of a journal into rows, and the two databases. The database is a *projection of the
//! journal*, keyed by (run, sequence): a batch of rows and the watermark it reaches are written in one transaction,
//! and whoever writes next goes on from the watermark. So a database can be slow, down, full or deleted, and either
//! side can be killed; nothing is lost or doubled. Invariant: it reads the journal's file and nothing else, so nothing
//! it does or fails to do reaches a stage.

pub mod error;
pub mod loader;
mod password;
pub mod postgres;
pub mod projection;
pub mod row;
pub mod schema;
pub mod sqlite;
pub mod url;
mod worth;

pub use error::StoreError;
pub use loader::{LoadCounts, Loaded, Loader, LoaderSettings};
pub use postgres::PostgresStore;
pub use projection::Projection;
pub use row::{Batch, Watermark};
pub use sqlite::SqliteStore;
pub use url::{StoreUrl, UrlError};

use crate::journal::JournalHeader;
use std::path::PathBuf;

/// The number a database gave a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(pub i64);

/// A run in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStatus {
    /// What tells it from every other.
    pub key: String,
    /// Its name.
    pub name: String,
    /// When it was started, ns since 1970; zero where its journal does not say.
    pub started_ns: u64,
    /// How far it has been taken in.
    pub watermark: Watermark,
    /// Time of the last event taken in, ns since 1970.
    pub time_ns: u64,
    /// Rows by table.
    pub rows: Vec<(&'static str, u64)>,
}

/// A database.
pub trait Store: Send {
    /// What it is called in messages; without secrets.
    fn place(&self) -> &str;

    /// How far a run has been taken in; `None` where it was never entered.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find(&mut self, key: &str) -> Result<Option<Watermark>, StoreError>;

    /// The same of the run that so many came before, of those that went on with the one of the key `first`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find_nth(&mut self, first: &str, nth: u32) -> Result<Option<Watermark>, StoreError>;

    /// Finds the run, or enters it with its instruments and strategies, and says how far it has been taken in.
    ///
    /// # Errors
    /// [`StoreError`].
    fn begin(&mut self, key: &str, header: &JournalHeader) -> Result<(RunId, Watermark), StoreError>;

    /// Writes a batch and its watermark, both or neither.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where the run is not where the batch begins. After any error it is unknown whether the
    /// batch is there: [`begin`](Self::begin) tells.
    fn write(&mut self, run: RunId, batch: &Batch) -> Result<(), StoreError>;

    /// Every run, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn runs(&mut self) -> Result<Vec<RunStatus>, StoreError>;
}

/// What may be set for a connection.
#[derive(Debug, Clone, Default)]
pub struct StoreOptions {
    /// Certificates, PEM, that vouch for the server, instead of the public authorities; PostgreSQL only.
    pub ca_file: Option<PathBuf>,
    /// Pages that the database may have, instead of as many as the disk holds; SQLite only.
    pub pages_max: Option<u32>,
    /// Only look: a database without our tables, or with earlier ones, is refused instead of given them.
    pub read_only: bool,
}

/// Opens a database, and brings its tables up to date, unless it is only to be looked at.
///
/// # Errors
/// [`StoreError`], which says whether trying again may help.
pub fn open(url: &StoreUrl, options: &StoreOptions) -> Result<Box<dyn Store>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => Ok(Box::new(SqliteStore::open(path, options)?)),
        StoreUrl::Postgres(server) => Ok(Box::new(PostgresStore::open(server, options)?)),
    }
}

/// The values of a run's row and of the tables beside it, the same for both databases.
mod facts {
    use crate::domain::decimal::Scaled;
    use crate::domain::instrument::FeeRate;
    use crate::domain::{Instrument, Price, Qty};
    use crate::journal::JournalHeader;

    pub fn price(price: Price, instrument: &Instrument) -> Scaled {
        Scaled { value: price.0.into(), decimals: instrument.price_decimals }
    }

    pub fn qty(qty: Qty, instrument: &Instrument) -> Scaled {
        Scaled { value: qty.0.into(), decimals: instrument.qty_decimals }
    }

    /// The first of the runs that went on one with another, and how many came before this one.
    pub fn lineage<'a>(key: &'a str, header: &'a JournalHeader) -> (&'a str, i64) {
        header.lineage.as_ref().map_or((key, 0), |of| (of.first.as_str(), of.nth.into()))
    }

    pub fn rate(rate: FeeRate) -> Scaled {
        Scaled { value: rate.0.into(), decimals: FeeRate::DECIMALS }
    }
}
