//! Where rows go: segments that are written aside, one for each series that turns up.
//!
//! Owns: what holds for rows of every format (no row twice, times in order), and sorting where that was asked for.
//! Invariant: what is not finished is removed.

use super::fault::{NameFault, RowFault};
use crate::domain::instrument::SYMBOL_BYTES_MAX;
use crate::domain::{Side, Time};
use crate::history::catalogue::every_seconds;
use crate::history::catalogue::{CatalogueWriter, HistoryError, Part, Segment, SeriesName, split_name};
use crate::history::segment::{GapRule, Num, Row, SegmentWriter};
use std::cmp::Ordering;
use std::path::PathBuf;

/// A series that is being written.
struct Open {
    name: SeriesName,
    assets: (String, String),
    rule: GapRule,
    /// Ids rise, so that one that comes again is a row that comes again.
    unique: bool,
    part: Option<Part>,
    last_id: Option<u64>,
    last_open: Option<Time>,
    /// How long its bars are, where that is always the same, ns.
    bar_ns: Option<u64>,
    last_price: Option<(i64, u8)>,
    side: Side,
    writer: SegmentWriter,
    aside: PathBuf,
}

impl Open {
    /// Who crossed the spread, where the source does not say: whoever the price moved for (the tick rule: a price above
    /// the last other one is a buyer's).
    fn side_by_price(&self, price: Num) -> Side {
        let Some((units, decimals)) = self.last_price else { return self.side };
        let to = |units: i64, decimals: u8| i128::from(units) * 10i128.pow(u32::from(18 - decimals.min(18)));
        match to(price.units, price.decimals).cmp(&to(units, decimals)) {
            Ordering::Greater => Side::Buy,
            Ordering::Less => Side::Sell,
            Ordering::Equal => self.side,
        }
    }
}

const HOUR_NS: u64 = 3_600_000_000_000;
const DAY_NS: u64 = 24 * HOUR_NS;

/// See the module.
pub(super) struct Sink<'a> {
    catalogue: &'a mut CatalogueWriter,
    open: Vec<Open>,
    sort: bool,
    /// Rows that wait to be sorted: their time, id, line, series, and whether they are trades whose side the price tells.
    unsorted: Vec<(Time, u64, u64, usize, Row<'static>, bool)>,
    line: u64,
    /// Rows of lines before the present one that were refused: the first's line, how many, and why.
    refused: Vec<(u64, u64, RowFault)>,
    /// The disk's error, which no row can be blamed for.
    pub failed: Option<HistoryError>,
}

/// A series as a format describes it.
pub(super) struct Spec {
    pub name: SeriesName,
    pub assets: (String, String),
    pub rule: GapRule,
    pub unique: bool,
    /// Of a capture's file, which part of the feed it has.
    pub part: Option<Part>,
}

impl<'a> Sink<'a> {
    pub fn new(catalogue: &'a mut CatalogueWriter, sort: bool) -> Self {
        Self {
            catalogue,
            open: Vec::new(),
            sort,
            unsorted: Vec::new(),
            line: 0,
            refused: Vec::new(),
            failed: None,
        }
    }

    /// Begins a series, and names it by a number.
    pub fn begin(&mut self, spec: Spec) -> Result<usize, RowFault> {
        let good =
            split_name(&spec.name.instrument).is_some_and(|(_, _, symbol)| symbol.len() <= SYMBOL_BYTES_MAX);
        if !good {
            return Err(NameFault::Instrument(spec.name.instrument).into());
        }
        let aside = self.catalogue.aside();
        match SegmentWriter::create(&aside, spec.rule) {
            Ok(writer) => self.open.push(Open {
                bar_ns: spec.name.every.as_deref().and_then(every_seconds).map(|s| s * 1_000_000_000),
                name: spec.name,
                assets: spec.assets,
                rule: spec.rule,
                unique: spec.unique,
                part: spec.part,
                last_id: None,
                last_open: None,
                last_price: None,
                side: Side::Buy,
                writer,
                aside,
            }),
            Err(error) => {
                self.failed = Some(HistoryError::io(&aside)(error));
                return Err(RowFault::Line("cannot be written".into()));
            }
        }
        Ok(self.open.len() - 1)
    }

    /// The number of the series with this name.
    pub fn find(&self, name: &SeriesName) -> Option<usize> {
        self.open.iter().position(|open| open.name == *name)
    }

    pub fn set_line(&mut self, line: u64) {
        self.line = line;
    }

    /// The present line.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// So many rows from a line on, which were to be one event, are refused: a line after them is not to blame.
    pub fn refuse(&mut self, line: u64, rows: u64, fault: RowFault) {
        self.refused.push((line, rows, fault));
    }

    /// What was [refused](Self::refuse) since this was last asked.
    pub fn refused(&mut self) -> Vec<(u64, u64, RowFault)> {
        std::mem::take(&mut self.refused)
    }

    /// Takes a row, or keeps it until all can be sorted.
    #[inline]
    pub fn push(&mut self, series: usize, time: Time, row: Row<'static>) -> Result<(), RowFault> {
        self.push_or_keep(series, time, row, false)
    }

    /// The same of a trade whose side the source does not say: the price tells it, once the trade stands where it belongs.
    pub fn push_without_side(
        &mut self,
        series: usize,
        time: Time,
        row: Row<'static>,
    ) -> Result<(), RowFault> {
        self.push_or_keep(series, time, row, true)
    }

