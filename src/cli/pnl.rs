//! `algo-trader pnl`: what a run earned, by strategy, instrument and day.

use super::Outcome;
use crate::domain::pnl::Method;
use crate::run::pnl::{PnlReport, pnl_report};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(
    after_help = "Days are those of [risk.losses] day_starts and zone. Both methods come to the same in all, and differ \
in when it was realised. What is held is valued at the newest quote's middle, else the book's, else at the last trade; \
where none came, what it is worth is not known: -, or null in JSON.

Examples:
  algo-trader pnl --journal run.journal
  algo-trader pnl --journal run.journal --method fifo --json     # of a run that still goes on, too"
)]
pub struct Args {
    /// The run's journal
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    /// What a closing is set against, instead of [accounting] method
    #[arg(long, value_parser = method)]
    method: Option<Method>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn method(text: &str) -> Result<Method, String> {
    let known = Method::LABELS.iter().find(|(label, _)| *label == text);
    known.map(|(_, method)| *method).ok_or_else(|| "must be average or fifo".to_owned())
}

pub fn run(args: &Args) -> Outcome {
    let report = match pnl_report(&args.journal, args.method) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return Outcome::Failed;
        }
    };
    if args.json {
        println!("{:#}", json!(report));
    } else {
        print(&report);
        if !report.ended && report.damaged.is_none() {
            eprintln!("{}", not_ended(&args.journal));
        }
    }
    whole(report.damaged.as_deref())
}

/// How a command ends that told what a journal has, by whether it could be read to where it ends.
pub fn whole(damaged: Option<&str>) -> Outcome {
    let Some(damaged) = damaged else { return Outcome::Done };
    eprintln!("{damaged}: what comes after is not in this");
    Outcome::Failed
}

/// What is told where a journal does not have the end of its run.
pub fn not_ended(journal: &Path) -> String {
    format!(
        "{}: the run goes on, or its journal was cut here: what comes after is not in this",
        journal.display()
    )
}

/// An amount, or that it is not known.
fn known(amount: &Option<String>) -> &str {
    amount.as_deref().unwrap_or("-")
}

fn print(report: &PnlReport) {
    println!("{}, by the method {}", report.time, report.method);
    if report.lines.is_empty() {
        println!("nothing was traded");
    }
    for line in &report.lines {
        println!("{} in {}: {} {}", line.strategy, line.instrument, known(&line.net), line.quote);
        println!(
            "  realised {}, unrealised {} ({} at {}), fees {}, {} fills",
            line.realised,
            known(&line.unrealised),
            line.qty,
            known(&line.mark),
            line.fees,
            line.fills
        );
        for (asset, fees) in line.fees_by_asset.iter().filter(|(asset, _)| **asset != line.quote) {
            println!("  of the fees {fees} {asset} were taken in {asset}");
        }
        for (asset, fees) in &line.unpriced {
            println!("  not in these sums: {fees} {asset} of fees, which no price was known of");
        }
        for day in &line.days {
            println!("  {}: {} ({} before fees), {} fills", day.day, day.net, day.realised, day.fills);
        }
    }
    for (title, sums) in
        [("by strategy", &report.strategies), ("by day, realised", &report.days), ("in all", &report.whole)]
    {
        for sum in sums {
            println!("{title}: {} {} {}", sum.of, known(&sum.net), sum.quote);
        }
    }
}
