//! Whether an order leaves so much room at every level that the rules of levels need not be asked one by one.
//!
//! Gross exposure is the worst of every other: each cell's long, short and net are within its gross, so the sums are. So
//! one comparison at each level, in 64 bits, can stand for those of long, short, gross, net, leverage and share. It answers
//! no wherever it does not know, and then the rules decide.

use super::exposure::Sum;
use super::limits::{RiskLimits, SCALES, Scale, ScaleLimits};

/// Amounts beyond this are left to the rules, so that a hundred times one fits 64 bits; 720 million of the quote asset.
const AMOUNT_MAX: u128 = 1 << 56;

/// Whether [gross](super::rules::gross), the levels' long, short, gross and net, leverage and share all pass. `adds` is
/// what the order adds to each of `scopes`, which are sums of cells as [`Exposure`](super::exposure) keeps them.
#[inline]
pub(super) fn is_roomy(
    scopes: &[&Sum; SCALES],
    levels: &[&ScaleLimits; SCALES],
    adds: &Sum,
    equity: i128,
    limits: &RiskLimits,
) -> bool {
    let gross = |scope: &Sum| (scope.gross + adds.gross).max(0).cast_unsigned();
    let whole = gross(scopes[Scale::Portfolio as usize]);
    let mut roomy = whole <= AMOUNT_MAX;
    let whole = whole as u64;
    roomy &= whole.cast_signed() <= limits.gross_notional_max;
    let equity = u64::try_from(equity.max(0)).unwrap_or(u64::MAX);
    // All are looked at, since that takes fewer steps than asking after each.
    for (at, (scope, limits)) in scopes.iter().zip(levels).enumerate() {
        let gross = gross(scope);
        roomy &= gross <= AMOUNT_MAX;
        let gross = gross as u64;
        let least = limits.long_notional_max.min(limits.short_notional_max);
        let least = least.min(limits.gross_notional_max).min(limits.net_notional_max);
        roomy &= gross.cast_signed() <= least;
        let hundredfold = gross.wrapping_mul(100);
        let part = |of: u64, hundredths: u32| {
            hundredths == u32::MAX || u128::from(hundredfold) <= u128::from(of) * u128::from(hundredths)
        };
        roomy &= part(equity, limits.leverage_max);
        roomy &= at == Scale::Portfolio as usize || part(whole, limits.share_pct_max);
    }
    roomy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::rule::OF_LEVELS;
    use crate::risk::rules::tests::Sample;
    use proptest::prelude::{Just, Strategy, any, prop_oneof};
    use proptest::{array, collection};

    /// A cell as exposure keeps it: a position and what is open on each side.
    type Cell = (i64, u32, u32);

    fn sum(cells: &[Cell]) -> Sum {
        cells.iter().fold(Sum::default(), |sum, &(position, buys, sells)| {
            let (up, down) =
                (i128::from(position) + i128::from(buys), i128::from(position) - i128::from(sells));
            Sum {
                long: sum.long + up.max(0),
                short: sum.short + (-down).max(0),
                gross: sum.gross + up.max(-down),
                up: sum.up + up,
                down: sum.down + down,
                orders: 0,
            }
        })
    }

    // Most are far away, so that a case often has one limit that binds, and no other to be denied by.

    fn limit() -> impl Strategy<Value = i64> {
        prop_oneof![30 => Just(i64::MAX), 1 => -1..400i64, 1 => 0..4_000i64]
    }

    fn part() -> impl Strategy<Value = u32> {
        prop_oneof![30 => Just(u32::MAX), 2 => 0..400u32]
    }

    fn scale() -> impl Strategy<Value = ScaleLimits> {
        (array::uniform4(limit()), part(), part()).prop_map(|([long, short, gross, net], leverage, share)| {
            ScaleLimits {
                long_notional_max: long,
                short_notional_max: short,
                gross_notional_max: gross,
                net_notional_max: net,
                leverage_max: leverage,
                share_pct_max: share,
                open_orders_max: u32::MAX,
            }
        })
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(20_000))]

        /// The order changes the first cell; the other levels hold it and more of the same cells.
        #[test]
        fn where_there_is_room_every_rule_of_the_levels_passes(
            cells in collection::vec((-300..300i64, 0..200u32, 0..200u32), 1..5),
            more in 1..5usize,
            (buys, adding) in (any::<bool>(), 0..200u32),
            scales in array::uniform5(scale()),
            (gross_max, capital, share_from) in (limit(), -100..2_000i128, -1..400i64),
            grouped in any::<bool>(),
            huge in prop_oneof![8 => Just(0i128), 1 => Just(1i128 << 50), 1 => Just(1i128 << 57), 1 => Just(1i128 << 64), 1 => Just(1i128 << 90)],
        ) {
            let mut sample = Sample::new();
            let some = &cells[..more.min(cells.len())];
            sample.scopes = [sum(&cells[..1]), sum(some), sum(some), sum(&cells), sum(&cells)];
            if !grouped {
                sample.scopes[Scale::Group as usize] = Sum::NO_GROUP;
            }
            for scope in &mut sample.scopes {
                (scope.gross, scope.long, scope.up) = (scope.gross + huge, scope.long + huge, scope.up + huge);
            }
            sample.limits.scales = scales;
            (sample.limits.gross_notional_max, sample.limits.share_from) = (gross_max, share_from);
            let mut after = cells[0];
            if buys { after.1 += adding } else { after.2 += adding }
            let adds = sum(&[after]).minus(&sum(&cells[..1]));
            let mut case = sample.case();
            (case.adds, case.equity) = (adds, capital);
            let roomy = is_roomy(&case.scopes, &case.levels, &adds, capital, case.limits);
            let denied = OF_LEVELS.iter().find_map(|rule| (rule.check)(&case).err());
            proptest::prop_assert!(!roomy || denied.is_none(), "{denied:?}");
            // It is of use: what is far from every limit is seen to be.
            let far = scales.iter().all(|s| {
                let all = [s.long_notional_max, s.short_notional_max, s.gross_notional_max, s.net_notional_max];
                all.iter().all(|max| *max >= 4_000) && s.leverage_max == u32::MAX && s.share_pct_max == u32::MAX
            });
            proptest::prop_assert!(roomy || !far || gross_max < 4_000 || huge != 0);
        }
    }
}
