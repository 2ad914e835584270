//! The vocabulary of trading: exact numbers, instruments, orders, and the 64-byte event.
//!
//! Owns: the meaning of a price, a quantity, an order's life. Imports nothing from the rest of the crate, does no
//! I/O, reads no clock. Invariant: money is exact; a price of one instrument is never compared with another's
//! without going through the instrument.

pub mod ahead;
pub mod asset;
pub mod bars;
pub mod contradiction;
pub mod decimal;
pub mod event;
pub mod ids;
pub mod instrument;
pub mod kept;
pub mod kill;
pub mod ledger;
pub mod lots;
pub mod measure;
pub mod missed;
pub mod number;
pub mod order;
pub mod pair;
pub mod params;
pub mod pause;
pub mod performance;
pub mod pnl;
pub mod reason;
pub mod refusal;
pub mod slot;
pub mod time;
pub mod wallet;

pub use ahead::{Column, KnownValues, Passed, Stretch};
pub use asset::AssetCode;
pub use bars::{Bar, BarColumns, BarTable, TimedBar};
pub use decimal::DecimalError;
pub use event::Event;
pub use ids::{ClientOrderId, InstrumentId, OrderId, StrategyId};
pub use instrument::{Instrument, InstrumentTable, Market};
pub use kill::{Kill, Scope, VenueId};
pub use ledger::Position;
pub use lots::Lots;
pub use measure::{Binds, Measure, Subject};
pub use number::{Level, Notional, Price, Qty};
pub use order::{Extras, Order, OrderKind, OrderStatus, Side, TimeInForce};
pub use pause::{PausedBy, Pauses};
pub use reason::{DenyReason, PlaceError};
pub use refusal::Refused;
pub use slot::Slot;
pub use time::Time;
pub use wallet::{StartingBalance, Wallets};
