//! Statistics of a backtest: lines for the terminal, and the report that was asked for.

use crate::report::backtest::{BacktestReport, write};
use crate::statistics::Statistics;
use std::fmt::Write as _;
use std::path::Path;

/// The figures that people ask for first.
pub fn text(s: &Statistics) -> String {
    let percent =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{:.2} %", v * 100.0));
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
    let fall = s.max_drawdown;
    let recovered = match fall.map(|fall| fall.recovered) {
        Some(Some(at)) => format!(", back at {at}"),
        Some(None) => ", not recovered".to_owned(),
        None => String::new(),
    };
    let lines = [
        ("CAGR, volatility", format!("{}, {}", percent(s.cagr), percent(s.volatility))),
        ("Sharpe, Sortino", format!("{}, {}", number(s.sharpe), number(s.sortino))),
        ("Calmar", number(s.calmar)),
        ("largest drawdown", format!("{}{recovered}", percent(fall.map(|fall| fall.depth)))),
        ("win rate, payoff", format!("{}, {}", percent(s.trades.win_rate), number(s.trades.payoff))),
        ("profit factor, SQN", format!("{}, {}", number(s.trades.profit_factor), number(s.trades.sqn))),
        ("in the market", percent(s.time_in_market)),
        ("returns", format!("{} of {:.0} a year", s.returns, s.periods.per_year)),
    ];
    lines.iter().fold(String::new(), |mut out, (name, value)| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<22} {value}");
        out
    })
}

/// Writes the report, and says where; false if it could not be.
pub fn written(report: &BacktestReport<'_>, dir: &Path) -> bool {
    match write(report, dir) {
        Ok(written) => {
            eprintln!("backtest report: {}", written.html.display());
            true
        }
        Err(error) => {
            eprintln!("{error}");
            false
        }
    }
}
