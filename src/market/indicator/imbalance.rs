//! Order-book imbalance and microprice: what the sizes at the top of a book say of the next price.
//!
//! Owns: two stateless functions of a book. They feed decisions straight from exact integers, so they are binary
//! fixed point rather than f64: the same bits on every machine and compiler, and nothing lost by summing. Invariant:
//! sums and products are exact; the one rounding is the division's, toward zero, to 2^-64.

use crate::domain::Level;

/// A number of 64 binary places and 63 before them: an integer of 128 bits in units of 2^-64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Q64(i128);

impl Q64 {
    /// One.
    pub const ONE: Self = Self(1 << 64);

    /// From units of 2^-64.
    #[must_use]
    pub const fn from_bits(bits: i128) -> Self {
        Self(bits)
    }

    /// In units of 2^-64.
    #[must_use]
    pub const fn to_bits(self) -> i128 {
        self.0
    }

    /// The nearest f64, the even one of two that are as near.
    #[inline]
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 2f64.powi(64)
    }

    /// The quotient of two integers, toward zero; `None` where the divisor is zero or the quotient too large.
    #[inline]
    fn ratio(numerator: i128, denominator: i128) -> Option<Self> {
        let (of, by) = (numerator.unsigned_abs(), denominator.unsigned_abs());
        let (whole, rest) = (of.checked_div(by)?, of.checked_rem(by)?);
        let places = if rest >> 64 == 0 { (rest << 64) / by } else { binary_places(rest, by) };
        // From 2^63 up it does not fit, but for that much below zero and nothing more.
        let magnitude = if whole >> 64 == 0 { whole << 64 | places } else { return None };
        if (numerator < 0) == (denominator < 0) {
            i128::try_from(magnitude).ok().map(Self)
        } else {
            0i128.checked_sub_unsigned(magnitude).map(Self)
        }
    }
}

/// The first 64 binary places of rest / by, one at a time, for a rest that leaves no room to divide it at once.
#[cold]
fn binary_places(mut rest: u128, by: u128) -> u128 {
    let mut places = 0;
    for _ in 0..64 {
        // Both are at most 2^127, and the rest is the less: twice it fits.
        rest <<= 1;
        places <<= 1;
        if rest >= by {
            rest -= by;
            places |= 1;
        }
    }
    places
}

/// (bid - ask) / (bid + ask) of two resting quantities in the same units: 1 all bid, -1 all ask.
///
/// `None` where there is nothing on either side, a quantity is negative, or the sum does not fit (from 2^127 up).
#[inline]
#[must_use]
pub fn imbalance_of(bid_qty: i128, ask_qty: i128) -> Option<Q64> {
    if bid_qty < 0 || ask_qty < 0 {
        return None;
    }
    Q64::ratio(bid_qty - ask_qty, bid_qty.checked_add(ask_qty)?)
}

/// [`imbalance_of`] of the best `levels` of each side, both given best first.
///
/// `None` where there is nothing on either side or a quantity is negative.
#[inline]
#[must_use]
pub fn imbalance(
    bids: impl IntoIterator<Item = Level>,
    asks: impl IntoIterator<Item = Level>,
    levels: usize,
) -> Option<Q64> {
    imbalance_of(resting(bids, levels)?, resting(asks, levels)?)
}

/// The mid price weighted by the opposite sizes, (bid × ask size + ask × bid size) / (bid size + ask size): nearer
/// to the side with less behind it. In the instrument's price units, with a binary fraction.
///
/// Source: the weighted mid-price of Gatheral and Oomen (2010), which Stoikov (2018) refines.
/// `None` where both sizes are zero or one is negative.
#[inline]
#[must_use]
pub fn microprice(bid: Level, ask: Level) -> Option<Q64> {
    if bid.qty.0 < 0 || ask.qty.0 < 0 {
        return None;
    }
    // Two products of i64, one factor of each at most 2^63 - 1: their sum fits i128.
    let weighted = bid.price.times(ask.qty).0 + ask.price.times(bid.qty).0;
    Q64::ratio(weighted, i128::from(bid.qty.0) + i128::from(ask.qty.0))
}

