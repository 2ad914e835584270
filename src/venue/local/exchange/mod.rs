//! An exchange in miniature: accounts, balances and orders on top of the matching engine.
//!
//! Owns: what an account holds and has locked, every order's life, commissions, stops that wait, order lists, and the
//! refusals in the venue's own words. Pure: no I/O, no clock (each call is given its time), no chance; the same calls
//! give the same events. It speaks in exact integers; text, keys and signatures are its callers' business.
//!
//! A request is one batch: it is refused whole, with a [`Refusal`] and nothing changed, or it happens whole, and its
//! [`Event`]s are in the order in which a venue sends them: each order's report when it happens, then for every account
//! whose balances moved one [`AccountPosition`].
//!
//! Invariants: an asset's balances and the commissions taken add up to what was deposited and what the crowd, who has no
//! account, brought in; nothing is ever below zero; what is locked is what the open orders need; no order trades worse
//! than its limit.

mod amend;
mod batch;
mod cancel;
mod client_id;
mod crowd;
mod event;
mod exchange_state;
mod filters;
mod funds;
mod lists;
mod market;
mod order;
mod oto;
mod place;
mod plan;
mod queries;
mod refusal;
mod request;
mod rules;
mod settle;
mod triggers;

pub use cancel::{CancelReplace, CancelReplaced, CancelRequest, CancelRestriction};
pub use client_id::ClientId;
pub use event::{
    AccountPosition, Commission, Event, ExecutionReport, LastFill, ListChange, ListState, Prevented,
    Prevention,
};
pub use exchange_state::{Exchange, ListingError};
pub use funds::{AccountId, AssetId, Balance, COMMISSION_DECIMALS};
pub use lists::{ListKind, ListOrders, OcoLeg, OcoRequest, OrderList};
pub use market::AccountTrade;
pub use order::{ExecutionType, ExpiryReason, Order, OrderStatus, OrderType, StpMode, SymbolId, Tag};
pub use oto::OtoRequest;
pub use refusal::{AmendProblem, Filter, OcoProblem, Refusal};
pub use request::{OrderRef, OrderRequest};
pub use rules::{PercentPrice, SymbolRules, SymbolStatus};
