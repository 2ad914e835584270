//! From parsed values to raw ones.
//!
//! Owns: what each kind of value must look like. Invariant: what does not fit is reported where it stands and left out,
//! and reading goes on, so that one pass finds everything. It is written out rather than derived by serde, which makes a
//! deserializer of its own for each of sixty tables, a tenth of all code that the program is compiled from.

use super::document::Document;
use crate::domain::params::{ConfigProblem, not_known};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Enough to mend a file by; a file with more is not a configuration.
pub(super) const PROBLEMS_MAX: usize = 50;

/// What is being read, and what was wrong with it so far.
pub(super) struct Reader<'d> {
    pub document: &'d Document<'d>,
    pub problems: &'d mut Vec<ConfigProblem>,
}

/// What a value of a file can become; nothing, with the reason reported, where it does not fit.
pub(super) trait FromToml: Sized {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// A table whose keys are known.
pub(super) trait Keyed {
    fn keys(&self) -> &'static [&'static str];

    /// Takes the value of a key; false where there is no such key.
    fn take(&mut self, key: &str, value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> bool;
}

impl Reader<'_> {
    fn misfit<T>(&mut self, value: &Spanned<DeValue<'_>>, expected: &str) -> Option<T> {
        let problem = self.document.problem(&value.span(), expected);
        self.report(problem);
        None
    }

    fn report(&mut self, problem: ConfigProblem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    /// The keys of a table, each of which `into` takes; those that it does not know are reported.
    pub fn keys(&mut self, table: &DeTable<'_>, into: &mut dyn Keyed) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            if !into.take(name, value, self) {
                let expected = not_known("a known key", name, into.keys());
                let problem = self.document.problem_of_key(&key.span(), expected);
                self.report(problem);
            }
        }
    }

    /// The same of a value that should be one; whether it is.
    pub fn table(&mut self, value: &Spanned<DeValue<'_>>, into: &mut dyn Keyed) -> bool {
        match value.get_ref() {
            DeValue::Table(table) => self.keys(table, into),
            _ => return self.misfit::<()>(value, "must be a table").is_some(),
        }
        true
    }

    /// Puts a value in the place of what is there, if it fits.
    pub fn put<T: FromToml>(&mut self, into: &mut T, value: &Spanned<DeValue<'_>>) {
        if let Some(value) = T::from_toml(value, self) {
            *into = value;
        }
    }
}

impl FromToml for String {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) => reader.misfit(value, "must be in quotes"),
            _ => reader.misfit(value, "must be text in quotes"),
        }
    }
}

impl FromToml for i64 {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Integer(given) = value.get_ref() else {
            return reader.misfit(value, "must be an integer");
        };
        let number = Self::from_str_radix(given.as_str(), given.radix()).ok();
        number.or_else(|| reader.misfit(value, "must fit 64 bits"))
    }
}

impl FromToml for bool {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(given) => Some(*given),
            _ => reader.misfit(value, "must be true or false"),
        }
    }
}

/// Anything, for keys whose kind somebody else knows.
impl FromToml for toml::Value {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Integer(_) => i64::from_toml(value, reader).map(Self::Integer),
            DeValue::Float(given) => {
                let text = given.as_str();
                match text.parse::<f64>() {
                    Ok(number) if number.is_finite() || text.contains("inf") || number.is_nan() => {
                        Some(Self::Float(number))
                    }
                    _ => reader.misfit(value, "must fit 64 bits"),
                }
            }
            DeValue::String(text) => Some(Self::String(text.to_string())),
            DeValue::Boolean(given) => Some(Self::Boolean(*given)),
            DeValue::Datetime(given) => Some(Self::Datetime(*given)),
            DeValue::Array(_) => Vec::from_toml(value, reader).map(Self::Array),
            DeValue::Table(_) => {
                let entries = BTreeMap::<String, Self>::from_toml(value, reader)?;
                Some(Self::Table(entries.into_iter().collect()))
            }
        }
    }
}

impl<T: FromToml> FromToml for Option<T> {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        T::from_toml(value, reader).map(Some)
    }
}

impl<T: FromToml> FromToml for Spanned<T> {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        T::from_toml(value, reader).map(|inner| Self::new(value.span(), inner))
    }
}

/// Whole or not at all: a list without one of its items is another list.
impl<T: FromToml> FromToml for Vec<T> {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else { return reader.misfit(value, "must be a list") };
        let read: Vec<Option<T>> = items.iter().map(|item| T::from_toml(item, reader)).collect();
        read.into_iter().collect()
    }
}

/// A table whose keys are names.
impl<T: FromToml> FromToml for BTreeMap<String, T> {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else { return reader.misfit(value, "must be a table") };
        let entry = |(key, value): (&Spanned<_>, &_)| Some((key_of(key), T::from_toml(value, reader)?));
        Some(table.iter().filter_map(entry).collect())
    }
}

fn key_of(key: &Spanned<std::borrow::Cow<'_, str>>) -> String {
    key.get_ref().to_string()
}
