//! The filters' formulas.
//!
//! Products are compared in 128 bits instead of quotients, so nothing is rounded; none can overflow, since each is of
//! two 64-bit integers.

use super::breach::{Bound, FilterBreach, Subject, whole};
use super::name::FilterName;
use super::rules::{CountLimits, Filters, LotSize, Multiplier, PercentPrice};
use super::terms::{AccountState, MarketState, OpenCounts, Size, Terms};
use crate::domain::decimal::Scaled;
use crate::domain::{Notional, Price, Qty, Side};

impl Filters {
    /// Whether the venue's filters let this order pass.
    ///
    /// Where no price is known that a filter measures from, that filter lets everything pass, as on a market that has
    /// not traded: the venue has the last word. [`FitPolicy`](super::FitPolicy) can be stricter.
    ///
    /// # Errors
    /// The first filter that does not, in the order of [`FilterName::ALL`].
    #[inline(always)]
    pub fn check(
        &self,
        terms: &Terms,
        market: &MarketState,
        account: &AccountState,
    ) -> Result<(), FilterBreach> {
        self.check_values(terms, market)?;
        self.check_room(std::slice::from_ref(terms), false, account)
    }

    /// [`check`](Self::check) of all orders of a list that is placed as one.
    ///
    /// # Errors
    /// The first breach of the first order that has one; then those of the counts, which take all orders together.
    pub fn check_list(
        &self,
        legs: &[Terms],
        market: &MarketState,
        account: &AccountState,
    ) -> Result<(), FilterBreach> {
        legs.iter().try_for_each(|leg| self.check_values(leg, market))?;
        self.check_room(legs, true, account)
    }

    /// Whether an open order may be amended to `terms` after it was amended `amends` times.
    ///
    /// # Errors
    /// The first filter that does not let it.
    pub fn check_amend(&self, terms: &Terms, market: &MarketState, amends: u32) -> Result<(), FilterBreach> {
        self.check_values(terms, market)?;
        let count = u64::from(amends) + 1;
        at_most(FilterName::MaxNumOrderAmends, Subject::Amendments, count.into(), self.max_amends)
    }

    /// The filters on the order's own numbers; what is open beside it does not matter.
    ///
    /// # Errors
    /// The first filter that does not let it pass.
    #[inline(always)]
    pub fn check_values(&self, terms: &Terms, market: &MarketState) -> Result<(), FilterBreach> {
        self.check_prices(terms)?;
        if let Size::Base(qty) = terms.size {
            self.check_lot(FilterName::LotSize, self.lot, Subject::Quantity, qty)?;
            if let Some(shown) = terms.iceberg_qty.filter(|_| terms.is_iceberg()) {
                self.check_lot(FilterName::LotSize, self.lot, Subject::IcebergQty, shown)?;
                let parts = i128::from(qty.0).div_euclid(shown.0.into())
                    + i128::from(i128::from(qty.0).rem_euclid(shown.0.into()) != 0);
                at_most(FilterName::IcebergParts, Subject::Parts, parts, self.iceberg_parts)?;
            }
            if terms.kind == super::OrderType::Market && self.market_lot.is_some() {
                self.check_lot(FilterName::MarketLotSize, self.market_lot, Subject::Quantity, qty)?;
            }
        }
        self.check_trailing(terms)?;
        let by_side = self.percent_by_side.map(|both| match terms.side {
            Side::Buy => both.bid,
            Side::Sell => both.ask,
        });
        for (filter, percent) in
            [(FilterName::PercentPrice, self.percent), (FilterName::PercentPriceBySide, by_side)]
        {
            terms.limit_prices().try_for_each(|price| self.check_percent(filter, percent, price, market))?;
        }
        self.check_notional(terms, market)?;
        self.check_asset(terms)
    }

    #[inline(always)]
    fn check_prices(&self, terms: &Terms) -> Result<(), FilterBreach> {
        if terms.kind.has_limit() {
            if terms.price.is_none() && terms.pegged_price.is_none() {
                return self.price_breach(Subject::Price, Price(0), Bound::Positive);
            }
            for price in [terms.price, terms.pegged_price].into_iter().flatten() {
                self.check_price(Subject::Price, price)?;
            }
        }
        match terms.stop_price.filter(|_| terms.kind.is_algo()) {
            Some(stop) => self.check_price(Subject::StopPrice, stop),
            None => Ok(()),
        }
    }

    #[inline(always)]
    fn check_price(&self, subject: Subject, price: Price) -> Result<(), FilterBreach> {
        if price.0 <= 0 {
            return self.price_breach(subject, price, Bound::Positive);
        }
        let Some(filter) = self.price else { return Ok(()) };
        if price < filter.min {
            return self.price_breach(subject, price, Bound::AtLeast(self.shown_price(filter.min)));
        }
        if filter.max.0 != 0 && price > filter.max {
            return self.price_breach(subject, price, Bound::AtMost(self.shown_price(filter.max)));
        }
        if filter.tick.0 != 0 && price.0 % filter.tick.0 != 0 {
            return self.price_breach(subject, price, Bound::MultipleOf(self.shown_price(filter.tick)));
        }
        Ok(())
    }

