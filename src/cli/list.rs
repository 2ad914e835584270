//! `algo-trader list`: what a configuration can name, from the same tables that check it.

use super::Outcome;
use crate::market::indicator::REGISTRY;
use crate::risk::RULES;
use crate::strategy::{BUILT_IN, StrategySpec};
use clap::ValueEnum;
use std::io::Write;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algo-trader list strategies\n  algo-trader list risk-rules")]
pub struct Args {
    /// What to list
    what: What,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Strategies,
    Indicators,
    RiskRules,
}

pub fn run(args: &Args, more: &'static [StrategySpec]) -> Outcome {
    let mut text = String::new();
    match args.what {
        What::Strategies => {
            for spec in more.iter().chain(BUILT_IN) {
                text += &format!("{}\n    {}\n", spec.name, spec.doc);
                for param in spec.params {
                    text += &format!(
                        "    {:<14} {} (default {}; {})\n",
                        param.name,
                        param.doc,
                        param.kind.default_value(),
                        param.kind.expected()
                    );
                }
            }
        }
        What::Indicators => {
            for spec in REGISTRY {
                text += &format!("{}\n    {} → {}\n", spec.name, spec.doc, spec.outputs.join(", "));
                for param in spec.params {
                    text += &format!(
                        "    {:<14} {} ({} to {}, default {})\n",
                        param.name,
                        param.doc,
                        param.shown(param.min),
                        param.shown(param.max),
                        param.shown(param.default)
                    );
                }
            }
            text += "imbalance\n    (bid − ask) ÷ (bid + ask) of a book's best levels\n";
            text += "    levels         levels a side (1 to 100)\n";
        }
        What::RiskRules => {
            for rule in RULES {
                let binds = if rule.binds_reducing { "" } else { " (not for reducing orders)" };
                text += &format!("{:<12} {}{binds}\n", rule.name, rule.doc);
            }
        }
    }
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Outcome::Done,
        Err(_) => Outcome::Failed,
    }
}
