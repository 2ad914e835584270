//! What a sweep looks for: one figure of a run, the larger the better.

use crate::domain::params::not_known;
use crate::statistics::Statistics;

/// One figure to rank by: a line of [`OBJECTIVES`].
#[derive(Debug, Clone, Copy)]
pub struct Objective {
    /// As written on the command line.
    pub name: &'static str,
    /// For help.
    pub doc: &'static str,
    /// The figure; none where it is not defined.
    pub of: fn(&Statistics) -> Option<f64>,
}

/// Every objective; the first is the default.
pub static OBJECTIVES: &[Objective] = &[
    Objective { name: "sharpe", doc: "Sharpe ratio, annual", of: |s| s.sharpe },
    Objective { name: "sortino", doc: "Sortino ratio, annual", of: |s| s.sortino },
    Objective { name: "calmar", doc: "annual return by the largest drawdown", of: |s| s.calmar },
    Objective {
        name: "probabilistic-sharpe",
        doc: "probability that the true Sharpe ratio is above zero",
        of: |s| s.probabilistic_sharpe,
    },
    Objective { name: "total-return", doc: "end / start - 1", of: |s| s.total_return },
    Objective { name: "cagr", doc: "compound annual growth rate", of: |s| s.cagr },
    Objective {
        name: "max-drawdown",
        doc: "the largest drawdown, the smaller the better",
        // Of a curve that never falls the largest is none.
        of: |s| s.total_return.map(|_| s.max_drawdown.map_or(0.0, |fall| fall.depth)),
    },
    Objective { name: "profit-factor", doc: "gross profit / gross loss", of: |s| s.trades.profit_factor },
    Objective { name: "expectancy", doc: "mean profit of a trade", of: |s| s.trades.expectancy },
    Objective { name: "sqn", doc: "system quality number", of: |s| s.trades.sqn },
    Objective { name: "win-rate", doc: "wins / trades", of: |s| s.trades.win_rate },
];

impl Objective {
    /// The objective of that name.
    ///
    /// # Errors
    /// What is wrong with the name, with the likely meaning or all that there are.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        let known: Vec<&str> = OBJECTIVES.iter().map(|objective| objective.name).collect();
        OBJECTIVES
            .iter()
            .find(|objective| objective.name == name)
            .ok_or_else(|| format!("{name} {}", not_known("an objective", name, &known)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_a_slip_is_understood() {
        for (n, objective) in OBJECTIVES.iter().enumerate() {
            assert!(OBJECTIVES[..n].iter().all(|before| before.name != objective.name));
            assert_eq!(Objective::named(objective.name).map(|found| found.name), Ok(objective.name));
        }
        assert!(Objective::named("sharp").expect_err("no such").contains("did you mean sharpe?"));
    }
}
