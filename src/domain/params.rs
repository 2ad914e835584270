//! Parameters of strategies: what a strategy takes, what a configuration gives, and the checked result.
//!
//! Owns: the specification of a parameter, its check, and the form every refusal of a configuration has. Knows no
//! file format. Invariant: [`Params`] holds exactly the specified parameters, each of its kind and within its range.

use super::decimal::{self, DecimalError};
use std::fmt;
use thiserror::Error;

/// Decimals at which bounds of decimal parameters are compared; no venue prints more.
pub const PARAM_DECIMALS: u8 = 8;

/// One reason why a configuration is refused, with the place to mend.
///
/// Shown as `file:line:column: key = found: expected`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigProblem {
    /// The file, as it was named to us.
    pub file: String,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: u32,
    /// Column in characters, from 1; 0 where the whole file is meant.
    pub column: u32,
    /// The key with its tables, such as `pipeline.ring_slots`; empty where no key is to blame.
    pub key: String,
    /// What stands there, as written, where it helps.
    pub found: Option<String>,
    /// What was expected, and what to do.
    pub expected: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
            if let Some(found) = &self.found {
                write!(f, " = {found}")?;
            }
        }
        write!(f, ": {}", self.expected)
    }
}

/// A value as the configuration gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamValue {
    /// A whole number.
    Integer(i64),
    /// A number with a point; never money.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Text; decimal numbers too, so that they stay exact.
    Text(String),
}

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamValue::Integer(value) => write!(f, "{value}"),
            ParamValue::Float(value) => write!(f, "{value:?}"),
            ParamValue::Bool(value) => write!(f, "{value}"),
            ParamValue::Text(value) => write!(f, "{value:?}"),
        }
    }
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamKind {
    /// A whole number, bounds inclusive.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// Where not given.
        default: i64,
    },
    /// An exact decimal number, written in quotes with at most [`PARAM_DECIMALS`] decimals; bounds inclusive.
    Decimal {
        /// Smallest.
        min: &'static str,
        /// Largest.
        max: &'static str,
        /// Where not given.
        default: &'static str,
    },
    /// A finite number, bounds inclusive; for indicators and thresholds, never money.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
        /// Where not given.
        default: f64,
    },
    /// Text.
    Text {
        /// What it may be; empty: anything.
        choices: &'static [&'static str],
        /// Where not given.
        default: &'static str,
    },
    /// Yes or no.
    Bool {
        /// Where not given.
        default: bool,
    },
}

impl ParamKind {
    /// The value where none is given.
    #[must_use]
    pub fn default_value(&self) -> ParamValue {
        match *self {
            ParamKind::Integer { default, .. } => ParamValue::Integer(default),
            ParamKind::Float { default, .. } => ParamValue::Float(default),
            ParamKind::Bool { default } => ParamValue::Bool(default),
            ParamKind::Decimal { default, .. } | ParamKind::Text { default, .. } => {
                ParamValue::Text(default.to_owned())
            }
        }
    }

    /// What is expected, for help and refusals: `must be an integer from 1 to 500`.
    #[must_use]
    pub fn expected(&self) -> String {
        match *self {
            ParamKind::Integer { min, max, .. } => format!("must be an integer from {min} to {max}"),
            ParamKind::Decimal { min, max, .. } => format!(
                "must be a decimal number in quotes from \"{min}\" to \"{max}\" with at most {PARAM_DECIMALS} decimals"
            ),
            ParamKind::Float { min, max, .. } => format!("must be a number from {min:?} to {max:?}"),
            ParamKind::Text { choices: [], .. } => "must be text in quotes".to_owned(),
            ParamKind::Text { choices, .. } => format!("must be one of {}", choices.join(", ")),
            ParamKind::Bool { .. } => "must be true or false".to_owned(),
        }
    }

