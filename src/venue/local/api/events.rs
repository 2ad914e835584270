//! User events: what an account is told, as JSON without its envelope.
//!
//! Owns: the members of `executionReport`, `outboundAccountPosition`, `balanceUpdate` and `listStatus`.

use super::json::Json;
use super::render::{list_id, side, tif};
use super::venue::{Api, Told};
use crate::domain::Instrument;
use crate::venue::local::exchange::{Event, ExecutionReport, ExecutionType, ListChange, ListState};

/// What an event says, and to whom; `None` where its symbol is gone.
pub(super) fn told(api: &Api, event: &Event, now_ms: u64) -> Option<Told> {
    let mut out = Vec::with_capacity(640);
    let mut json = Json(&mut out);
    json.begin();
    let account = match event {
        Event::Execution(report) => {
            execution(api, &mut json, report, now_ms)?;
            report.order.account
        }
        Event::List(list) => {
            list_status(api, &mut json, list, now_ms)?;
            list.account
        }
        Event::BalanceUpdate { account, asset, amount, ms } => {
            json.text("e", "balanceUpdate");
            json.number("E", now_ms);
            json.text("a", api.exchange.asset_name(*asset));
            json.decimal("d", *amount, api.exchange.asset_decimals(*asset));
            json.number("T", *ms);
            *account
        }
        Event::Position(position) => {
            json.text("e", "outboundAccountPosition");
            json.number("E", now_ms);
            json.number("u", position.ms);
            json.list_in("B");
            for (asset, balance) in &position.balances {
                let (balance, decimals) = balance.printed(api.exchange.asset_decimals(*asset));
                json.begin();
                json.text("a", api.exchange.asset_name(*asset));
                json.decimal("f", balance.free, decimals);
                json.decimal("l", balance.locked, decimals);
                json.end();
            }
            json.end_list();
            position.account
        }
    };
    json.end();
    Some(Told { account, json: out })
}

fn execution(api: &Api, json: &mut Json<'_>, report: &ExecutionReport, now_ms: u64) -> Option<()> {
    let order = &report.order;
    let of = &api.exchange.rules(order.symbol)?.instrument;
    let (price, qty, notional) = (of.price_decimals, of.qty_decimals, of.notional_decimals());
    let fill = report.fill;
    json.text("e", "executionReport");
    json.number("E", now_ms);
    json.text("s", &of.symbol);
    json.text("c", report.client_id.as_str());
    json.text("S", side(order.side));
    json.text("o", order.kind.label());
    json.text("f", tif(order.tif));
    json.decimal("q", order.qty.0, qty);
    json.decimal("p", order.price.0, price);
    json.decimal("P", order.stop_price.0, price);
    json.decimal("F", order.iceberg_qty.0, qty);
    json.number("g", list_id(order.list));
    json.text("C", report.original_client_id.as_ref().map_or("", |id| id.as_str()));
    json.text("x", report.kind.label());
    json.text("X", order.status.label());
    json.text("r", report.refusal.map_or("NONE", |refusal| refusal.report_reason()));
    json.number("i", order.number);
    json.decimal("l", fill.map_or(0, |fill| fill.qty.0), qty);
    json.decimal("z", order.executed.0, qty);
    json.decimal("L", fill.map_or(0, |fill| fill.price.0), price);
    match fill.map(|fill| fill.commission).filter(|commission| commission.amount != 0) {
        Some(commission) => {
            json.decimal("n", commission.amount, api.exchange.asset_decimals(commission.asset));
            json.text("N", api.exchange.asset_name(commission.asset));
        }
        None => {
            json.text("n", "0");
            json.raw("N", b"null");
        }
    }
    json.number("T", report.ms);
    json.number("t", fill.map_or(-1, |fill| i128::from(fill.trade_id)));
    json.number("I", report.id);
    // An order is told as new before it is matched, and so before it is in the book.
    let works = report.kind == ExecutionType::New && order.working_ms.is_some();
    json.flag("w", works || report.on_book);
    json.flag("m", fill.is_some_and(|fill| fill.maker));
    json.flag("M", fill.is_some());
    json.number("O", order.created_ms);
    json.decimal("Z", order.executed_quote.0, notional);
    json.decimal("Y", fill.map_or(0, |fill| fill.price.times(fill.qty).0), notional);
    json.decimal("Q", order.quote_qty.0, notional);
    if let Some(ms) = order.working_ms {
        json.number("W", ms);
    }
    json.text("V", order.stp.label());
    extras(api, json, report, of);
    Some(())
}

/// What only some reports have.
fn extras(api: &Api, json: &mut Json<'_>, report: &ExecutionReport, of: &Instrument) {
    let order = &report.order;
    if let Some(delta) = order.trailing_delta {
        json.number("d", delta);
        json.number("D", order.trailing_ms.map_or(-1, i128::from));
    }
    if let Some(id) = order.tag.strategy_id {
        json.number("j", id);
    }
    if let Some(kind) = order.tag.strategy_type {
        json.number("J", kind);
    }
    if let Some(prevention) = report.prevention {
        let (own, counter) = prevention.seen_by(order.number);
        json.number("v", prevention.match_id);
        json.decimal("A", order.prevented.0, of.qty_decimals);
        json.decimal("B", own.qty.0, of.qty_decimals);
        json.number("u", api.group(order.account).map_or(-1, i128::from));
        json.number("U", counter.order);
        json.text("Cs", &of.symbol);
        json.decimal("pl", own.qty.0, of.qty_decimals);
        json.decimal("pL", prevention.price.0, of.price_decimals);
        json.decimal("pY", prevention.price.times(own.qty).0, of.notional_decimals());
    }
    if let (ExecutionType::Expired, Some(reason)) = (report.kind, order.expiry) {
        json.text("eR", reason.label());
    }
}

fn list_status(api: &Api, json: &mut Json<'_>, list: &ListState, now_ms: u64) -> Option<()> {
    let symbol = &api.exchange.rules(list.symbol)?.instrument.symbol;
    let kind = list.change.label();
    let status = if list.change == ListChange::Done { "ALL_DONE" } else { "EXECUTING" };
    json.text("e", "listStatus");
    json.number("E", now_ms);
    json.text("s", symbol);
    json.number("g", list.list);
    json.text("c", list.contingency());
    json.text("l", kind);
    json.text("L", status);
    json.text("r", "NONE");
    json.text("C", list.client_id.as_str());
    json.number("T", list.ms);
    json.list_in("O");
    for &number in list.orders.as_slice() {
        let order = api.exchange.order(list.account, list.symbol, number.into());
        json.begin();
        json.text("s", symbol);
        json.number("i", number);
        json.text("c", order.as_ref().map_or("", |order| order.client_id.as_str()));
        json.end();
    }
    json.end_list();
    Some(())
}