/// The quantity of the first `levels`, exact: i128 holds 2^64 of them.
#[inline]
fn resting(levels: impl IntoIterator<Item = Level>, count: usize) -> Option<i128> {
    let mut best = levels.into_iter().take(count);
    best.try_fold(0i128, |sum, level| (level.qty.0 >= 0).then(|| sum + i128::from(level.qty.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(number: i64) -> Q64 {
        Q64::from_bits(i128::from(number) << 64)
    }

    fn negated(number: Q64) -> Q64 {
        Q64::from_bits(-number.to_bits())
    }

    /// What long division by hand gives: whole part, then 64 places; nothing of the quick ways.
    fn by_hand(numerator: i128, denominator: i128) -> Option<i128> {
        let by = denominator.unsigned_abs();
        let mut rest = 0u128;
        let mut quotient = [0u8; 192];
        for (at, digit) in quotient.iter_mut().enumerate() {
            let next = if at < 128 { numerator.unsigned_abs() >> (127 - at) & 1 } else { 0 };
            // The rest is below the divisor, which is at most 2^127, so twice it and one fits.
            rest = rest << 1 | next;
            if by != 0 && rest >= by {
                rest -= by;
                *digit = 1;
            }
        }
        if by == 0 || quotient[..64].contains(&1) {
            return None;
        }
        let magnitude = quotient[64..].iter().fold(0u128, |sum, digit| sum << 1 | u128::from(*digit));
        match (numerator < 0) == (denominator < 0) {
            true => i128::try_from(magnitude).ok(),
            false => 0i128.checked_sub_unsigned(magnitude),
        }
    }

    #[test]
    fn imbalance_is_the_share_of_the_larger_side() {
        let bids = [Level::new(100, 30), Level::new(99, 10), Level::new(98, 1_000)];
        let asks = [Level::new(101, 10)];
        assert_eq!(imbalance(bids, asks, 1), Some(Q64::from_bits(1 << 63)));
        assert_eq!(imbalance(bids, asks, 2), Some(Q64::from_bits((30 << 64) / 50)));
        assert_eq!(imbalance(bids, [], 5), Some(Q64::ONE));
        assert_eq!(imbalance([], asks, 5), Some(negated(Q64::ONE)));
        assert_eq!(imbalance([], [], 5), None);
        assert_eq!(imbalance(bids, asks, 0), None);
        assert_eq!(imbalance([Level::new(1, -1)], asks, 5), None);
    }

    #[test]
    fn the_quotient_is_exact_to_two_to_the_minus_64_and_rounds_toward_zero() {
        // (1 - 2) / 3: a third in 64 binary places, cut.
        assert_eq!(imbalance_of(1, 2).map(Q64::to_bits), Some(-((1i128 << 64) / 3)));
        assert_eq!(imbalance_of(2, 1).map(Q64::to_bits), Some((1i128 << 64) / 3));
        assert_eq!(imbalance_of(i128::MAX, 0), Some(Q64::ONE));
        assert_eq!(imbalance_of(i128::MAX, 1), None);
    }

    #[test]
    fn microprice_leans_to_the_thin_side() {
        let at = |bid_qty, ask_qty| microprice(Level::new(100, bid_qty), Level::new(102, ask_qty));
        assert_eq!(at(5, 5), Some(whole(101)));
        assert_eq!(at(30, 10), Some(Q64::from_bits(203 << 63)));
        assert_eq!(at(0, 10), Some(whole(100)));
        assert_eq!((at(0, 0), at(-1, 5)), (None, None));
        let extreme = Level::new(i64::MIN, i64::MAX);
        assert_eq!(microprice(extreme, extreme), Some(whole(i64::MIN)));
    }

    #[test]
    fn an_f64_of_it_is_the_nearest() {
        assert_eq!(Q64::from_bits(203 << 63).to_f64(), 101.5);
        assert_eq!(Q64::from_bits(-((1i128 << 64) / 3)).to_f64(), -1.0 / 3.0);
        assert_eq!(Q64::from_bits(1).to_f64(), 2f64.powi(-64));
        assert_eq!(Q64::from_bits(i128::MIN).to_f64(), -2f64.powi(63));
    }

    proptest! {
        #[test]
        fn the_quotient_is_that_of_long_division(
            (numerator, denominator, a, b) in (any::<i128>(), any::<i128>(), 0u32..127, 0u32..127),
        ) {
            let (numerator, denominator) = (numerator >> a, denominator >> b);
            prop_assert_eq!(Q64::ratio(numerator, denominator).map(Q64::to_bits), by_hand(numerator, denominator));
        }

        #[test]
        fn both_stay_within_their_bounds(
            bid in -1_000_000_000_000i64..1_000_000_000_000,
            spread in 0i64..1_000_000,
            bid_qty in 0i64..i64::MAX,
            ask_qty in 1i64..i64::MAX,
        ) {
            let near = microprice(Level::new(bid, bid_qty), Level::new(bid + spread, ask_qty)).unwrap();
            prop_assert!(near >= whole(bid) && near <= whole(bid + spread));
            let lean = imbalance_of(bid_qty.into(), ask_qty.into()).unwrap();
            prop_assert!(lean >= negated(Q64::ONE) && lean <= Q64::ONE);
            prop_assert_eq!(lean, negated(imbalance_of(ask_qty.into(), bid_qty.into()).unwrap()));
        }
    }
}
