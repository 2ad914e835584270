//! Lists of orders, and those of two of which one ends the other (OCO).
//!
//! Owns: which legs go together. The two pay from one lock: the larger of their needs.

use super::batch::{Batch, Details};
use super::client_id::ClientId;
use super::event::ListChange;
use super::funds::AccountId;
use super::order::{ExecutionType, OrderType, StpMode, SymbolId, Tag};
use super::place::ID_OF_LIST;
use super::plan::has_free;
use super::refusal::{Filter, OcoProblem, Refusal};
use super::request::OrderRequest;
use crate::domain::{Price, Qty, Side, TimeInForce};

/// How the orders of a list depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// One ends the other.
    Oco,
    /// The first lets the others go, of which, if they are two, one ends the other.
    Oto,
}

impl ListKind {
    /// The venue's name.
    #[must_use]
    pub const fn contingency(self) -> &'static str {
        match self {
            Self::Oco => "OCO",
            Self::Oto => "OTO",
        }
    }
}

/// The numbers of a list's orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListOrders {
    numbers: [u64; 3],
    len: u8,
}

impl ListOrders {
    pub(super) fn of(orders: &[u64]) -> Self {
        let mut numbers = [0; 3];
        let len = orders.len().min(3);
        numbers[..len].copy_from_slice(&orders[..len]);
        Self { numbers, len: len as u8 }
    }

    /// In the order in which they were placed.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        &self.numbers[..usize::from(self.len)]
    }
}

/// A list of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderList {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub symbol: SymbolId,
    /// The client's id.
    pub client_id: ClientId,
    /// How its orders depend on each other.
    pub kind: ListKind,
    /// The numbers of its orders.
    pub members: ListOrders,
    /// Whether all are over.
    pub done: bool,
    /// When it was taken in, ms since 1970.
    pub created_ms: u64,
    /// When it was taken in or was over.
    pub updated_ms: u64,
}

impl OrderList {
    /// The numbers of its orders.
    pub fn orders(&self) -> impl Iterator<Item = u64> + '_ {
        self.members.as_slice().iter().copied()
    }

    /// The order that lets the others go, where there is one.
    #[must_use]
    pub fn working(&self) -> Option<u64> {
        let first = self.members.as_slice().first().copied();
        first.filter(|_| self.kind == ListKind::Oto)
    }

    /// The orders that have their quantity and their lock in common with this one, itself among them.
    pub(super) fn in_common(&self, number: u64) -> Vec<u64> {
        let working = self.working();
        if working == Some(number) {
            return vec![number];
        }
        self.orders().filter(|other| Some(*other) != working).collect()
    }

    /// The venue's name for its kind.
    #[must_use]
    pub fn contingency(&self) -> &'static str {
        self.kind.contingency()
    }
}

/// One of the two orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcoLeg {
    /// `LIMIT_MAKER` or a conditional type.
    pub kind: OrderType,
    /// The limit.
    pub price: Option<Price>,
    /// The price it waits for.
    pub stop_price: Option<Price>,
    /// How far the last price must come back, in ten-thousandths.
    pub trailing_delta: Option<u32>,
    /// How long, for a conditional limit order.
    pub tif: Option<TimeInForce>,
    /// The most to show at once.
    pub iceberg_qty: Option<Qty>,
    /// The client's id.
    pub client_id: Option<ClientId>,
    /// What the client's strategy calls itself.
    pub tag: Tag,
}

impl OcoLeg {
    /// An order of this type with nothing else said.
    #[must_use]
    pub const fn new(kind: OrderType) -> Self {
        Self {
            kind,
            price: None,
            stop_price: None,
            trailing_delta: None,
            tif: None,
            iceberg_qty: None,
            client_id: None,
            tag: Tag::NONE,
        }
    }
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
            trailing_delta: leg.trailing_delta,
            client_id: leg.client_id,
            stp: self.stp,
            tag: leg.tag,
            ..OrderRequest::new(self.side, leg.kind, self.qty)
        }
    }
}

