//! Instruments for the local market: a few that look like real ones, or hundreds of made-up ones.
//!
//! Owns: their precision, steps and opening prices. Invariant: the same call gives the same instruments.

use super::rng::split_mix;
use crate::domain::decimal::POW10;
use crate::domain::instrument::FeeRate;
use crate::domain::{Instrument, InstrumentId, Market, Notional, Price, Qty};

/// Fewest and most ticks an opening price may have: the book needs room below it, and the walk integer headroom above.
pub const OPENING_TICKS: std::ops::RangeInclusive<i64> = 2_000..=1 << 32;

/// Opening prices in whole units of the quote asset of assets people know.
const KNOWN: [(&str, i64); 5] = [("BTC", 61_800), ("ETH", 2_680), ("BNB", 512), ("SOL", 155), ("LTC", 63)];

/// Precision and steps of an instrument to make.
struct Shape {
    price_decimals: u8,
    qty_decimals: u8,
    tick: i64,
    lot: i64,
}

fn make(market: Market, base: &str, shape: &Shape) -> Instrument {
    let notional_unit = 10i128.pow(u32::from(shape.price_decimals + shape.qty_decimals));
    let (maker_fee, taker_fee) = match market {
        Market::Spot => (FeeRate(100_000), FeeRate(100_000)),
        Market::UsdM | Market::CoinM => (FeeRate(20_000), FeeRate(50_000)),
    };
    Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market,
        symbol: format!("{base}USDT"),
        base: base.into(),
        quote: "USDT".into(),
        price_decimals: shape.price_decimals,
        qty_decimals: shape.qty_decimals,
        tick: Price(shape.tick),
        lot: Qty(shape.lot),
        min_qty: Qty(shape.lot),
        max_qty: Qty(9_000 * POW10[usize::from(shape.qty_decimals)]),
        min_notional: Notional(5 * notional_unit),
        maker_fee,
        taker_fee,
    }
}

/// BTCUSDT and ETHUSDT spot and the BTCUSDT perpetual, with Binance's precision.
#[must_use]
pub fn demo_instruments() -> Vec<Instrument> {
    let spot = |lot| Shape { price_decimals: 8, qty_decimals: 8, tick: 1_000_000, lot };
    vec![
        make(Market::Spot, "BTC", &spot(1_000)),
        make(Market::Spot, "ETH", &spot(10_000)),
        make(Market::UsdM, "BTC", &Shape { price_decimals: 2, qty_decimals: 3, tick: 10, lot: 1 }),
    ]
}

/// `count` instruments `SIM001USDT`, `SIM002USDT`, … of varied precision, steps and price; every fourth is a perpetual,
/// the others are spot.
#[must_use]
pub fn generated_instruments(count: usize) -> Vec<Instrument> {
    (1..=count)
        .map(|number| {
            let mut state = number as u64;
            let mut pick = |n: u64| split_mix(&mut state) % n;
            let market = if number.is_multiple_of(4) { Market::UsdM } else { Market::Spot };
            let (price_decimals, qty_decimals) = match market {
                Market::Spot => (8, 8),
                Market::UsdM | Market::CoinM => (2 + pick(4) as u8, pick(4) as u8),
            };
            let tick_zeros = if market == Market::Spot { 2 + pick(5) } else { pick(2) };
            let tick = [1, 1, 1, 5][pick(4) as usize] * POW10[tick_zeros as usize];
            let lot = POW10[if market == Market::Spot { 2 + pick(5) as usize } else { 0 }];
            make(market, &format!("SIM{number:03}"), &Shape { price_decimals, qty_decimals, tick, lot })
        })
        .collect()
}

/// A plausible price to open at: that of the asset where it is a well-known one, otherwise one of 10,000 to 500,000
/// ticks that depends on the symbol alone.
#[must_use]
pub fn opening_price(instrument: &Instrument) -> Price {
    let tick = instrument.tick.0.max(1);
    let known = KNOWN.iter().find(|(base, _)| *base == instrument.base).and_then(|(_, whole)| {
        let unit = POW10.get(usize::from(instrument.price_decimals))?;
        Some(whole.checked_mul(*unit)? / tick).filter(|ticks| OPENING_TICKS.contains(ticks))
    });
    let ticks = known.unwrap_or_else(|| {
        let mut state = instrument
            .symbol
            .bytes()
            .fold(0u64, |hash, byte| hash.wrapping_mul(0x0100_0000_01B3).wrapping_add(u64::from(byte)));
        let base = [10_000, 20_000, 50_000, 100_000, 250_000][(split_mix(&mut state) % 5) as usize];
        base + (split_mix(&mut state) % base as u64) as i64
    });
    Price(ticks.saturating_mul(tick))
}

/// A small order that the venue takes: worth at least twice the least it may be worth at the opening price, in whole
/// lots, and no less than the least quantity.
#[must_use]
pub fn small_qty(instrument: &Instrument) -> Qty {
    let price = i128::from(opening_price(instrument).0.max(1));
    let lot = instrument.lot.0.max(1);
    let units = (2 * instrument.min_notional.0).div_euclid(price) + 1;
    let units = i64::try_from(units).unwrap_or(i64::MAX / 2).max(instrument.min_qty.0);
    Qty(units.div_euclid(lot).saturating_add(1).saturating_mul(lot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstrumentTable;
    use std::collections::HashSet;

    #[test]
    fn a_thousand_instruments_are_distinct_and_varied() {
        let all = generated_instruments(1000);
        assert_eq!((all[0].symbol.as_str(), all[999].symbol.as_str()), ("SIM001USDT", "SIM1000USDT"));
        let shapes: HashSet<_> =
            all.iter().map(|i| (i.market, i.price_decimals, i.qty_decimals, i.tick, i.lot)).collect();
        assert!(shapes.len() > 50, "{}", shapes.len());
        for instrument in &all {
            let opening = opening_price(instrument);
            assert!(OPENING_TICKS.contains(&(opening.0 / instrument.tick.0)), "{instrument:?}");
            assert_eq!(opening.0 % instrument.tick.0, 0);
            let qty = small_qty(instrument);
            assert!(qty.0 % instrument.lot.0 == 0 && qty >= instrument.min_qty && qty <= instrument.max_qty);
            assert!(opening.0 as i128 * qty.0 as i128 >= 2 * instrument.min_notional.0, "{instrument:?}");
        }
        assert!(InstrumentTable::new(all).is_ok());
    }

    #[test]
    fn known_assets_open_near_their_real_price() {
        let demo = demo_instruments();
        assert_eq!(opening_price(&demo[0]), Price(6_180_000_000_000));
        assert_eq!(opening_price(&demo[2]), Price(6_180_000));
    }
}
