//! The venue's filters as a rule: what it would refuse is not sent.
//!
//! What a filter measures from, an average of minutes at the venue, is not known here; the touch stands in for it, and
//! the venue has the last word. So does it where other programs hold or order the same assets.

use crate::domain::{DenyReason, OrderKind};
use crate::risk::rule::{Case, Judged, RuleSpec};
use crate::risk::units::Unit;
use crate::venue::binance::filters::{AccountState, FilterName, MarketState, Terms};

pub(in crate::risk) const RULE: RuleSpec = RuleSpec {
    name: "filters",
    doc: "the venue's filters: tick, lot, value, counts and what else it has; the refusal names the filter",
    binds_reducing: true,
    reasons: FILTERS,
    unit: Unit::None,
    check,
    measure: None,
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

/// Whether the filters let the order pass; otherwise the first that does not.
fn check(c: &Case<'_>) -> Judged {
    let reference = Some(c.touch());
    let market = MarketState { reference: None, average: reference, last: reference };
    let account = AccountState {
        symbol: c.counts,
        exchange: c.exchange_counts,
        base_held: i128::from(c.position.0),
        open_buys: i128::from(c.open_buy.0),
    };
    match c.filters.check(&Terms::from(c.order), &market, &account) {
        Ok(()) => Ok(()),
        // What only reduces may be as little as is left: the venue decides, and a futures venue lets it pass.
        Err(breach)
            if c.order.reduce_only
                && matches!(breach.filter, FilterName::MinNotional | FilterName::Notional)
                && c.order.kind == OrderKind::Market =>
        {
            Ok(())
        }
        Err(breach) => Err(reason(breach.filter).into()),
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
