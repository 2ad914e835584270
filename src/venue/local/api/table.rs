//! Every operation on orders and accounts: one line each, for REST, the WebSocket API, weights and permissions alike.

use super::auth::Security;
use super::error::Failure;
use super::params::{Kind, Param, Params, Wrong};
use super::venue::Context;
use super::{account, cancel, history, info, lists, order, query};

/// One operation.
pub(crate) struct Operation {
    /// The WebSocket API's name; empty where it has none.
    pub name: &'static str,
    /// REST; empty where it has none.
    pub method: &'static str,
    pub path: &'static str,
    pub security: Security,
    pub weight: fn(&Params) -> u32,
    /// Weighs nothing when it is done; what it is refused for is charged.
    pub free: bool,
    /// Answers tell the order counts.
    pub counted: bool,
    pub params: &'static [&'static [Param]],
    pub run: fn(&mut Context<'_>) -> Result<(), Failure>,
}

const fn need(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, needed: true }
}

const fn may(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, needed: false }
}

const SIDE: Kind = Kind::Choice(&["BUY", "SELL"], Wrong::Is(-1117, "Invalid side."));
const TYPE: Kind = Kind::Choice(
    &["LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"],
    Wrong::Is(-1116, "Invalid orderType."),
);
const TIF: Kind = Kind::Choice(&["GTC", "IOC", "FOK"], Wrong::Is(-1115, "Invalid timeInForce."));
const RESPONSE: Kind = Kind::Choice(&["ACK", "RESULT", "FULL"], Wrong::Data);
const STP: Kind = Kind::Choice(
    &["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"],
    Wrong::Data,
);
const RESTRICTION: Kind =
    Kind::Choice(&["ONLY_NEW", "ONLY_PARTIALLY_FILLED"], Wrong::Is(-1145, "Invalid cancelRestrictions"));

/// What every signed request may have. `apiKey` and `returnRateLimits` belong to the WebSocket API.
pub(super) static SIGNED: &[Param] = &[
    need("timestamp", Kind::Text),
    may("recvWindow", Kind::Text),
    may("signature", Kind::Text),
    may("apiKey", Kind::Text),
    may("returnRateLimits", Kind::Flag),
];
/// What every other may have.
pub(super) static UNSIGNED: &[Param] = &[may("returnRateLimits", Kind::Flag)];

static NONE: &[Param] = &[];
static SYMBOL: &[Param] = &[need("symbol", Kind::Symbol)];
static NEW_ORDER: &[Param] = &[
    need("symbol", Kind::Symbol),
    need("side", SIDE),
    need("type", TYPE),
    may("timeInForce", TIF),
    may("quantity", Kind::Decimal),
    may("quoteOrderQty", Kind::Decimal),
    may("price", Kind::Decimal),
    may("newClientOrderId", Kind::Id),
    may("strategyId", Kind::Long),
    may("strategyType", Kind::Long),
    may("stopPrice", Kind::Decimal),
    may("trailingDelta", Kind::Long),
    may("icebergQty", Kind::Decimal),
    may("newOrderRespType", RESPONSE),
    may("selfTradePreventionMode", STP),
    may("pegPriceType", Kind::Text),
    may("pegOffsetValue", Kind::Long),
    may("pegOffsetType", Kind::Text),
];
static TEST: &[Param] = &[may("computeCommissionRates", Kind::Flag)];
static WHICH: &[Param] =
    &[need("symbol", Kind::Symbol), may("orderId", Kind::Long), may("origClientOrderId", Kind::Id)];
static CANCEL: &[Param] = &[may("newClientOrderId", Kind::Id), may("cancelRestrictions", RESTRICTION)];
static REPLACE: &[Param] = &[
    need("cancelReplaceMode", Kind::Choice(&["STOP_ON_FAILURE", "ALLOW_FAILURE"], Wrong::Data)),
    may("cancelOrderId", Kind::Long),
    may("cancelOrigClientOrderId", Kind::Id),
    may("cancelNewClientOrderId", Kind::Id),
    may("cancelRestrictions", RESTRICTION),
    may("orderRateLimitExceededMode", Kind::Choice(&["DO_NOTHING", "CANCEL_ONLY"], Wrong::Data)),
];
static AMEND: &[Param] = &[need("newQty", Kind::Decimal), may("newClientOrderId", Kind::Id)];
static PAGE: &[Param] = &[may("startTime", Kind::Long), may("endTime", Kind::Long), may("limit", Kind::Long)];
static LIST_COMMON: &[Param] = &[
    need("symbol", Kind::Symbol),
    may("listClientOrderId", Kind::Id),
    may("newOrderRespType", RESPONSE),
    may("selfTradePreventionMode", STP),
];

