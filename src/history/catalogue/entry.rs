//! What the catalogue says of an import: a line of JSON.

use super::SEGMENTS;
use super::series::SeriesName;
use crate::history::segment::SegmentStats;
use serde::{Deserialize, Serialize};
use std::path::Component;

/// One imported file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Names this import: 16 hexadecimal digits.
    pub id: String,
    /// The file it came from, as it was named.
    pub source: String,
    /// Its size.
    pub source_bytes: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// The format, and what was asked beside it: the same bytes taken the same way are the same import.
    pub taken_as: String,
    /// When, ns since 1970.
    pub imported: u64,
    /// Rows of the file, headers left out.
    pub rows: u64,
    /// Rows left out since they were bad.
    pub skipped: u64,
    /// Numbers that were rounded, as was asked.
    pub rounded: u64,
    /// What was made of it.
    pub segments: Vec<Segment>,
}

/// Which of a capture's files of one time a segment of a feed came from. They overlap, and are read as one; two of the same
/// part never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Frames of many symbols, each of which names its own.
    Streams,
    /// Frames that name no symbol, such as answers to calls: their file does.
    Answers,
}

/// One file of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its path below the history's directory.
    pub file: String,
    /// `venue:market:SYMBOL`.
    pub instrument: String,
    /// The asset bought and sold.
    pub base: String,
    /// The asset paid with.
    pub quote: String,
    /// What it holds: `trades`, `bars-1m`.
    pub series: String,
    /// Events.
    pub rows: u64,
    /// Time of the first, ns since 1970.
    pub first: u64,
    /// Time of the last.
    pub last: u64,
    /// First trade or update id, 0 where there is none.
    pub first_id: u64,
    /// Last trade or update id.
    pub last_id: u64,
    /// Places where something is missing; absent where nobody can tell.
    pub gaps: Option<u64>,
    /// Trades or bars missing there.
    pub missing: u64,
    /// The file's size.
    pub bytes: u64,
    /// Decimals of prices.
    pub price_decimals: u8,
    /// Decimals of quantities.
    pub qty_decimals: u8,
    /// Of a capture's file, which part of the feed it has; absent where it is from something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

impl Segment {
    /// A segment of a series from what its writer says.
    #[must_use]
    pub fn new(
        file: String,
        series: &SeriesName,
        assets: (String, String),
        stats: &SegmentStats,
        counted: bool,
    ) -> Self {
        Self {
            file,
            instrument: series.instrument.clone(),
            base: assets.0,
            quote: assets.1,
            series: series.label(),
            rows: stats.rows,
            first: stats.first,
            last: stats.last,
            first_id: stats.first_id,
            last_id: stats.last_id,
            gaps: counted.then_some(stats.gaps),
            missing: stats.missing,
            bytes: stats.bytes,
            price_decimals: stats.price_decimals,
            qty_decimals: stats.qty_decimals,
            part: None,
        }
    }

    /// The series it belongs to; `None` where a damaged catalogue names none.
    #[must_use]
    pub fn series_name(&self) -> Option<SeriesName> {
        SeriesName::parse(&self.instrument, &self.series)
    }
}

/// A line of the catalogue.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub(super) enum Line {
    Add(Entry),
    Remove { id: String },
}

/// The last field of a line: the CRC-32 of the line without it.
const CHECKSUM: &[u8] = b",\"crc32\":";

impl Line {
    /// As it is written, without its end.
    pub fn write(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        let crc = crc32fast::hash(&text);
        // It is an object.
        text.pop();
        text.extend_from_slice(CHECKSUM);
        text.extend_from_slice(crc.to_string().as_bytes());
        text.push(b'}');
        Ok(text)
    }

    /// Reads what was written; nothing where it is damaged. Lines from before there were checksums have none.
    pub fn read(text: &[u8]) -> Option<Self> {
        let at = text.windows(CHECKSUM.len()).rposition(|part| part == CHECKSUM);
        let line = match at {
            None => serde_json::from_slice(text).ok()?,
            Some(at) => {
                let crc = text[at + CHECKSUM.len()..].strip_suffix(b"}")?;
                let crc: u32 = std::str::from_utf8(crc).ok()?.parse().ok()?;
                let bare = [&text[..at], b"}"].concat();
                (crc32fast::hash(&bare) == crc).then_some(())?;
                serde_json::from_slice(&bare).ok()?
            }
        };
        // A segment is removed by its path.
        let inside = |segment: &Segment| {
            let mut parts = std::path::Path::new(&segment.file).components();
            parts.next() == Some(Component::Normal(SEGMENTS.as_ref()))
                && parts.all(|part| matches!(part, Component::Normal(_)))
        };
        match &line {
            Self::Add(entry) if !entry.segments.iter().all(inside) => None,
            _ => Some(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(file: &str) -> Line {
        let series = SeriesName::parse("binance:spot:BTCUSDT", "trades").expect("a series");
        let assets = ("BTC".to_owned(), "USDT".to_owned());
        let segment = Segment::new(file.into(), &series, assets, &SegmentStats::default(), true);
        Line::Add(Entry {
            id: "0123456789abcdef".into(),
            source: "a \"file\",\"crc32\":7}".into(),
            source_bytes: 1,
            sha256: String::new(),
            taken_as: String::new(),
            imported: 5,
            rows: 3,
            skipped: 0,
            rounded: 0,
            segments: vec![segment],
        })
    }

    #[test]
    fn a_line_that_was_changed_anywhere_is_none() {
        let line = entry("segments/binance/spot/BTCUSDT/trades.seg");
        let text = line.write().expect("written");
        assert_eq!(format!("{:?}", Line::read(&text)), format!("{:?}", Some(&line)));
        let unmarked = serde_json::to_vec(&line).expect("as before");
        assert_eq!(format!("{:?}", Line::read(&unmarked)), format!("{:?}", Some(line)));
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            // Where the checksum's name is hit it is a line without one, and says what it said.
            let told = Line::read(&changed).map(|line| format!("{line:?}"));
            assert!(told.is_none() || told == Line::read(&text).map(|line| format!("{line:?}")), "{at}");
        }
    }

    #[test]
    fn what_is_not_among_the_segments_is_none_of_them() {
        for file in ["segments/../../precious", "/etc/passwd", "../segments/x.seg", "lock", ""] {
            assert!(Line::read(&entry(file).write().expect("written")).is_none(), "{file}");
        }
    }
}