    /// The value if it is of this kind and within its bounds; a whole number serves as a [`ParamKind::Float`].
    fn accept(&self, value: &ParamValue) -> Option<ParamValue> {
        let good = match (self, value) {
            (ParamKind::Integer { min, max, .. }, ParamValue::Integer(value)) => (min..=max).contains(&value),
            (ParamKind::Float { min, max, .. }, ParamValue::Float(value)) => (min..=max).contains(&value),
            (ParamKind::Float { .. }, ParamValue::Integer(value)) => {
                return self.accept(&ParamValue::Float(*value as f64));
            }
            (ParamKind::Decimal { min, max, .. }, ParamValue::Text(text)) => {
                let [min, value, max] =
                    [min, text.as_str(), max].map(|t| decimal::parse(t.as_bytes(), PARAM_DECIMALS));
                matches!((min, value, max), (Ok(min), Ok(value), Ok(max)) if (min..=max).contains(&value))
            }
            (ParamKind::Text { choices, .. }, ParamValue::Text(text)) => {
                choices.is_empty() || choices.contains(&text.as_str())
            }
            (ParamKind::Bool { .. }, ParamValue::Bool(_)) => true,
            _ => false,
        };
        good.then(|| value.clone())
    }
}

/// One parameter a strategy takes; a strategy has a static table of them, which help and checks are made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParamSpec {
    /// The key under `[strategy.params]`.
    pub name: &'static str,
    /// One line for help.
    pub doc: &'static str,
    /// What it may be.
    pub kind: ParamKind,
}

impl ParamSpec {
    /// Whether the default is itself within the bounds; for the test of a strategy's table.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.kind.accept(&self.kind.default_value()).is_some()
    }
}

/// One parameter as given, with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamEntry {
    /// The key.
    pub name: String,
    /// The value.
    pub value: ParamValue,
    /// Line, from 1; 0 where it came from no file.
    pub line: u32,
    /// Column, from 1; 0 where it came from no file.
    pub column: u32,
}

/// The parameters a configuration gives one strategy, not yet checked against what the strategy takes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamTable {
    /// In the order of the file.
    pub entries: Vec<ParamEntry>,
}

impl ParamTable {
    /// Checks every entry against `specs` and fills in defaults; `file` names the source in problems.
    ///
    /// # Errors
    /// Every unknown, mistyped or out-of-range entry at once.
    pub fn check(&self, specs: &'static [ParamSpec], file: &str) -> Result<Params, Vec<ConfigProblem>> {
        let mut params = Params { file: file.to_owned(), values: Vec::with_capacity(specs.len()) };
        for spec in specs {
            let (name, value) = (spec.name.to_owned(), spec.kind.default_value());
            params.values.push(ParamEntry { name, value, line: 0, column: 0 });
        }
        let mut problems = Vec::new();
        for entry in &self.entries {
            match specs.iter().position(|spec| spec.name == entry.name) {
                None => problems.push(unknown(entry, specs, file)),
                Some(at) => match specs[at].kind.accept(&entry.value) {
                    Some(value) => params.values[at] = ParamEntry { value, ..entry.clone() },
                    None => problems.push(problem(entry, file, specs[at].kind.expected())),
                },
            }
        }
        if problems.is_empty() { Ok(params) } else { Err(problems) }
    }
}

fn problem(entry: &ParamEntry, file: &str, expected: String) -> ConfigProblem {
    ConfigProblem {
        file: file.to_owned(),
        line: entry.line,
        column: entry.column,
        key: format!("strategy.params.{}", entry.name.escape_debug()),
        found: Some(entry.value.to_string()),
        expected,
    }
}

fn unknown(entry: &ParamEntry, specs: &[ParamSpec], file: &str) -> ConfigProblem {
    let known: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    ConfigProblem {
        found: None,
        ..problem(entry, file, not_known("a parameter of this strategy", &entry.name, &known))
    }
}

/// The checked parameters of one strategy.
///
/// Asking for a name or kind that the strategy's own table does not have is a mistake in the program: it stops a
/// debug build and reads as zero, nothing or no in a release build.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params {
    file: String,
    values: Vec<ParamEntry>,
}

impl Params {
    /// All of them, those with their defaults too.
    #[must_use]
    pub fn entries(&self) -> &[ParamEntry] {
        &self.values
    }

