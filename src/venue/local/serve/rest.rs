//! The REST calls of market data: one table of routes.
//!
//! Owns: paths and weights. Reads the exchange; changes nothing. A call is one line in [`ROUTES`] and one function; what
//! is more than a few lines stands in a module of its own.

use super::super::api::Api;
use super::exchange::Exchange;
use super::http::{Answer, Request};
use super::selection::{limit, listing};
use super::{exchange_info, klines, ticker_calls, trade_calls};
use crate::domain::Market;
use crate::domain::decimal::Scaled;
use serde_json::json;

/// What a call is answered from.
pub(super) struct Call<'a> {
    pub market: Market,
    pub request: &'a Request,
    pub exchange: &'a Exchange,
    /// The venue's clock, ms.
    pub now_ms: u64,
    /// The weight limit, for `exchangeInfo`.
    pub weight_limit: u32,
    /// Times are wanted in microseconds.
    pub micros: bool,
    /// The rules that orders are held to.
    pub api: Option<&'a Api>,
}

impl Call<'_> {
    /// A time as the client wants it.
    pub fn time(&self, ms: u64) -> u64 {
        if self.micros { ms.saturating_mul(1_000) } else { ms }
    }

    /// The last moment of a stretch that ends with this millisecond.
    pub fn last_moment(&self, ms: u64) -> u64 {
        if self.micros { self.time(ms + 1) - 1 } else { ms }
    }
}

type Answered = Result<Answer, Answer>;

/// One REST call.
pub(super) struct Route {
    method: &'static str,
    /// After the market's prefix.
    path: &'static str,
    /// Whether futures have it too.
    everywhere: bool,
    pub weight: fn(&Call<'_>) -> u32,
    answer: fn(&Call<'_>) -> Answered,
}

const fn get(path: &'static str, weight: fn(&Call<'_>) -> u32, answer: fn(&Call<'_>) -> Answered) -> Route {
    Route { method: "GET", path, everywhere: true, weight, answer }
}

const fn spot(path: &'static str, weight: fn(&Call<'_>) -> u32, answer: fn(&Call<'_>) -> Answered) -> Route {
    Route { everywhere: false, ..get(path, weight, answer) }
}

/// Every call there is.
static ROUTES: &[Route] = &[
    get("/ping", |_| 1, |_| Ok(Answer::json(200, "{}"))),
    get("/time", |_| 1, time),
    get("/exchangeInfo", |call| by_market(call, 20, 1), exchange_info::answer),
    get("/depth", depth_weight, depth),
    get("/trades", |call| by_market(call, 25, 5), trade_calls::trades),
    spot("/historicalTrades", |_| 25, trade_calls::historical),
    get("/aggTrades", |call| by_market(call, 4, 20), trade_calls::aggregates),
    get("/klines", klines::weight, klines::answer),
    spot("/uiKlines", klines::weight, klines::answer),
    spot("/avgPrice", |_| 2, ticker_calls::average),
    spot("/ticker", ticker_calls::window_weight, ticker_calls::rolling),
    spot("/ticker/tradingDay", ticker_calls::window_weight, ticker_calls::trading_day),
    spot("/ticker/24hr", ticker_calls::day_weight, ticker_calls::day),
    spot("/ticker/price", ticker_calls::light_weight, ticker_calls::last_price),
    get("/ticker/bookTicker", ticker_calls::light_weight, ticker_calls::book),
];

/// Methods of the WebSocket API. Those on orders and accounts, and on what spot lists, are in the `api`.
static METHODS: &[(&str, &str)] = &[
    ("depth", "/depth"),
    ("trades.recent", "/trades"),
    ("trades.historical", "/historicalTrades"),
    ("trades.aggregate", "/aggTrades"),
    ("klines", "/klines"),
    ("uiKlines", "/uiKlines"),
    ("avgPrice", "/avgPrice"),
    ("ticker", "/ticker"),
    ("ticker.tradingDay", "/ticker/tradingDay"),
    ("ticker.24hr", "/ticker/24hr"),
    ("ticker.price", "/ticker/price"),
    ("ticker.book", "/ticker/bookTicker"),
];

impl Route {
    /// Answers a call, or refuses it.
    pub fn answer(&self, call: &Call<'_>) -> Answer {
        (self.answer)(call).unwrap_or_else(|refusal| refusal)
    }
}

fn by_market(call: &Call<'_>, spot: u32, futures: u32) -> u32 {
    if call.market == Market::Spot { spot } else { futures }
}

const fn prefix(market: Market) -> &'static str {
    match market {
        Market::Spot => "/api/v3",
        Market::UsdM => "/fapi/v1",
        Market::CoinM => "/dapi/v1",
    }
}

/// The call that a request is for.
pub(super) fn route(market: Market, request: &Request) -> Result<&'static Route, Answer> {
    let unknown = || Answer::error(404, -1, "no such path on this venue");
    if request.path.ends_with("/userDataStream") {
        return Err(Answer::error(410, -1, "this endpoint is gone: subscribe on the WebSocket API"));
    }
    let path = request.path.strip_prefix(prefix(market)).ok_or_else(unknown)?;
    let mut found = ROUTES
        .iter()
        .filter(|route| route.path == path && (route.everywhere || market == Market::Spot))
        .peekable();
    if found.peek().is_none() {
        return Err(unknown());
    }
    let route = found.find(|route| route.method == request.method);
    route.ok_or_else(|| Answer::error(405, -1, "this path has other methods"))
}

/// The call on spot behind a method of the WebSocket API.
pub(super) fn method(name: &str) -> Option<&'static Route> {
    let (_, path) = METHODS.iter().find(|(known, _)| *known == name)?;
    ROUTES.iter().find(|route| route.path == *path)
}

fn time(call: &Call<'_>) -> Answered {
    Ok(Answer::json(200, json!({ "serverTime": call.time(call.now_ms) }).to_string()))
}

fn depth_defaults(market: Market) -> (usize, usize) {
    if market == Market::Spot { (100, 5_000) } else { (500, 1_000) }
}

fn depth_weight(call: &Call<'_>) -> u32 {
    let (default, max) = depth_defaults(call.market);
    let limit = limit(call, default, max).unwrap_or(default);
    match (call.market, limit) {
        (Market::Spot, ..=100) => 5,
        (Market::Spot, ..=500) => 25,
        (Market::Spot, ..=1_000) => 50,
        (Market::Spot, _) => 250,
        (_, ..=50) => 2,
        (_, ..=100) => 5,
        (_, ..=500) => 10,
        _ => 20,
    }
}

fn depth(call: &Call<'_>) -> Answered {
    let (default, max) = depth_defaults(call.market);
    let (listing, limit) = (listing(call)?, limit(call, default, max)?);
    if call.market != Market::Spot && ![5, 10, 20, 50, 100, 500, 1_000].contains(&limit) {
        return Err(Answer::error(400, -4021, &format!("{limit} is not valid depth limit.")));
    }
    let book = &listing.book;
    if !book.is_synced() {
        return Err(Answer::error(400, -1112, "No orders on book for symbol."));
    }
    let mut body = Vec::new();
    let (bids, asks) = (book.bids().take(limit), book.asks().take(limit));
    listing.encoder.snapshot(&mut body, listing.now_ms, book.update_id(), bids, asks);
    Ok(Answer::json(200, body))
}

pub(super) fn shown(value: impl Into<i128>, decimals: u8) -> String {
    Scaled { value: value.into(), decimals }.to_string()
}
