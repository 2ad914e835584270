//! Order lists: placing, cancelling, asking.

use super::cancel::which;
use super::error::Failure;
use super::json::Json;
use super::order::{
    client_id, named, order_type, price, qty, side, stp, tag, time_in_force, trailing, unsupported,
};
use super::params::Params;
use super::query::Page;
use super::render::{Detail, Writer};
use super::venue::Context;
use crate::domain::{Instrument, Qty, Side};
use crate::venue::local::exchange::{
    Event, OcoLeg, OcoRequest, OrderList, OrderRequest, OrderStatus, OrderType, OtoRequest, SymbolId,
};

fn leg(params: &Params, prefix: &str, of: &Instrument) -> Result<OcoLeg, Failure> {
    unsupported(params, prefix)?;
    Ok(OcoLeg {
        kind: order_type(params, &named(prefix, "type"))?,
        price: price(params, &named(prefix, "price"), of)?,
        stop_price: price(params, &named(prefix, "stopPrice"), of)?,
        trailing_delta: trailing(params, &named(prefix, "trailingDelta")),
        tif: time_in_force(params, &named(prefix, "timeInForce")),
        iceberg_qty: qty(params, &named(prefix, "icebergQty"), of)?,
        client_id: client_id(params, &named(prefix, "clientOrderId")),
        tag: tag(params, prefix)?,
    })
}

pub(super) fn oco(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let of = cx.instrument(symbol)?;
    let request = OcoRequest {
        side: side(cx.params, "side")?,
        qty: qty(cx.params, "quantity", of)?.ok_or_else(|| Failure::mandatory("quantity"))?,
        above: leg(cx.params, "above", of)?,
        below: leg(cx.params, "below", of)?,
        client_id: client_id(cx.params, "listClientOrderId"),
        stp: stp(cx.params),
    };
    place(cx, symbol, &request)
}

/// The older form: a limit order and a stop.
pub(super) fn old_oco(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let (params, of) = (cx.params, cx.instrument(symbol)?);
    let limit_price = price(params, "stopLimitPrice", of)?;
    let blank = OcoLeg::new(OrderType::LimitMaker);
    let limit = OcoLeg {
        price: price(params, "price", of)?,
        iceberg_qty: qty(params, "limitIcebergQty", of)?,
        client_id: client_id(params, "limitClientOrderId"),
        ..blank
    };
    let stop = OcoLeg {
        kind: if limit_price.is_some() { OrderType::StopLossLimit } else { OrderType::StopLoss },
        price: limit_price,
        stop_price: price(params, "stopPrice", of)?,
        trailing_delta: trailing(params, "trailingDelta"),
        tif: time_in_force(params, "stopLimitTimeInForce"),
        iceberg_qty: qty(params, "stopIcebergQty", of)?,
        client_id: client_id(params, "stopClientOrderId"),
        ..blank
    };
    let side = side(params, "side")?;
    let (above, below) = if side == Side::Sell { (limit, stop) } else { (stop, limit) };
    let request = OcoRequest {
        side,
        qty: qty(params, "quantity", of)?.ok_or_else(|| Failure::mandatory("quantity"))?,
        above,
        below,
        client_id: client_id(params, "listClientOrderId"),
        stp: stp(params),
    };
    place(cx, symbol, &request)
}

/// The order that the parameters with this prefix describe.
fn order(
    params: &Params,
    prefix: &str,
    (side, qty): (Side, Qty),
    of: &Instrument,
) -> Result<OrderRequest, Failure> {
    let leg = leg(params, prefix, of)?;
    Ok(OrderRequest {
        tif: leg.tif,
        price: leg.price,
        stop_price: leg.stop_price,
        iceberg_qty: leg.iceberg_qty,
        trailing_delta: leg.trailing_delta,
        client_id: leg.client_id,
        stp: stp(params),
        tag: leg.tag,
        ..OrderRequest::new(side, leg.kind, qty)
    })
}

/// The side and quantity of the orders with this prefix.
fn what(params: &Params, prefix: &str, of: &Instrument) -> Result<(Side, Qty), Failure> {
    let name = named(prefix, "quantity");
    let qty = qty(params, &name, of)?.ok_or_else(|| Failure::mandatory(&name))?;
    Ok((side(params, &named(prefix, "side"))?, qty))
}

pub(super) fn oto(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let (params, of) = (cx.params, cx.instrument(symbol)?);
    let request = OtoRequest {
        working: order(params, "working", what(params, "working", of)?, of)?,
        pending: order(params, "pending", what(params, "pending", of)?, of)?,
        below: None,
        client_id: client_id(params, "listClientOrderId"),
    };
    follow(cx, symbol, &request, 2)
}

pub(super) fn otoco(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let (params, of) = (cx.params, cx.instrument(symbol)?);
    let pending = what(params, "pending", of)?;
    let request = OtoRequest {
        working: order(params, "working", what(params, "working", of)?, of)?,
        pending: order(params, "pendingAbove", pending, of)?,
        below: Some(order(params, "pendingBelow", pending, of)?),
        client_id: client_id(params, "listClientOrderId"),
    };
    follow(cx, symbol, &request, 3)
}

fn follow(cx: &mut Context<'_>, symbol: SymbolId, request: &OtoRequest, orders: u32) -> Result<(), Failure> {
    cx.check_counts(orders)?;
    let account = cx.caller.account;
    let id = cx.api.exchange.place_oto(cx.now_ms, account, symbol, request, &mut cx.api.batch)?;
    cx.count(orders);
    write_placed(cx, id)
}

