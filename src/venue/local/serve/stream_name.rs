//! Stream names: `<symbol>@<channel>`.
//!
//! Owns: which channels there are and what they mean. A name that is well-formed but not served is accepted and stays
//! silent, as on the real venue.

use crate::domain::Market;

/// A kline's interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub label: &'static str,
    pub ms: u64,
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Intervals that divide a day: those whose bars begin at a multiple of their length since 1970.
const INTERVALS: [(&str, u64); 13] = [
    ("1s", SECOND),
    ("1m", MINUTE),
    ("3m", 3 * MINUTE),
    ("5m", 5 * MINUTE),
    ("15m", 15 * MINUTE),
    ("30m", 30 * MINUTE),
    ("1h", HOUR),
    ("2h", 2 * HOUR),
    ("4h", 4 * HOUR),
    ("6h", 6 * HOUR),
    ("8h", 8 * HOUR),
    ("12h", 12 * HOUR),
    ("1d", 24 * HOUR),
];

impl Interval {
    pub fn from_label(label: &str) -> Option<Self> {
        let found = INTERVALS.iter().find(|(known, _)| *known == label);
        found.map(|&(label, ms)| Self { label, ms })
    }
}

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Trade,
    AggTrade,
    BookTicker,
    /// Changes of the book, gathered for so many milliseconds.
    Diff(u64),
    /// The best levels, so many, every so many milliseconds.
    Partial(usize, u64),
    Kline(Interval),
    /// Well-formed, and not served.
    Other,
}

/// The symbol, as the name has it, and the channel; `None` where the text is no stream name.
pub(super) fn parse(market: Market, name: &str) -> Option<(&str, Channel)> {
    let well_formed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '!' | ':' | '+');
    if name.len() > 128 || !name.chars().all(well_formed) {
        return None;
    }
    if let Some(all_market) = name.strip_prefix('!') {
        return (!all_market.is_empty()).then_some(("", Channel::Other));
    }
    let (symbol, channel) = name.split_once('@')?;
    if symbol.is_empty() || channel.is_empty() {
        return None;
    }
    Some((symbol, self::channel(market, channel)))
}

fn channel(market: Market, text: &str) -> Channel {
    let slow_ms = if market == Market::Spot { 1_000 } else { 250 };
    let speed = |speed: Option<&str>| match (speed, market) {
        (None, _) => Some(slow_ms),
        (Some("100ms"), _) => Some(100),
        (Some("500ms"), Market::UsdM | Market::CoinM) => Some(500),
        (Some("0ms"), Market::UsdM | Market::CoinM) => Some(0),
        _ => None,
    };
    let (base, after) = match text.split_once('@') {
        Some((base, after)) => (base, Some(after)),
        None => (text, None),
    };
    let other = Channel::Other;
    match (base, after) {
        ("trade", None) => Channel::Trade,
        ("aggTrade", None) => Channel::AggTrade,
        ("bookTicker", None) => Channel::BookTicker,
        ("depth", after) => speed(after).map_or(other, Channel::Diff),
        ("depth5", after) => speed(after).map_or(other, |ms| Channel::Partial(5, ms)),
        ("depth10", after) => speed(after).map_or(other, |ms| Channel::Partial(10, ms)),
        ("depth20", after) => speed(after).map_or(other, |ms| Channel::Partial(20, ms)),
        (kline, None) => {
            let interval = kline.strip_prefix("kline_").and_then(Interval::from_label);
            interval.map_or(other, Channel::Kline)
        }
        _ => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_the_venue_documents() {
        let spot = |name| parse(Market::Spot, name);
        assert_eq!(spot("btcusdt@trade"), Some(("btcusdt", Channel::Trade)));
        assert_eq!(spot("btcusdt@depth"), Some(("btcusdt", Channel::Diff(1_000))));
        assert_eq!(parse(Market::UsdM, "btcusdt@depth"), Some(("btcusdt", Channel::Diff(250))));
        assert_eq!(parse(Market::CoinM, "btcusd_perp@depth@0ms"), Some(("btcusd_perp", Channel::Diff(0))));
        assert_eq!(spot("btcusdt@depth20@100ms"), Some(("btcusdt", Channel::Partial(20, 100))));
        let minute = Interval { label: "1m", ms: 60_000 };
        assert_eq!(spot("btcusdt@kline_1m"), Some(("btcusdt", Channel::Kline(minute))));
        for silent in ["btcusdt@depth@0ms", "btcusdt@kline_1M", "btcusdt@ticker", "btcusdt@kline_1m@+08:00"] {
            assert_eq!(spot(silent), Some(("btcusdt", Channel::Other)), "{silent}");
        }
        for wrong in ["", "btcusdt", "@trade", "btcusdt@", "btc usdt@trade", "!", "a@b\"c"] {
            assert_eq!(spot(wrong), None, "{wrong}");
        }
    }
}
