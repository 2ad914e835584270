//! Orders that did not come to the market, by strategy, for who asks a run why it does not trade.

use super::names::ScopeNames;
use crate::domain::{InstrumentId, Time};
use crate::risk::TurnedAwayOrder;
use crate::risk::snapshot::RiskSnapshot;
use crate::venue::binance::client::refusal_words;
use serde::{Deserialize, Serialize};

/// Orders of one strategy that risk denied, or the venue did not take, since the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct TurnedAwayReply {
    /// Whose, by label.
    pub strategy: String,
    /// How many risk denied.
    pub denied: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_denied: Option<TurnedAwayOrderReply>,
    /// How many the venue refused, or were not sent after all.
    pub refused: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refused: Option<TurnedAwayOrderReply>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct TurnedAwayOrderReply {
    /// The name of the reason, what the venue said, or why it was not sent.
    pub why: String,
    /// Of what.
    pub instrument: String,
    /// When, by the run's clock.
    pub at: String,
}

impl TurnedAwayReply {
    /// Of each strategy that has any, as risk knew them at its last snapshot.
    pub(super) fn all(snapshot: &RiskSnapshot, names: &ScopeNames) -> Vec<Self> {
        let instrument = |id: InstrumentId| names.instruments().get(id.index()).cloned().unwrap_or_default();
        let told = |why: String, of: InstrumentId, at: Time| TurnedAwayOrderReply {
            why,
            instrument: instrument(of),
            at: at.to_string(),
        };
        let any = names.strategies().iter().zip(&snapshot.turned_away);
        let any = any.filter(|(_, of)| of.denied > 0 || of.refused > 0);
        any.map(|(strategy, of)| Self {
            strategy: strategy.clone(),
            denied: of.denied,
            last_denied: of.last_denied.map(|TurnedAwayOrder { why, instrument, at }| {
                told(format!("{} ({})", why.label(), why.meaning().trim_end_matches('.')), instrument, at)
            }),
            refused: of.refused,
            last_refused: of.last_refused.map(|TurnedAwayOrder { why, instrument, at }| {
                let words = if why.is_said() { refusal_words(why) } else { "no reason was given".to_owned() };
                told(words, instrument, at)
            }),
        })
        .collect()
    }

    /// In a line for each way.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let strategy = &self.strategy;
        let line = |count: u64, by: &str, last: &Option<TurnedAwayOrderReply>| {
            let TurnedAwayOrderReply { why, instrument, at } = last.clone().unwrap_or_default();
            let orders = if count == 1 { "order" } else { "orders" };
            (count > 0).then(|| {
                format!("{strategy}: {count} {orders} {by} since the run began, the last of {instrument} at {at}: {why}")
            })
        };
        let denied = line(self.denied, "denied by risk", &self.last_denied);
        denied.into_iter().chain(line(self.refused, "not taken by the venue", &self.last_refused)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DenyReason, Refused};
    use crate::risk::TurnedAway;
    use crate::run::Config;

    #[test]
    fn a_strategy_whose_orders_come_to_nothing_is_told_with_the_last_reason_of_each_kind() {
        let config = Config::embedded_default();
        let names = ScopeNames::new(&config);
        let instrument = InstrumentId(1);
        let none = RiskSnapshot { turned_away: vec![TurnedAway::default(); 3], ..RiskSnapshot::default() };
        assert_eq!(TurnedAwayReply::all(&none, &names), []);
        let mut some = none;
        some.turned_away[1] = TurnedAway {
            denied: 12,
            last_denied: Some(TurnedAwayOrder {
                why: DenyReason::PositionLimit,
                instrument,
                at: Time(1_000_000_000),
            }),
            refused: 1,
            last_refused: Some(TurnedAwayOrder {
                why: Refused { code: -2_010, cause: 2, filter: 0 },
                instrument,
                at: Time(2_000_000_000),
            }),
        };
        let told = TurnedAwayReply::all(&some, &names);
        assert_eq!(told.len(), 1);
        let (strategy, name) = (&names.strategies()[1], &names.instruments()[1]);
        let lines = told[0].lines();
        assert_eq!(
            lines[0],
            format!(
                "{strategy}: 12 orders denied by risk since the run began, the last of {name} at 1970-01-01T00:00:01.000000Z: \
                 position-limit (The position that could result is over the configured limit)"
            )
        );
        assert!(
            lines[1].starts_with(&format!(
                "{strategy}: 1 order not taken by the venue since the run began, the last of {name} at"
            )) && lines[1].contains("-2010"),
            "{lines:?}"
        );
        // What was not sent, since the venue's clock is not known, is not said to be the venue's refusal.
        let why = Refused { code: 0, cause: 102, filter: 0 };
        some.turned_away[1].last_refused = Some(TurnedAwayOrder { why, instrument, at: Time(0) });
        let lines = TurnedAwayReply::all(&some, &names)[0].lines();
        assert!(lines[1].contains(": not sent: ") && !lines[1].contains("refused"), "{lines:?}");
        // What no reason was given for is told all the same.
        some.turned_away[1] = TurnedAway {
            refused: 2,
            last_refused: Some(TurnedAwayOrder { why: Refused::default(), instrument, at: Time(0) }),
            ..TurnedAway::default()
        };
        let lines = TurnedAwayReply::all(&some, &names)[0].lines();
        assert!(lines.len() == 1 && lines[0].ends_with(": no reason was given"), "{lines:?}");
    }
}
