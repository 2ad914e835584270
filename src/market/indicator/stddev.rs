//! Standard deviation of the last n values.
//!
//! TA-Lib's STDDEV: the population's (divided by n, not n − 1). What is said of rounding in [`super::bollinger`], which
//! is made of it, holds here.

use super::many::from_the_end;
use super::registry::{IndicatorSpec, PERIOD_MAX, Param, ParamError, period};
use super::window::Ring;
use super::{AnyIndicator, Bars, Indicator, Usable, Values};

/// Its line of the registry.
pub const SPEC: IndicatorSpec = IndicatorSpec {
    name: "stddev",
    doc: "population standard deviation of the last `period` values",
    params: &[Param::whole("period", "values in the window", 20, 2, PERIOD_MAX)],
    outputs: &["stddev"],
    build: |params| Ok(AnyIndicator::Stddev(Stddev::new(period(params[0]))?)),
};

/// Standard deviation.
#[derive(Debug, Clone)]
pub struct Stddev {
    /// The sums of differences to the base and of their squares, from a place to its turn's end.
    ring: Ring<[f64; 2]>,
    /// 1 / n.
    share: f64,
    base: f64,
    /// Of this turn.
    sum: f64,
    squares: f64,
}

impl Stddev {
    /// Of the last `period` values.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] unless `period` is 2 to [`PERIOD_MAX`].
    pub fn new(period: u32) -> Result<Self, ParamError> {
        SPEC.check(&[period.into()])?;
        let ring = Ring::new(period, [0.0; 2]);
        Ok(Self { ring, share: 1.0 / f64::from(period), base: 0.0, sum: 0.0, squares: 0.0 })
    }

    /// The mean and the variance, once full; `value` is usable.
    #[inline]
    pub(super) fn next(&mut self, value: f64) -> Option<(f64, f64)> {
        let Some((slot, [sum, squares])) = self.ring.place() else { return self.end_turn(value) };
        slot[0] = value;
        let away = value - self.base;
        self.sum += away;
        self.squares += away * away;
        Some(self.answer(sum + self.sum, squares + self.squares))
    }

    /// Takes the closes of as many bars as there is room for answers, and answers each with what `answer` makes of mean and
    /// variance; none where it is not full. Says how many.
    #[inline(always)]
    pub(super) fn next_many<const N: usize>(
        &mut self,
        bars: &impl Bars,
        answers: &mut [f64],
        answer: impl Fn((f64, f64)) -> [f64; N],
    ) -> usize {
        let (answers, _) = answers.as_chunks_mut::<N>();
        if self.ring.missing() > 0 {
            return 0;
        }
        let mut taken = 0;
        while let Some(left) = answers.get_mut(taken..).filter(|left| !left.is_empty()) {
            let (base, share, mut own_sum, mut own_squares) = (self.base, self.share, self.sum, self.squares);
            let in_turn = self.ring.in_turn(&bars.since(taken), left, |value, slot, [sum, squares]| {
                slot[0] = value;
                let away = value - base;
                own_sum += away;
                own_squares += away * away;
                answer(mean_and_variance(base, share, sum + own_sum, squares + own_squares))
            });
            (self.sum, self.squares) = (own_sum, own_squares);
            taken += in_turn;
            // One that ends a turn.
            let Some(last) = left.get_mut(in_turn) else { break };
            *last = self.next(bars.bar(taken).close).map(&answer).unwrap_or([0.0; N]);
            taken += 1;
        }
        taken
    }

    #[inline]
    fn end_turn(&mut self, base: f64) -> Option<(f64, f64)> {
        let (newest, before) = self.ring.end_turn([base, 0.0])?;
        let (mut sum, mut squares) = (0.0, 0.0);
        *newest = [sum, squares];
        from_the_end(before, |slot| {
            let away = slot[0] - base;
            sum += away;
            squares += away * away;
            *slot = [sum, squares];
        });
        (self.base, self.sum, self.squares) = (base, 0.0, 0.0);
        Some(self.answer(sum, squares))
    }

    #[inline]
    fn answer(&self, sum: f64, squares: f64) -> (f64, f64) {
        mean_and_variance(self.base, self.share, sum, squares)
    }
}

/// Of values whose differences to `base` have this sum and this sum of squares; `share` is 1 / n.
#[inline]
fn mean_and_variance(base: f64, share: f64, sum: f64, squares: f64) -> (f64, f64) {
    let mean = sum * share;
    let variance = squares * share - mean * mean;
    // Below zero only where the squares are too small for an f64 to hold all their digits.
    let variance = if variance > 0.0 { variance } else { 0.0 };
    (base + mean, variance)
}

impl Indicator for Stddev {
    #[inline]
    fn advance(&mut self, value: Usable<f64>) -> Option<Values> {
        self.next(*value).map(|(_, variance)| Values::one(variance.sqrt()))
    }

    #[inline]
    fn advance_many(&mut self, bars: &impl Bars, answers: &mut [f64]) -> usize {
        self.next_many(bars, answers, |(_, variance)| [variance.sqrt()])
    }

    fn warm_up(&self) -> usize {
        self.ring.missing()
    }

    fn reset(&mut self) {
        self.ring.clear();
    }
}
