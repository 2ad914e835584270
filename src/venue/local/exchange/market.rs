//! One symbol of an exchange: its book, its orders open and over, its trades.
//!
//! Owns: the indices by which orders are found. Moves no money and tells nobody. Invariant: an order is in `open` exactly
//! while its status is open; what the engine shows of it is at most what remains of it.

use super::client_id::ClientId;
use super::crowd::Shown;
use super::event::Commission;
use super::funds::{AccountId, AssetId};
use super::lists::OrderList;
use super::order::{Order, SymbolId};
use super::rules::SymbolRules;
use super::triggers::Triggers;
use crate::domain::{Notional, Price, Qty, Side};
use crate::venue::local::engine::{MatchingEngine, RejectReason, RestingOrder};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// One side of one trade, as its account sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountTrade {
    /// The trade's id, rising within its symbol.
    pub id: u64,
    /// Whose.
    pub account: AccountId,
    /// Of which order.
    pub order: u64,
    /// The list of that order.
    pub list: Option<u64>,
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// What that was worth.
    pub quote: Notional,
    /// What the venue took for it.
    pub commission: Commission,
    /// When, ms since 1970.
    pub ms: u64,
    /// Which way.
    pub side: Side,
    /// Whether the order rested.
    pub maker: bool,
}

/// An asset of a symbol, and what a unit of quantity or notional is in units of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leg {
    pub asset: AssetId,
    pub scale: i128,
}

#[derive(Debug)]
pub(super) struct Market {
    pub id: SymbolId,
    pub rules: SymbolRules,
    pub engine: MatchingEngine,
    pub base: Leg,
    pub quote: Leg,
    pub last: Option<Price>,
    pub triggers: Triggers,
    pub lists: BTreeMap<u64, OrderList>,
    pub trades: VecDeque<AccountTrade>,
    /// What the crowd shows, bids and asks.
    pub crowd: [Shown; 2],
    orders: BTreeMap<u64, Order>,
    open: BTreeSet<(AccountId, u64)>,
    by_client_id: HashMap<(AccountId, ClientId), u64>,
    over: VecDeque<u64>,
    lists_over: VecDeque<u64>,
}

impl Market {
    pub fn new(id: SymbolId, rules: SymbolRules, base: Leg, quote: Leg) -> Self {
        Self {
            id,
            engine: MatchingEngine::new(rules.instrument.tick, rules.instrument.lot),
            rules,
            base,
            quote,
            last: None,
            triggers: Triggers::default(),
            lists: BTreeMap::new(),
            trades: VecDeque::new(),
            crowd: [Shown::new(), Shown::new()],
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            by_client_id: HashMap::new(),
            over: VecDeque::new(),
            lists_over: VecDeque::new(),
        }
    }

    /// The asset that an order of this side pays with.
    pub fn pays(&self, side: Side) -> Leg {
        if side == Side::Buy { self.quote } else { self.base }
    }

    pub fn get(&self, number: u64) -> Option<&Order> {
        self.orders.get(&number)
    }

    /// An order that this market has just been asked for by its number.
    ///
    /// # Panics
    /// If there is none: numbers come from the engine, from what waits and from `open` alone. One that comes from a list may
    /// be of an order that is over and forgotten; ask [`get`](Self::get) or [`is_open`](Self::is_open) of it.
    pub fn order(&self, number: u64) -> &Order {
        self.orders.get(&number).expect("orders that rest, wait or match are kept")
    }

    /// [`order`](Self::order), to change.
    pub fn order_mut(&mut self, number: u64) -> &mut Order {
        self.orders.get_mut(&number).expect("orders that rest, wait or match are kept")
    }

    pub fn is_open(&self, number: u64) -> bool {
        self.get(number).is_some_and(|order| order.status.is_open())
    }

    pub fn by_client_id(&self, account: AccountId, id: ClientId) -> Option<&Order> {
        self.orders.get(self.by_client_id.get(&(account, id))?)
    }

    /// Whether an open order of the account has this client id.
    pub fn has_open(&self, account: AccountId, id: ClientId) -> bool {
        self.by_client_id(account, id).is_some_and(|order| order.status.is_open())
    }

    /// The account's open orders, oldest first.
    pub fn open_of(&self, account: AccountId) -> impl Iterator<Item = &Order> + '_ {
        self.open.range((account, 0)..=(account, u64::MAX)).map(|(_, number)| self.order(*number))
    }

    /// The account's orders from this number on, open and over.
    pub fn all_of(&self, account: AccountId, from: u64) -> impl Iterator<Item = &Order> + '_ {
        self.orders.range(from..).map(|(_, order)| order).filter(move |order| order.account == account)
    }

    /// Keeps a new order that is open.
    pub fn add(&mut self, order: Order) {
        self.open.insert((order.account, order.number));
        self.by_client_id.insert((order.account, order.client_id), order.number);
        self.orders.insert(order.number, order);
    }

    pub fn rename(&mut self, number: u64, id: ClientId) {
        let order = self.order_mut(number);
        let (account, before) = (order.account, std::mem::replace(&mut order.client_id, id));
        self.by_client_id.remove(&(account, before));
        self.by_client_id.insert((account, id), number);
    }

    /// Calls an order by its cancel's id; it is still found by its own. An open order of that id keeps it.
    pub fn name_cancel(&mut self, number: u64, id: ClientId) {
        let order = self.order_mut(number);
        let account = order.account;
        order.cancel_id = Some(id);
        if !self.has_open(account, id) {
            self.by_client_id.insert((account, id), number);
        }
    }

    /// Takes an order that has ended out of the book and out of what waits; forgets the oldest that are over.
    pub fn retire(&mut self, number: u64) {
        let order = *self.order(number);
        if self.engine.order(number).is_some() {
            self.engine.cancel(number, &mut Vec::new());
        }
        self.triggers.forget(number, order.stop_price.0);
        self.open.remove(&(order.account, number));
        self.over.push_back(number);
    }

    /// Marks a list whose orders are all over.
    pub fn retire_list(&mut self, id: u64, now_ms: u64) {
        if let Some(list) = self.lists.get_mut(&id) {
            (list.done, list.updated_ms) = (true, now_ms);
            self.lists_over.push_back(id);
        }
    }

    /// Forgets the oldest orders, lists and trades beyond what is kept. Only between requests: a request, and its answer, still
    /// look at the orders that it ended.
    pub fn forget_old(&mut self) {
        while self.over.len() > self.rules.history_max {
            let Some(order) = self.over.pop_front().and_then(|number| self.orders.remove(&number)) else {
                continue;
            };
            for id in [order.client_id, order.shown_id()] {
                let key = (order.account, id);
                if self.by_client_id.get(&key) == Some(&order.number) {
                    self.by_client_id.remove(&key);
                }
            }
        }
        while self.lists_over.len() > self.rules.history_max {
            if let Some(id) = self.lists_over.pop_front() {
                self.lists.remove(&id);
            }
        }
        while self.trades.len() > self.rules.history_max {
            self.trades.pop_front();
        }
    }

    /// Shows what remains of an order, or its next part, at the end of its price's queue.
    pub fn show(&mut self, number: u64) -> Result<(), RejectReason> {
        let order = self.order(number);
        let most = if order.iceberg_qty.0 > 0 { order.iceberg_qty } else { order.remaining() };
        let resting = RestingOrder {
            order: number,
            account: order.account.0,
            side: order.side,
            price: order.price,
            leaves: most.min(order.remaining()),
        };
        self.engine.place(&resting)
    }
}