macro_rules! leg {
    ($prefix:literal) => {
        &[
            may(concat!($prefix, "ClientOrderId"), Kind::Id),
            may(concat!($prefix, "Price"), Kind::Decimal),
            may(concat!($prefix, "StopPrice"), Kind::Decimal),
            may(concat!($prefix, "TrailingDelta"), Kind::Long),
            may(concat!($prefix, "IcebergQty"), Kind::Decimal),
            may(concat!($prefix, "TimeInForce"), TIF),
            may(concat!($prefix, "StrategyId"), Kind::Long),
            may(concat!($prefix, "StrategyType"), Kind::Long),
            may(concat!($prefix, "PegPriceType"), Kind::Text),
            may(concat!($prefix, "PegOffsetType"), Kind::Text),
            may(concat!($prefix, "PegOffsetValue"), Kind::Long),
        ]
    };
}

static OCO: &[Param] =
    &[need("side", SIDE), need("quantity", Kind::Decimal), need("aboveType", TYPE), need("belowType", TYPE)];
static ABOVE: &[Param] = leg!("above");
static BELOW: &[Param] = leg!("below");
/// The types of an order that lets others go.
const WORKING_TYPE: Kind = Kind::Choice(&["LIMIT", "LIMIT_MAKER"], Wrong::Is(-1116, "Invalid orderType."));
static OTO: &[Param] = &[
    need("workingType", WORKING_TYPE),
    need("workingSide", SIDE),
    need("workingQuantity", Kind::Decimal),
    need("pendingSide", SIDE),
    need("pendingQuantity", Kind::Decimal),
];
static OTO_ONE: &[Param] = &[need("pendingType", TYPE)];
static OTO_PAIR: &[Param] = &[need("pendingAboveType", TYPE), need("pendingBelowType", TYPE)];
static WORKING: &[Param] = leg!("working");
static PENDING: &[Param] = leg!("pending");
static PENDING_ABOVE: &[Param] = leg!("pendingAbove");
static PENDING_BELOW: &[Param] = leg!("pendingBelow");
static OLD_OCO: &[Param] = &[
    need("side", SIDE),
    need("quantity", Kind::Decimal),
    need("price", Kind::Decimal),
    need("stopPrice", Kind::Decimal),
    may("limitClientOrderId", Kind::Id),
    may("limitIcebergQty", Kind::Decimal),
    may("stopClientOrderId", Kind::Id),
    may("stopLimitPrice", Kind::Decimal),
    may("stopLimitTimeInForce", TIF),
    may("stopIcebergQty", Kind::Decimal),
    may("trailingDelta", Kind::Long),
];
static WHICH_LIST: &[Param] = &[may("orderListId", Kind::Long), may("origClientOrderId", Kind::Id)];
static CANCEL_LIST: &[Param] = &[
    need("symbol", Kind::Symbol),
    may("orderListId", Kind::Long),
    may("listClientOrderId", Kind::Id),
    may("newClientOrderId", Kind::Id),
];

macro_rules! operations {
    ($($name:literal $method:literal $path:literal $security:ident $weight:expr, $rules:tt, [$($params:expr),*] => $run:path;)*) => {
        /// Every one.
        pub(crate) static OPERATIONS: &[Operation] = &[$(Operation {
            name: $name,
            method: $method,
            path: $path,
            security: Security::$security,
            weight: $weight,
            free: operations!(@free $rules),
            counted: operations!(@counted $rules),
            params: &[$($params),*],
            run: $run,
        }),*];
    };
    (@free charged) => { false };
    (@free free) => { true };
    (@free places) => { true };
    (@counted places) => { true };
    (@counted $other:tt) => { false };
}

