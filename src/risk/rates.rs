//! How often something was sent: within the last second, the last minute, and since the day began.
//!
//! A window is counted in slices, and the slice that it begins in is counted whole: what is said is never less than what
//! was sent, and at most a thirty-first of the window too much.

use super::carried::CarriedTrack;
use crate::domain::Time;

/// How many, of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pulse {
    /// In the last second.
    pub second: u32,
    /// In the last minute.
    pub minute: u32,
    /// Since the day began.
    pub day: u32,
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Orders.
    pub orders: Pulse,
    /// Cancels.
    pub cancels: Pulse,
}

impl Counted {
    /// The same with so many orders more, as if sent just now.
    #[inline]
    #[must_use]
    pub(super) fn and_orders(mut self, more: u32) -> Self {
        let Pulse { second, minute, day } = &mut self.orders;
        for count in [second, minute, day] {
            *count = count.saturating_add(more);
        }
        self
    }

    /// Orders and cancels together.
    #[inline]
    #[must_use]
    pub fn messages(&self) -> Pulse {
        let (a, b) = (self.orders, self.cancels);
        Pulse {
            second: a.second.saturating_add(b.second),
            minute: a.minute.saturating_add(b.minute),
            day: a.day.saturating_add(b.day),
        }
    }
}

/// Slices that are kept: those of the window, and the one it begins in.
const SLICES: usize = 32;

/// A count within a window of `SLICE_NS` × 31.
#[derive(Debug, Clone, Copy)]
struct Window<const SLICE_NS: u64> {
    slices: [u32; SLICES],
    slice: u64,
    sum: u32,
}

impl<const SLICE_NS: u64> Window<SLICE_NS> {
    const EMPTY: Self = Self { slices: [0; SLICES], slice: 0, sum: 0 };

    #[inline]
    fn count(&mut self, now: Time) -> u32 {
        let slice = now.0 / SLICE_NS;
        if slice > self.slice {
            self.roll(slice);
        }
        self.sum
    }

    fn roll(&mut self, slice: u64) {
        let passed = (slice - self.slice).min(SLICES as u64);
        for n in 1..=passed {
            let old = &mut self.slices[((slice - passed + n) % SLICES as u64) as usize];
            self.sum -= *old;
            *old = 0;
        }
        self.slice = slice;
    }

    #[inline]
    fn add(&mut self, now: Time) {
        self.count(now);
        let slice = &mut self.slices[(self.slice % SLICES as u64) as usize];
        if let (Some(more), Some(sum)) = (slice.checked_add(1), self.sum.checked_add(1)) {
            (*slice, self.sum) = (more, sum);
        }
    }
}

/// The smallest slices of which 31 are no less than the window.
const fn slice_ns(window_ns: u64) -> u64 {
    window_ns.div_ceil(SLICES as u64 - 1)
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    second: Window<{ slice_ns(1_000_000_000) }>,
    minute: Window<{ slice_ns(60_000_000_000) }>,
    day: u32,
}

impl Counter {
    const EMPTY: Self = Self { second: Window::EMPTY, minute: Window::EMPTY, day: 0 };

    #[inline]
    fn pulse(&mut self, now: Time) -> Pulse {
        Pulse { second: self.second.count(now), minute: self.minute.count(now), day: self.day }
    }

    #[inline]
    fn add(&mut self, now: Time) {
        self.second.add(now);
        self.minute.add(now);
        self.day = self.day.saturating_add(1);
    }
}

/// What somebody sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    orders: Counter,
    cancels: Counter,
}

impl Sent {
    /// Nothing yet.
    pub const NOTHING: Self = Self { orders: Counter::EMPTY, cancels: Counter::EMPTY };

    #[inline]
    pub fn counted(&mut self, now: Time) -> Counted {
        Counted { orders: self.orders.pulse(now), cancels: self.cancels.pulse(now) }
    }

    #[inline]
    pub fn order(&mut self, now: Time) {
        self.orders.add(now);
    }

    #[inline]
    pub fn cancel(&mut self, now: Time) {
        self.cancels.add(now);
    }

    /// Goes on from what was sent before this run, in the same day.
    pub fn carry(&mut self, track: &CarriedTrack) {
        (self.orders.day, self.cancels.day) = (track.orders, track.cancels);
    }

    /// A new day begins.
    pub fn new_day(&mut self) {
        self.orders.day = 0;
        self.cancels.day = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_never_counts_less_than_there_was_and_soon_forgets() {
        let mut random = 7u64;
        let mut sent = Sent::NOTHING;
        let mut all: Vec<u64> = Vec::new();
        let mut now = 1_723_161_253_000_000_000;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            now += match random >> 33 & 7 {
                0 => 700_000_000,
                1 => 3_000_000_000,
                n => n * 1_000_000,
            };
            let counted = sent.counted(Time(now)).orders;
            for (window, said) in [(1_000_000_000, counted.second), (60_000_000_000, counted.minute)] {
                let within = |w: u64| all.iter().filter(|at| now - **at < w).count() as u32;
                assert!(said >= within(window), "{said} in {window} ns at {now}");
                assert!(said <= within(window + window / 31 + 40), "{said} in {window} ns at {now}");
            }
            sent.order(Time(now));
            all.push(now);
            all.retain(|at| now - at < 70_000_000_000);
        }
        assert_eq!(sent.counted(Time(now)).orders.day, 20_000);
        sent.new_day();
        assert_eq!(sent.counted(Time(now)).orders.day, 0);
        assert_eq!(sent.counted(Time(now + 62_000_000_000)).orders, Pulse::default());
    }

    #[test]
    fn cancels_are_counted_apart_and_messages_are_both() {
        let mut sent = Sent::NOTHING;
        let now = Time(5_000_000_000);
        sent.order(now);
        sent.cancel(now);
        sent.cancel(now);
        let counted = sent.counted(now);
        assert_eq!((counted.orders.second, counted.cancels.second), (1, 2));
        assert_eq!(counted.messages(), Pulse { second: 3, minute: 3, day: 3 });
    }
}
