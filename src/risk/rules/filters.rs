//! The venue's filters as a rule: what it would refuse is not sent.
//!
//! What a filter measures from, an average of minutes at the venue, is not known here; the touch stands in for it, and
//! the venue has the last word. So does it where other programs hold or order the same assets.

use crate::domain::decimal::{POW10, Scaled};
use crate::domain::{Binds, DenyReason, Instrument, Market, Measure, Order, OrderKind, Subject};
use crate::risk::limits::QUOTE_DECIMALS;
use crate::risk::rule::{Case, Judged, Nobody, Refusal, RuleSpec, Witness, refusal};
use crate::risk::units::Unit;
use crate::venue::binance::filters::{
    AccountState, Bound, FilterBreach, FilterName, MarketState, Plain, Terms,
};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "filters",
    doc: "the venue's filters: tick, lot, value, counts and what else it has; the refusal names the filter",
    binds_reducing: true,
    reasons: FILTERS,
    unit: Unit::Measured,
    check: |c| check(c, &mut Nobody),
    measure: Some(check),
};

/// One for each filter, and the two by which the journals of before had them.
const FILTERS: &[DenyReason] = &[
    DenyReason::BadQuantity,
    DenyReason::NotionalTooSmall,
    DenyReason::PriceFilter,
    DenyReason::LotSize,
    DenyReason::IcebergParts,
    DenyReason::MarketLotSize,
    DenyReason::TrailingDelta,
    DenyReason::PercentPrice,
    DenyReason::PercentPriceBySide,
    DenyReason::MinNotional,
    DenyReason::Notional,
    DenyReason::MaxAsset,
    DenyReason::MaxPosition,
    DenyReason::MaxNumOrders,
    DenyReason::MaxNumAlgoOrders,
    DenyReason::MaxNumIcebergOrders,
    DenyReason::MaxNumOrderLists,
    DenyReason::ExchangeMaxNumOrders,
    DenyReason::ExchangeMaxNumAlgoOrders,
    DenyReason::ExchangeMaxNumIcebergOrders,
    DenyReason::ExchangeMaxNumOrderLists,
    DenyReason::MaxNumOrderAmends,
];

/// Whether the filters let the order pass; otherwise the first that does not, with what it asks. The venue has up to four
/// limits in one filter, and only the one that was not kept is told.
#[inline(always)]
pub(in crate::risk) fn check<W: Witness>(c: &Case<'_>, w: &mut W) -> Judged {
    if passes_plainly(c) { Ok(()) } else { check_each(c, w) }
}

/// Whether it is a plain order, as nearly all are, that nothing keeps from passing.
#[inline(always)]
fn passes_plainly(c: &Case<'_>) -> bool {
    let &Order { side, kind, qty, price, ref extras, .. } = c.order;
    let limit = match kind {
        OrderKind::Limit | OrderKind::PostOnly => Some(price),
        OrderKind::Market => None,
        _ => return false,
    };
    let (open, open_anywhere) = (c.counts.orders, c.exchange_counts.orders);
    extras.is_none()
        && c.filters.surely_pass(&Plain { side, limit, qty, reference: c.touch(), open, open_anywhere })
}

#[inline(never)]
fn check_each<W: Witness>(c: &Case<'_>, w: &mut W) -> Judged {
    let reference = Some(c.touch());
    let market = MarketState { reference: None, average: reference, last: reference };
    let account = AccountState {
        symbol: c.counts,
        exchange: c.exchange_counts,
        base_held: i128::from(c.position.0),
        open_buys: i128::from(c.open_buy.0),
    };
    let judged = c.filters.check(&Terms::from(c.order), &market, &account);
    match judged {
        Ok(()) => Ok(()),
        // A futures venue lets what only reduces be as little as is left; a spot venue does not.
        Err(breach)
            if c.order.leaves_at_once(c.of_bars)
                && c.instrument.market != Market::Spot
                && matches!(breach.filter, FilterName::MinNotional | FilterName::Notional) =>
        {
            Ok(())
        }
        Err(breach) => {
            let refused = refused(&breach, c.instrument);
            if W::LISTENS {
                let Refusal { reason, limit, value, measure } = refused;
                w.measured(value.into(), limit.into(), reason, measure);
            }
            Err(refused)
        }
    }
}

