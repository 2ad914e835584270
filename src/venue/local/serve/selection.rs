//! Parameters of market data calls: which symbols, which stretch of time, how many rows.
//!
//! Owns: their forms, bounds and refusals, in the venue's words.

use super::http::Answer;
use super::listing::Listing;
use super::rest::Call;

/// The symbols that a call is about.
pub(super) enum Chosen<'a> {
    /// Named by `symbol`: the answer is an object.
    One(&'a Listing),
    /// Named by `symbols`: a list.
    Some(Vec<&'a Listing>),
    /// None named: a list of all.
    All(Vec<&'a Listing>),
}

impl<'a> Chosen<'a> {
    pub fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Some(listings) | Self::All(listings) => listings.len(),
        }
    }

    /// Answers with a row for each.
    pub fn rows(&self, row: impl Fn(&'a Listing) -> serde_json::Value) -> Answer {
        let body = match self {
            Self::One(listing) => row(listing).to_string(),
            Self::Some(listings) | Self::All(listings) => {
                serde_json::Value::from_iter(listings.iter().map(|listing| row(listing))).to_string()
            }
        };
        Answer::json(200, body)
    }
}

/// A parameter that must be there.
pub(super) fn required<'a>(call: &Call<'a>, name: &str) -> Result<&'a str, Answer> {
    call.request.param(name).filter(|value| !value.is_empty()).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Answer {
    let text = format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
    Answer::error(400, -1102, &text)
}

pub(super) fn illegal(name: &str, range: &str) -> Answer {
    let text = format!("Illegal characters found in parameter '{name}'; legal range is '{range}'.");
    Answer::error(400, -1100, &text)
}

fn invalid_symbol() -> Answer {
    Answer::error(400, -1121, "Invalid symbol.")
}

/// The one symbol of a call that needs one.
pub(super) fn listing<'a>(call: &Call<'a>) -> Result<&'a Listing, Answer> {
    call.exchange.listing(call.market, required(call, "symbol")?).ok_or_else(invalid_symbol)
}

/// The symbols named in `symbol` or `symbols`, or all.
pub(super) fn chosen<'a>(call: &Call<'a>) -> Result<Chosen<'a>, Answer> {
    match (call.request.param("symbol"), call.request.param("symbols")) {
        (Some(_), Some(_)) => Err(Answer::error(400, -1128, "Combination of optional parameters invalid.")),
        (Some(_), None) => listing(call).map(Chosen::One),
        (None, Some(text)) => {
            let range = r#"^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$"#;
            let names: Vec<String> = serde_json::from_str(text).map_err(|_| illegal("symbols", range))?;
            if names.is_empty() {
                return Err(missing("symbols"));
            }
            if names.iter().enumerate().any(|(at, name)| names[..at].contains(name)) {
                return Err(Answer::error(400, -1151, "Symbol is present multiple times in the list."));
            }
            let found = names.iter().map(|name| call.exchange.listing(call.market, name));
            found.collect::<Option<_>>().map(Chosen::Some).ok_or_else(invalid_symbol)
        }
        (None, None) => Ok(Chosen::All(call.exchange.listings(call.market).collect())),
    }
}

/// How many rows; more than `max` is `max`.
pub(super) fn limit(call: &Call<'_>, default: usize, max: usize) -> Result<usize, Answer> {
    let Some(text) = call.request.param("limit") else { return Ok(default) };
    match text.parse::<usize>() {
        Ok(limit) if limit > 0 => Ok(limit.min(max)),
        _ => Err(illegal("limit", "^[0-9]{1,20}$")),
    }
}

/// A whole number, where it is given.
pub(super) fn number(call: &Call<'_>, name: &str) -> Result<Option<u64>, Answer> {
    match call.request.param(name).map(str::parse) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(illegal(name, "^[0-9]{1,20}$")),
    }
}

/// A stretch of time and how much of it is wanted: the oldest from `startTime` where that is given, the newest
/// otherwise.
pub(super) struct Span {
    pub from_ms: u64,
    pub to_ms: u64,
    oldest: bool,
    limit: usize,
}

impl Span {
    pub fn of(call: &Call<'_>, limit: usize) -> Result<Self, Answer> {
        let (from, to) = (number(call, "startTime")?, number(call, "endTime")?);
        Ok(Self {
            from_ms: from.map_or(0, in_ms),
            to_ms: to.map_or(u64::MAX, in_ms),
            oldest: from.is_some(),
            limit,
        })
    }

    /// Of rows in this stretch, oldest first, those that are wanted.
    pub fn cut<T>(&self, rows: impl Iterator<Item = T>) -> Vec<T> {
        if self.oldest {
            return rows.take(self.limit).collect();
        }
        let mut rows: Vec<T> = rows.collect();
        rows.drain(..rows.len().saturating_sub(self.limit));
        rows
    }
}

/// Times come in milliseconds or microseconds, told apart by their size.
fn in_ms(time: u64) -> u64 {
    if time >= 1_000_000_000_000_000 { time / 1_000 } else { time }
}
