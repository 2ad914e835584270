//! Order-book imbalance and microprice: what the sizes at the top of a book say of the next price.
//!
//! Owns: two stateless functions of a book. They feed decisions straight from exact integers, so they are binary
//! fixed point rather than f64: the same bits on every machine and compiler, and nothing lost by summing. Invariant:
//! sums and products are exact; the one rounding is the division's, toward zero, to 2^-64.

use crate::domain::Level;
pub use fixed::types::I64F64;

/// (bid - ask) / (bid + ask) of two resting quantities in the same units: 1 all bid, -1 all ask.
///
/// `None` where there is nothing on either side, a quantity is negative, or the sum does not fit (from 2^127 up).
#[inline]
#[must_use]
pub fn imbalance_of(bid_qty: i128, ask_qty: i128) -> Option<I64F64> {
    if bid_qty < 0 || ask_qty < 0 {
        return None;
    }
    ratio(bid_qty - ask_qty, bid_qty.checked_add(ask_qty)?)
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
) -> Option<I64F64> {
    imbalance_of(resting(bids, levels)?, resting(asks, levels)?)
}

/// The mid price weighted by the opposite sizes, (bid × ask size + ask × bid size) / (bid size + ask size): nearer
/// to the side with less behind it. In the instrument's price units, with a binary fraction.
///
/// Source: the weighted mid-price of Gatheral and Oomen (2010), which Stoikov (2018) refines.
/// `None` where both sizes are zero or one is negative.
#[inline]
#[must_use]
pub fn microprice(bid: Level, ask: Level) -> Option<I64F64> {
    if bid.qty.0 < 0 || ask.qty.0 < 0 {
        return None;
    }
    // Two products of i64, one factor of each at most 2^63 - 1: their sum fits i128.
    let weighted = bid.price.times(ask.qty).0 + ask.price.times(bid.qty).0;
    ratio(weighted, i128::from(bid.qty.0) + i128::from(ask.qty.0))
}

/// The quantity of the first `levels`, exact: i128 holds 2^64 of them.
#[inline]
fn resting(levels: impl IntoIterator<Item = Level>, count: usize) -> Option<i128> {
    let mut best = levels.into_iter().take(count);
    best.try_fold(0i128, |sum, level| (level.qty.0 >= 0).then(|| sum + i128::from(level.qty.0)))
}

/// The quotient of two integers. Their common unit cancels, so any will do: they are taken as 2^-64.
#[inline]
fn ratio(numerator: i128, denominator: i128) -> Option<I64F64> {
    I64F64::from_bits(numerator).checked_div(I64F64::from_bits(denominator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn imbalance_is_the_share_of_the_larger_side() {
        let bids = [Level::new(100, 30), Level::new(99, 10), Level::new(98, 1_000)];
        let asks = [Level::new(101, 10)];
        assert_eq!(imbalance(bids, asks, 1), Some(I64F64::from_num(0.5)));
        assert_eq!(imbalance(bids, asks, 2), Some(I64F64::from_num(30) / 50));
        assert_eq!(imbalance(bids, [], 5), Some(I64F64::ONE));
        assert_eq!(imbalance([], asks, 5), Some(-I64F64::ONE));
        assert_eq!(imbalance([], [], 5), None);
        assert_eq!(imbalance(bids, asks, 0), None);
        assert_eq!(imbalance([Level::new(1, -1)], asks, 5), None);
    }

    #[test]
    fn the_quotient_is_exact_to_two_to_the_minus_64_and_rounds_toward_zero() {
        // (1 - 2) / 3: a third in 64 binary places, cut.
        assert_eq!(imbalance_of(1, 2).map(I64F64::to_bits), Some(-((1i128 << 64) / 3)));
        assert_eq!(imbalance_of(2, 1).map(I64F64::to_bits), Some((1i128 << 64) / 3));
        assert_eq!(imbalance_of(i128::MAX, 0), Some(I64F64::ONE));
        assert_eq!(imbalance_of(i128::MAX, 1), None);
    }

    #[test]
    fn microprice_leans_to_the_thin_side() {
        let at = |bid_qty, ask_qty| microprice(Level::new(100, bid_qty), Level::new(102, ask_qty));
        assert_eq!(at(5, 5), Some(I64F64::from_num(101)));
        assert_eq!(at(30, 10), Some(I64F64::from_num(101.5)));
        assert_eq!(at(0, 10), Some(I64F64::from_num(100)));
        assert_eq!((at(0, 0), at(-1, 5)), (None, None));
        let extreme = Level::new(i64::MIN, i64::MAX);
        assert_eq!(microprice(extreme, extreme), Some(I64F64::from_num(i64::MIN)));
    }

    proptest! {
        #[test]
        fn both_stay_within_their_bounds(
            bid in -1_000_000_000_000i64..1_000_000_000_000,
            spread in 0i64..1_000_000,
            bid_qty in 0i64..i64::MAX,
            ask_qty in 1i64..i64::MAX,
        ) {
            let near = microprice(Level::new(bid, bid_qty), Level::new(bid + spread, ask_qty)).unwrap();
            prop_assert!(near >= I64F64::from_num(bid) && near <= I64F64::from_num(bid + spread));
            let lean = imbalance_of(bid_qty.into(), ask_qty.into()).unwrap();
            prop_assert!(lean >= -I64F64::ONE && lean <= I64F64::ONE);
            prop_assert_eq!(lean, -imbalance_of(ask_qty.into(), bid_qty.into()).unwrap());
        }
    }
}
