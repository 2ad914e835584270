//! Import: vendors' files and recordings into the history, one file at a time.
//!
//! Owns: the formats, one in each file here. Invariants: a file is in the history whole or not at all; a row is kept
//! exactly, or is named by its line; the same file taken the same way is taken once.

mod adjust;
mod bars;
mod binance;
mod captured;
mod exported;
mod fault;
mod input;
mod name;
mod number;
mod ohlcv;
mod sink;
mod tardis;

pub use fault::{ImportError, NameFault, RowFault};
pub use ohlcv::Columns;

use crate::domain::{Instrument, Market};
use crate::history::catalogue::{CatalogueWriter, Entry, Segment};
use crate::history::segment::Num;
use input::SourceFile;
use number::Numbers;
use sha2::{Digest, Sha256};
use sink::{Sink, remove};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bad rows that are told word for word; all are counted.
pub const PROBLEMS_KEPT: usize = 10;
/// Rows between two looks at the clock.
const PROGRESS_ROWS: u64 = 1 << 16;

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportKind {
    /// Binance's public dumps.
    Binance,
    /// Tardis' CSV files.
    Tardis,
    /// Raw frames: recordings and captures.
    Capture,
    /// US equities, as LEAN lays them out.
    Stocks,
    /// Crypto bars, as LEAN lays them out.
    CryptoBars,
    /// Bars in any CSV.
    Csv,
    /// Tables that were exported as CSV.
    Exported,
}

/// Each kind with its name on the command line and what it is.
pub const KINDS: &[(ImportKind, &str, &str)] = &[
    (
        ImportKind::Binance,
        "binance",
        "Binance's public dumps (zip or CSV): klines, trades, aggTrades, bookTicker; spot and futures",
    ),
    (
        ImportKind::Tardis,
        "tardis",
        "Tardis' CSV files (packed or not): trades, quotes, incremental_book_L2, book_snapshot_25",
    ),
    (ImportKind::Capture, "capture", "raw frames that `algo-trader capture` wrote, or recordings like them"),
    (ImportKind::Stocks, "stocks", "US equities in LEAN's zips: ticks, minute, hour, daily"),
    (ImportKind::CryptoBars, "crypto-bars", "crypto in LEAN's zips: ticks, second to daily bars"),
    (ImportKind::Csv, "csv", "bars in any CSV: say which columns with --columns, and --every, --instrument"),
    (ImportKind::Exported, "exported", "what `algo-trader export --format csv` wrote, but feeds"),
];

/// How files are taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportOptions {
    /// `venue:market:SYMBOL`, where the file does not say or says otherwise.
    pub instrument: Option<String>,
    /// The part of the venue, where the file does not say.
    pub market: Option<Market>,
    /// The asset bought and sold, where the symbol does not say.
    pub base: Option<String>,
    /// The asset paid with, where the symbol does not say.
    pub quote: Option<String>,
    /// Leave bad rows out, counted, instead of refusing the file.
    pub skip_bad: bool,
    /// Sort rows, but those of depth, by (time, id), in memory, instead of refusing a file whose times go back.
    pub sort: bool,
    /// Round prices that have more decimals.
    pub round_price: Option<u8>,
    /// Round quantities that have more decimals.
    pub round_qty: Option<u8>,
    /// Factors for splits and dividends: a file, or a directory with one for each symbol (stocks).
    pub adjust: Option<PathBuf>,
    /// Columns and length of bars (CSV).
    pub columns: Columns,
    /// What the catalogue calls the source, where that is not the file's path.
    pub source: Option<String>,
    /// Instruments whose frames are known where a file has those of many (captures).
    pub configured: Vec<Instrument>,
}

