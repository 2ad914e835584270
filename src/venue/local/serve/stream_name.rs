//! Stream names: `<symbol>@<channel>`.
//!
//! Owns: which channels there are and what they mean. A name that is well-formed but not served is accepted and stays
//! silent, as on the real venue.

use super::interval::{self, Interval};
use crate::domain::Market;

/// A kind of ticker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ticker {
    /// 24 hours, prices and volumes.
    Mini,
    /// 24 hours, everything.
    Full,
    /// Everything over another window; the label begins its event type.
    Rolling { label: &'static str, ms: u64 },
    /// The average price.
    Average,
}

/// Windows of rolling tickers.
const ROLLING: [(&str, u64); 3] = [("1h", 3_600_000), ("4h", 4 * 3_600_000), ("1d", 24 * 3_600_000)];

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
    Ticker(Ticker),
    /// Tickers of every symbol that changed, in one message.
    AllTickers(Ticker),
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
        return (!all_market.is_empty()).then(|| ("", all(market, all_market)));
    }
    let (symbol, channel) = name.split_once('@')?;
    if symbol.is_empty() || channel.is_empty() {
        return None;
    }
    Some((symbol, self::channel(market, channel)))
}

/// `!ticker@arr` is no more; its silence is Binance's.
fn all(market: Market, text: &str) -> Channel {
    let (name, "arr" | "arr@1000ms") = text.split_once('@').unwrap_or_default() else {
        return Channel::Other;
    };
    match ticker(market, name) {
        Some(ticker @ (Ticker::Mini | Ticker::Rolling { .. })) => Channel::AllTickers(ticker),
        _ => Channel::Other,
    }
}

/// Tickers of the spot market; the other markets' are not served.
fn ticker(market: Market, text: &str) -> Option<Ticker> {
    match text {
        _ if market != Market::Spot => None,
        "miniTicker" => Some(Ticker::Mini),
        "ticker" => Some(Ticker::Full),
        "avgPrice" => Some(Ticker::Average),
        _ => {
            let window = text.strip_prefix("ticker_")?;
            let &(label, ms) = ROLLING.iter().find(|(label, _)| *label == window)?;
            Some(Ticker::Rolling { label, ms })
        }
    }
}

fn kline(text: &str, zone: Option<&str>) -> Option<Interval> {
    let interval = Interval::from_label(text.strip_prefix("kline_")?)?;
    zone.map_or(Some(interval), |zone| Some(interval.in_zone(interval::zone(zone)?)))
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
        (base, zone) if base.starts_with("kline_") => kline(base, zone).map_or(other, Channel::Kline),
        (base, None) => ticker(market, base).map_or(other, Channel::Ticker),
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
        let minute = Interval::from_label("1m").expect("a label");
        assert_eq!(spot("btcusdt@kline_1m"), Some(("btcusdt", Channel::Kline(minute))));
        let zoned = Channel::Kline(minute.in_zone(8 * 3_600_000));
        assert_eq!(spot("btcusdt@kline_1m@+08:00"), Some(("btcusdt", zoned)));
        assert_eq!(spot("btcusdt@avgPrice"), Some(("btcusdt", Channel::Ticker(Ticker::Average))));
        let hour = Ticker::Rolling { label: "1h", ms: 3_600_000 };
        assert_eq!(spot("!ticker_1h@arr"), Some(("", Channel::AllTickers(hour))));
        assert_eq!(spot("!miniTicker@arr"), Some(("", Channel::AllTickers(Ticker::Mini))));
        assert_eq!(spot("!ticker@arr"), Some(("", Channel::Other)));
        for silent in ["btcusdt@depth@0ms", "btcusdt@kline_2M", "btcusdt@ticker_2h", "btcusdt@kline_1m@08x"] {
            assert_eq!(spot(silent), Some(("btcusdt", Channel::Other)), "{silent}");
        }
        for wrong in ["", "btcusdt", "@trade", "btcusdt@", "btc usdt@trade", "!", "a@b\"c"] {
            assert_eq!(spot(wrong), None, "{wrong}");
        }
    }
}
