//! What is listed and by which rules.
//!
//! Owns: `exchangeInfo` of spot symbols, from the very rules that the exchange holds orders to.

use super::error::Failure;
use super::json::Json;
use super::params::{Kind, Param};
use super::venue::{ApiSettings, Context};
use crate::venue::local::exchange::{OrderType, SymbolRules, SymbolStatus};

const STATUSES: &[&str] = &["TRADING", "HALT", "BREAK", "CANCEL_ONLY", "END_OF_DAY"];

pub(super) static PARAMS: &[Param] = &[
    Param { name: "symbol", kind: Kind::Symbol, needed: false },
    Param { name: "symbols", kind: Kind::Text, needed: false },
    Param { name: "permissions", kind: Kind::Text, needed: false },
    Param { name: "showPermissionSets", kind: Kind::Flag, needed: false },
    Param {
        name: "symbolStatus",
        kind: Kind::Choice(STATUSES, super::params::Wrong::Is(-1122, "Invalid symbolStatus.")),
        needed: false,
    },
];

pub(super) fn ping(cx: &mut Context<'_>) -> Result<(), Failure> {
    cx.out.extend_from_slice(b"{}");
    Ok(())
}

pub(super) fn time(cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut json = Json(cx.out);
    json.begin();
    json.number("serverTime", cx.now_ms);
    json.end();
    Ok(())
}