    #[cold]
    fn price_breach(&self, subject: Subject, price: Price, bound: Bound) -> Result<(), FilterBreach> {
        let found = self.shown_price(price);
        Err(FilterBreach { filter: FilterName::PriceFilter, subject, found, bound })
    }

    #[inline(always)]
    fn check_lot(
        &self,
        filter: FilterName,
        lot: Option<LotSize>,
        subject: Subject,
        qty: Qty,
    ) -> Result<(), FilterBreach> {
        let shown = |qty: Qty| Scaled { value: qty.0.into(), decimals: self.qty_decimals };
        let breach = |bound| Err(FilterBreach { filter, subject, found: shown(qty), bound });
        if qty.0 <= 0 {
            return breach(Bound::Positive);
        }
        let Some(lot) = lot else { return Ok(()) };
        if qty < lot.min {
            return breach(Bound::AtLeast(shown(lot.min)));
        }
        if lot.max.0 != 0 && qty > lot.max {
            return breach(Bound::AtMost(shown(lot.max)));
        }
        if lot.step.0 != 0 && qty.0 % lot.step.0 != 0 {
            return breach(Bound::MultipleOf(shown(lot.step)));
        }
        Ok(())
    }

    #[inline(always)]
    fn check_trailing(&self, terms: &Terms) -> Result<(), FilterBreach> {
        let delta = terms.trailing_delta.filter(|_| terms.kind.is_algo());
        let (Some(delta), Some(filter)) = (delta, self.trailing_delta) else { return Ok(()) };
        let (min, max) = match terms.kind.triggers_above(terms.side) {
            true => (filter.min_above, filter.max_above),
            false => (filter.min_below, filter.max_below),
        };
        let (filter, subject, found) =
            (FilterName::TrailingDelta, Subject::TrailingDelta, whole(delta.into()));
        if delta < min {
            return Err(FilterBreach { filter, subject, found, bound: Bound::AtLeast(whole(min.into())) });
        }
        if delta > max {
            return Err(FilterBreach { filter, subject, found, bound: Bound::AtMost(whole(max.into())) });
        }
        Ok(())
    }

    #[inline(always)]
    fn check_percent(
        &self,
        filter: FilterName,
        percent: Option<PercentPrice>,
        price: Price,
        market: &MarketState,
    ) -> Result<(), FilterBreach> {
        let Some(percent) = percent else { return Ok(()) };
        let Some(reference) = market.reference_for(percent.minutes) else { return Ok(()) };
        let one = i128::from(Multiplier::ONE.0);
        let scaled = i128::from(price.0) * one;
        let (low, high) = (product(reference, percent.down), product(reference, percent.up));
        let found = self.shown_price(price);
        let shown = |value| Scaled { value, decimals: self.price_decimals };
        let breach = |bound| Err(FilterBreach { filter, subject: Subject::Price, found, bound });
        if scaled < low {
            return breach(Bound::AtLeast(shown(low.div_euclid(one) + i128::from(low.rem_euclid(one) != 0))));
        }
        if scaled > high {
            return breach(Bound::AtMost(shown(high.div_euclid(one))));
        }
        Ok(())
    }

