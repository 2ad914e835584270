//! Indicator values that are known already: of bars that several runs share, each indicator is computed once.
//!
//! Values are those that the indicator gives, bar by bar: who reads them sees what it would have computed.

use super::indicator::{AnyIndicator, BarValues};
use super::request::IndicatorRequest;
use crate::domain::decimal::POW10;
use crate::domain::event::Kline;
use crate::domain::{Instrument, KnownValues};
use std::fmt::Debug;
use std::sync::Arc;

/// The values of `indicator` over `bars` of `instrument`.
#[must_use]
pub fn known_values<'a>(
    mut indicator: AnyIndicator,
    instrument: &Instrument,
    bars: impl ExactSizeIterator<Item = &'a Kline>,
) -> KnownValues {
    values_over(&mut indicator, BarUnits::of(instrument), bars)
}

/// The values that an indicator goes on to have.
pub(super) fn values_over<'a>(
    indicator: &mut AnyIndicator,
    units: BarUnits,
    bars: impl ExactSizeIterator<Item = &'a Kline>,
) -> KnownValues {
    let (mut known, mut more) = (KnownValues::new(), bars.len());
    let mut bars = bars.map(|bar| units.of_kline(bar));
    indicator.over_bars(&mut bars, |values| {
        more -= 1;
        known.push(values.as_ref().map(|values| values.as_slice()), more);
    });
    known
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

    fn of_kline(self, bar: &Kline) -> BarValues {
        self.values(bar.high.0, bar.low.0, bar.close.0, bar.volume.0)
    }

    #[inline]
    fn values(self, high: i64, low: i64, close: i64, volume: i64) -> BarValues {
        let price = |price: i64| price as f64 * self.price;
        BarValues {
            high: price(high),
            low: price(low),
            close: price(close),
            volume: volume as f64 * self.qty,
        }
    }
}
