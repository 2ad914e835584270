//! How many unfilled orders an account has placed: the venue's second limit, beside request weight.
//!
//! Owns: the counts of an account, over windows aligned to the clock. Time is given.

/// A window of the count: the interval's name, how many of it, its length, and what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub interval: &'static str,
    pub number: u32,
    /// As in `X-MBX-ORDER-COUNT-10S`.
    pub header: &'static str,
    length_ms: u64,
    pub limit: u32,
    index: u64,
    pub count: u32,
}

impl Window {
    fn new(interval: &'static str, number: u32, header: &'static str, length_ms: u64, limit: u32) -> Self {
        Self { interval, number, header, length_ms, limit, index: 0, count: 0 }
    }
}

/// The counts of one account.
#[derive(Debug, Clone)]
pub(crate) struct OrderCounts([Window; 2]);

impl OrderCounts {
    pub fn new(per_10_s: u32, per_day: u32) -> Self {
        Self([
            Window::new("SECOND", 10, "X-MBX-ORDER-COUNT-10S", 10_000, per_10_s),
            Window::new("DAY", 1, "X-MBX-ORDER-COUNT-1D", 86_400_000, per_day),
        ])
    }

    /// The windows at this time.
    pub fn at(&mut self, now_ms: u64) -> &[Window; 2] {
        for window in &mut self.0 {
            let index = now_ms / window.length_ms;
            if window.index != index {
                (window.index, window.count) = (index, 0);
            }
        }
        &self.0
    }

    /// The window that has no room for `orders` more, and when it ends, ms.
    pub fn exceeded(&mut self, now_ms: u64, orders: u32) -> Option<(Window, u64)> {
        let full = |window: &&Window| window.count.saturating_add(orders) > window.limit;
        let window = *self.at(now_ms).iter().find(full)?;
        Some((window, (window.index + 1) * window.length_ms))
    }

    pub fn add(&mut self, now_ms: u64, orders: u32) {
        self.at(now_ms);
        // The second's count stands still while the day's is exceeded.
        let day_is_full = self.0[1].count >= self.0[1].limit;
        for (at, window) in self.0.iter_mut().enumerate() {
            if at == 1 || !day_is_full {
                window.count = window.count.saturating_add(orders);
            }
        }
    }

    /// An order's first fill gives some of the count back.
    pub fn give_back(&mut self, now_ms: u64, orders: u32) {
        self.at(now_ms);
        for window in &mut self.0 {
            window.count = window.count.saturating_sub(orders);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fill_their_windows_and_fills_give_back() {
        let mut counts = OrderCounts::new(3, 5);
        assert!(counts.exceeded(1_000, 3).is_none());
        counts.add(1_000, 3);
        let (window, ends) = counts.exceeded(9_999, 1).expect("full");
        assert_eq!((window.interval, window.limit, ends), ("SECOND", 3, 10_000));
        counts.give_back(9_999, 1);
        assert!(counts.exceeded(9_999, 1).is_none() && counts.exceeded(9_999, 2).is_some());
        counts.give_back(9_999, 9);
        assert_eq!(counts.at(9_999)[0].count, 0);
        counts.add(10_000, 3);
        counts.add(20_000, 2);
        assert_eq!(counts.exceeded(30_000, 1).map(|(window, _)| window.interval), Some("DAY"));
    }
}
