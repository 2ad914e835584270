//! What happened, in words.

use super::told::SizingFacts;
use crate::audit::Body;
use crate::domain::decimal::Scaled;
use crate::domain::event::Event;
use crate::domain::{Instrument, InstrumentTable, Qty, Slot};
use crate::market::Top;
use crate::strategy::sizing::{AMOUNT_DECIMALS, Sized};

/// What a record of the trail says of order `id`.
pub(super) fn concerning(body: &Body, id: u64) -> Option<String> {
    let of = |order: &crate::audit::record::Whose| order.order == id;
    match body {
        Body::Order { decision, reason, order } if of(&order.whose) => {
            Some(format!("{decision}{}", reason.map(|r| format!(": {r}")).unwrap_or_default()))
        }
        Body::Cancel { order } if of(order) => Some("a cancel is sent".to_owned()),
        Body::Manager { change, order } if of(order) => Some(change.clone()),
        Body::Reply { reply, reason, order } if of(order) => {
            Some(format!("{reply}{}", reason.map(|r| format!(": {r}")).unwrap_or_default()))
        }
        Body::Fill { order, side, qty, price, fee, fee_asset, maker, trade_id } if of(order) => {
            let made = if *maker { "maker" } else { "taker" };
            Some(format!(
                "fill: {side} {qty} at {price}, fee {fee} in the {fee_asset} asset, {made}, trade {trade_id}"
            ))
        }
        Body::Commission { order, asset, amount, worth, trade_id } if of(order) => {
            let is_late = amount.bytes().all(|digit| matches!(digit, b'0' | b'.'));
            Some(if is_late {
                format!(
                    "the commission in {asset} had no price; it is worth {worth} in the quote asset, trade {trade_id}"
                )
            } else {
                format!("commission of {amount} {asset}, worth {worth} in the quote asset, trade {trade_id}")
            })
        }
        _ => None,
    }
}

/// What a slot says, for a person; nothing of those that only continue an event.
pub(super) fn describe(slot: &Slot, table: &InstrumentTable) -> Option<String> {
    let instrument = table.all().get(slot.instrument().index());
    let name = instrument.map_or_else(String::new, Instrument::name);
    let price =
        |value: i64| Scaled { value: value.into(), decimals: instrument.map_or(0, |i| i.price_decimals) };
    let qty = |value: i64| Scaled { value: value.into(), decimals: instrument.map_or(0, |i| i.qty_decimals) };
    Some(match slot.event() {
        Event::Clock => "time passed".to_owned(),
        Event::Trade(t) => {
            format!("{name}: trade of {} at {}, by a {}er", qty(t.qty.0), price(t.price.0), t.aggressor)
        }
        Event::Quote(q) => format!(
            "{name}: quote {} x {} / {} x {}",
            qty(q.bid.qty.0),
            price(q.bid.price.0),
            price(q.ask.price.0),
            qty(q.ask.qty.0)
        ),
        Event::DepthDiff(d) => format!("{name}: depth diff of {} bids and {} asks", d.bids, d.asks),
        Event::DepthSnapshot(d) => format!("{name}: whole book of {} bids and {} asks", d.bids, d.asks),
        Event::DepthPartial(d) => format!("{name}: best {} bids and {} asks", d.bids, d.asks),
        Event::Kline(_) => format!("{name}: bar of the venue"),
        Event::Report(r) => format!("{name}: the venue on order {}: {:?}", r.order.0, r.kind),
        Event::Denial(d) => format!("{name}: order {} was denied: {}", d.order.0, d.reason),
        Event::Command(c) => format!("command: {c:?}"),
        Event::Interrupted(_) => format!("{name}: market data interrupted"),
        Event::Rules(_) => format!("{name}: the venue changed its rules"),
        Event::Levels | Event::KlineTail => return None,
    })
}

/// Best bid and ask.
pub(super) fn book(top: &Top, instrument: &Instrument) -> String {
    if !top.is_two_sided() {
        return "not known, or not to be trusted".to_owned();
    }
    let price = |value: i64| Scaled { value: value.into(), decimals: instrument.price_decimals };
    let qty = |value: i64| Scaled { value: value.into(), decimals: instrument.qty_decimals };
    let (bid, ask) = (top.bid, top.ask);
    format!(
        "bid {} x {}, ask {} x {}",
        price(bid.price.0),
        qty(bid.qty.0),
        price(ask.price.0),
        qty(ask.qty.0)
    )
}

/// A size, in words.
pub(super) fn sizing(sized: &Sized, instrument: &Instrument) -> SizingFacts {
    let qty = |qty: Qty| Scaled { value: qty.0.into(), decimals: instrument.qty_decimals }.to_string();
    SizingFacts {
        method: format!("{:?}", sized.method),
        equity: Scaled { value: sized.equity, decimals: AMOUNT_DECIMALS }.to_string(),
        budget: Scaled { value: sized.budget.0, decimals: instrument.notional_decimals() }.to_string(),
        unit: Scaled { value: sized.unit.0.into(), decimals: instrument.price_decimals }.to_string(),
        wanted: qty(sized.wanted),
        qty: qty(sized.qty),
    }
}
