//! The ticker calls: prices, best quotes, statistics of a day, a trading day or another window, average prices.
//!
//! Owns: weights and rows. The numbers are `window`'s.

use super::http::Answer;
use super::interval;
use super::interval::Interval;
use super::listing::Listing;
use super::rest::{Call, shown};
use super::selection::{Chosen, chosen, illegal, listing};
use super::ticker_frames::id;
use super::window::Window;
use crate::domain::{Level, Market, Price};
use serde_json::{Value, json};

const DAY_MS: u64 = 86_400_000;
/// Symbols that a call about windows may name.
const WINDOW_SYMBOLS_MAX: usize = 100;

pub(super) fn light_weight(call: &Call<'_>) -> u32 {
    match (call.request.param("symbol"), call.market) {
        (Some(_), _) => 2,
        (None, Market::Spot) => 4,
        (None, _) => 5,
    }
}

pub(super) fn day_weight(call: &Call<'_>) -> u32 {
    match chosen(call) {
        Ok(Chosen::All(_)) => 80,
        Ok(chosen) => match chosen.len() {
            ..=20 => 2,
            21..=100 => 40,
            _ => 80,
        },
        Err(_) => 2,
    }
}

pub(super) fn window_weight(call: &Call<'_>) -> u32 {
    let symbols = chosen(call).map_or(1, |chosen| chosen.len());
    u32::try_from(symbols).unwrap_or(u32::MAX).saturating_mul(4).min(200)
}

pub(super) fn book(call: &Call<'_>) -> Result<Answer, Answer> {
    Ok(chosen(call)?.rows(|listing| {
        let quote = Quote::of(listing);
        let mut row = json!({
            "symbol": listing.instrument.symbol,
            "bidPrice": quote.bid, "bidQty": quote.bid_qty, "askPrice": quote.ask, "askQty": quote.ask_qty,
        });
        if call.market != Market::Spot {
            row["time"] = json!(listing.now_ms);
        }
        row
    }))
}

/// The best levels as text.
struct Quote {
    bid: String,
    bid_qty: String,
    ask: String,
    ask_qty: String,
}

impl Quote {
    fn of(listing: &Listing) -> Self {
        let of = &listing.instrument;
        let text = |level: Option<Level>| {
            let level = level.unwrap_or(Level::new(0, 0));
            (shown(level.price.0, of.price_decimals), shown(level.qty.0, of.qty_decimals))
        };
        let (bid, bid_qty) = text(listing.book.bids().next());
        let (ask, ask_qty) = text(listing.book.asks().next());
        Self { bid, bid_qty, ask, ask_qty }
    }
}

fn price(listing: &Listing, price: Price) -> String {
    shown(price.0, listing.instrument.price_decimals)
}

pub(super) fn last_price(call: &Call<'_>) -> Result<Answer, Answer> {
    Ok(chosen(call)?.rows(|listing| {
        let last = listing.last_price().unwrap_or_default();
        json!({ "symbol": listing.instrument.symbol, "price": price(listing, last) })
    }))
}

pub(super) fn average(call: &Call<'_>) -> Result<Answer, Answer> {
    let listing = listing(call)?;
    let average = listing.average();
    let row = json!({
        "mins": average.minutes, "price": price(listing, average.price), "closeTime": call.time(average.last_ms),
    });
    Ok(Answer::json(200, row.to_string()))
}

/// How much of a ticker is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Full,
    Mini,
}

fn detail(call: &Call<'_>) -> Result<Detail, Answer> {
    match call.request.param("type") {
        None | Some("FULL") => Ok(Detail::Full),
        Some("MINI") => Ok(Detail::Mini),
        Some(_) => Err(Answer::error(400, -1139, "Invalid ticker type.")),
    }
}

/// What every ticker has.
fn row(call: &Call<'_>, listing: &Listing, window: &Window, detail: Detail) -> Value {
    let bar = &window.bar;
    let (quote, quote_decimals) = listing.encoder.printed_notional(bar.quote);
    let mut row = json!({
        "symbol": listing.instrument.symbol,
        "openPrice": price(listing, bar.open),
        "highPrice": price(listing, bar.high),
        "lowPrice": price(listing, bar.low),
        "lastPrice": price(listing, bar.close),
        "volume": shown(bar.volume.0, listing.instrument.qty_decimals),
        "quoteVolume": shown(quote, quote_decimals),
        "openTime": call.time(window.open_ms),
        "closeTime": call.time(window.close_ms),
        "firstId": id(bar.first_id, bar.trades),
        "lastId": id(bar.last_id, bar.trades),
        "count": bar.trades,
    });
    if detail == Detail::Full {
        row["priceChange"] = json!(price(listing, Price(window.change())));
        row["priceChangePercent"] = json!(window.change_percent());
        row["weightedAvgPrice"] = json!(price(listing, window.average()));
    }
    row
}

pub(super) fn day(call: &Call<'_>) -> Result<Answer, Answer> {
    let detail = detail(call)?;
    Ok(chosen(call)?.rows(|listing| {
        let window = listing.day();
        let mut row = row(call, listing, &window, detail);
        if detail == Detail::Full {
            let quote = Quote::of(listing);
            row["prevClosePrice"] = json!(price(listing, window.before));
            row["lastQty"] = json!(shown(window.last_qty.0, listing.instrument.qty_decimals));
            row["bidPrice"] = json!(quote.bid);
            row["bidQty"] = json!(quote.bid_qty);
            row["askPrice"] = json!(quote.ask);
            row["askQty"] = json!(quote.ask_qty);
        }
        row
    }))
}

/// The symbols of a call that must name some, and not too many.
fn named<'a>(call: &Call<'a>) -> Result<Chosen<'a>, Answer> {
    match chosen(call)? {
        Chosen::All(_) => {
            let text = "Param 'symbol' or 'symbols' must be sent, but both were empty/null!";
            Err(Answer::error(400, -1102, text))
        }
        named if named.len() > WINDOW_SYMBOLS_MAX => {
            Err(Answer::error(400, -1101, "Too many parameters; at most 100 symbols."))
        }
        named => Ok(named),
    }
}

pub(super) fn trading_day(call: &Call<'_>) -> Result<Answer, Answer> {
    let detail = detail(call)?;
    let zone = match call.request.param("timeZone") {
        None => 0,
        Some(text) => interval::zone(text).ok_or_else(|| illegal("timeZone", "-12:00 to +14:00"))?,
    };
    let day = Interval::from_label("1d").map(|day| day.in_zone(zone));
    Ok(named(call)?.rows(|listing| {
        let open_ms = day.map_or(0, |day| day.opening(listing.now_ms));
        row(call, listing, &listing.window_between(open_ms, open_ms + DAY_MS - 1), detail)
    }))
}

pub(super) fn rolling(call: &Call<'_>) -> Result<Answer, Answer> {
    let detail = detail(call)?;
    let length_ms = match call.request.param("windowSize") {
        None => DAY_MS,
        Some(text) => {
            window_size(text).ok_or_else(|| illegal("windowSize", "1m to 59m, 1h to 23h, 1d to 7d"))?
        }
    };
    Ok(named(call)?.rows(|listing| row(call, listing, &listing.window(length_ms), detail)))
}

/// `1m` to `59m`, `1h` to `23h`, `1d` to `7d`.
fn window_size(text: &str) -> Option<u64> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let (max, unit_ms) = match unit {
        "m" => (59, 60_000),
        "h" => (23, 3_600_000),
        "d" => (7, DAY_MS),
        _ => return None,
    };
    let count: u64 = count.parse().ok()?;
    (1..=max).contains(&count).then_some(count * unit_ms)
}