    /// Whether a parameter was written, and so has not its default.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|entry| entry.line > 0)
    }

    /// Gives a decimal parameter that was not written another value than its default, as text.
    pub(crate) fn assume(&mut self, name: &str, value: String) {
        let unwritten = |entry: &&mut ParamEntry| entry.name == name && entry.line == 0;
        if let Some(entry) = self.values.iter_mut().find(unwritten) {
            entry.value = ParamValue::Text(value);
        }
    }

    fn entry(&self, name: &str) -> Option<&ParamEntry> {
        let entry = self.values.iter().find(|entry| entry.name == name);
        debug_assert!(entry.is_some(), "parameter {name:?} is not in the strategy's table");
        entry
    }

    /// An integer parameter.
    #[must_use]
    pub fn integer(&self, name: &str) -> i64 {
        match self.entry(name).map(|entry| &entry.value) {
            Some(ParamValue::Integer(value)) => *value,
            other => wrong_kind(name, other, 0),
        }
    }

    /// A decimal parameter in units of 10^-`decimals`, exactly.
    ///
    /// # Errors
    /// A problem with its place, when the value has more decimals than that or does not fit 64 bits: the bounds are
    /// the strategy's, the precision the instrument's.
    pub fn decimal(&self, name: &str, decimals: u8) -> Result<i64, ConfigProblem> {
        match self.entry(name) {
            Some(entry @ ParamEntry { value: ParamValue::Text(text), .. }) => {
                decimal::parse(text.as_bytes(), decimals).map_err(|error| {
                    let expected = match error {
                        DecimalError::TooPrecise => {
                            format!("must have at most {decimals} decimals, the precision of the instrument")
                        }
                        _ => format!("must be a decimal number that fits 64 bits with {decimals} decimals"),
                    };
                    problem(entry, &self.file, expected)
                })
            }
            other => Ok(wrong_kind(name, other.map(|entry| &entry.value), 0)),
        }
    }

    /// A float parameter; finite.
    #[must_use]
    pub fn float(&self, name: &str) -> f64 {
        match self.entry(name).map(|entry| &entry.value) {
            Some(ParamValue::Float(value)) => *value,
            other => wrong_kind(name, other, 0.0),
        }
    }

    /// A text parameter.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        match self.entry(name).map(|entry| &entry.value) {
            Some(ParamValue::Text(value)) => value,
            other => wrong_kind(name, other, ""),
        }
    }

    /// A yes-or-no parameter.
    #[must_use]
    pub fn bool(&self, name: &str) -> bool {
        match self.entry(name).map(|entry| &entry.value) {
            Some(ParamValue::Bool(value)) => *value,
            other => wrong_kind(name, other, false),
        }
    }

    /// A refusal of parameter `name`, for what a table cannot say, such as `fast` having to be less than `slow`.
    #[must_use]
    pub fn problem(&self, name: &str, expected: impl Into<String>) -> ConfigProblem {
        let nowhere = ParamEntry { name: name.into(), value: ParamValue::Bool(false), line: 0, column: 0 };
        match self.entry(name) {
            Some(entry) => problem(entry, &self.file, expected.into()),
            None => ConfigProblem { found: None, ..problem(&nowhere, &self.file, expected.into()) },
        }
    }
}

fn wrong_kind<T>(name: &str, found: Option<&ParamValue>, instead: T) -> T {
    debug_assert!(
        found.is_none(),
        "parameter {name:?} is of another kind in the strategy's table: {found:?}"
    );
    instead
}

/// The one of `known` that `name` was likely meant to be: at most 1 to 3 letters away, more for longer names.
#[must_use]
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let limit = match name.len() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let by_distance = known.iter().map(|&word| (distance(&name, word), word));
    by_distance
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `is not {what}`, with the likely meaning or else all that is known.
#[must_use]
pub fn not_known(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(meant) => format!("is not {what}; did you mean {meant}?"),
        None if known.is_empty() => format!("is not {what}; there is none"),
        None => format!("is not {what}; known: {}", known.join(", ")),
    }
}

