//! `algo-trader risk`: what a run holds, what it could lose, and how near it is to its limits.

use super::Outcome;
use super::table::{folded, number, table, width, words};
use crate::risk::metrics::Distance;
use crate::run::risk_report::{CORRELATED_MAX, RiskReport, risk_report};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(
    after_help = "Value at risk, expected shortfall and correlations are over one bar of the run; correlations are told of 24 \
instruments at most, those that are held first. A bar in which a market that something is held in was silent does not count: \
silence is no calm. Limits are of the whole run, their amounts of every quote asset alike, as risk \
counts them. A limit on one order alone, such as order_notional_max or price_collar_bps, has no distance.

Examples:
  algo-trader risk --journal run.journal
  algo-trader risk --journal run.journal --json     # of a run that still goes on, too"
)]
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
    let damaged = reports.damaged.as_deref();
    if !reports.ended && damaged.is_none() {
        eprintln!("{}", super::pnl::not_ended(&args.journal));
    }
    if args.json {
        println!("{:#}", json!(reports.quotes));
        return super::pnl::whole(damaged);
    }
    match reports.quotes.last() {
        None if damaged.is_some() => println!("nothing was traded before the damage"),
        None => println!("nothing was traded"),
        Some(last) => {
            let width = width();
            reports.quotes.iter().for_each(|report| print!("{}", shown(report, width)));
            print!("{}", limits(last, width));
        }
    }
    super::pnl::whole(damaged)
}

/// Everything of one quote asset but the limits, which are of all of them.
fn shown(report: &RiskReport, width: usize) -> String {
    let m = &report.metrics;
    let leverage = m.leverage.map_or_else(|| "-".to_owned(), |leverage| format!("{leverage:.2}"));
    let mut lines = vec![
        format!("{}, {}", report.quote, report.time),
        format!(
            "  equity {:.2}, day {:+.2}, drawdown {:.2} ({:.2} %)",
            report.equity, m.day_profit, m.drawdown, m.drawdown_percent
        ),
        format!("  gross {:.2}, net {:+.2}, leverage {leverage}", m.gross, m.net),
        format!("  largest part {:.0} %, concentration {:.2}", 100.0 * m.largest_part, m.herfindahl),
    ];
    for losses in &m.losses {
        let (history, normal) = (losses.historical, losses.parametric);
        lines.push(format!(
            "  {:.0} %: at risk {:.2} (normal {:.2}), shortfall {:.2} (normal {:.2})",
            losses.confidence,
            history.value_at_risk,
            normal.value_at_risk,
            history.expected_shortfall,
            normal.expected_shortfall
        ));
    }
    lines.push(volatility(report));
    let per_fill = m.rates.orders_per_fill.map_or_else(|| "-".to_owned(), |n| format!("{n:.1}"));
    let in_a_minute = m.rates.orders_per_min;
    lines.push(format!("  {in_a_minute} orders in the last minute, {per_fill} for each fill"));
    for holding in report.holdings.iter().filter(|holding| holding.exposure != 0.0) {
        lines.push(format!("  {:<24} {:+.2}", holding.name, holding.exposure));
    }
    let mut out = folded(&lines.join("\n"), width);
    out.push('\n');
    if report.correlated.len() > 1 {
        out += &correlations(report, width);
    }
    out
}

/// The volatility, and over which bars it and the losses are.
fn volatility(report: &RiskReport) -> String {
    let (known, all) = (report.metrics.periods_known, report.periods);
    let silent = "a market that something is held in is silent";
    match report.metrics.volatility {
        Some(volatility) if known < all => format!(
            "  volatility {volatility:.2} a bar; this and what is at risk are over {known} of the last {all} bars: {silent} in \
             the others"
        ),
        Some(volatility) => format!("  volatility {volatility:.2} a bar, over {all} bars"),
        None if all > 1 => {
            format!("  at risk and volatility: not known, for {silent} in the last {all} bars")
        }
        None => format!("  at risk and volatility: not known yet, after {all} bars"),
    }
}

