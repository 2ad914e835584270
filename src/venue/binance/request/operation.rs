//! What is asked of the venue, and which parameters say it.

use super::super::filters::OrderType;
use super::{Name, Params, RequestError, SelfTradeMode};
use crate::domain::{ClientOrderId, Instrument, Market, Order, OrderKind, Side, TimeInForce};

/// Which order a question is about.
#[derive(Debug, Clone, Copy)]
pub enum OrderRef<'a> {
    /// By the id that we gave it.
    Client(&'a ClientOrderId),
    /// By the venue's number; the fastest for it.
    Venue(u64),
}

/// An order of a list, and its id.
pub type Leg<'a> = (&'a Order, &'a ClientOrderId);

/// A request of the spot account.
#[derive(Debug, Clone, Copy)]
pub enum Request<'a> {
    /// Places an order; the answer says no more than that it was taken, fills come by the user stream.
    Place {
        /// The order; its quantity and, unless it is a market order, its price are positive.
        order: &'a Order,
        /// Its instrument.
        instrument: &'a Instrument,
        /// Its id.
        client_id: &'a ClientOrderId,
        /// What is done where it would meet an order of our own; the symbol's own mode where none is named.
        self_trade: Option<SelfTradeMode>,
    },
    /// Places two orders as one list, of which one cancels the other (OCO): a target and a stop for the same quantity on
    /// the same side. The list's own id is that of its first order.
    PlacePair {
        /// The two, with their ids.
        legs: [Leg<'a>; 2],
        /// Their instrument.
        instrument: &'a Instrument,
        /// What is done where one would meet an order of our own; the symbol's own mode where none is named.
        self_trade: Option<SelfTradeMode>,
    },
    /// Has an order checked as [`Place`](Self::Place) would be, and not placed.
    Test {
        /// The order.
        order: &'a Order,
        /// Its instrument.
        instrument: &'a Instrument,
        /// Its id.
        client_id: &'a ClientOrderId,
    },
    /// Cancels an order.
    Cancel {
        /// Its instrument.
        instrument: &'a Instrument,
        /// Which.
        order: OrderRef<'a>,
    },
    /// Cancels all orders of an instrument.
    CancelAll {
        /// The instrument.
        instrument: &'a Instrument,
    },
    /// Asks how an order stands.
    Status {
        /// Its instrument.
        instrument: &'a Instrument,
        /// Which.
        order: OrderRef<'a>,
    },
    /// Asks for the open orders of an instrument, or of all, which weighs 80 instead of 6.
    OpenOrders {
        /// The instrument; all where none is named.
        instrument: Option<&'a Instrument>,
    },
    /// Asks for the balances.
    Account {
        /// Leaves out assets of which there is nothing.
        omit_zero: bool,
    },
    /// Asks for the account's trades in an instrument, from a trade id onwards.
    Trades {
        /// The instrument.
        instrument: &'a Instrument,
        /// Those of one order alone, by the venue's number; weighs 5 instead of 20.
        order_id: Option<u64>,
        /// The first trade's id; the latest trades where none is given.
        from_id: Option<u64>,
        /// How many, 1 to 1000; the venue's 500 where none is given.
        limit: Option<u16>,
    },
    /// Asks how many orders were placed in the intervals that the venue limits.
    OrderCounts,
    /// Logs the WebSocket session on; its later requests go unsigned.
    Logon,
}

