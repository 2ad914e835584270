//! Funding rates from a CSV file, and how far they reach.

use super::fault::BacktestError;
use crate::domain::decimal::{self, Scaled};
use crate::domain::instrument::FeeRate;
use crate::domain::{Instrument, InstrumentId, Market, Time};
use crate::execution::fills::{Funding, FundingRate, RatesGiven};
use crate::run::config::{Config, FUNDING_MAX};
use std::collections::BTreeMap;

/// What a time in ms is at least and at most: from 2000 to 2286. One before is in seconds.
const MILLIS: std::ops::Range<u64> = 946_684_800_000..10_000_000_000_000;

const MINUTE_NS: u64 = 60_000_000_000;
/// No venue pays more seldom.
const DAY_NS: u64 = 24 * 60 * MINUTE_NS;

/// Rates of `text`, in order of time: columns `time` (or `calc_time`; ms since 1970), `rate` (or `last_funding_rate`), and
/// `instrument`, without which they are of the one USD-M instrument that is traded. Each is paid: a row that is there twice
/// would be paid twice, and is refused, as is one with more or fewer fields than the heading or with a rate that no venue has:
/// a decimal comma is both.
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
        if fields.len() != names.len() {
            let expected =
                format!("must have the {} fields of the heading, and has {}", names.len(), fields.len());
            return Err(bad(number, expected));
        }
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
        if rate.abs() > FUNDING_MAX.0 {
            let max = Scaled { value: FUNDING_MAX.0.into(), decimals: FeeRate::DECIMALS };
            return Err(bad(
                number,
                format!("must have a rate from -{max:#} to {max:#} of a position's value"),
            ));
        }
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
        rates
            .push((FundingRate { time: Time::from_millis(millis), instrument, rate: FeeRate(rate) }, number));
    }
    // Of one moment the rows stay in their order.
    rates.sort_by_key(|(rate, _)| (rate.time, rate.instrument));
    let twice = rates.windows(2).find_map(|two| match two {
        [(one, first), (other, again)] => {
            ((one.time, one.instrument) == (other.time, other.instrument)).then_some((other, first, *again))
        }
        _ => None,
    });
    if let Some((rate, first, again)) = twice {
        let name = config.instruments.get(rate.instrument).name();
        let expected = format!(
            "must have one rate of {name} at {}, which line {first} gives already: each would be paid",
            rate.time
        );
        return Err(bad(again, expected));
    }
    Ok(rates.into_iter().map(|(rate, _)| rate).collect())
}

/// How far these rates, in order of time, reach, by instrument. One that is alone is taken to be one of every `every_ns`.
pub fn given(rates: &[FundingRate], every_ns: u64) -> Vec<RatesGiven> {
    let mut times: BTreeMap<InstrumentId, Vec<Time>> = BTreeMap::new();
    for rate in rates {
        times.entry(rate.instrument).or_default().push(rate.time);
    }
    let reach = |(instrument, times): (InstrumentId, Vec<Time>)| {
        let (first, last) = (*times.first()?, *times.last()?);
        let gap = |two: Option<&[Time]>| match two {
            Some(&[one, next]) => next.since(one).min(DAY_NS),
            _ => every_ns,
        };
        let last_two = times.len().checked_sub(2).and_then(|at| times.get(at..));
        let every_ns = [gap(times.get(..2)), gap(last_two)];
        Some(RatesGiven { instrument, first, last, every_ns })
    };
    times.into_iter().filter_map(reach).collect()
}

/// Where rates are missing among the others of an instrument, at these times in order: longer without one than before and after
/// it, where what is between two changes from one place to the next, or than any venue is.
fn holes(times: &[Time]) -> Vec<(Time, Time)> {
    let gaps: Vec<u64> = times.windows(2).map(|two| two[1].since(two[0])).collect();
    let hole = |(at, &gap): (usize, &u64)| {
        let beside = [at.checked_sub(1), at.checked_add(1)].map(|beside| gaps.get(beside?).copied());
        let usual = match beside {
            [Some(before), Some(after)] => before.max(after).min(DAY_NS),
            _ => DAY_NS,
        };
        (gap > usual + MINUTE_NS).then(|| (times[at], times[at + 1]))
    };
    gaps.iter().enumerate().filter_map(hole).collect()
}

