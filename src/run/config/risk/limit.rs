//! One limit as it was written, and the refusal of one that another keeps from ever being met.

use crate::domain::decimal::Scaled;
use crate::run::config::check::Checks;
use crate::run::config::raw::Given;
use crate::run::config::sections::{QUOTE, QUOTE_DECIMALS, QUOTE_MAX};
use std::ops::{Range, RangeInclusive};

/// How a limit is turned off.
const NONE: &str = "none";
/// Said behind what a limit must be.
const OR_NONE: &str = ", or \"none\"";

/// A limit, and where it comes from.
#[derive(Clone)]
pub(super) struct Limit {
    /// Its value; `i64::MAX` is none.
    pub value: i64,
    name: String,
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// It was written, here and so.
    Written { at: Range<usize>, text: String },
    /// It was not written, and has this default.
    Default { text: String },
    /// It was written as "none".
    Off,
    /// Nobody gave it a value: it is missing, or refused.
    Nobody,
}

/// Reads limits, and keeps those that are missing.
pub(super) struct Reader<'c, 'd> {
    pub checks: &'c mut Checks<'d>,
    /// Whether a limit that is not written has its default.
    pub defaults: bool,
    pub missing: Vec<String>,
}

impl Limit {
    /// No limit, of something that has none.
    pub fn none() -> Self {
        Self { value: i64::MAX, name: String::new(), source: Source::Nobody }
    }

    /// As a count, the largest of which is no limit.
    pub fn number(&self) -> u32 {
        u32::try_from(self.value).unwrap_or(u32::MAX)
    }

    /// Where it was written with a value of its own.
    pub fn written(&self) -> Option<&Range<usize>> {
        match &self.source {
            Source::Written { at, .. } => Some(at),
            Source::Default { .. } | Source::Off | Source::Nobody => None,
        }
    }

    /// This one where it was written, as "none" too; otherwise that of the level.
    pub fn or(&self, level: &Self) -> Self {
        let is_written = matches!(self.source, Source::Written { .. } | Source::Off);
        if is_written { self.clone() } else { level.clone() }
    }

    /// One that was written as "none".
    fn off(name: &str) -> Self {
        Self { value: i64::MAX, name: name.to_owned(), source: Source::Off }
    }
}

impl Reader<'_, '_> {
    /// An amount of the quote asset; the default is in whole ones.
    pub fn amount(&mut self, given: &Given<String>, name: &str, default: i64) -> Limit {
        self.amount_if(given, name, Some(default))
    }

    pub fn amount_if(&mut self, given: &Given<String>, name: &str, default: Option<i64>) -> Limit {
        self.decimal(given, name, QUOTE_DECIMALS, 1..=QUOTE_MAX, default.map(|whole| whole * QUOTE))
    }

    pub fn decimal(
        &mut self,
        given: &Given<String>,
        name: &str,
        decimals: u8,
        range: RangeInclusive<i64>,
        default: Option<i64>,
    ) -> Limit {
        let Some(given) = given else {
            let shown = |value: i64| format!("\"{:#}\"", Scaled { value: value.into(), decimals });
            return self.unwritten(name, default, shown);
        };
        if given.get_ref() == NONE {
            return Limit::off(name);
        }
        let value = self.checks.decimal(given, decimals, range);
        self.given(name, value, given.span(), format!("{:?}", given.get_ref()))
    }

    /// A number that can be turned off.
    pub fn count(
        &mut self,
        given: &Given<toml::Value>,
        name: &str,
        range: RangeInclusive<u32>,
        default: Option<u32>,
    ) -> Limit {
        let Some(given) = given else {
            return self.unwritten(name, default.map(i64::from), |value| value.to_string());
        };
        if given.get_ref().as_str() == Some(NONE) {
            return Limit::off(name);
        }
        let number = given.get_ref().as_integer().and_then(|n| u32::try_from(n).ok());
        let number = number.filter(|n| range.contains(n));
        if number.is_none() {
            let expected = format!("must be an integer from {} to {}", range.start(), range.end());
            self.checks.refuse(&given.span(), expected);
        }
        self.given(name, number.map(i64::from), given.span(), number.unwrap_or(0).to_string())
    }

    /// What was written; a value that did not fit is refused already.
    fn given(&mut self, name: &str, value: Option<i64>, at: Range<usize>, text: String) -> Limit {
        let name = name.to_owned();
        match value {
            Some(value) => Limit { value, name, source: Source::Written { at, text } },
            None => {
                // The last refusal is of this limit.
                if let Some(problem) = self.checks.problems.last_mut() {
                    problem.expected.push_str(OR_NONE);
                }
                Limit { name, ..Limit::none() }
            }
        }
    }

    fn unwritten(&mut self, name: &str, default: Option<i64>, shown: impl Fn(i64) -> String) -> Limit {
        let source = match default {
            Some(value) if self.defaults => Source::Default { text: shown(value) },
            _ => Source::Nobody,
        };
        if !self.defaults {
            self.missing.push(name.to_owned());
        }
        Limit { value: default.unwrap_or(i64::MAX), name: name.to_owned(), source }
    }

    /// Refuses a limit that was written if one of `wider` keeps it from ever being met: it is above it, so many times.
    /// The first of them is told. What is "none" or missing keeps nothing from being met, and what has its default
    /// alone contradicts nobody.
    pub fn within<'l>(&mut self, inner: &Limit, wider: impl IntoIterator<Item = (i64, &'l Limit)>) {
        let Some(at) = inner.written() else { return };
        for (times, outer) in wider {
            let (text, is, raise) = match &outer.source {
                Source::Written { text, .. } => (text, "", "raise"),
                Source::Default { text } => (text, ", its default", "write"),
                Source::Off | Source::Nobody => continue,
            };
            if inner.value > outer.value.saturating_mul(times) {
                let (twice, name) = (if times == 2 { "twice " } else { "" }, &outer.name);
                let why = format!(
                    "must not be above {twice}{name} = {text}{is}, which would always be met first: lower this one, or \
                     {raise} {name}"
                );
                self.checks.refuse(at, why);
                return;
            }
        }
    }
}
