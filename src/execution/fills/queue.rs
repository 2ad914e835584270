//! Queue models: how much is before a resting order at its price.
//!
//! An order joins behind all that its level shows. Trades at its price take from before it. What else leaves the level
//! was cancelled, and nobody says where in the queue that was:
//! - `RiskAverse`: behind us, always. The order only moves up by trades, or where less is left than was before it.
//! - `Power` and `Log`: before and behind us in proportion to *f* of what stands there, with *f*(x) = xⁿ or
//!   ln(1 + x): with *b* behind and *a* before, *f*(b) ÷ (*f*(b) + *f*(a)) of what was cancelled was behind. These are the
//!   probability models of Rigtorp and of hftbacktest's documentation ("Queue models").
//!
//! A trade that comes after the book that shows it is no second one: see [depth](super::depth).
//!
//! Amounts are in units of quantity; an estimate is rounded to the nearest.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Queue {
    /// What is cancelled was behind us.
    #[default]
    RiskAverse,
    /// In proportion to this power of the quantities, positive.
    Power(f64),
    /// In proportion to the logarithms of the quantities.
    Log,
}

impl Queue {
    /// What is before an order after `cancelled` left its level, of which `before` and `behind` were there. `cancelled`
    /// is positive and at most the sum of both.
    #[must_use]
    pub fn after_cancel(self, before: i64, behind: i64, cancelled: i64) -> i64 {
        let weight = |quantity: i64| match self {
            Queue::RiskAverse => 0.0,
            Queue::Power(n) => (quantity as f64).powf(n),
            Queue::Log => (quantity as f64).ln_1p(),
        };
        let left = if self == Queue::RiskAverse || before == 0 {
            before
        } else {
            let (a, b) = (weight(before), weight(behind));
            let from_behind = (cancelled as f64 * (b / (a + b))).round() as i64;
            // No more can have been behind than was there.
            before - (cancelled - from_behind.clamp(0, behind))
        };
        left.clamp(0, (before + behind - cancelled).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_careful_order_moves_up_only_where_less_is_left_than_was_before_it() {
        assert_eq!(Queue::RiskAverse.after_cancel(60, 40, 30), 60);
        assert_eq!(Queue::RiskAverse.after_cancel(60, 40, 70), 30);
        assert_eq!(Queue::RiskAverse.after_cancel(0, 40, 40), 0);
    }

    #[test]
    fn cancels_are_shared_by_the_function_of_what_stands_before_and_behind() {
        // Linear: 60 before, 40 behind, so 4 of 10 were behind.
        assert_eq!(Queue::Power(1.0).after_cancel(60, 40, 10), 54);
        // Squares: 3600 to 1600, so 10 × 1600 ÷ 5200 = 3.08 were behind.
        assert_eq!(Queue::Power(2.0).after_cancel(60, 40, 10), 53);
        // ln 61 = 4.111, ln 41 = 3.714: 4.746 were behind.
        assert_eq!(Queue::Log.after_cancel(60, 40, 10), 55);
        assert_eq!(Queue::Power(3.0).after_cancel(10, 1_000, 500), 10, "nearly all were behind");
        assert_eq!(Queue::Log.after_cancel(100, 0, 30), 70, "nobody is behind");
    }

    proptest::proptest! {
        #[test]
        fn what_is_before_never_grows_and_never_exceeds_the_level(
            before in 0i64..1_000_000, behind in 0i64..1_000_000, part in 0.0f64..=1.0, n in 0.5f64..5.0
        ) {
            let cancelled = ((before + behind) as f64 * part) as i64;
            for queue in [Queue::RiskAverse, Queue::Power(n), Queue::Log] {
                let after = queue.after_cancel(before, behind, cancelled);
                proptest::prop_assert!(after >= 0 && after <= before && after <= before + behind - cancelled);
                // Behind cannot be left less than nothing either: what left before us is at most all that left.
                proptest::prop_assert!(before - after <= cancelled);
            }
        }
    }
}
