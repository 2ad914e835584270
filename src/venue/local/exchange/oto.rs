//! Lists whose first order lets the others go once it is filled (OTO), one or a pair (OTOCO).
//!
//! Owns: what may follow what, and what becomes of those that wait. Until then a follower is `PENDING_NEW`: it is known,
//! can be cancelled and amended, and has nothing locked. When the first order is filled whole, the followers are checked
//! against book and balance as new orders are, and work, or are rejected; when it ends in any other way, they expire. A
//! pair pays from one lock and ends one by the other, as in [`lists`](super::lists).

use super::batch::{Batch, Details};
use super::client_id::ClientId;
use super::event::ListChange;
use super::funds::AccountId;
use super::lists::{self, ListKind, ListOrders, OrderList};
use super::order::{ExecutionType, Order, OrderStatus, OrderType};
use super::place::ID_OF_LIST;
use super::plan::{crosses, has_free};
use super::refusal::Refusal;
use super::request::OrderRequest;

/// An order, and one or two that follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtoRequest {
    /// The one that works at once: `LIMIT` or `LIMIT_MAKER`.
    pub working: OrderRequest,
    /// The one that follows it; of a pair, the one above.
    pub pending: OrderRequest,
    /// The other of a pair, of the same side and quantity.
    pub below: Option<OrderRequest>,
    /// The client's id of the list.
    pub client_id: Option<ClientId>,
}

impl OtoRequest {
    fn orders(&self) -> impl Iterator<Item = &OrderRequest> {
        [&self.working, &self.pending].into_iter().chain(&self.below)
    }
}

impl Batch<'_> {
    /// Places an order and keeps those that follow it; returns the list's id.
    pub fn place_oto(&mut self, account: AccountId, oto: &OtoRequest) -> Result<u64, Refusal> {
        if !matches!(oto.working.kind, OrderType::Limit | OrderType::LimitMaker) {
            return Err(Refusal::UnsupportedCombination);
        }
        if let Some(below) = &oto.below {
            lists::check_types(oto.pending.side, oto.pending.kind, below.kind).map_err(Refusal::Oco)?;
        }
        let requests: Vec<&OrderRequest> = oto.orders().collect();
        self.check(account, &requests)?;
        // Where the price is then, nobody knows yet.
        if oto.below.is_some_and(|below| !lists::prices_are_apart(&oto.pending, &below, None)) {
            return Err(Refusal::OcoPrices);
        }
        self.check_ids(account, &requests)?;
        self.check_book(account, &oto.working)?;
        self.check_lists(account)?;
        let mut orders: Vec<Order> = requests.iter().map(|request| self.draft(account, request)).collect();
        self.check_funds(&mut orders[0])?;
        let numbers: Vec<u64> = orders.iter().map(|order| order.number).collect();
        self.counters.list += 1;
        let id = self.counters.list;
        let generated = || ClientId::generated(self.market.id.0, ID_OF_LIST, id);
        let list = OrderList {
            account,
            symbol: self.market.id,
            client_id: oto.client_id.unwrap_or_else(generated),
            kind: ListKind::Oto,
            members: ListOrders::of(&numbers),
            done: false,
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
        };
        self.market.lists.insert(id, list);
        for (at, order) in orders.iter_mut().enumerate() {
            order.list = Some(id);
            if at > 0 {
                (order.status, order.working_ms) = (OrderStatus::PendingNew, None);
            }
            self.market.add(*order);
        }
        self.relock(numbers[0]);
        self.tell_list(id, &list, ListChange::Started);
        for number in &numbers {
            self.report(*number, ExecutionType::New, Details::default());
        }
        self.work(numbers[0]);
        Ok(id)
    }

    /// Makes the followers of an order due, if it is filled and has any.
    pub(super) fn let_follow(&mut self, number: u64) {
        let order = self.market.order(number);
        let list = order.list.and_then(|id| self.market.lists.get(&id));
        let Some(list) = list.filter(|list| list.working() == Some(number)) else { return };
        if order.status == OrderStatus::Filled
            && let Some(&first) = list.members.as_slice().get(1)
        {
            self.market.triggers.push_due(first);
        }
    }

    /// Puts the followers in whose list this one is to work, or rejects them.
    pub(super) fn release(&mut self, number: u64) {
        let list = self.market.order(number).list.and_then(|id| self.market.lists.get(&id)).copied();
        let waits =
            |number: &u64| self.market.get(*number).is_some_and(|o| o.status == OrderStatus::PendingNew);
        let pending: Vec<u64> = list.iter().flat_map(|list| list.orders()).filter(waits).collect();
        if let Err(refusal) = self.check_release(&pending) {
            for number in &pending {
                self.close(*number, OrderStatus::Rejected, None);
                let details = Details { refusal: Some(refusal), ..Details::default() };
                self.report(*number, ExecutionType::Rejected, details);
            }
            return self.tell_list_done(number);
        }
        let now_ms = self.now_ms;
        for number in &pending {
            let order = self.market.order_mut(*number);
            (order.status, order.updated_ms) = (OrderStatus::New, now_ms);
            order.working_ms = (!order.kind.is_conditional()).then_some(now_ms);
        }
        let scale = self.market.pays(self.market.order(number).side).scale;
        let need = pending.iter().map(|number| self.market.order(*number).need().0).max().unwrap_or(0);
        self.lock(number, need * scale);
        for number in &pending {
            self.report(*number, ExecutionType::New, Details::default());
        }
        for number in pending {
            self.begin(number);
        }
    }

    /// What a new order would be refused for: a price already passed, or too little free.
    fn check_release(&self, pending: &[u64]) -> Result<(), Refusal> {
        let mut need = 0;
        for number in pending {
            let mut order = *self.market.order(*number);
            order.status = OrderStatus::New;
            if order.kind.is_conditional() && order.stop_price.0 > 0 {
                self.check_stop(order.kind, order.side, order.stop_price)?;
            }
            if order.kind == OrderType::LimitMaker && crosses(self.market, order.side, order.price) {
                return Err(Refusal::WouldMatch);
            }
            self.check_funds(&mut order)?;
            need = order.need().0.max(need);
            if !has_free(self.market, self.funds, order.account, order.side, need) {
                return Err(Refusal::InsufficientBalance);
            }
        }
        Ok(())
    }
}
