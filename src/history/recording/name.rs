//! The name of a recording: `<market>-<symbol>-<date>.gz`, or as a capture names its files.
//!
//! Owns: those patterns, both ways. Touches no file.

use super::fault::NameFault;
use crate::domain::Market;
use jiff::civil::{Date, Time as TimeOfDay};
use std::fmt;
use std::path::Path;

/// What a recording's file name says; snapshots in the file do not name their instrument, so the name must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingName {
    /// The part of the venue.
    pub market: Market,
    /// The symbol, in upper case; `None` where the file has the frames of many, each of which names its own.
    pub symbol: Option<String>,
    /// The day, UTC, of the file's first frame.
    pub date: Date,
    /// Which of a capture's files; `None` for a recording of a whole day.
    pub part: Option<CapturePart>,
}

/// What tells a capture's files of one day apart. Names of one source sort in the order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapturePart {
    /// When the file's first frame was received, UTC, whole seconds.
    pub time: TimeOfDay,
    /// The file's number in its source, from 1.
    pub number: u32,
}

impl RecordingName {
    /// Reads the last component of `path`: `<market>-<symbol>-<date>` or, for the frames of many symbols,
    /// `<market>-<date>`, where the date is `20240808` or, in a capture, `20240808T235414_0001`. The ending is `.gz`,
    /// `.txt` or none: how the file is packed is seen in its first bytes, not here.
    ///
    /// # Errors
    /// [`NameFault`], the part that does not follow the pattern.
    pub fn parse(path: &Path) -> Result<Self, NameFault> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (stem, ending) = name.split_once('.').unwrap_or((&name, "gz"));
        let (market, rest) = stem.split_once('-').ok_or(NameFault::Parts)?;
        // From the right: a symbol may have a `-` of its own.
        let (symbol, moment) = match rest.rsplit_once('-') {
            Some((symbol, moment)) => (Some(symbol), moment),
            None => (None, rest),
        };
        let is_symbol_char = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if let Some(symbol) = symbol.filter(|s| s.is_empty() || !s.chars().all(is_symbol_char)) {
            return Err(NameFault::Symbol(symbol.into()));
        }
        if !matches!(ending, "gz" | "txt") {
            return Err(NameFault::Ending(format!(".{ending}")));
        }
        let market = Market::from_label(market).ok_or_else(|| NameFault::Market(market.into()))?;
        let bad_date = || NameFault::Date(moment.into());
        let (date, part) = match moment.split_once('T') {
            Some((date, part)) => (date, Some(parse_part(part).ok_or_else(bad_date)?)),
            None => (moment, None),
        };
        let date = parse_date(date).ok_or_else(bad_date)?;
        Ok(Self { market, symbol: symbol.map(str::to_uppercase), date, part })
    }
}

fn digits<T: std::str::FromStr>(text: &str, range: std::ops::Range<usize>) -> Option<T> {
    text.get(range).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

fn parse_date(text: &str) -> Option<Date> {
    if text.len() != 8 {
        return None;
    }
    Date::new(digits(text, 0..4)?, digits(text, 4..6)?, digits(text, 6..8)?).ok()
}

/// `235414_0001`.
fn parse_part(text: &str) -> Option<CapturePart> {
    let (time, number) = text.split_once('_')?;
    if time.len() != 6 || number.len() < 4 {
        return None;
    }
    let time = TimeOfDay::new(digits(time, 0..2)?, digits(time, 2..4)?, digits(time, 4..6)?, 0).ok()?;
    Some(CapturePart { time, number: digits(number, 0..number.len())? })
}

/// The file name, `.gz` included.
impl fmt::Display for RecordingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = (self.date.year(), self.date.month(), self.date.day());
        write!(f, "{}-", self.market)?;
        if let Some(symbol) = &self.symbol {
            write!(f, "{}-", symbol.to_lowercase())?;
        }
        write!(f, "{y:04}{m:02}{d:02}")?;
        if let Some(CapturePart { time, number }) = self.part {
            write!(f, "T{:02}{:02}{:02}_{number:04}", time.hour(), time.minute(), time.second())?;
        }
        f.write_str(".gz")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Result<RecordingName, NameFault> {
        RecordingName::parse(Path::new(name))
    }

    #[test]
    fn names_tell_market_symbol_and_day_and_come_back_the_same() {
        for (text, market, symbol) in [
            ("spot-btcusdt-20240808.gz", Market::Spot, Some("BTCUSDT")),
            ("coinm-btcusd_perp-20240809.gz", Market::CoinM, Some("BTCUSD_PERP")),
            ("usdm-btc-240927-60000-c-20240229.gz", Market::UsdM, Some("BTC-240927-60000-C")),
            ("coinm-btcusd_perp-20240809T235959_0001.gz", Market::CoinM, Some("BTCUSD_PERP")),
            ("usdm-20240809T000000_12345.gz", Market::UsdM, None),
            ("usdm-20240809.gz", Market::UsdM, None),
        ] {
            let name = parse(&format!("/some-dir.d/{text}")).expect("a good name");
            assert_eq!((name.market, name.symbol.as_deref()), (market, symbol));
            assert_eq!(name.to_string(), text);
        }
        assert_eq!(parse("spot-btcusdt-20240808"), parse("spot-btcusdt-20240808.txt"));
    }

    #[test]
    fn other_names_are_refused_by_their_part() {
        let s = |text: &str| text.to_owned();
        for (name, fault) in [
            ("btcusdt.gz", NameFault::Parts),
            ("spot-btcusdt.gz", NameFault::Date(s("btcusdt"))),
            ("", NameFault::Parts),
            ("margin-btcusdt-20240808.gz", NameFault::Market(s("margin"))),
            ("spot--20240808.gz", NameFault::Symbol(s(""))),
            ("spot-btc usdt-20240808.gz", NameFault::Symbol(s("btc usdt"))),
            ("spot-btcusdt-2024.gz", NameFault::Date(s("2024"))),
            ("spot-btcusdt-20240230.gz", NameFault::Date(s("20240230"))),
            ("spot-btcusdt-２０２４.gz", NameFault::Date(s("２０２４"))),
            ("spot-btcusdt-20240808T2359_0001.gz", NameFault::Date(s("20240808T2359_0001"))),
            ("spot-btcusdt-20240808T250000_0001.gz", NameFault::Date(s("20240808T250000_0001"))),
            ("spot-btcusdt-20240808T235959_1.gz", NameFault::Date(s("20240808T235959_1"))),
            ("spot-btcusdt-20240808.zst", NameFault::Ending(s(".zst"))),
            ("spot-btcusdt-20240808.tar.gz", NameFault::Ending(s(".tar.gz"))),
        ] {
            assert_eq!(parse(name), Err(fault), "{name}");
        }
    }
}
