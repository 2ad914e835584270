//! Average directional index (Wilder, 1978): how strongly bars move in one direction, with both directions.
//!
//! TA-Lib's ADX, PLUS_DI and MINUS_DI. Each bar moves up (by how much its high is above the one before), or down (by
//! how much its low is below), whichever is more. Sums of these and of true ranges start over n − 1 bars and then move
//! by Wilder's smoothing of sums, sum − sum / n + newest. The index is the average of |up − down| / (up + down), started
//! as a mean of n; the first answer comes with bar 2 n.

use super::atr::true_range;
use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, BarValues, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "adx",
    doc: "average directional index of bars, 0 to 100, with the directions up and down",
    params: &[Param::whole("period", "bars in the sums and in the first average", 14, 2, PERIOD_MAX)],
    outputs: &["adx", "up", "down"],
    build: |params| Ok(AnyIndicator::Adx(Adx::new(period(params[0]))?)),
};

/// Average directional index.
#[derive(Debug, Clone)]
pub struct Adx {
    period: u32,
    /// Bars so far, up to twice the period.
    bars: u32,
    previous: BarValues,
    up: f64,
    down: f64,
    range: f64,
    /// The sum of the first indices while they are being gathered, the average after.
    index: f64,
}

impl Adx {
    /// An index over `period` bars.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self::empty(period))
    }

    fn empty(period: u32) -> Self {
        Self { period, bars: 0, previous: BarValues::flat(0.0), up: 0.0, down: 0.0, range: 0.0, index: 0.0 }
    }

    /// Adds the bar to the sums, of which a part is first taken once they have started.
    #[inline]
    fn add(&mut self, bar: &BarValues, smoothed: bool) {
        let (rise, fall) = (bar.high - self.previous.high, self.previous.low - bar.low);
        let range = true_range(bar.high, bar.low, self.previous.close);
        if smoothed {
            let period = f64::from(self.period);
            self.up -= self.up / period;
            self.down -= self.down / period;
            self.range -= self.range / period;
        }
        if fall > 0.0 && rise < fall {
            self.down += fall;
        } else if rise > 0.0 && rise > fall {
            self.up += rise;
        }
        self.range += range;
    }

    /// Both directions, 0 to 100; 0 where nothing moved.
    #[inline]
    fn directions(&self) -> (f64, f64) {
        if self.range == 0.0 {
            return (0.0, 0.0);
        }
        (100.0 * (self.up / self.range), 100.0 * (self.down / self.range))
    }
}

impl Indicator for Adx {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.advance_bar(&value.flat())
    }

    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        let (n, all) = (self.period, 2 * self.period);
        let ready = self.bars == all;
        if self.bars > 0 {
            self.add(bar, self.bars >= n);
        }
        self.previous = **bar;
        self.bars = (self.bars + 1).min(all);
        if self.bars <= n {
            return None;
        }
        let (up, down) = self.directions();
        let period = f64::from(n);
        // Where nothing moved there is no index, and the average stays.
        if up + down > 0.0 {
            let index = 100.0 * ((down - up).abs() / (up + down));
            self.index =
                if ready { (self.index * (period - 1.0) + index) / period } else { self.index + index };
        }
        if self.bars < all {
            return None;
        }
        if !ready {
            self.index /= period;
        }
        Some(Values::three([self.index, up, down]))
    }

    fn outputs(&self) -> usize {
        3
    }

    fn warm_up(&self) -> usize {
        (2 * self.period - self.bars) as usize
    }

    fn reset(&mut self) {
        *self = Self::empty(self.period);
    }
}
