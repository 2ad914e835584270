//! SQLite: a file, no server.
//!
//! Write-ahead log, each commit forced to the disk; others may read while we write.

use super::error::StoreError;
use super::row::{Batch, Columns, Row, TABLES, Watermark};
use super::{RunId, RunStatus, Store, StoreOptions, facts, schema};
use crate::journal::{JournalHeader, private_dir_of, private_file};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Statement, Transaction, TransactionBehavior, params,
};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// See the module.
pub struct SqliteStore {
    path: PathBuf,
    place: String,
    connection: Connection,
    /// The file that is open: device and number. A file that was deleted can be written to for ever, unseen.
    file: Option<(u64, u64)>,
}

/// How long another writer is waited for.
const BUSY: Duration = Duration::from_secs(5);

impl SqliteStore {
    /// Opens the file, which is made, with its directory, if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let place = format!("sqlite:{}", path.display());
        let told = |error: rusqlite::Error| fault(&place, &error);
        if options.read_only {
            let told = |error: rusqlite::Error| unreadable(path, &place, &error);
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let connection = Connection::open_with_flags(read_only_uri(path), flags).map_err(told)?;
            connection.busy_timeout(BUSY).map_err(told)?;
            let tables = "SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'";
            let ours = connection.query_row(tables, [], |row| row.get::<_, i64>(0)).map_err(told)? > 0;
            let version = "SELECT version FROM schema_version";
            let version = match ours {
                true => connection.query_row(version, [], |row| row.get(0)).optional().map_err(told)?,
                false => None,
            };
            schema::readable(version, &place)?;
            return Ok(Self { path: path.to_owned(), place, connection, file: identity(path) });
        }
        private_dir_of(path).map_err(|e| StoreError::Database {
            place: place.clone(),
            problem: format!("its directory cannot be made: {e}"),
        })?;
        // SQLite makes a database that the umask alone restricts, and its log with the mode of the database: of an empty
        // file it makes one too. A link that leads to no file yet is followed, as SQLite does. Where none can be made it says
        // why itself.
        let _ = private_file().write(true).create(true).truncate(false).open(path);
        let connection = Connection::open(path).map_err(told)?;
        connection.busy_timeout(BUSY).map_err(told)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(told)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(told)?;
        if let Some(pages) = options.pages_max {
            connection.pragma_update(None, "max_page_count", pages).map_err(told)?;
        }
        let mut store = Self { path: path.to_owned(), place, connection, file: identity(path) };
        store.migrate()?;
        Ok(store)
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        let place = &self.place;
        let told = |error: rusqlite::Error| fault(place, &error);
        let exclusive = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(exclusive).map_err(told)?;
        transaction.execute_batch(schema::VERSION_TABLE).map_err(told)?;
        let version = transaction
            .query_row("SELECT version FROM schema_version", [], |row| row.get(0))
            .optional()
            .map_err(told)?;
        if let Some(sql) = schema::steps_from(version.unwrap_or(0), &schema::SQLITE, place)? {
            transaction.execute_batch(&sql).map_err(told)?;
        }
        transaction.commit().map_err(told)
    }

    fn begin_run(&mut self, key: &str, header: &JournalHeader) -> rusqlite::Result<(RunId, Watermark)> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(found) = run_of(&transaction, key)? {
            return Ok(found);
        }
        let (first, nth) = facts::lineage(key, header);
        transaction.execute(
            "INSERT INTO runs (run_key, name, version, epoch, started_ns, config_name, config_text, first_run, nth, seq, time_ns, \
             ended) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, 0)",
            params![
                key,
                header.run_name,
                header.version,
                header.epoch as i64,
                header.started_ns as i64,
                header.config_name,
                header.config_text,
                first,
                nth
            ],
        )?;
        let run = transaction.last_insert_rowid();
        for i in &header.instruments {
            transaction.execute(
                "INSERT INTO instruments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    run,
                    i.id.0,
                    i.name(),
                    i.base,
                    i.quote,
                    i.price_decimals,
                    i.qty_decimals,
                    facts::price(i.tick, i).to_string(),
                    facts::qty(i.lot, i).to_string(),
                    facts::rate(i.maker_fee).to_string(),
                    facts::rate(i.taker_fee).to_string()
                ],
            )?;
        }
        for (id, s) in header.strategies.iter().enumerate() {
            let row = params![run, id as i64, s.label, s.name];
            transaction.execute("INSERT INTO strategies VALUES (?1, ?2, ?3, ?4)", row)?;
        }
        transaction.commit()?;
        Ok((RunId(run), Watermark::default()))
    }

    /// False where the run is not where the batch begins.
    fn write_batch(&mut self, run: RunId, batch: &Batch) -> rusqlite::Result<bool> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let moved = transaction
            .prepare_cached("UPDATE runs SET seq = ?1, time_ns = ?2, ended = ?3 WHERE id = ?4 AND seq = ?5 AND ended = ?6")?
            .execute(params![
                batch.upto.seq as i64,
                batch.time.0 as i64,
                batch.upto.ended,
                run.0,
                batch.after.seq as i64,
                batch.after.ended
            ])?;
        if moved != 1 {
            return Ok(false);
        }
        insert(&transaction, run, &batch.orders)?;
        insert(&transaction, run, &batch.order_events)?;
        insert(&transaction, run, &batch.denials)?;
        insert(&transaction, run, &batch.fills)?;
        insert(&transaction, run, &batch.commissions)?;
        insert(&transaction, run, &batch.positions)?;
        insert(&transaction, run, &batch.bars)?;
        insert(&transaction, run, &batch.equity)?;
        transaction.commit()?;
        Ok(true)
    }

    fn all_runs(&mut self) -> rusqlite::Result<Vec<RunStatus>> {
        // One transaction, so that the counts are of one moment.
        let transaction = self.connection.transaction()?;
        let mut statement = transaction
            .prepare("SELECT id, run_key, name, started_ns, seq, ended, time_ns FROM runs ORDER BY id")?;
        let runs = statement.query_map([], |row| {
            let watermark = Watermark { seq: row.get::<_, i64>(4)? as u64, ended: row.get(5)? };
            let status = RunStatus {
                key: row.get(1)?,
                name: row.get(2)?,
                started_ns: row.get::<_, i64>(3)? as u64,
                watermark,
                time_ns: row.get::<_, i64>(6)? as u64,
                rows: Vec::new(),
            };
            Ok((row.get::<_, i64>(0)?, status))
        })?;
        let mut all = Vec::new();
        for run in runs {
            let (id, mut status) = run?;
            for table in TABLES {
                let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
                let sql = format!("SELECT count(*) FROM {table} WHERE run = ?1");
                status.rows.push((table, transaction.query_row(&sql, [id], count)? as u64));
            }
            all.push(status);
        }
        Ok(all)
    }
}

