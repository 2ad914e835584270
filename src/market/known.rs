//! Indicator values that are known already: of bars that several runs share, each indicator is computed once.
//!
//! Values are those that the indicator gives, bar by bar: who reads them sees what it would have computed.

use super::indicator::{AnyIndicator, BarValues, Indicator};
use super::message::Values;
use super::request::IndicatorRequest;
use crate::domain::Instrument;
use crate::domain::decimal::POW10;
use crate::domain::event::Kline;
use std::fmt::Debug;
use std::sync::Arc;

/// An indicator's values over a series of bars.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KnownValues {
    /// Bars before the first value.
    warm_up: usize,
    outputs: usize,
    values: Vec<f64>,
}

impl KnownValues {
    /// The most bytes that an indicator's values over `bars` bars take, of which it gives `outputs` each.
    #[must_use]
    pub const fn bytes_max(outputs: usize, bars: usize) -> usize {
        bars * outputs * size_of::<f64>()
    }

    /// The values of `indicator` over `bars` of `instrument`; none where it skips bars once it is warmed up, as it does
    /// where a bar is no number that it takes.
    pub fn of<'a>(
        mut indicator: AnyIndicator,
        instrument: &Instrument,
        bars: impl ExactSizeIterator<Item = &'a Kline>,
    ) -> Option<Self> {
        let units = BarUnits::of(instrument);
        let mut known = Self { warm_up: bars.len(), ..Self::default() };
        let all = bars.len();
        for (n, bar) in bars.enumerate() {
            match indicator.update_bar(&units.of_kline(bar)) {
                Some(values) => {
                    let values = values.as_slice();
                    if known.outputs == 0 {
                        (known.warm_up, known.outputs) = (n, values.len());
                        known.values.reserve_exact((all - n) * values.len());
                    }
                    known.values.extend_from_slice(values);
                }
                None if known.outputs > 0 => return None,
                None => {}
            }
        }
        Some(known)
    }

    /// The values after the bar with this number, counted from 0; none while it warmed up.
    #[inline]
    #[must_use]
    pub fn at(&self, bar: usize) -> Option<Values> {
        let from = bar.checked_sub(self.warm_up)? * self.outputs;
        let values = self.values.get(from..from + self.outputs)?;
        let mut all: Values = [0.0; 3];
        all.iter_mut().zip(values).for_each(|(to, from)| *to = *from);
        Some(all)
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
