//! Momentum and rate of change: how far a value is from the one n values before, in itself and in per cent.
//!
//! TA-Lib's MOM, x − xₙ, and ROC, 100 (x / xₙ − 1), 0 where xₙ is 0.

use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::{AnyIndicator, Indicator, VALUE_MAX, Values, seldom, usable};

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
        if self.next >= self.values.len() {
            seldom();
            if let Some(slot) = self.values.get_mut(self.next & !FIRST_TURN) {
                *slot = value;
                self.next += 1;
                return None;
            }
            self.next = 0;
        }
        let slot = self.values.get_mut(self.next)?;
        self.next += 1;
        Some(std::mem::replace(slot, value))
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
    fn update(&mut self, value: f64) -> Option<Values> {
        if !usable(value) {
            return None;
        }
        self.lagged.push(value).map(|before| Values::one(value - before))
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

impl Indicator for Roc {
    #[inline]
    fn update(&mut self, value: f64) -> Option<Values> {
        if !usable(value) {
            return None;
        }
        let before = self.lagged.push(value)?;
        let rate = (value / before - 1.0) * 100.0;
        // By this much any usable value has a rate.
        if before > 1.0 / VALUE_MAX {
            return Some(Values::one(rate));
        }
        seldom();
        // By nothing, or by next to nothing, it has none.
        Some(Values::one(if rate.is_finite() { rate } else { 0.0 }))
    }

    fn warm_up(&self) -> usize {
        self.lagged.missing()
    }

    fn reset(&mut self) {
        self.lagged.clear();
    }
}