/// Letters to insert, delete, replace or swap with their neighbour to get from `a` to `b` (optimal string alignment).
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before = vec![0; a.len() + 1];
    let mut above: Vec<usize> = (0..=a.len()).collect();
    for i in 1..=b.len() {
        let mut row = vec![i; a.len() + 1];
        for j in 1..=a.len() {
            let replace = above[j - 1] + usize::from(a[j - 1] != b[i - 1]);
            row[j] = replace.min(row[j - 1] + 1).min(above[j] + 1);
            if i > 1 && j > 1 && a[j - 1] == b[i - 2] && a[j - 2] == b[i - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[a.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[ParamSpec] = &[
        ParamSpec { name: "fast", doc: "", kind: ParamKind::Integer { min: 1, max: 500, default: 5 } },
        ParamSpec {
            name: "qty",
            doc: "",
            kind: ParamKind::Decimal { min: "0.00001", max: "10", default: "0.010" },
        },
        ParamSpec {
            name: "oversold",
            doc: "",
            kind: ParamKind::Float { min: 0.0, max: 50.0, default: 30.0 },
        },
        ParamSpec {
            name: "side",
            doc: "",
            kind: ParamKind::Text { choices: &["both", "long"], default: "both" },
        },
        ParamSpec { name: "flat", doc: "", kind: ParamKind::Bool { default: true } },
    ];

    fn table(entries: &[(&str, ParamValue)]) -> ParamTable {
        let entry = |(at, (name, value)): (usize, &(&str, ParamValue))| ParamEntry {
            name: (*name).to_owned(),
            value: value.clone(),
            line: at as u32 + 1,
            column: 3,
        };
        ParamTable { entries: entries.iter().enumerate().map(entry).collect() }
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        assert!(SPECS.iter().all(ParamSpec::is_sound));
        let params = ParamTable::default().check(SPECS, "x.toml").expect("defaults are good");
        assert_eq!((params.integer("fast"), params.float("oversold")), (5, 30.0));
        assert_eq!(
            (params.decimal("qty", 3), params.text("side"), params.bool("flat")),
            (Ok(10), "both", true)
        );
    }

    #[test]
    fn what_is_given_is_kept_exactly() {
        let given = table(&[
            ("qty", ParamValue::Text("1.25".into())),
            ("oversold", ParamValue::Integer(20)),
            ("flat", ParamValue::Bool(false)),
        ]);
        let params = given.check(SPECS, "x.toml").expect("good values");
        assert_eq!((params.decimal("qty", 5), params.float("oversold")), (Ok(125_000), 20.0));
        assert!(!params.bool("flat"));
        let problem = params.decimal("qty", 1).expect_err("a second decimal is not dropped");
        assert_eq!(
            problem.to_string(),
            "x.toml:1:3: strategy.params.qty = \"1.25\": must have at most 1 decimals, the precision of the instrument"
        );
        assert_eq!(
            params.problem("fast", "must be less than slow").to_string(),
            "x.toml: strategy.params.fast = 5: must be less than slow"
        );
    }

    #[test]
    fn every_bad_value_is_refused_at_once_with_its_place() {
        let given = table(&[
            ("fast", ParamValue::Integer(0)),
            ("qty", ParamValue::Float(0.01)),
            ("oversold", ParamValue::Float(f64::NAN)),
            ("side", ParamValue::Text("short".into())),
            ("flat", ParamValue::Integer(1)),
            ("fsat", ParamValue::Integer(1)),
            ("colour", ParamValue::Integer(1)),
        ]);
        let problems = given.check(SPECS, "x.toml").expect_err("nothing of it is good");
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "x.toml:1:3: strategy.params.fast = 0: must be an integer from 1 to 500",
                "x.toml:2:3: strategy.params.qty = 0.01: must be a decimal number in quotes from \"0.00001\" to \"10\" with at most 8 decimals",
                "x.toml:3:3: strategy.params.oversold = NaN: must be a number from 0.0 to 50.0",
                "x.toml:4:3: strategy.params.side = \"short\": must be one of both, long",
                "x.toml:5:3: strategy.params.flat = 1: must be true or false",
                "x.toml:6:3: strategy.params.fsat: is not a parameter of this strategy; did you mean fast?",
                "x.toml:7:3: strategy.params.colour: is not a parameter of this strategy; known: fast, qty, oversold, side, flat",
            ]
        );
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["ma-cross", "rsi-reversion", "imbalance-maker"];
        assert_eq!(nearest("MA-cros", &known), Some("ma-cross"));
        assert_eq!(nearest("rsi_reversoin", &known), Some("rsi-reversion"));
        assert_eq!(nearest("momentum", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
