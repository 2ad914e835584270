//! What a symbol trades, told from its name.

use super::Market;

/// Assets that prices are quoted in, the longer ones first.
const QUOTES: &[&str] = &[
    "FDUSD", "RLUSD", "USDT", "USDC", "USD1", "BUSD", "TUSD", "USDP", "USDS", "AEUR", "EURI", "BIDR", "IDRT",
    "BVND", "DOGE", "BTC", "ETH", "BNB", "XRP", "TRX", "EUR", "GBP", "TRY", "AUD", "BRL", "RUB", "UAH",
    "NGN", "ZAR", "PLN", "RON", "ARS", "MXN", "COP", "CZK", "JPY", "DAI", "PAX", "VAI", "UST", "USD",
];

/// Base and quote of a symbol in upper case such as `BTCUSDT`, `BTC-USD`, `BTCUSD_PERP` or `BTCUSDT_240927`; `None` where
/// its name does not tell.
#[must_use]
pub fn assets_of(market: Market, symbol: &str) -> Option<(String, String)> {
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
    fn assets_are_told_from_symbols_or_not_at_all() {
        let pair = |base: &str, quote: &str| Some((base.to_owned(), quote.to_owned()));
        assert_eq!(assets_of(Market::Spot, "BTCUSDT"), pair("BTC", "USDT"));
        assert_eq!(assets_of(Market::Spot, "DOGEUSDT"), pair("DOGE", "USDT"));
        assert_eq!(assets_of(Market::Spot, "BTCFDUSD"), pair("BTC", "FDUSD"));
        assert_eq!(assets_of(Market::Spot, "BTCEURI"), pair("BTC", "EURI"));
        assert_eq!(assets_of(Market::Spot, "ETHBTC"), pair("ETH", "BTC"));
        assert_eq!(assets_of(Market::CoinM, "BTCUSD_PERP"), pair("BTC", "USD"));
        assert_eq!(assets_of(Market::UsdM, "BTCUSDT_240927"), pair("BTC", "USDT"));
        assert_eq!(assets_of(Market::Spot, "BTC-USD"), pair("BTC", "USD"));
        assert_eq!(assets_of(Market::Spot, "SPY"), None);
        assert_eq!(assets_of(Market::Spot, "USDT"), None);
    }
}
