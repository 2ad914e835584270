//! One TOML text with the places of its keys, so that every refusal can point at what is wrong.
//!
//! Owns: the way from text to a raw structure. Invariant: it goes on after a mistake and reports all of them, since
//! each mistake is one key that can be left out.

use crate::domain::params::{ConfigProblem, not_known};
use serde::de::DeserializeOwned;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Enough to mend a file by; a file with more is not a configuration.
const PROBLEMS_MAX: usize = 50;

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
    pub fn read<T: DeserializeOwned + Default>(&self, problems: &mut Vec<ConfigProblem>) -> T {
        let mut root = self.root.clone();
        for _ in 0..PROBLEMS_MAX {
            match T::deserialize(toml::Deserializer::from(root.clone())) {
                Ok(raw) => return raw,
                Err(error) => {
                    let span = error.span().unwrap_or_default();
                    problems.push(self.misfit(&span, error.message()));
                    if !leave_out(root.get_mut(), &span) {
                        break;
                    }
                }
            }
        }
        T::default()
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

    /// What serde says, in terms of the file.
    fn misfit(&self, span: &Range<usize>, message: &str) -> ConfigProblem {
        let (said, wanted) = message.rsplit_once(", expected ").unwrap_or((message, ""));
        if let Some(name) = said.strip_prefix("unknown field `").and_then(|name| name.strip_suffix('`')) {
            let known: Vec<&str> = wanted.split('`').skip(1).step_by(2).collect();
            return self.place(span.start, self.path(span), None, not_known("a known key", name, &known));
        }
        let number =
            ["invalid type: integer", "invalid type: floating"].iter().any(|kind| said.starts_with(kind));
        let wanted = match wanted {
            "a string" if number => "must be in quotes",
            "any valid TOML value" => "must fit 64 bits",
            "i64" => "must be an integer",
            "a string" => "must be text in quotes",
            "a boolean" => "must be true or false",
            "a sequence" => "must be a list",
            _ if wanted.starts_with("struct ") || wanted == "a map" => "must be a table",
            _ => return self.problem(span, message),
        };
        self.problem(span, wanted)
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

/// Removes the innermost entry whose key is at `span`, or whose value holds it; false if there is none.
fn leave_out(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    if table.iter_mut().any(|(_, value)| leave_out_of_value(value, span)) {
        return true;
    }
    let at = |key: Range<usize>, value: Range<usize>| key == *span || encloses(&value, span);
    let found = table.iter().find(|(key, value)| at(key.span(), value.span())).map(|(key, _)| key.clone());
    found.is_some_and(|key| table.remove(&key).is_some())
}

fn leave_out_of_value(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => leave_out(table, span),
        DeValue::Array(array) => array.iter_mut().any(|item| leave_out_of_value(item, span)),
        _ => false,
    }
}
