//! `trades`, `historicalTrades` and `aggTrades`.
//!
//! Owns: the rows. How far back they go is what a listing keeps.

use super::http::Answer;
use super::listing::{Listing, Trade};
use super::rest::{Call, shown};
use super::selection::{Span, limit, listing, number};
use crate::domain::{Market, Side};
use serde_json::{Value, json};

pub(super) fn trades(call: &Call<'_>) -> Result<Answer, Answer> {
    let (listing, limit) = (listing(call)?, limit(call, 500, 1_000)?);
    let first = listing.trades.len().saturating_sub(limit);
    Ok(rows(call, listing, listing.trades.range(first..)))
}

pub(super) fn historical(call: &Call<'_>) -> Result<Answer, Answer> {
    let Some(from) = number(call, "fromId")? else { return trades(call) };
    let (listing, limit) = (listing(call)?, limit(call, 500, 1_000)?);
    Ok(rows(call, listing, listing.trades.iter().filter(|trade| trade.id >= from).take(limit)))
}

fn rows<'a>(call: &Call<'_>, listing: &Listing, trades: impl Iterator<Item = &'a Trade>) -> Answer {
    let of = &listing.instrument;
    let row = |trade: &Trade| {
        let (quote, quote_decimals) = listing.encoder.printed_notional(trade.price.times(trade.qty));
        let mut row = json!({
            "id": trade.id,
            "price": shown(trade.price.0, of.price_decimals),
            "qty": shown(trade.qty.0, of.qty_decimals),
            "quoteQty": shown(quote, quote_decimals),
            "time": call.time(trade.ms),
            "isBuyerMaker": trade.maker_side == Side::Buy,
        });
        if call.market == Market::Spot {
            row["isBestMatch"] = json!(true);
        }
        row
    };
    Answer::json(200, Value::from_iter(trades.map(row)).to_string())
}

/// The oldest from `fromId` or `startTime`, or the newest.
pub(super) fn aggregates(call: &Call<'_>) -> Result<Answer, Answer> {
    let (listing, limit) = (listing(call)?, limit(call, 500, 1_000)?);
    let (span, from_id) = (Span::of(call, limit)?, number(call, "fromId")?);
    let all = listing.aggregates.iter().filter(|a| (span.from_ms..=span.to_ms).contains(&a.ms));
    let wanted: Vec<_> = match from_id {
        Some(from) => all.filter(|a| a.id >= from).take(limit).collect(),
        None => span.cut(all),
    };
    let of = &listing.instrument;
    let rows = wanted.into_iter().map(|a| {
        let mut row = json!({
            "a": a.id,
            "p": shown(a.price.0, of.price_decimals),
            "q": shown(a.qty.0, of.qty_decimals),
            "f": a.first_id,
            "l": a.last_id,
            "T": call.time(a.ms),
            "m": a.maker_side == Side::Buy,
        });
        if call.market == Market::Spot {
            row["M"] = json!(true);
        }
        row
    });
    Ok(Answer::json(200, Value::from_iter(rows).to_string()))
}
