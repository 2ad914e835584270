//! The REST calls: one table of routes.
//!
//! Owns: paths, weights, and what each call answers. Reads the exchange; changes nothing. A call is one line in
//! [`ROUTES`] and one function.

use super::exchange::Exchange;
use super::exchange_info;
use super::http::{Answer, Request};
use super::listing::Listing;
use super::stream_name::Interval;
use crate::domain::decimal::Scaled;
use crate::domain::{Level, Market, Side};
use serde_json::{Value, json};

/// What a call is answered from.
pub(super) struct Call<'a> {
    pub market: Market,
    pub request: &'a Request,
    pub exchange: &'a Exchange,
    /// The venue's clock, ms.
    pub now_ms: u64,
    /// The weight limit, for `exchangeInfo`.
    pub weight_limit: u32,
}

/// One REST call.
pub(super) struct Route {
    /// On the WebSocket API; empty where it has none.
    name: &'static str,
    method: &'static str,
    /// After the market's prefix.
    path: &'static str,
    pub weight: fn(&Call<'_>) -> u32,
    pub answer: fn(&Call<'_>) -> Answer,
}

/// Every call on market data. Those on orders and accounts, and on what spot lists, are in the `api`.
static ROUTES: &[Route] = &[
    Route { name: "", method: "GET", path: "/ping", weight: |_| 1, answer: |_| Answer::json(200, "{}") },
    Route { name: "", method: "GET", path: "/time", weight: |_| 1, answer: time },
    Route { name: "", method: "GET", path: "/exchangeInfo", weight: |_| 1, answer: exchange_info::answer },
    Route { name: "depth", method: "GET", path: "/depth", weight: depth_weight, answer: depth },
    Route {
        name: "trades.recent",
        method: "GET",
        path: "/trades",
        weight: |call| if call.market == Market::Spot { 25 } else { 5 },
        answer: trades,
    },
    Route { name: "klines", method: "GET", path: "/klines", weight: klines_weight, answer: klines },
    Route {
        name: "ticker.book",
        method: "GET",
        path: "/ticker/bookTicker",
        weight: book_ticker_weight,
        answer: book_ticker,
    },
];

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
    let mut found = ROUTES.iter().filter(|route| route.path == path).peekable();
    if found.peek().is_none() {
        return Err(unknown());
    }
    let route = found.find(|route| route.method == request.method);
    route.ok_or_else(|| Answer::error(405, -1, "this path has other methods"))
}

/// The call behind a method of the WebSocket API.
pub(super) fn method(name: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| !name.is_empty() && route.name == name)
}

/// A parameter that must be there.
fn required<'a>(call: &Call<'a>, name: &str) -> Result<&'a str, Answer> {
    call.request.param(name).filter(|value| !value.is_empty()).ok_or_else(|| {
        let text = format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
        Answer::error(400, -1102, &text)
    })
}

fn listing<'a>(call: &Call<'a>) -> Result<&'a Listing, Answer> {
    let symbol = required(call, "symbol")?;
    call.exchange.listing(call.market, symbol).ok_or_else(|| Answer::error(400, -1121, "Invalid symbol."))
}

fn limit(call: &Call<'_>, default: usize, max: usize) -> Result<usize, Answer> {
    let Some(text) = call.request.param("limit") else { return Ok(default) };
    match text.parse::<usize>() {
        Ok(limit) if limit > 0 => Ok(limit.min(max)),
        _ => {
            let text = "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.";
            Err(Answer::error(400, -1100, text))
        }
    }
}

fn either(answer: Result<Answer, Answer>) -> Answer {
    answer.unwrap_or_else(|refusal| refusal)
}

