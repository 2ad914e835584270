//! What happened, in words.

use super::told::SizingFacts;
use crate::audit::Body;
use crate::domain::decimal::Scaled;
use crate::domain::event::Event;
use crate::domain::{Instrument, InstrumentTable, Qty, Slot};
use crate::market::Top;
use crate::risk::units;
use crate::strategy::sizing::{AMOUNT_DECIMALS, Method, Sized};
use crate::venue::binance::client::refusal_words;

/// What a record of the trail says of order `id`.
pub(super) fn concerning(body: &Body, id: u64) -> Option<String> {
    let of = |order: &crate::audit::record::Whose| order.order == id;
    match body {
        Body::Order { decision, reason, order, .. } if of(&order.whose) => {
            Some(format!("{decision}{}", reason.map(|r| format!(": {r}")).unwrap_or_default()))
        }
        Body::Cancel { order } if of(order) => Some("a cancel is sent".to_owned()),
        Body::Manager { change, order } if of(order) => Some(change.clone()),
        Body::Reply { reply, reason, refusal, told, order, .. } if of(order) => {
            let reason = reason.or(refusal.as_deref()).map(|r| format!(": {r}")).unwrap_or_default();
            Some(format!("{reply}{reason}{}", told.as_ref().map(|t| format!(", {t}")).unwrap_or_default()))
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
        Event::Report(r) => {
            let refusal = r.refusal().map(|why| format!(", {}", refusal_words(why))).unwrap_or_default();
            format!("{name}: the venue on order {}: {:?}{refusal}", r.order.0, r.kind)
        }
        Event::Denial(d) => {
            let told = instrument.and_then(|of| units::told(d.reason, (d.limit, d.value, d.measure), of));
            let told = told.map(|told| format!(", {told}")).unwrap_or_default();
            format!("{name}: order {} was denied: {}{told}", d.order.0, d.reason)
        }
        Event::Command(c) => format!("command: {c:?}"),
        Event::Interrupted(_) => format!("{name}: market data interrupted"),
        Event::TradeUnread(t) => {
            let what = if t.aggregate == Some(true) { "an aggregate trade" } else { "a trade" };
            format!("{name}: {what} that could not be read")
        }
        Event::Rules(_) | Event::MarketRules(_) => format!("{name}: the venue changed its rules"),
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
        method: method(sized.method, instrument),
        base: instrument.base.clone(),
        quote: instrument.quote.clone(),
        unit_is: match sized.method {
            Method::RiskPerTrade { .. } => "the distance to the stop",
            Method::VolatilityTarget { .. } | Method::EqualRisk { .. } => "the average true range",
            _ => "the price",
        },
        equity: Scaled { value: sized.equity, decimals: AMOUNT_DECIMALS }.to_string(),
        budget: Scaled { value: sized.budget.0, decimals: instrument.notional_decimals() }.to_string(),
        unit: Scaled { value: sized.unit.0.into(), decimals: instrument.price_decimals }.to_string(),
        wanted: qty(sized.wanted),
        qty: qty(sized.qty),
    }
}

/// A method with its settings, in words.
fn method(method: Method, instrument: &Instrument) -> String {
    let amount = |value: i64| format!("{:#}", Scaled { value: value.into(), decimals: AMOUNT_DECIMALS });
    // A per cent is ten thousand parts per million.
    let percent = |share: i64| format!("{:#} %", Scaled { value: share.into(), decimals: 4 });
    match method {
        Method::FixedQty { qty } => format!("fixed-qty: {} {}", amount(qty), instrument.base),
        Method::FixedNotional { notional } => {
            format!("fixed-notional: worth {} {}", amount(notional), instrument.quote)
        }
        Method::PercentOfEquity { share } => {
            format!("percent-of-equity: worth {} of the equity", percent(share))
        }
        Method::RiskPerTrade { share } => {
            format!("risk-per-trade: {} of the equity is lost if the stop is reached", percent(share))
        }
        Method::VolatilityTarget { share, period } => format!(
            "volatility-target: the average true range of {period} bars moves {} of the equity",
            percent(share)
        ),
        Method::Kelly { share } => format!("kelly: worth {} of the equity", percent(share)),
        Method::EqualRisk { share, period } => format!(
            "equal-risk: the average true range of {period} bars moves {} of the equity, divided among the strategy's \
             instruments",
            percent(share)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Market;
    use crate::domain::instrument::tests::sample;

    #[test]
    fn a_method_is_told_with_its_units() {
        let told = |m| method(m, &sample(Market::Spot, "BTCUSDT"));
        let expected = "risk-per-trade: 0.5 % of the equity is lost if the stop is reached";
        assert_eq!(told(Method::RiskPerTrade { share: 5_000 }), expected);
        assert_eq!(told(Method::FixedQty { qty: 1_250_000 }), "fixed-qty: 0.0125 BTC");
        assert_eq!(
            told(Method::FixedNotional { notional: 10_000_000_000 }),
            "fixed-notional: worth 100 USDT"
        );
        assert_eq!(told(Method::Kelly { share: 100_000 }), "kelly: worth 10 % of the equity");
    }
}
