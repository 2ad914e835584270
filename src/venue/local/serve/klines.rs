//! `klines` and `uiKlines`.
//!
//! Owns: the rows, made from the trades that were sent.

use super::http::Answer;
use super::interval::{self, Interval};
use super::listing::Listing;
use super::rest::{Call, shown};
use super::selection::{Span, illegal, limit, listing, required};
use crate::domain::{Market, Notional, Price, Qty};
use serde_json::{Value, json};

pub(super) fn weight(call: &Call<'_>) -> u32 {
    match (call.market, limit(call, 500, 1_500).unwrap_or(500)) {
        (Market::Spot, _) => 2,
        (_, ..100) => 1,
        (_, ..500) => 2,
        (_, ..=1_000) => 5,
        _ => 10,
    }
}

pub(super) fn answer(call: &Call<'_>) -> Result<Answer, Answer> {
    let listing = listing(call)?;
    let label = required(call, "interval")?;
    let mut interval =
        Interval::from_label(label).ok_or_else(|| Answer::error(400, -1120, "Invalid interval."))?;
    if let Some(text) = call.request.param("timeZone").filter(|_| call.market == Market::Spot) {
        let zone = interval::zone(text).ok_or_else(|| illegal("timeZone", "-12:00 to +14:00"))?;
        interval = interval.in_zone(zone);
    }
    let span = Span::of(call, limit(call, 500, if call.market == Market::Spot { 1_000 } else { 1_500 })?)?;
    let openings = listing.bars.openings(&interval, listing.now_ms);
    let wanted = openings.filter(|opening| (span.from_ms..=span.to_ms).contains(opening));
    let rows = span.cut(wanted).into_iter().filter_map(|opening| row(call, listing, &interval, opening));
    Ok(Answer::json(200, Value::from_iter(rows).to_string()))
}

fn row(call: &Call<'_>, listing: &Listing, interval: &Interval, open_ms: u64) -> Option<Value> {
    let (of, bar) = (&listing.instrument, listing.bars.bar(interval, open_ms)?);
    let price = |price: Price| shown(price.0, of.price_decimals);
    let qty = |qty: Qty| shown(qty.0, of.qty_decimals);
    let quote = |notional: Notional| {
        let (value, decimals) = listing.encoder.printed_notional(notional);
        shown(value, decimals)
    };
    Some(json!([
        call.time(bar.open_ms),
        price(bar.open),
        price(bar.high),
        price(bar.low),
        price(bar.close),
        qty(bar.volume),
        call.last_moment(bar.close_ms()),
        quote(bar.quote),
        bar.trades,
        qty(bar.taker_buy_volume),
        quote(bar.taker_buy_quote),
        "0"
    ]))
}
