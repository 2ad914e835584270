//! Making files to import, and reading histories whole.
#![allow(dead_code)]

use algo_trader::domain::{InstrumentTable, Level, Time};
use algo_trader::history::catalogue::{Entry, Segment, Series, SeriesKind, SeriesName};
use algo_trader::history::import::{ImportError, ImportKind, ImportOptions, Imported, import_file};
use algo_trader::history::segment::{GapRule, SegmentWriter};
use algo_trader::history::{Catalogue, CatalogueWriter, HistoryEvents, Query};
use algo_trader::venue::Decoded;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;

/// An event as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub time: u64,
    pub series: usize,
    pub decoded: Decoded,
    pub levels: Vec<Level>,
}

/// Writes `text` as the only file of a zip.
pub fn zipped(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    let mut zip = zip::ZipWriter::new(File::create(&path).expect("can be made"));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file(name.replace(".zip", ".csv"), options).expect("a zip can begin a file");
    zip.write_all(text.as_bytes()).expect("can be written");
    zip.finish().expect("can be closed");
    path
}

/// Writes `text` as it is.
pub fn plain(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).expect("can be written");
    path
}

/// Imports one file.
pub fn import(
    dir: &Path,
    kind: ImportKind,
    path: &Path,
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    let mut history = CatalogueWriter::open(dir).expect("a history can be made");
    import_file(&mut history, kind, path, options, &mut |_| true)
}

/// Adds a segment of trades of `binance:spot:` and the symbol, whose rows `add` writes and counts.
pub fn add_segment(dir: &Path, symbol: &str, gaps: GapRule, add: impl FnOnce(&mut SegmentWriter) -> u64) {
    let mut history = CatalogueWriter::open(dir).expect("free");
    let aside = history.aside();
    let mut writer = SegmentWriter::create(&aside, gaps).expect("can be made");
    let rows = add(&mut writer);
    let stats = writer.finish().expect("can be closed");
    let name = SeriesName::new(&format!("binance:spot:{symbol}"), SeriesKind::Trades);
    let file = CatalogueWriter::place(&name, Time(stats.first), "0123456789abcdef");
    let segment = Segment::new(file, &name, (symbol[..3].into(), "USDT".into()), &stats, true);
    let entry = Entry {
        id: symbol.into(),
        source: "made up".into(),
        source_bytes: 0,
        sha256: symbol.into(),
        taken_as: "test".into(),
        imported: 0,
        rows,
        skipped: 0,
        rounded: 0,
        segments: vec![segment],
    };
    history.add(entry, &[aside]).expect("can be added");
}

/// Every event of a query, with the instruments they are of.
pub fn read_with(dir: &Path, query: &Query) -> (Vec<Read>, Vec<Series>, InstrumentTable) {
    let catalogue = Catalogue::open(dir).expect("a history is there");
    let series = query.select(&catalogue).expect("what is asked for is there");
    let table = catalogue.instruments(&series).expect("a table can be made");
    let mut events = HistoryEvents::open(&catalogue, &series, &table, query).expect("can be read");
    let mut all = Vec::new();
    while let Some(event) = events.next_event().expect("good files") {
        all.push(Read {
            time: event.time.0,
            series: event.series,
            decoded: event.decoded,
            levels: event.levels.to_vec(),
        });
    }
    (all, series, table)
}

/// Every event of a history.
pub fn read(dir: &Path) -> Vec<Read> {
    read_with(dir, &Query::default()).0
}

/// Files under the history, apart from the catalogue and the lock.
pub fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "seg") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Numbers that look random and are the same every time.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// `units` of 10^-`decimals` as text.
pub fn decimal(units: u64, decimals: u32) -> String {
    let unit = 10u64.pow(decimals);
    match decimals {
        0 => units.to_string(),
        _ => format!("{}.{:0width$}", units / unit, units % unit, width = decimals as usize),
    }
}
