//! Cancelling, replacing and amending.

use super::error::Failure;
use super::json::Json;
use super::order::{client_id, detail, qty, request, write_placed};
use super::params::Params;
use super::render::{Writer, cancel_id, list_id, side, tif};
use super::venue::Context;
use crate::venue::local::exchange::{
    CancelReplace, CancelReplaced, CancelRequest, CancelRestriction, Event, ExecutionType, Order, OrderRef,
    Refusal,
};

/// Which order is meant, by either id or both.
pub(super) fn which(params: &Params, number: &str, id: &str) -> Result<OrderRef, Failure> {
    let found = OrderRef { number: params.long(number), client_id: client_id(params, id) };
    if found.number.is_none() && found.client_id.is_none() {
        let text = format!("Param '{id}' or '{number}' must be sent, but both were empty/null!");
        return Err(Failure::bad(-1102, text));
    }
    Ok(found)
}

fn restriction(params: &Params) -> Option<CancelRestriction> {
    match params.get("cancelRestrictions")? {
        "ONLY_NEW" => Some(CancelRestriction::OnlyNew),
        _ => Some(CancelRestriction::OnlyPartiallyFilled),
    }
}

/// Writes what became of a cancelled order: of its list, where it was in one.
fn write_canceled(cx: &mut Context<'_>, order: &Order) {
    let mut json = Json(cx.out);
    let Some(writer) = Writer::new(&cx.api.exchange, order) else { return };
    match order.list.and_then(|id| Some((id, cx.api.exchange.list(id)?))) {
        Some((id, list)) => writer.canceled_list(&mut json, id, list, &cx.api.batch),
        None => writer.canceled(&mut json, order, cancel_id(&cx.api.batch, order)),
    }
}

pub(super) fn cancel(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let wanted = CancelRequest {
        order: which(cx.params, "orderId", "origClientOrderId")?,
        client_id: client_id(cx.params, "newClientOrderId"),
        restriction: restriction(cx.params),
    };
    let order = cx.api.exchange.cancel(cx.now_ms, cx.caller.account, symbol, &wanted, &mut cx.api.batch)?;
    write_canceled(cx, &order);
    Ok(())
}

pub(super) fn all(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let orders = cx.api.exchange.cancel_all(cx.now_ms, cx.caller.account, symbol, &mut cx.api.batch)?;
    Json(cx.out).list();
    let mut lists = Vec::new();
    for order in &orders {
        // A list is shown once, with all its orders.
        if let Some(id) = order.list {
            if lists.contains(&id) {
                continue;
            }
            lists.push(id);
        }
        write_canceled(cx, order);
    }
    Json(cx.out).end_list();
    Ok(())
}

pub(super) fn replace(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let wanted = CancelReplace {
        cancel: CancelRequest {
            order: which(cx.params, "cancelOrderId", "cancelOrigClientOrderId")?,
            client_id: client_id(cx.params, "cancelNewClientOrderId"),
            restriction: restriction(cx.params),
        },
        new: request(cx.params, cx.instrument(symbol)?)?,
        allow_failure: cx.params.get("cancelReplaceMode") == Some("ALLOW_FAILURE"),
    };
    if let Err(exceeded) = cx.check_counts(1) {
        if cx.params.get("orderRateLimitExceededMode") != Some("CANCEL_ONLY") {
            return Err(exceeded);
        }
        return Err(cancel_only(cx, symbol, &wanted, exceeded));
    }
    let (now_ms, account) = (cx.now_ms, cx.caller.account);
    let done = cx.api.exchange.cancel_replace(now_ms, account, symbol, &wanted, &mut cx.api.batch)?;
    cx.count(1);
    let refused = |refusal: &Refusal| Failure::from(*refusal);
    let canceled = done.canceled.as_ref().map_err(refused);
    let placed = done.placed.as_ref().map(|placed| placed.as_ref().map_err(refused));
    let body = replaced(cx, canceled, placed);
    match code(&done) {
        None => {
            cx.out.extend_from_slice(&body);
            Ok(())
        }
        Some((status, code, text)) => Err(Failure { data: Some(body), ..Failure::new(status, code, text) }),
    }
}

fn code(done: &CancelReplaced) -> Option<(u16, i32, &'static str)> {
    match done.code()? {
        -2021 => Some((409, -2021, "Order cancel-replace partially failed.")),
        code => Some((400, code, "Order cancel-replace failed.")),
    }
}

