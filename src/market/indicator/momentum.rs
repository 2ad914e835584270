//! Momentum and rate of change: how far a value is from the one n values before, in itself and in per cent.
//!
//! TA-Lib's MOM, x − xₙ, and ROC, 100 (x / xₙ − 1), 0 where xₙ is 0.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, Bars, Indicator, Usable, VALUE_MAX, Values, many, seldom};

/// Momentum's line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "momentum",
    doc: "momentum: the value less the one `period` values before",
    params: &[Param::whole("period", "values between the two", 10, 1, PERIOD_MAX)],
    outputs: &["momentum"],
    build: |params| Ok(AnyIndicator::Momentum(Momentum::new(period(params[0]))?)),
};

/// The rate's line of the registry.
pub const RATE_SPEC: IndicatorSpec = IndicatorSpec {
    name: "roc",
    doc: "rate of change: by how many per cent the value differs from the one `period` values before",
    params: &[Param::whole("period", "values between the two", 10, 1, PERIOD_MAX)],
    outputs: &["roc"],
    build: |params| Ok(AnyIndicator::Roc(Roc::new(period(params[0]))?)),
};

/// Pairs each value with the one n values before.
#[derive(Debug, Clone)]
struct Lagged {
    /// The last n values.
    values: Box<[f64]>,
    /// Where the next value goes; beyond [`FIRST_TURN`] until there are n, so that one comparison tells the usual update from
    /// any other.
    next: usize,
}

/// Above any place among values.
const FIRST_TURN: usize = 1 << 31;

impl Lagged {
    fn new(period: u32) -> Self {
        Self { values: vec![0.0; period.max(1) as usize].into_boxed_slice(), next: FIRST_TURN }
    }

    /// The value before, once there is one.
    #[inline]
    fn push(&mut self, value: f64) -> Option<f64> {
        let slot = match self.values.get_mut(self.next) {
            Some(slot) => slot,
            None => {
                seldom();
                if let Some(slot) = self.values.get_mut(self.next & !FIRST_TURN) {
                    *slot = value;
                    self.next += 1;
                    return None;
                }
                self.next = 0;
                self.values.first_mut()?
            }
        };
        self.next += 1;
        Some(std::mem::replace(slot, value))
    }

    /// Answers values with what `answer` makes of each and of the one before; none where there is none before.
    #[inline(always)]
    fn push_many(
        &mut self,
        bars: &impl Bars,
        answers: &mut [f64],
        answer: impl Fn(f64, f64) -> f64,
    ) -> usize {
        if self.missing() > 0 {
            return 0;
        }
        let (values, mut next) = (&mut *self.values, self.next);
        let taken = many::each(bars, answers, |bar| {
            if next >= values.len() {
                seldom();
                next = 0;
            }
            // There is at least one.
            let Some(slot) = values.get_mut(next) else { return [0.0] };
            next += 1;
            let before = std::mem::replace(slot, bar.close);
            [answer(bar.close, before)]
        });
        self.next = next;
        taken
    }

    fn missing(&self) -> usize {
        if self.next < FIRST_TURN { 0 } else { self.values.len() - (self.next - FIRST_TURN) + 1 }
    }

    fn clear(&mut self) {
        self.next = FIRST_TURN;
    }
}

/// Momentum.
#[derive(Debug, Clone)]
pub struct Momentum {
    lagged: Lagged,
}

impl Momentum {
    /// Over `period` values.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 1 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        Ok(Self { lagged: Lagged::new(period) })
    }
}

impl Indicator for Momentum {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.lagged.push(*value).map(|before| Values::one(*value - before))
    }

    #[inline]
    fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
        self.lagged.push_many(bars, answers, |value, before| value - before)
    }

    fn warm_up(&self) -> usize {
        self.lagged.missing()
    }

    fn reset(&mut self) {
        self.lagged.clear();
    }
}

/// Rate of change.
#[derive(Debug, Clone)]
pub struct Roc {
    lagged: Lagged,
}

impl Roc {
    /// Over `period` values.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 1 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        RATE_SPEC.check(&[period.into()])?;
        Ok(Self { lagged: Lagged::new(period) })
    }
}

/// By how many per cent a usable value differs from another.
#[inline]
fn rate(value: f64, before: f64) -> f64 {
    let rate = (value / before - 1.0) * 100.0;
    // By this much any usable value has a rate.
    if before > 1.0 / VALUE_MAX {
        return rate;
    }
    seldom();
    // By nothing, or by next to nothing, it has none.
    if rate.is_finite() { rate } else { 0.0 }
}

impl Indicator for Roc {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.lagged.push(*value).map(|before| Values::one(rate(*value, before)))
    }

    #[inline]
    fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
        self.lagged.push_many(bars, answers, rate)
    }

    fn warm_up(&self) -> usize {
        self.lagged.missing()
    }

    fn reset(&mut self) {
        self.lagged.clear();
    }
}
