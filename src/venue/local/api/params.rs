//! The parameters of a request, read strictly.
//!
//! Owns: which text is a value of which kind, and the refusal where it is not. Invariant: what passed [`Params::check`]
//! against an operation has every mandatory parameter, none that is unknown or empty, and each of its kind.

use super::error::Failure;
use crate::domain::decimal::{DecimalError, parse};

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Symbol,
    /// A client's id.
    Id,
    /// Whatever it is.
    Text,
    /// A whole number.
    Long,
    /// A decimal that is not negative.
    Decimal,
    Flag,
    /// One of these; the refusal where it is none of them.
    Choice(&'static [&'static str], Wrong),
}

/// The refusal of a word that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Data,
    Is(i32, &'static str),
}

/// One parameter of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Param {
    pub name: &'static str,
    pub kind: Kind,
    pub needed: bool,
}

/// The longest text of a parameter.
const TEXT_MAX: usize = 4_096;

/// Parameters as they were sent, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// `false` where there is one of this name already.
    pub fn add(&mut self, name: String, value: String) -> bool {
        if self.get(&name).is_some() {
            return false;
        }
        self.0.push((name, value));
        true
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Checks against what an operation takes.
    pub fn check(&self, tables: &[&[Param]]) -> Result<(), Failure> {
        let mut read = 0;
        for (name, value) in self.iter() {
            let Some(param) = tables.iter().flat_map(|table| table.iter()).find(|param| param.name == name)
            else {
                continue;
            };
            read += 1;
            if value.is_empty() {
                return Err(if param.needed {
                    Failure::mandatory(name)
                } else {
                    Failure::bad(-1105, format!("Parameter '{name}' was empty."))
                });
            }
            param.check(value)?;
        }
        let missing = |param: &&Param| param.needed && self.get(param.name).is_none();
        if let Some(param) = tables.iter().flat_map(|table| table.iter()).find(missing) {
            return Err(Failure::mandatory(param.name));
        }
        if read < self.0.len() {
            let sent = self.0.len();
            let text = format!(
                "Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
            );
            return Err(Failure::bad(-1104, text));
        }
        Ok(())
    }

    /// A whole number that passed the check.
    pub fn long(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(|text| text.parse().ok())
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|text| text == "true" || text == "TRUE")
    }

    /// A decimal in units of 10^-`decimals`.
    pub fn decimal(&self, name: &str, decimals: u8) -> Result<Option<i64>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match parse(text.as_bytes(), decimals) {
            Ok(value) => Ok(Some(value)),
            Err(DecimalError::TooPrecise) => Err(Failure::too_precise(name)),
            Err(DecimalError::Overflow) => Err(Failure::overflowed(name)),
            Err(_) => Err(Failure::illegal(name, DECIMAL)),
        }
    }
}

const DECIMAL: &str = r"^([0-9]{1,20})(\.[0-9]{1,20})?$";
const ID: &str = "^[a-zA-Z0-9-_]{1,36}$";
const SYMBOL: &str = r"^[\w\-._&&[^a-z]]{1,50}$";

impl Param {
    fn check(&self, value: &str) -> Result<(), Failure> {
        let name = self.name;
        let legal = |fits: bool, range: &str| if fits { Ok(()) } else { Err(Failure::illegal(name, range)) };
        match self.kind {
            Kind::Symbol => {
                let fits = |c: char| !c.is_ascii_lowercase() && (c.is_alphanumeric() || "-._".contains(c));
                legal(value.chars().count() <= 50 && value.chars().all(fits), SYMBOL)
            }
            Kind::Id => {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                legal(value.len() <= 36 && value.bytes().all(fits), ID)
            }
            Kind::Text => legal(value.len() <= TEXT_MAX, "^.{1,4096}$"),
            Kind::Long => {
                legal(value.len() <= 20 && value.bytes().all(|b| b.is_ascii_digit()), "^[0-9]{1,20}$")?;
                match value.parse::<i64>() {
                    Ok(_) => Ok(()),
                    Err(_) => Err(Failure::overflowed(name)),
                }
            }
            Kind::Decimal => legal(is_decimal(value), DECIMAL),
            Kind::Flag => {
                if matches!(value, "true" | "false" | "TRUE" | "FALSE") {
                    Ok(())
                } else {
                    Err(Failure::bad_data(name))
                }
            }
            Kind::Choice(words, _) if words.contains(&value) => Ok(()),
            Kind::Choice(_, Wrong::Data) => Err(Failure::bad_data(name)),
            Kind::Choice(_, Wrong::Is(code, text)) => Err(Failure::bad(code, text)),
        }
    }
}

fn is_decimal(text: &str) -> bool {
    let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    let digits = |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && part.is_none_or(digits)
}

/// The pairs of a query or form, still encoded, in their order.
pub(super) fn pairs(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = raw.split('&').filter(|pair| !pair.is_empty());
    parts.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Text of a query or form: `%XX` and `+` taken back.
pub(crate) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Param] = &[
        Param { name: "symbol", kind: Kind::Symbol, needed: true },
        Param { name: "price", kind: Kind::Decimal, needed: false },
        Param { name: "limit", kind: Kind::Long, needed: false },
        Param { name: "id", kind: Kind::Id, needed: false },
        Param {
            name: "side",
            kind: Kind::Choice(&["BUY"], Wrong::Is(-1117, "Invalid side.")),
            needed: false,
        },
    ];

    fn code(query: &str) -> i32 {
        let mut params = Params::default();
        for (name, value) in pairs(query) {
            params.add(decoded(name), decoded(value));
        }
        params.check(&[TABLE]).err().map_or(0, |failure| failure.code)
    }

    #[test]
    fn each_way_to_be_wrong_has_its_code() {
        let cases = [
            ("symbol=BTCUSDT&price=1.50&limit=5&id=a-b_C&side=BUY", 0),
            ("symbol=%E8%BF%99%E6%98%AF456", 0),
            ("price=1", -1102),
            ("symbol=", -1102),
            ("symbol=btcusdt", -1100),
            ("symbol=BTC%20USDT", -1100),
            ("symbol=B&price=1e5", -1100),
            ("symbol=B&price=-1", -1100),
            ("symbol=B&price=.5", -1100),
            ("symbol=B&price=", -1105),
            ("symbol=B&limit=1.0", -1100),
            ("symbol=B&limit=9999999999999999999", -1108),
            ("symbol=B&id=a.b", -1100),
            ("symbol=B&side=HOLD", -1117),
            ("symbol=B&more=1", -1104),
        ];
        for (query, expected) in cases {
            assert_eq!(code(query), expected, "{query}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        let mut params = Params::default();
        params.add("p".into(), "0.123".into());
        assert_eq!(params.decimal("p", 3).ok().flatten(), Some(123));
        assert_eq!(params.decimal("p", 2).err().map(|failure| failure.code), Some(-1111));
        assert_eq!(params.decimal("q", 2).ok().flatten(), None);
    }
}
