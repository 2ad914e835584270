//! Export: series of the history as CSV or Parquet, for a notebook to read.
//!
//! Owns: the tables and how they are written. Invariants: numbers are as exact as they are kept, and what a source did not
//! say is no number; a file is there whole or not at all. As CSV, `import exported` reads them back.
//!
//! A series becomes a table; a feed, which has events of several kinds, one for each kind. A depth event becomes a row
//! for each of its levels.

mod csv;
mod parquet;
mod table;

pub use table::{Column, ColumnKind, Table, Value};

use crate::domain::InstrumentTable;
use crate::history::catalogue::{Catalogue, HistoryError, Series};
use crate::history::events::{HistoryEvents, Query};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Rows between two looks at the clock.
const PROGRESS_ROWS: u64 = 1 << 16;

/// How tables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Text with a header; times as ns since 1970, numbers with all their decimals; nothing where a source said nothing.
    Csv,
    /// Columns, packed by gzip; times with their time zone, numbers as exact decimals; null where a source said nothing.
    Parquet,
}

impl ExportFormat {
    /// Every format with its name, which is its files' ending.
    pub const ALL: &'static [(&'static str, ExportFormat)] =
        &[("csv", Self::Csv), ("parquet", Self::Parquet)];

    /// Its files' ending.
    #[must_use]
    pub fn ending(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}

/// Why a series was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        #[source]
        error: io::Error,
    },
    /// A file that would be replaced.
    #[error("{0}: is there already: name another directory, or replace it with --force")]
    Exists(String),
    /// Two series whose files would have one name.
    #[error(
        "{one} and {other} would both be written to {file}: export them apart, with --instrument, into two directories"
    )]
    OneName {
        /// One.
        one: String,
        /// The other.
        other: String,
        /// How both would be called, without an ending.
        file: String,
    },
    /// A number that the format cannot hold.
    #[error(
        "{path}: {column} has a number of more than 18 digits, which Parquet's 64-bit decimals cannot hold: export to csv"
    )]
    Digits {
        /// Which file.
        path: String,
        /// Which column.
        column: &'static str,
    },
    /// Stopped by the user.
    #[error("stopped; the file that was being written is not there")]
    Stopped,
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Where.
    pub path: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// Rows of one table in one format.
trait Sheet {
    fn row(&mut self, values: &[Value]) -> Result<(), SheetFault>;
    fn finish(self: Box<Self>) -> Result<BufWriter<File>, SheetFault>;
}

