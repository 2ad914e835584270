//! Volume-weighted average price of the last n bars.
//!
//! Σ price × volume / Σ volume, of typical prices (high + low + close) / 3, as TA-Lib's SUM would give both sums; it
//! has no VWAP. Over a rolling window, not since the beginning of a session, which a bar does not know. Where nothing
//! was traded it is the newest typical price.

use super::many::from_the_end;
use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::window::Ring;
use super::{AnyIndicator, BarValues, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "vwap",
    doc: "volume-weighted average of the typical prices of the last `period` bars",
    params: &[Param::whole("period", "bars in the window", 20, 1, PERIOD_MAX)],
    outputs: &["vwap"],
    build: |params| Ok(AnyIndicator::Vwap(Vwap::new(period(params[0]))?)),
};

/// Volume-weighted average price.
#[derive(Debug, Clone)]
pub struct Vwap {
    /// The sums of worths and of volumes, from a place to its turn's end.
    ring: Ring<[f64; 2]>,
    /// Of this turn.
    sums: [f64; 2],
}

impl Vwap {
    /// Over `period` bars.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 1 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self { ring: Ring::new(period, [0.0; 2]), sums: [0.0; 2] })
    }

    /// The sums of worths and of volumes over the window, once full.
    #[inline]
    fn push(&mut self, worth: f64, volume: f64) -> Option<[f64; 2]> {
        if let Some((slot, before)) = self.ring.place() {
            *slot = [worth, volume];
            self.sums = sum(self.sums, [worth, volume]);
            return Some(sum(before, self.sums));
        }
        let (newest, before) = self.ring.end_turn([worth, volume])?;
        let mut all = *newest;
        from_the_end(before, |slot| {
            all = sum(all, *slot);
            *slot = all;
        });
        self.sums = [0.0; 2];
        Some(all)
    }
}

#[inline]
fn sum(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

impl Indicator for Vwap {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.advance_bar(&value.flat())
    }

    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        let price = bar.typical();
        let [worth, volume] = self.push(price * bar.volume, bar.volume)?;
        Some(Values::one(if volume > 0.0 { worth / volume } else { price }))
    }

    fn warm_up(&self) -> usize {
        self.ring.missing()
    }

    fn reset(&mut self) {
        self.ring.clear();
    }
}
