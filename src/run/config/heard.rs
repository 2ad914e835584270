//! What a live run would hear of the markets that its strategies trade, by `[venue] streams`.
//!
//! Of a live run alone: a backtest, and a replay of recordings, have what they are given.

use super::Config;
use crate::domain::params::ConfigProblem;
use crate::domain::{Instrument, Market};
use crate::venue::binance::streams::StreamKind;

impl Config {
    /// What strategies of a live run would do without: those whose instruments have no trades are told, since they still
    /// trade by quotes and books.
    ///
    /// # Errors
    /// An instrument has no best bid and ask: risk denies each order of it, so nothing of it would ever be traded.
    pub fn streams_that_are_missed(&self) -> Result<Option<ConfigProblem>, ConfigProblem> {
        // The default has all there is to miss.
        let Some(place) = &self.streams_place else { return Ok(None) };
        let told = |expected| ConfigProblem { expected, ..place.clone() };
        let without = |kinds: &[StreamKind]| {
            let has = |market: Market| {
                let streams = self.venue.streams.iter();
                streams.filter(|s| s.markets.contains(&market)).any(|s| kinds.contains(&s.kind))
            };
            let traded = |of: &&Instrument| self.strategies.iter().any(|s| s.instruments.contains(&of.id));
            let missing = self.instruments.all().iter().filter(traded).filter(|of| !has(of.market));
            missing.map(Instrument::name).collect::<Vec<_>>()
        };
        let blind = without(&[StreamKind::Quotes, StreamKind::Diffs, StreamKind::Partial]);
        if !blind.is_empty() {
            return Err(told(format!(
                "has no best bid and ask of {}, which {} traded, and without them every order is denied: add \"bookTicker\" \
                 or a depth stream",
                listed(&blind),
                are(&blind)
            )));
        }
        let unheard = without(&[StreamKind::Trades]);
        Ok((!unheard.is_empty()).then(|| {
            told(format!(
                "has no trades of {}, which {} traded: there are no bars and no indicators over them, nothing that waits for a \
                 trade at its price (a stop, a take-profit) is triggered by the order manager, and no trade fills what rests \
                 on paper; add \"trade\" or \"aggTrade\"",
                listed(&unheard),
                are(&unheard)
            ))
        }))
    }
}

fn are(names: &[String]) -> &'static str {
    if names.len() == 1 { "is" } else { "are" }
}

/// The first few by name: of three hundred the rest is as well known by their number.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let first = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
