//! Numbers of a symbol in an instrument's units, and the other way.
//!
//! The venue lists a symbol by its own precision; an instrument's is that of the run. Where a rule does not come out even,
//! it becomes the nearest one that lets nothing pass which the venue would refuse.

use super::super::exchange_info::Symbol;
use super::super::filters::LotSize;
use crate::domain::decimal::POW10;
use crate::domain::event::{MarketRules, Rules};
use crate::domain::{Instrument, Notional, Price, Qty};

/// `value` of `from` decimals in `to` decimals, if that is exact.
#[inline]
pub fn exactly(value: i64, from: u8, to: u8) -> Option<i64> {
    // Most orders have no extras, which are nothing in every unit.
    if value == 0 || from == to {
        return Some(value);
    }
    let unit = POW10.get(usize::from(from.abs_diff(to)))?;
    if from <= to {
        return value.checked_mul(*unit);
    }
    (value % unit == 0).then_some(value / unit)
}

/// The step of which every multiple is one of the given step.
fn step(value: i64, from: u8, to: u8) -> i64 {
    exactly(value, from, to).unwrap_or_else(|| {
        let unit = POW10.get(usize::from(from.abs_diff(to))).copied().unwrap_or(i64::MAX);
        if from <= to {
            return i64::MAX;
        }
        // The least multiple of both, in the coarser unit.
        value / greatest_common_divisor(value, unit)
    })
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.max(1), b.max(1));
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A bound, rounded up or down; what does not fit is the largest number there is.
fn bound(value: i128, from: u8, to: u8, up: bool) -> i128 {
    let unit = 10i128.saturating_pow(from.abs_diff(to).into());
    if from <= to {
        return value.saturating_mul(unit);
    }
    value.div_euclid(unit) + i128::from(up && value.rem_euclid(unit) != 0)
}

/// What the symbol's rules of market orders are for the instrument.
pub fn market_rules_of(instrument: &Instrument, symbol: &Symbol) -> MarketRules {
    let lot = symbol.filters.market_lot.unwrap_or(LotSize { min: Qty(0), max: Qty(0), step: Qty(0) });
    let (from, to) = (symbol.instrument.qty_decimals, instrument.qty_decimals);
    let qty = |qty: Qty, up| Qty(i64::try_from(bound(qty.0.into(), from, to, up)).unwrap_or(i64::MAX));
    MarketRules {
        instrument: instrument.id,
        min_qty: qty(lot.min, true),
        // None at all would be no bound.
        max_qty: if lot.max.0 == 0 { lot.max } else { qty(lot.max, false).max(Qty(1)) },
        lot: if lot.step.0 == 0 { lot.step } else { Qty(step(lot.step.0, from, to)) },
    }
}

/// What the symbol's rules are for the instrument.
pub fn rules_of(instrument: &Instrument, symbol: &Symbol) -> Rules {
    let of = &symbol.instrument;
    let qty = |qty: Qty, up| {
        let units = bound(qty.0.into(), of.qty_decimals, instrument.qty_decimals, up);
        Qty(i64::try_from(units).unwrap_or(i64::MAX))
    };
    let (from, to) = (of.notional_decimals(), instrument.notional_decimals());
    Rules {
        instrument: instrument.id,
        tick: Price(step(of.tick.0, of.price_decimals, instrument.price_decimals)),
        lot: Qty(step(of.lot.0, of.qty_decimals, instrument.qty_decimals)),
        min_qty: qty(of.min_qty, true),
        max_qty: if of.max_qty.0 == i64::MAX { of.max_qty } else { qty(of.max_qty, false) },
        min_notional: Notional(bound(of.min_notional.0, from, to, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_exact_or_the_least_that_fits_both() {
        assert_eq!(exactly(1_000_000, 8, 2), Some(1));
        assert_eq!(exactly(1, 2, 8), Some(1_000_000));
        assert_eq!(exactly(1_234_567, 8, 2), None);
        assert_eq!(exactly(i64::MAX, 0, 8), None);
        // 0.00000001 in hundredths, 0.005 and 0.0025 in hundredths: every hundredth, every hundredth, every hundredth.
        assert_eq!((step(1, 8, 2), step(5, 3, 2), step(25, 4, 2)), (1, 1, 1));
        // 0.015 in hundredths: every third, since 0.03 is the first of both.
        assert_eq!(step(15, 3, 2), 3);
        assert_eq!(step(i64::MAX, 0, 8), i64::MAX);
    }

    #[test]
    fn bounds_lean_to_what_the_venue_takes() {
        assert_eq!((bound(15, 3, 2, true), bound(15, 3, 2, false)), (2, 1));
        assert_eq!((bound(20, 3, 2, true), bound(20, 3, 2, false)), (2, 2));
        assert_eq!(bound(2, 2, 3, true), 20);
        assert_eq!(bound(i128::MAX, 0, 3, true), i128::MAX);
    }
}
