//! `algo-trader risk`: what a run holds, what it could lose, and how near it is to its limits.

use super::Outcome;
use crate::run::risk_report::{RiskReport, risk_report};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Value at risk and expected shortfall are over one bar of the run.

Examples:
  algo-trader risk --journal run.journal
  algo-trader risk --journal run.journal --json     # of a run that still goes on, too")]
pub struct Args {
    /// The run's journal
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Outcome {
    let reports = match risk_report(&args.journal) {
        Ok(reports) => reports,
        Err(error) => {
            eprintln!("{error}");
            return Outcome::Failed;
        }
    };
    if args.json {
        println!("{:#}", json!(reports));
        return Outcome::Done;
    }
    if reports.is_empty() {
        println!("nothing was traded");
    }
    reports.iter().for_each(print);
    Outcome::Done
}

fn print(report: &RiskReport) {
    let m = &report.metrics;
    println!("{}, {}", report.quote, report.time);
    let leverage = m.leverage.map_or_else(|| "-".to_owned(), |leverage| format!("{leverage:.2}"));
    println!(
        "  equity {:.2}, day {:+.2}, drawdown {:.2} ({:.2} %)",
        report.equity, m.day_profit, m.drawdown, m.drawdown_percent
    );
    println!("  gross {:.2}, net {:+.2}, leverage {leverage}", m.gross, m.net);
    println!("  largest part {:.0} %, concentration {:.2}", 100.0 * m.largest_part, m.herfindahl);
    for losses in &m.losses {
        let (history, normal) = (losses.historical, losses.parametric);
        println!(
            "  {:.0} %: at risk {:.2} (normal {:.2}), shortfall {:.2} (normal {:.2})",
            losses.confidence,
            history.value_at_risk,
            normal.value_at_risk,
            history.expected_shortfall,
            normal.expected_shortfall
        );
    }
    println!("  volatility {:.2} a bar, over {} bars", m.volatility, report.periods);
    let per_fill = m.rates.orders_per_fill.map_or_else(|| "-".to_owned(), |n| format!("{n:.1}"));
    println!("  {} orders in the last minute, {per_fill} for each fill", m.rates.orders_per_min);
    for limit in &m.limits {
        println!(
            "  {:>6.1} % left of {}: {:.2} of {:.2}",
            limit.left_percent, limit.name, limit.used, limit.limit
        );
    }
    for holding in report.holdings.iter().filter(|holding| holding.exposure != 0.0) {
        println!("  {:<24} {:+.2}", holding.name, holding.exposure);
    }
}
