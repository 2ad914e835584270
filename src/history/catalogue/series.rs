//! The name of a series: an instrument, what kind of events, and for bars of which length.

use crate::domain::Market;
use std::fmt;

/// What a series holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeriesKind {
    /// Trades.
    Trades,
    /// Aggregate trades.
    AggTrades,
    /// Best bid and ask.
    Quotes,
    /// Depth events.
    Depth,
    /// All that one feed brought, in the order in which it came.
    Feed,
    /// Bars.
    Bars,
}

impl SeriesKind {
    /// Every kind.
    pub const ALL: [SeriesKind; 6] =
        [Self::Trades, Self::AggTrades, Self::Quotes, Self::Depth, Self::Feed, Self::Bars];

    /// Its name in series and on the command line.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::AggTrades => "agg_trades",
            Self::Quotes => "quotes",
            Self::Depth => "depth",
            Self::Feed => "feed",
            Self::Bars => "bars",
        }
    }
}

/// A series: printed as `bars-1m` or `bars-1d-adjusted`, after the instrument's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName {
    /// `binance:spot:BTCUSDT`.
    pub instrument: String,
    /// What it holds.
    pub kind: SeriesKind,
    /// Length of its bars (`1m`, `1mo`); of quotes, how far apart they were taken.
    pub every: Option<String>,
    /// Whether prices and volumes are adjusted for splits and dividends.
    pub adjusted: bool,
}

impl SeriesName {
    /// A series of this kind.
    #[must_use]
    pub fn new(instrument: &str, kind: SeriesKind) -> Self {
        Self { instrument: instrument.into(), kind, every: None, adjusted: false }
    }

    /// The name without the instrument's.
    #[must_use]
    pub fn label(&self) -> String {
        let every = self.every.as_ref().map_or(String::new(), |every| format!("-{every}"));
        format!("{}{every}{}", self.kind.label(), if self.adjusted { "-adjusted" } else { "" })
    }

    /// The series with this [`label`](Self::label).
    #[must_use]
    pub fn parse(instrument: &str, label: &str) -> Option<Self> {
        let mut parts = label.split('-');
        let kind = parts.next()?;
        let kind = SeriesKind::ALL.into_iter().find(|k| k.label() == kind)?;
        let mut name = Self::new(instrument, kind);
        for part in parts {
            match part {
                "adjusted" if !name.adjusted => name.adjusted = true,
                every if name.every.is_none() && !name.adjusted && is_every(every) => {
                    name.every = Some(every.into());
                }
                _ => return None,
            }
        }
        Some(name)
    }
}

impl fmt::Display for SeriesName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.instrument, self.label())
    }
}

/// Whether this is a length as venues write it: `1s`, `15m`, `4h`, `1d`, `1w`, `1mo`.
#[must_use]
pub fn is_every(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=5).contains(&digits) && matches!(&text[digits..], "s" | "m" | "h" | "d" | "w" | "mo")
}

/// The length in seconds, a year at most; `None` for months, which have none, and for what is no length.
#[must_use]
pub fn every_seconds(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match &text[digits..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    text[..digits]
        .parse::<u64>()
        .ok()?
        .checked_mul(unit)
        .filter(|seconds| (1..=366 * 86_400).contains(seconds))
}

/// The three parts of `venue:market:SYMBOL`.
#[must_use]
pub fn split_name(name: &str) -> Option<(&str, Market, &str)> {
    let mut parts = name.splitn(3, ':');
    let (venue, market, symbol) = (parts.next()?, parts.next()?, parts.next()?);
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let venue_good = !venue.is_empty() && venue.bytes().all(good);
    let symbol_good =
        !symbol.is_empty() && !symbol.chars().any(|c| c.is_whitespace() || c.is_control() || c == ':');
    Market::from_label(market).filter(|_| venue_good && symbol_good).map(|market| (venue, market, symbol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_back() {
        for label in ["trades", "agg_trades", "bars-1m", "bars-1mo", "bars-1d-adjusted", "quotes-1m", "feed"]
        {
            let name = SeriesName::parse("usa:spot:SPY", label).expect(label);
            assert_eq!(name.label(), label);
        }
        for label in ["", "bars-", "bars-m", "candles", "bars-1m-1m", "trades-adjusted-adjusted", "bars-1x"] {
            assert_eq!(SeriesName::parse("usa:spot:SPY", label), None, "{label}");
        }
    }

    #[test]
    fn lengths_and_names_are_told_from_what_is_none() {
        assert_eq!(
            ["15m", "1w", "1mo", "0s", "99999w"].map(every_seconds),
            [Some(900), Some(604_800), None, None, None]
        );
        assert_eq!(split_name("binance:usdm:BTCUSDT"), Some(("binance", Market::UsdM, "BTCUSDT")));
        for bad in ["BTCUSDT", "binance:BTCUSDT", "binance:swap:BTCUSDT", ":spot:A", "a:spot:", "a/b:spot:X"]
        {
            assert_eq!(split_name(bad), None, "{bad}");
        }
    }
}
