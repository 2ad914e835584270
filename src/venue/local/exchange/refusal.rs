//! Refusals: the venue's codes and texts.
//!
//! Owns: every way in which a request can be refused. Invariant: [`Refusal`]'s text is the one that clients of the venue
//! know, and [`Refusal::code`] the number that goes with it.

use super::order::{OrderType, named};
use thiserror::Error;

named! {
    /// A rule of a symbol that an order did not pass.
    Filter {
        /// The price, or the stop price: its range and step.
        PriceFilter = "PRICE_FILTER",
        /// How far the price may be from the last one.
        PercentPriceBySide = "PERCENT_PRICE_BY_SIDE",
        /// The quantity: its range and step.
        LotSize = "LOT_SIZE",
        /// The same, of market orders.
        MarketLotSize = "MARKET_LOT_SIZE",
        /// By how much an order may trail the price.
        TrailingDelta = "TRAILING_DELTA",
        /// The worth.
        Notional = "NOTIONAL",
        /// How many parts an iceberg order shows.
        IcebergParts = "ICEBERG_PARTS",
        /// Open orders of an account.
        MaxNumOrders = "MAX_NUM_ORDERS",
        /// Open conditional orders of an account.
        MaxNumAlgoOrders = "MAX_NUM_ALGO_ORDERS",
        /// Open iceberg orders of an account.
        MaxNumIcebergOrders = "MAX_NUM_ICEBERG_ORDERS",
        /// Open order lists of an account.
        MaxNumOrderLists = "MAX_NUM_ORDER_LISTS",
        /// Amendments of one order.
        MaxNumOrderAmends = "MAX_NUM_ORDER_AMENDS",
        /// What an account may hold of the base asset, its open buys included.
        MaxPosition = "MAX_POSITION",
    }
}

/// Why an order cannot be amended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum AmendProblem {
    /// No such open order.
    #[error("Unknown order sent.")]
    UnknownOrder,
    /// Larger than it is.
    #[error("Order amend (quantity increase) is not supported.")]
    Increase,
    /// As it is.
    #[error("The requested action would change no state; rejecting")]
    NoChange,
    /// Another open order has the new client id.
    #[error("Duplicate order sent.")]
    Duplicate,
    /// Amended too often.
    #[error("Filter failure: MAX_NUM_ORDER_AMENDS")]
    TooOften,
}

/// Why two orders do not make an OCO list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum OcoProblem {
    /// A leg's type cannot be in a list.
    #[error("Invalid order type for an OCO leg.")]
    LegType,
    /// The limit leg of a buy is above.
    #[error("A limit order in a buy OCO must be below.")]
    BuyLimitAbove,
    /// The limit leg of a sell is below.
    #[error("A limit order in a sell OCO must be above.")]
    SellLimitBelow,
    /// Two limit legs.
    #[error("At least one OCO order must be contingent.")]
    BothLimit,
    /// The stop-loss leg of a buy is below.
    #[error("A stop loss order in a buy OCO must be above.")]
    BuyStopBelow,
    /// The stop-loss leg of a sell is above.
    #[error("A stop loss order in a sell OCO must be below.")]
    SellStopAbove,
    /// The take-profit leg of a buy is above.
    #[error("A take profit order in a buy OCO must be below.")]
    BuyProfitAbove,
    /// The take-profit leg of a sell is below.
    #[error("A take profit order in a sell OCO must be above.")]
    SellProfitBelow,
}

impl OcoProblem {
    const fn code(self) -> i32 {
        match self {
            Self::LegType => -1158,
            Self::BuyLimitAbove => -1165,
            Self::SellLimitBelow => -1166,
            Self::BothLimit => -1168,
            Self::BuyStopBelow => -1196,
            Self::SellStopAbove => -1197,
            Self::BuyProfitAbove => -1198,
            Self::SellProfitBelow => -1199,
        }
    }
}