/// The order count is exceeded, and the cancel was wanted all the same.
fn cancel_only(
    cx: &mut Context<'_>,
    symbol: crate::venue::local::exchange::SymbolId,
    wanted: &CancelReplace,
    exceeded: Failure,
) -> Failure {
    let (now_ms, account) = (cx.now_ms, cx.caller.account);
    let canceled = cx.api.exchange.cancel(now_ms, account, symbol, &wanted.cancel, &mut cx.api.batch);
    let canceled = canceled.map_err(Failure::from);
    let attempted = canceled.is_ok() || wanted.allow_failure;
    let (status, code, text) = match (wanted.allow_failure, canceled.is_ok()) {
        (false, true) => (429, -2021, "Order cancel-replace partially failed."),
        (false, false) => (429, -2022, "Order cancel-replace failed."),
        (true, true) => (409, -2021, "Order cancel-replace partially failed."),
        (true, false) => (400, -2022, "Order cancel-replace failed."),
    };
    let retry_at_ms = exceeded.retry_at_ms;
    let body = replaced(cx, canceled.as_ref().map_err(Clone::clone), attempted.then_some(Err(exceeded)));
    Failure { data: Some(body), retry_at_ms, ..Failure::new(status, code, text) }
}

fn replaced(
    cx: &mut Context<'_>,
    canceled: Result<&Order, Failure>,
    placed: Option<Result<&Order, Failure>>,
) -> Vec<u8> {
    let word = |ok: bool| if ok { "SUCCESS" } else { "FAILURE" };
    let part = |cx: &mut Context<'_>, done: Result<&Order, Failure>, new: bool| {
        let kept = std::mem::take(cx.out);
        match done {
            Ok(order) if new => write_placed(cx, order, detail(cx.params, order.kind)),
            Ok(order) => write_canceled(cx, order),
            Err(failure) => *cx.out = failure.body(),
        }
        std::mem::replace(cx.out, kept)
    };
    let cancel_result = word(canceled.is_ok());
    let place_result = placed.as_ref().map_or("NOT_ATTEMPTED", |placed| word(placed.is_ok()));
    let cancel_response = part(cx, canceled, false);
    let place_response = placed.map_or_else(|| b"null".to_vec(), |placed| part(cx, placed, true));
    let mut body = Vec::with_capacity(1_024);
    let mut json = Json(&mut body);
    json.begin();
    json.text("cancelResult", cancel_result);
    json.text("newOrderResult", place_result);
    json.raw("cancelResponse", &cancel_response);
    json.raw("newOrderResponse", &place_response);
    json.end();
    body
}

pub(super) fn amend(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let order = which(cx.params, "orderId", "origClientOrderId")?;
    let of = cx.instrument(symbol)?;
    let new_qty = qty(cx.params, "newQty", of)?.ok_or_else(|| Failure::mandatory("newQty"))?;
    let wanted = (order, new_qty, client_id(cx.params, "newClientOrderId"));
    let order = cx.api.exchange.amend(cx.now_ms, cx.caller.account, symbol, wanted, &mut cx.api.batch)?;
    let report = cx.api.batch.iter().find_map(|event| match event {
        Event::Execution(report)
            if report.kind == ExecutionType::Replaced && report.order.number == order.number =>
        {
            Some(report)
        }
        _ => None,
    });
    let before = report.and_then(|report| report.original_client_id).unwrap_or(order.client_id);
    let of = &cx.api.exchange.rules(symbol).ok_or_else(|| Failure::bad(-1121, "Invalid symbol."))?.instrument;
    let mut json = Json(cx.out);
    json.begin();
    json.number("transactTime", cx.now_ms);
    json.number("executionId", report.map_or(0, |report| report.id));
    json.begin_in("amendedOrder");
    json.text("symbol", &of.symbol);
    json.number("orderId", order.number);
    json.number("orderListId", list_id(order.list));
    json.text("origClientOrderId", before.as_str());
    json.text("clientOrderId", order.client_id.as_str());
    json.decimal("price", order.price.0, of.price_decimals);
    json.decimal("qty", order.qty.0, of.qty_decimals);
    json.decimal("executedQty", order.executed.0, of.qty_decimals);
    json.decimal("preventedQty", order.prevented.0, of.qty_decimals);
    json.decimal("quoteOrderQty", order.quote_qty.0, of.notional_decimals());
    json.decimal("cumulativeQuoteQty", order.executed_quote.0, of.notional_decimals());
    json.text("status", order.status.label());
    json.text("timeInForce", tif(order.tif));
    json.text("type", order.kind.label());
    json.text("side", side(order.side));
    if order.stop_price.0 > 0 {
        json.decimal("stopPrice", order.stop_price.0, of.price_decimals);
    }
    if order.iceberg_qty.0 > 0 {
        json.decimal("icebergQty", order.iceberg_qty.0, of.qty_decimals);
    }
    json.number("workingTime", order.working_ms.map_or(-1, i128::from));
    json.text("selfTradePreventionMode", order.stp.label());
    json.end();
    if let Some((id, list)) = order.list.and_then(|id| Some((id, cx.api.exchange.list(id)?))) {
        let writer = Writer { exchange: &cx.api.exchange, of };
        let mut inner = Vec::new();
        let mut list_json = Json(&mut inner);
        writer.list_head(&mut list_json, id, list);
        list_json.end();
        json.raw("listStatus", &inner);
    }
    json.end();
    Ok(())
}
