//! `algo-trader list`: what a configuration can name, from the same tables that check it.

use super::Outcome;
use crate::calendar::{BUILT_IN as BUILT_IN_HOURS, Calendar};
use crate::domain::params::ParamSpec;
use crate::market::indicator::REGISTRY;
use crate::risk::RULES;
use crate::strategy::sizing::{METHODS, SizingSpec};
use crate::strategy::{BUILT_IN, StrategySpec};
use clap::ValueEnum;
use serde::Serialize;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader list strategies
  algo-trader list risk-rules
  algo-trader list sizing
  algo-trader list hours
  algo-trader list indicators --json")]
pub struct Args {
    /// What to list
    what: What,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Strategies,
    Indicators,
    RiskRules,
    /// Ways to size orders
    Sizing,
    /// Calendars of trading hours
    Hours,
}

/// One thing that can be named.
#[derive(Serialize)]
struct Item {
    name: &'static str,
    doc: String,
    params: Vec<Param>,
}

#[derive(Serialize)]
struct Param {
    name: &'static str,
    doc: &'static str,
    /// Absent where it must be given.
    default: Option<String>,
    expected: String,
    /// How a strategy's code gives it, where not as it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_thousandths: Option<Thousandths>,
}

/// The same numbers as [`Setup::indicator`](crate::strategy::Setup::indicator) takes them.
#[derive(Serialize)]
struct Thousandths {
    default: i64,
    min: i64,
    max: i64,
}

pub fn run(args: &Args, more: &'static [StrategySpec]) -> Outcome {
    let items = match args.what {
        What::Strategies => strategies(more),
        What::Indicators => indicators(),
        What::RiskRules => risk_rules(),
        What::Sizing => sizing(),
        What::Hours => hours(),
    };
    let text = if args.json { format!("{:#}\n", serde_json::json!(items)) } else { text(&items) };
    print!("{text}");
    Outcome::Done
}

fn text(items: &[Item]) -> String {
    let mut text = String::new();
    for item in items {
        text += &format!("{}\n    {}\n", item.name, item.doc);
        for p in &item.params {
            let default = p.default.as_ref().map_or(String::new(), |d| format!("default {d}; "));
            let code = p.in_thousandths.as_ref().map_or(String::new(), |t| {
                format!("; a strategy's code gives thousandths: {}; {} to {}", t.default, t.min, t.max)
            });
            text += &format!("    {:<14} {} ({default}{}{code})\n", p.name, p.doc, p.expected);
        }
    }
    text
}

fn strategies(more: &'static [StrategySpec]) -> Vec<Item> {
    let item =
        |spec: &StrategySpec| Item { name: spec.name, doc: spec.doc.to_owned(), params: params(spec.params) };
    more.iter().chain(BUILT_IN).map(item).collect()
}

fn params(specs: &[ParamSpec]) -> Vec<Param> {
    let param = |p: &ParamSpec| Param {
        name: p.name,
        doc: p.doc,
        default: Some(p.kind.default_value().to_string()),
        expected: p.kind.expected().to_string(),
        in_thousandths: None,
    };
    specs.iter().map(param).collect()
}

fn sizing() -> Vec<Item> {
    let item =
        |spec: &SizingSpec| Item { name: spec.name, doc: spec.doc.to_owned(), params: params(spec.params) };
    METHODS.iter().map(item).collect()
}

fn hours() -> Vec<Item> {
    // What a calendar is, its file says in the comment that it begins with.
    let doc = |text: &str| {
        let lines = text.lines().map_while(|line| line.strip_prefix("# "));
        lines.collect::<Vec<_>>().join(" ")
    };
    // And up to where it is known, where that is not all the years that calendars cover.
    let known = |name| {
        let until = Calendar::built_in(name).ok().and_then(|calendar| calendar.known_until());
        until.map_or(String::new(), |day| {
            format!(" Its days are known up to {day}; after that it counts as closed.")
        })
    };
    let item = |(name, text): &(&'static str, &str)| Item {
        name,
        doc: doc(text) + &known(name),
        params: Vec::new(),
    };
    BUILT_IN_HOURS.iter().map(item).collect()
}

fn indicators() -> Vec<Item> {
    let mut items: Vec<Item> = REGISTRY
        .iter()
        .map(|spec| Item {
            name: spec.name,
            doc: format!("{} → {}", spec.doc, spec.outputs.join(", ")),
            params: spec
                .params
                .iter()
                .map(|p| Param {
                    name: p.name,
                    doc: p.doc,
                    default: Some(p.shown(p.default).to_string()),
                    expected: format!("{} to {}", p.shown(p.min), p.shown(p.max)),
                    in_thousandths: (p.scale == 1_000).then_some(Thousandths {
                        default: p.default,
                        min: p.min,
                        max: p.max,
                    }),
                })
                .collect(),
        })
        .collect();
    items.push(Item {
        name: "imbalance",
        doc: "(bid − ask) ÷ (bid + ask) of a book's best levels → ratio".to_owned(),
        params: vec![Param {
            name: "levels",
            doc: "levels a side",
            default: None,
            expected: "1 to 100".to_owned(),
            in_thousandths: None,
        }],
    });
    items
}

fn risk_rules() -> Vec<Item> {
    let item = |rule: &crate::risk::RuleSpec| Item {
        name: rule.name,
        doc: format!("{}{}", rule.doc, if rule.binds_reducing { "" } else { " (not for reducing orders)" }),
        params: Vec::new(),
    };
    RULES.iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_code_gives_in_thousandths_is_listed_so() {
        let items = indicators();
        let listed = text(&items);
        let line =
            |name: &str| listed.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or("?");
        let said = "(default 2; 0.1 to 100; a strategy's code gives thousandths: 2000; 100 to 100000)";
        assert!(line("deviations").ends_with(said) && line("ranges").ends_with(said), "{listed}");
        assert!(line("period").ends_with("to 100000)"), "{listed}");
        let json = serde_json::json!(items);
        let bands = json.as_array().and_then(|all| all.iter().find(|item| item["name"] == "bollinger"));
        let params = &bands.expect("it is listed")["params"];
        let thousandths = serde_json::json!({ "default": 2_000, "min": 100, "max": 100_000 });
        assert_eq!((&params[1]["default"], &params[1]["in_thousandths"]), (&"2".into(), &thousandths));
        assert!(params[0]["in_thousandths"].is_null());
    }
}
