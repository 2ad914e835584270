//! `exchangeInfo` of futures: what is listed and by which rules. That of spot is in the `api`.
//!
//! Owns: the shape of an instrument in it.

use super::http::Answer;
use super::rest::Call;
use crate::domain::decimal::Scaled;
use crate::domain::{Instrument, Market};
use serde_json::{Value, json};

pub(super) fn answer(call: &Call<'_>) -> Answer {
    let mut wanted: Vec<&str> = call.request.param("symbol").into_iter().collect();
    let list: Vec<String>;
    if let Some(text) = call.request.param("symbols") {
        let Ok(parsed) = serde_json::from_str(text) else {
            return Answer::error(
                400,
                -1100,
                "Illegal characters found in parameter 'symbols'; legal range is a JSON list.",
            );
        };
        list = parsed;
        wanted.extend(list.iter().map(String::as_str));
    }
    let mut symbols = Vec::new();
    for symbol in &wanted {
        let Some(listing) = call.exchange.listing(call.market, symbol) else {
            return Answer::error(400, -1121, "Invalid symbol.");
        };
        symbols.push(row(&listing.instrument));
    }
    if wanted.is_empty() {
        symbols = call.exchange.listings(call.market).map(|listing| row(&listing.instrument)).collect();
    }
    let limit = |kind: &str, interval: &str, number: u32, limit: u32| json!({ "rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit });
    let limits = [
        limit("REQUEST_WEIGHT", "MINUTE", 1, call.weight_limit),
        limit("ORDERS", "MINUTE", 1, 1_200),
        limit("ORDERS", "SECOND", 10, 300),
    ];
    let body = json!({
        "timezone": "UTC", "serverTime": call.now_ms, "rateLimits": limits, "exchangeFilters": [], "symbols": symbols,
    });
    Answer::json(200, body.to_string())
}

fn row(of: &Instrument) -> Value {
    let price = |value: i64| Scaled { value: value.into(), decimals: of.price_decimals }.to_string();
    let qty = |value: i64| Scaled { value: value.into(), decimals: of.qty_decimals }.to_string();
    let notional = format!("{:#}", Scaled { value: of.min_notional.0, decimals: of.notional_decimals() });
    let mut filters = vec![
        json!({ "filterType": "PRICE_FILTER", "minPrice": price(of.tick.0), "maxPrice": price(i64::MAX / 2), "tickSize": price(of.tick.0) }),
        json!({ "filterType": "LOT_SIZE", "minQty": qty(of.min_qty.0), "maxQty": qty(of.max_qty.0), "stepSize": qty(of.lot.0) }),
        json!({ "filterType": "MARKET_LOT_SIZE", "minQty": qty(of.min_qty.0), "maxQty": qty(of.max_qty.0), "stepSize": qty(of.lot.0) }),
    ];
    filters.push(json!({ "filterType": "MIN_NOTIONAL", "notional": notional }));
    json!({
        "symbol": of.symbol, "pair": of.symbol.split('_').next(), "contractType": "PERPETUAL",
        "status": "TRADING", "contractStatus": "TRADING",
        "baseAsset": of.base, "quoteAsset": of.quote,
        "marginAsset": if of.market == Market::UsdM { &of.quote } else { &of.base },
        "pricePrecision": of.price_decimals, "quantityPrecision": of.qty_decimals,
        "baseAssetPrecision": 8, "quotePrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC", "IOC", "FOK", "GTX"], "filters": filters,
    })
}
