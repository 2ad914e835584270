//! What can be fetched: paths, weights, and how much of it becomes one import.
//!
//! The calls are those of Binance's documentation: `GET /api/v3/aggTrades` and `/klines` on spot, the same under
//! `/fapi/v1` on USD-M.

use super::plan::Stretch;
use crate::domain::Market;
use crate::history::catalogue::{SeriesKind, SeriesName, every_seconds};
use std::fmt::Write as _;

/// Length of klines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// As the venue's calls write it.
    pub venue: &'static str,
    /// As its dumps and this history write it.
    pub label: &'static str,
}

const fn same(label: &'static str) -> Interval {
    Interval { venue: label, label }
}

/// Every length that the venue has. Seconds are spot's alone.
pub const INTERVALS: [Interval; 16] = [
    same("1s"),
    same("1m"),
    same("3m"),
    same("5m"),
    same("15m"),
    same("30m"),
    same("1h"),
    same("2h"),
    same("4h"),
    same("6h"),
    same("8h"),
    same("12h"),
    same("1d"),
    same("3d"),
    same("1w"),
    Interval { venue: "1M", label: "1mo" },
];

impl Interval {
    /// The length with this label, as either writes it.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        INTERVALS.into_iter().find(|interval| interval.venue == label || interval.label == label)
    }
}

/// What is fetched of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchKind {
    /// Aggregate trades.
    AggTrades,
    /// Bars.
    Klines(Interval),
}

/// One series of one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedSeries {
    /// Spot or USD-M.
    pub market: Market,
    /// The venue's name of it.
    pub symbol: String,
    /// The asset bought and sold.
    pub base: String,
    /// The asset paid with.
    pub quote: String,
    /// What of it.
    pub kind: FetchKind,
}

const DAY_MS: i64 = 86_400_000;

impl FetchedSeries {
    /// Its name in the history.
    #[must_use]
    pub fn name(&self) -> SeriesName {
        let instrument = format!("binance:{}:{}", self.market, self.symbol);
        match self.kind {
            FetchKind::AggTrades => SeriesName::new(&instrument, SeriesKind::AggTrades),
            FetchKind::Klines(interval) => SeriesName {
                every: Some(interval.label.into()),
                ..SeriesName::new(&instrument, SeriesKind::Bars)
            },
        }
    }

    /// What comes before the path of each of the market's calls.
    #[must_use]
    pub const fn prefix(market: Market) -> &'static str {
        match market {
            Market::Spot => "/api/v3",
            Market::UsdM => "/fapi/v1",
            Market::CoinM => "/dapi/v1",
        }
    }

    /// Path and query of the call for the next `rows` rows of a stretch.
    ///
    /// Trades are asked for by time once and then by id, since many may have one time; and never with an end, which
    /// some markets take for an hour at most.
    #[must_use]
    pub fn target(&self, stretch: &Stretch, rows: usize) -> String {
        let mut text = Self::prefix(self.market).to_owned();
        let symbol = percent(&self.symbol);
        // Writing to a String cannot fail.
        let _ = match (self.kind, stretch.from_id) {
            (FetchKind::AggTrades, Some(id)) => {
                write!(text, "/aggTrades?symbol={symbol}&fromId={id}&limit={rows}")
            }
            (FetchKind::AggTrades, None) => {
                write!(text, "/aggTrades?symbol={symbol}&startTime={}&limit={rows}", stretch.from_ms)
            }
            (FetchKind::Klines(interval), _) => write!(
                text,
                "/klines?symbol={symbol}&interval={}&startTime={}&endTime={}&limit={rows}",
                interval.venue,
                stretch.from_ms,
                stretch.until_ms.saturating_sub(1)
            ),
        };
        text
    }

    /// Request weight of that call.
    #[must_use]
    pub const fn weight(&self, rows: usize) -> u32 {
        match (self.market, self.kind) {
            (Market::Spot, FetchKind::AggTrades) => 4,
            (Market::Spot, FetchKind::Klines(_)) => 2,
            (_, FetchKind::AggTrades) => 20,
            (_, FetchKind::Klines(_)) => match rows {
                ..100 => 1,
                100..500 => 2,
                500..=1_000 => 5,
                _ => 10,
            },
        }
    }

    /// Which import a row of this moment belongs to: trades and seconds by the day, bars of less than an hour by the
    /// month, longer ones by the year.
    #[must_use]
    pub fn part(&self, ms: u64) -> i64 {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        let date = || jiff::Timestamp::from_millisecond(ms).ok().map(|t| t.to_zoned(jiff::tz::TimeZone::UTC));
        let seconds = match self.kind {
            FetchKind::AggTrades => 1,
            FetchKind::Klines(interval) => every_seconds(interval.label).unwrap_or(u64::MAX),
        };
        match seconds {
            ..60 => ms / DAY_MS,
            60..3_600 => date().map_or(0, |date| i64::from(date.year()) * 12 + i64::from(date.month())),
            _ => date().map_or(0, |date| i64::from(date.year())),
        }
    }

    /// What its rows are called in the venue's dumps: `aggTrades`, `1m`.
    #[must_use]
    pub const fn dump(&self) -> &'static str {
        match self.kind {
            FetchKind::AggTrades => "aggTrades",
            FetchKind::Klines(interval) => interval.label,
        }
    }
}

/// Symbols may be of any alphabet.
fn percent(symbol: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let write = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    symbol.bytes().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(market: Market, symbol: &str, kind: FetchKind) -> FetchedSeries {
        FetchedSeries { market, symbol: symbol.into(), base: "B".into(), quote: "Q".into(), kind }
    }

    #[test]
    fn calls_are_those_of_the_documentation() {
        let stretch = Stretch { from_ms: 1_000, until_ms: 9_000, from_id: None, until_id: None };
        let trades = series(Market::Spot, "BTCUSDT", FetchKind::AggTrades);
        assert_eq!(trades.target(&stretch, 7), "/api/v3/aggTrades?symbol=BTCUSDT&startTime=1000&limit=7");
        let later = Stretch { from_id: Some(5), ..stretch };
        assert_eq!(trades.target(&later, 7), "/api/v3/aggTrades?symbol=BTCUSDT&fromId=5&limit=7");
        let month = Interval::from_label("1mo").expect("a length");
        let bars = series(Market::UsdM, "币", FetchKind::Klines(month));
        assert_eq!(
            bars.target(&stretch, 7),
            "/fapi/v1/klines?symbol=%E5%B8%81&interval=1M&startTime=1000&endTime=8999&limit=7"
        );
        assert_eq!(bars.name().to_string(), "binance:usdm:币 bars-1mo");
        assert_eq!([99, 100, 499, 500, 1_000, 1_001].map(|rows| bars.weight(rows)), [1, 2, 2, 5, 5, 10]);
    }

    #[test]
    fn an_import_is_a_day_a_month_or_a_year() {
        let of = |label: &str| {
            let interval = Interval::from_label(label).expect("a length");
            series(Market::Spot, "BTCUSDT", FetchKind::Klines(interval))
        };
        // 2024-01-31T23:59:59.999Z and a millisecond later.
        let (before, after) = (1_706_745_599_999, 1_706_745_600_000);
        assert_eq!(of("1s").part(before) + 1, of("1s").part(after));
        assert_eq!(of("1m").part(before) + 1, of("30m").part(after));
        assert_eq!(of("1h").part(before), of("1M").part(after));
    }
}