fn place(cx: &mut Context<'_>, symbol: SymbolId, request: &OcoRequest) -> Result<(), Failure> {
    cx.check_counts(2)?;
    let account = cx.caller.account;
    let (id, _) = cx.api.exchange.place_oco(cx.now_ms, account, symbol, request, &mut cx.api.batch)?;
    cx.count(2);
    write_placed(cx, id)
}

/// Writes a list that was just placed. Orders that follow another are told as pending even where they are not any more.
pub(super) fn write_placed(cx: &mut Context<'_>, id: u64) -> Result<(), Failure> {
    let Some(list) = cx.api.exchange.list(id) else { return Ok(()) };
    let writer = Writer { exchange: &cx.api.exchange, of: cx.instrument(list.symbol)? };
    let detail = match cx.params.get("newOrderRespType") {
        Some("ACK") => Detail::Ack,
        Some("FULL") => Detail::Full,
        _ => Detail::Result,
    };
    let mut out = Vec::with_capacity(2_048);
    let mut json = Json(&mut out);
    writer.list_head(&mut json, id, &OrderList { done: false, ..*list });
    json.list_in("orderReports");
    for number in list.orders() {
        let reports = cx.api.batch.iter().filter_map(|event| match event {
            Event::Execution(report) if report.order.number == number => Some(report.order),
            _ => None,
        });
        let first = reports.into_iter().next();
        if let Some(pending) = first.filter(|order| order.status == OrderStatus::PendingNew) {
            writer.placed(&mut json, &pending, detail, &[]);
        } else if let Ok(order) = cx.api.exchange.order(list.account, list.symbol, number.into()) {
            writer.placed(&mut json, &order, detail, &cx.api.batch);
        }
    }
    json.end_list();
    json.end();
    cx.out.extend_from_slice(&out);
    Ok(())
}

/// The account's list of these ids.
fn find(cx: &Context<'_>, number: &str, name: &str) -> Result<(u64, OrderList), Failure> {
    let found = which(cx.params, number, name)?;
    let own = |list: &&OrderList| list.account == cx.caller.account;
    let hit = match (found.number, found.client_id) {
        (Some(id), _) => cx.api.exchange.list(id).filter(own).map(|list| (id, *list)),
        (None, Some(name)) => {
            let mut lists = cx.api.exchange.lists(cx.caller.account);
            lists.rfind(|(_, list)| list.client_id == name).map(|(id, list)| (id, *list))
        }
        (None, None) => None,
    };
    hit.ok_or_else(|| Failure::bad(-2018, "Order list does not exist."))
}

pub(super) fn cancel(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let unknown = || Failure::bad(-2011, "Unknown order list sent.");
    let found = match find(cx, "orderListId", "listClientOrderId") {
        Err(failure) if failure.code == -2018 => return Err(unknown()),
        found => found?,
    };
    let (id, list) = found;
    if list.done || list.symbol != symbol {
        return Err(unknown());
    }
    let first = list.orders().find(|number| {
        let order = cx.api.exchange.order(list.account, symbol, (*number).into());
        order.is_ok_and(|order| order.status.is_open())
    });
    let wanted = crate::venue::local::exchange::CancelRequest {
        client_id: client_id(cx.params, "newClientOrderId"),
        ..first.ok_or_else(unknown)?.into()
    };
    cx.api.exchange.cancel(cx.now_ms, cx.caller.account, symbol, &wanted, &mut cx.api.batch)?;
    let mut out = Vec::new();
    if let Some(list) = cx.api.exchange.list(id) {
        let writer = Writer { exchange: &cx.api.exchange, of: cx.instrument(symbol)? };
        writer.canceled_list(&mut Json(&mut out), id, list, &cx.api.batch);
    }
    cx.out.extend_from_slice(&out);
    Ok(())
}

fn write(cx: &Context<'_>, json: &mut Json<'_>, id: u64, list: &OrderList) -> Result<(), Failure> {
    let writer = Writer { exchange: &cx.api.exchange, of: cx.instrument(list.symbol)? };
    writer.list_head(json, id, list);
    json.end();
    Ok(())
}

pub(super) fn status(cx: &mut Context<'_>) -> Result<(), Failure> {
    let (id, list) = find(cx, "orderListId", "origClientOrderId")?;
    let mut out = Vec::new();
    write(cx, &mut Json(&mut out), id, &list)?;
    cx.out.extend_from_slice(&out);
    Ok(())
}

pub(super) fn open(cx: &mut Context<'_>) -> Result<(), Failure> {
    several(cx, |list| !list.done, None)
}

pub(super) fn all(cx: &mut Context<'_>) -> Result<(), Failure> {
    let page = Page::read(cx.params, 500)?;
    several(cx, |_| true, Some(page))
}

fn several(
    cx: &mut Context<'_>,
    wanted: impl Fn(&OrderList) -> bool,
    page: Option<Page>,
) -> Result<(), Failure> {
    let from = cx.params.long("fromId").unwrap_or(0);
    let lists = cx.api.exchange.lists(cx.caller.account);
    let mut found: Vec<(u64, OrderList)> =
        lists.filter(|(id, list)| *id >= from && wanted(list)).map(|(id, list)| (id, *list)).collect();
    if let Some(page) = page {
        found = page.cut(found, cx.params.get("fromId").is_some(), |(_, list)| list.created_ms);
    }
    let mut out = Vec::new();
    let mut json = Json(&mut out);
    json.list();
    for (id, list) in &found {
        write(cx, &mut json, *id, list)?;
    }
    json.end_list();
    cx.out.extend_from_slice(&out);
    Ok(())
}
