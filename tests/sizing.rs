//! A size is whole lots, never more than its method, its cap and its instrument allow, and not a lot less either.

use algo_trader::domain::params::{ParamEntry, ParamTable, ParamValue};
use algo_trader::domain::{Instrument, InstrumentId, Notional, Price, Qty, Time};
use algo_trader::market::Bar;
use algo_trader::strategy::sizing::{Ask, Atr, METHODS, NoSize, Sizer, SizingSpec};
use algo_trader::venue::local::demo_instruments;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

fn sizer(method: &str, params: &[(&str, ParamValue)], instruments: usize) -> Sizer {
    let spec = SizingSpec::find(method).expect("a method");
    let entry = |(name, value): &(&str, ParamValue)| ParamEntry {
        name: (*name).to_owned(),
        value: value.clone(),
        line: 1,
        column: 1,
    };
    let table = ParamTable { entries: params.iter().map(entry).collect() };
    let params = table.check(spec.params, "x.toml").expect("good parameters");
    let ids: Vec<_> = (0..instruments as u16).map(InstrumentId).collect();
    Sizer::new(spec, &params, &ids, instruments)
}

fn text(value: &str) -> ParamValue {
    ParamValue::Text(value.to_owned())
}

/// An instrument whose numbers are arbitrary, and fit together.
fn instrument(
    price_decimals: u8,
    qty_decimals: u8,
    lot: i64,
    min: i64,
    max: i64,
    notional: i64,
) -> Instrument {
    let mut one = demo_instruments().remove(0);
    (one.price_decimals, one.qty_decimals) = (price_decimals, qty_decimals);
    (one.lot, one.min_qty, one.max_qty) = (Qty(lot), Qty(min), Qty(max));
    one.min_notional = Notional(notional.into());
    one
}

/// What the method may spend or lose, exactly, as a fraction over 10^8 × 10^6: equity × share.
fn budget_of(capital: i128, profit: i128, ppm: i128) -> i128 {
    (capital + profit).max(0) * ppm
}

/// What the sizes of one method came to.
#[derive(Debug, Default)]
struct Counts {
    sized: AtomicU32,
    too_small: AtomicU32,
}

