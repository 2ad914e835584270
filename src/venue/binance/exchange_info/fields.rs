//! Fields of one JSON object, read with its name in every problem.

use super::super::filters::Multiplier;
use super::super::number::parse_truncated;
use super::SymbolProblem;
use crate::domain::{DecimalError, Notional, Price, Qty};
use crate::net::said::shown_char;
use serde_json::{Map, Value};

pub(super) type Object = Map<String, Value>;

/// The first `chars` characters, as they may be shown.
pub(super) fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).map(shown_char).collect()
}

/// Decimal text in units of 10^-`decimals`, exactly.
fn exact(text: &str, decimals: u8) -> Result<i128, DecimalError> {
    let value = parse_truncated(text.as_bytes(), decimals)?;
    let beyond = text.split_once('.').and_then(|(_, fraction)| fraction.get(usize::from(decimals)..));
    if beyond.is_some_and(|digits| digits.bytes().any(|digit| digit != b'0')) {
        return Err(DecimalError::TooPrecise);
    }
    Ok(value)
}

/// One object, and the precision that its numbers have.
pub(super) struct Fields<'a> {
    pub of: &'a Object,
    pub price_decimals: u8,
    pub qty_decimals: u8,
}

impl<'a> Fields<'a> {
    /// A piece of text that must be there.
    pub fn text(&self, name: &'static str) -> Result<&'a str, SymbolProblem> {
        self.of.get(name).and_then(Value::as_str).ok_or(SymbolProblem::Field(name))
    }

    /// A whole number that must be there.
    pub fn integer(&self, name: &'static str) -> Result<u32, SymbolProblem> {
        let value = self.of.get(name).and_then(Value::as_u64).ok_or(SymbolProblem::Field(name))?;
        // As limits, larger ones are as good as none.
        Ok(u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// Yes or no; no where it is not said.
    pub fn flag(&self, name: &str) -> bool {
        self.of.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A list; empty where there is none.
    pub fn list(&self, name: &str) -> &'a [Value] {
        self.of.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn number(&self, name: &'static str, decimals: u8) -> Result<i128, SymbolProblem> {
        let value = exact(self.text(name)?, decimals);
        let value = value.map_err(|error| SymbolProblem::Number { field: name, error })?;
        if value < 0 { Err(SymbolProblem::Negative(name)) } else { Ok(value) }
    }

    /// A number that an order's is compared with from below or divided by: it has to fit.
    fn narrow(&self, name: &'static str, decimals: u8) -> Result<i64, SymbolProblem> {
        let overflow = |_| SymbolProblem::Number { field: name, error: DecimalError::Overflow };
        i64::try_from(self.number(name, decimals)?).map_err(overflow)
    }

    /// A highest bound: one that does not fit can never be passed, so the largest number says the same.
    fn wide<T: TryFrom<i128>>(
        &self,
        name: &'static str,
        decimals: u8,
        largest: T,
    ) -> Result<T, SymbolProblem> {
        match self.number(name, decimals) {
            Ok(value) => Ok(T::try_from(value).unwrap_or(largest)),
            Err(SymbolProblem::Number { error: DecimalError::Overflow, .. }) => Ok(largest),
            Err(other) => Err(other),
        }
    }

    pub fn price(&self, name: &'static str) -> Result<Price, SymbolProblem> {
        self.narrow(name, self.price_decimals).map(Price)
    }

    pub fn price_max(&self, name: &'static str) -> Result<Price, SymbolProblem> {
        self.wide(name, self.price_decimals, i64::MAX).map(Price)
    }

    pub fn qty(&self, name: &'static str) -> Result<Qty, SymbolProblem> {
        self.narrow(name, self.qty_decimals).map(Qty)
    }

    pub fn qty_max(&self, name: &'static str) -> Result<Qty, SymbolProblem> {
        self.wide(name, self.qty_decimals, i64::MAX).map(Qty)
    }

    pub fn position_max(&self, name: &'static str) -> Result<i128, SymbolProblem> {
        self.wide(name, self.qty_decimals, i128::MAX)
    }

    pub fn value(&self, name: &'static str) -> Result<Notional, SymbolProblem> {
        self.number(name, self.price_decimals + self.qty_decimals).map(Notional)
    }

    pub fn value_max(&self, name: &'static str) -> Result<Notional, SymbolProblem> {
        self.wide(name, self.price_decimals + self.qty_decimals, i128::MAX).map(Notional)
    }

    pub fn multiplier(&self, name: &'static str) -> Result<Multiplier, SymbolProblem> {
        self.narrow(name, Multiplier::DECIMALS).map(Multiplier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        assert_eq!(exact("9000000.00000000", 16), Ok(9_000_000 * 10i128.pow(16)));
        assert_eq!(exact("0.10000", 1), Ok(1));
        assert_eq!(exact("0.10001", 1), Err(DecimalError::TooPrecise));
        assert_eq!(exact("1e3", 2), Err(DecimalError::Invalid));
        assert_eq!(exact("0.1é", 1), Err(DecimalError::Invalid));
    }
}
