//! New orders: from parameters to the exchange and back.

use super::error::Failure;
use super::params::Params;
use super::render::{Detail, Writer};
use super::venue::Context;
use crate::domain::{Instrument, Notional, Price, Qty, Side, TimeInForce};
use crate::venue::local::exchange::{ClientId, Order, OrderRequest, OrderType, StpMode, SymbolId, Tag};
use std::borrow::Cow;

/// The least `strategyType`.
const STRATEGY_TYPE_MIN: u64 = 1_000_000;

impl Context<'_> {
    /// The symbol that the request is about.
    pub fn symbol(&self) -> Result<SymbolId, Failure> {
        let name = self.params.get("symbol").ok_or_else(|| Failure::mandatory("symbol"))?;
        self.api.exchange.symbol(name).ok_or_else(|| Failure::bad(-1121, "Invalid symbol."))
    }

    pub fn instrument(&self, symbol: SymbolId) -> Result<&Instrument, Failure> {
        let rules = self.api.exchange.rules(symbol);
        rules.map(|rules| &rules.instrument).ok_or_else(|| Failure::bad(-1121, "Invalid symbol."))
    }

    /// Whether so many more orders may be placed now.
    pub fn check_counts(&mut self, orders: u32) -> Result<(), Failure> {
        let counts = self.api.counts.get_mut(&self.caller.account);
        let Some((window, ends_ms)) = counts.and_then(|counts| counts.exceeded(self.now_ms, orders)) else {
            return Ok(());
        };
        let text = format!(
            "Too many new orders; current limit is {} orders per {} {}.",
            window.limit, window.number, window.interval
        );
        Err(Failure { retry_at_ms: Some(ends_ms), ..Failure::new(429, -1015, text) })
    }

    pub fn count(&mut self, orders: u32) {
        if let Some(counts) = self.api.counts.get_mut(&self.caller.account) {
            counts.add(self.now_ms, orders);
        }
    }
}

