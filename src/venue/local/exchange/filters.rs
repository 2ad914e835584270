//! The filters: what an order must be before the engine sees it.
//!
//! Owns: the formulas. Those that depend on the order alone give -1013, those that count what is open -2010.

use super::funds::AccountId;
use super::market::Market;
use super::order::OrderType;
use super::refusal::{Filter, Refusal};
use super::request::OrderRequest;
use super::rules::SymbolRules;
use crate::domain::{Notional, Price, Qty, Side};

fn passes(filter: Filter, passed: bool) -> Result<(), Refusal> {
    if passed { Ok(()) } else { Err(Refusal::Filter(filter)) }
}

/// No limit where it is zero.
fn within<T: PartialOrd + Default>(value: T, max: T) -> bool {
    max == T::default() || value <= max
}

impl SymbolRules {
    /// What can be said of an order without the book and the account but for the last price.
    pub(super) fn check(&self, request: &OrderRequest, last: Option<Price>) -> Result<(), Refusal> {
        request.check_shape()?;
        if !self.order_types.contains(&request.kind) {
            return Err(Refusal::TypeNotSupported(request.kind));
        }
        if let Some(delta) = request.trailing_delta {
            let (least, most) = self.trailing_delta;
            if most == 0 {
                return Err(Refusal::TrailingNotSupported);
            }
            passes(Filter::TrailingDelta, (least..=most).contains(&delta))?;
        }
        if request.stp.is_some_and(|mode| !self.stp_allowed.contains(&mode)) {
            return Err(Refusal::StpNotAllowed);
        }
        for price in [request.price, request.stop_price].into_iter().flatten() {
            self.check_price(price)?;
        }
        if let (Some(price), Some(last)) = (request.price, last) {
            passes(Filter::PercentPriceBySide, self.is_near(request.side, price, last))?;
        }
        if let Some(qty) = request.qty {
            self.check_qty(qty, request.kind == OrderType::Market)?;
            self.check_iceberg(qty, request.iceberg_qty)?;
        }
        self.check_worth(request, last)
    }

    fn check_price(&self, price: Price) -> Result<(), Refusal> {
        let tick = self.instrument.tick.0.max(1);
        let inside = price.0 > 0 && price >= self.min_price && within(price, self.max_price);
        passes(Filter::PriceFilter, inside && price.0 % tick == 0)
    }

    fn is_near(&self, side: Side, price: Price, last: Price) -> bool {
        let Some(percent) = self.percent_price else { return true };
        let (down, up) = match side {
            Side::Buy => (percent.bid_down, percent.bid_up),
            Side::Sell => (percent.ask_down, percent.ask_up),
        };
        let (price, last) = (i128::from(price.0) * 1_000, i128::from(last.0));
        last * i128::from(down) <= price && price <= last * i128::from(up)
    }

    pub(super) fn check_qty(&self, qty: Qty, market: bool) -> Result<(), Refusal> {
        let of = &self.instrument;
        let inside = qty.0 > 0 && qty >= of.min_qty && within(qty, of.max_qty);
        passes(Filter::LotSize, inside && qty.0 % of.lot.0.max(1) == 0)?;
        passes(Filter::MarketLotSize, !market || within(qty, self.market_max_qty))
    }

    fn check_iceberg(&self, qty: Qty, shown: Option<Qty>) -> Result<(), Refusal> {
        let Some(shown) = shown.filter(|shown| shown.0 != 0) else { return Ok(()) };
        self.check_qty(shown, false)?;
        if shown > qty {
            return Err(Refusal::IcebergExceedsQty);
        }
        let parts = (qty.0 - 1) / shown.0 + 1;
        passes(Filter::IcebergParts, within(parts, i64::from(self.iceberg_parts_max)))
    }

    fn check_worth(&self, request: &OrderRequest, last: Option<Price>) -> Result<(), Refusal> {
        let market = request.kind == OrderType::Market;
        let worth = match (request.quote_qty, request.qty) {
            (Some(worth), _) => worth,
            // A market order is valued at the last price, one that waits for its stop at that.
            (None, Some(qty)) => {
                let Some(price) = request.price.or(request.stop_price).or(last) else { return Ok(()) };
                price.times(qty)
            }
            (None, None) => return Ok(()),
        };
        let enough = worth.0 > 0 && worth >= self.instrument.min_notional;
        passes(Filter::Notional, enough && (market || within(worth, self.max_notional)))
    }
}

/// What the account may still have open, with these orders in addition.
pub(super) fn check_counts(
    market: &Market,
    account: AccountId,
    orders: &[&OrderRequest],
    held: i128,
) -> Result<(), Refusal> {
    let rules = &market.rules;
    let iceberg = |qty: Option<Qty>| qty.is_some_and(|qty| qty.0 > 0);
    let (mut all, mut algo, mut icebergs, mut buying) = (0, 0, 0, Notional::ZERO);
    for order in market.open_of(account) {
        all += 1;
        algo += u32::from(order.kind.is_conditional());
        icebergs += u32::from(order.iceberg_qty.0 > 0);
        if order.side == Side::Buy {
            buying = buying.plus(Notional(order.remaining().0.into()));
        }
    }
    for order in orders {
        all += 1;
        algo += u32::from(order.kind.is_conditional());
        icebergs += u32::from(iceberg(order.iceberg_qty));
    }
    // The orders of a list buy once.
    let bought = orders.iter().filter(|order| order.side == Side::Buy).filter_map(|order| order.qty).max();
    passes(Filter::MaxNumOrders, within(all, rules.max_orders))?;
    let any_algo = orders.iter().any(|order| order.kind.is_conditional());
    passes(Filter::MaxNumAlgoOrders, !any_algo || within(algo, rules.max_algo_orders))?;
    let any_iceberg = orders.iter().any(|order| iceberg(order.iceberg_qty));
    passes(Filter::MaxNumIcebergOrders, !any_iceberg || within(icebergs, rules.max_iceberg_orders))?;
    let Some(bought) = bought else { return Ok(()) };
    let position = held.saturating_add(buying.0).saturating_add(bought.0.into());
    passes(Filter::MaxPosition, within(position, rules.max_position.0.into()))
}
