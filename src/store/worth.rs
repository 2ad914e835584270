//! What positions came to, added up exactly.

use crate::domain::decimal::Scaled;
use crate::domain::event::FEE_DECIMALS;
use crate::domain::{Instrument, Position, Price};

/// What a position, or several in one asset, came to: exact at the finest precision among them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worth {
    decimals: u8,
    pub realised: i128,
    pub unrealised: i128,
    pub fees: i128,
}

impl Worth {
    /// What a position is worth at `mark`.
    pub fn of(position: &Position, mark: Price, instrument: &Instrument) -> Self {
        let own = instrument.notional_decimals();
        let value = Self {
            decimals: own,
            realised: position.realised.0,
            unrealised: position.unrealised(mark).0,
            fees: position.fees_in_base.0,
        };
        let fees = Self { decimals: FEE_DECIMALS, realised: 0, unrealised: 0, fees: position.fees.into() };
        value.plus(&fees)
    }

    /// The sum.
    pub fn plus(&self, other: &Self) -> Self {
        let decimals = self.decimals.max(other.decimals);
        let (a, b) = (self.at(decimals), other.at(decimals));
        Self {
            decimals,
            realised: a.realised.saturating_add(b.realised),
            unrealised: a.unrealised.saturating_add(b.unrealised),
            fees: a.fees.saturating_add(b.fees),
        }
    }

    fn at(&self, decimals: u8) -> Self {
        let up = 10i128.saturating_pow(u32::from(decimals - self.decimals));
        Self {
            decimals,
            realised: self.realised.saturating_mul(up),
            unrealised: self.unrealised.saturating_mul(up),
            fees: self.fees.saturating_mul(up),
        }
    }

    /// One of its amounts, with its precision.
    pub fn shown(&self, value: i128) -> Scaled {
        Scaled { value, decimals: self.decimals }
    }

    /// Realised and unrealised profit less fees.
    pub fn net(&self) -> Scaled {
        self.shown(self.realised.saturating_add(self.unrealised).saturating_sub(self.fees))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{Market, Qty, Side};

    #[test]
    fn sums_of_different_precision_are_exact() {
        // 2 and 3 decimals make 5, finer fees 8; the other instrument is coarser than its fees by more.
        let fine = sample(Market::Spot, "BTCUSDT");
        let coarse = Instrument { price_decimals: 1, qty_decimals: 0, ..fine.clone() };
        let mut a = Position::default();
        a.apply(Side::Buy, Qty(3), Price(10_001), 7);
        let mut b = Position::default();
        b.apply(Side::Sell, Qty(2), Price(55), -1);
        let sum = Worth::of(&a, Price(10_003), &fine).plus(&Worth::of(&b, Price(50), &coarse));
        // 0.003 × 0.02 and 2 × 0.5, less 0.00000006.
        assert_eq!(sum.shown(sum.unrealised).to_string(), "1.00006000");
        assert_eq!(sum.net().to_string(), "1.00005994");
    }
}