impl Request<'_> {
    /// The method's name on the WebSocket API.
    #[inline]
    #[must_use]
    pub const fn ws_method(&self) -> &'static str {
        match self {
            Self::Place { .. } => "order.place",
            Self::PlacePair { .. } => "orderList.place.oco",
            Self::Test { .. } => "order.test",
            Self::Cancel { .. } => "order.cancel",
            Self::CancelAll { .. } => "openOrders.cancelAll",
            Self::Status { .. } => "order.status",
            Self::OpenOrders { .. } => "openOrders.status",
            Self::Account { .. } => "account.status",
            Self::Trades { .. } => "myTrades",
            Self::OrderCounts => "account.rateLimits.orders",
            Self::Logon => "session.logon",
        }
    }

    /// The HTTP method and the path on the REST API; none for what only a session has.
    #[must_use]
    pub const fn rest(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Place { .. } => ("POST", "/api/v3/order"),
            Self::PlacePair { .. } => ("POST", "/api/v3/orderList/oco"),
            Self::Test { .. } => ("POST", "/api/v3/order/test"),
            Self::Cancel { .. } => ("DELETE", "/api/v3/order"),
            Self::CancelAll { .. } => ("DELETE", "/api/v3/openOrders"),
            Self::Status { .. } => ("GET", "/api/v3/order"),
            Self::OpenOrders { .. } => ("GET", "/api/v3/openOrders"),
            Self::Account { .. } => ("GET", "/api/v3/account"),
            Self::Trades { .. } => ("GET", "/api/v3/myTrades"),
            Self::OrderCounts => ("GET", "/api/v3/rateLimit/order"),
            Self::Logon => return None,
        })
    }

    /// Writes the parameters, but for key, time and signature, in the order of their names.
    ///
    /// # Errors
    /// [`RequestError::NotSpot`] for an instrument of another market.
    #[inline]
    pub fn write(&self, params: &mut impl Params) -> Result<(), RequestError> {
        match *self {
            Self::Place { order, instrument, client_id, self_trade } => {
                place(order, spot(instrument)?, client_id, self_trade, params);
            }
            Self::PlacePair { legs, instrument, self_trade } => {
                place_pair(legs, spot(instrument)?, self_trade, params);
            }
            Self::Test { order, instrument, client_id } => {
                place(order, spot(instrument)?, client_id, None, params);
            }
            Self::Cancel { instrument, order } | Self::Status { instrument, order } => {
                match order {
                    OrderRef::Client(id) => params.token(Name::OrigClientOrderId, id.as_bytes()),
                    OrderRef::Venue(id) => params.integer(Name::OrderId, id),
                }
                params.text(Name::Symbol, &spot(instrument)?.symbol);
            }
            Self::CancelAll { instrument } | Self::OpenOrders { instrument: Some(instrument) } => {
                params.text(Name::Symbol, &spot(instrument)?.symbol);
            }
            Self::Account { omit_zero: true } => params.flag(Name::OmitZeroBalances, true),
            Self::Trades { instrument, order_id, from_id, limit } => {
                if let Some(id) = from_id {
                    params.integer(Name::FromId, id);
                }
                if let Some(limit) = limit {
                    params.integer(Name::Limit, u64::from(limit));
                }
                if let Some(id) = order_id {
                    params.integer(Name::OrderId, id);
                }
                params.text(Name::Symbol, &spot(instrument)?.symbol);
            }
            Self::Account { .. } | Self::OpenOrders { .. } | Self::OrderCounts | Self::Logon => {}
        }
        Ok(())
    }
}

#[inline]
fn spot(instrument: &Instrument) -> Result<&Instrument, RequestError> {
    if instrument.market == Market::Spot { Ok(instrument) } else { Err(RequestError::NotSpot) }
}

