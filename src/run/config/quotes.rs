//! Amounts in different money: limits, profit and equity add those of all instruments one to one, which is right for one
//! quote asset, and nearly so for such as are worth alike.

use super::Config;
use super::check::Checks;
use super::instruments::Instruments;
use super::raw::RawStrategy;
use crate::domain::Instrument;
use toml::Spanned;

/// What becomes of a run that trades instruments of different quote assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixedQuotes {
    /// With live orders it is refused, else it is told.
    Refuse,
    /// Their amounts are added: they are worth alike.
    Add,
}

impl MixedQuotes {
    pub(super) const LABELS: [(&'static str, Self); 2] = [("refuse", Self::Refuse), ("add", Self::Add)];
}

/// What all have in common that are told of it.
const ADDED: &str =
    "limits, profit and equity add their amounts one to one: a loss of 1 BTC would count as one of 1 USDT";

/// Refuses, where live orders are sent, instruments of strategies that are quoted in something else than the first of them.
pub(super) fn one_quote(
    strategies: &[Spanned<RawStrategy>],
    instruments: &Instruments,
    checks: &mut Checks<'_>,
) {
    let Some(table) = &instruments.table else { return };
    let named = strategies.iter().flat_map(|strategy| strategy.get_ref().instruments.iter());
    let named = named.flat_map(|list| list.get_ref());
    let traded: Vec<_> = named.filter_map(|name| Some((name, table.by_name(name.get_ref())?))).collect();
    let Some((_, first)) = traded.first() else { return };
    for (name, instrument) in traded.iter().filter(|(_, of)| of.quote != first.quote) {
        let (quote, others) = (&instrument.quote, &first.quote);
        let expected = format!(
            "is quoted in {quote}, and others of this run in {others}: {ADDED}. Trade it in a run of its own, or, where both \
             are worth alike, as USDT and USDC are, write [risk] mixed_quotes = \"add\""
        );
        checks.refuse(&name.span(), expected);
    }
}

impl Config {
    /// The quote assets of what is traded, where there are several whose amounts nobody said to be alike, as a warning.
    #[must_use]
    pub fn quotes_that_are_mixed(&self) -> Option<String> {
        if self.risk.mixed_quotes == MixedQuotes::Add {
            return None;
        }
        let traded = |of: &&Instrument| self.strategies.iter().any(|s| s.instruments.contains(&of.id));
        let traded = self.instruments.all().iter().filter(traded).filter(|of| of.tradable());
        let mut quotes: Vec<&str> = traded.map(|of| of.quote.as_str()).collect();
        quotes.sort_unstable();
        quotes.dedup();
        (quotes.len() > 1).then(|| {
            format!(
                "what is traded is quoted in {}, and {ADDED}; a run with live orders is refused like this. Where they are worth \
                 alike, [risk] mixed_quotes = \"add\" says so",
                quotes.join(", ")
            )
        })
    }
}
