//! The execution rule `PRICE_RANGE`: how far a taker may trade from the reference price.
//!
//! Not a filter: an order beyond it is taken, and expires with `EXECUTION_RULE_PRICE_RANGE_EXCEEDED` where it would
//! trade outside. A client that knows it can tell beforehand.

use super::check::product;
use super::rules::Multiplier;
use crate::domain::{Price, Side};

/// The bounds, as factors of the reference price; one that is missing does not bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PriceRange {
    /// The highest price that a buying taker may pay.
    pub bid_up: Option<Multiplier>,
    /// The lowest price at which a buying taker may buy.
    pub bid_down: Option<Multiplier>,
    /// The highest price at which a selling taker may sell.
    pub ask_up: Option<Multiplier>,
    /// The lowest price that a selling taker may get.
    pub ask_down: Option<Multiplier>,
}

impl PriceRange {
    /// Whether a taker of this side may trade at `price`. Everything is allowed without a reference.
    #[must_use]
    pub fn allows(&self, taker: Side, price: Price, reference: Option<Price>) -> bool {
        let Some(reference) = reference else { return true };
        let (up, down) = match taker {
            Side::Buy => (self.bid_up, self.bid_down),
            Side::Sell => (self.ask_up, self.ask_down),
        };
        let scaled = product(price, Multiplier::ONE);
        up.is_none_or(|up| scaled <= product(reference, up))
            && down.is_none_or(|down| scaled >= product(reference, down))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taker_is_bound_by_its_own_side_and_only_where_there_is_a_bound_and_a_reference() {
        let range = PriceRange {
            bid_up: Some(Multiplier(110_000_000)),
            ask_down: Some(Multiplier(90_000_000)),
            ..PriceRange::default()
        };
        let allows = |side, price| range.allows(side, Price(price), Some(Price(1_001)));
        // 1.1 times 1,001 is 1,101.1; 0.9 times it 900.9.
        assert!(allows(Side::Buy, 1_101) && !allows(Side::Buy, 1_102) && allows(Side::Buy, 1));
        assert!(allows(Side::Sell, 901) && !allows(Side::Sell, 900) && allows(Side::Sell, 9_999));
        assert!(range.allows(Side::Buy, Price(9_999), None));
    }
}