/// The same parameters as [`encode_order`](super::super::encode::encode_order), which a test compares, and what is done
/// where it meets our own.
#[inline]
fn place(
    order: &Order,
    instrument: &Instrument,
    client_id: &ClientOrderId,
    self_trade: Option<SelfTradeMode>,
    params: &mut impl Params,
) {
    let extras = &order.extras;
    if extras.iceberg_qty.0 != 0 {
        params.decimal(Name::IcebergQty, extras.iceberg_qty.0, instrument.qty_decimals);
    }
    params.token(Name::NewClientOrderId, client_id.as_bytes());
    params.token(Name::NewOrderRespType, b"ACK");
    if order.kind.has_limit() {
        params.decimal(Name::Price, order.price.0, instrument.price_decimals);
    }
    params.decimal(Name::Quantity, order.qty.0, instrument.qty_decimals);
    if let Some(mode) = self_trade {
        params.token(Name::SelfTradePreventionMode, mode.name().as_bytes());
    }
    params.token(Name::Side, side(order.side));
    if extras.stop_price.0 != 0 {
        params.decimal(Name::StopPrice, extras.stop_price.0, instrument.price_decimals);
    }
    params.text(Name::Symbol, &instrument.symbol);
    if order.kind.has_limit() && order.kind != OrderKind::PostOnly {
        params.token(Name::TimeInForce, tif(order.tif));
    }
    if extras.trailing_bps != 0 {
        params.integer(Name::TrailingDelta, u64::from(extras.trailing_bps));
    }
    params.token(Name::Type, OrderType::from(order.kind).name().as_bytes());
}

const fn side(side: Side) -> &'static [u8] {
    match side {
        Side::Buy => b"BUY",
        Side::Sell => b"SELL",
    }
}

const fn tif(tif: TimeInForce) -> &'static [u8] {
    match tif {
        TimeInForce::Gtc => b"GTC",
        TimeInForce::Ioc => b"IOC",
        TimeInForce::Fok => b"FOK",
    }
}

/// The names of a leg's parameters, in their order.
struct LegNames {
    client_id: Name,
    price: Name,
    stop_price: Name,
    tif: Name,
    trailing_delta: Name,
    kind: Name,
}

const ABOVE: LegNames = LegNames {
    client_id: Name::AboveClientOrderId,
    price: Name::AbovePrice,
    stop_price: Name::AboveStopPrice,
    tif: Name::AboveTimeInForce,
    trailing_delta: Name::AboveTrailingDelta,
    kind: Name::AboveType,
};

const BELOW: LegNames = LegNames {
    client_id: Name::BelowClientOrderId,
    price: Name::BelowPrice,
    stop_price: Name::BelowStopPrice,
    tif: Name::BelowTimeInForce,
    trailing_delta: Name::BelowTrailingDelta,
    kind: Name::BelowType,
};

fn place_pair(
    legs: [Leg<'_>; 2],
    instrument: &Instrument,
    self_trade: Option<SelfTradeMode>,
    params: &mut impl Params,
) {
    let [(first, list_id), _] = legs;
    // A sell's target is above the market and its stop below, a buy's the other way round.
    let first_is_above = first.kind.is_stop() == (first.side == Side::Buy);
    let [above, below] = if first_is_above { legs } else { [legs[1], legs[0]] };
    leg(above, &ABOVE, instrument, params);
    leg(below, &BELOW, instrument, params);
    params.token(Name::ListClientOrderId, list_id.as_bytes());
    params.token(Name::NewOrderRespType, b"ACK");
    params.decimal(Name::Quantity, first.qty.0, instrument.qty_decimals);
    if let Some(mode) = self_trade {
        params.token(Name::SelfTradePreventionMode, mode.name().as_bytes());
    }
    params.token(Name::Side, side(first.side));
    params.text(Name::Symbol, &instrument.symbol);
}

fn leg((order, client_id): Leg<'_>, names: &LegNames, instrument: &Instrument, params: &mut impl Params) {
    let extras = &order.extras;
    params.token(names.client_id, client_id.as_bytes());
    if order.kind.has_limit() {
        params.decimal(names.price, order.price.0, instrument.price_decimals);
    }
    if extras.stop_price.0 != 0 {
        params.decimal(names.stop_price, extras.stop_price.0, instrument.price_decimals);
    }
    if order.kind.has_limit() && order.kind != OrderKind::PostOnly {
        params.token(names.tif, tif(order.tif));
    }
    if extras.trailing_bps != 0 {
        params.integer(names.trailing_delta, u64::from(extras.trailing_bps));
    }
    params.token(names.kind, OrderType::from(order.kind).name().as_bytes());
}
