//! An order of an account: what was asked, what became of it.

use super::client_id::ClientId;
use super::funds::AccountId;
use crate::domain::{Notional, Price, Qty, Side, TimeInForce};

/// A symbol's index in its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(pub u16);

/// Makes an enum whose variants have names in the venue's protocol, one line each.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The venue's name of it.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// The one with this name.
            #[must_use]
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.label() == label)
            }
        }
    };
}
pub(super) use named;

named! {
    /// How an order is priced and when it starts to work.
    OrderType {
        /// At its price or better.
        Limit = "LIMIT",
        /// At its price, resting, or not at all.
        LimitMaker = "LIMIT_MAKER",
        /// At once, at whatever price.
        Market = "MARKET",
        /// A market order once the last price is at or past the stop price, against the order.
        StopLoss = "STOP_LOSS",
        /// A limit order once the last price is at or past the stop price, against the order.
        StopLossLimit = "STOP_LOSS_LIMIT",
        /// A market order once the last price is at or past the stop price, for the order.
        TakeProfit = "TAKE_PROFIT",
        /// A limit order once the last price is at or past the stop price, for the order.
        TakeProfitLimit = "TAKE_PROFIT_LIMIT",
    }
}

impl OrderType {
    /// Whether it has a limit price.
    #[must_use]
    pub const fn is_priced(self) -> bool {
        matches!(self, Self::Limit | Self::LimitMaker | Self::StopLossLimit | Self::TakeProfitLimit)
    }

    /// Whether it waits for a stop price.
    #[must_use]
    pub const fn is_conditional(self) -> bool {
        matches!(self, Self::StopLoss | Self::StopLossLimit | Self::TakeProfit | Self::TakeProfitLimit)
    }

    /// Whether it waits for a price that is against the order, rather than for it.
    pub(super) const fn is_stop_loss(self) -> bool {
        matches!(self, Self::StopLoss | Self::StopLossLimit)
    }

    /// Whether an order of this type and side triggers when the price rises to its stop, rather than falls.
    #[must_use]
    pub fn triggers_rising(self, side: Side) -> bool {
        self.is_stop_loss() == (side == Side::Buy)
    }
}

named! {
    /// What happens where an order would trade with one of the same account or trade group; the taker's decides.
    StpMode {
        /// It trades.
        None = "NONE",
        /// The resting order expires, the incoming one goes on.
        ExpireMaker = "EXPIRE_MAKER",
        /// The incoming order expires.
        ExpireTaker = "EXPIRE_TAKER",
        /// Both expire.
        ExpireBoth = "EXPIRE_BOTH",
        /// Both become smaller by what would have traded.
        Decrement = "DECREMENT",
        /// As DECREMENT; between two accounts that both say so, what would have traded changes hands without a trade.
        Transfer = "TRANSFER",
    }
}

named! {
    /// Where an order is in its life.
    OrderStatus {
        /// Nothing has traded.
        New = "NEW",
        /// Waits until the order before it in its list is filled.
        PendingNew = "PENDING_NEW",
        /// Something has traded.
        PartiallyFilled = "PARTIALLY_FILLED",
        /// All has traded.
        Filled = "FILLED",
        /// Ended on request.
        Canceled = "CANCELED",
        /// Refused after something else of the request was done.
        Rejected = "REJECTED",
        /// Ended by its own terms, or by the venue.
        Expired = "EXPIRED",
        /// Ended by self-trade prevention.
        ExpiredInMatch = "EXPIRED_IN_MATCH",
    }
}

named! {
    /// What a report is about.
    ExecutionType {
        /// Taken in; and, for one that waited for its stop price, put to work.
        New = "NEW",
        /// Ended on request.
        Canceled = "CANCELED",
        /// Made smaller on request.
        Replaced = "REPLACED",
        /// Refused.
        Rejected = "REJECTED",
        /// Traded.
        Trade = "TRADE",
        /// Ended by its own terms, or by the venue.
        Expired = "EXPIRED",
        /// Kept from trading with its own account.
        TradePrevention = "TRADE_PREVENTION",
    }
}

named! {
    /// Why an order expired.
    ExpiryReason {
        /// The venue could not keep it.
        ExchangeCanceled = "EXCHANGE_CANCELED",
        /// The other order of its list began.
        OcoTrigger = "OCO_TRIGGER",
        /// The order before it in its list ended without being filled.
        OtoPhaseOne = "OTO_PHASE_ONE_EXPIRED",
        /// An IOC order met no more to trade with.
        UnfilledIoc = "UNFILLED_IOC_QUANTITY_EXPIRED",
        /// A FOK order could not trade whole.
        UnfilledFok = "UNFILLED_FOK_ORDER_EXPIRED",
        /// A market order met no more to trade with, or could not pay for more.
        InsufficientLiquidity = "INSUFFICIENT_LIQUIDITY",
    }
}

