//! What an exchange tells of: the events of its accounts, in the venue's order.

use super::client_id::ClientId;
use super::funds::{AccountId, AssetId, Balance};
use super::lists::{ListKind, ListOrders};
use super::order::{ExecutionType, Order, StpMode, SymbolId, named};
use super::refusal::Refusal;
use crate::domain::{Price, Qty};

/// Something that an account learns of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is an execution: a box would be made for each"
)]
pub enum Event {
    /// An order changed.
    Execution(ExecutionReport),
    /// A list began, has an order of another name, or is over.
    List(ListState),
    /// Something came from outside, or went there.
    BalanceUpdate {
        /// Whose.
        account: AccountId,
        /// Of what.
        asset: AssetId,
        /// How much, in the asset's units; below zero for what went.
        amount: i128,
        /// When, ms since 1970.
        ms: u64,
    },
    /// Balances moved.
    Position(AccountPosition),
}

/// One change of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionReport {
    /// Rising over the whole exchange.
    pub id: u64,
    /// What happened.
    pub kind: ExecutionType,
    /// The order, as it is now.
    pub order: Order,
    /// The client id that this report goes by: of a cancel its own, otherwise the order's.
    pub client_id: ClientId,
    /// What the order was called before, of a cancel and an amendment.
    pub original_client_id: Option<ClientId>,
    /// When, ms since 1970.
    pub ms: u64,
    /// Of a trade.
    pub fill: Option<LastFill>,
    /// Of a trade that was prevented.
    pub prevention: Option<Prevention>,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// What an amended order was in all, before.
    pub qty_before: Option<Qty>,
    /// Whether the order is in the book.
    pub on_book: bool,
}

/// The trade that a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastFill {
    /// The trade's id, rising within its symbol.
    pub trade_id: u64,
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Whether the order rested.
    pub maker: bool,
    /// What the venue took for it.
    pub commission: Commission,
}

/// A commission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commission {
    /// In units of the asset.
    pub amount: i128,
    /// The asset that was received, or the one that commissions are taken in.
    pub asset: AssetId,
}

/// The trade that was prevented: the same in the reports of both orders, where both have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prevention {
    /// Rising over the whole exchange.
    pub match_id: u64,
    /// At which it would have been.
    pub price: Price,
    /// What was done about it: the taker's mode.
    pub mode: StpMode,
    /// The order that came.
    pub taker: Prevented,
    /// The order that rested.
    pub maker: Prevented,
}

/// One side of a trade that was prevented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prevented {
    /// Which order.
    pub order: u64,
    /// Whose.
    pub account: AccountId,
    /// By how much it became smaller; zero where it goes on as it was.
    pub qty: Qty,
}

impl Prevention {
    /// The side of this order, of which the report is, and the other.
    #[must_use]
    pub fn seen_by(&self, order: u64) -> (Prevented, Prevented) {
        if order == self.maker.order { (self.maker, self.taker) } else { (self.taker, self.maker) }
    }
}

/// A list of orders that depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListState {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub symbol: SymbolId,
    /// The venue's id.
    pub list: u64,
    /// The client's.
    pub client_id: ClientId,
    /// How its orders depend on each other.
    pub kind: ListKind,
    /// Its orders.
    pub orders: ListOrders,
    /// What happened to it.
    pub change: ListChange,
    /// When, ms since 1970.
    pub ms: u64,
}

named! {
    /// What happened to a list, by the venue's name of it (`listStatusType`).
    ListChange {
        /// It was placed.
        Started = "EXEC_STARTED",
        /// One of its orders has another client id.
        Updated = "UPDATED",
        /// All its orders are over.
        Done = "ALL_DONE",
    }
}

impl ListState {
    /// The venue's name for its kind.
    #[must_use]
    pub fn contingency(&self) -> &'static str {
        self.kind.contingency()
    }
}

/// Every balance of an account that a request moved, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPosition {
    /// Whose.
    pub account: AccountId,
    /// When, ms since 1970.
    pub ms: u64,
    /// In the order in which they first moved.
    pub balances: Vec<(AssetId, Balance)>,
}