/// Why a request was refused; its text is the venue's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Refusal {
    /// A parameter that its type needs.
    #[error("Mandatory parameter '{0}' was not sent, was empty/null, or malformed.")]
    Mandatory(&'static str),
    /// Neither id of an order.
    #[error("Param 'orderId' or 'origClientOrderId' must be sent, but both were empty/null!")]
    NoOrderId,
    /// A parameter that its type does not have.
    #[error("Parameter '{0}' sent when not required.")]
    NotRequired(&'static str),
    /// A time in force where the type has none.
    #[error("TimeInForce parameter sent when not required.")]
    TimeInForceNotRequired,
    /// No such account, or none that trades.
    #[error("This action is disabled on this account.")]
    UnknownAccount,
    /// No such symbol.
    #[error("Invalid symbol.")]
    InvalidSymbol,
    /// A rule of the symbol.
    #[error("Filter failure: {}", .0.label())]
    Filter(Filter),
    /// A self-trade-prevention mode that the symbol does not have.
    #[error("This symbol does not allow the specified self-trade prevention mode.")]
    StpNotAllowed,
    /// Things that do not go together.
    #[error("Unsupported order combination.")]
    UnsupportedCombination,
    /// A type that the symbol does not have.
    #[error("{} orders are not supported for this symbol.", spoken(*.0))]
    TypeNotSupported(OrderType),
    /// Orders that trail the price, where there are none.
    #[error("Trailing stop orders are not supported for this symbol.")]
    TrailingNotSupported,
    /// The symbol is not trading.
    #[error("Market is closed.")]
    MarketClosed,
    /// Another open order has this client id.
    #[error("Duplicate order sent.")]
    DuplicateOrder,
    /// Not enough free.
    #[error("Account has insufficient balance for requested action.")]
    InsufficientBalance,
    /// A stop price already passed.
    #[error("Order would trigger immediately.")]
    WouldTrigger,
    /// A maker that would take.
    #[error("Order would immediately match and take.")]
    WouldMatch,
    /// An iceberg that shows more than it is.
    #[error("IcebergQty exceeds QTY.")]
    IcebergExceedsQty,
    /// Nothing to trade with for an order by quote amount.
    #[error("Order book liquidity is less than `LOT_SIZE` filter minimum quantity.")]
    TooLittleLiquidity,
    /// Two orders that do not make a list.
    #[error(transparent)]
    Oco(OcoProblem),
    /// The prices of a list are in the wrong order.
    #[error("The relationship of the prices for the orders is not correct.")]
    OcoPrices,
    /// Nothing to cancel.
    #[error("Unknown order sent.")]
    UnknownOrder,
    /// The ids of a cancel do not agree.
    #[error("Cancel order is invalid. Check origClOrdId and orderId.")]
    CancelIdsDisagree,
    /// Not in the state in which it was to be cancelled.
    #[error("Order was not canceled due to cancel restrictions.")]
    CancelRestricted,
    /// Nothing to show.
    #[error("Order does not exist.")]
    NoSuchOrder,
    /// The ids of a query do not agree.
    #[error("Client order ID is not correct for this order ID.")]
    IdsDisagree,
    /// It cannot be amended.
    #[error(transparent)]
    Amend(AmendProblem),
}

impl Refusal {
    /// The venue's code.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Filter(filter) => match filter {
                Filter::MaxNumOrders
                | Filter::MaxNumAlgoOrders
                | Filter::MaxNumIcebergOrders
                | Filter::MaxNumOrderLists
                | Filter::MaxPosition => -2010,
                Filter::MaxNumOrderAmends => -2038,
                _ => -1013,
            },
            Self::StpNotAllowed => -1013,
            Self::UnsupportedCombination => -1014,
            Self::Mandatory(_) | Self::NoOrderId => -1102,
            Self::NotRequired(_) => -1106,
            Self::TimeInForceNotRequired => -1114,
            Self::InvalidSymbol => -1121,
            Self::Oco(problem) => problem.code(),
            Self::UnknownAccount
            | Self::TypeNotSupported(_)
            | Self::TrailingNotSupported
            | Self::MarketClosed
            | Self::DuplicateOrder
            | Self::InsufficientBalance
            | Self::WouldTrigger
            | Self::WouldMatch
            | Self::IcebergExceedsQty
            | Self::TooLittleLiquidity
            | Self::OcoPrices => -2010,
            Self::UnknownOrder | Self::CancelIdsDisagree | Self::CancelRestricted => -2011,
            Self::NoSuchOrder => -2013,
            Self::Amend(_) => -2038,
            Self::IdsDisagree => -2039,
        }
    }

    /// What a report of a refused order gives as its reason (`r`).
    #[must_use]
    pub const fn report_reason(self) -> &'static str {
        match self {
            Self::InsufficientBalance => "INSUFFICIENT_BALANCES",
            Self::WouldTrigger => "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
            Self::WouldMatch => "WOULD_MATCH_IMMEDIATELY",
            Self::OcoPrices => "OCO_BAD_PRICES",
            _ => "NONE",
        }
    }
}

const fn spoken(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Limit => "Limit",
        OrderType::LimitMaker => "Limit maker",
        OrderType::Market => "Market",
        OrderType::StopLoss => "Stop loss",
        OrderType::StopLossLimit => "Stop loss limit",
        OrderType::TakeProfit => "Take profit",
        OrderType::TakeProfitLimit => "Take profit limit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_texts_are_the_venues() {
        let cases = [
            (Refusal::Filter(Filter::LotSize), -1013, "Filter failure: LOT_SIZE"),
            (Refusal::Filter(Filter::MaxNumOrders), -2010, "Filter failure: MAX_NUM_ORDERS"),
            (Refusal::InsufficientBalance, -2010, "Account has insufficient balance for requested action."),
            (Refusal::UnknownOrder, -2011, "Unknown order sent."),
            (Refusal::NoSuchOrder, -2013, "Order does not exist."),
            (
                Refusal::TypeNotSupported(OrderType::StopLossLimit),
                -2010,
                "Stop loss limit orders are not supported for this symbol.",
            ),
            (
                Refusal::Amend(AmendProblem::Increase),
                -2038,
                "Order amend (quantity increase) is not supported.",
            ),
        ];
        for (refusal, code, text) in cases {
            assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, text));
        }
    }
}
