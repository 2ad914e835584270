//! Indicator values that are known already: of bars that several runs share, each indicator is computed once.
//!
//! Values are those that the indicator gives, bar by bar: who reads them sees what it would have computed.

use super::indicator::{AnyIndicator, BarUnits, Bars, BarsOfColumns, Indicator, IndicatorVisitor};
use super::request::IndicatorRequest;
use crate::domain::{BarColumns, Instrument, KnownValues};
use std::fmt::Debug;
use std::sync::Arc;

/// The values of `indicator` over `bars` of `instrument`.
#[must_use]
pub fn known_values(
    mut indicator: AnyIndicator,
    instrument: &Instrument,
    bars: &BarColumns<'_>,
) -> KnownValues {
    values_over(&mut indicator, units_of(instrument), bars)
}

/// The values that an indicator goes on to have.
pub(super) fn values_over(
    indicator: &mut AnyIndicator,
    units: BarUnits,
    bars: &BarColumns<'_>,
) -> KnownValues {
    indicator.visited(OverBars { units, bars })
}

/// The values of an indicator over bars.
struct OverBars<'a> {
    units: BarUnits,
    bars: &'a BarColumns<'a>,
}

impl IndicatorVisitor for OverBars<'_> {
    type Answer = KnownValues;

    fn visit(self, indicator: &mut impl Indicator) -> KnownValues {
        let Self { units, bars } = self;
        let ([_, highs, lows, closes], volumes) = (bars.prices(), bars.volumes());
        let row = BarsOfColumns { units, highs, lows, closes, volumes };
        for first in 0..closes.len() {
            let Some(values) = indicator.advance_bar(&row.bar(first)) else { continue };
            let more = closes.len() - first - 1;
            let mut known = KnownValues::none_for(first);
            known.push(values.as_slice(), more, |places| {
                indicator.advance_many(&row.since(first + 1), places)
            });
            debug_assert_eq!(known.bars(), closes.len(), "one that has answered answers every bar");
            return known;
        }
        KnownValues::none_for(closes.len())
    }
}

/// Knows values of indicators over the bars that a run is about to see.
pub trait KnownIndicators: Debug + Send + Sync {
    /// Those of this request, if they are known.
    fn known(&self, request: &IndicatorRequest) -> Option<Arc<KnownValues>>;
}

/// What turns an instrument's integers into numbers.
#[must_use]
pub(super) fn units_of(instrument: &Instrument) -> BarUnits {
    BarUnits::new(instrument.price_decimals, instrument.qty_decimals)
}
