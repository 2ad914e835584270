//! Funding rates from a CSV file.

use super::fault::BacktestError;
use crate::domain::decimal;
use crate::domain::instrument::FeeRate;
use crate::domain::{Instrument, Market, Time};
use crate::execution::fills::FundingRate;
use crate::run::config::Config;

/// What a time in ms is at least and at most: from 2000 to 2286. One before is in seconds.
const MILLIS: std::ops::Range<u64> = 946_684_800_000..10_000_000_000_000;

/// Rates of `text`, in order of time: columns `time` (or `calc_time`; ms since 1970), `rate` (or `last_funding_rate`), and
/// `instrument`, without which they are of the one USD-M instrument that is traded.
///
/// # Errors
/// [`BacktestError::File`] with the line that is wrong.
pub fn read(
    path: &str,
    text: &str,
    config: &Config,
    traded: &[&Instrument],
) -> Result<Vec<FundingRate>, BacktestError> {
    let bad = |line: usize, expected: String| BacktestError::File { path: path.to_owned(), line, expected };
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let header = lines.next().map_or("", |(line, _)| line).trim_start_matches('\u{feff}');
    let names: Vec<&str> = header.split(',').map(str::trim).collect();
    let column = |wanted: &[&str]| names.iter().position(|name| wanted.contains(name));
    let (Some(time_at), Some(rate_at)) =
        (column(&["time", "calc_time"]), column(&["rate", "last_funding_rate"]))
    else {
        return Err(bad(
            1,
            "must be a heading with the columns time (ms) and rate, such as time,instrument,rate".into(),
        ));
    };
    let name_at = column(&["instrument"]);
    let futures: Vec<_> = traded.iter().filter(|i| i.market == Market::UsdM).collect();
    let only = match (name_at, futures.as_slice()) {
        (None, [one]) => Some(one.id),
        (None, _) => {
            let expected = "has no column instrument, and not exactly one USD-M instrument is traded";
            return Err(bad(1, expected.into()));
        }
        _ => None,
    };
    let mut rates = Vec::new();
    for (line, number) in lines {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let millis: Option<u64> = field(time_at).parse().ok();
        if millis.is_some_and(|millis| !MILLIS.contains(&millis)) {
            let expected =
                "must have a time in ms since 1970, of 2000 to 2286: 1700000000000 is in November 2023";
            return Err(bad(number, expected.into()));
        }
        let rate = decimal::parse(field(rate_at).as_bytes(), FeeRate::DECIMALS).ok();
        let (Some(millis), Some(rate)) = (millis, rate) else {
            return Err(bad(
                number,
                "must have a time in ms since 1970 and a rate with at most 8 decimals".into(),
            ));
        };
        let instrument = match (only, name_at) {
            (Some(only), _) => only,
            (None, at) => {
                let name = field(at.unwrap_or_default());
                match config.instruments.by_name(name).filter(|i| i.market == Market::UsdM) {
                    Some(instrument) => instrument.id,
                    None => return Err(bad(number, format!("{name:?} is no USD-M instrument of this run"))),
                }
            }
        };
        rates.push(FundingRate { time: Time::from_millis(millis), instrument, rate: FeeRate(rate) });
    }
    rates.sort_by_key(|rate| (rate.time, rate.instrument));
    Ok(rates)
}
