//! Two replies that add to `exchangeInfo`: an account's own filters, and execution rules.

use super::super::filters::{FilterName, Filters, Multiplier, PriceRange};
use super::fields::{Fields, cut};
use super::{BYTES_MAX, InfoError, Symbol, SymbolProblem, rows};
use crate::net::said;
use serde_json::Value;
use serde_json::error::Category;

fn parse(body: &[u8]) -> Result<Value, InfoError> {
    if body.len() > BYTES_MAX {
        return Err(InfoError::TooLarge { bytes: body.len() });
    }
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Eof => InfoError::Truncated { line, column },
            _ => InfoError::NotJson { line, column, beginning: said(body, 60) },
        }
    })
}

fn shape(problem: &SymbolProblem) -> InfoError {
    InfoError::Shape(problem.to_string())
}

fn list<'v>(reply: &'v Value, name: &'static str) -> Result<&'v [Value], InfoError> {
    if let (Some(code), None) = (reply.get("code").and_then(Value::as_i64), reply.get(name)) {
        let message = reply.get("msg").and_then(Value::as_str).unwrap_or_default();
        return Err(InfoError::Refused { code, message: cut(message, 200) });
    }
    let rows = reply.get(name).and_then(Value::as_array);
    Ok(rows.ok_or_else(|| shape(&SymbolProblem::Field(name)))?)
}

/// Reads the reply to `GET myFilters`: the symbol's filters as they bind one account, `MAX_ASSET` among them. Those
/// that the reply does not name stay as they are.
///
/// # Errors
/// [`InfoError`] where the reply is of no use.
pub fn account_filters(body: &[u8], symbol: &Symbol) -> Result<Filters, InfoError> {
    let reply = parse(body)?;
    let mut filters = symbol.filters;
    // Names that are not known are told of where the symbol itself is read.
    let mut unknown = Vec::new();
    for name in ["exchangeFilters", "symbolFilters"] {
        rows::read(list(&reply, name)?, &mut filters, &mut unknown).map_err(|problem| shape(&problem))?;
    }
    let (price_decimals, qty_decimals) = (filters.price_decimals, filters.qty_decimals);
    for row in list(&reply, "assetFilters")?.iter().filter_map(Value::as_object) {
        if row.get("filterType").and_then(Value::as_str) != Some(FilterName::MaxAsset.name()) {
            continue;
        }
        let fields = Fields { of: row, price_decimals, qty_decimals };
        let asset = fields.text("asset").map_err(|problem| shape(&problem))?;
        if asset == symbol.instrument.base {
            filters.max_base = Some(fields.qty_max("limit").map_err(|problem| shape(&problem))?);
        }
        if asset == symbol.instrument.quote {
            filters.max_quote = Some(fields.value_max("limit").map_err(|problem| shape(&problem))?);
        }
    }
    Ok(filters)
}

/// Reads the reply to `GET executionRules`: the `PRICE_RANGE` of each symbol that has one. Other rules are passed over.
///
/// # Errors
/// [`InfoError`] where the reply is of no use.
pub fn execution_rules(body: &[u8]) -> Result<Vec<(String, PriceRange)>, InfoError> {
    let reply = parse(body)?;
    let mut ranges = Vec::new();
    for row in list(&reply, "symbolRules")? {
        let symbol = row.get("symbol").and_then(Value::as_str);
        let symbol = symbol.ok_or_else(|| shape(&SymbolProblem::Field("symbol")))?;
        for rule in list(row, "rules")?.iter().filter_map(Value::as_object) {
            if rule.get("ruleType").and_then(Value::as_str) == Some("PRICE_RANGE") {
                let fields = Fields { of: rule, price_decimals: 0, qty_decimals: 0 };
                ranges.push((cut(symbol, 50), range(&fields).map_err(|problem| shape(&problem))?));
            }
        }
    }
    Ok(ranges)
}

fn range(fields: &Fields<'_>) -> Result<PriceRange, SymbolProblem> {
    let factor = |name: &'static str| -> Result<Option<Multiplier>, SymbolProblem> {
        match fields.of.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => fields.multiplier(name).map(Some),
        }
    };
    Ok(PriceRange {
        bid_up: factor("bidLimitMultUp")?,
        bid_down: factor("bidLimitMultDown")?,
        ask_up: factor("askLimitMultUp")?,
        ask_down: factor("askLimitMultDown")?,
    })
}
