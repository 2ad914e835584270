//! Making an order smaller without its losing its place.

use super::batch::{Batch, Details};
use super::client_id::ClientId;
use super::event::ListChange;
use super::funds::AccountId;
use super::order::{ExecutionType, Order};
use super::place::ID_OF_AMEND;
use super::refusal::{AmendProblem, Filter, Refusal};
use super::request::OrderRef;
use super::rules::SymbolStatus;
use crate::domain::Qty;

impl Batch<'_> {
    /// Makes an open order, and the other of a pair, `qty` in all. What has traded must be less than that.
    pub fn amend(
        &mut self,
        account: AccountId,
        which: OrderRef,
        qty: Qty,
        client_id: Option<ClientId>,
    ) -> Result<u64, Refusal> {
        if !matches!(self.market.rules.status, SymbolStatus::Trading | SymbolStatus::CancelOnly) {
            return Err(Refusal::MarketClosed);
        }
        let found = self.find(account, which, Refusal::IdsDisagree)?;
        let unknown = Refusal::Amend(AmendProblem::UnknownOrder);
        let order = found.filter(|order| order.status.is_open()).ok_or(unknown)?;
        self.check_amend(&order, qty, client_id)?;
        let legs =
            order.list.and_then(|id| self.market.lists.get(&id)).map(|list| list.in_common(order.number));
        let mut numbers: Vec<u64> = legs.unwrap_or_else(|| vec![order.number]);
        // The other of a pair may have ended so long ago that it was forgotten: its list is kept while this one is open.
        numbers.retain(|number| self.market.is_open(*number));
        for number in &numbers {
            self.resize(*number, qty);
        }
        let need = numbers.iter().map(|number| self.market.order(*number).need().0).max().unwrap_or(0);
        let scale = self.market.pays(order.side).scale;
        for (at, number) in numbers.iter().enumerate() {
            self.lock(*number, if at == 0 { need * scale } else { 0 });
        }
        let generated = || ClientId::generated(self.market.id.0, ID_OF_AMEND, self.counters.execution);
        let client_id = client_id.unwrap_or_else(generated);
        self.market.rename(order.number, client_id);
        for number in numbers {
            let original_client_id = Some(if number == order.number {
                order.client_id
            } else {
                self.market.order(number).client_id
            });
            let details = Details { original_client_id, qty_before: Some(order.qty), ..Details::default() };
            self.report(number, ExecutionType::Replaced, details);
        }
        let list = order.list.filter(|_| client_id != order.client_id);
        if let Some((id, list)) = list.and_then(|id| Some((id, *self.market.lists.get(&id)?))) {
            self.tell_list(id, &list, ListChange::Updated);
        }
        Ok(order.number)
    }

    fn check_amend(&self, order: &Order, qty: Qty, client_id: Option<ClientId>) -> Result<(), Refusal> {
        let refuse = |problem| Err(Refusal::Amend(problem));
        if qty == order.qty {
            return refuse(AmendProblem::NoChange);
        }
        if qty > order.qty {
            return refuse(AmendProblem::Increase);
        }
        let taken = |id: ClientId| id != order.client_id && self.market.has_open(order.account, id);
        if client_id.is_some_and(taken) {
            return refuse(AmendProblem::Duplicate);
        }
        let rules = &self.market.rules;
        if rules.max_amends > 0 && order.amends >= rules.max_amends {
            return Err(Refusal::Filter(Filter::MaxNumOrderAmends));
        }
        rules.check_qty(qty, false)?;
        let prices = [order.price, order.stop_price, self.market.last.unwrap_or_default()];
        let price = prices.into_iter().find(|price| price.0 > 0);
        if price.is_some_and(|price| price.times(qty) < rules.instrument.min_notional) {
            return Err(Refusal::Filter(Filter::Notional));
        }
        // What is already over cannot be taken back; an amendment to just that would be a cancel.
        if qty.0 <= order.executed.0 + order.prevented.0 {
            return refuse(AmendProblem::NoChange);
        }
        Ok(())
    }

    fn resize(&mut self, number: u64, qty: Qty) {
        let now_ms = self.now_ms;
        let order = self.market.order_mut(number);
        (order.qty, order.updated_ms) = (qty, now_ms);
        order.amends += 1;
        let remaining = order.remaining();
        // Of an iceberg order what is hidden goes first.
        if let Some(resting) = self.market.engine.order(number).filter(|resting| resting.leaves > remaining) {
            let by = Qty(resting.leaves.0 - remaining.0);
            self.market.engine.reduce(number, by, &mut Vec::new());
        }
    }
}