impl ImportOptions {
    /// What beside the bytes decides what becomes of them.
    fn taken_as(&self, kind: ImportKind) -> String {
        let mut text = KINDS.iter().find(|(k, ..)| *k == kind).map_or("", |(_, name, _)| *name).to_owned();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                text.push_str(&format!(" {name}={value}"));
            }
        };
        add("instrument", self.instrument.clone());
        add("market", self.market.map(|m| m.label().into()));
        add("base", self.base.clone());
        add("quote", self.quote.clone());
        add("round_price", self.round_price.map(|n| n.to_string()));
        add("round_qty", self.round_qty.map(|n| n.to_string()));
        add("skip_bad", self.skip_bad.then(|| "yes".into()));
        add("adjust", self.adjust.as_ref().map(|path| path.display().to_string()));
        add("every", self.columns.every.clone());
        let given = self.columns.given.iter().map(|(name, column)| format!("{name}={column}"));
        add("columns", (!self.columns.given.is_empty()).then(|| given.collect::<Vec<_>>().join(",")));
        text
    }

    fn numbers(&self) -> Numbers {
        Numbers { round_price: self.round_price, round_qty: self.round_qty, rounded: 0 }
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Rows read.
    pub rows: u64,
    /// Bytes of the file read, as it lies on the disk.
    pub bytes: u64,
    /// The file's size.
    pub bytes_all: u64,
}

/// What became of a file.
#[derive(Debug, Clone)]
pub enum Imported {
    /// It is in the history now; with the first bad rows that were left out.
    Added(Entry, Vec<String>),
    /// It was there already; nothing was added.
    Known(Entry),
}

/// What a line was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Row,
    Header,
}

/// A format: lines in, rows out.
trait Format {
    /// Takes a line; `number` is its place in the file, from 1.
    fn line(&mut self, number: u64, line: &[u8], sink: &mut Sink<'_>) -> Result<Line, RowFault>;

    /// The file is at its end.
    fn end(&mut self, sink: &mut Sink<'_>) {
        let _ = sink;
    }

    /// Numbers that were rounded.
    fn rounded(&self) -> u64;
}

/// What is counted of a file's rows, and what is done about bad ones.
struct Rows<'a> {
    path: &'a Path,
    skip_bad: bool,
    rows: u64,
    skipped: u64,
    problems: Vec<String>,
}

impl Rows<'_> {
    fn bad(&mut self, line: u64, fault: RowFault) -> Result<(), ImportError> {
        self.bad_event(line, 1, fault)
    }

    /// So many rows from a line on are an event that cannot be taken.
    fn bad_event(&mut self, line: u64, rows: u64, fault: RowFault) -> Result<(), ImportError> {
        // Without a name no row can be taken at all.
        if !self.skip_bad || matches!(fault, RowFault::Name(_)) {
            return Err(ImportError::Row { path: self.path.display().to_string(), line, fault });
        }
        self.skipped += rows;
        if self.problems.len() < PROBLEMS_KEPT {
            let all = if rows > 1 { format!(", {rows} rows of one event") } else { String::new() };
            self.problems.push(format!("{}:{line}: {fault}: left out{all}", self.path.display()));
        }
        Ok(())
    }
}

