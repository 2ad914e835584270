//! Fits an order to the filters, to the safe side: it never asks for more, or at a worse price, than was meant.
//!
//! Only what is off a step moves, and by less than that step. What is out of a range is refused, since an order of
//! another size or price would be another order.

use super::breach::{Bound, FilterBreach, Subject};
use super::name::FilterName;
use super::rules::Filters;
use super::terms::{AccountState, MarketState, OrderType, Size, Terms};
use crate::domain::decimal::{POW10, Scaled};
use crate::domain::{Extras, Notional, Order, Price, Qty, Side};

/// What is done with a number that is off its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffStep {
    /// It is rounded to the safe side: a buy's price down, a sell's up, a quantity down.
    #[default]
    Round,
    /// The order is refused.
    Refuse,
}

impl OffStep {
    /// Both, with their names in a configuration.
    pub const LABELS: [(&'static str, OffStep); 2] = [("round", OffStep::Round), ("refuse", OffStep::Refuse)];
}

/// What is done with an order whose filters need a price that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownReference {
    /// It passes: the venue has the last word.
    #[default]
    Pass,
    /// It is refused.
    Refuse,
}

/// How orders are fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FitPolicy {
    /// Prices and stop prices off the tick.
    pub price: OffStep,
    /// Quantities off the step.
    pub quantity: OffStep,
    /// Prices to measure from that are not known.
    pub unknown_reference: UnknownReference,
}

impl Filters {
    /// The order as it may be sent.
    ///
    /// A stop price moves in the direction that it is triggered from, so that it triggers at the same trades as the
    /// one that was meant: trades happen on ticks.
    ///
    /// # Errors
    /// The filter that keeps it from being sent, with the order as it is after rounding.
    pub fn fit(
        &self,
        terms: &Terms,
        policy: FitPolicy,
        market: &MarketState,
        account: &AccountState,
    ) -> Result<Terms, FilterBreach> {
        let mut fitted = *terms;
        if policy.price == OffStep::Round {
            self.round_prices(&mut fitted);
        }
        if policy.quantity == OffStep::Round {
            self.round_sizes(&mut fitted);
        }
        self.check(&fitted, market, account)?;
        if policy.unknown_reference == UnknownReference::Refuse {
            self.needs_reference(&fitted, market)?;
        }
        Ok(fitted)
    }

