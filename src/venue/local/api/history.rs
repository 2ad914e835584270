//! What was amended and what was kept from trading: asked for later, so kept for a while.
//!
//! Owns: the last so many of both.

use super::error::Failure;
use super::json::Json;
use super::render::prevented_quantities;
use super::venue::Context;
use crate::venue::local::exchange::{
    AccountId, ClientId, ExecutionReport, ExecutionType, Prevented, Prevention, SymbolId,
};
use std::collections::VecDeque;

/// How many of each are kept.
const KEPT: usize = 20_000;
const ROWS: u64 = 500;
const ROWS_MAX: u64 = 1_000;

#[derive(Debug, Clone, Copy)]
struct Amendment {
    account: AccountId,
    symbol: SymbolId,
    order: u64,
    id: u64,
    before: ClientId,
    after: ClientId,
    qty_before: i64,
    qty: i64,
    ms: u64,
}

#[derive(Debug, Clone, Copy)]
struct PreventedMatch {
    symbol: SymbolId,
    what: Prevention,
    ms: u64,
}

impl PreventedMatch {
    fn has(&self, hit: impl Fn(&Prevented) -> bool) -> bool {
        [self.what.taker, self.what.maker].iter().any(hit)
    }
}

/// The last amendments and prevented matches.
#[derive(Debug, Default)]
pub(super) struct History {
    amendments: VecDeque<Amendment>,
    prevented: VecDeque<PreventedMatch>,
}

impl History {
    /// Looks at a report on its way to its account.
    pub fn note(&mut self, report: &ExecutionReport) {
        let order = &report.order;
        if report.kind == ExecutionType::Replaced {
            self.amendments.push_back(Amendment {
                account: order.account,
                symbol: order.symbol,
                order: order.number,
                id: report.id,
                before: report.original_client_id.unwrap_or(order.client_id),
                after: order.client_id,
                qty_before: report.qty_before.unwrap_or(order.qty).0,
                qty: order.qty.0,
                ms: report.ms,
            });
            if self.amendments.len() > KEPT {
                self.amendments.pop_front();
            }
        }
        // A match that both orders are told of is one: their reports follow one on the other.
        let last = self.prevented.back().map(|row| row.what.match_id);
        if let Some(what) = report.prevention.filter(|what| Some(what.match_id) != last) {
            self.prevented.push_back(PreventedMatch { symbol: order.symbol, what, ms: report.ms });
            if self.prevented.len() > KEPT {
                self.prevented.pop_front();
            }
        }
    }
}

fn limit(cx: &Context<'_>) -> usize {
    cx.params.long("limit").unwrap_or(ROWS).min(ROWS_MAX) as usize
}

pub(super) fn amendments(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let (order, from) = (cx.params.long("orderId"), cx.params.long("fromExecutionId").unwrap_or(0));
    let (account, limit) = (cx.caller.account, limit(cx));
    let mut out = Vec::new();
    let of = cx.instrument(symbol)?;
    let mut json = Json(&mut out);
    json.list();
    let wanted = cx.api.history.amendments.iter().filter(|row| {
        row.account == account && row.symbol == symbol && Some(row.order) == order && row.id >= from
    });
    for row in wanted.take(limit) {
        json.begin();
        json.text("symbol", &of.symbol);
        json.number("orderId", row.order);
        json.number("executionId", row.id);
        json.text("origClientOrderId", row.before.as_str());
        json.text("newClientOrderId", row.after.as_str());
        json.decimal("origQty", row.qty_before, of.qty_decimals);
        json.decimal("newQty", row.qty, of.qty_decimals);
        json.number("time", row.ms);
        json.end();
    }
    json.end_list();
    cx.out.extend_from_slice(&out);
    Ok(())
}

pub(super) fn prevented(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let (id, order) = (cx.params.long("preventedMatchId"), cx.params.long("orderId"));
    if id.is_none() && order.is_none() {
        let text = "Param 'preventedMatchId' or 'orderId' must be sent, but both were empty/null!";
        return Err(Failure::bad(-1102, text));
    }
    let from = cx.params.long("fromPreventedMatchId").unwrap_or(0);
    let (account, limit) = (cx.caller.account, limit(cx));
    let mut out = Vec::new();
    let of = cx.instrument(symbol)?;
    let mut json = Json(&mut out);
    json.list();
    let wanted = cx.api.history.prevented.iter().filter(|row| {
        let match_id = row.what.match_id;
        let hit = id.is_none_or(|id| match_id == id) && order.is_none_or(|o| row.has(|side| side.order == o));
        row.has(|side| side.account == account) && row.symbol == symbol && hit && match_id >= from
    });
    for row in wanted.take(limit) {
        json.begin();
        json.text("symbol", &of.symbol);
        json.number("preventedMatchId", row.what.match_id);
        json.number("takerOrderId", row.what.taker.order);
        json.text("makerSymbol", &of.symbol);
        json.number("makerOrderId", row.what.maker.order);
        json.number("tradeGroupId", cx.api.group(account).map_or(-1, i128::from));
        json.text("selfTradePreventionMode", row.what.mode.label());
        json.decimal("price", row.what.price.0, of.price_decimals);
        prevented_quantities(&mut json, &row.what, of);
        json.number("transactTime", row.ms);
        json.end();
    }
    json.end_list();
    cx.out.extend_from_slice(&out);
    Ok(())
}