impl Store for SqliteStore {
    fn place(&self) -> &str {
        &self.place
    }

    fn find(&mut self, key: &str) -> Result<Option<Watermark>, StoreError> {
        let found = run_of(&self.connection, key).map_err(|e| fault(&self.place, &e))?;
        Ok(found.map(|(_, stands)| stands))
    }

    fn find_nth(&mut self, first: &str, nth: u32) -> Result<Option<Watermark>, StoreError> {
        let found = self.connection.query_row(
            "SELECT seq, ended FROM runs WHERE first_run = ?1 AND nth = ?2 ORDER BY ended DESC, seq DESC LIMIT 1",
            (first, nth),
            |row| Ok(Watermark { seq: row.get::<_, i64>(0)? as u64, ended: row.get(1)? }),
        );
        found.optional().map_err(|e| fault(&self.place, &e))
    }

    fn begin(&mut self, key: &str, header: &JournalHeader) -> Result<(RunId, Watermark), StoreError> {
        self.begin_run(key, header).map_err(|e| fault(&self.place, &e))
    }

    fn write(&mut self, run: RunId, batch: &Batch) -> Result<(), StoreError> {
        if identity(&self.path) != self.file {
            let problem = "the file was deleted or replaced; it is opened anew".to_owned();
            return Err(StoreError::Database { place: self.place.clone(), problem });
        }
        match self.write_batch(run, batch) {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::Moved { place: self.place.clone() }),
            Err(error) => Err(fault(&self.place, &error)),
        }
    }

    fn runs(&mut self) -> Result<Vec<RunStatus>, StoreError> {
        self.all_runs().map_err(|e| fault(&self.place, &e))
    }
}

