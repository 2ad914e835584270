//! Names of instruments and of what they trade, from what files say.

use super::ImportOptions;
use super::fault::NameFault;
use crate::domain::Market;
use crate::domain::pair::assets_of;
use crate::history::catalogue::split_name;

/// An instrument's name and assets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub name: String,
    pub assets: (String, String),
}

impl ImportOptions {
    /// The instrument that `--instrument` names, or else the one that the file says, of `--market` where it says none.
    pub(super) fn named(
        &self,
        venue: &str,
        market: Option<Market>,
        symbol: &str,
    ) -> Result<Named, NameFault> {
        if let Some(name) = &self.instrument {
            let (_, market, symbol) = split_name(name).ok_or_else(|| NameFault::Instrument(name.clone()))?;
            return Ok(Named { name: name.clone(), assets: self.assets(market, symbol)? });
        }
        let symbol = symbol.to_uppercase();
        let market = market.or(self.market).ok_or_else(|| NameFault::Market(symbol.clone()))?;
        let name = format!("{venue}:{market}:{symbol}");
        split_name(&name).ok_or_else(|| NameFault::Instrument(name.clone()))?;
        Ok(Named { name, assets: self.assets(market, &symbol)? })
    }

    /// Base and quote.
    fn assets(&self, market: Market, symbol: &str) -> Result<(String, String), NameFault> {
        let derived =
            if self.base.is_some() && self.quote.is_some() { None } else { assets_of(market, symbol) };
        let missing = || NameFault::Assets(symbol.into());
        let (base, quote) = derived.map_or((None, None), |(base, quote)| (Some(base), Some(quote)));
        let base = self.base.clone().or(base).ok_or_else(missing)?;
        Ok((base, self.quote.clone().or(quote).ok_or_else(missing)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_market_that_is_given_is_of_files_that_do_not_say_theirs() {
        let given = ImportOptions { market: Some(Market::Spot), ..ImportOptions::default() };
        let named = |market| given.named("binance", market, "ethusdt").map(|named| named.name);
        assert_eq!(named(None).as_deref(), Ok("binance:spot:ETHUSDT"));
        assert_eq!(named(Some(Market::UsdM)).as_deref(), Ok("binance:usdm:ETHUSDT"));
        let other = ImportOptions { instrument: Some("binance:coinm:ETHUSD_PERP".into()), ..given };
        let named = other.named("binance", Some(Market::UsdM), "ETHUSDT").map(|named| named.name);
        assert_eq!(named.as_deref(), Ok("binance:coinm:ETHUSD_PERP"), "by name");
    }

    #[test]
    fn what_is_asked_for_is_taken_before_what_the_file_says() {
        let options = ImportOptions { base: Some("XBT".into()), ..ImportOptions::default() };
        let named = options.named("binance", Some(Market::Spot), "btcusdt").expect("named");
        assert_eq!(
            (named.name.as_str(), named.assets),
            ("binance:spot:BTCUSDT", ("XBT".into(), "USDT".into()))
        );
        assert_eq!(options.named("binance", None, "BTCUSDT"), Err(NameFault::Market("BTCUSDT".into())));
        let options = ImportOptions { instrument: Some("kraken:spot".into()), ..ImportOptions::default() };
        assert!(matches!(options.named("binance", None, "BTCUSDT"), Err(NameFault::Instrument(_))));
    }
}
