//! Rows that have come and are not in the history yet: a file of lines as in the venue's dumps.
//!
//! Owns: `fetching/` in the history's directory, which only the process that holds the history's lock touches. A row is
//! there once it was received, and in the history once its file was imported; the file is removed after that. A process
//! that is killed in between leaves a file that was imported already, which the importer knows, or one that was not.

use super::page::FetchedRow;
use super::series::FetchedSeries;
use crate::domain::Market;
use crate::history::catalogue::{CatalogueWriter, Entry};
use crate::history::import::{ImportError, ImportKind, ImportOptions, Imported, import_file};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FETCHING: &str = "fetching";
const MARKETS: [Market; 3] = [Market::Spot, Market::UsdM, Market::CoinM];

/// Why rows could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        #[source]
        error: io::Error,
    },
    /// They cannot be taken into the history.
    #[error(transparent)]
    Import(#[from] ImportError),
}

fn io(path: &Path) -> impl FnOnce(io::Error) -> SpoolError + '_ {
    move |error| SpoolError::Io { path: path.display().to_string(), error }
}

/// Rows of one import, while they come.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: File,
    options: ImportOptions,
    part: i64,
    rows: u64,
}

impl Spool {
    /// A file for the rows of the import that `first` belongs to.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn begin(history: &Path, series: &FetchedSeries, first: &FetchedRow) -> Result<Self, SpoolError> {
        // The assets stand in the path, since whoever finds the file has nobody to ask.
        let assets = format!("{},{}", series.base, series.quote);
        let dir = history.join(FETCHING).join(series.market.label()).join(assets);
        fs::create_dir_all(&dir).map_err(io(&dir))?;
        let number = if first.id > 0 { first.id } else { first.from_ms };
        let path = dir.join(format!("{}-{}-{number}.csv", series.symbol, series.dump()));
        let file = File::create(&path).map_err(io(&path))?;
        let options = options(series.market, &series.base, &series.quote, &path);
        Ok(Self { path, file, options, part: series.part(first.from_ms), rows: 0 })
    }

    /// Which import it is for.
    #[must_use]
    pub const fn part(&self) -> i64 {
        self.part
    }

    /// Rows in it.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes rows: they are in the file when this returns, whatever becomes of the process.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn push(&mut self, rows: &[FetchedRow]) -> Result<(), SpoolError> {
        let mut text = String::with_capacity(rows.len() * 128);
        for row in rows {
            text.push_str(&row.line);
            text.push('\n');
        }
        self.file.write_all(text.as_bytes()).map_err(io(&self.path))?;
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// Takes the rows into the history and removes the file.
    ///
    /// # Errors
    /// [`SpoolError`]; the file is then still there.
    pub fn commit(self, history: &mut CatalogueWriter) -> Result<Entry, SpoolError> {
        drop(self.file);
        take(history, &self.path, &self.options)
    }
}

fn options(market: Market, base: &str, quote: &str, path: &Path) -> ImportOptions {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    ImportOptions {
        market: Some(market),
        base: Some(base.into()),
        quote: Some(quote.into()),
        source: Some(format!("fetched {market} {name}")),
        ..ImportOptions::default()
    }
}

fn take(history: &mut CatalogueWriter, path: &Path, options: &ImportOptions) -> Result<Entry, SpoolError> {
    let imported = import_file(history, ImportKind::Binance, path, options, &mut |_| true)?;
    fs::remove_file(path).map_err(io(path))?;
    match imported {
        Imported::Added(entry, _) | Imported::Known(entry) => Ok(entry),
    }
}

/// What earlier processes had left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Rows that are in the history now, or were already.
    pub rows: u64,
    /// Files that could not be taken, and why; they are gone, and what was in them is asked for again.
    pub given_up: Vec<String>,
}

/// Takes into the history what processes that were killed had received.
///
/// # Errors
/// [`SpoolError::Io`] where the directory cannot be read or written to.
pub fn recover(history: &mut CatalogueWriter) -> Result<Recovered, SpoolError> {
    let mut recovered = Recovered::default();
    let dir = history.catalogue().dir().join(FETCHING);
    for market in MARKETS {
        for assets in entries(&dir.join(market.label()))? {
            let name = assets.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (base, quote) = name.split_once(',').unwrap_or((&name, ""));
            for path in entries(&assets)? {
                // A line without its end was not received whole.
                let text = fs::read(&path).map_err(io(&path))?;
                let whole = text.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
                if whole == 0 {
                    fs::remove_file(&path).map_err(io(&path))?;
                    continue;
                }
                if whole < text.len() {
                    let file = File::options().write(true).open(&path).map_err(io(&path))?;
                    file.set_len(whole as u64).map_err(io(&path))?;
                }
                match take(history, &path, &options(market, base, quote, &path)) {
                    Ok(entry) => recovered.rows += entry.rows,
                    Err(error @ SpoolError::Io { .. }) => return Err(error),
                    Err(SpoolError::Import(error)) => {
                        recovered.given_up.push(error.to_string());
                        fs::remove_file(&path).map_err(io(&path))?;
                    }
                }
            }
        }
    }
    Ok(recovered)
}

/// What lies in a directory; nothing where there is none.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let listed = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(io(dir))?,
    };
    let mut paths = listed.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(io(dir))?;
    paths.sort();
    Ok(paths)
}
