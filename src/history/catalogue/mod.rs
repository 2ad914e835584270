//! The catalogue: which series a history has, from which files, and where they lie.
//!
//! Owns: the directory of a history. Reads no event, but to see that what is added can be read together with what is there.
//! Invariants: an import is in the catalogue whole or not at all,
//! whenever the process ends; two processes never write at once; nothing that the catalogue names is ever changed.
//!
//! The directory has `catalogue.jsonl`, to which lines are only added, and `segments/`. An import writes its segments
//! aside (`incoming/`), forces them to the disk, renames them to where they belong, and adds its line last: a line
//! without its end, and a segment without a line, are what a killed process leaves, and are taken for nothing.

mod entry;
mod fault;
mod precision;
mod series;
mod write;

pub use entry::{Entry, Part, Segment};
pub use fault::{Apart, HistoryError, Overlap};
pub use series::{SeriesKind, SeriesName, every_seconds, is_every, split_name};
pub use write::CatalogueWriter;

use crate::domain::decimal::POW10;
use crate::domain::instrument::FeeRate;
use crate::domain::{Instrument, InstrumentId, InstrumentTable, Notional, Price, Qty, Time};
use entry::Line;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where segments lie, below the history's directory.
const SEGMENTS: &str = "segments";
/// The catalogue's file name.
pub const CATALOGUE_NAME: &str = "catalogue.jsonl";

/// What a history has.
#[derive(Debug, Clone)]
pub struct Catalogue {
    dir: PathBuf,
    entries: Vec<Entry>,
}

/// A series, from all files that brought a part of it.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name.
    pub name: SeriesName,
    /// Its parts, in order of time.
    pub segments: Vec<Segment>,
    /// The files they came from, in the same order.
    pub sources: Vec<String>,
    /// Events.
    pub rows: u64,
    /// Places where something is missing, within parts and between them; `None` where nobody can tell.
    pub gaps: Option<u64>,
    /// Trades or bars missing in them, where that is known.
    pub missing: u64,
    /// Decimals of prices.
    pub price_decimals: u8,
    /// Decimals of quantities.
    pub qty_decimals: u8,
}

impl Series {
    /// Time of the first event.
    #[must_use]
    pub fn first(&self) -> Time {
        Time(self.segments.first().map_or(0, |s| s.first))
    }

    /// Time of the last event.
    #[must_use]
    pub fn last(&self) -> Time {
        Time(self.segments.iter().map(|s| s.last).max().unwrap_or(0))
    }

    /// Whether trades in it have ids of ours, by day and row, as imports once gave to ticks without any; a venue's are smaller.
    #[must_use]
    pub fn has_made_up_ids(&self) -> bool {
        const FIRST: u64 = 19_700_101 << 32;
        let of_trades = matches!(self.name.kind, SeriesKind::Trades | SeriesKind::AggTrades);
        of_trades && self.segments.iter().any(|segment| segment.first_id >= FIRST)
    }

    /// Refuses depth of which a file before `until` has ids that are not above those of the file before it, as all had that were
    /// imported while each of Tardis' files was numbered from one: a book would stand still where the first of them ends.
    ///
    /// # Errors
    /// [`HistoryError::CountedAnew`].
    pub fn check_ids(&self, until: Option<Time>) -> Result<(), HistoryError> {
        if self.name.kind != SeriesKind::Depth {
            return Ok(());
        }
        let pairs = self.segments.iter().zip(self.segments.iter().skip(1)).zip(self.sources.iter().skip(1));
        let mut read = pairs.filter(|((_, after), _)| until.is_none_or(|until| after.first < until.0));
        match read.find(|((before, after), _)| after.first_id <= before.last_id) {
            Some((_, source)) => {
                Err(HistoryError::CountedAnew { series: self.name.to_string(), file: source.clone() })
            }
            None => Ok(()),
        }
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    /// Its segments by the part of a feed that they have, each part in order of time: within one they do not overlap.
    #[must_use]
    pub fn parts(&self) -> Vec<Vec<&Segment>> {
        let mut parts: BTreeMap<_, Vec<&Segment>> = BTreeMap::new();
        for segment in &self.segments {
            parts.entry(segment.part).or_default().push(segment);
        }
        parts.into_values().collect()
    }

    fn count_gaps(&mut self) {
        let (mut gaps, mut missed) = (0, 0);
        for pair in self.parts().iter().flat_map(|part| part.windows(2)) {
            let (before, after) = (pair[0], pair[1]);
            if before.gaps.is_none() || after.gaps.is_none() {
                continue;
            }
            let missing = match self.name.kind {
                SeriesKind::Trades | SeriesKind::AggTrades => {
                    (after.first_id > before.last_id + 1).then(|| after.first_id - before.last_id - 1)
                }
                // A bar's event is at its end, so the next one is a length later.
                SeriesKind::Bars => self.name.every.as_deref().and_then(every_seconds).and_then(|seconds| {
                    let len = seconds * 1_000_000_000;
                    let missing = (after.first.saturating_sub(before.last) / len).saturating_sub(1);
                    (missing > 0).then_some(missing)
                }),
                // Diffs of two sessions never join.
                SeriesKind::Depth | SeriesKind::Feed => (after.first_id > before.last_id + 1).then_some(0),
                SeriesKind::Quotes => None,
            };
            if let Some(missing) = missing {
                gaps += 1;
                missed += missing;
            }
        }
        self.gaps = self.gaps.map(|within| within + gaps);
        self.missing += missed;
    }
}

/// Files of imports that were read, by the import's id. It is in their names, and several of the same bytes may have it: of two
/// days, say, on which the same happened.
#[derive(Default)]
struct Named(HashMap<String, HashSet<String>>);

impl Named {
    /// Whether an import names a file that an earlier one named.
    fn has_one_of(&self, entry: &Entry) -> bool {
        let known = self.0.get(&entry.id);
        known.is_some_and(|known| entry.segments.iter().any(|segment| known.contains(&segment.file)))
    }

