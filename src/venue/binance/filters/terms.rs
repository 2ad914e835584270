//! What is judged: an order's terms as the venue sees them, and what it is judged by.

use crate::domain::{Notional, Order, OrderKind, Price, Qty, Side};

/// The venue's order types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum OrderType {
    /// At the limit or better.
    Limit,
    /// At the limit, resting, or not at all.
    LimitMaker,
    /// At once, at whatever price.
    Market,
    /// A market order once the price has got as bad as the stop.
    StopLoss,
    /// A limit order once the price has got as bad as the stop.
    StopLossLimit,
    /// A market order once the price has got as good as the stop.
    TakeProfit,
    /// A limit order once the price has got as good as the stop.
    TakeProfitLimit,
}

impl OrderType {
    /// Every type.
    pub const ALL: [OrderType; 7] = [
        OrderType::Limit,
        OrderType::LimitMaker,
        OrderType::Market,
        OrderType::StopLoss,
        OrderType::StopLossLimit,
        OrderType::TakeProfit,
        OrderType::TakeProfitLimit,
    ];

    /// The name as the venue spells it: `STOP_LOSS_LIMIT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OrderType::Limit => "LIMIT",
            OrderType::LimitMaker => "LIMIT_MAKER",
            OrderType::Market => "MARKET",
            OrderType::StopLoss => "STOP_LOSS",
            OrderType::StopLossLimit => "STOP_LOSS_LIMIT",
            OrderType::TakeProfit => "TAKE_PROFIT",
            OrderType::TakeProfitLimit => "TAKE_PROFIT_LIMIT",
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it has a limit price.
    #[inline]
    #[must_use]
    pub const fn has_limit(self) -> bool {
        !matches!(self, OrderType::Market | OrderType::StopLoss | OrderType::TakeProfit)
    }

    /// Whether it waits for a stop price; the venue counts those as algorithmic orders.
    #[inline]
    #[must_use]
    pub const fn is_algo(self) -> bool {
        !matches!(self, OrderType::Limit | OrderType::LimitMaker | OrderType::Market)
    }

    /// Whether an order of this type and side is triggered by a price that rises.
    #[must_use]
    pub const fn triggers_above(self, side: Side) -> bool {
        let stop_loss = matches!(self, OrderType::StopLoss | OrderType::StopLossLimit);
        matches!(side, Side::Buy) == stop_loss
    }
}

impl From<OrderKind> for OrderType {
    #[inline]
    fn from(kind: OrderKind) -> Self {
        match kind {
            OrderKind::Market => OrderType::Market,
            OrderKind::Limit => OrderType::Limit,
            OrderKind::PostOnly => OrderType::LimitMaker,
            OrderKind::Stop => OrderType::StopLoss,
            OrderKind::StopLimit => OrderType::StopLossLimit,
            OrderKind::TakeProfit => OrderType::TakeProfit,
            OrderKind::TakeProfitLimit => OrderType::TakeProfitLimit,
        }
    }
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Of the base asset: `quantity`.
    Base(Qty),
    /// For so much of the quote asset, market orders only: `quoteOrderQty`. The venue makes whole lots of it.
    Quote(Notional),
}

/// An order's terms, as far as filters go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Which way.
    pub side: Side,
    /// The venue's type.
    pub kind: OrderType,
    /// How much.
    pub size: Size,
    /// The limit, of a type that has one; otherwise not looked at.
    pub price: Option<Price>,
    /// The price that a pegged order would have now; held to the same filters as `price`, beside it.
    pub pegged_price: Option<Price>,
    /// What triggers a stop or take-profit order.
    pub stop_price: Option<Price>,
    /// How far a trailing stop trails, in hundredths of a per cent.
    pub trailing_delta: Option<u32>,
    /// The part of an iceberg that shows; `None` or zero where all of it does.
    pub iceberg_qty: Option<Qty>,
}

impl Terms {
    /// Terms without extras.
    #[must_use]
    pub const fn new(side: Side, kind: OrderType, size: Size, price: Option<Price>) -> Self {
        Self {
            side,
            kind,
            size,
            price,
            pegged_price: None,
            stop_price: None,
            trailing_delta: None,
            iceberg_qty: None,
        }
    }

    /// Whether part of it is hidden.
    #[inline]
    #[must_use]
    pub fn is_iceberg(&self) -> bool {
        self.iceberg_qty.is_some_and(|qty| qty != Qty::ZERO)
    }

    /// The limit prices that filters bind: given and pegged, of a type that has a limit.
    #[inline]
    pub(super) fn limit_prices(&self) -> impl Iterator<Item = Price> {
        let has_limit = self.kind.has_limit();
        [self.price, self.pegged_price].into_iter().flatten().filter(move |_| has_limit)
    }
}

impl From<&Order> for Terms {
    fn from(order: &Order) -> Self {
        let extras = &order.extras;
        let price = order.kind.has_limit().then_some(order.price);
        Terms {
            stop_price: (extras.stop_price.0 != 0).then_some(extras.stop_price),
            trailing_delta: (extras.trailing_bps != 0).then_some(u32::from(extras.trailing_bps)),
            iceberg_qty: (extras.iceberg_qty.0 != 0).then_some(extras.iceberg_qty),
            ..Terms::new(order.side, order.kind.into(), Size::Base(order.qty), price)
        }
    }
}

/// What is known of the market's prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MarketState {
    /// The venue's reference price, where the symbol has one.
    pub reference: Option<Price>,
    /// The average price of the filter's minutes, as `avgPrice` gives it.
    pub average: Option<Price>,
    /// The last trade's price.
    pub last: Option<Price>,
}

impl MarketState {
    /// The price that a filter with an average over `minutes` measures from: the reference price where there is one,
    /// otherwise the average, or the last price where the filter's minutes are zero.
    #[must_use]
    pub fn reference_for(&self, minutes: u32) -> Option<Price> {
        self.reference.or(if minutes == 0 { self.last } else { self.average })
    }
}

/// What is open already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenCounts {
    /// Orders of every kind, those of lists included.
    pub orders: u32,
    /// Stop and take-profit orders.
    pub algo: u32,
    /// Icebergs.
    pub iceberg: u32,
    /// Order lists.
    pub lists: u32,
}

/// What is known of the account, without the order that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountState {
    /// Open on this symbol.
    pub symbol: OpenCounts,
    /// Open on the whole exchange.
    pub exchange: OpenCounts,
    /// The base asset held, free and locked, in units of quantity.
    pub base_held: i128,
    /// Quantity of all open buy orders on this symbol.
    pub open_buys: i128,
}