/// The symbols that are asked for, by name.
fn wanted(cx: &Context<'_>) -> Result<Option<Vec<String>>, Failure> {
    if let Some(symbol) = cx.params.get("symbol") {
        return Ok(Some(vec![symbol.to_owned()]));
    }
    let Some(list) = cx.params.get("symbols") else { return Ok(None) };
    match serde_json::from_str::<Vec<String>>(list) {
        Ok(names) => Ok(Some(names)),
        Err(_) => Err(Failure::illegal("symbols", r#"^\["[\w\-._&&[^a-z]]{1,50}"(,"...")*\]$"#)),
    }
}

pub(super) fn exchange_info(cx: &mut Context<'_>) -> Result<(), Failure> {
    let (wanted, status) = (wanted(cx)?, cx.params.get("symbolStatus"));
    if wanted.is_some() && (status.is_some() || cx.params.get("permissions").is_some()) {
        return Err(Failure::bad(-1128, "Combination of optional parameters invalid."));
    }
    let exchange = &cx.api.exchange;
    let rules: Vec<&SymbolRules> = match &wanted {
        None => exchange.symbols().filter(|rules| status.is_none_or(|s| s == rules.status.label())).collect(),
        Some(names) => {
            let find = |name: &String| exchange.symbol(name).and_then(|symbol| exchange.rules(symbol));
            let found: Option<Vec<&SymbolRules>> = names.iter().map(find).collect();
            found.ok_or_else(|| Failure::bad(-1121, "Invalid symbol."))?
        }
    };
    let mut json = Json(cx.out);
    json.begin();
    json.text("timezone", "UTC");
    json.number("serverTime", cx.now_ms);
    limits(&mut json, &cx.api.settings);
    json.list_in("exchangeFilters");
    json.end_list();
    let permission_sets = cx.params.flag("showPermissionSets") != Some(false);
    json.list_in("symbols");
    rules.into_iter().for_each(|rules| symbol(&mut json, rules, permission_sets));
    json.end_list();
    json.end();
    Ok(())
}

fn limits(json: &mut Json<'_>, settings: &ApiSettings) {
    json.list_in("rateLimits");
    for (kind, interval, number, limit) in [
        ("REQUEST_WEIGHT", "MINUTE", 1, settings.weight.limit),
        ("ORDERS", "SECOND", 10, settings.orders_per_10_s),
        ("ORDERS", "DAY", 1, settings.orders_per_day),
        ("RAW_REQUESTS", "MINUTE", 5, 300_000),
    ] {
        json.begin();
        json.text("rateLimitType", kind);
        json.text("interval", interval);
        json.number("intervalNum", number);
        json.number("limit", limit);
        json.end();
    }
    json.end_list();
}

/// A symbol as `exchangeInfo` shows it, JSON.
pub(crate) fn symbol_info(rules: &SymbolRules, permission_sets: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(2_048);
    symbol(&mut Json(&mut out), rules, permission_sets);
    out
}

fn symbol(json: &mut Json<'_>, rules: &SymbolRules, permission_sets: bool) {
    let of = &rules.instrument;
    json.begin();
    json.text("symbol", &of.symbol);
    json.text("status", rules.status.label());
    json.text("baseAsset", &of.base);
    json.number("baseAssetPrecision", of.qty_decimals);
    json.text("quoteAsset", &of.quote);
    json.number("quotePrecision", of.price_decimals);
    json.number("quoteAssetPrecision", of.price_decimals);
    json.number("baseCommissionPrecision", 8);
    json.number("quoteCommissionPrecision", 8);
    json.list_in("orderTypes");
    rules.order_types.iter().for_each(|kind| json.quoted(kind.label()));
    json.end_list();
    let stops = rules.order_types.contains(&OrderType::StopLossLimit);
    for (name, allowed) in [
        ("icebergAllowed", rules.iceberg_parts_max > 0),
        ("ocoAllowed", stops && rules.max_order_lists > 0),
        ("otoAllowed", rules.max_order_lists > 0),
        ("opoAllowed", false),
        ("quoteOrderQtyMarketAllowed", true),
        ("allowTrailingStop", rules.trailing_delta.1 > 0),
        ("cancelReplaceAllowed", true),
        ("amendAllowed", rules.max_amends > 0),
        ("pegInstructionsAllowed", false),
        ("isSpotTradingAllowed", rules.status == SymbolStatus::Trading),
        ("isMarginTradingAllowed", false),
    ] {
        json.flag(name, allowed);
    }
    filters(json, rules);
    json.list_in("permissions");
    json.end_list();
    json.list_in("permissionSets");
    if permission_sets {
        json.list();
        json.quoted("SPOT");
        json.end_list();
    }
    json.end_list();
    json.text("defaultSelfTradePreventionMode", rules.stp_default.label());
    json.list_in("allowedSelfTradePreventionModes");
    rules.stp_allowed.iter().for_each(|mode| json.quoted(mode.label()));
    json.end_list();
    json.end();
}

/// The filters in the order in which the venue lists them.
fn filters(json: &mut Json<'_>, rules: &SymbolRules) {
    let of = &rules.instrument;
    let begin = |json: &mut Json<'_>, kind: &str| {
        json.begin();
        json.text("filterType", kind);
    };
    json.list_in("filters");
    begin(json, "PRICE_FILTER");
    json.decimal("minPrice", rules.min_price.0, of.price_decimals);
    json.decimal("maxPrice", rules.max_price.0, of.price_decimals);
    json.decimal("tickSize", of.tick.0, of.price_decimals);
    json.end();
    begin(json, "LOT_SIZE");
    json.decimal("minQty", of.min_qty.0, of.qty_decimals);
    json.decimal("maxQty", of.max_qty.0, of.qty_decimals);
    json.decimal("stepSize", of.lot.0, of.qty_decimals);
    json.end();
    begin(json, "ICEBERG_PARTS");
    json.number("limit", rules.iceberg_parts_max);
    json.end();
    begin(json, "MARKET_LOT_SIZE");
    json.decimal("minQty", 0, of.qty_decimals);
    json.decimal("maxQty", rules.market_max_qty.0, of.qty_decimals);
    json.decimal("stepSize", 0, of.qty_decimals);
    json.end();
    begin(json, "TRAILING_DELTA");
    for name in ["minTrailingAboveDelta", "minTrailingBelowDelta"] {
        json.number(name, rules.trailing_delta.0);
    }
    for name in ["maxTrailingAboveDelta", "maxTrailingBelowDelta"] {
        json.number(name, rules.trailing_delta.1);
    }
    json.end();
    if let Some(percent) = &rules.percent_price {
        begin(json, "PERCENT_PRICE_BY_SIDE");
        json.decimal("bidMultiplierUp", percent.bid_up, 3);
        json.decimal("bidMultiplierDown", percent.bid_down, 3);
        json.decimal("askMultiplierUp", percent.ask_up, 3);
        json.decimal("askMultiplierDown", percent.ask_down, 3);
        json.number("avgPriceMins", 0);
        json.end();
    }
    begin(json, "NOTIONAL");
    json.decimal("minNotional", of.min_notional.0, of.notional_decimals());
    json.flag("applyMinToMarket", true);
    json.decimal("maxNotional", rules.max_notional.0, of.notional_decimals());
    json.flag("applyMaxToMarket", false);
    // The last price stands for the average.
    json.number("avgPriceMins", 0);
    json.end();
    for (kind, name, limit) in [
        ("MAX_NUM_ORDERS", "maxNumOrders", rules.max_orders),
        ("MAX_NUM_ORDER_LISTS", "maxNumOrderLists", rules.max_order_lists),
        ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", rules.max_algo_orders),
        ("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", rules.max_iceberg_orders),
        ("MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends", rules.max_amends),
    ] {
        if limit > 0 {
            begin(json, kind);
            json.number(name, limit);
            json.end();
        }
    }
    if rules.max_position.0 > 0 {
        begin(json, "MAX_POSITION");
        json.decimal("maxPosition", rules.max_position.0, of.qty_decimals);
        json.end();
    }
    json.end_list();
}

/// The filters of one symbol, for an account.
pub(super) fn my_filters(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let rules = cx.api.exchange.rules(symbol).ok_or_else(|| Failure::bad(-1121, "Invalid symbol."))?;
    let mut inner = Vec::new();
    filters(&mut Json(&mut inner), rules);
    let list = inner.strip_prefix(br#""filters":"#).unwrap_or(b"[]");
    let mut json = Json(cx.out);
    json.begin();
    json.list_in("exchangeFilters");
    json.end_list();
    json.raw("symbolFilters", list);
    json.list_in("assetFilters");
    json.end_list();
    json.end();
    Ok(())
}
