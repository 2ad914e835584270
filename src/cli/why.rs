//! `algo-trader audit why`: how an order came about.

use super::Outcome;
use crate::run::why::{Compared, SizingFacts, Why, why};
use crate::strategy::StrategySpec;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader audit why 256 --journal run.journal
  algo-trader audit why 0shxu4da0000000074 --journal run.journal --json")]
pub struct Args {
    /// The order's number within its run, as the audit trail has it, or its client order id
    order: String,
    /// The run's journal
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, strategies: &'static [StrategySpec]) -> Result<Outcome, Outcome> {
    let told = why(&args.journal, &args.order, strategies).map_err(|error| {
        eprintln!("{error}");
        Outcome::Failed
    })?;
    let json = serde_json::to_value(&told).unwrap_or_default();
    if args.json {
        println!("{json:#}");
    } else {
        print(&told, &json["decision"]);
    }
    Ok(Outcome::Done)
}

fn print(told: &Why, decision: &serde_json::Value) {
    println!("order {} ({}), at event {}, {}", told.order, told.client_id, told.seq, told.time);
    if let Some(fields) = decision.as_object() {
        let shown = |value: &serde_json::Value| match value.as_str() {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        };
        let names = ["decision", "reason", "side", "qty", "type", "price", "stop_price", "tif", "instrument"];
        let known = names.iter().filter_map(|name| Some(format!("{name} {}", shown(fields.get(*name)?))));
        println!("  {}", known.collect::<Vec<_>>().join(", "));
    }
    println!("\nwhat happened, last the event that it answers");
    for event in &told.events {
        println!("  {:>10}  {}  {}", event.seq, event.time, event.text);
    }
    println!("\nwhat the strategy saw\n  {}\n  position {}", told.book, told.position);
    for indicator in &told.indicators {
        let values: Vec<_> = indicator.values.iter().map(ToString::to_string).collect();
        let values = if values.is_empty() { "still warming up".to_owned() } else { values.join(", ") };
        println!("  {} = {values}", indicator.name);
    }
    let strategy = &told.strategy;
    println!("\nwho decided\n  {} ({}): {}", strategy.label, strategy.name, strategy.doc);
    for param in &strategy.params {
        println!("  {param}");
    }
    if let Some(sizing) = &told.sizing {
        let SizingFacts { method, base, quote, equity, budget, unit, unit_is, wanted, qty } = sizing;
        println!("\nhow it was sized\n  {method}\n  equity {equity} {quote}");
        if !method.starts_with("fixed-qty") {
            println!("  {budget} {quote} over {unit} {quote} for one {base} ({unit_is})");
        }
        println!("  wanted {wanted} {base}, allowed {qty} {base}");
    }
    println!("\nwhat the rules said");
    for rule in &told.rules {
        println!("  {} {:<17} {}", if rule.passed { "passed" } else { "DENIED" }, rule.rule, rule.detail);
        let limited = rule.compared.iter().filter(|compared| !compared.told.is_unlimited());
        for Compared { reason, told } in limited.clone() {
            println!("  {:<24} {reason}: {told}", "");
        }
        if limited.count() == 0 && !rule.compared.is_empty() {
            println!("  {:<24} no limit is set", "");
        }
    }
    if told.rules.is_empty() {
        println!("  nothing yet: the order manager held it until it was triggered");
    }
    println!("\nwhat became of it");
    for event in &told.afterwards {
        println!("  {:>10}  {}  {}", event.seq, event.time, event.text);
    }
    if told.afterwards.is_empty() {
        println!("  nothing more");
    }
}