#[test]
fn no_size_exceeds_its_intent_and_one_lot_more_would() {
    let counts: [Counts; 7] = Default::default();
    let given = (
        ((0u8..=8, 0u8..=8), (1i64..1_000, 0i64..1_000, 1i64..1_000_000_000_000)),
        (1i64..10_000_000, -100_000i64..100_000),
        (1i64..1_000_000, -200_000i64..2_000_000, 1i64..10_000, 1i64..10_000_000),
        (0.0f64..1e6, 1usize..6, 0usize..7, 0i64..1_000_000),
    );
    let config = ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, rng).run(&given, |given| {
        let (((price_decimals, qty_decimals), (lot, min, max)), (entry, away), rest, more) = given;
        let (capital, profit, hundredths, cap) = rest;
        let (atr, others, which, min_notional) = more;
        let spec = &METHODS[which];
        let of = instrument(price_decimals, qty_decimals, lot, min, max, min_notional);
        let percent = ParamValue::Float(hundredths as f64 / 100.0);
        let ppm = i128::from(hundredths) * 100;
        let (capital_text, cap_text) = (capital.to_string(), cap.to_string());
        let mut params = vec![("notional_max", text(&cap_text))];
        match spec.name {
            "fixed-qty" => params.push(("qty", text("12.34567891"))),
            "fixed-notional" => params.push(("notional", text("1234.5678"))),
            "kelly" => params.extend([
                ("win_percent", ParamValue::Float(60.0)),
                ("part", ParamValue::Float(1.0)),
                ("percent_max", percent),
                ("capital", text(&capital_text)),
            ]),
            _ => params.extend([("percent", percent), ("capital", text(&capital_text))]),
        }
        let sizer = sizer(spec.name, &params, others);
        let ask = Ask {
            instrument: &of,
            entry: Price(entry),
            stop: Some(Price(entry + away)),
            profit: i128::from(profit) * 100_000_000,
            atr: Some(atr),
            instruments: others,
        };
        // Everything in units of 10^-(8 + 6) quote and 10^-16 price times quantity: nothing is rounded.
        let eight = 100_000_000i128;
        let equity = budget_of(i128::from(capital) * eight, ask.profit, 1);
        let decimals = u32::from(price_decimals + qty_decimals);
        let worth = |qty: i64, unit: i128| unit * i128::from(qty) * 10i128.pow(16 - decimals);
        let quote = |amount8: i128| amount8 * eight;
        let distance = i128::from(away).abs();
        let range = (atr.ceil() as i128).max(1);
        // (what one unit takes, what may be taken), over 10^16; times a million where a share is in it.
        let (unit, budget, times) = match spec.name {
            "fixed-qty" => (0, 0, 1),
            "fixed-notional" => (i128::from(entry), quote(123_456_780_000), 1),
            "percent-of-equity" => (i128::from(entry), quote(equity * ppm), 1_000_000),
            "kelly" => (i128::from(entry), quote(equity * ppm.min(200_000)), 1_000_000),
            "risk-per-trade" => (distance, quote(equity * ppm), 1_000_000),
            "volatility-target" => (range, quote(equity * ppm), 1_000_000),
            _ => (range, quote(equity * ppm) / others as i128, 1_000_000),
        };
        let fits = |qty: i64| {
            let within = worth(qty, unit) * times <= budget;
            let fixed = i128::from(qty) * 10i128.pow(8 - u32::from(qty_decimals.min(8))) <= 1_234_567_891;
            let method = if spec.name == "fixed-qty" { fixed } else { within };
            method && worth(qty, entry.into()) <= quote(i128::from(cap) * eight) && qty <= max
        };
        // A share of the equity is rounded down to 10^-8 before it is divided by a unit that may be finer.
        let fine = 10i128.pow(decimals.saturating_sub(8));
        let slack = i64::try_from(fine.checked_div(unit).map_or(0, |units| units + 2)).unwrap_or(i64::MAX);
        match sizer.size(&ask, 1) {
            Ok(sized) => {
                counts[which].sized.fetch_add(1, Relaxed);
                let qty = sized.qty.0;
                prop_assert!(qty > 0 && qty % lot == 0, "{sized:?}");
                prop_assert!(qty >= min && Price(entry).times(Qty(qty)) >= of.min_notional, "{sized:?}");
                prop_assert!(fits(qty), "{} {sized:?}", spec.name);
                let more = qty.saturating_add(lot).saturating_add(slack);
                prop_assert!(!fits(more), "{} {sized:?}", spec.name);
            }
            Err(NoSize::TooSmall) => {
                counts[which].too_small.fetch_add(1, Relaxed);
                // The least that would be an order does not fit.
                let by_value = (i128::from(min_notional) + i128::from(entry) - 1) / i128::from(entry);
                let least = by_value.max(min.into()).max(1);
                let least = (least + i128::from(lot) - 1) / i128::from(lot) * i128::from(lot);
                let least = i64::try_from(least).unwrap_or(i64::MAX);
                let more = least.saturating_add(lot).saturating_add(slack);
                prop_assert!(!fits(more), "{} {least}", spec.name);
            }
            Err(NoSize::NoEquity) => prop_assert!(capital + profit <= 0),
            Err(NoSize::NoStop) => prop_assert!(away == 0 && spec.name == "risk-per-trade"),
            Err(other) => prop_assert!(false, "{other}"),
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    for (spec, counts) in METHODS.iter().zip(&counts) {
        println!("{}: {counts:?}", spec.name);
        assert!(counts.sized.load(Relaxed) > 100, "{}: {counts:?}", spec.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_makes_it_panic(
        entry in any::<i64>(), stop in any::<i64>(), profit in any::<i128>(), which in 0usize..7,
        atr in any::<f64>(), max in any::<i64>(), lot in any::<i64>(), decimals in 0u8..=18,
    ) {
        let of = instrument(decimals / 2, decimals - decimals / 2, lot, 0, max, 0);
        let sizer = sizer(METHODS[which].name, &[], 3);
        let ask = Ask {
            instrument: &of, entry: Price(entry), stop: Some(Price(stop)), profit, atr: Some(atr), instruments: 3,
        };
        if let Ok(sized) = sizer.size(&ask, 1) {
            prop_assert!(sized.qty.0 > 0 && sized.qty.0 <= max);
        }
    }

    #[test]
    fn the_average_true_range_is_what_its_definition_says(
        bars in prop::collection::vec((1i64..1_000, 0i64..50, 0i64..50), 2..60), period in 1u32..20,
    ) {
        let bars: Vec<Bar> = bars.iter().map(|&(close, up, down)| bar(close + up, close - down, close)).collect();
        let mut atr = Atr::new(period);
        bars.iter().for_each(|bar| atr.take(bar));
        let ranges: Vec<f64> = bars
            .windows(2)
            .map(|w| {
                let before = w[0].close.0;
                let all = [w[1].high.0 - w[1].low.0, (w[1].high.0 - before).abs(), (w[1].low.0 - before).abs()];
                all.into_iter().max().expect("three") as f64
            })
            .collect();
        let n = period as usize;
        let expected = (ranges.len() >= n).then(|| {
            let first = ranges[..n].iter().sum::<f64>() / n as f64;
            ranges[n..].iter().fold(first, |value, range| value + (range - value) / n as f64)
        });
        match (atr.value(), expected) {
            (Some(a), Some(b)) => prop_assert!((a - b).abs() <= 1e-9 * b.max(1.0), "{a} {b}"),
            (a, b) => prop_assert_eq!(a, b),
        }
    }
}

fn bar(high: i64, low: i64, close: i64) -> Bar {
    Bar {
        instrument: InstrumentId(0),
        start: Time(0),
        open: Price(close),
        high: Price(high),
        low: Price(low),
        close: Price(close),
        volume: Qty(1),
        trades: 1,
    }
}

#[test]
fn known_cases_come_out_to_the_lot() {
    // 2 price decimals, 3 quantity decimals, lots of 0.001.
    let of = instrument(2, 3, 1, 1, 1_000_000, 500_000);
    let ask = |stop: Option<i64>, atr: Option<f64>| Ask {
        instrument: &of,
        entry: Price(6_000_000),
        stop: stop.map(Price),
        profit: 0,
        atr,
        instruments: 4,
    };
    let size = |method: &str, params: &[(&str, ParamValue)], ask: &Ask<'_>| {
        sizer(method, params, 4).size(ask, 1).map(|sized| sized.qty.0)
    };
    assert_eq!(size("fixed-qty", &[("qty", text("0.0129"))], &ask(None, None)), Ok(12));
    assert_eq!(size("fixed-notional", &[("notional", text("1000"))], &ask(None, None)), Ok(16), "0.01666…");
    let one = [("percent", ParamValue::Float(1.0)), ("capital", text("100000"))];
    assert_eq!(size("percent-of-equity", &one, &ask(None, None)), Ok(16));
    // 1 % of 100,000 is 1,000; the stop is 500 away: 2.000.
    assert_eq!(size("risk-per-trade", &one, &ask(Some(5_950_000), None)), Ok(2_000));
    assert_eq!(size("risk-per-trade", &one, &ask(Some(6_050_000), None)), Ok(2_000), "a short");
    assert_eq!(size("risk-per-trade", &one, &ask(None, None)), Err(NoSize::NoStop));
    // A range of 250: 4.000; a quarter of that for each of four.
    assert_eq!(size("volatility-target", &one, &ask(None, Some(25_000.0))), Ok(4_000));
    assert_eq!(size("equal-risk", &one, &ask(None, Some(25_000.0))), Ok(1_000));
    assert_eq!(size("volatility-target", &one, &ask(None, None)), Err(NoSize::WarmingUp));
    let capped = [one.as_slice(), &[("notional_max", text("600"))]].concat();
    assert_eq!(size("risk-per-trade", &capped, &ask(Some(5_950_000), None)), Ok(10), "600 at 60,000");
    assert_eq!(size("fixed-notional", &[("notional", text("4"))], &ask(None, None)), Err(NoSize::TooSmall));
    let broke = Ask { profit: -20_000 * 100_000_000, ..ask(None, None) };
    assert_eq!(size("percent-of-equity", &[("capital", text("20000"))], &broke), Err(NoSize::NoEquity));
}
