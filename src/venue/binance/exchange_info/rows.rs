//! Rows of `filters` to [`Filters`]: one line a filter.

use super::super::filters::{
    CountLimits, FilterName, Filters, LotSize, MinNotional, NotionalRange, PercentPrice, PercentPriceBySide,
    PriceFilter, TrailingDelta,
};
use super::SymbolProblem;
use super::fields::{Fields, Object, cut};
use serde_json::Value;

/// Names of filters that are kept to tell of; there have never been more than a few.
const UNKNOWN_MAX: usize = 64;

/// Reads every row into `filters`; names that are not known go to `unknown`.
pub(super) fn read(
    rows: &[Value],
    filters: &mut Filters,
    unknown: &mut Vec<String>,
) -> Result<(), SymbolProblem> {
    let mut seen = Vec::new();
    for row in rows {
        let row = row.as_object().ok_or(SymbolProblem::Field("filters"))?;
        let kind = row.get("filterType").and_then(Value::as_str).ok_or(SymbolProblem::Field("filterType"))?;
        let Some(name) = FilterName::from_name(kind) else {
            let kind = cut(kind, 50);
            if unknown.len() < UNKNOWN_MAX && !unknown.contains(&kind) {
                unknown.push(kind);
            }
            continue;
        };
        // `MAX_ASSET` has a row for each asset.
        if name != FilterName::MaxAsset && seen.contains(&name) {
            return Err(SymbolProblem::FilterTwice(name.name()));
        }
        seen.push(name);
        read_row(name, row, filters)?;
    }
    Ok(())
}

fn read_row(name: FilterName, row: &Object, filters: &mut Filters) -> Result<(), SymbolProblem> {
    let (price_decimals, qty_decimals) = (filters.price_decimals, filters.qty_decimals);
    let row = &Fields { of: row, price_decimals, qty_decimals };
    let Filters { counts, exchange, .. } = filters;
    match name {
        FilterName::PriceFilter => filters.price = Some(price(row)?),
        FilterName::LotSize => filters.lot = Some(lot(row, name)?),
        FilterName::MarketLotSize => filters.market_lot = Some(lot(row, name)?),
        FilterName::PercentPrice => {
            filters.percent = Some(percent(row, "multiplierUp", "multiplierDown", name)?);
        }
        FilterName::PercentPriceBySide => {
            let bid = percent(row, "bidMultiplierUp", "bidMultiplierDown", name)?;
            let ask = percent(row, "askMultiplierUp", "askMultiplierDown", name)?;
            filters.percent_by_side = Some(PercentPriceBySide { bid, ask });
        }
        FilterName::MinNotional => {
            let (min, market) = (row.value("minNotional")?, row.flag("applyToMarket"));
            filters.min_notional = Some(MinNotional { min, market, minutes: row.integer("avgPriceMins")? });
        }
        FilterName::Notional => filters.notional = Some(notional(row)?),
        FilterName::IcebergParts => filters.iceberg_parts = Some(row.integer("limit")?),
        FilterName::TrailingDelta => filters.trailing_delta = Some(trailing(row)?),
        FilterName::MaxPosition => filters.max_position = Some(row.position_max("maxPosition")?),
        FilterName::MaxNumOrderAmends => filters.max_amends = Some(row.integer("maxNumOrderAmends")?),
        FilterName::MaxNumOrders
        | FilterName::MaxNumAlgoOrders
        | FilterName::MaxNumIcebergOrders
        | FilterName::MaxNumOrderLists => count(row, name, counts)?,
        FilterName::ExchangeMaxNumOrders
        | FilterName::ExchangeMaxNumAlgoOrders
        | FilterName::ExchangeMaxNumIcebergOrders
        | FilterName::ExchangeMaxNumOrderLists => count(row, name, exchange)?,
        // Only an account's own list has it, where the symbol's assets are known: see `replies`.
        FilterName::MaxAsset => {}
    }
    Ok(())
}

fn count(row: &Fields<'_>, name: FilterName, limits: &mut CountLimits) -> Result<(), SymbolProblem> {
    let (limit, field) = match name {
        FilterName::MaxNumAlgoOrders | FilterName::ExchangeMaxNumAlgoOrders => {
            (&mut limits.algo, "maxNumAlgoOrders")
        }
        FilterName::MaxNumIcebergOrders | FilterName::ExchangeMaxNumIcebergOrders => {
            (&mut limits.iceberg, "maxNumIcebergOrders")
        }
        FilterName::MaxNumOrderLists | FilterName::ExchangeMaxNumOrderLists => {
            (&mut limits.lists, "maxNumOrderLists")
        }
        _ => (&mut limits.orders, "maxNumOrders"),
    };
    *limit = Some(row.integer(field)?);
    Ok(())
}

fn in_order<T: PartialOrd>(min: T, max: T, off: T, name: FilterName) -> Result<(), SymbolProblem> {
    if max != off && min > max { Err(SymbolProblem::Range(name.name())) } else { Ok(()) }
}

fn price(row: &Fields<'_>) -> Result<PriceFilter, SymbolProblem> {
    let (min, max, tick) = (row.price("minPrice")?, row.price_max("maxPrice")?, row.price("tickSize")?);
    in_order(min.0, max.0, 0, FilterName::PriceFilter)?;
    Ok(PriceFilter { min, max, tick })
}

fn lot(row: &Fields<'_>, name: FilterName) -> Result<LotSize, SymbolProblem> {
    let (min, max, step) = (row.qty("minQty")?, row.qty_max("maxQty")?, row.qty("stepSize")?);
    in_order(min.0, max.0, 0, name)?;
    Ok(LotSize { min, max, step })
}

fn percent(
    row: &Fields<'_>,
    up: &'static str,
    down: &'static str,
    name: FilterName,
) -> Result<PercentPrice, SymbolProblem> {
    let (up, down) = (row.multiplier(up)?, row.multiplier(down)?);
    if down > up {
        return Err(SymbolProblem::Range(name.name()));
    }
    Ok(PercentPrice { up, down, minutes: row.integer("avgPriceMins")? })
}

fn notional(row: &Fields<'_>) -> Result<NotionalRange, SymbolProblem> {
    let range = NotionalRange {
        min: row.value("minNotional")?,
        min_market: row.flag("applyMinToMarket"),
        max: row.value_max("maxNotional")?,
        max_market: row.flag("applyMaxToMarket"),
        minutes: row.integer("avgPriceMins")?,
    };
    if range.min > range.max {
        return Err(SymbolProblem::Range(FilterName::Notional.name()));
    }
    Ok(range)
}

fn trailing(row: &Fields<'_>) -> Result<TrailingDelta, SymbolProblem> {
    let range = TrailingDelta {
        min_above: row.integer("minTrailingAboveDelta")?,
        max_above: row.integer("maxTrailingAboveDelta")?,
        min_below: row.integer("minTrailingBelowDelta")?,
        max_below: row.integer("maxTrailingBelowDelta")?,
    };
    if range.min_above > range.max_above || range.min_below > range.max_below {
        return Err(SymbolProblem::Range(FilterName::TrailingDelta.name()));
    }
    Ok(range)
}
