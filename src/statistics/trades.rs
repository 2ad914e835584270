//! What the trades say: how often they win, how much, and in what order.
//!
//! A trade is a round trip: from entering a position, or a part of it, to leaving it. It wins if its profit after fees
//! is above zero and loses if it is below; one that breaks even does neither, and counts as a trade.

use super::moments::{deviation, mean};
use crate::domain::Time;
use serde::{Deserialize, Serialize};

/// A finished trade, as far as statistics go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClosedTrade {
    /// When the position was entered.
    pub entry: Time,
    /// When it was left.
    pub exit: Time,
    /// What was earned after fees; negative for a loss.
    pub profit: f64,
    /// What was put in: quantity times entry price.
    pub cost: f64,
}

/// Figures of a set of trades, in the order in which they were closed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TradeStatistics {
    /// How many.
    pub trades: u64,
    /// How many earned something.
    pub wins: u64,
    /// How many lost something.
    pub losses: u64,
    /// Wins / trades. (quantstats leaves out those that break even.)
    pub win_rate: Option<f64>,
    /// The sum of all profits and losses.
    pub net_profit: f64,
    /// The sum of the profits of those that won.
    pub gross_profit: f64,
    /// The sum of the losses of those that lost; negative.
    pub gross_loss: f64,
    /// Gross profit / the size of gross loss; none where nothing was lost.
    pub profit_factor: Option<f64>,
    /// Mean profit of a trade: win rate · average win + loss rate · average loss.
    pub expectancy: Option<f64>,
    /// Mean of profit / cost.
    pub mean_return: Option<f64>,
    /// System quality number, √n · mean profit / standard deviation of profits (n − 1). Tharp, *Definitive Guide to
    /// Position Sizing* (2008), who puts at most 100 for n, where this takes all, as backtesting.py does.
    pub sqn: Option<f64>,
    /// Mean of those that won.
    pub average_win: Option<f64>,
    /// Mean of those that lost; negative.
    pub average_loss: Option<f64>,
    /// Average win / the size of the average loss.
    pub payoff: Option<f64>,
    /// The best.
    pub largest_win: Option<f64>,
    /// The worst; negative.
    pub largest_loss: Option<f64>,
    /// The most wins in a row. One that breaks even ends a row.
    pub longest_win_streak: u64,
    /// The most losses in a row.
    pub longest_loss_streak: u64,
    /// Mean time from entry to exit, ns.
    pub mean_holding_ns: Option<u64>,
}

impl TradeStatistics {
    /// Of trades in the order in which they were closed.
    #[must_use]
    pub fn of(trades: &[ClosedTrade]) -> Self {
        let profits: Vec<f64> = trades.iter().map(|trade| trade.profit).collect();
        let won: Vec<f64> = profits.iter().copied().filter(|profit| *profit > 0.0).collect();
        let lost: Vec<f64> = profits.iter().copied().filter(|profit| *profit < 0.0).collect();
        let returns: Vec<f64> =
            trades.iter().filter(|trade| trade.cost > 0.0).map(|trade| trade.profit / trade.cost).collect();
        let (gross_profit, gross_loss) = (sum(&won), sum(&lost));
        let (average_win, average_loss) = (mean(&won), mean(&lost));
        let held: u128 = trades.iter().map(|trade| u128::from(trade.exit.since(trade.entry))).sum();
        let count = trades.len() as u64;
        Self {
            trades: count,
            wins: won.len() as u64,
            losses: lost.len() as u64,
            win_rate: (count > 0).then(|| won.len() as f64 / count as f64),
            net_profit: sum(&profits),
            gross_profit,
            gross_loss,
            profit_factor: (gross_loss < 0.0).then(|| gross_profit / -gross_loss),
            expectancy: mean(&profits),
            mean_return: mean(&returns),
            sqn: sqn(&profits),
            average_win,
            average_loss,
            payoff: average_win.zip(average_loss).map(|(win, loss)| win / -loss),
            largest_win: won.iter().copied().reduce(f64::max),
            largest_loss: lost.iter().copied().reduce(f64::min),
            longest_win_streak: longest(&profits, |profit| profit > 0.0),
            longest_loss_streak: longest(&profits, |profit| profit < 0.0),
            mean_holding_ns: held.checked_div(count.into()).map(|held| held as u64),
        }
    }
}

/// Of nothing 0, not the −0 that a sum of floats begins with.
fn sum(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |sum, value| sum + value)
}

fn sqn(profits: &[f64]) -> Option<f64> {
    let deviation = deviation(profits).filter(|deviation| *deviation > 0.0)?;
    Some((profits.len() as f64).sqrt() * mean(profits)? / deviation)
}

fn longest(profits: &[f64], counts: impl Fn(f64) -> bool) -> u64 {
    let streaks = profits.iter().scan(0, |streak, profit| {
        *streak = if counts(*profit) { *streak + 1 } else { 0 };
        Some(*streak)
    });
    streaks.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trades(profits: &[f64]) -> Vec<ClosedTrade> {
        let trade = |(n, profit): (u64, &f64)| ClosedTrade {
            entry: Time(n * 10),
            exit: Time(n * 10 + 4),
            profit: *profit,
            cost: 100.0,
        };
        (0..).zip(profits).map(trade).collect()
    }

    #[test]
    fn figures_by_hand() {
        let all = TradeStatistics::of(&trades(&[10.0, -5.0, 0.0, 20.0, 30.0, -5.0, -10.0]));
        assert_eq!((all.trades, all.wins, all.losses), (7, 3, 3));
        assert_eq!((all.gross_profit, all.gross_loss, all.net_profit), (60.0, -20.0, 40.0));
        assert_eq!((all.profit_factor, all.payoff), (Some(3.0), Some(3.0)));
        assert_eq!((all.longest_win_streak, all.longest_loss_streak), (2, 2));
        assert_eq!((all.largest_win, all.largest_loss), (Some(30.0), Some(-10.0)));
        assert_eq!((all.win_rate, all.mean_holding_ns), (Some(3.0 / 7.0), Some(4)));
        assert!((all.expectancy.expect("trades") - 40.0 / 7.0).abs() < 1e-12);
        assert!((all.mean_return.expect("trades") - 0.4 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_and_no_loss_divide_by_nothing() {
        let none = TradeStatistics::of(&[]);
        assert_eq!(none, TradeStatistics::default());
        assert!(none.net_profit.is_sign_positive());
        let won = TradeStatistics::of(&trades(&[5.0, 5.0]));
        assert_eq!((won.profit_factor, won.payoff, won.sqn, won.average_loss), (None, None, None, None));
        assert_eq!(TradeStatistics::of(&trades(&[5.0])).sqn, None);
    }
}
