//! Average true range, by Wilder's smoothing: how far an instrument moves in a bar.

use crate::market::Bar;

/// The range of one bar, the jump from the last close included.
fn true_range(bar: &Bar, close_before: Option<i64>) -> i64 {
    let (high, low) = (bar.high.0, bar.low.0);
    let range = high.saturating_sub(low);
    match close_before {
        None => range,
        Some(close) => range
            .max(high.saturating_sub(close).saturating_abs())
            .max(low.saturating_sub(close).saturating_abs()),
    }
}

/// See the module. In units of the instrument's price.
#[derive(Debug, Clone)]
pub struct Atr {
    period: u32,
    /// True ranges taken in, up to the period.
    taken: u32,
    sum: f64,
    value: f64,
    close: Option<i64>,
}

impl Atr {
    /// Over so many bars, at least one.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { period: period.max(1), taken: 0, sum: 0.0, value: 0.0, close: None }
    }

    /// Takes a bar in. The first bar has no close before it and gives no range, as in TA-Lib.
    pub fn take(&mut self, bar: &Bar) {
        let Some(close) = self.close.replace(bar.close.0) else { return };
        let range = true_range(bar, Some(close)) as f64;
        let period = f64::from(self.period);
        if self.taken < self.period {
            self.taken += 1;
            self.sum += range;
            self.value = self.sum / period;
        } else {
            self.value = (self.value * (period - 1.0) + range) / period;
        }
    }

    /// Bars until it is known, if none was taken yet.
    #[must_use]
    pub fn warm_up(&self) -> usize {
        self.period as usize + 1
    }

    /// The average; none until as many ranges were taken in as it is over.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.taken == self.period).then_some(self.value)
    }
}
