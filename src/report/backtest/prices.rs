//! Prices with the trades on them: where each was entered, where it was left, and whether it won.

use super::curves::{TimeAxis, amount_labels};
use super::text::{decimal, moment, money};
use crate::domain::performance::{Outcome, RoundTrip};
use crate::domain::{Instrument, Side};
use crate::report::html::escape;
use crate::report::plot::{Area, Axis};
use crate::report::units;
use crate::statistics::outcome::{entry_price, exit_price};
use crate::statistics::periods::Sample;

const AREA: Area = Area { width: 1040.0, height: 300.0, left: 92.0, right: 20.0, top: 20.0, bottom: 28.0 };
/// More plots than this say nothing together.
const INSTRUMENTS_MAX: usize = 12;
/// More marks than this are a smear.
const TRADES_MAX: usize = 500;

/// One figure an instrument that was traded.
pub(super) fn figures(outcome: &Outcome) -> String {
    let traded: Vec<&Instrument> = outcome
        .instruments
        .iter()
        .filter(|instrument| outcome.trips.iter().any(|trip| trip.instrument == instrument.id))
        .collect();
    let mut figures: String =
        traded.iter().take(INSTRUMENTS_MAX).map(|instrument| figure(outcome, instrument)).collect();
    if traded.len() > INSTRUMENTS_MAX {
        figures.push_str(&format!(
            "<p class=\"quiet\">Shown are the first {INSTRUMENTS_MAX} of {} instruments.</p>\n",
            traded.len()
        ));
    }
    figures
}

fn figure(outcome: &Outcome, instrument: &Instrument) -> String {
    let unit = 10f64.powi(i32::from(instrument.price_decimals));
    let prices: Vec<Sample> = outcome
        .prices
        .iter()
        .filter(|point| point.instrument == instrument.id && point.price.0 > 0)
        .map(|point| Sample::new(point.time, point.price.0 as f64 / unit))
        .collect();
    let trips: Vec<&RoundTrip> =
        outcome.trips.iter().filter(|trip| trip.instrument == instrument.id).collect();
    let shown = &trips[..trips.len().min(TRADES_MAX)];
    let marked =
        shown.iter().flat_map(|trip| [entry_price(outcome, trip), exit_price(outcome, trip)]).flatten();
    let y = Axis::covering(prices.iter().map(|point| point.value).chain(marked), AREA.y_span());
    let x = TimeAxis::new(outcome.from, outcome.until, AREA.x_span());
    let decimals = usize::from(instrument.price_decimals.min(8));
    let marks: String = shown.iter().map(|trip| mark(outcome, trip, &x, &y, decimals)).collect();
    let content = format!(
        "{}{}<g class=\"series s9 price\"><polyline points=\"{}\"/></g>{marks}",
        x.grid(&AREA),
        AREA.y_grid(&y, &amount_labels(y.ticks(6))),
        x.line(&prices, &y)
    );
    let name = instrument.name();
    let more = if trips.len() > shown.len() {
        format!("; marked are the first {TRADES_MAX}")
    } else {
        String::new()
    };
    format!(
        "<figure><figcaption>{} <small>{} trades{more}</small></figcaption>{}</figure>\n",
        escape(&name),
        units::count(trips.len() as u64),
        AREA.svg(&format!("Price of {name} with trades"), "class=\"plot\"", &content)
    )
}

/// A triangle where it was entered, pointing the way it was for, a line to where it was left.
fn mark(outcome: &Outcome, trip: &RoundTrip, x: &TimeAxis, y: &Axis, decimals: usize) -> String {
    let Some(entered) = entry_price(outcome, trip) else { return String::new() };
    let (px, py) = (x.px(trip.entry_time), y.px(entered));
    let way = match trip.side {
        Side::Buy => 1.0,
        Side::Sell => -1.0,
    };
    let class = if trip.profit > 0 { "won" } else { "lost" };
    let left = trip.exit_time.zip(exit_price(outcome, trip));
    let line = left.map_or_else(String::new, |(time, price)| {
        let (to_x, to_y) = (x.px(time), y.px(price));
        format!(
            "<line x1=\"{px:.1}\" y1=\"{py:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\"/><circle cx=\"{to_x:.1}\" cy=\"{to_y:.1}\" r=\"2.5\"/>"
        )
    });
    let title = format!(
        "{} {} at {}, {}; profit {}",
        if trip.side == Side::Buy { "long" } else { "short" },
        moment(trip.entry_time),
        decimal(entered, decimals),
        left.map_or_else(
            || "still open".to_owned(),
            |(time, price)| format!("left {} at {}", moment(time), decimal(price, decimals))
        ),
        money(outcome.number(trip.profit))
    );
    format!(
        "<g class=\"trade {class}\"><title>{}</title>{line}<path d=\"M{:.1} {:.1}L{:.1} {:.1}L{px:.1} {:.1}Z\"/></g>",
        escape(&title),
        px - 4.5,
        py + way * 9.0,
        px + 4.5,
        py + way * 9.0,
        py + way
    )
}
