//! Lists of two orders of which one ends the other (OCO).
//!
//! Owns: which legs go together. The two pay from one lock: the larger of their needs.

use super::batch::{Batch, Details};
use super::client_id::ClientId;
use super::funds::AccountId;
use super::market::List;
use super::order::{ExecutionType, OrderType, StpMode};
use super::place::ID_OF_LIST;
use super::plan::has_free;
use super::refusal::{Filter, OcoProblem, Refusal};
use super::request::OrderRequest;
use crate::domain::{Price, Qty, Side, TimeInForce};

/// One of the two orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcoLeg {
    /// `LIMIT_MAKER` or a conditional type.
    pub kind: OrderType,
    /// The limit.
    pub price: Option<Price>,
    /// The price it waits for.
    pub stop_price: Option<Price>,
    /// How long, for a conditional limit order.
    pub tif: Option<TimeInForce>,
    /// The most to show at once.
    pub iceberg_qty: Option<Qty>,
    /// The client's id.
    pub client_id: Option<ClientId>,
}

/// Two orders of one quantity, one above the last price and one below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcoRequest {
    /// Which way both go.
    pub side: Side,
    /// How much each.
    pub qty: Qty,
    /// The one above.
    pub above: OcoLeg,
    /// The one below.
    pub below: OcoLeg,
    /// The client's id of the list.
    pub client_id: Option<ClientId>,
    /// Against trading with itself.
    pub stp: Option<StpMode>,
}

impl OcoRequest {
    fn leg(&self, leg: &OcoLeg) -> OrderRequest {
        OrderRequest {
            tif: leg.tif,
            price: leg.price,
            stop_price: leg.stop_price,
            iceberg_qty: leg.iceberg_qty,
            client_id: leg.client_id,
            stp: self.stp,
            ..OrderRequest::new(self.side, leg.kind, self.qty)
        }
    }

    fn check_types(&self) -> Result<(), OcoProblem> {
        let legs = [self.above.kind, self.below.kind];
        if legs.iter().any(|kind| matches!(kind, OrderType::Limit | OrderType::Market)) {
            return Err(OcoProblem::LegType);
        }
        if legs == [OrderType::LimitMaker; 2] {
            return Err(OcoProblem::BothLimit);
        }
        // A sell takes profit above and stops its loss below; a buy the other way round.
        let (profit, stop) = if self.side == Side::Sell { (legs[0], legs[1]) } else { (legs[1], legs[0]) };
        match (self.side, profit.is_stop_loss(), stop.is_stop_loss(), stop) {
            (_, false, true, _) => Ok(()),
            (Side::Buy, _, false, OrderType::LimitMaker) => Err(OcoProblem::BuyLimitAbove),
            (Side::Sell, _, false, OrderType::LimitMaker) => Err(OcoProblem::SellLimitBelow),
            (Side::Buy, _, false, _) => Err(OcoProblem::BuyProfitAbove),
            (Side::Sell, _, false, _) => Err(OcoProblem::SellProfitBelow),
            (Side::Buy, true, true, _) => Err(OcoProblem::BuyStopBelow),
            (Side::Sell, true, true, _) => Err(OcoProblem::SellStopAbove),
        }
    }

    /// What a leg is compared by: the limit of a maker, the stop of the others.
    fn prices_are_apart(&self, last: Option<Price>) -> bool {
        let at = |leg: &OcoLeg| if leg.kind == OrderType::LimitMaker { leg.price } else { leg.stop_price };
        let (above, below) = (at(&self.above), at(&self.below));
        above > below && last.is_none_or(|last| above > Some(last) && below < Some(last))
    }
}

impl Batch<'_> {
    /// Places both orders, and says so; returns the list's id and theirs, the one above first.
    pub fn place_oco(&mut self, account: AccountId, oco: &OcoRequest) -> Result<(u64, [u64; 2]), Refusal> {
        oco.check_types().map_err(Refusal::Oco)?;
        let legs = [oco.leg(&oco.above), oco.leg(&oco.below)];
        self.check(account, &[&legs[0], &legs[1]])?;
        if !oco.prices_are_apart(self.market.last) {
            return Err(Refusal::OcoPrices);
        }
        if legs[0].client_id.is_some() && legs[0].client_id == legs[1].client_id {
            return Err(Refusal::DuplicateOrder);
        }
        for leg in &legs {
            self.check_book(account, leg)?;
        }
        let most = self.market.rules.max_order_lists;
        let mine = self.market.lists.values().filter(|list| list.account == account);
        if most > 0 && mine.count() as u64 >= u64::from(most) {
            return Err(Refusal::Filter(Filter::MaxNumOrderLists));
        }
        let mut orders = [self.draft(account, &legs[0]), self.draft(account, &legs[1])];
        let need = orders[0].need().max(orders[1].need());
        if !has_free(self.market, self.funds, account, oco.side, need.0) {
            return Err(Refusal::InsufficientBalance);
        }
        self.counters.list += 1;
        let id = self.counters.list;
        let numbers = orders.map(|order| order.number);
        let generated = || ClientId::generated(self.market.id.0, ID_OF_LIST, id);
        let client_id = oco.client_id.unwrap_or_else(generated);
        self.market.lists.insert(id, List { account, client_id, orders: numbers });
        for order in &mut orders {
            order.list = Some(id);
            self.market.add(*order);
        }
        self.lock(numbers[0], need.0 * self.market.pays(oco.side).scale);
        self.tell_list(numbers[0], id, client_id, numbers, false);
        for number in numbers {
            self.report(number, ExecutionType::New, Details::default());
        }
        for order in orders {
            if order.working_ms.is_some() {
                // A maker that does not cross: it rests.
                self.work(order.number);
            } else {
                let rising = order.kind.triggers_rising(order.side);
                self.market.triggers.wait(order.number, order.stop_price.0, rising);
            }
        }
        Ok((id, numbers))
    }
}