operations! {
    "ping" "GET" "/api/v3/ping" Open |_| 1, charged, [NONE] => info::ping;
    "time" "GET" "/api/v3/time" Open |_| 1, charged, [NONE] => info::time;
    "exchangeInfo" "GET" "/api/v3/exchangeInfo" Open |_| 20, charged, [info::PARAMS] => info::exchange_info;
    "order.place" "POST" "/api/v3/order" Trade |_| 1, places, [NEW_ORDER] => order::place;
    "order.test" "POST" "/api/v3/order/test" Trade order::test_weight, charged, [NEW_ORDER, TEST] => order::test;
    "order.cancel" "DELETE" "/api/v3/order" Trade |_| 1, free, [WHICH, CANCEL] => cancel::cancel;
    "order.cancelReplace" "POST" "/api/v3/order/cancelReplace" Trade |_| 1, places, [NEW_ORDER, REPLACE] => cancel::replace;
    "order.amend.keepPriority" "PUT" "/api/v3/order/amend/keepPriority" Trade |_| 4, charged, [WHICH, AMEND] => cancel::amend;
    "openOrders.cancelAll" "DELETE" "/api/v3/openOrders" Trade |_| 1, free, [SYMBOL] => cancel::all;
    "orderList.place.oco" "POST" "/api/v3/orderList/oco" Trade |_| 1, places, [LIST_COMMON, OCO, ABOVE, BELOW] => lists::oco;
    "orderList.place.oto" "POST" "/api/v3/orderList/oto" Trade |_| 1, places, [LIST_COMMON, OTO, OTO_ONE, WORKING, PENDING] => lists::oto;
    "orderList.place.otoco" "POST" "/api/v3/orderList/otoco" Trade |_| 1, places, [LIST_COMMON, OTO, OTO_PAIR, WORKING, PENDING_ABOVE, PENDING_BELOW] => lists::otoco;
    "orderList.place" "POST" "/api/v3/order/oco" Trade |_| 1, places, [LIST_COMMON, OLD_OCO] => lists::old_oco;
    "orderList.cancel" "DELETE" "/api/v3/orderList" Trade |_| 1, free, [CANCEL_LIST] => lists::cancel;
    "orderList.status" "GET" "/api/v3/orderList" Read |_| 4, charged, [WHICH_LIST] => lists::status;
    "openOrderLists.status" "GET" "/api/v3/openOrderList" Read |_| 6, charged, [NONE] => lists::open;
    "allOrderLists" "GET" "/api/v3/allOrderList" Read |_| 20, charged, [PAGE, &[may("fromId", Kind::Long)]] => lists::all;
    "order.status" "GET" "/api/v3/order" Read |_| 4, charged, [WHICH] => query::order;
    "openOrders.status" "GET" "/api/v3/openOrders" Read |params| if params.get("symbol").is_some() { 6 } else { 80 }, charged, [&[may("symbol", Kind::Symbol)]] => query::open_orders;
    "allOrders" "GET" "/api/v3/allOrders" Read |_| 20, charged, [SYMBOL, PAGE, &[may("orderId", Kind::Long)]] => query::all_orders;
    "myTrades" "GET" "/api/v3/myTrades" Read |params| if params.get("orderId").is_some() { 5 } else { 20 }, charged, [SYMBOL, PAGE, &[may("orderId", Kind::Long), may("fromId", Kind::Long)]] => query::my_trades;
    "account.rateLimits.orders" "GET" "/api/v3/rateLimit/order" Read |_| 40, charged, [NONE] => account::order_counts;
    "account.status" "GET" "/api/v3/account" Read |_| 20, charged, [&[may("omitZeroBalances", Kind::Flag)]] => account::status;
    "account.commission" "GET" "/api/v3/account/commission" Read |_| 20, charged, [SYMBOL] => account::commission;
    "order.amendments" "GET" "/api/v3/order/amendments" Read |_| 4, charged, [SYMBOL, &[need("orderId", Kind::Long), may("fromExecutionId", Kind::Long), may("limit", Kind::Long)]] => history::amendments;
    "myPreventedMatches" "GET" "/api/v3/myPreventedMatches" Read |params| if params.get("orderId").is_some() { 20 } else { 2 }, charged, [SYMBOL, &[may("preventedMatchId", Kind::Long), may("orderId", Kind::Long), may("fromPreventedMatchId", Kind::Long), may("limit", Kind::Long)]] => history::prevented;
    "myAllocations" "GET" "/api/v3/myAllocations" Read |_| 20, charged, [SYMBOL, PAGE, &[may("fromAllocationId", Kind::Long), may("orderId", Kind::Long)]] => query::none;
    "myFilters" "GET" "/api/v3/myFilters" Read |_| 40, charged, [SYMBOL] => info::my_filters;
    "" "GET" "/sapi/v1/account/apiRestrictions" Read |_| 1, charged, [NONE] => account::restrictions;
    "" "GET" "/sapi/v1/capital/config/getall" Read |_| 10, charged, [NONE] => account::coins;
}

/// The operation of a REST call; `Err` where the path is known and the method is not.
pub(crate) fn rest(method: &str, path: &str) -> Option<Result<&'static Operation, ()>> {
    let mut known = false;
    for operation in OPERATIONS {
        if operation.path == path {
            known = true;
            if operation.method == method {
                return Some(Ok(operation));
            }
        }
    }
    known.then_some(Err(()))
}

/// The operation of a WebSocket API method.
pub(super) fn websocket(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| !name.is_empty() && operation.name == name)
}