fn time(call: &Call<'_>) -> Answer {
    Answer::json(200, json!({ "serverTime": call.now_ms }).to_string())
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

fn depth(call: &Call<'_>) -> Answer {
    let (default, max) = depth_defaults(call.market);
    let answer = || {
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
    };
    either(answer())
}

fn shown(value: impl Into<i128>, decimals: u8) -> String {
    Scaled { value: value.into(), decimals }.to_string()
}

fn trades(call: &Call<'_>) -> Answer {
    let answer = || {
        let (listing, limit) = (listing(call)?, limit(call, 500, 1_000)?);
        let of = &listing.instrument;
        let first = listing.trades.len().saturating_sub(limit);
        let shown_trade = |trade: &super::listing::Trade| {
            let (quote, quote_decimals) = listing.encoder.printed_notional(trade.price.times(trade.qty));
            let mut row = json!({
                "id": trade.id,
                "price": shown(trade.price.0, of.price_decimals),
                "qty": shown(trade.qty.0, of.qty_decimals),
                "quoteQty": shown(quote, quote_decimals),
                "time": trade.ms,
                "isBuyerMaker": trade.maker_side == Side::Buy,
            });
            if call.market == Market::Spot {
                row["isBestMatch"] = json!(true);
            }
            row
        };
        let rows: Vec<Value> = listing.trades.range(first..).map(shown_trade).collect();
        Ok(Answer::json(200, Value::from(rows).to_string()))
    };
    either(answer())
}

fn klines_weight(call: &Call<'_>) -> u32 {
    match (call.market, limit(call, 500, 1_500).unwrap_or(500)) {
        (Market::Spot, _) => 2,
        (_, ..100) => 1,
        (_, ..500) => 2,
        (_, ..=1_000) => 5,
        _ => 10,
    }
}

fn klines(call: &Call<'_>) -> Answer {
    let answer = || {
        let listing = listing(call)?;
        let max = if call.market == Market::Spot { 1_000 } else { 1_500 };
        let (limit, label) = (limit(call, 500, max)?, required(call, "interval")?);
        let interval =
            Interval::from_label(label).ok_or_else(|| Answer::error(400, -1120, "Invalid interval."))?;
        let bound = |name: &str, default: u64| match call.request.param(name).map(str::parse::<u64>) {
            None => Ok(default),
            Some(Ok(ms)) => Ok(ms),
            Some(Err(_)) => {
                let text = format!(
                    "Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
                );
                Err(Answer::error(400, -1100, &text))
            }
        };
        let (from, to) = (bound("startTime", 0)?, bound("endTime", u64::MAX)?);
        let openings = listing.bars.openings(interval.ms, listing.now_ms);
        let wanted = openings.filter(|opening| (from..=to).contains(opening));
        let openings: Vec<u64> = if from > 0 {
            wanted.take(limit).collect()
        } else {
            let mut newest: Vec<u64> = wanted.rev().take(limit).collect();
            newest.reverse();
            newest
        };
        let of = &listing.instrument;
        let row = |open_ms: &u64| {
            let bar = listing.bars.bar(interval.ms, *open_ms)?;
            let price = |price: crate::domain::Price| shown(price.0, of.price_decimals);
            let qty = |qty: crate::domain::Qty| shown(qty.0, of.qty_decimals);
            let quote = |notional| {
                let (value, decimals) = listing.encoder.printed_notional(notional);
                shown(value, decimals)
            };
            Some(json!([
                bar.open_ms,
                price(bar.open),
                price(bar.high),
                price(bar.low),
                price(bar.close),
                qty(bar.volume),
                bar.close_ms(),
                quote(bar.quote),
                bar.trades,
                qty(bar.taker_buy_volume),
                quote(bar.taker_buy_quote),
                "0"
            ]))
        };
        let rows: Vec<Value> = openings.iter().filter_map(row).collect();
        Ok(Answer::json(200, Value::from(rows).to_string()))
    };
    either(answer())
}

fn book_ticker_weight(call: &Call<'_>) -> u32 {
    match (call.request.param("symbol"), call.market) {
        (Some(_), _) => 2,
        (None, Market::Spot) => 4,
        (None, _) => 5,
    }
}

fn book_ticker(call: &Call<'_>) -> Answer {
    let row = |listing: &Listing| {
        let of = &listing.instrument;
        let best = |level: Option<Level>| {
            let level = level.unwrap_or(Level::new(0, 0));
            (shown(level.price.0, of.price_decimals), shown(level.qty.0, of.qty_decimals))
        };
        let ((bid, bid_qty), (ask, ask_qty)) =
            (best(listing.book.bids().next()), best(listing.book.asks().next()));
        let mut row = json!({
            "symbol": of.symbol, "bidPrice": bid, "bidQty": bid_qty, "askPrice": ask, "askQty": ask_qty,
        });
        if call.market != Market::Spot {
            row["time"] = json!(listing.now_ms);
        }
        row
    };
    let answer = || {
        if call.request.param("symbol").is_some() {
            return Ok(Answer::json(200, row(listing(call)?).to_string()));
        }
        let rows: Vec<Value> = call.exchange.listings(call.market).map(row).collect();
        Ok(Answer::json(200, Value::from(rows).to_string()))
    };
    either(answer())
}