/// A parameter's name with the prefix of a leg.
pub(super) fn named(prefix: &str, name: &'static str) -> Cow<'static, str> {
    if prefix.is_empty() {
        return Cow::Borrowed(name);
    }
    let mut whole = String::with_capacity(prefix.len() + name.len());
    whole.push_str(prefix);
    whole.push_str(&name[..1].to_ascii_uppercase());
    whole.push_str(&name[1..]);
    Cow::Owned(whole)
}

pub(super) fn client_id(params: &Params, name: &str) -> Option<ClientId> {
    params.get(name).and_then(ClientId::new)
}

pub(super) fn side(params: &Params, name: &str) -> Result<Side, Failure> {
    match params.get(name) {
        Some("BUY") => Ok(Side::Buy),
        Some("SELL") => Ok(Side::Sell),
        _ => Err(Failure::mandatory(name)),
    }
}

pub(super) fn order_type(params: &Params, name: &str) -> Result<OrderType, Failure> {
    params.get(name).and_then(OrderType::from_label).ok_or_else(|| Failure::mandatory(name))
}

pub(super) fn time_in_force(params: &Params, name: &str) -> Option<TimeInForce> {
    match params.get(name)? {
        "IOC" => Some(TimeInForce::Ioc),
        "FOK" => Some(TimeInForce::Fok),
        _ => Some(TimeInForce::Gtc),
    }
}

pub(super) fn stp(params: &Params) -> Option<StpMode> {
    params.get("selfTradePreventionMode").and_then(StpMode::from_label)
}

pub(super) fn price(params: &Params, name: &str, of: &Instrument) -> Result<Option<Price>, Failure> {
    Ok(params.decimal(name, of.price_decimals)?.map(Price))
}

pub(super) fn qty(params: &Params, name: &str, of: &Instrument) -> Result<Option<Qty>, Failure> {
    Ok(params.decimal(name, of.qty_decimals)?.map(Qty))
}

/// An amount of the quote asset, of which the venue reads eight decimals.
fn amount(params: &Params, name: &str, of: &Instrument) -> Result<Option<Notional>, Failure> {
    let decimals = of.notional_decimals();
    let read = decimals.min(8);
    let units = params.decimal(name, read)?;
    Ok(units.map(|units| Notional(i128::from(units) * 10i128.pow(u32::from(decimals - read)))))
}

/// What a strategy calls itself.
pub(super) fn tag(params: &Params, prefix: &str) -> Result<Tag, Failure> {
    let name = named(prefix, "strategyType");
    let kind = params.long(&name);
    if kind.is_some_and(|kind| kind < STRATEGY_TYPE_MIN) {
        let text = "Strategy type was invalid. Strategy type should be greater than or equal to 1000000.";
        return Err(Failure::bad(-1134, text));
    }
    let strategy_type = kind.map(i32::try_from).transpose();
    let strategy_type = strategy_type.map_err(|_| Failure::overflowed(&name))?;
    let strategy_id = params.long(&named(prefix, "strategyId")).and_then(|id| i64::try_from(id).ok());
    Ok(Tag { strategy_id, strategy_type })
}

/// What the venue has and this one has not.
pub(super) fn unsupported(params: &Params, prefix: &str) -> Result<(), Failure> {
    let pegged = ["pegPriceType", "pegOffsetType", "pegOffsetValue"];
    if pegged.into_iter().any(|name| params.get(&named(prefix, name)).is_some()) {
        return Err(Failure::bad(-2010, "Pegged orders are not supported for this symbol."));
    }
    Ok(())
}

/// The order that the parameters describe.
pub(super) fn request(params: &Params, of: &Instrument) -> Result<OrderRequest, Failure> {
    unsupported(params, "")?;
    Ok(OrderRequest {
        side: side(params, "side")?,
        kind: order_type(params, "type")?,
        tif: time_in_force(params, "timeInForce"),
        qty: qty(params, "quantity", of)?,
        quote_qty: amount(params, "quoteOrderQty", of)?,
        price: price(params, "price", of)?,
        stop_price: price(params, "stopPrice", of)?,
        trailing_delta: trailing(params, "trailingDelta"),
        iceberg_qty: qty(params, "icebergQty", of)?,
        client_id: client_id(params, "newClientOrderId"),
        stp: stp(params),
        tag: tag(params, "")?,
    })
}

pub(super) fn trailing(params: &Params, name: &str) -> Option<u32> {
    params.long(name).map(|delta| u32::try_from(delta).unwrap_or(u32::MAX))
}

/// How much the answer is to say; where it is not asked, it depends on the order's type.
pub(super) fn detail(params: &Params, kind: OrderType) -> Detail {
    match (params.get("newOrderRespType"), kind) {
        (Some("ACK"), _) => Detail::Ack,
        (Some("RESULT"), _) => Detail::Result,
        (Some(_), _) | (None, OrderType::Limit | OrderType::Market) => Detail::Full,
        (None, _) => Detail::Ack,
    }
}

pub(super) fn place(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let request = request(cx.params, cx.instrument(symbol)?)?;
    cx.check_counts(1)?;
    let order = cx.api.exchange.place(cx.now_ms, cx.caller.account, symbol, &request, &mut cx.api.batch)?;
    cx.count(1);
    write_placed(cx, &order, detail(cx.params, request.kind));
    Ok(())
}

pub(super) fn write_placed(cx: &mut Context<'_>, order: &Order, detail: Detail) {
    let mut json = super::json::Json(cx.out);
    if let Some(writer) = Writer::new(&cx.api.exchange, order) {
        writer.placed(&mut json, order, detail, &cx.api.batch);
    }
}

pub(super) fn test_weight(params: &Params) -> u32 {
    if params.flag("computeCommissionRates") == Some(true) { 20 } else { 1 }
}

/// All that is checked of an order, and nothing done.
pub(super) fn test(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let request = request(cx.params, cx.instrument(symbol)?)?;
    cx.check_counts(1)?;
    cx.api.exchange.check(cx.now_ms, cx.caller.account, symbol, &request)?;
    if cx.params.flag("computeCommissionRates") != Some(true) {
        cx.out.extend_from_slice(b"{}");
        return Ok(());
    }
    let (maker, taker) = {
        let of = cx.instrument(symbol)?;
        (of.maker_fee.0, of.taker_fee.0)
    };
    let mut json = super::json::Json(cx.out);
    json.begin();
    for (name, maker, taker) in [
        ("standardCommissionForOrder", maker, taker),
        ("specialCommissionForOrder", 0, 0),
        ("taxCommissionForOrder", 0, 0),
    ] {
        json.begin_in(name);
        json.decimal("maker", maker, 8);
        json.decimal("taker", taker, 8);
        json.end();
    }
    super::account::no_discount(&mut json);
    json.end();
    Ok(())
}
