//! The venue's order-taking protocol, apart from any socket: what Binance's REST and WebSocket APIs take and answer.
//!
//! Owns: the table of operations, parameters, keys, signatures, times, weights and order counts, and the JSON of
//! answers and user events. On top of the `exchange`, below `serve`. Pure: bytes and time in, bytes out, so that a
//! simulator can drive a client against it without a socket.
//!
//! Facts: Binance's spot documentation as of 2026-07, and what clients were seen to rely on.

mod account;
mod account_file;
mod auth;
mod cancel;
mod counts;
mod error;
mod events;
mod history;
mod info;
mod json;
mod keys;
mod lists;
mod message;
mod mishap;
mod order;
pub(crate) mod params;
mod query;
mod render;
mod rest;
mod session;
mod table;
mod venue;
pub(crate) mod weights;

pub use account_file::{AccountFileError, DemoKey, demo_account, read_accounts};
pub(crate) use info::symbol_info;
pub use keys::{AccountOptions, KeyOptions, Permissions};
pub use mishap::{Aim, Mishap};
pub use rest::{RestReply, RestRequest};
pub use session::{MarketAnswer, MarketData, NoMarketData, Session};
pub use venue::{Api, ApiError, ApiSettings, Told};
pub use weights::WeightRules;