fn run_of(connection: &Connection, key: &str) -> rusqlite::Result<Option<(RunId, Watermark)>> {
    connection
        .query_row("SELECT id, seq, ended FROM runs WHERE run_key = ?1", [key], |row| {
            Ok((RunId(row.get(0)?), Watermark { seq: row.get::<_, i64>(1)? as u64, ended: row.get(2)? }))
        })
        .optional()
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

fn fault(place: &str, error: &rusqlite::Error) -> StoreError {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            ": make room on its disk; what is missing is written from the journal then"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ": another program holds it",
        Some(ErrorCode::CannotOpen) => ": is its directory there, and may this user write in it?",
        Some(ErrorCode::ReadOnly) => ": may this user write to it?",
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            ": is it a database of algo-trader? name another file to load journals into"
        }
        _ => "",
    };
    // What follows the first line is the statement, all of it.
    let told = error.to_string();
    let told = told.lines().next().unwrap_or_default().trim_end_matches([' ', ':']);
    StoreError::Database { place: place.to_owned(), problem: format!("{told}{hint}") }
}

/// The file's write-ahead log: there while somebody has the file open to write, or after he was killed.
fn log_of(path: &Path) -> PathBuf {
    // It lies beside the file itself, not beside a link to it.
    let mut name = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
    name.push("-wal");
    name.into()
}

/// The address by which the file is read and nothing is written beside it. Even to read a file that keeps a write-ahead
/// log SQLite makes one, with its index, unless it is told that nobody writes; which holds where there is no log.
fn read_only_uri(path: &Path) -> OsString {
    let mut uri = b"file:".to_vec();
    if path.is_absolute() {
        uri.extend_from_slice(b"//");
    }
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            // What begins another part of an address.
            b'%' | b'?' | b'#' => uri.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            _ => uri.push(byte),
        }
    }
    uri.extend_from_slice(if log_of(path).exists() { b"?mode=ro" } else { b"?immutable=1" });
    OsString::from_vec(uri)
}

/// Why a file cannot be read.
fn unreadable(path: &Path, place: &str, error: &rusqlite::Error) -> StoreError {
    let code = error.sqlite_error_code();
    let problem = match code {
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
            if let Err(error) = std::fs::File::open(path) =>
        {
            format!("cannot be read: {error}")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) if log_of(path).exists() => {
            let log = log_of(path);
            format!(
                "cannot be read by this user: {} beside it holds what was written last, and is read only by a user who \
                 may write to it and to its directory: ask as the user who writes it, or after that program has ended",
                log.display()
            )
        }
        _ => return fault(place, error),
    };
    StoreError::Database { place: place.to_owned(), problem }
}

fn insert<R: Row>(transaction: &Transaction<'_>, run: RunId, rows: &[R]) -> rusqlite::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = R::COLUMNS;
    let marks = vec![", ?"; columns.len()].concat();
    let sql = format!("INSERT INTO {} (run, {}) VALUES (?{marks})", R::TABLE, columns.join(", "));
    let mut statement = transaction.prepare_cached(&sql)?;
    statement.raw_bind_parameter(1, run.0)?;
    for row in rows {
        let mut bound = Bound { statement: &mut statement, at: 1, outcome: Ok(()) };
        row.put(&mut bound);
        bound.outcome?;
        statement.raw_execute()?;
    }
    Ok(())
}

/// Binds one value after the other.
struct Bound<'s, 'c> {
    statement: &'s mut Statement<'c>,
    at: usize,
    outcome: rusqlite::Result<()>,
}

impl Bound<'_, '_> {
    #[inline]
    fn bind(&mut self, value: impl rusqlite::ToSql) {
        self.at += 1;
        if self.outcome.is_ok() {
            self.outcome = self.statement.raw_bind_parameter(self.at, value);
        }
    }
}

impl Columns for Bound<'_, '_> {
    fn int(&mut self, value: i64) {
        self.bind(value);
    }
    fn flag(&mut self, value: bool) {
        self.bind(value);
    }
    fn text(&mut self, value: &str) {
        self.bind(value);
    }
    fn decimal(&mut self, text: &str) {
        self.bind(text);
    }
    fn null(&mut self) {
        self.bind(rusqlite::types::Null);
    }
}