/// Whether an order above and one below go together.
pub(super) fn check_types(side: Side, above: OrderType, below: OrderType) -> Result<(), OcoProblem> {
    let legs = [above, below];
    if legs.iter().any(|kind| matches!(kind, OrderType::Limit | OrderType::Market)) {
        return Err(OcoProblem::LegType);
    }
    if legs == [OrderType::LimitMaker; 2] {
        return Err(OcoProblem::BothLimit);
    }
    // A sell takes profit above and stops its loss below; a buy the other way round.
    let (profit, stop) = if side == Side::Sell { (legs[0], legs[1]) } else { (legs[1], legs[0]) };
    match (side, profit.is_stop_loss(), stop.is_stop_loss(), stop) {
        (_, false, true, _) => Ok(()),
        (Side::Buy, _, false, OrderType::LimitMaker) => Err(OcoProblem::BuyLimitAbove),
        (Side::Sell, _, false, OrderType::LimitMaker) => Err(OcoProblem::SellLimitBelow),
        (Side::Buy, _, false, _) => Err(OcoProblem::BuyProfitAbove),
        (Side::Sell, _, false, _) => Err(OcoProblem::SellProfitBelow),
        (Side::Buy, true, true, _) => Err(OcoProblem::BuyStopBelow),
        (Side::Sell, true, true, _) => Err(OcoProblem::SellStopAbove),
    }
}

/// Whether one order is above the other, and the last price, where it counts, between them. What is compared is the limit
/// of a maker and the stop of the others; one that trails without a stop is anywhere.
pub(super) fn prices_are_apart(above: &OrderRequest, below: &OrderRequest, last: Option<Price>) -> bool {
    let at = |leg: &OrderRequest| if leg.kind == OrderType::LimitMaker { leg.price } else { leg.stop_price };
    let (above, below) = (at(above), at(below));
    let is_above = |one: Option<Price>, other: Option<Price>| one.zip(other).is_none_or(|(a, b)| a > b);
    is_above(above, below) && is_above(above, last) && is_above(last, below)
}

impl Batch<'_> {
    /// Places both orders, and says so; returns the list's id and theirs, the one above first.
    pub fn place_oco(&mut self, account: AccountId, oco: &OcoRequest) -> Result<(u64, [u64; 2]), Refusal> {
        check_types(oco.side, oco.above.kind, oco.below.kind).map_err(Refusal::Oco)?;
        let legs = [oco.leg(&oco.above), oco.leg(&oco.below)];
        self.check(account, &[&legs[0], &legs[1]])?;
        if !prices_are_apart(&legs[0], &legs[1], self.market.last) {
            return Err(Refusal::OcoPrices);
        }
        self.check_ids(account, &[&legs[0], &legs[1]])?;
        for leg in &legs {
            self.check_book(account, leg)?;
        }
        self.check_lists(account)?;
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
        let list = OrderList {
            account,
            symbol: self.market.id,
            client_id,
            kind: ListKind::Oco,
            members: ListOrders::of(&numbers),
            done: false,
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
        };
        self.market.lists.insert(id, list);
        for order in &mut orders {
            order.list = Some(id);
            self.market.add(*order);
        }
        self.lock(numbers[0], need.0 * self.market.pays(oco.side).scale);
        self.tell_list(id, &list, ListChange::Started);
        for number in numbers {
            self.report(number, ExecutionType::New, Details::default());
        }
        for number in numbers {
            self.begin(number);
        }
        Ok((id, numbers))
    }

    /// Whether the account may have one more list.
    pub fn check_lists(&self, account: AccountId) -> Result<(), Refusal> {
        let most = self.market.rules.max_order_lists;
        let mine = self.market.lists.values().filter(|list| list.account == account && !list.done);
        if most > 0 && mine.count() as u64 >= u64::from(most) {
            return Err(Refusal::Filter(Filter::MaxNumOrderLists));
        }
        Ok(())
    }

    /// Whether no id of a list's orders is in use, nor given twice.
    pub fn check_ids(&self, account: AccountId, orders: &[&OrderRequest]) -> Result<(), Refusal> {
        let ids: Vec<ClientId> = orders.iter().filter_map(|order| order.client_id).collect();
        let twice = (1..ids.len()).any(|at| ids[..at].contains(&ids[at]));
        if twice || ids.iter().any(|id| self.market.has_open(account, *id)) {
            return Err(Refusal::DuplicateOrder);
        }
        Ok(())
    }
}
