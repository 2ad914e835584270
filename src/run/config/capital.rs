//! What a sizing by a share of the equity counts that from where its `capital` is not written: the equity is the strategy's
//! own, and nobody can know by what is left out how much of an account is meant for it.

use super::{Config, StrategyConfig};
use crate::domain::decimal::Scaled;
use crate::domain::params::{ConfigProblem, Params};
use crate::strategy::sizing::{AMOUNT_DECIMALS, CAPITAL};
use std::borrow::Cow;

/// The parameters of a strategy's sizing, where it goes by an equity of which nobody wrote what it begins with.
fn assumed(strategy: &StrategyConfig) -> Option<&Params> {
    let (_, params) = strategy.sizing.as_ref()?;
    let has = params.entries().iter().any(|entry| entry.name == CAPITAL);
    (has && !params.is_given(CAPITAL)).then_some(params)
}

impl Config {
    /// What a backtest goes by: `[backtest] balance` is what everything is worth at first, so equity begins with it where
    /// nothing else is written, that of limits and that of sizings.
    pub(in crate::run) fn of_a_backtest(&self) -> Cow<'_, Self> {
        let by_equity = self.strategies.iter().any(|strategy| assumed(strategy).is_some());
        if self.risk.capital_given && !by_equity {
            return Cow::Borrowed(self);
        }
        let mut config = self.clone();
        if !config.risk.capital_given {
            config.risk.limits.capital = config.backtest.balance;
        }
        let balance = Scaled { value: config.backtest.balance.into(), decimals: AMOUNT_DECIMALS };
        for strategy in config.strategies.iter_mut().filter(|strategy| assumed(strategy).is_some()) {
            if let Some((_, params)) = &mut strategy.sizing {
                params.assume(CAPITAL, format!("{balance:#}"));
            }
        }
        Cow::Owned(config)
    }

    /// The refusal of a sizing by an equity that nobody wrote, for a run with live orders: a tenth of the account or ten
    /// times of it would be traded, and no order would look wrong.
    #[must_use]
    pub fn sizing_without_capital(&self) -> Option<ConfigProblem> {
        let (strategy, params) = self.strategies.iter().find_map(|s| Some((s, assumed(s)?)))?;
        let expected = format!(
            "needs capital for live orders, the part of the account that {} is to size its orders by: write capital = \
             \"...\" into it; where it is not written a run on paper counts from {}",
            strategy.label,
            params.text(CAPITAL)
        );
        strategy.unfit_sizing(expected)
    }

    /// What equity sizings count from that nobody wrote, as a warning.
    #[must_use]
    pub fn capital_that_is_assumed(&self) -> Option<String> {
        let first = self.strategies.iter().find_map(assumed)?;
        let labels = self.strategies.iter().filter(|strategy| assumed(strategy).is_some());
        let labels: Vec<&str> = labels.map(|strategy| strategy.label.as_str()).collect();
        Some(format!(
            "the sizing of {} counts its equity from {}, since capital is not written in it, whatever the account has; a run \
             with live orders is refused like this",
            labels.join(", "),
            first.text(CAPITAL)
        ))
    }
}
