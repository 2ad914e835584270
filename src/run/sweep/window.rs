//! Stretches of time: what a run covers, and how a walk-forward divides it.

use super::SpaceError;
use crate::domain::Time;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// From a moment until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first moment in it.
    pub from: Time,
    /// The first moment after it.
    pub until: Time,
}

impl Span {
    /// Its length, ns.
    #[must_use]
    pub fn nanos(self) -> u64 {
        self.until.since(self.from)
    }
}

/// One step of a walk-forward: fitted on the first span, judged on the second, which begins where the first ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What is fitted on.
    pub train: Span,
    /// What is judged on.
    pub test: Span,
}

/// How a walk-forward goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkForward {
    /// How long the first training stretch is, and every one that rolls.
    pub train: Duration,
    /// How long a testing stretch is; each begins where the one before ends.
    pub test: Duration,
    /// Whether every training stretch begins at the beginning, growing, or moves along.
    pub anchored: bool,
}

impl WalkForward {
    /// The windows that fit into `whole`, one testing stretch after another; what is left at the end is not tested.
    ///
    /// # Errors
    /// [`SpaceError::NoWindow`] if not even one fits, or a stretch is empty.
    pub fn windows(&self, whole: Span) -> Result<Vec<Window>, SpaceError> {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let (train, test) = (nanos(self.train), nanos(self.test));
        let mut windows = Vec::new();
        let mut begin = whole.from.0.saturating_add(train);
        while train > 0 && test > 0 && begin.checked_add(test).is_some_and(|end| end <= whole.until.0) {
            let from = if self.anchored { whole.from.0 } else { begin - train };
            windows.push(Window {
                train: Span { from: Time(from), until: Time(begin) },
                test: Span { from: Time(begin), until: Time(begin + test) },
            });
            begin += test;
        }
        if windows.is_empty() {
            let days = |nanos: u64| format!("{:.2} days", nanos as f64 / 86_400e9);
            let needed = days(train.saturating_add(test));
            return Err(SpaceError::NoWindow { span: days(whole.nanos()), needed });
        }
        Ok(windows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(anchored: bool, until: u64) -> Result<Vec<(u64, u64, u64, u64)>, SpaceError> {
        let walk = WalkForward { train: Duration::from_nanos(30), test: Duration::from_nanos(10), anchored };
        let whole = Span { from: Time(100), until: Time(until) };
        let plain = |w: Window| (w.train.from.0, w.train.until.0, w.test.from.0, w.test.until.0);
        Ok(walk.windows(whole)?.into_iter().map(plain).collect())
    }

    #[test]
    fn tests_follow_each_other_and_never_see_what_they_were_fitted_on() {
        let rolling = [(100, 130, 130, 140), (110, 140, 140, 150), (120, 150, 150, 160)];
        assert_eq!(windows(false, 165).expect("three fit"), rolling);
        let anchored = rolling.map(|(_, train_until, from, until)| (100, train_until, from, until));
        assert_eq!(windows(true, 165).expect("three fit"), anchored);
        assert_eq!(windows(true, 140).expect("one fits").len(), 1);
    }

    #[test]
    fn too_short_a_span_is_told() {
        assert!(matches!(windows(false, 139), Err(SpaceError::NoWindow { .. })));
        let empty = WalkForward { train: Duration::ZERO, test: Duration::from_nanos(1), anchored: false };
        assert!(empty.windows(Span { from: Time(0), until: Time(99) }).is_err());
    }
}