/// The heads of a correlation matrix: the numbers of its rows.
const NUMBERS: [&str; CORRELATED_MAX] = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
    "20", "21", "22", "23", "24",
];

/// A row an instrument, a column for each up to itself: what is above the diagonal is below it.
fn correlations(report: &RiskReport, width: usize) -> String {
    let mut columns = vec![words("correlation", 0)];
    columns.extend(NUMBERS.iter().take(report.correlated.len()).map(|head| number(head, 5)));
    let rows = report.correlated.iter().zip(&report.correlations).enumerate().map(|(at, (name, row))| {
        let mut cells = vec![format!("{} {name}", at + 1)];
        cells.extend(row.iter().take(at + 1).map(|value| format!("{value:.2}")));
        cells
    });
    table(&columns, &rows.collect::<Vec<_>>(), width)
}

/// Limits of which something is used, the nearest first.
fn limits(report: &RiskReport, width: usize) -> String {
    let columns = [words("limit", 0), number("left %", 0), number("used", 0), number("of", 0)];
    let rows = report.metrics.limits.iter().map(|limit| {
        let Distance { name, used, limit, left_percent } = limit;
        vec![name.clone(), format!("{left_percent:.1}"), format!("{used:.2}"), format!("{limit:.2}")]
    });
    let rows: Vec<_> = rows.collect();
    let mut out = if rows.is_empty() { String::new() } else { table(&columns, &rows, width) };
    out += &folded(&format!("of {} more limits nothing is used", report.limits_unused), width);
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::metrics::{Holding, LimitUse, Metrics, Rates, Returns, Snapshot};

    fn report() -> RiskReport {
        let names = ["binance:spot:BTCUSDT", "binance:usdm:ETHUSDT", "binance:spot:SOLUSDT"];
        let holdings: Vec<Holding> =
            names.iter().map(|name| Holding { name: (*name).to_owned(), exposure: 100.0 }).collect();
        let used = |name: &str, used, limit| LimitUse { name: name.to_owned(), used, limit };
        let limits = [used("gross_notional_max", 300.0, 400.0), used("leverage_max of everything", 1.5, 1.0)];
        let metrics = Metrics::of(&Snapshot {
            holdings: &holdings,
            returns: &Returns::new(3, 4),
            equity: 1_000.0,
            equity_peak: 1_000.0,
            equity_day_start: 1_000.0,
            rates: Rates::default(),
            limits: &limits,
        });
        RiskReport {
            ended: true,
            damaged: None,
            quote: "USDT".to_owned(),
            time: "2024-08-09T00:00:00Z".to_owned(),
            periods: 0,
            holdings,
            equity: 1_000.0,
            correlated: names.map(str::to_owned).to_vec(),
            correlations: vec![vec![1.0, 0.25, -0.5], vec![0.25, 1.0, 0.0], vec![-0.5, 0.0, 1.0]],
            limits_unused: 7,
            metrics,
        }
    }

    #[test]
    fn a_matrix_and_the_limits_are_tables_where_there_is_room() {
        assert_eq!(
            correlations(&report(), usize::MAX),
            "correlation                1     2     3\n\
             1 binance:spot:BTCUSDT  1.00\n\
             2 binance:usdm:ETHUSDT  0.25  1.00\n\
             3 binance:spot:SOLUSDT -0.50  0.00  1.00\n"
        );
        assert_eq!(
            limits(&report(), usize::MAX),
            "limit                      left %   used     of\n\
             leverage_max of everything  -50.0   1.50   1.00\n\
             gross_notional_max           25.0 300.00 400.00\n\
             of 7 more limits nothing is used\n"
        );
    }

    #[test]
    fn nothing_is_wider_than_a_narrow_terminal() {
        let report = report();
        for width in [30, 40, 60, 80] {
            for text in [shown(&report, width), limits(&report, width)] {
                assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            }
        }
        let narrow = correlations(&report, 30);
        assert!(narrow.contains("3 binance:spot:SOLUSDT\n  1 -0.50, 2 0.00, 3 1.00\n"), "{narrow}");
    }
}