    #[inline]
    fn push_or_keep(
        &mut self,
        series: usize,
        time: Time,
        row: Row<'static>,
        by_price: bool,
    ) -> Result<(), RowFault> {
        if self.sort {
            let id = match row {
                Row::Trade { id, .. } | Row::Quote { update_id: id, .. } => id,
                _ => 0,
            };
            self.unsorted.push((time, id, self.line, series, row, by_price));
            return Ok(());
        }
        if by_price { self.put_by_price(series, time, &row) } else { self.put(series, time, &row) }
    }

    /// Puts a trade whose side its price tells.
    fn put_by_price(&mut self, series: usize, time: Time, row: &Row<'_>) -> Result<(), RowFault> {
        let Row::Trade { price, .. } = *row else { return self.put(series, time, row) };
        let told = self.open[series].side_by_price(price);
        let mut row = *row;
        if let Row::Trade { aggressor, .. } = &mut row {
            *aggressor = told;
        }
        self.put(series, time, &row)?;
        // One that is refused moved nothing.
        let open = &mut self.open[series];
        (open.last_price, open.side) = (Some((price.units, price.decimals)), told);
        Ok(())
    }

    /// Takes a row whose levels are borrowed; not sorted.
    pub fn push_depth(&mut self, series: usize, time: Time, row: &Row<'_>) -> Result<(), RowFault> {
        self.put(series, time, row)
    }

    #[inline]
    fn put(&mut self, series: usize, time: Time, row: &Row<'_>) -> Result<(), RowFault> {
        let open = &mut self.open[series];
        match row {
            Row::Trade { id, .. } | Row::Quote { update_id: id, .. } if open.unique => match open.last_id {
                Some(last) if *id == last => return Err(RowFault::Duplicate("id")),
                Some(last) if *id < last => return Err(RowFault::IdBack),
                _ => {
                    open.writer.push(time, row)?;
                    open.last_id = Some(*id);
                    return Ok(());
                }
            },
            Row::Bar { open_time, close_time, .. } => {
                if open.unique && open.last_open == Some(*open_time) {
                    return Err(RowFault::Duplicate("start"));
                }
                if close_time < open_time {
                    return Err(RowFault::EndBeforeStart);
                }
                if let Some(length) = open.bar_ns {
                    // A day on which clocks are put forward or back has an hour less or more.
                    let spare = if length >= DAY_NS { HOUR_NS } else { 0 };
                    let (lasts, every) = (close_time.since(*open_time), length / 1_000_000_000);
                    if lasts > length + spare {
                        return Err(RowFault::BarLength { every, lasts: lasts.div_ceil(1_000_000_000) });
                    }
                    // Weeks of stocks are called by a day on which they trade, which may be another.
                    let least = if length >= 7 * DAY_NS { length / 2 } else { length - spare };
                    let apart = open.last_open.map(|last| open_time.since(last));
                    if let Some(apart) = apart.filter(|apart| (1..least).contains(apart)) {
                        return Err(RowFault::BarsOverlap { every, apart: apart / 1_000_000_000 });
                    }
                }
                open.writer.push(time, row)?;
                open.last_open = Some(*open_time);
                return Ok(());
            }
            _ => {}
        }
        Ok(open.writer.push(time, row)?)
    }

    /// Writes the rows that waited; those that are refused are given to `refused` with their lines.
    pub fn sort(&mut self, mut refused: impl FnMut(u64, RowFault) -> bool) -> bool {
        let mut rows = std::mem::take(&mut self.unsorted);
        rows.sort_by_key(|(time, id, line, ..)| (*time, *id, *line));
        rows.iter().all(|(time, _, line, series, row, by_price)| {
            let put = if *by_price { Self::put_by_price } else { Self::put };
            match put(self, *series, *time, row) {
                Ok(()) => true,
                Err(fault) => refused(*line, fault),
            }
        })
    }

    /// Finishes the segments: what the catalogue will say of them, and where they lie.
    pub fn finish(&mut self, id: &str) -> Result<(Vec<Segment>, Vec<PathBuf>), HistoryError> {
        let mut segments = Vec::new();
        let mut paths = Vec::new();
        for open in self.open.drain(..) {
            if open.writer.stats().rows == 0 {
                let _ = std::fs::remove_file(&open.aside);
                continue;
            }
            paths.push(open.aside.clone());
            let stats = match open.writer.finish() {
                Ok(stats) => stats,
                Err(error) => {
                    remove(&paths);
                    return Err(HistoryError::io(&open.aside)(error));
                }
            };
            let file = CatalogueWriter::place(&open.name, Time(stats.first), id);
            // Of trades without ids nobody can tell whether one is missing.
            let unnumbered = open.rule == GapRule::TradeIds && stats.first_id == 0;
            let counted = open.rule != GapRule::None && !unnumbered;
            let segment = Segment::new(file, &open.name, open.assets, &stats, counted);
            segments.push(Segment { part: open.part, ..segment });
        }
        Ok((segments, paths))
    }

    /// What its series are, for an import's name.
    pub fn told(&self) -> String {
        let of = |open: &Open| format!("{} {}/{};", open.name, open.assets.0, open.assets.1);
        self.open.iter().map(of).collect()
    }

    pub fn catalogue(&mut self) -> &mut CatalogueWriter {
        self.catalogue
    }
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        for open in &self.open {
            let _ = std::fs::remove_file(&open.aside);
        }
    }
}

/// Removes segments that are not to be.
pub(super) fn remove(paths: &[PathBuf]) {
    for path in paths {
        let _ = std::fs::remove_file(path);
    }
}