    fn add(&mut self, entry: &Entry) {
        let files = self.0.entry(entry.id.clone()).or_default();
        files.extend(entry.segments.iter().map(|segment| segment.file.clone()));
    }
}

impl Catalogue {
    /// Reads the catalogue of the history in `dir`.
    ///
    /// # Errors
    /// [`HistoryError`] where there is none, or it is damaged.
    pub fn open(dir: &Path) -> Result<Self, HistoryError> {
        let path = dir.join(CATALOGUE_NAME);
        match std::fs::read(&path) {
            Ok(text) => Self::parse(dir, &text),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(HistoryError::Missing(dir.display().to_string()))
            }
            Err(error) => Err(HistoryError::Io { path: path.display().to_string(), error }),
        }
    }

    fn parse(dir: &Path, text: &[u8]) -> Result<Self, HistoryError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut named = Named::default();
        // What follows the last line's end was not written to its end.
        let whole = text.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        for (line, number) in text[..whole].split(|&b| b == b'\n').zip(1..) {
            if line.is_empty() {
                continue;
            }
            match Line::read(line) {
                // A file that is there already would have each of its events twice.
                Some(Line::Add(entry)) if !named.has_one_of(&entry) => {
                    named.add(&entry);
                    entries.push(entry);
                }
                Some(Line::Remove { id }) => {
                    // Of one id all go, and nothing else does.
                    if named.0.remove(&id).is_some() {
                        entries.retain(|entry| entry.id != id);
                    }
                }
                Some(Line::Add(_)) | None => {
                    let path = dir.join(CATALOGUE_NAME).display().to_string();
                    return Err(HistoryError::Damaged { path, line: number });
                }
            }
        }
        Ok(Self { dir: dir.to_owned(), entries })
    }

    /// The history's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was imported, in that order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every series, by name.
    #[must_use]
    pub fn series(&self) -> Vec<Series> {
        let mut parts: BTreeMap<SeriesName, Vec<(Segment, String)>> = BTreeMap::new();
        for entry in &self.entries {
            for segment in &entry.segments {
                if let Some(name) = segment.series_name() {
                    parts.entry(name).or_default().push((segment.clone(), entry.source.clone()));
                }
            }
        }
        let series = parts.into_iter().map(|(name, mut parts)| {
            parts.sort_by_key(|(segment, _)| (segment.first, segment.last, segment.first_id));
            let (segments, sources): (Vec<Segment>, Vec<String>) = parts.into_iter().unzip();
            let sum = |of: fn(&Segment) -> u64| segments.iter().map(of).sum();
            let mut series = Series {
                name,
                rows: sum(|s| s.rows),
                gaps: segments.iter().map(|s| s.gaps).sum(),
                missing: sum(|s| s.missing),
                price_decimals: segments.iter().map(|s| s.price_decimals).max().unwrap_or(0),
                qty_decimals: segments.iter().map(|s| s.qty_decimals).max().unwrap_or(0),
                segments,
                sources,
            };
            series.count_gaps();
            series
        });
        series.collect()
    }

    /// The instruments of these series, each with the precision that its numbers in all of them need. Ticks and lots are
    /// one unit of that, fees nothing: the data says no more.
    ///
    /// # Errors
    /// [`HistoryError::Table`] where they do not make a table.
    pub fn instruments(&self, series: &[Series]) -> Result<InstrumentTable, HistoryError> {
        let mut all: Vec<Instrument> = Vec::new();
        for series in series {
            let Some(segment) = series.segments.first() else { continue };
            let Some((venue, market, symbol)) = split_name(&segment.instrument) else { continue };
            let found = all.iter_mut().find(|i| i.venue == venue && i.market == market && i.symbol == symbol);
            if let Some(instrument) = found {
                instrument.price_decimals = instrument.price_decimals.max(series.price_decimals);
                instrument.qty_decimals = instrument.qty_decimals.max(series.qty_decimals);
                continue;
            }
            all.push(Instrument {
                id: InstrumentId(0),
                venue: venue.into(),
                market,
                symbol: symbol.into(),
                base: segment.base.clone(),
                quote: segment.quote.clone(),
                price_decimals: series.price_decimals,
                qty_decimals: series.qty_decimals,
                tick: Price(1),
                lot: Qty(1),
                min_qty: Qty(1),
                max_qty: Qty(POW10[18]),
                min_notional: Notional::ZERO,
                maker_fee: FeeRate(0),
                taker_fee: FeeRate(0),
            });
        }
        Ok(InstrumentTable::new(all)?)
    }
}
