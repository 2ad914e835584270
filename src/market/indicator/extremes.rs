//! The largest and the smallest of the last n values, in constant time on average.
//!
//! A value that is older and not larger than another will never be the largest again, so only a falling sequence is
//! kept: each value enters and leaves it once.

use std::collections::VecDeque;

/// The largest of the last n values.
#[derive(Debug, Clone)]
pub(super) struct Largest {
    /// Falling, each with its number; never longer than n, for which there is room.
    candidates: VecDeque<(u64, f64)>,
    len: u64,
    count: u64,
}

impl Largest {
    /// Of `len` values, at least 1.
    pub(super) fn new(len: u32) -> Self {
        let len = len.max(1);
        Self { candidates: VecDeque::with_capacity(len as usize + 1), len: len.into(), count: 0 }
    }

    /// Takes a value, which is no NaN, and gives the largest of those in the window, full or not.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        while self.candidates.back().is_some_and(|(_, kept)| *kept <= value) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((self.count, value));
        self.count += 1;
        if self.candidates.front().is_some_and(|(number, _)| number + self.len < self.count) {
            self.candidates.pop_front();
        }
        self.candidates.front().map_or(value, |(_, largest)| *largest)
    }

    fn missing(&self) -> usize {
        self.len.saturating_sub(self.count) as usize
    }

    fn clear(&mut self) {
        self.candidates.clear();
        self.count = 0;
    }
}

/// The highest high and the lowest low of the last n bars.
#[derive(Debug, Clone)]
pub(super) struct Extremes {
    high: Largest,
    low: Largest,
}

impl Extremes {
    /// Of `len` bars, at least 1.
    pub(super) fn new(len: u32) -> Self {
        Self { high: Largest::new(len), low: Largest::new(len) }
    }

    /// Takes a bar's high and low; gives the highest and the lowest once full.
    #[inline]
    pub(super) fn push(&mut self, high: f64, low: f64) -> Option<(f64, f64)> {
        let extremes = (self.high.push(high), -self.low.push(-low));
        (self.missing() == 0).then_some(extremes)
    }

    /// How many bars it lacks to be full.
    pub(super) fn missing(&self) -> usize {
        self.high.missing()
    }

    pub(super) fn clear(&mut self) {
        self.high.clear();
        self.low.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::walk;
    use super::*;

    #[test]
    fn they_are_those_of_the_window() {
        let values = walk(500);
        for len in [1, 2, 7, 50] {
            let mut extremes = Extremes::new(len);
            let len = len as usize;
            for n in 0..values.len() {
                let got = extremes.push(values[n], values[n] - 1.0);
                let window = &values[(n + 1).saturating_sub(len)..=n];
                let high = window.iter().copied().fold(f64::MIN, f64::max);
                let low = window.iter().copied().fold(f64::MAX, f64::min) - 1.0;
                assert_eq!(got, (n + 1 >= len).then_some((high, low)));
            }
        }
    }
}