impl OrderStatus {
    /// Whether the order can still do something.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PendingNew | Self::PartiallyFilled)
    }
}

/// What a client's strategy calls itself; the venue only gives it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tag {
    /// `strategyId`.
    pub strategy_id: Option<i64>,
    /// `strategyType`, a million at least.
    pub strategy_type: Option<i32>,
}

impl Tag {
    /// Nothing said.
    pub const NONE: Self = Self { strategy_id: None, strategy_type: None };
}

/// An order that an exchange has taken in. Prices, quantities and notionals are in units of its instrument; zero where
/// it has none. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The venue's id, rising within its symbol.
    pub number: u64,
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub symbol: SymbolId,
    /// The order list it belongs to.
    pub list: Option<u64>,
    /// The client's id.
    pub client_id: ClientId,
    /// The id that the client gave its cancel, which it is called by since.
    pub cancel_id: Option<ClientId>,
    /// Which way.
    pub side: Side,
    /// How priced.
    pub kind: OrderType,
    /// How long.
    pub tif: TimeInForce,
    /// Against trading with itself.
    pub stp: StpMode,
    /// The limit.
    pub price: Price,
    /// The price it waits for; of one that trails, from which on it does.
    pub stop_price: Price,
    /// How much; of an order for an amount of quote asset, what that amount came to.
    pub qty: Qty,
    /// How much of the quote asset to spend or receive.
    pub quote_qty: Notional,
    /// The most that is shown at once.
    pub iceberg_qty: Qty,
    /// Traded so far.
    pub executed: Qty,
    /// What that was worth.
    pub executed_quote: Notional,
    /// Kept from trading so far.
    pub prevented: Qty,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// Why it expired, if it did.
    pub expiry: Option<ExpiryReason>,
    /// When it was taken in.
    pub created_ms: u64,
    /// When it last changed.
    pub updated_ms: u64,
    /// Since when it works: trades, or rests in the book. A conditional order starts without.
    pub working_ms: Option<u64>,
    /// How far the last price must come back from its best, in ten-thousandths.
    pub trailing_delta: Option<u32>,
    /// Since when it trails the last price.
    pub trailing_ms: Option<u64>,
    /// What the client's strategy calls itself.
    pub tag: Tag,
    /// How often it was amended.
    pub amends: u32,
    /// What it has locked, in units of the asset it pays with.
    pub(super) locked: i128,
}

impl Order {
    /// The id it is shown by.
    #[must_use]
    pub fn shown_id(&self) -> ClientId {
        self.cancel_id.unwrap_or(self.client_id)
    }

    /// Whether it goes by this id: one that was cancelled under another is found by both.
    #[must_use]
    pub fn is_called(&self, id: ClientId) -> bool {
        self.client_id == id || self.cancel_id == Some(id)
    }

    /// What can still trade.
    #[must_use]
    pub fn remaining(&self) -> Qty {
        Qty(self.qty.0 - self.executed.0 - self.prevented.0)
    }

    /// Whether it trades at whatever price once it works.
    #[must_use]
    pub fn is_market(&self) -> bool {
        !self.kind.is_priced()
    }

    /// What it has locked now, in units of the asset it pays with (base for a sell, quote for a buy).
    #[must_use]
    pub fn locked(&self) -> i128 {
        self.locked
    }

    /// What it must keep locked, by itself: quantity for a sell, notional for a buy. Nothing once it is over, while it
    /// waits for the order before it in its list, nor while a market order works, which pays as it goes. A buy that waits
    /// without a limit keeps its worth at the stop price; one that trails from the start has none, and keeps nothing.
    #[must_use]
    pub fn need(&self) -> Notional {
        let open = self.status.is_open() && self.status != OrderStatus::PendingNew;
        if !open || (self.is_market() && self.working_ms.is_some()) {
            return Notional::ZERO;
        }
        match self.side {
            Side::Sell => Notional(i128::from(self.remaining().0)),
            Side::Buy if self.kind.is_priced() => self.price.times(self.remaining()),
            Side::Buy => self.stop_price.times(self.remaining()),
        }
    }
}
