//! One TOML text with the places of its keys, so that every refusal can point at what is wrong.
//!
//! Owns: the way from text to parsed values, and from a place in the text to its line, key and source.

use super::read::{Keyed, PROBLEMS_MAX, Reader};
use crate::domain::params::ConfigProblem;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longer values are cut in messages.
const FOUND_CHARS_MAX: usize = 40;

/// A parsed text.
pub(super) struct Document<'a> {
    /// What the file is called in messages.
    pub file: &'a str,
    text: &'a str,
    root: Spanned<DeTable<'a>>,
    /// Where each key and each value stands, and its path; inner ones after those they are in.
    places: Vec<(Range<usize>, String)>,
}

impl<'a> Document<'a> {
    /// Parses `text`; a text that is not TOML is refused with each place where it is not.
    pub fn parse(file: &'a str, text: &'a str) -> Result<Self, Vec<ConfigProblem>> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut document = Self { file, text, root, places: Vec::new() };
        if errors.is_empty() {
            index(document.root.get_ref(), "", &mut document.places);
            return Ok(document);
        }
        let problem = |error: &toml::de::Error| {
            let span = error.span().unwrap_or_default();
            document.place(span.start, String::new(), None, format!("not valid TOML: {}", error.message()))
        };
        Err(errors.iter().take(PROBLEMS_MAX).map(problem).collect())
    }

    /// The whole text as a raw structure; what does not fit is reported and left out.
    pub fn read<T: Keyed + Default>(&self, problems: &mut Vec<ConfigProblem>) -> T {
        let mut raw = T::default();
        Reader { document: self, problems }.keys(self.root.get_ref(), &mut raw);
        raw
    }

    /// A refusal of the value at `span`.
    pub fn problem(&self, span: &Range<usize>, expected: impl Into<String>) -> ConfigProblem {
        let source = self.text.get(span.clone()).unwrap_or("");
        let first_line = source.lines().next().unwrap_or("");
        let mut found: String = first_line.chars().take(FOUND_CHARS_MAX).collect();
        if found.len() < source.len() {
            found.push('…');
        }
        self.place(span.start, self.path(span), Some(found), expected.into())
    }

    /// A refusal of the table at `span`, for its key `name` is missing.
    pub fn missing(&self, span: &Range<usize>, name: &str, expected: &str) -> ConfigProblem {
        let whole = *span == self.root.span();
        let key = if whole { name.to_owned() } else { format!("{}.{name}", self.path(span)) };
        self.place(span.start, key, None, format!("is missing: {expected}"))
    }

    /// Where the whole text stands, as a table.
    pub fn span(&self) -> Range<usize> {
        self.root.span()
    }

    /// Whether the table at `span` gives `name`, even if it was left out since.
    pub fn gives(&self, span: &Range<usize>, name: &str) -> bool {
        let table = if self.root.span() == *span {
            Some(self.root.get_ref())
        } else {
            find(self.root.get_ref(), span)
        };
        table.is_some_and(|table| table.contains_key(name))
    }

    /// A refusal of the key at `span`.
    pub fn problem_of_key(&self, span: &Range<usize>, expected: String) -> ConfigProblem {
        self.place(span.start, self.path(span), None, expected)
    }

    fn path(&self, span: &Range<usize>) -> String {
        let exact = self.places.iter().rfind(|(place, _)| place == span);
        let around = || self.places.iter().rfind(|(place, _)| encloses(place, span));
        exact.or_else(around).map(|(_, path)| path.clone()).unwrap_or_default()
    }

    fn place(&self, offset: usize, key: String, found: Option<String>, expected: String) -> ConfigProblem {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        let [line, column] = [line, column].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        ConfigProblem { file: self.file.to_owned(), line, column, key, found, expected }
    }
}

fn encloses(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn index(table: &DeTable<'_>, parent: &str, places: &mut Vec<(Range<usize>, String)>) {
    for (key, value) in table {
        // A quoted key may hold anything, a line break too.
        let name = key.get_ref().escape_debug();
        let path = if parent.is_empty() { name.to_string() } else { format!("{parent}.{name}") };
        places.push((value.span(), path.clone()));
        places.push((key.span(), path.clone()));
        index_value(value, &path, places);
    }
}

fn index_value(value: &Spanned<DeValue<'_>>, path: &str, places: &mut Vec<(Range<usize>, String)>) {
    match value.get_ref() {
        DeValue::Table(table) => index(table, path, places),
        DeValue::Array(array) => {
            for item in array.iter() {
                places.push((item.span(), path.to_owned()));
                index_value(item, path, places);
            }
        }
        _ => {}
    }
}

/// The table at `span`.
fn find<'t, 'a>(table: &'t DeTable<'a>, span: &Range<usize>) -> Option<&'t DeTable<'a>> {
    table.iter().find_map(|(_, value)| find_in_value(value, span))
}

fn find_in_value<'t, 'a>(value: &'t Spanned<DeValue<'a>>, span: &Range<usize>) -> Option<&'t DeTable<'a>> {
    match value.get_ref() {
        DeValue::Table(table) if value.span() == *span => Some(table),
        DeValue::Table(table) => find(table, span),
        DeValue::Array(array) => array.iter().find_map(|item| find_in_value(item, span)),
        _ => None,
    }
}
