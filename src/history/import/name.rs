//! Names of instruments and of what they trade, from what files say.

use super::ImportOptions;
use super::fault::NameFault;
use crate::domain::Market;
use crate::history::catalogue::split_name;

/// Assets that prices are quoted in, the longer ones first.
const QUOTES: &[&str] = &[
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USDS", "BIDR", "IDRT", "BVND", "DOGE", "BTC", "ETH",
    "BNB", "XRP", "TRX", "EUR", "GBP", "TRY", "AUD", "BRL", "RUB", "UAH", "NGN", "ZAR", "PLN", "RON", "ARS",
    "MXN", "COP", "CZK", "JPY", "DAI", "PAX", "VAI", "UST", "USD",
];

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
        let derived = if self.base.is_some() && self.quote.is_some() { None } else { assets(market, symbol) };
        let missing = || NameFault::Assets(symbol.into());
        let (base, quote) = derived.map_or((None, None), |(base, quote)| (Some(base), Some(quote)));
        let base = self.base.clone().or(base).ok_or_else(missing)?;
        Ok((base, self.quote.clone().or(quote).ok_or_else(missing)?))
    }
}

/// The assets of a symbol such as `BTCUSDT`, `BTC-USD`, `BTCUSD_PERP` or `BTCUSDT_240927`.
fn assets(market: Market, symbol: &str) -> Option<(String, String)> {
    if let Some((base, quote)) = symbol.split_once(['-', '/']) {
        let plain = |asset: &str| !asset.is_empty() && asset.chars().all(char::is_alphanumeric);
        return (plain(base) && plain(quote)).then(|| (base.into(), quote.into()));
    }
    let pair = match market {
        Market::Spot => symbol,
        Market::UsdM | Market::CoinM => symbol.split('_').next()?,
    };
    let quote = QUOTES.iter().find(|quote| pair.len() > quote.len() && pair.ends_with(**quote))?;
    Some((pair[..pair.len() - quote.len()].into(), (*quote).into()))
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
    fn assets_are_told_from_symbols_or_not_at_all() {
        let pair = |base: &str, quote: &str| Some((base.to_owned(), quote.to_owned()));
        assert_eq!(assets(Market::Spot, "BTCUSDT"), pair("BTC", "USDT"));
        assert_eq!(assets(Market::Spot, "BTCFDUSD"), pair("BTC", "FDUSD"));
        assert_eq!(assets(Market::Spot, "ETHBTC"), pair("ETH", "BTC"));
        assert_eq!(assets(Market::CoinM, "BTCUSD_PERP"), pair("BTC", "USD"));
        assert_eq!(assets(Market::UsdM, "BTCUSDT_240927"), pair("BTC", "USDT"));
        assert_eq!(assets(Market::Spot, "BTC-USD"), pair("BTC", "USD"));
        assert_eq!(assets(Market::Spot, "SPY"), None);
        assert_eq!(assets(Market::Spot, "USDT"), None);
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
