//! `exchangeInfo`: what is listed and by which rules.
//!
//! Owns: the shape of an instrument in it, spot and futures. The rules of a spot symbol are those that the exchange
//! holds orders to.

use super::http::Answer;
use super::rest::Call;
use super::selection::{Chosen, chosen, illegal};
use crate::domain::decimal::Scaled;
use crate::domain::{Instrument, Market};
use crate::venue::local::api::{Api, symbol_info};
use crate::venue::local::exchange::SymbolRules;
use serde_json::{Value, json};

/// The kinds of trading asked for where none is named.
const PERMISSIONS: [&str; 3] = ["SPOT", "MARGIN", "LEVERAGED"];

pub(super) fn answer(call: &Call<'_>) -> Result<Answer, Answer> {
    let chosen = chosen(call)?;
    let listed = matches!(chosen, Chosen::All(_));
    if !listed
        && (call.request.param("permissions").is_some() || call.request.param("symbolStatus").is_some())
    {
        return Err(Answer::error(400, -1128, "Combination of optional parameters invalid."));
    }
    let sets = match call.request.param("showPermissionSets") {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(illegal("showPermissionSets", "true or false")),
    };
    let wanted = wanted_status(call)?;
    let listings = match chosen {
        Chosen::One(listing) => vec![listing],
        Chosen::Some(listings) => listings,
        Chosen::All(_) if !permits(call)? => Vec::new(),
        Chosen::All(listings) => listings,
    };
    let rows = listings.into_iter().map(|listing| match call.market {
        Market::Spot => spot_row(call, &listing.instrument, sets),
        Market::UsdM | Market::CoinM => futures_row(&listing.instrument),
    });
    let symbols: Vec<Value> =
        rows.filter(|row| wanted.is_none_or(|wanted| row["status"] == wanted)).collect();
    let body = json!({
        "timezone": "UTC", "serverTime": call.time(call.now_ms), "rateLimits": rate_limits(call),
        "exchangeFilters": [], "symbols": symbols,
    });
    Ok(Answer::json(200, body.to_string()))
}

/// The status that symbols must have to be shown.
fn wanted_status<'a>(call: &Call<'a>) -> Result<Option<&'a str>, Answer> {
    match call.request.param("symbolStatus") {
        None => Ok(None),
        Some(status @ ("TRADING" | "HALT" | "BREAK")) => Ok(Some(status)),
        Some(_) => Err(Answer::error(400, -1122, "Invalid symbolStatus.")),
    }
}

/// Whether spot trading is among the kinds asked for: one name, or a JSON list of them.
fn permits(call: &Call<'_>) -> Result<bool, Answer> {
    let Some(text) = call.request.param("permissions") else { return Ok(PERMISSIONS.contains(&"SPOT")) };
    if !text.starts_with('[') {
        return Ok(text == "SPOT");
    }
    let names: Vec<String> = serde_json::from_str(text).map_err(|_| illegal("permissions", "a JSON list"))?;
    Ok(names.iter().any(|name| name == "SPOT"))
}

fn rate_limits(call: &Call<'_>) -> Vec<Value> {
    let limit = |kind: &str, interval: &str, number: u32, limit: u32| json!({ "rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit });
    let mut limits = vec![limit("REQUEST_WEIGHT", "MINUTE", 1, call.weight_limit)];
    if call.market == Market::Spot {
        let orders = call.api.map(|api| api.settings()).unwrap_or_default();
        limits.push(limit("ORDERS", "SECOND", 10, orders.orders_per_10_s));
        limits.push(limit("ORDERS", "DAY", 1, orders.orders_per_day));
        limits.push(limit("RAW_REQUESTS", "MINUTE", 5, 300_000));
    } else {
        limits.push(limit("ORDERS", "MINUTE", 1, 1_200));
        limits.push(limit("ORDERS", "SECOND", 10, 300));
    }
    limits
}

/// A spot symbol by the rules that orders are held to.
fn spot_row(call: &Call<'_>, of: &Instrument, permission_sets: bool) -> Value {
    let exchange = call.api.map(Api::exchange);
    let rules = exchange.and_then(|exchange| exchange.rules(exchange.symbol(&of.symbol)?));
    let row = match rules {
        Some(rules) => symbol_info(rules, permission_sets),
        None => symbol_info(&SymbolRules::of(of.clone()), permission_sets),
    };
    serde_json::from_slice(&row).unwrap_or_default()
}

fn futures_row(of: &Instrument) -> Value {
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
