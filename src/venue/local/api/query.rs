//! Questions about orders and trades.

use super::cancel::which;
use super::error::Failure;
use super::json::Json;
use super::params::Params;
use super::render::Writer;
use super::venue::Context;
use crate::venue::local::exchange::{AccountTrade, Order};

/// A day, ms: the longest stretch between `startTime` and `endTime`.
const DAY_MS: u64 = 86_400_000;
/// Rows of an answer where no limit is given, and at most.
const ROWS: u64 = 500;
const ROWS_MAX: u64 = 1_000;

/// The rows that are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    from_ms: u64,
    to_ms: u64,
    limit: usize,
    /// The oldest rather than the newest.
    oldest: bool,
}

impl Page {
    pub fn read(params: &Params, rows: u64) -> Result<Self, Failure> {
        let (start, end) = (params.long("startTime"), params.long("endTime"));
        if let (Some(start), Some(end)) = (start, end) {
            if end < start {
                return Err(Failure::bad(-1128, "Combination of optional parameters invalid."));
            }
            if end - start > DAY_MS {
                return Err(Failure::bad(-1127, "More than 24 hours between startTime and endTime."));
            }
        }
        let limit = params.long("limit").unwrap_or(rows);
        if limit == 0 {
            return Err(Failure::bad_data("limit"));
        }
        Ok(Self {
            from_ms: start.unwrap_or(0),
            to_ms: end.unwrap_or(u64::MAX),
            limit: limit.min(ROWS_MAX) as usize,
            oldest: start.is_some(),
        })
    }

    /// The rows of this page, of rows in the order of their time.
    pub fn cut<T>(&self, mut rows: Vec<T>, from_id: bool, ms: impl Fn(&T) -> u64) -> Vec<T> {
        rows.retain(|row| (self.from_ms..=self.to_ms).contains(&ms(row)));
        if self.oldest || from_id {
            rows.truncate(self.limit);
        } else if rows.len() > self.limit {
            rows.drain(..rows.len() - self.limit);
        }
        rows
    }
}

pub(super) fn order(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let wanted = which(cx.params, "orderId", "origClientOrderId")?;
    let order = cx.api.exchange.order(cx.caller.account, symbol, wanted)?;
    write(cx, &[order], false);
    Ok(())
}

fn write(cx: &mut Context<'_>, orders: &[Order], listed: bool) {
    let mut json = Json(cx.out);
    if listed {
        json.list();
    }
    for order in orders {
        if let Some(writer) = Writer::new(&cx.api.exchange, order) {
            writer.queried(&mut json, order);
        }
    }
    if listed {
        json.end_list();
    }
}

pub(super) fn open_orders(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.params.get("symbol").is_some().then(|| cx.symbol()).transpose()?;
    let open = cx.api.exchange.open_orders(cx.caller.account);
    let orders: Vec<Order> =
        open.filter(|order| symbol.is_none_or(|symbol| order.symbol == symbol)).copied().collect();
    write(cx, &orders, true);
    Ok(())
}

pub(super) fn all_orders(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let page = Page::read(cx.params, ROWS)?;
    let from = cx.params.long("orderId");
    let orders = cx.api.exchange.all_orders(cx.caller.account, symbol, from.unwrap_or(0));
    let orders = page.cut(orders.copied().collect(), from.is_some(), |order: &Order| order.created_ms);
    write(cx, &orders, true);
    Ok(())
}

pub(super) fn my_trades(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let page = Page::read(cx.params, ROWS)?;
    let (from, order) = (cx.params.long("fromId"), cx.params.long("orderId"));
    let timed = ["startTime", "endTime"].into_iter().any(|name| cx.params.get(name).is_some());
    if timed && from.is_some() {
        return Err(Failure::bad(-1128, "Combination of optional parameters invalid."));
    }
    let trades = cx.api.exchange.trades(cx.caller.account, symbol);
    let wanted = trades.filter(|trade| {
        from.is_none_or(|from| trade.id >= from) && order.is_none_or(|order| trade.order == order)
    });
    let trades = page.cut(wanted.copied().collect(), from.is_some(), |trade: &AccountTrade| trade.ms);
    let writer = Writer { exchange: &cx.api.exchange, of: cx.instrument(symbol)? };
    let mut out = Vec::new();
    let mut json = Json(&mut out);
    json.list();
    trades.iter().for_each(|trade| writer.trade(&mut json, trade));
    json.end_list();
    cx.out.extend_from_slice(&out);
    Ok(())
}

/// What there never is any of.
pub(super) fn none(cx: &mut Context<'_>) -> Result<(), Failure> {
    cx.symbol()?;
    cx.out.extend_from_slice(b"[]");
    Ok(())
}
