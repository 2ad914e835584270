//! `exchangeInfo`: what is listed and by which rules.
//!
//! Owns: the shape of an instrument in it, spot and futures.

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
    let mut limits = vec![limit("REQUEST_WEIGHT", "MINUTE", 1, call.weight_limit)];
    if call.market == Market::Spot {
        limits.push(limit("ORDERS", "SECOND", 10, 100));
        limits.push(limit("ORDERS", "DAY", 1, 200_000));
        limits.push(limit("RAW_REQUESTS", "MINUTE", 5, 300_000));
    } else {
        limits.push(limit("ORDERS", "MINUTE", 1, 1_200));
        limits.push(limit("ORDERS", "SECOND", 10, 300));
    }
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
    if of.market != Market::Spot {
        filters.push(json!({ "filterType": "MIN_NOTIONAL", "notional": notional }));
        return json!({
            "symbol": of.symbol, "pair": of.symbol.split('_').next(), "contractType": "PERPETUAL",
            "status": "TRADING", "contractStatus": "TRADING",
            "baseAsset": of.base, "quoteAsset": of.quote,
            "marginAsset": if of.market == Market::UsdM { &of.quote } else { &of.base },
            "pricePrecision": of.price_decimals, "quantityPrecision": of.qty_decimals,
            "baseAssetPrecision": 8, "quotePrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC", "IOC", "FOK", "GTX"], "filters": filters,
        });
    }
    filters.push(json!({
        "filterType": "NOTIONAL", "minNotional": notional, "applyMinToMarket": true,
        "maxNotional": "9000000.00000000", "applyMaxToMarket": false, "avgPriceMins": 5,
    }));
    json!({
        "symbol": of.symbol, "status": "TRADING",
        "baseAsset": of.base, "baseAssetPrecision": of.qty_decimals,
        "quoteAsset": of.quote, "quotePrecision": of.price_decimals, "quoteAssetPrecision": of.price_decimals,
        "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": false, "ocoAllowed": false, "otoAllowed": false, "opoAllowed": false,
        "quoteOrderQtyMarketAllowed": false, "allowTrailingStop": false, "cancelReplaceAllowed": false,
        "amendAllowed": false, "pegInstructionsAllowed": false,
        "isSpotTradingAllowed": true, "isMarginTradingAllowed": false,
        "filters": filters, "permissions": [], "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    })
}