/// Imports one file. `progress` is told now and then how far it is; where it says no, the import stops.
///
/// # Errors
/// [`ImportError`]; nothing of the file is then in the history.
pub fn import_file(
    history: &mut CatalogueWriter,
    kind: ImportKind,
    path: &Path,
    options: &ImportOptions,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Imported, ImportError> {
    let source = SourceFile::check(path)?;
    let taken_as = options.taken_as(kind);
    let named = options.source.clone().unwrap_or_else(|| path.display().to_string());
    // The same bytes from the same place, taken the same way, need not be read again; factors that they are adjusted by may
    // have changed.
    let known =
        |entry: &&Entry| entry.sha256 == source.sha256 && entry.taken_as == taken_as && entry.source == named;
    if options.adjust.is_none()
        && let Some(entry) = history.catalogue().entries().iter().find(known)
    {
        return Ok(Imported::Known(entry.clone()));
    }
    let mut rows = Rows { path, skip_bad: options.skip_bad, rows: 0, skipped: 0, problems: Vec::new() };
    // A feed's order is what it is.
    let mut sink = Sink::new(history, options.sort && kind != ImportKind::Capture);
    let rounded = read(kind, &source, options, &mut sink, &mut rows, progress)?;
    let id = id(&source.sha256, &format!("{taken_as} {}", sink.told()));
    let (segments, aside) = sink.finish(&id)?;
    if segments.is_empty() {
        let why = if rows.skipped > 0 { "all rows are bad" } else { "it has no rows" };
        return Err(ImportError::file(path, format!("nothing to import: {why}; is this the right KIND?")));
    }
    // A name and options decide what becomes of the bytes: where that is there already, they are known, however it was come to.
    let entries = sink.catalogue().catalogue().entries();
    let same_bytes = entries.iter().find(|entry| entry.sha256 == source.sha256 && is_made(entry, &segments));
    if let Some(entry) = same_bytes.cloned() {
        let dir = sink.catalogue().catalogue().dir().to_owned();
        if has_contents(&dir, &entry, &aside) {
            remove(&aside);
            return Ok(Imported::Known(entry));
        }
    }
    let entry = Entry {
        id,
        source: named,
        source_bytes: source.bytes,
        sha256: source.sha256,
        taken_as,
        imported: now(),
        rows: rows.rows,
        skipped: rows.skipped,
        rounded,
        segments,
    };
    if let Err(error) = sink.catalogue().add(entry.clone(), &aside) {
        remove(&aside);
        return Err(error.into());
    }
    Ok(Imported::Added(entry, rows.problems))
}

fn read(
    kind: ImportKind,
    source: &SourceFile,
    options: &ImportOptions,
    sink: &mut Sink<'_>,
    rows: &mut Rows<'_>,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<u64, ImportError> {
    let path = rows.path;
    if kind == ImportKind::Capture {
        return captured::read(path, source.bytes, options, sink, rows, progress);
    }
    let bytes = Arc::new(AtomicU64::new(0));
    source.read(&bytes, |name, mut lines| {
        let unnamed = |fault: NameFault| ImportError::file(path, fault.to_string());
        let mut format: Box<dyn Format> = match kind {
            ImportKind::Binance => Box::new(binance::Dump::new(path, name, options).map_err(unnamed)?),
            ImportKind::Tardis => Box::new(tardis::Tardis::new(options)),
            ImportKind::Stocks => Box::new(bars::Bars::new(path, name, true, options)?),
            ImportKind::CryptoBars => Box::new(bars::Bars::new(path, name, false, options)?),
            ImportKind::Exported => Box::new(exported::Exported::new(name, options).map_err(unnamed)?),
            ImportKind::Csv | ImportKind::Capture => Box::new(ohlcv::Ohlcv::new(options).map_err(unnamed)?),
        };
        while let Some((number, line)) = lines.next_line()? {
            sink.set_line(number);
            let taken = format.line(number, line, sink);
            for (line, count, fault) in sink.refused() {
                rows.bad_event(line, count, fault)?;
            }
            match taken {
                Ok(Line::Row) => rows.rows += 1,
                Ok(Line::Header) => continue,
                Err(fault) => {
                    rows.rows += 1;
                    if let Some(error) = sink.failed.take() {
                        return Err(error.into());
                    }
                    rows.bad(number, fault)?;
                }
            }
            if rows.rows.is_multiple_of(PROGRESS_ROWS) {
                let at = Progress {
                    rows: rows.rows,
                    bytes: bytes.load(Ordering::Relaxed),
                    bytes_all: source.bytes,
                };
                if !progress(at) {
                    return Err(ImportError::Stopped { path: path.display().to_string() });
                }
            }
        }
        format.end(sink);
        for (line, count, fault) in sink.refused() {
            rows.bad_event(line, count, fault)?;
        }
        let mut failed = None;
        sink.sort(|line, fault| match rows.bad(line, fault) {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(format.rounded()),
        }
    })
}

/// Whether an import has segments like these.
fn is_made(entry: &Entry, segments: &[Segment]) -> bool {
    let what = |s: &Segment| Segment { file: String::new(), ..s.clone() };
    entry.segments.iter().map(what).eq(segments.iter().map(what))
}

/// Whether an import's segments hold what these files do.
fn has_contents(dir: &Path, entry: &Entry, files: &[PathBuf]) -> bool {
    let alike = |(segment, file): (&Segment, &PathBuf)| is_alike(&dir.join(&segment.file), file);
    entry.segments.iter().zip(files).all(|pair| alike(pair).unwrap_or(false))
}

fn is_alike(one: &Path, other: &Path) -> std::io::Result<bool> {
    let open = |path| std::fs::File::open(path).map(|file| BufReader::with_capacity(1 << 16, file));
    let (mut one, mut other) = (open(one)?, open(other)?);
    loop {
        let (a, b) = (one.fill_buf()?, other.fill_buf()?);
        let both = a.len().min(b.len());
        if both == 0 || a[..both] != b[..both] {
            return Ok(a.is_empty() && b.is_empty());
        }
        one.consume(both);
        other.consume(both);
    }
}

/// Names an import by what it was made of, and what it made.
fn id(sha256: &str, taken_as: &str) -> String {
    let hash = Sha256::digest(format!("{sha256} {taken_as}"));
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// What lies where files were said to be.
#[derive(Debug, Default)]
pub struct Found {
    /// Files to import, in the order of their names.
    pub files: Vec<PathBuf>,
    /// Files of directories that no importer reads, by their names, and links to other directories, which are not followed;
    /// checksums and manifests, which belong to others, are not told of.
    pub passed_over: Vec<PathBuf>,
}

/// How the names end of what is imported from a directory. A file given by its own name may be named as it likes.
const READ: [&str; 3] = ["csv", "zip", "gz"];
/// And of what lies beside it and says something of it.
const BESIDE: [&str; 2] = ["CHECKSUM", "jsonl"];

/// Where files given by name are: a directory stands for the files in it and in those below.
///
/// # Errors
/// [`ImportError`] where a path cannot be read, or a directory has no file to import.
pub fn files(paths: &[PathBuf]) -> Result<Found, ImportError> {
    let mut all = Found::default();
    for path in paths {
        let io = |error| ImportError::Io { path: path.display().to_string(), error };
        if !std::fs::metadata(path).map_err(io)?.is_dir() {
            all.files.push(path.clone());
            continue;
        }
        let mut found = Found::default();
        files_in(path, &mut found)?;
        if found.files.is_empty() {
            let problem =
                "is a directory without files that end in .csv, .zip or .gz: give one with such, or files";
            return Err(ImportError::file(path, problem));
        }
        found.files.sort();
        all.files.extend(found.files);
        all.passed_over.extend(found.passed_over);
    }
    Ok(all)
}

fn files_in(directory: &Path, found: &mut Found) -> Result<(), ImportError> {
    let io = |error| ImportError::Io { path: directory.display().to_string(), error };
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        let ends_in = |ends: &[&str]| path.extension().is_some_and(|e| ends.iter().any(|end| e == *end));
        if entry.file_type().map_err(io)?.is_dir() {
            files_in(&path, found)?;
        } else if path.is_dir() {
            // A link to a directory is not followed: it may lead back here.
            found.passed_over.push(path);
        } else if ends_in(&READ) && (path.is_file() || !path.exists()) {
            // Also a link that leads nowhere: that it cannot be read is told where it is to be. A pipe is no file.
            found.files.push(path);
        } else if !ends_in(&BESIDE) {
            found.passed_over.push(path);
        }
    }
    Ok(())
}

/// Refuses a bar whose prices contradict each other: open, high, low, close.
fn check_bar(prices: &[Num; 4]) -> Result<(), RowFault> {
    // As a rule all are printed alike.
    let alike = prices.iter().all(|price| price.decimals == prices[0].decimals);
    let consistent = if alike { in_order(prices.map(|price| price.units)) } else { in_order(scaled(prices)) };
    if consistent { Ok(()) } else { Err(RowFault::Bar) }
}

/// The prices in units of the finest.
#[cold]
fn scaled(prices: &[Num; 4]) -> [i128; 4] {
    let most = prices.iter().map(|p| p.decimals).max().unwrap_or(0);
    prices.map(|p| i128::from(p.units) * 10i128.pow(u32::from(most - p.decimals)))
}

/// Whether open, high, low and close can be those of one bar.
fn in_order<T: Ord + Copy>([open, high, low, close]: [T; 4]) -> bool {
    low <= open.min(close) && high >= open.max(close)
}
