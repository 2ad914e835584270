//! Whether all segments of a series can be read together: at the precision of the finest, each number of the others has to fit
//! 64 bits.

use super::{Apart, Catalogue, Entry, HistoryError, Segment, SeriesName};
use crate::domain::InstrumentId;
use crate::domain::decimal::DECIMALS_MAX;
use crate::history::segment::{SegmentReader, fits_at};
use std::path::PathBuf;

/// A segment, where it lies now, and what it came from.
struct Part<'a> {
    segment: &'a Segment,
    path: PathBuf,
    source: &'a str,
    /// The import's id, where it is in the history already.
    id: Option<&'a str>,
}

impl Part<'_> {
    fn decimals(&self) -> [u8; 2] {
        [self.segment.price_decimals, self.segment.qty_decimals]
    }

    /// Its largest price and quantity.
    fn largest(&self) -> Result<[u64; 2], HistoryError> {
        let [price, qty] = self.decimals();
        Ok(SegmentReader::open(&self.path, InstrumentId(0), (price, qty))?.largest()?)
    }
}

const UNITS: [(&str, &str); 2] = [("prices", "--round-price"), ("quantities", "--round-qty")];

impl Catalogue {
    /// Refuses a new import whose numbers cannot be read together with those of the same series; its segments lie at `aside`.
    pub(super) fn check_precision(&self, new: &Entry, aside: &[PathBuf]) -> Result<(), HistoryError> {
        for (at, segment) in new.segments.iter().enumerate() {
            let Some(name) = segment.series_name() else { continue };
            let before = self.parts_of(&name);
            let own = |(segment, path): (_, &PathBuf)| Part {
                segment,
                path: path.clone(),
                source: &new.source,
                id: None,
            };
            // A capture's file may have a series in two parts.
            let others = new.segments.iter().zip(aside).take(at + 1).map(own);
            let others = others.filter(|part| part.segment.series_name().as_ref() == Some(&name));
            let known = finest(&before);
            together(before.into_iter().chain(others).collect(), known)?;
        }
        Ok(())
    }

    /// Refuses a series whose imports cannot be read together, as none is taken any more.
    ///
    /// # Errors
    /// [`HistoryError::Apart`]; [`HistoryError::Segment`] where one cannot be read at all.
    pub fn check_together(&self, series: &SeriesName) -> Result<(), HistoryError> {
        together(self.parts_of(series), [0; 2])
    }

    fn parts_of<'a>(&'a self, series: &SeriesName) -> Vec<Part<'a>> {
        let all =
            self.entries.iter().flat_map(|entry| entry.segments.iter().map(move |segment| (entry, segment)));
        let ours = all.filter(|(_, segment)| segment.series_name().as_ref() == Some(series));
        let part = |(entry, segment): (&'a Entry, &'a Segment)| Part {
            segment,
            path: self.dir.join(&segment.file),
            source: &entry.source,
            id: Some(&entry.id),
        };
        ours.map(part).collect()
    }
}

fn finest(parts: &[Part<'_>]) -> [u8; 2] {
    let most = |unit: usize| parts.iter().map(|part| part.decimals()[unit]).max().unwrap_or(0);
    [most(0), most(1)]
}

/// Refuses parts that do not fit at the finest precision of all. Those in the history are known to fit at `known`, so where that
/// is as fine only the new ones are looked at: the first of ten thousand files need not be read for the last.
fn together(parts: Vec<Part<'_>>, known: [u8; 2]) -> Result<(), HistoryError> {
    let wanted = finest(&parts);
    let apart = |unit: usize, coarsest: &Part<'_>, most: u8| {
        let finest =
            parts.iter().rev().find(|part| part.decimals()[unit] == wanted[unit]).unwrap_or(coarsest);
        let (what, option) = UNITS[unit];
        HistoryError::Apart(Box::new(Apart {
            finest: finest.source.to_owned(),
            of_import: finest.id.map(str::to_owned),
            what,
            series: format!("{} {}", finest.segment.instrument, finest.segment.series),
            decimals: wanted[unit],
            coarsest: coarsest.source.to_owned(),
            option,
            most,
        }))
    };
    for part in &parts {
        let decimals = part.decimals();
        let fits = |unit: usize| {
            decimals[unit] == wanted[unit] || (part.id.is_some() && wanted[unit] <= known[unit])
        };
        if (0..2).all(fits) {
            continue;
        }
        let largest = part.largest()?;
        for unit in (0..2).filter(|unit| !fits(*unit)) {
            if !fits_at(largest[unit], decimals[unit], wanted[unit]) {
                let fitting = (decimals[unit]..wanted[unit]).rev();
                let most = fitting.filter(|most| fits_at(largest[unit], decimals[unit], *most)).max();
                return Err(apart(unit, part, most.unwrap_or(decimals[unit])));
            }
        }
    }
    // A price times a quantity is exact at the sum of their decimals.
    let unit = usize::from(wanted[1] > wanted[0]);
    match parts.iter().find(|part| part.decimals()[unit] < wanted[unit]) {
        Some(other) if wanted[0] + wanted[1] > DECIMALS_MAX => {
            Err(apart(unit, other, DECIMALS_MAX.saturating_sub(wanted[1 - unit])))
        }
        _ => Ok(()),
    }
}
