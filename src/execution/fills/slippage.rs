//! Slippage: how much worse than the last known price an order trades, where no book says so.
//!
//! Three parts, added up, each rounded against us to a price unit: a part of the price, so many ticks, and an impact
//! that grows with the order's share of the volume of the last bar.

use crate::domain::{Instrument, Price, Qty, Side};

/// See the module. All zero: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slippage {
    /// Hundredths of a per cent of the price.
    pub bps: u32,
    /// Ticks.
    pub ticks: u32,
    /// Hundredths of a per cent of the price for an order as large as the volume of the last bar; of a smaller one in
    /// proportion. Where no bar's volume is known it adds nothing.
    pub impact_bps: u32,
}

impl Slippage {
    /// What an order of `side` trades at where the market is at `price`. Never below one unit.
    #[must_use]
    pub fn worsened(
        &self,
        side: Side,
        price: Price,
        qty: Qty,
        volume: i64,
        instrument: &Instrument,
    ) -> Price {
        if *self == Self::default() {
            return price;
        }
        let (at, qty) = (i128::from(price.0), i128::from(qty.0));
        let mut away = up(at * i128::from(self.bps), 10_000);
        away += i128::from(self.ticks) * i128::from(instrument.tick.0);
        if volume > 0 {
            let share = at.saturating_mul(i128::from(self.impact_bps)).saturating_mul(qty);
            away = away.saturating_add(up(share, i128::from(volume) * 10_000));
        }
        let worse = match side {
            Side::Buy => at.saturating_add(away),
            Side::Sell => at.saturating_sub(away).max(1),
        };
        Price(i64::try_from(worse).unwrap_or(i64::MAX))
    }
}

/// `a ÷ b` rounded up; neither is negative.
const fn up(a: i128, b: i128) -> i128 {
    a / b + (a % b != 0) as i128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Market;
    use crate::domain::instrument::tests::sample;

    #[test]
    fn each_part_is_added_against_us() {
        let instrument = sample(Market::Spot, "BTCUSDT");
        let at =
            |slippage: Slippage, side| slippage.worsened(side, Price(100_001), Qty(50), 200, &instrument).0;
        let none = Slippage::default();
        assert_eq!((at(none, Side::Buy), at(none, Side::Sell)), (100_001, 100_001));
        // 5 bp of 100,001 is 50.0005.
        assert_eq!(at(Slippage { bps: 5, ..none }, Side::Buy), 100_052);
        assert_eq!(at(Slippage { ticks: 2, ..none }, Side::Sell), 99_981);
        // A quarter of the volume, 40 bp for all of it: 10 bp, 100.001.
        assert_eq!(at(Slippage { impact_bps: 40, ..none }, Side::Buy), 100_102);
        let far = Slippage { bps: 10_000, ticks: 1, ..none };
        assert_eq!(at(far, Side::Sell), 1, "a price stays a price");
    }
}
