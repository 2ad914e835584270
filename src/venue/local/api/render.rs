//! Orders, trades and lists as the venue's JSON has them.
//!
//! Owns: the members of each answer and their order.

use super::json::Json;
use crate::domain::{Instrument, TimeInForce};
use crate::venue::local::exchange::{
    AccountTrade, Event, Exchange, ExecutionType, Order, OrderList, Prevention,
};

/// How much an answer to a new order says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Ack,
    Result,
    Full,
}

pub(super) const fn tif(tif: TimeInForce) -> &'static str {
    match tif {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
    }
}

/// Writes of one symbol.
pub(super) struct Writer<'a> {
    pub exchange: &'a Exchange,
    pub of: &'a Instrument,
}

impl<'a> Writer<'a> {
    /// `None` where there is no such symbol.
    pub fn new(exchange: &'a Exchange, order: &Order) -> Option<Self> {
        Some(Self { exchange, of: &exchange.rules(order.symbol)?.instrument })
    }

    /// The answer to a new order. `batch` is what has happened since it came.
    pub fn placed(&self, json: &mut Json<'_>, order: &Order, detail: Detail, batch: &[Event]) {
        json.begin();
        self.ids(json, order, order.client_id.as_str());
        json.number("transactTime", order.created_ms.max(order.updated_ms));
        if detail != Detail::Ack {
            self.terms(json, order);
            self.conditionals(json, order);
            let working = order.working_ms.map_or(-1, i128::from);
            json.number("workingTime", working);
            json.text("selfTradePreventionMode", order.stp.label());
            self.expiry(json, order);
        }
        if detail == Detail::Full {
            self.fills(json, order, batch);
            self.preventions(json, order, batch);
        }
        json.end();
    }

    fn fills(&self, json: &mut Json<'_>, order: &Order, batch: &[Event]) {
        json.list_in("fills");
        for event in batch {
            let Event::Execution(report) = event else { continue };
            let (true, Some(fill)) = (report.order.number == order.number, report.fill) else { continue };
            let asset = fill.commission.asset;
            json.begin();
            json.decimal("price", fill.price.0, self.of.price_decimals);
            json.decimal("qty", fill.qty.0, self.of.qty_decimals);
            json.decimal("commission", fill.commission.amount, self.exchange.asset_decimals(asset));
            json.text("commissionAsset", self.exchange.asset_name(asset));
            json.number("tradeId", fill.trade_id);
            json.end();
        }
        json.end_list();
    }

    /// The trades that were prevented as this order came. Where only the makers expire, only they have reports.
    fn preventions(&self, json: &mut Json<'_>, order: &Order, batch: &[Event]) {
        let told = batch.iter().filter_map(|event| match event {
            Event::Execution(report) => report.prevention.filter(|of| of.taker.order == order.number),
            _ => None,
        });
        let mut told: Vec<Prevention> = told.collect();
        // One match, perhaps in two reports.
        told.dedup_by_key(|of| of.match_id);
        if told.is_empty() {
            return;
        }
        json.list_in("preventedMatches");
        for prevention in &told {
            json.begin();
            json.number("preventedMatchId", prevention.match_id);
            json.number("makerOrderId", prevention.maker.order);
            json.decimal("price", prevention.price.0, self.of.price_decimals);
            prevented_quantities(json, prevention, self.of);
            json.end();
        }
        json.end_list();
    }

    /// The answer to a cancel: `cancel_id` is the cancel's own, `original` what the order was called.
    pub fn canceled(&self, json: &mut Json<'_>, order: &Order, cancel_id: &str) {
        json.begin();
        json.text("symbol", &self.of.symbol);
        json.text("origClientOrderId", order.client_id.as_str());
        json.number("orderId", order.number);
        json.number("orderListId", list_id(order.list));
        json.text("clientOrderId", cancel_id);
        json.number("transactTime", order.updated_ms);
        self.terms(json, order);
        self.conditionals(json, order);
        json.text("selfTradePreventionMode", order.stp.label());
        self.expiry(json, order);
        json.end();
    }

    /// An order that was asked for.
    pub fn queried(&self, json: &mut Json<'_>, order: &Order) {
        json.begin();
        self.ids(json, order, order.shown_id().as_str());
        self.amounts(json, order);
        self.kind(json, order);
        json.decimal("stopPrice", order.stop_price.0, self.of.price_decimals);
        json.decimal("icebergQty", order.iceberg_qty.0, self.of.qty_decimals);
        json.number("time", order.created_ms);
        json.number("updateTime", order.updated_ms);
        json.flag("isWorking", order.working_ms.is_some());
        json.number("workingTime", order.working_ms.map_or(-1, i128::from));
        json.decimal("origQuoteOrderQty", order.quote_qty.0, self.of.notional_decimals());
        self.extras(json, order);
        json.text("selfTradePreventionMode", order.stp.label());
        self.expiry(json, order);
        json.end();
    }

    fn ids(&self, json: &mut Json<'_>, order: &Order, client_id: &str) {
        json.text("symbol", &self.of.symbol);
        json.number("orderId", order.number);
        json.number("orderListId", list_id(order.list));
        json.text("clientOrderId", client_id);
    }

    fn amounts(&self, json: &mut Json<'_>, order: &Order) {
        json.decimal("price", order.price.0, self.of.price_decimals);
        json.decimal("origQty", order.qty.0, self.of.qty_decimals);
        json.decimal("executedQty", order.executed.0, self.of.qty_decimals);
        json.decimal("cummulativeQuoteQty", order.executed_quote.0, self.of.notional_decimals());
    }