    /// [`fit`](Self::fit) of one of our orders; only its prices and quantities can differ.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_order(
        &self,
        order: &Order,
        policy: FitPolicy,
        market: &MarketState,
        account: &AccountState,
    ) -> Result<Order, FilterBreach> {
        let fitted = self.fit(&Terms::from(order), policy, market, account)?;
        Ok(from_terms(order, &fitted))
    }

    /// The order with what is off a step moved to the safe side, as [`fit`](Self::fit) moves it, and not checked.
    #[must_use]
    pub fn round(&self, order: &Order) -> Order {
        let mut terms = Terms::from(order);
        self.round_prices(&mut terms);
        self.round_sizes(&mut terms);
        from_terms(order, &terms)
    }

    fn round_prices(&self, terms: &mut Terms) {
        let Some(tick) = self.price.map(|filter| filter.tick.0) else { return };
        let round = |price: Price, up: bool| match up {
            true => Price(ceil(price.0, tick)),
            false => Price(floor(price.0, tick)),
        };
        let sells = terms.side == Side::Sell;
        terms.price = terms.price.map(|price| round(price, sells));
        let above = terms.kind.triggers_above(terms.side);
        terms.stop_price = terms.stop_price.map(|stop| round(stop, above));
    }

    fn round_sizes(&self, terms: &mut Terms) {
        let step = self.lot.map_or(0, |lot| lot.step.0);
        match &mut terms.size {
            Size::Base(qty) => {
                let market = self.market_lot.filter(|_| terms.kind == OrderType::Market);
                // A market order keeps to both steps at once, so to their least common multiple.
                *qty = Qty(floor(qty.0, common_multiple(step, market.map_or(0, |lot| lot.step.0))));
            }
            Size::Quote(value) => {
                // The venue takes as many decimals of the quote asset as of a price.
                let unit = POW10.get(usize::from(self.qty_decimals)).copied().unwrap_or(1);
                *value = Notional(value.0 - value.0.rem_euclid(i128::from(unit)));
            }
        }
        terms.iceberg_qty = terms.iceberg_qty.map(|qty| Qty(floor(qty.0, step)));
    }

    /// Refuses an order that would pass only because nobody knows a price.
    fn needs_reference(&self, terms: &Terms, market: &MarketState) -> Result<(), FilterBreach> {
        let by_value = |applies: bool, minutes| (applies && !terms.kind.has_limit()).then_some(minutes);
        let by_price = |minutes| terms.kind.has_limit().then_some(minutes);
        let needed = [
            (FilterName::PercentPrice, self.percent.and_then(|filter| by_price(filter.minutes))),
            (
                FilterName::PercentPriceBySide,
                self.percent_by_side.and_then(|both| match terms.side {
                    Side::Buy => by_price(both.bid.minutes),
                    Side::Sell => by_price(both.ask.minutes),
                }),
            ),
            (
                FilterName::MinNotional,
                self.min_notional.and_then(|filter| by_value(filter.market, filter.minutes)),
            ),
            (
                FilterName::Notional,
                self.notional
                    .and_then(|filter| by_value(filter.min_market || filter.max_market, filter.minutes)),
            ),
        ];
        let qty_shown = |value| Scaled { value, decimals: self.qty_decimals };
        for (filter, minutes) in needed {
            if minutes.is_some_and(|minutes| market.reference_for(minutes).is_none()) {
                let price = terms.limit_prices().next();
                let (subject, found) = match (price, terms.size) {
                    (Some(price), _) => {
                        (Subject::Price, Scaled { value: price.0.into(), decimals: self.price_decimals })
                    }
                    (None, Size::Base(qty)) => (Subject::Quantity, qty_shown(qty.0.into())),
                    // It is itself the value.
                    (None, Size::Quote(_)) => continue,
                };
                return Err(FilterBreach { filter, subject, found, bound: Bound::Reference });
            }
        }
        Ok(())
    }
}

/// The order that these terms of it make.
fn from_terms(order: &Order, terms: &Terms) -> Order {
    let Size::Base(qty) = terms.size else { return *order };
    let extras = Extras {
        stop_price: terms.stop_price.unwrap_or_default(),
        iceberg_qty: terms.iceberg_qty.unwrap_or_default(),
        ..order.extras
    };
    Order { price: terms.price.unwrap_or(order.price), qty, extras, ..*order }
}

/// The multiple of `step` at or below `value`; a step of zero moves nothing, and so does a value without one.
fn floor(value: i64, step: i64) -> i64 {
    if step <= 0 { value } else { value.checked_sub(value.rem_euclid(step)).unwrap_or(value) }
}

/// The multiple of `step` at or above `value`.
fn ceil(value: i64, step: i64) -> i64 {
    match floor(value, step) {
        below if below < value => below.checked_add(step).unwrap_or(value),
        same => same,
    }
}

/// The least common multiple of two steps of which zero is none; `i64::MAX`, of which no quantity is a multiple but
/// zero, where it does not fit.
fn common_multiple(a: i64, b: i64) -> i64 {
    if a <= 0 || b <= 0 {
        return a.max(b);
    }
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).checked_mul(b).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_round_down_and_up_and_never_past_the_edge() {
        assert_eq!((floor(17, 5), floor(15, 5), floor(17, 0), floor(-3, 5)), (15, 15, 17, -5));
        assert_eq!((ceil(17, 5), ceil(15, 5), ceil(17, 0), ceil(-3, 5)), (20, 15, 17, 0));
        assert_eq!(
            (floor(i64::MIN, 5), ceil(i64::MAX, 5)),
            (i64::MIN, i64::MAX),
            "left for the check to refuse"
        );
    }

    #[test]
    fn two_steps_make_one() {
        assert_eq!((common_multiple(4, 6), common_multiple(0, 6), common_multiple(4, 0)), (12, 6, 4));
        assert_eq!((common_multiple(0, 0), common_multiple(i64::MAX, i64::MAX - 1)), (0, i64::MAX));
    }
}
