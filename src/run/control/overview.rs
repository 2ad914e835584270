//! What each strategy and each instrument of a run comes to, for whoever watches it: from the snapshot that risk publishes.
//!
//! Amounts are as the metrics': quote, of every quote asset alike, f64, for the eye and never for a decision.

use super::names::ScopeNames;
use crate::domain::decimal::POW10;
use crate::risk::Sum;
use crate::risk::snapshot::RiskSnapshot;
use crate::run::config::QUOTE_DECIMALS;
use serde::Serialize;

/// The most instruments and positions: an answer has to fit the socket. Strategies are never so many.
const LINES_MAX: usize = 100;

/// See the module. What neither holds nor asks for anything is left out, but for strategies.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(super) struct Overview {
    pub by_strategy: Vec<StrategyLine>,
    /// The largest exposure first.
    pub by_instrument: Vec<InstrumentLine>,
    /// How many more there are, of smaller exposure.
    pub by_instrument_left_out: usize,
    /// Of each strategy in each instrument, the largest exposure first.
    pub positions: Vec<PositionLine>,
    /// How many more there are, of smaller exposure.
    pub positions_left_out: usize,
}

/// A strategy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct StrategyLine {
    pub strategy: String,
    pub day_profit: f64,
    /// Since the run began.
    pub profit: f64,
    /// Exposure, were the worse side of what is open to fill.
    pub gross: f64,
    pub open_orders: u32,
    pub orders_per_min: u32,
    pub fills_today: u32,
    /// Orders that risk denied since the run began.
    pub denied: u64,
    /// Orders that the venue did not take since then.
    pub refused: u64,
}

/// An instrument.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct InstrumentLine {
    pub instrument: String,
    /// What is held, at the mark; negative where short.
    pub value: f64,
    /// Exposure, were the worse side of what is open to fill.
    pub gross: f64,
    pub open_orders: u32,
}

/// What one strategy has in one instrument.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PositionLine {
    pub strategy: String,
    pub instrument: String,
    /// Exposure, were the worse side of what is open to fill.
    pub gross: f64,
}

fn amount(units: i128) -> f64 {
    units as f64 / POW10[usize::from(QUOTE_DECIMALS)] as f64
}

/// Leaves out what is too much, and says how much that is.
fn cut<T>(lines: &mut Vec<T>) -> usize {
    let left_out = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    left_out
}

