//! One request under way: the symbol, the funds and the events it writes to.
//!
//! Owns: the order in which a request's events are told, and ending orders. Invariant: an order that ends has nothing
//! locked, and ends the other order of its list.

use super::client_id::ClientId;
use super::event::{Event, ExecutionReport, LastFill, ListChange, ListState, Prevention};
use super::funds::Funds;
use super::lists::OrderList;
use super::market::Market;
use super::order::{ExecutionType, ExpiryReason, OrderStatus};
use super::place::ID_OF_CANCEL;
use super::refusal::Refusal;

/// Numbers that rise over the whole exchange.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub execution: u64,
    pub list: u64,
    pub prevention: u64,
}

pub(super) struct Batch<'a> {
    pub market: &'a mut Market,
    pub funds: &'a mut Funds,
    pub counters: &'a mut Counters,
    pub now_ms: u64,
    pub out: &'a mut Vec<Event>,
}

/// What else a report says.
#[derive(Default)]
pub(super) struct Details {
    pub fill: Option<LastFill>,
    pub prevention: Option<Prevention>,
    pub refusal: Option<Refusal>,
    pub original_client_id: Option<ClientId>,
    /// What an amended order was in all.
    pub qty_before: Option<crate::domain::Qty>,
    /// The report's id where it is not the order's.
    pub request_id: Option<ClientId>,
}

impl Batch<'_> {
    /// Tells of an order as it is now.
    pub fn report(&mut self, number: u64, kind: ExecutionType, details: Details) {
        let order = *self.market.order(number);
        self.counters.execution += 1;
        self.out.push(Event::Execution(ExecutionReport {
            id: self.counters.execution,
            kind,
            order,
            client_id: details.request_id.unwrap_or(order.client_id),
            original_client_id: details.original_client_id,
            ms: self.now_ms,
            fill: details.fill,
            prevention: details.prevention,
            refusal: details.refusal,
            qty_before: details.qty_before,
            on_book: self.market.engine.order(number).is_some(),
        }));
    }

    /// Locks just what the order needs by itself.
    pub fn relock(&mut self, number: u64) {
        let order = self.market.order(number);
        let leg = self.market.pays(order.side);
        self.lock(number, order.need().0 * leg.scale);
    }

    pub fn lock(&mut self, number: u64, amount: i128) {
        let order = self.market.order_mut(number);
        let (account, side, before) = (order.account, order.side, order.locked);
        order.locked = amount;
        self.funds.relock(account, self.market.pays(side).asset, before, amount);
    }

    /// Ends an open order, and says so.
    pub fn end(&mut self, number: u64, status: OrderStatus, expiry: Option<ExpiryReason>, details: Details) {
        self.close(number, status, expiry);
        let kind = match status {
            OrderStatus::Canceled => ExecutionType::Canceled,
            OrderStatus::ExpiredInMatch => ExecutionType::TradePrevention,
            OrderStatus::Rejected => ExecutionType::Rejected,
            _ => ExecutionType::Expired,
        };
        self.report(number, kind, details);
        self.end_sibling(number, OrderStatus::Expired);
        self.tell_list_done(number);
    }

    /// Puts an order's end into the tables, untold.
    pub fn close(&mut self, number: u64, status: OrderStatus, expiry: Option<ExpiryReason>) {
        let now_ms = self.now_ms;
        let order = self.market.order_mut(number);
        (order.status, order.expiry, order.updated_ms) = (status, expiry, now_ms);
        self.lock(number, 0);
        self.market.retire(number);
    }

    /// Ends the other orders of a list that are open; what they had locked together this one keeps by itself. An order
    /// that lets others go ends them only by its own end, and not by being filled.
    pub fn end_sibling(&mut self, number: u64, status: OrderStatus) {
        let order = self.market.order(number);
        let Some(list) = order.list.and_then(|id| self.market.lists.get(&id)) else { return };
        let legs = list.members;
        let works = list.working() == Some(number);
        let trades = order.status.is_open() && status == OrderStatus::Expired;
        if works && (trades || order.status == OrderStatus::Filled) {
            return;
        }
        let reason = if works { ExpiryReason::OtoPhaseOne } else { ExpiryReason::OcoTrigger };
        for &other in legs.as_slice().iter().filter(|other| **other != number) {
            if !self.market.is_open(other) {
                continue;
            }
            let expiry = (status == OrderStatus::Expired).then_some(reason);
            self.close(other, status, expiry);
            self.relock(number);
            let (kind, details) = if expiry.is_some() {
                (ExecutionType::Expired, Details::default())
            } else {
                (ExecutionType::Canceled, self.cancel_details(other, None))
            };
            self.report(other, kind, details);
        }
    }

    /// What the report of an order's cancel says: its own id, the venue's where it was given none, and the order's.
    pub fn cancel_details(&self, number: u64, id: Option<ClientId>) -> Details {
        let generated = || ClientId::generated(self.market.id.0, ID_OF_CANCEL, self.counters.execution);
        Details {
            request_id: Some(id.unwrap_or_else(generated)),
            original_client_id: Some(self.market.order(number).client_id),
            ..Details::default()
        }
    }

    /// Says that a list is over, once it is.
    pub fn tell_list_done(&mut self, number: u64) {
        let Some(id) = self.market.order(number).list else { return };
        let Some(list) = self.market.lists.get(&id).copied() else { return };
        if list.done || list.orders().any(|leg| self.market.is_open(leg)) {
            return;
        }
        self.market.retire_list(id, self.now_ms);
        self.tell_list(id, &list, ListChange::Done);
    }

    pub fn tell_list(&mut self, id: u64, list: &OrderList, change: ListChange) {
        let OrderList { account, symbol, client_id, kind, members, .. } = *list;
        let ms = self.now_ms;
        self.out.push(Event::List(ListState {
            account,
            symbol,
            list: id,
            client_id,
            kind,
            orders: members,
            change,
            ms,
        }));
    }

    /// The end of a request: orders whose price came are put to work, then every balance that moved is told.
    pub fn finish(&mut self) {
        while let Some(number) = self.market.triggers.next_due() {
            self.activate(number);
        }
        let positions = self.funds.positions(self.now_ms);
        self.out.extend(positions.into_iter().map(Event::Position));
    }
}
