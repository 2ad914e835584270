//! The figures for scripts. Exact amounts are text, in units of the currency; statistics are numbers, null where not
//! defined; moments are text in UTC.

use super::BacktestReport;
use crate::domain::Time;
use crate::domain::decimal::Scaled;
use crate::statistics::Statistics;
use crate::statistics::months::{MonthReturn, monthly};
use crate::statistics::outcome::{Share, equity};
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    name: &'a str,
    sources: &'a [String],
    settings: Vec<Setting<'a>>,
    currency: &'a str,
    from: String,
    until: String,
    start_equity: String,
    end_equity: String,
    fills: usize,
    open_trades: usize,
    statistics: &'a Statistics,
    strategies: &'a [Share],
    instruments: &'a [Share],
    months: Vec<MonthReturn>,
}

/// In an order that an object would not keep.
#[derive(Serialize)]
struct Setting<'a> {
    key: &'a str,
    value: &'a str,
}

pub(super) fn text(report: &BacktestReport<'_>) -> Result<String, serde_json::Error> {
    let outcome = report.outcome;
    let amount = |units| Scaled { value: units, decimals: outcome.decimals }.to_string();
    let moment = |time: Time| {
        let at = jiff::Timestamp::from_nanosecond(i128::from(time.0));
        at.map_or_else(|_| time.0.to_string(), |at| at.to_string())
    };
    let document = Document {
        name: &outcome.provenance.name,
        sources: &outcome.provenance.sources,
        settings: outcome.provenance.settings.iter().map(|(key, value)| Setting { key, value }).collect(),
        currency: &outcome.currency,
        from: moment(outcome.from),
        until: moment(outcome.until),
        start_equity: amount(outcome.start),
        end_equity: amount(outcome.end()),
        fills: outcome.fills.len(),
        open_trades: outcome.trips.iter().filter(|trip| trip.exit_time.is_none()).count(),
        statistics: &report.statistics,
        strategies: &report.strategies,
        instruments: &report.instruments,
        months: monthly(&equity(outcome)),
    };
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}
