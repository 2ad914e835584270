//! From raw values to checked ones: one small method for each kind of value.
//!
//! Invariant: a refused value is reported and its default goes on in its place, so that one pass finds everything.

use super::document::Document;
use super::raw::Given;
use crate::domain::decimal::{self, DecimalError, Scaled};
use crate::domain::params::{ConfigProblem, nearest};
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;

/// The checks of one document and what they found.
pub(super) struct Checks<'a> {
    /// Whose values are checked.
    pub document: &'a Document<'a>,
    /// What is wrong so far.
    pub problems: Vec<ConfigProblem>,
}

impl Checks<'_> {
    /// Reports the value at `span`.
    pub fn refuse(&mut self, span: &Range<usize>, expected: impl Into<String>) {
        let problem = self.document.problem(span, expected);
        self.problems.push(problem);
    }

    /// Reports the value at `span` without showing it: it holds what nobody should see.
    pub fn refuse_unseen(&mut self, span: &Range<usize>, expected: impl Into<String>) {
        let mut problem = self.document.problem(span, expected);
        problem.found = None;
        self.problems.push(problem);
    }

    /// The value, or a report that the table at `parent` lacks it; a value that did not fit is reported already.
    pub fn require<'g, T>(
        &mut self,
        given: &'g Given<T>,
        parent: &Range<usize>,
        name: &str,
        what: &str,
    ) -> Option<&'g Spanned<T>> {
        if given.is_none() && !self.document.gives(parent, name) {
            let problem = self.document.missing(parent, name, what);
            self.problems.push(problem);
        }
        given.as_ref()
    }

    /// An integer within `range`, if one is given and good.
    pub fn integer_if<T>(&mut self, given: &Given<i64>, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let given = given.as_ref()?;
        let value = T::try_from(*given.get_ref()).ok().filter(|value| range.contains(value));
        if value.is_none() {
            self.refuse(
                &given.span(),
                format!("must be an integer from {} to {}", range.start(), range.end()),
            );
        }
        value
    }

    /// An integer within `range`, or `default` where none is given.
    pub fn integer<T>(&mut self, given: &Given<i64>, range: RangeInclusive<T>, default: T) -> T
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        self.integer_if(given, range).unwrap_or(default)
    }

    /// A power of two within `range`, whose bounds are powers of two.
    pub fn power_of_two(
        &mut self,
        given: &Given<i64>,
        range: RangeInclusive<usize>,
        default: usize,
    ) -> usize {
        let Some(given) = given else { return default };
        let value = usize::try_from(*given.get_ref()).unwrap_or(0);
        if value.is_power_of_two() && range.contains(&value) {
            return value;
        }
        let wanted = value.clamp(*range.start(), *range.end());
        let above = wanted.next_power_of_two();
        let near = if above - wanted > wanted - above / 2 { above / 2 } else { above };
        let (min, max) = (range.start(), range.end());
        self.refuse(&given.span(), format!("must be a power of two from {min} to {max} (try {near})"));
        default
    }

    /// One of the named `choices`.
    pub fn choice<T: Copy>(&mut self, given: &Given<String>, choices: &[(&str, T)], default: T) -> T {
        given.as_ref().and_then(|given| self.choose(given, choices)).unwrap_or(default)
    }

    /// One of the named `choices`, which must be.
    pub fn choose<T: Copy>(&mut self, given: &Spanned<String>, choices: &[(&str, T)]) -> Option<T> {
        let found = choices.iter().find(|(name, _)| name == given.get_ref()).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let hint = nearest(given.get_ref(), &names).map(|name| format!("; did you mean \"{name}\"?"));
            let expected = format!("must be one of {}{}", names.join(", "), hint.unwrap_or_default());
            self.refuse(&given.span(), expected);
        }
        found
    }

    /// A decimal number within `range`, all in units of 10^-`decimals`.
    pub fn decimal(
        &mut self,
        given: &Spanned<String>,
        decimals: u8,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let shown = |value: i64| Scaled { value: value.into(), decimals };
        let expected = match decimal::parse(given.get_ref().as_bytes(), decimals) {
            Ok(value) if range.contains(&value) => return Some(value),
            Err(DecimalError::TooPrecise) => format!("must have at most {decimals} decimals"),
            _ => format!(
                "must be a decimal number from {:#} to {:#}",
                shown(*range.start()),
                shown(*range.end())
            ),
        };
        self.refuse(&given.span(), expected);
        None
    }

    /// The name of an environment variable that holds `what`. Who writes that itself there is not shown it again.
    pub fn variable(&mut self, given: &Spanned<String>, what: &str) -> Option<String> {
        let name = given.get_ref();
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = name.starts_with(|c: char| !c.is_ascii_digit());
        if begins && name.len() <= 100 && name.chars().all(good) {
            return Some(name.clone());
        }
        let expected = format!(
            "must be the name of an environment variable, 1 to 100 letters, digits or _; {what} itself has no place here, \
             since this text is kept in journals"
        );
        self.refuse_unseen(&given.span(), expected);
        None
    }

    /// Text of 1 to `max` characters, each a letter, digit or one of `also`: names that end up in files and reports.
    pub fn name(&mut self, given: &Spanned<String>, max: usize, also: &str) -> Option<String> {
        let text = given.get_ref();
        let good = |c: char| c.is_ascii_alphanumeric() || also.contains(c);
        if !text.is_empty() && text.len() <= max && text.chars().all(good) {
            return Some(text.clone());
        }
        let also = also.chars().map(String::from).collect::<Vec<_>>().join(" ");
        self.refuse(&given.span(), format!("must be 1 to {max} letters, digits or {also}"));
        None
    }
}