impl Overview {
    /// Of a snapshot; nothing before the first event.
    pub fn of(snapshot: &RiskSnapshot, names: &ScopeNames) -> Self {
        let (strategies, instruments) = (names.strategies(), names.instruments());
        if snapshot.time.0 == 0 {
            return Self::default();
        }
        let strategy = |(at, name): (usize, &String)| {
            let (track, sum) = (snapshot.strategies.get(at)?, snapshot.by_strategy.get(at)?);
            let turned_away = snapshot.turned_away.get(at).copied().unwrap_or_default();
            Some(StrategyLine {
                strategy: name.clone(),
                day_profit: amount(track.profit - track.day_start),
                profit: amount(track.profit),
                gross: amount(sum.gross),
                open_orders: sum.orders,
                orders_per_min: snapshot.sent.get(at)?.orders.minute,
                fills_today: *snapshot.trades_today.get(at)?,
                denied: turned_away.denied,
                refused: turned_away.refused,
            })
        };
        let by_strategy = strategies.iter().enumerate().filter_map(strategy).collect();
        let instrument = |((name, value), sum): ((&String, &i128), &Sum)| InstrumentLine {
            instrument: name.clone(),
            value: amount(*value),
            gross: amount(sum.gross),
            open_orders: sum.orders,
        };
        let all = instruments.iter().zip(&snapshot.values).zip(&snapshot.by_instrument).map(instrument);
        let mut by_instrument: Vec<_> =
            all.filter(|line| line.value != 0.0 || line.gross != 0.0 || line.open_orders > 0).collect();
        by_instrument.sort_by(|a, b| b.gross.total_cmp(&a.gross));
        let by_instrument_left_out = cut(&mut by_instrument);
        let width = instruments.len().max(1);
        let cell = |(at, gross): (usize, &i128)| {
            let (strategy, instrument) = (strategies.get(at / width)?, instruments.get(at % width)?);
            let (strategy, instrument) = (strategy.clone(), instrument.clone());
            (*gross != 0).then(|| PositionLine { strategy, instrument, gross: amount(*gross) })
        };
        let mut positions: Vec<_> = snapshot.cells.iter().enumerate().filter_map(cell).collect();
        positions.sort_by(|a, b| b.gross.total_cmp(&a.gross));
        let positions_left_out = cut(&mut positions);
        Self { by_strategy, by_instrument, by_instrument_left_out, positions, positions_left_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;
    use crate::risk::snapshot::LossTrack;
    use crate::risk::{Counted, TurnedAway};
    use crate::run::Config;

    #[test]
    fn each_strategy_has_a_line_and_what_holds_nothing_and_asks_for_nothing_has_none() {
        const QUOTE: i128 = 100_000_000;
        let config = Config::embedded_default();
        let names = ScopeNames::new(&config);
        let (strategies, instruments) = (config.strategies.len(), config.instruments.len());
        let mut of = RiskSnapshot {
            values: vec![0; instruments],
            cells: vec![0; strategies * instruments],
            by_instrument: vec![Sum::default(); instruments],
            by_strategy: vec![Sum::default(); strategies],
            strategies: vec![LossTrack::default(); strategies],
            sent: vec![Counted::default(); strategies],
            trades_today: vec![0; strategies],
            ..RiskSnapshot::default()
        };
        assert_eq!(Overview::of(&of, &names), Overview::default(), "before the first event");
        of.time = Time(1);
        of.strategies[1] = LossTrack { profit: -3 * QUOTE, day_start: 2 * QUOTE, ..LossTrack::default() };
        of.turned_away = vec![TurnedAway::default(); strategies];
        (of.turned_away[1].denied, of.turned_away[1].refused) = (9, 3);
        (of.sent[1].orders.minute, of.trades_today[1], of.by_strategy[1].orders) = (7, 4, 2);
        of.values[1] = -20 * QUOTE;
        (of.by_instrument[1].gross, of.by_instrument[0].gross) = (20 * QUOTE, 30 * QUOTE);
        (of.cells[instruments + 1], of.cells[0]) = (20 * QUOTE, 30 * QUOTE);
        let told = Overview::of(&of, &names);
        assert_eq!(told.by_strategy.len(), strategies);
        let line = &told.by_strategy[1];
        assert_eq!((line.strategy.as_str(), line.day_profit, line.profit), ("rsi-reversion", -5.0, -3.0));
        assert_eq!((line.open_orders, line.orders_per_min, line.fills_today), (2, 7, 4));
        assert_eq!((line.denied, line.refused), (9, 3));
        let values: Vec<_> = told.by_instrument.iter().map(|line| (line.value, line.gross)).collect();
        assert_eq!(values, [(0.0, 30.0), (-20.0, 20.0)], "the largest first");
        let of = |line: &PositionLine| (line.strategy.clone(), line.gross);
        let positions: Vec<_> = told.positions.iter().map(of).collect();
        assert_eq!(positions, [("ma-cross".into(), 30.0), ("rsi-reversion".into(), 20.0)]);
    }

    #[test]
    fn every_strategy_is_told_and_of_more_positions_than_fit_how_many_are_left_out() {
        use std::fmt::Write;
        const STRATEGIES: usize = 255;
        let mut text =
            "[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n[risk]\nunset = \"default\"\n"
                .to_owned();
        for n in 0..STRATEGIES {
            let _ = writeln!(
                text,
                "[[strategy]]\nname = \"rsi-reversion\"\nlabel = \"s-{n}\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n\
                 [strategy.params]\nqty = \"0.01\""
            );
        }
        let config = Config::from_text_with_built_in(&text, "many").unwrap_or_else(|error| panic!("{error}"));
        let instruments = config.instruments.len();
        let of = RiskSnapshot {
            time: Time(1),
            values: vec![0; instruments],
            cells: (0..STRATEGIES * instruments).map(|at| i128::from(at % instruments == 0)).collect(),
            by_instrument: vec![Sum::default(); instruments],
            by_strategy: vec![Sum::default(); STRATEGIES],
            strategies: vec![LossTrack::default(); STRATEGIES],
            sent: vec![Counted::default(); STRATEGIES],
            trades_today: vec![0; STRATEGIES],
            ..RiskSnapshot::default()
        };
        let told = Overview::of(&of, &ScopeNames::new(&config));
        assert_eq!((told.by_strategy.len(), told.by_strategy[254].strategy.as_str()), (STRATEGIES, "s-254"));
        assert_eq!((told.positions.len(), told.positions_left_out), (100, 155));
        assert_eq!((told.by_instrument.len(), told.by_instrument_left_out), (0, 0));
    }
}
