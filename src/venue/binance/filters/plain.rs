//! Plain orders: whether every filter lets one pass, without saying which would not.
//!
//! A refusal that names its filter and shows what it asks has to be carried through every comparison, and nearly every
//! order is not refused. This answers yes in a few steps, and no wherever it does not know: then
//! [`Filters::check`] decides.

use super::check::product;
use super::rules::{Filters, LotSize, Multiplier, PercentPrice};
use crate::domain::{Price, Qty, Side};

/// A limit or a market order without anything that only some orders have, and what it meets.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    /// Which way.
    pub side: Side,
    /// Its limit; none of a market order.
    pub limit: Option<Price>,
    /// How much.
    pub qty: Qty,
    /// What a filter on prices measures from, and a market order is valued at.
    pub reference: Price,
    /// Orders that are open on the symbol.
    pub open: u32,
    /// Orders that are open anywhere.
    pub open_anywhere: u32,
}

impl Filters {
    /// Whether the filters surely let the order pass, by the formulas of [`Filters::check`].
    #[inline(always)]
    #[must_use]
    pub fn surely_pass(&self, order: &Plain) -> bool {
        let &Plain { side, limit, qty, reference, open, open_anywhere } = order;
        let lot = |lot: Option<LotSize>| {
            qty.0 > 0 && lot.is_none_or(|lot| kept(qty.0, lot.min.0, lot.max.0, lot.step.0))
        };
        let room = |max: Option<u32>, open: u32| max.is_none_or(|max| open < max);
        let value = limit.unwrap_or(reference).times(qty);
        let least = match limit {
            Some(_) => self.min_notional,
            None => self.min_notional.filter(|filter| filter.market),
        };
        let fits = match limit {
            Some(price) => {
                let by_side = self.percent_by_side.map(|both| match side {
                    Side::Buy => both.bid,
                    Side::Sell => both.ask,
                });
                price.0 > 0
                    && self.price.is_none_or(|f| kept(price.0, f.min.0, f.max.0, f.tick.0))
                    && near(self.percent, price, reference)
                    && near(by_side, price, reference)
                    && self.max_quote.is_none_or(|max| value <= max)
            }
            None => lot(self.market_lot),
        };
        fits && lot(self.lot)
            && least.is_none_or(|filter| value >= filter.min)
            && self.notional.is_none_or(|filter| {
                (value >= filter.min || limit.is_none() && !filter.min_market)
                    && (value <= filter.max || limit.is_none() && !filter.max_market)
            })
            && self.max_position.is_none()
            && self.max_base.is_none_or(|max| qty <= max)
            && room(self.counts.orders, open)
            && room(self.exchange.orders, open_anywhere)
    }
}

/// Whether a number keeps to its bounds and its step; zero turns one off.
#[inline(always)]
fn kept(n: i64, min: i64, max: i64, step: i64) -> bool {
    n >= min && (max == 0 || n <= max) && (step == 0 || n % step == 0)
}

#[inline(always)]
fn near(percent: Option<PercentPrice>, price: Price, reference: Price) -> bool {
    percent.is_none_or(|percent| {
        let price = product(price, Multiplier::ONE);
        product(reference, percent.down) <= price && price <= product(reference, percent.up)
    })
}

#[cfg(test)]
mod tests {
    use super::super::rules::{CountLimits, MinNotional, NotionalRange, PercentPriceBySide, PriceFilter};
    use super::super::{AccountState, MarketState, OpenCounts, OrderType, Size, Terms};
    use super::*;
    use crate::domain::Notional;
    use proptest::option::of;
    use proptest::prelude::{Strategy, any};

    fn lot() -> impl Strategy<Value = Option<LotSize>> {
        of((0..40i64, 0..90i64, 0..4i64).prop_map(|(min, max, step)| LotSize {
            min: Qty(min),
            max: Qty(max),
            step: Qty(step),
        }))
    }

    fn percent() -> impl Strategy<Value = PercentPrice> {
        (50..150i64, 50..150i64, 0..3u32).prop_map(|(down, up, minutes)| PercentPrice {
            down: Multiplier(down * 1_000_000),
            up: Multiplier(up * 1_000_000),
            minutes,
        })
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(20_000))]

        /// They are one and the same but where a position is limited, of which the quick answer knows nothing.
        #[test]
        fn it_passes_what_the_check_lets_pass(
            (price_filter, lots) in (of((0..60i64, 0..150i64, 0..4i64)), (lot(), lot())),
            (percent, both) in (of(percent()), of((percent(), percent()))),
            (least, range) in (of((0..4_000i128, any::<bool>())), of((0..4_000i128, any::<bool>(), 0..8_000i128, any::<bool>()))),
            (max_base, max_quote, max_position) in (of(0..90i64), of(0..8_000i128), of(0..90i128)),
            (orders, exchange) in (of(0..4u32), of(0..4u32)),
            (open, open_anywhere) in (0..4u32, 0..4u32),
            (buys, limit, qty, reference) in (any::<bool>(), of(-1..120i64), -1..90i64, 1..120i64),
        ) {
            let filters = Filters {
                price: price_filter.map(|(min, max, tick)| PriceFilter { min: Price(min), max: Price(max), tick: Price(tick) }),
                lot: lots.0,
                market_lot: lots.1,
                percent,
                percent_by_side: both.map(|(bid, ask)| PercentPriceBySide { bid, ask }),
                min_notional: least.map(|(min, market)| MinNotional { min: Notional(min), market, minutes: 0 }),
                notional: range.map(|(min, min_market, max, max_market)| NotionalRange {
                    min: Notional(min), min_market, max: Notional(max), max_market, minutes: 5,
                }),
                max_base: max_base.map(Qty),
                max_quote: max_quote.map(Notional),
                max_position,
                counts: CountLimits { orders, algo: Some(0), ..CountLimits::default() },
                exchange: CountLimits { orders: exchange, iceberg: Some(0), ..CountLimits::default() },
                ..Filters::default()
            };
            let side = if buys { Side::Buy } else { Side::Sell };
            let (limit, qty, reference) = (limit.map(Price), Qty(qty), Price(reference));
            let plain = Plain { side, limit, qty, reference, open, open_anywhere };
            let kind = if limit.is_some() { OrderType::Limit } else { OrderType::Market };
            let market = MarketState { reference: None, average: Some(reference), last: Some(reference) };
            let account = AccountState {
                symbol: OpenCounts { orders: open, ..OpenCounts::default() },
                exchange: OpenCounts { orders: open_anywhere, ..OpenCounts::default() },
                ..AccountState::default()
            };
            let checked = filters.check(&Terms::new(side, kind, Size::Base(qty), limit), &market, &account);
            let passes = filters.surely_pass(&plain);
            proptest::prop_assert!(!passes || checked.is_ok(), "{checked:?}");
            proptest::prop_assert!(passes || checked.is_err() || max_position.is_some());
        }
    }
}
