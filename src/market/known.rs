//! Indicator values that are known already: of bars that several runs share, each indicator is computed once.
//!
//! Values are those that the indicator gives, bar by bar: who reads them sees what it would have computed.

use super::indicator::{AnyIndicator, BarValues, Indicator, IndicatorVisitor, Values};
use super::request::IndicatorRequest;
use crate::domain::decimal::POW10;
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
    values_over(&mut indicator, BarUnits::of(instrument), bars)
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
        let since = |first: usize| {
            let (ranges, rest) = (highs.iter().zip(lows), closes.iter().zip(volumes));
            let bars = ranges.zip(rest).skip(first);
            bars.map(|((high, low), (close, volume))| units.values(*high, *low, *close, *volume))
        };
        let (mut known, mut ahead) = (KnownValues::new(), since(0));
        // How many values there are is known with the first.
        while known.outputs() == 0
            && let Some(bar) = ahead.next()
        {
            known.push(indicator.update_bar(&bar).as_ref().map(Values::as_slice), ahead.len());
        }
        if known.outputs() != 1 {
            ahead.for_each(|bar| known.push(indicator.update_bar(&bar).as_ref().map(Values::as_slice), 0));
            return known;
        }
        // As many at once as the indicator takes, and what is left, which is all to most, one by one.
        let left = &closes[closes.len() - ahead.len()..];
        let close = |n: usize| units.price_of(left.get(n).copied().unwrap_or_default());
        let taken = known.extend_many(left.len(), |places| indicator.update_many(close, places));
        let one_by_one = since(closes.len() - left.len() + taken);
        known.extend(one_by_one.map(|bar| indicator.update_bar(&bar).map(|values| values.first())));
        known
    }
}

/// Knows values of indicators over the bars that a run is about to see.
pub trait KnownIndicators: Debug + Send + Sync {
    /// Those of this request, if they are known.
    fn known(&self, request: &IndicatorRequest) -> Option<Arc<KnownValues>>;
}

/// What turns an instrument's integers into the numbers that indicators see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BarUnits {
    price: f64,
    qty: f64,
}

impl BarUnits {
    pub fn of(instrument: &Instrument) -> Self {
        let unit = |decimals: u8| 1.0 / POW10[usize::from(decimals)] as f64;
        Self { price: unit(instrument.price_decimals), qty: unit(instrument.qty_decimals) }
    }

    pub fn of_bar(self, bar: &super::Bar) -> BarValues {
        self.values(bar.high.0, bar.low.0, bar.close.0, bar.volume.0)
    }

    #[inline]
    fn values(self, high: i64, low: i64, close: i64, volume: i64) -> BarValues {
        BarValues {
            high: self.price_of(high),
            low: self.price_of(low),
            close: self.price_of(close),
            volume: volume as f64 * self.qty,
        }
    }

    #[inline]
    fn price_of(self, price: i64) -> f64 {
        price as f64 * self.price
    }
}