/// A breach as a refusal carries it: both numbers in the unit of what was measured.
#[cold]
fn refused(breach: &FilterBreach, instrument: &Instrument) -> Refusal {
    let reason = reason(breach.filter);
    let decimals = match breach.subject {
        Subject::Price | Subject::StopPrice => instrument.price_decimals,
        Subject::Quantity | Subject::IcebergQty | Subject::Position => instrument.qty_decimals,
        Subject::Value => QUOTE_DECIMALS,
        _ => 0,
    };
    let (binds, limit) = match breach.bound {
        Bound::AtLeast(limit) => (Binds::AtLeast, limit),
        Bound::AtMost(limit) => (Binds::AtMost, limit),
        Bound::MultipleOf(step) => (Binds::MultipleOf, step),
        Bound::Positive => (Binds::MoreThan, Scaled { value: 0, decimals }),
        // Not asked of a filter here: where no price is known, everything passes.
        Bound::Reference => return reason.into(),
    };
    // Rounded away from each other, so that what is not kept does not look kept.
    let up = binds == Binds::AtMost;
    let (value, limit) = (in_units(breach.found, decimals, up), in_units(limit, decimals, !up));
    let measure = Some(Measure { subject: breach.subject, binds });
    Refusal { measure, ..refusal(value, limit, reason) }
}

/// A number in units of 10^-`decimals`, rounded up or down where that has fewer than it.
fn in_units(number: Scaled, decimals: u8, up: bool) -> i128 {
    let power = |n: u8| POW10.get(usize::from(n)).map_or(i128::MAX, |power| i128::from(*power));
    match number.decimals.checked_sub(decimals) {
        None => number.value.saturating_mul(power(decimals - number.decimals)),
        Some(0) => number.value,
        Some(over) if up => -(number.value.saturating_neg().div_euclid(power(over))),
        Some(over) => number.value.div_euclid(power(over)),
    }
}

/// The reason that names a filter.
#[must_use]
pub const fn reason(filter: FilterName) -> DenyReason {
    match filter {
        FilterName::PriceFilter => DenyReason::PriceFilter,
        FilterName::LotSize => DenyReason::LotSize,
        FilterName::IcebergParts => DenyReason::IcebergParts,
        FilterName::MarketLotSize => DenyReason::MarketLotSize,
        FilterName::TrailingDelta => DenyReason::TrailingDelta,
        FilterName::PercentPrice => DenyReason::PercentPrice,
        FilterName::PercentPriceBySide => DenyReason::PercentPriceBySide,
        FilterName::MinNotional => DenyReason::MinNotional,
        FilterName::Notional => DenyReason::Notional,
        FilterName::MaxAsset => DenyReason::MaxAsset,
        FilterName::MaxPosition => DenyReason::MaxPosition,
        FilterName::MaxNumOrders => DenyReason::MaxNumOrders,
        FilterName::MaxNumAlgoOrders => DenyReason::MaxNumAlgoOrders,
        FilterName::MaxNumIcebergOrders => DenyReason::MaxNumIcebergOrders,
        FilterName::MaxNumOrderLists => DenyReason::MaxNumOrderLists,
        FilterName::ExchangeMaxNumOrders => DenyReason::ExchangeMaxNumOrders,
        FilterName::ExchangeMaxNumAlgoOrders => DenyReason::ExchangeMaxNumAlgoOrders,
        FilterName::ExchangeMaxNumIcebergOrders => DenyReason::ExchangeMaxNumIcebergOrders,
        FilterName::ExchangeMaxNumOrderLists => DenyReason::ExchangeMaxNumOrderLists,
        FilterName::MaxNumOrderAmends => DenyReason::MaxNumOrderAmends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_filter_as_the_venue_does() {
        for filter in FilterName::ALL {
            assert_eq!(reason(*filter).label(), filter.name());
        }
    }
}
