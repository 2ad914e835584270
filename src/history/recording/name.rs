//! The name of a recording: `<market>-<symbol>-<date>.gz`.
//!
//! Owns: that pattern, both ways. Touches no file.

use super::fault::NameFault;
use crate::domain::Market;
use jiff::civil::Date;
use std::fmt;
use std::path::Path;

/// What a recording's file name says; snapshots in the file do not name their instrument, so the name must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingName {
    /// The part of the venue.
    pub market: Market,
    /// The symbol, in upper case.
    pub symbol: String,
    /// The day, UTC, of the file's first frame.
    pub date: Date,
}

impl RecordingName {
    /// Reads the last component of `path`. The ending is `.gz`, `.txt` or none: how the file is packed is seen in
    /// its first bytes, not here.
    ///
    /// # Errors
    /// [`NameFault`], the part that does not follow the pattern.
    pub fn parse(path: &Path) -> Result<Self, NameFault> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (stem, ending) = name.split_once('.').unwrap_or((&name, "gz"));
        let (market, rest) = stem.split_once('-').ok_or(NameFault::Parts)?;
        // From the right: a symbol may have a `-` of its own.
        let (symbol, date) = rest.rsplit_once('-').ok_or(NameFault::Parts)?;
        let is_symbol_char = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if symbol.is_empty() || !symbol.chars().all(is_symbol_char) {
            return Err(NameFault::Symbol(symbol.into()));
        }
        if !matches!(ending, "gz" | "txt") {
            return Err(NameFault::Ending(format!(".{ending}")));
        }
        Ok(Self {
            market: Market::from_label(market).ok_or_else(|| NameFault::Market(market.into()))?,
            symbol: symbol.to_uppercase(),
            date: parse_date(date).ok_or_else(|| NameFault::Date(date.into()))?,
        })
    }
}

fn parse_date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()
}

/// The file name, `.gz` included.
impl fmt::Display for RecordingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = (self.date.year(), self.date.month(), self.date.day());
        write!(f, "{}-{}-{y:04}{m:02}{d:02}.gz", self.market, self.symbol.to_lowercase())
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
            ("spot-btcusdt-20240808.gz", Market::Spot, "BTCUSDT"),
            ("coinm-btcusd_perp-20240809.gz", Market::CoinM, "BTCUSD_PERP"),
            ("usdm-btc-240927-60000-c-20240229.gz", Market::UsdM, "BTC-240927-60000-C"),
        ] {
            let name = parse(&format!("/some-dir.d/{text}")).expect("a good name");
            assert_eq!((name.market, name.symbol.as_str()), (market, symbol));
            assert_eq!(name.to_string(), text);
        }
        assert_eq!(parse("spot-btcusdt-20240808"), parse("spot-btcusdt-20240808.txt"));
    }

    #[test]
    fn other_names_are_refused_by_their_part() {
        let s = |text: &str| text.to_owned();
        for (name, fault) in [
            ("btcusdt.gz", NameFault::Parts),
            ("spot-20240808.gz", NameFault::Parts),
            ("", NameFault::Parts),
            ("margin-btcusdt-20240808.gz", NameFault::Market(s("margin"))),
            ("spot--20240808.gz", NameFault::Symbol(s(""))),
            ("spot-btc usdt-20240808.gz", NameFault::Symbol(s("btc usdt"))),
            ("spot-btcusdt-2024.gz", NameFault::Date(s("2024"))),
            ("spot-btcusdt-20240230.gz", NameFault::Date(s("20240230"))),
            ("spot-btcusdt-２０２４.gz", NameFault::Date(s("２０２４"))),
            ("spot-btcusdt-20240808.zst", NameFault::Ending(s(".zst"))),
            ("spot-btcusdt-20240808.tar.gz", NameFault::Ending(s(".tar.gz"))),
        ] {
            assert_eq!(parse(name), Err(fault), "{name}");
        }
    }
}
