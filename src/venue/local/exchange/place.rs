//! New orders.

use super::batch::{Batch, Details};
use super::client_id::ClientId;
use super::filters::check_counts;
use super::funds::AccountId;
use super::order::{ExecutionType, Order, OrderStatus, OrderType};
use super::plan::{End, Plan, crosses, has_free};
use super::refusal::Refusal;
use super::request::OrderRequest;
use super::rules::SymbolStatus;
use crate::domain::{Notional, Price, Qty, Side, TimeInForce};

/// Purposes of generated client ids.
pub(super) const ID_OF_ORDER: u64 = 0;
pub(super) const ID_OF_CANCEL: u64 = 1;
pub(super) const ID_OF_AMEND: u64 = 2;
pub(super) const ID_OF_LIST: u64 = 3;

impl Batch<'_> {
    /// All that is checked of a new order before the balances: its symbol, shape, filters and counts.
    pub fn check(&self, account: AccountId, requests: &[&OrderRequest]) -> Result<(), Refusal> {
        if self.market.rules.status != SymbolStatus::Trading {
            return Err(Refusal::MarketClosed);
        }
        for request in requests {
            self.market.rules.check(request, self.market.last)?;
        }
        let held = self.funds.balance(account, self.market.base.asset);
        let held = held.free.saturating_add(held.locked) / self.market.base.scale;
        check_counts(self.market, account, requests, held)
    }

    /// What the book says of a checked order that is about to be taken in.
    pub fn check_book(&self, account: AccountId, request: &OrderRequest) -> Result<(), Refusal> {
        if request.client_id.is_some_and(|id| self.market.has_open(account, id)) {
            return Err(Refusal::DuplicateOrder);
        }
        if let Some(stop) = request.stop_price {
            self.check_stop(request.kind, request.side, stop)?;
        }
        let price = request.price.unwrap_or_default();
        if request.kind == OrderType::LimitMaker && crosses(self.market, request.side, price) {
            return Err(Refusal::WouldMatch);
        }
        Ok(())
    }

    /// Whether a stop price is still to come.
    pub fn check_stop(&self, kind: OrderType, side: Side, stop: Price) -> Result<(), Refusal> {
        let Some(last) = self.market.last else { return Ok(()) };
        let passed = if kind.triggers_rising(side) { last >= stop } else { last <= stop };
        if passed { Err(Refusal::WouldTrigger) } else { Ok(()) }
    }

    /// The order that a checked request makes, with the next number and nothing locked.
    pub fn draft(&mut self, account: AccountId, request: &OrderRequest) -> Order {
        let number = self.market.engine.take_number();
        let generated = || ClientId::generated(self.market.id.0, ID_OF_ORDER, number);
        Order {
            number,
            account,
            symbol: self.market.id,
            list: None,
            client_id: request.client_id.unwrap_or_else(generated),
            cancel_id: None,
            side: request.side,
            kind: request.kind,
            tif: request.tif.unwrap_or(TimeInForce::Gtc),
            stp: request.stp.unwrap_or(self.market.rules.stp_default),
            price: request.price.unwrap_or_default(),
            stop_price: request.stop_price.unwrap_or_default(),
            qty: request.qty.unwrap_or(self.market.rules.market_max_qty),
            quote_qty: request.quote_qty.unwrap_or_default(),
            iceberg_qty: request.iceberg_qty.unwrap_or_default(),
            executed: Qty::ZERO,
            executed_quote: Notional::ZERO,
            prevented: Qty::ZERO,
            status: OrderStatus::New,
            expiry: None,
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
            working_ms: (!request.kind.is_conditional()).then_some(self.now_ms),
            trailing_delta: request.trailing_delta,
            trailing_ms: None,
            tag: request.tag,
            amends: 0,
            locked: 0,
        }
    }

    /// Takes in a new order that has passed [`check`](Self::check).
    pub fn place(&mut self, account: AccountId, request: &OrderRequest) -> Result<u64, Refusal> {
        self.check_book(account, request)?;
        let mut order = self.draft(account, request);
        self.check_funds(&mut order)?;
        let number = order.number;
        self.market.add(order);
        self.relock(number);
        self.report(number, ExecutionType::New, Details::default());
        self.begin(number);
        Ok(number)
    }

    /// Whether the account can pay; an order for an amount gets its quantity here.
    pub fn check_funds(&self, order: &mut Order) -> Result<(), Refusal> {
        let (account, side) = (order.account, order.side);
        let free = |units| has_free(self.market, self.funds, account, side, units);
        let affordable = if order.kind != OrderType::Market {
            free(order.need().0)
        } else if order.quote_qty.0 > 0 {
            let plan = Plan::of(self.market, self.funds, order, Some(order.quote_qty.0));
            order.qty = Qty(plan.traded + plan.prevented + plan.unmet);
            let rules = &self.market.rules.instrument;
            let unpriced = plan.steps.is_empty() && plan.end == End::NoLiquidity;
            if unpriced || order.qty < rules.min_qty || order.qty == Qty::ZERO {
                return Err(Refusal::TooLittleLiquidity);
            }
            free(if side == Side::Buy { order.quote_qty.0 } else { order.qty.0.into() })
        } else if side == Side::Buy {
            free(Plan::of(self.market, self.funds, order, None).worth)
        } else {
            free(order.qty.0.into())
        };
        if affordable { Ok(()) } else { Err(Refusal::InsufficientBalance) }
    }

    /// Tells of an order that was refused after something else of its request was done.
    pub fn report_refused(&mut self, account: AccountId, request: &OrderRequest, refusal: Refusal) {
        let mut order = self.draft(account, request);
        order.status = OrderStatus::Rejected;
        order.working_ms = None;
        self.counters.execution += 1;
        self.out.push(super::Event::Execution(super::ExecutionReport {
            id: self.counters.execution,
            kind: ExecutionType::Rejected,
            order,
            client_id: order.client_id,
            original_client_id: None,
            ms: self.now_ms,
            fill: None,
            prevention: None,
            refusal: Some(refusal),
            qty_before: None,
            on_book: false,
        }));
    }
}
