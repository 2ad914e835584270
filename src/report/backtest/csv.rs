//! Tables as CSV: amounts exact, times in UTC to the nanosecond.

use crate::domain::decimal::Scaled;
use crate::domain::event::FEE_DECIMALS;
use crate::domain::performance::{FillRow, Outcome, RoundTrip};
use crate::domain::{InstrumentId, Price, Qty, Side, StrategyId, Time};
use crate::statistics::drawdown;
use crate::statistics::outcome::{entry_price, equity as curve_of, exit_price};

/// Text from outside as one field. What a spreadsheet would take for a formula gets an apostrophe before it.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn strategy(outcome: &Outcome, id: StrategyId) -> String {
    outcome.strategies.get(id.index()).map_or_else(|| id.index().to_string(), |name| field(name))
}

fn instrument(outcome: &Outcome, id: InstrumentId) -> String {
    outcome.instruments.get(id.index()).map_or_else(|| id.index().to_string(), |i| field(&i.name()))
}

fn moment(time: Time) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(time.0))
        .map_or_else(|_| time.0.to_string(), |at| at.to_string())
}

fn amount(outcome: &Outcome, units: i128) -> String {
    Scaled { value: units, decimals: outcome.decimals }.to_string()
}

fn fee(units: i64) -> String {
    Scaled { value: units.into(), decimals: FEE_DECIMALS }.to_string()
}

fn qty(outcome: &Outcome, id: InstrumentId, qty: Qty) -> String {
    let decimals = outcome.instruments.get(id.index()).map_or(0, |i| i.qty_decimals);
    Scaled { value: qty.0.into(), decimals }.to_string()
}

fn price(outcome: &Outcome, id: InstrumentId, price: Price) -> String {
    let decimals = outcome.instruments.get(id.index()).map_or(0, |i| i.price_decimals);
    Scaled { value: price.0.into(), decimals }.to_string()
}

/// `buy` or `sell`.
fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// `trades.csv`: a line a round trip, in the order in which they began; no exit time is still open.
pub(super) fn trades(outcome: &Outcome) -> String {
    let mut out = String::from(
        "strategy,instrument,side,entry_time,exit_time,quantity,entry_price,exit_quantity,exit_price,fees,profit,return,fills\n",
    );
    let line = |trip: &RoundTrip| {
        let cost = outcome.amount(trip.instrument, trip.entry_value);
        let earned = (cost > 0).then(|| trip.profit as f64 / cost as f64);
        format!(
            "{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
            strategy(outcome, trip.strategy),
            instrument(outcome, trip.instrument),
            side(trip.side),
            moment(trip.entry_time),
            trip.exit_time.map(moment).unwrap_or_default(),
            qty(outcome, trip.instrument, trip.qty),
            number(entry_price(outcome, trip)),
            qty(outcome, trip.instrument, trip.exit_qty),
            number(exit_price(outcome, trip)),
            fee(trip.fees),
            amount(outcome, trip.profit),
            number(earned),
            trip.fills
        )
    };
    outcome.trips.iter().for_each(|trip| out.push_str(&line(trip)));
    out
}

/// `equity.csv`: a line a point, the start among them.
pub(super) fn equity(outcome: &Outcome) -> String {
    let below = drawdown::curve(&curve_of(outcome));
    let mut out = String::from("time,equity,long,short,drawdown\n");
    // The curve has the start before the points, unless the first of these is the start itself.
    let starts = below.len() > outcome.equity.len();
    if let Some(start) = below.first().filter(|_| starts) {
        out.push_str(&format!("{},{},0,0,0\n", moment(start.time), amount(outcome, outcome.start)));
    }
    for (point, below) in outcome.equity.iter().zip(&below[usize::from(starts)..]) {
        let [equity, long, short] =
            [point.equity, point.long, point.short].map(|units| amount(outcome, units));
        out.push_str(&format!("{},{equity},{long},{short},{}\n", moment(point.time), below.value));
    }
    out
}

/// `fills.csv`: a line a fill, as they were booked.
pub(super) fn fills(outcome: &Outcome) -> String {
    let mut out = String::from("time,strategy,instrument,order,side,quantity,price,fee,maker,slippage\n");
    let line = |fill: &FillRow| {
        let slippage = fill.slippage_doubled().map(|(cost, _)| outcome.amount(fill.instrument, cost));
        format!(
            "{},{},{},{},{},{},{},{},{},{}\n",
            moment(fill.time),
            strategy(outcome, fill.strategy),
            instrument(outcome, fill.instrument),
            fill.order.0,
            side(fill.side),
            qty(outcome, fill.instrument, fill.qty),
            price(outcome, fill.instrument, fill.price),
            fee(fill.fee),
            fill.maker,
            number(slippage.map(|doubled| outcome.number(doubled) / 2.0))
        )
    };
    outcome.fills.iter().for_each(|fill| out.push_str(&line(fill)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_one_harmless_field() {
        assert_eq!(field("ma-cross"), "ma-cross");
        assert_eq!(field("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
        assert_eq!([field("=1+1"), field("@x"), field("-2,3")], ["'=1+1", "'@x", "\"'-2,3\""]);
    }
}
