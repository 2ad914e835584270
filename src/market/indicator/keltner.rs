//! Keltner channel: an exponential average of closes, and lines some average true ranges above and below it.
//!
//! As Raschke has it: TA-Lib's EMA, and its ATR with Wilder's smoothing (others smooth the range exponentially). The
//! first answer comes when both are ready.

use super::atr::Atr;
use super::ema::Ema;
use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, BarValues, Indicator, Usable, Values, seldom};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "keltner",
    doc: "Keltner channel of bars: an exponential average of closes, and `ranges` average true ranges around it",
    params: &[
        Param::whole("period", "of the average of closes", 20, 1, PERIOD_MAX),
        Param::whole("atr", "of the average true range", 10, 1, PERIOD_MAX),
        Param::thousandths("ranges", "distance of the lines from the middle", 2_000),
    ],
    outputs: &["upper", "middle", "lower"],
    build: |params| {
        Ok(AnyIndicator::Keltner(Keltner::new(period(params[0]), period(params[1]), period(params[2]))?))
    },
};

/// Keltner channel.
#[derive(Debug, Clone)]
pub struct Keltner {
    ranges: f64,
    middle: Ema,
    atr: Atr,
    /// Whether it answers.
    ready: bool,
}

impl Keltner {
    /// An average over `period`, `ranges_thousandths` / 1000 true ranges averaged over `atr` around it.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` and `atr` are 1 to [`PERIOD_MAX`] and the ranges a tenth to 100.
    pub fn new(period: u32, atr: u32, ranges_thousandths: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into(), atr.into(), ranges_thousandths.into()])?;
        Ok(Self {
            ranges: f64::from(ranges_thousandths) / 1000.0,
            middle: Ema::new(period)?,
            atr: Atr::new(atr)?,
            ready: false,
        })
    }
}

impl Keltner {
    /// Takes one of the first bars, up to the first that is answered.
    #[inline(always)]
    fn begin(&mut self, bar: &BarValues) -> Option<Values> {
        let (middle, range) = (self.middle.next(bar.close), self.atr.next(bar));
        let (middle, range) = (middle?, range?);
        self.ready = true;
        Some(self.channel(middle, range))
    }

    #[inline]
    fn channel(&self, middle: f64, range: f64) -> Values {
        let distance = self.ranges * range;
        Values::three([middle + distance, middle, middle - distance])
    }
}

impl Indicator for Keltner {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.advance_bar(&value.flat())
    }

    #[inline]
    fn advance_bar(&mut self, bar: &Usable<BarValues>) -> Option<Values> {
        if self.ready {
            let (middle, range) = (self.middle.step(bar.close), self.atr.step(bar));
            return Some(self.channel(middle, range));
        }
        seldom();
        self.begin(bar)
    }

    fn outputs(&self) -> usize {
        3
    }

    fn warm_up(&self) -> usize {
        self.middle.warm_up().max(self.atr.warm_up())
    }

    fn reset(&mut self) {
        self.middle.reset();
        self.atr.reset();
        self.ready = false;
    }
}
