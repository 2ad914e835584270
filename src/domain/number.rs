//! Price, quantity and notional: distinct exact types with no conversions between them.
//!
//! Each is an integer in the instrument's own printed precision; the instrument says how many decimals that is.

use std::ops::Neg;

/// A price, in units of 10^-`price_decimals` of its instrument.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Price(pub i64);

/// A quantity, in units of 10^-`qty_decimals` of its instrument; negative where a signed position is meant.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Qty(pub i64);

/// Price times quantity, in units of 10^-(`price_decimals` + `qty_decimals`) of the quote asset.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Notional(pub i128);

/// One price level of a book: a price and the whole quantity resting there (zero: the level is gone).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    /// Where.
    pub price: Price,
    /// How much; absolute, not a change.
    pub qty: Qty,
}

impl Price {
    /// Price times quantity, exact: an i128 holds every product of two i64.
    #[inline]
    #[must_use]
    pub fn times(self, qty: Qty) -> Notional {
        Notional(i128::from(self.0) * i128::from(qty.0))
    }

    /// The price in the middle of this bid and an ask; what is over goes to the bid.
    #[inline]
    #[must_use]
    pub const fn middle(self, ask: Price) -> Price {
        Price(self.0.saturating_add(ask.0.saturating_sub(self.0) / 2))
    }
}

impl Qty {
    /// No quantity.
    pub const ZERO: Qty = Qty(0);

    /// The size without its sign; saturates at `i64::MAX`.
    #[inline]
    #[must_use]
    pub fn abs(self) -> Qty {
        Qty(self.0.saturating_abs())
    }

    /// As much of it as is whole lots.
    #[inline]
    #[must_use]
    pub fn in_lots(self, lot: Qty) -> Qty {
        Qty(self.0 - self.0 % lot.0.max(1))
    }

    /// Sum, or `None` where it does not fit.
    #[inline]
    #[must_use]
    pub fn checked_add(self, other: Qty) -> Option<Qty> {
        self.0.checked_add(other.0).map(Qty)
    }

    /// Difference, or `None` where it does not fit.
    #[inline]
    #[must_use]
    pub fn checked_sub(self, other: Qty) -> Option<Qty> {
        self.0.checked_sub(other.0).map(Qty)
    }
}

impl Neg for Qty {
    type Output = Qty;
    /// The opposite position; saturating, so that `-Qty(i64::MIN)` is `i64::MAX`.
    fn neg(self) -> Qty {
        Qty(self.0.saturating_neg())
    }
}

impl Notional {
    /// Nothing.
    pub const ZERO: Notional = Notional(0);

    /// Sum; saturating (i128 holds 10^19 sums of the largest single notional there can be).
    #[inline]
    #[must_use]
    pub fn plus(self, other: Notional) -> Notional {
        Notional(self.0.saturating_add(other.0))
    }

    /// Difference; saturating.
    #[inline]
    #[must_use]
    pub fn minus(self, other: Notional) -> Notional {
        Notional(self.0.saturating_sub(other.0))
    }
}

impl Level {
    /// A level from its price and quantity in units.
    #[must_use]
    pub const fn new(price: i64, qty: i64) -> Self {
        Self { price: Price(price), qty: Qty(qty) }
    }
}