    /// Every value that the notional filters bind, and whether it is a market order's.
    #[inline(always)]
    fn check_notional(&self, terms: &Terms, market: &MarketState) -> Result<(), FilterBreach> {
        let unpriced = !terms.kind.has_limit();
        let values = |minutes| match terms.size {
            Size::Quote(value) => [Some(value), None],
            Size::Base(qty) if unpriced => {
                [market.reference_for(minutes).map(|price| price.times(qty)), None]
            }
            Size::Base(qty) => [terms.price, terms.pegged_price].map(|price| price.map(|p| p.times(qty))),
        };
        if let Some(filter) = self.min_notional.filter(|filter| !unpriced || filter.market) {
            for value in values(filter.minutes).into_iter().flatten() {
                self.value_at_least(FilterName::MinNotional, value, filter.min)?;
            }
        }
        let Some(filter) = self.notional else { return Ok(()) };
        for value in values(filter.minutes).into_iter().flatten() {
            if !unpriced || filter.min_market {
                self.value_at_least(FilterName::Notional, value, filter.min)?;
            }
        }
        for value in values(filter.minutes).into_iter().flatten() {
            if !unpriced || filter.max_market {
                self.value_at_most(FilterName::Notional, value, filter.max)?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn check_asset(&self, terms: &Terms) -> Result<(), FilterBreach> {
        if let (Some(max), Size::Base(qty)) = (self.max_base, terms.size)
            && qty > max
        {
            let shown = |qty: Qty| Scaled { value: qty.0.into(), decimals: self.qty_decimals };
            let (filter, subject) = (FilterName::MaxAsset, Subject::Quantity);
            return Err(FilterBreach {
                filter,
                subject,
                found: shown(qty),
                bound: Bound::AtMost(shown(max)),
            });
        }
        let Some(max) = self.max_quote else { return Ok(()) };
        match terms.size {
            Size::Quote(value) => self.value_at_most(FilterName::MaxAsset, value, max),
            Size::Base(qty) => terms
                .limit_prices()
                .try_for_each(|price| self.value_at_most(FilterName::MaxAsset, price.times(qty), max)),
        }
    }

    #[inline]
    fn value_at_least(&self, filter: FilterName, value: Notional, min: Notional) -> Result<(), FilterBreach> {
        if value >= min {
            return Ok(());
        }
        self.value_breach(filter, value, Bound::AtLeast(self.shown_value(min)))
    }

    #[inline]
    fn value_at_most(&self, filter: FilterName, value: Notional, max: Notional) -> Result<(), FilterBreach> {
        if value <= max {
            return Ok(());
        }
        self.value_breach(filter, value, Bound::AtMost(self.shown_value(max)))
    }

    #[cold]
    fn value_breach(&self, filter: FilterName, value: Notional, bound: Bound) -> Result<(), FilterBreach> {
        Err(FilterBreach { filter, subject: Subject::Value, found: self.shown_value(value), bound })
    }

    /// The filters on what is open once these orders are, too.
    #[inline(always)]
    fn check_room(&self, legs: &[Terms], is_list: bool, account: &AccountState) -> Result<(), FilterBreach> {
        if let Some(max) = self.max_position {
            let buys = legs.iter().filter(|leg| leg.side == Side::Buy);
            let sizes = buys.filter_map(|leg| match leg.size {
                Size::Base(qty) => Some(i128::from(qty.0)),
                // What it buys is not known before it does.
                Size::Quote(_) => None,
            });
            let adding = sizes.clone().fold(0i128, i128::saturating_add);
            let position = account.base_held.saturating_add(account.open_buys).saturating_add(adding);
            if sizes.count() > 0 && position > max {
                let shown = |value| Scaled { value, decimals: self.qty_decimals };
                let (filter, subject) = (FilterName::MaxPosition, Subject::Position);
                let bound = Bound::AtMost(shown(max));
                return Err(FilterBreach { filter, subject, found: shown(position), bound });
            }
        }
        let adding = Adding {
            orders: legs.len() as u64,
            algo: legs.iter().filter(|leg| leg.kind.is_algo()).count() as u64,
            iceberg: legs.iter().filter(|leg| leg.is_iceberg()).count() as u64,
            lists: u64::from(is_list),
        };
        adding.check(&self.counts, &account.symbol, &SYMBOL_COUNTS)?;
        adding.check(&self.exchange, &account.exchange, &EXCHANGE_COUNTS)
    }

    fn shown_price(&self, price: Price) -> Scaled {
        Scaled { value: price.0.into(), decimals: self.price_decimals }
    }

    fn shown_value(&self, value: Notional) -> Scaled {
        Scaled { value: value.0, decimals: self.price_decimals.saturating_add(self.qty_decimals) }
    }
}

/// What orders add to what is open.
struct Adding {
    orders: u64,
    algo: u64,
    iceberg: u64,
    lists: u64,
}

/// The filters on orders, algorithmic orders, icebergs and lists.
type CountFilters = [FilterName; 4];

const SYMBOL_COUNTS: CountFilters = [
    FilterName::MaxNumOrders,
    FilterName::MaxNumAlgoOrders,
    FilterName::MaxNumIcebergOrders,
    FilterName::MaxNumOrderLists,
];

const EXCHANGE_COUNTS: CountFilters = [
    FilterName::ExchangeMaxNumOrders,
    FilterName::ExchangeMaxNumAlgoOrders,
    FilterName::ExchangeMaxNumIcebergOrders,
    FilterName::ExchangeMaxNumOrderLists,
];

impl Adding {
    #[inline(always)]
    fn check(&self, max: &CountLimits, open: &OpenCounts, names: &CountFilters) -> Result<(), FilterBreach> {
        let rows = [
            (self.orders, open.orders, max.orders, Subject::OpenOrders),
            (self.algo, open.algo, max.algo, Subject::OpenAlgoOrders),
            (self.iceberg, open.iceberg, max.iceberg, Subject::OpenIcebergs),
            (self.lists, open.lists, max.lists, Subject::OpenLists),
        ];
        for ((adding, open, max, subject), filter) in rows.into_iter().zip(names) {
            // An order that adds nothing to a count is not held to it, however full it is.
            if adding > 0 {
                at_most(*filter, subject, i128::from(open) + i128::from(adding), max)?;
            }
        }
        Ok(())
    }
}

#[inline(always)]
fn at_most(filter: FilterName, subject: Subject, count: i128, max: Option<u32>) -> Result<(), FilterBreach> {
    match max {
        Some(max) if count > i128::from(max) => {
            let bound = Bound::AtMost(whole(max.into()));
            Err(FilterBreach { filter, subject, found: whole(count), bound })
        }
        _ => Ok(()),
    }
}

/// A price times a factor, in units of 10^-8 of the price's.
pub(super) fn product(price: Price, factor: Multiplier) -> i128 {
    i128::from(price.0) * i128::from(factor.0)
}