#[derive(Debug)]
enum SheetFault {
    Io(io::Error),
    Digits(&'static str),
}

impl From<io::Error> for SheetFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A table that is being written, aside.
struct Open {
    table: Table,
    aside: PathBuf,
    path: PathBuf,
    sheet: Box<dyn Sheet>,
    rows: u64,
}

/// What a series' files are called, but for their ending. A file's name has neither colons nor slashes.
fn stem(series: &Series) -> String {
    format!("{}-{}", series.name.instrument.replace([':', '/'], "_"), series.name.label())
}

/// Whether each of these series has files of its own.
///
/// # Errors
/// [`ExportError::OneName`] for two that have not, such as those of XBT/USD and XBT_USD.
pub fn check_names(series: &[Series]) -> Result<(), ExportError> {
    let mut known: HashMap<String, &Series> = HashMap::new();
    for other in series {
        let file = stem(other);
        if let Some(one) = known.get(&file) {
            return Err(ExportError::OneName {
                one: one.name.to_string(),
                other: other.name.to_string(),
                file,
            });
        }
        known.insert(file, other);
    }
    Ok(())
}

/// Exports one series, within the query's range, into `dir`. `progress` is told the events written so far; where it says
/// no, the export stops.
///
/// # Errors
/// [`ExportError`]; a file that was not finished is not there.
pub fn export_series(
    catalogue: &Catalogue,
    series: &Series,
    query: &Query,
    format: ExportFormat,
    dir: &Path,
    force: bool,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Vec<Exported>, ExportError> {
    fs::create_dir_all(dir).map_err(io_at(dir))?;
    let one = std::slice::from_ref(series);
    let table = catalogue.instruments(one)?;
    let mut files = Files { series, table: &table, format, dir, force, open: Vec::new() };
    let mut events = HistoryEvents::with_whole_turnover(catalogue, one, &table, query)?;
    let mut count = 0u64;
    let mut rows = Vec::new();
    while let Some(event) = events.next_event()? {
        let Some(kind) = Table::of(&event.decoded) else { continue };
        let at = files.of(kind)?;
        rows.clear();
        kind.rows(&event, &mut rows);
        let open = &mut files.open[at];
        for values in rows.chunks_exact(kind.columns().len()) {
            open.sheet.row(values).map_err(|fault| fault.at(&open.path))?;
            open.rows += 1;
        }
        count += 1;
        if count.is_multiple_of(PROGRESS_ROWS) && !progress(count) {
            return Err(ExportError::Stopped);
        }
    }
    files.finish()
}

impl SheetFault {
    fn at(self, path: &Path) -> ExportError {
        let path = path.display().to_string();
        match self {
            Self::Io(error) => ExportError::Io { path, error },
            Self::Digits(column) => ExportError::Digits { path, column },
        }
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> ExportError + '_ {
    move |error| ExportError::Io { path: path.display().to_string(), error }
}

/// The files of one series.
struct Files<'a> {
    series: &'a Series,
    table: &'a InstrumentTable,
    format: ExportFormat,
    dir: &'a Path,
    force: bool,
    open: Vec<Open>,
}

impl Files<'_> {
    /// The index of a table's file, made where there is none yet.
    fn of(&mut self, table: Table) -> Result<usize, ExportError> {
        if let Some(at) = self.open.iter().position(|open| open.table == table) {
            return Ok(at);
        }
        let several = if self.series.name.kind == crate::history::catalogue::SeriesKind::Feed {
            format!("-{}", table.label())
        } else {
            String::new()
        };
        let file = format!("{}{several}.{}", stem(self.series), self.format.ending());
        let (path, aside) = (self.dir.join(&file), self.dir.join(format!(".{file}.part")));
        if path.exists() && !self.force {
            return Err(ExportError::Exists(path.display().to_string()));
        }
        let out = BufWriter::with_capacity(256 << 10, File::create(&aside).map_err(io_at(&aside))?);
        let instrument = &self.table.all()[0];
        let columns = table.with_decimals(instrument.price_decimals, instrument.qty_decimals);
        let sheet: Result<Box<dyn Sheet>, io::Error> = match self.format {
            ExportFormat::Csv => csv::CsvSheet::new(out, &columns).map(|sheet| Box::new(sheet) as _),
            ExportFormat::Parquet => {
                parquet::ParquetSheet::new(out, columns).map(|sheet| Box::new(sheet) as _)
            }
        };
        let sheet = sheet.map_err(io_at(&path))?;
        self.open.push(Open { table, aside, path, sheet, rows: 0 });
        Ok(self.open.len() - 1)
    }

    fn finish(mut self) -> Result<Vec<Exported>, ExportError> {
        let mut done = Vec::new();
        for open in self.open.drain(..) {
            let finish = || -> Result<u64, SheetFault> {
                let mut out = open.sheet.finish()?;
                out.flush()?;
                out.get_ref().sync_all()?;
                fs::rename(&open.aside, &open.path)?;
                Ok(fs::metadata(&open.path)?.len())
            };
            let bytes = finish().map_err(|fault| {
                let _ = fs::remove_file(&open.aside);
                fault.at(&open.path)
            })?;
            done.push(Exported { path: open.path, rows: open.rows, bytes });
        }
        Ok(done)
    }
}

impl Drop for Files<'_> {
    fn drop(&mut self) {
        for open in &self.open {
            let _ = fs::remove_file(&open.aside);
        }
    }
}
