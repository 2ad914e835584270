//! `exchangeInfo`: what is listed and by which rules.
//!
//! Owns: the shape of an instrument in it, spot and futures. The rules of a spot symbol are those that the exchange
//! holds orders to.

use super::http::Answer;
use super::rest::Call;
use super::selection::{Chosen, chosen, illegal};
use crate::domain::decimal::Scaled;
use crate::domain::{Instrument, Market, Notional};
use crate::venue::local::exchange::{SymbolRules, SymbolStatus};
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
        Market::Spot => spot_row(&SymbolRules::of(listing.instrument.clone()), sets),
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
        limits.push(limit("ORDERS", "SECOND", 10, 100));
        limits.push(limit("ORDERS", "DAY", 1, 200_000));
        limits.push(limit("RAW_REQUESTS", "MINUTE", 5, 300_000));
    } else {
        limits.push(limit("ORDERS", "MINUTE", 1, 1_200));
        limits.push(limit("ORDERS", "SECOND", 10, 300));
    }
    limits
}

fn spot_row(rules: &SymbolRules, permission_sets: bool) -> Value {
    let of = &rules.instrument;
    let order_types: Vec<&str> = rules.order_types.iter().map(|kind| kind.label()).collect();
    let stp_allowed: Vec<&str> = rules.stp_allowed.iter().map(|mode| mode.label()).collect();
    json!({
        "symbol": of.symbol, "status": rules.status.label(),
        "baseAsset": of.base, "baseAssetPrecision": of.qty_decimals,
        "quoteAsset": of.quote, "quotePrecision": of.price_decimals, "quoteAssetPrecision": of.price_decimals,
        "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
        "orderTypes": order_types,
        "icebergAllowed": rules.iceberg_parts_max > 0, "ocoAllowed": rules.max_order_lists > 0,
        "otoAllowed": false, "opoAllowed": false,
        "quoteOrderQtyMarketAllowed": true, "allowTrailingStop": false, "cancelReplaceAllowed": true,
        "amendAllowed": rules.max_amends > 0, "pegInstructionsAllowed": false,
        "isSpotTradingAllowed": rules.status == SymbolStatus::Trading, "isMarginTradingAllowed": false,
        "filters": spot_filters(rules), "permissions": [],
        "permissionSets": if permission_sets { json!([["SPOT"]]) } else { json!([]) },
        "defaultSelfTradePreventionMode": rules.stp_default.label(),
        "allowedSelfTradePreventionModes": stp_allowed,
    })
}

/// In the order in which Binance shows them.
fn spot_filters(rules: &SymbolRules) -> Vec<Value> {
    let of = &rules.instrument;
    let price = |value: i64| Scaled { value: value.into(), decimals: of.price_decimals }.to_string();
    let qty = |value: i64| Scaled { value: value.into(), decimals: of.qty_decimals }.to_string();
    let notional = |value: Notional| {
        let decimals = of.notional_decimals().min(8);
        let unit = 10i128.pow(u32::from(of.notional_decimals() - decimals));
        Scaled { value: value.0 / unit, decimals }.to_string()
    };
    let mut filters = vec![
        json!({ "filterType": "PRICE_FILTER", "minPrice": price(rules.min_price.0), "maxPrice": price(rules.max_price.0), "tickSize": price(of.tick.0) }),
        json!({ "filterType": "LOT_SIZE", "minQty": qty(of.min_qty.0), "maxQty": qty(of.max_qty.0), "stepSize": qty(of.lot.0) }),
        json!({ "filterType": "ICEBERG_PARTS", "limit": rules.iceberg_parts_max }),
        json!({ "filterType": "MARKET_LOT_SIZE", "minQty": qty(0), "maxQty": qty(rules.market_max_qty.0), "stepSize": qty(0) }),
    ];
    if let Some(percent) = rules.percent_price {
        let times = |thousandths: u32| format!("{:#}", Scaled { value: thousandths.into(), decimals: 3 });
        filters.push(json!({
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": times(percent.bid_up), "bidMultiplierDown": times(percent.bid_down),
            "askMultiplierUp": times(percent.ask_up), "askMultiplierDown": times(percent.ask_down),
            "avgPriceMins": 0,
        }));
    }
    filters.push(json!({
        "filterType": "NOTIONAL", "minNotional": notional(of.min_notional), "applyMinToMarket": true,
        "maxNotional": notional(rules.max_notional), "applyMaxToMarket": false, "avgPriceMins": 0,
    }));
    let counts = [
        ("MAX_NUM_ORDERS", "maxNumOrders", rules.max_orders),
        ("MAX_NUM_ORDER_LISTS", "maxNumOrderLists", rules.max_order_lists),
        ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", rules.max_algo_orders),
        ("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", rules.max_iceberg_orders),
        ("MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends", rules.max_amends),
    ];
    let counts = counts.into_iter().filter(|(.., most)| *most > 0);
    filters.extend(counts.map(|(name, field, most)| json!({ "filterType": name, field: most })));
    if rules.max_position.0 > 0 {
        filters.push(json!({ "filterType": "MAX_POSITION", "maxPosition": qty(rules.max_position.0) }));
    }
    filters
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