    fn kind(&self, json: &mut Json<'_>, order: &Order) {
        json.text("status", order.status.label());
        json.text("timeInForce", tif(order.tif));
        json.text("type", order.kind.label());
        json.text("side", side(order.side));
    }

    fn terms(&self, json: &mut Json<'_>, order: &Order) {
        json.decimal("price", order.price.0, self.of.price_decimals);
        json.decimal("origQty", order.qty.0, self.of.qty_decimals);
        json.decimal("executedQty", order.executed.0, self.of.qty_decimals);
        json.decimal("origQuoteOrderQty", order.quote_qty.0, self.of.notional_decimals());
        json.decimal("cummulativeQuoteQty", order.executed_quote.0, self.of.notional_decimals());
        self.kind(json, order);
    }

    fn conditionals(&self, json: &mut Json<'_>, order: &Order) {
        if order.stop_price.0 > 0 {
            json.decimal("stopPrice", order.stop_price.0, self.of.price_decimals);
        }
        if order.iceberg_qty.0 > 0 {
            json.decimal("icebergQty", order.iceberg_qty.0, self.of.qty_decimals);
        }
        self.extras(json, order);
    }

    fn extras(&self, json: &mut Json<'_>, order: &Order) {
        if let Some(delta) = order.trailing_delta {
            json.number("trailingDelta", delta);
            json.number("trailingTime", order.trailing_ms.map_or(-1, i128::from));
        }
        if let Some(id) = order.tag.strategy_id {
            json.number("strategyId", id);
        }
        if let Some(kind) = order.tag.strategy_type {
            json.number("strategyType", kind);
        }
        if order.prevented.0 > 0 {
            json.decimal("preventedQuantity", order.prevented.0, self.of.qty_decimals);
        }
    }

    fn expiry(&self, json: &mut Json<'_>, order: &Order) {
        if let Some(reason) = order.expiry {
            json.text("expiryReason", reason.label());
        }
    }

    /// A trade of an account.
    pub fn trade(&self, json: &mut Json<'_>, trade: &AccountTrade) {
        let asset = trade.commission.asset;
        json.begin();
        json.text("symbol", &self.of.symbol);
        json.number("id", trade.id);
        json.number("orderId", trade.order);
        json.number("orderListId", list_id(trade.list));
        json.decimal("price", trade.price.0, self.of.price_decimals);
        json.decimal("qty", trade.qty.0, self.of.qty_decimals);
        json.decimal("quoteQty", trade.quote.0, self.of.notional_decimals());
        json.decimal("commission", trade.commission.amount, self.exchange.asset_decimals(asset));
        json.text("commissionAsset", self.exchange.asset_name(asset));
        json.number("time", trade.ms);
        json.flag("isBuyer", trade.side == crate::domain::Side::Buy);
        json.flag("isMaker", trade.maker);
        json.flag("isBestMatch", true);
        json.end();
    }

    /// The members of a list, without its end.
    pub fn list_head(&self, json: &mut Json<'_>, id: u64, list: &OrderList) {
        let (kind, status) = if list.done { ("ALL_DONE", "ALL_DONE") } else { ("EXEC_STARTED", "EXECUTING") };
        json.begin();
        json.number("orderListId", id);
        json.text("contingencyType", list.contingency());
        json.text("listStatusType", kind);
        json.text("listOrderStatus", status);
        json.text("listClientOrderId", list.client_id.as_str());
        json.number("transactionTime", list.updated_ms);
        json.text("symbol", &self.of.symbol);
        json.list_in("orders");
        for number in list.orders() {
            let order = self.exchange.order(list.account, list.symbol, number.into());
            json.begin();
            json.text("symbol", &self.of.symbol);
            json.number("orderId", number);
            json.text("clientOrderId", order.as_ref().map_or("", |order| order.client_id.as_str()));
            json.end();
        }
        json.end_list();
    }

    /// A list that ended on request, with the report of each order. `batch` is what has happened.
    pub fn canceled_list(&self, json: &mut Json<'_>, id: u64, list: &OrderList, batch: &[Event]) {
        self.list_head(json, id, list);
        json.list_in("orderReports");
        let ended = |number: u64| {
            batch.iter().any(|event| {
                matches!(event, Event::Execution(report)
                    if report.order.number == number && report.kind == ExecutionType::Canceled)
            })
        };
        for number in list.orders().filter(|number| ended(*number)) {
            if let Ok(order) = self.exchange.order(list.account, list.symbol, number.into()) {
                self.canceled(json, &order, cancel_id(batch, &order));
            }
        }
        json.end_list();
        json.end();
    }
}

/// By how much the orders of a prevented trade became smaller, of those that did.
pub(super) fn prevented_quantities(json: &mut Json<'_>, prevention: &Prevention, of: &Instrument) {
    for (name, side) in
        [("takerPreventedQuantity", prevention.taker), ("makerPreventedQuantity", prevention.maker)]
    {
        if side.qty.0 > 0 {
            json.decimal(name, side.qty.0, of.qty_decimals);
        }
    }
}

/// The id of the cancel that ended an order.
pub(super) fn cancel_id<'a>(batch: &'a [Event], order: &'a Order) -> &'a str {
    let report = batch.iter().rev().find_map(|event| match event {
        Event::Execution(report)
            if report.order.number == order.number && report.kind == ExecutionType::Canceled =>
        {
            Some(report.client_id.as_str())
        }
        _ => None,
    });
    report.unwrap_or(order.client_id.as_str())
}

pub(super) const fn side(side: crate::domain::Side) -> &'static str {
    match side {
        crate::domain::Side::Buy => "BUY",
        crate::domain::Side::Sell => "SELL",
    }
}

pub(super) fn list_id(list: Option<u64>) -> i128 {
    list.map_or(-1, i128::from)
}