/// What of a run from and until these moments the rates of `file` say nothing about.
pub fn notes(
    file: &str,
    funding: &Funding,
    traded: &[&Instrument],
    (from, until): (Time, Time),
) -> Vec<String> {
    if !funding.rates.iter().any(|rate| (from..=until).contains(&rate.time)) {
        let (first, last) = (funding.given.iter().map(|of| of.first), funding.given.iter().map(|of| of.last));
        let there = match first.min().zip(last.max()) {
            Some((first, last)) => format!("its rates are of {first} to {last}"),
            None => "it has none".to_owned(),
        };
        return vec![format!(
            "{file}: NO FUNDING RATE of this file lies within the run, {from} to {until}: {there}; none was paid"
        )];
    }
    let mut notes = Vec::new();
    for instrument in traded.iter().filter(|i| i.market == Market::UsdM) {
        let name = instrument.name();
        let Some(of) = funding.given.iter().find(|of| of.instrument == instrument.id) else {
            if funding.constant.is_none() {
                notes.push(format!("{file}: it has no funding rate of {name}, which paid none"));
            }
            continue;
        };
        // The next may be due as long after as the one before was, or a little later: rates come some ms after the hour.
        let [first_every, last_every] = of.every_ns.map(|every| every + MINUTE_NS);
        if of.first > from.plus_nanos(first_every) {
            let (first, name) = (of.first, &name);
            notes.push(format!(
                "{file}: the FUNDING RATES of {name} begin at {first}, and the run at {from}: none was paid before"
            ));
        }
        if until > of.last.plus_nanos(last_every) {
            let last = of.last;
            notes.push(format!(
                "{file}: the FUNDING RATES of {name} end at {last}, and the run at {until}: none was paid after"
            ));
        }
        let times: Vec<Time> =
            funding.rates.iter().filter(|of| of.instrument == instrument.id).map(|of| of.time).collect();
        let mut holes = holes(&times);
        holes.retain(|&(begins, ends)| begins < until && ends > from);
        if let Some((begins, ends)) = holes.first() {
            let count = holes.len();
            notes.push(format!(
                "{file}: the FUNDING RATES of {name} have holes within the run ({count}, the first from {begins} to {ends}): \
                 none was paid in them"
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;

    const HOUR_NS: u64 = 60 * MINUTE_NS;

    #[test]
    fn a_run_is_told_of_which_instruments_rates_do_not_reach_over_it() {
        let all: Vec<Instrument> = (0..4)
            .map(|id| {
                let market = if id == 3 { Market::Spot } else { Market::UsdM };
                Instrument { id: InstrumentId(id), ..sample(market, &format!("I{id}USDT")) }
            })
            .collect();
        let traded: Vec<&Instrument> = all.iter().collect();
        let told = |rates: &[(u64, u16)], constant, range: (u64, u64)| {
            let rates: Vec<_> = rates
                .iter()
                .map(|&(hour, id)| FundingRate {
                    // Some ms after the hour, as Binance has it.
                    time: Time(hour * HOUR_NS + 3_000_000 * (hour / 8 % 2)),
                    instrument: InstrumentId(id),
                    rate: FeeRate(1),
                })
                .collect();
            let given = given(&rates, 8 * HOUR_NS);
            let funding = Funding { rates, constant, given };
            notes("f.csv", &funding, &traded, (Time(range.0 * HOUR_NS), Time(range.1 * HOUR_NS)))
        };
        let hours = |ids: &[u16], hours: &[u64]| -> Vec<(u64, u16)> {
            hours.iter().flat_map(|hour| ids.iter().map(|id| (*hour, *id))).collect()
        };
        let whole = hours(&[0, 1, 2], &[8, 16, 24, 32]);
        assert_eq!(told(&whole, None, (0, 40)), Vec::<String>::new());
        let without = hours(&[0, 2], &[8, 16, 24, 32]);
        let notes = told(&without, None, (0, 40));
        assert!(notes.len() == 1 && notes[0].contains("no funding rate of binance:usdm:I1USDT"), "{notes:?}");
        // What the file does not have pays the rate of always, where there is one.
        assert_eq!(told(&without, Some((FeeRate(1), 8 * HOUR_NS)), (0, 40)), Vec::<String>::new());
        let part = [hours(&[0, 1], &[8, 16, 24, 32]), hours(&[2], &[20, 24, 28])].concat();
        let notes = told(&part, None, (0, 40));
        let begins = notes[0].contains("I2USDT begin at ") && notes[0].contains("none was paid before");
        let ends = notes[1].contains("I2USDT end at ") && notes[1].contains("none was paid after");
        assert!(notes.len() == 2 && begins && ends, "{notes:?}");
        assert_eq!(told(&part, None, (17, 31)), Vec::<String>::new());
        // A venue that pays more often from some day on, and less often again, leaves none out.
        let changing = hours(&[0, 1, 2], &[8, 16, 24, 28, 32, 36, 44, 52]);
        assert_eq!(told(&changing, None, (0, 60)), Vec::<String>::new());
        let holed = hours(&[0, 1, 2], &[8, 16, 24, 40, 48, 56, 80, 88]);
        let notes = told(&holed, None, (0, 90));
        assert!(
            notes.len() == 3 && notes[1].contains("I1USDT have holes within the run (2, the first from "),
            "{notes:?}"
        );
        assert!(told(&holed, None, (50, 90))[0].contains("holes within the run (1, "), "{notes:?}");
        assert_eq!(told(&holed, None, (81, 90)), Vec::<String>::new());
    }
}
