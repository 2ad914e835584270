//! `exchangeInfo` of futures: what is listed and by which rules. That of spot is in the `api`.
//!
//! Owns: the shape of an instrument in it.

use super::http::Answer;
use super::rest::Call;
use super::selection::{Chosen, chosen};
use crate::domain::decimal::Scaled;
use crate::domain::{Instrument, Market};
use serde_json::{Value, json};

pub(super) fn answer(call: &Call<'_>) -> Result<Answer, Answer> {
    let listings = match chosen(call)? {
        Chosen::One(listing) => vec![listing],
        Chosen::Some(listings) | Chosen::All(listings) => listings,
    };
    let symbols: Vec<Value> = listings.into_iter().map(|listing| row(&listing.instrument)).collect();
    let limit = |kind: &str, interval: &str, number: u32, limit: u32| json!({ "rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit });
    let limits = [
        limit("REQUEST_WEIGHT", "MINUTE", 1, call.weight_limit),
        limit("ORDERS", "MINUTE", 1, 1_200),
        limit("ORDERS", "SECOND", 10, 300),
    ];
    let body = json!({
        "timezone": "UTC", "serverTime": call.time(call.now_ms), "rateLimits": limits, "exchangeFilters": [],
        "symbols": symbols,
    });
    Ok(Answer::json(200, body.to_string()))
}

fn row(of: &Instrument) -> Value {
    let price = |value: i64| Scaled { value: value.into(), decimals: of.price_decimals }.to_string();
    let qty = |value: i64| Scaled { value: value.into(), decimals: of.qty_decimals }.to_string();
    let notional = format!("{:#}", Scaled { value: of.min_notional.0, decimals: of.notional_decimals() });
    json!({
        "symbol": of.symbol, "pair": of.symbol.split('_').next(), "contractType": "PERPETUAL",
        "status": "TRADING", "contractStatus": "TRADING",
        "baseAsset": of.base, "quoteAsset": of.quote,
        "marginAsset": if of.market == Market::UsdM { &of.quote } else { &of.base },
        "pricePrecision": of.price_decimals, "quantityPrecision": of.qty_decimals,
        "baseAssetPrecision": 8, "quotePrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            { "filterType": "PRICE_FILTER", "minPrice": price(of.tick.0), "maxPrice": price(i64::MAX / 2), "tickSize": price(of.tick.0) },
            { "filterType": "LOT_SIZE", "minQty": qty(of.min_qty.0), "maxQty": qty(of.max_qty.0), "stepSize": qty(of.lot.0) },
            { "filterType": "MARKET_LOT_SIZE", "minQty": qty(of.min_qty.0), "maxQty": qty(of.max_qty.0), "stepSize": qty(of.lot.0) },
            { "filterType": "MIN_NOTIONAL", "notional": notional },
        ],
    })
}
