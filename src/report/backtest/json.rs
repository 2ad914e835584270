//! The figures for scripts. Exact amounts are text, in units of the currency; statistics are numbers, null where not
//! defined; moments are text in UTC.

use super::BacktestReport;
use crate::domain::Time;
use crate::domain::decimal::Scaled;
use crate::report::setting::Setting;
use crate::statistics::Statistics;
use crate::statistics::months::{MonthReturn, monthly};
use crate::statistics::outcome::{Share, equity};
use crate::statistics::trades::TradeStatistics;
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
    strategies: Vec<Row<'a>>,
    instruments: Vec<Row<'a>>,
    months: Vec<MonthReturn>,
}

/// The figures of a strategy, or of an instrument.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instrument: Option<&'a str>,
    profit: String,
    traded: String,
    fees: String,
    funding: String,
    fills: u64,
    maker_fills: u64,
    open: u64,
    closed: &'a TradeStatistics,
}

pub(super) fn text<'a>(report: &'a BacktestReport<'a>) -> Result<String, serde_json::Error> {
    let outcome = report.outcome;
    let amount = |units| format!("{:#}", Scaled { value: units, decimals: outcome.decimals });
    let row = |share: &'a Share| Row {
        strategy: None,
        instrument: None,
        profit: amount(share.profit),
        traded: amount(share.traded),
        fees: amount(share.fees),
        funding: amount(share.funding),
        fills: share.fills,
        maker_fills: share.maker_fills,
        open: share.open,
        closed: &share.closed,
    };
    let of_strategy = |share: &'a Share| Row { strategy: Some(&share.name), ..row(share) };
    let of_instrument = |share: &'a Share| Row { instrument: Some(&share.name), ..row(share) };
    let moment = |time: Time| {
        let at = jiff::Timestamp::from_nanosecond(i128::from(time.0));
        at.map_or_else(|_| time.0.to_string(), |at| at.to_string())
    };
    let document = Document {
        name: &outcome.provenance.name,
        sources: &outcome.provenance.sources,
        settings: Setting::all(&outcome.provenance.settings),
        currency: &outcome.currency,
        from: moment(outcome.from),
        until: moment(outcome.until),
        start_equity: amount(outcome.start),
        end_equity: amount(outcome.end()),
        fills: outcome.fills.len(),
        open_trades: outcome.trips.iter().filter(|trip| trip.exit_time.is_none()).count(),
        statistics: &report.statistics,
        strategies: report.strategies.iter().map(of_strategy).collect(),
        instruments: report.instruments.iter().map(of_instrument).collect(),
        months: monthly(&equity(outcome)),
    };
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}
