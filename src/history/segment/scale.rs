//! Numbers as files print them, and the one precision that all numbers of a kind in a segment share.
//!
//! Owns: the growth of that precision. Invariant: a number is kept exactly, or is refused; nothing is rounded here.

use crate::domain::decimal::{DECIMALS_MAX, POW10};

/// A decimal number: `units` of 10^-`decimals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Num {
    /// The integer.
    pub units: i64,
    /// How many of its digits are decimals, up to [`DECIMALS_MAX`].
    pub decimals: u8,
}

impl Num {
    /// `units` of 10^-`decimals`.
    #[must_use]
    pub const fn new(units: i64, decimals: u8) -> Self {
        Self { units, decimals }
    }

    /// The number without zeros at its end.
    pub(in crate::history) fn shortest(mut self) -> Self {
        while self.decimals > 0 && self.units % 10 == 0 {
            self.units /= 10;
            self.decimals -= 1;
        }
        self
    }
}

/// Where a number stands to a precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// So many units of it.
    Units(i64),
    /// It needs so many decimals.
    Grow(u8),
    /// It does not fit 64 bits.
    TooLarge,
}

/// `num` in units of 10^-`decimals`.
#[inline]
pub(super) fn fit(num: Num, decimals: u8) -> Fit {
    if num.decimals > DECIMALS_MAX {
        return Fit::TooLarge;
    }
    if num.decimals <= decimals {
        let unit = POW10[usize::from(decimals - num.decimals)];
        return num.units.checked_mul(unit).map_or(Fit::TooLarge, Fit::Units);
    }
    let unit = POW10[usize::from(num.decimals - decimals)];
    if num.units % unit == 0 { Fit::Units(num.units / unit) } else { Fit::Grow(num.shortest().decimals) }
}

/// Whether a number of `found` decimals, without its sign, fits 64 bits at `wanted`.
pub(in crate::history) fn fits_at(largest: u64, found: u8, wanted: u8) -> bool {
    let by = wanted.checked_sub(found).and_then(|more| POW10.get(usize::from(more)));
    by.is_some_and(|by| i128::from(largest) * i128::from(*by) <= i128::from(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_fits_where_nothing_of_it_is_lost() {
        assert_eq!(fit(Num::new(6_183_763_000_000, 8), 2), Fit::Units(6_183_763));
        assert_eq!(fit(Num::new(6_183_763_000_000, 8), 1), Fit::Grow(2));
        assert_eq!(fit(Num::new(5, 0), 3), Fit::Units(5_000));
        assert_eq!(fit(Num::new(i64::MAX, 0), 1), Fit::TooLarge);
        assert_eq!(fit(Num::new(0, 8), 0), Fit::Units(0));
        assert_eq!(fit(Num::new(-150, 2), 1), Fit::Units(-15));
    }
}
