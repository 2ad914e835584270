//! The reply as a whole, a symbol at a time.

use super::super::filters::{CountLimits, Filters};
use super::fields::{Object, cut};
use super::{BYTES_MAX, ExchangeInfo, Fees, InfoError, RateLimit, SYMBOLS_MAX, SymbolProblem, Unusable};
use super::{rows, symbol};
use crate::domain::Time;
use crate::net::said;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use std::collections::HashSet;
use std::fmt;

/// More limits than this are not kept.
const RATE_LIMITS_MAX: usize = 64;

pub(super) fn read(
    body: &[u8],
    fees: Fees,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<ExchangeInfo, InfoError> {
    if body.len() > BYTES_MAX {
        return Err(InfoError::TooLarge { bytes: body.len() });
    }
    let mut reading = Reading::new(fees, wanted);
    let mut json = serde_json::Deserializer::from_slice(body);
    let done = reading.deserialize(&mut json).and_then(|()| json.end());
    if let Err(error) = done {
        let (line, column) = (error.line(), error.column());
        return Err(match error.classify() {
            _ if reading.too_many => InfoError::TooManySymbols,
            Category::Eof => InfoError::Truncated { line, column },
            Category::Syntax | Category::Io => InfoError::NotJson { line, column, beginning: said(body, 60) },
            Category::Data => InfoError::Shape(cut(&error.to_string(), 200)),
        });
    }
    reading.finish()
}

/// What has been read so far.
struct Reading<'w> {
    fees: Fees,
    wanted: &'w dyn Fn(&str) -> bool,
    info: ExchangeInfo,
    names: HashSet<String>,
    has_symbols: bool,
    too_many: bool,
    code: Option<i64>,
    message: Option<String>,
    bad_exchange_filters: Option<SymbolProblem>,
}

impl<'w> Reading<'w> {
    fn new(fees: Fees, wanted: &'w dyn Fn(&str) -> bool) -> Self {
        Self {
            fees,
            wanted,
            info: ExchangeInfo::default(),
            names: HashSet::new(),
            has_symbols: false,
            too_many: false,
            code: None,
            message: None,
            bad_exchange_filters: None,
        }
    }

    fn deserialize<'de, D: Deserializer<'de>>(&mut self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(Document(self))
    }

    fn exchange_filters(&mut self, list: &Value) {
        let mut filters = Filters::default();
        let rows = list.as_array().map_or(&[][..], Vec::as_slice);
        match rows::read(rows, &mut filters, &mut self.info.unknown_filters) {
            Ok(()) => self.info.exchange = filters.exchange,
            Err(problem) => self.bad_exchange_filters = Some(problem),
        }
    }

    fn symbol(&mut self, row: &Object) {
        let name = row.get("symbol").and_then(Value::as_str).unwrap_or_default();
        if !(self.wanted)(name) {
            return;
        }
        let read = if self.names.contains(name) {
            Err(SymbolProblem::Twice)
        } else {
            symbol::read(row, self.fees, &mut self.info.unknown_filters)
        };
        self.names.insert(cut(name, 50));
        match read {
            Ok(symbol) => self.info.symbols.push(symbol),
            Err(problem) => self.info.unusable.push(Unusable { symbol: cut(name, 50), problem }),
        }
    }

    fn finish(mut self) -> Result<ExchangeInfo, InfoError> {
        if let (false, Some(code)) = (self.has_symbols, self.code) {
            return Err(InfoError::Refused { code, message: self.message.unwrap_or_default() });
        }
        if !self.has_symbols {
            return Err(InfoError::Shape("it has no symbols".to_owned()));
        }
        if let Some(problem) = self.bad_exchange_filters {
            // A limit on all orders together that cannot be read binds every symbol.
            return Err(InfoError::Shape(format!("exchangeFilters: {problem}")));
        }
        // They may stand after the symbols.
        if self.info.exchange != CountLimits::default() {
            for symbol in &mut self.info.symbols {
                symbol.filters.exchange = self.info.exchange;
            }
        }
        Ok(self.info)
    }
}

struct Document<'r, 'w>(&'r mut Reading<'w>);

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with symbols")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "symbols" => {
                    map.next_value_seed(Symbols(reading))?;
                    reading.has_symbols = true;
                }
                "serverTime" => {
                    let ms = map.next_value::<Value>()?.as_u64();
                    reading.info.server_time = Time::from_millis(ms.unwrap_or(0));
                }
                "rateLimits" => {
                    let list = map.next_value::<Value>()?;
                    let rows = list.as_array().map_or(&[][..], Vec::as_slice);
                    let limits = rows.iter().filter_map(RateLimit::read).take(RATE_LIMITS_MAX);
                    reading.info.rate_limits = limits.collect();
                }
                "exchangeFilters" => reading.exchange_filters(&map.next_value()?),
                "code" => reading.code = map.next_value::<Value>()?.as_i64(),
                "msg" => reading.message = map.next_value::<Value>()?.as_str().map(|text| cut(text, 200)),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Symbols<'r, 'w>(&'r mut Reading<'w>);

impl<'de> DeserializeSeed<'de> for Symbols<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Symbols<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of symbols")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut count = 0;
        while let Some(row) = list.next_element::<Value>()? {
            count += 1;
            if count > SYMBOLS_MAX {
                self.0.too_many = true;
                return Err(serde::de::Error::custom("too many symbols"));
            }
            match row.as_object() {
                Some(row) => self.0.symbol(row),
                None => {
                    let problem = SymbolProblem::Field("symbol");
                    self.0.info.unusable.push(Unusable { symbol: String::new(), problem });
                }
            }
        }
        Ok(())
    }
}
