//! Which limits a run has that the one before it had otherwise: what was changed between them.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// Sections of a configuration that say what may not be done.
const SECTIONS: [&str; 3] = ["risk", "surveillance", "hours"];

/// A limit that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changed {
    pub limit: String,
    pub from: String,
    pub to: String,
}

/// The limits of a configuration, each by its name, as text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits(BTreeMap<String, String>);

impl Limits {
    /// Those of a configuration's text; text that is none has none.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(limits(text))
    }

    /// What is not as it was `before`.
    pub(super) fn changed_from(&self, before: &Self) -> Vec<Changed> {
        let (before, after) = (&before.0, &self.0);
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let told = |limits: &BTreeMap<String, String>, name: &String| {
            limits.get(name).cloned().unwrap_or_else(|| "not written".to_owned())
        };
        let all = names.into_iter().map(|name| Changed {
            limit: name.clone(),
            from: told(before, name),
            to: told(after, name),
        });
        all.filter(|changed| changed.from != changed.to).collect()
    }
}

fn limits(text: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let Ok(table) = text.parse::<Table>() else { return all };
    for section in SECTIONS {
        if let Some(value) = table.get(section) {
            flatten(section, value, &mut all);
        }
    }
    for strategy in table.get("strategy").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| strategy.get(key).and_then(Value::as_str);
        let (Some(label), Some(hours)) = (text("label").or(text("name")), strategy.get("hours")) else {
            continue;
        };
        flatten(&format!("strategy.{label}.hours"), hours, &mut all);
    }
    all
}

fn flatten(name: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                flatten(&format!("{name}.{key}"), value, all);
            }
        }
        value => {
            all.insert(name.to_owned(), shown(value));
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(n) => n.to_string(),
        Value::Float(n) => n.to_string(),
        Value::Boolean(is) => is.to_string(),
        Value::Datetime(at) => at.to_string(),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Table(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_added_and_taken_away_is_told_and_nothing_else() {
        let before = "[run]\nname = \"a\"\n[risk]\ncapital = \"5\"\nrestricted = [\"x\", \"y\"]\n[risk.losses]\ndaily_max = \"1\"\n\
                      [[strategy]]\nname = \"s\"\nhours = \"always\"\n";
        let after = "[run]\nname = \"b\"\n[risk]\nrestricted = [\"x\"]\nopen_orders_max = 7\n[risk.losses]\ndaily_max = \"1\"\n\
                     [[strategy]]\nname = \"s\"\nhours = \"fx\"\n";
        let changed = |before: &str, after: &str| Limits::of(after).changed_from(&Limits::of(before));
        let told: Vec<String> = changed(before, after)
            .into_iter()
            .map(|c| format!("{} {} -> {}", c.limit, c.from, c.to))
            .collect();
        assert_eq!(
            told,
            [
                "risk.capital 5 -> not written",
                "risk.open_orders_max not written -> 7",
                "risk.restricted x, y -> x",
                "strategy.s.hours always -> fx",
            ]
        );
        assert_eq!(changed(before, before), []);
        assert_eq!(changed("no = toml = at all", ""), []);
    }
}
