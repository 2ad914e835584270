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

impl Pulse {
    const NONE: Self = Self { second: 0, minute: 0, day: 0 };
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

/// The smallest slices of which 31 are no less than the window; of the second and of the minute, ns.
const SLICE_NS: [u64; 2] = [slice_ns(1_000_000_000), slice_ns(60_000_000_000)];

const fn slice_ns(window_ns: u64) -> u64 {
    window_ns.div_ceil(SLICES as u64 - 1)
}

/// What a slice counts.
#[derive(Debug, Clone, Copy)]
struct Slice {
    orders: u32,
    cancels: u32,
}

impl Slice {
    const EMPTY: Self = Self { orders: 0, cancels: 0 };
}

/// What somebody sent.
///
/// What every order reads and changes comes first and fits a cache line; slices, which all kinds share, are touched where
/// something is added alone.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Sent {
    /// The first moment at which a slice is over.
    rolls_at: Time,
    counted: Counted,
    /// Numbers of the last slices.
    last: [u64; 2],
    slices: [[Slice; SLICES]; 2],
}

impl Sent {
    /// Nothing yet.
    pub const NOTHING: Self = Self {
        rolls_at: Time(0),
        counted: Counted { orders: Pulse::NONE, cancels: Pulse::NONE },
        last: [0; 2],
        slices: [[Slice::EMPTY; SLICES]; 2],
    };

    #[inline]
    pub fn counted(&mut self, now: Time) -> Counted {
        if now >= self.rolls_at {
            self.roll(now);
        }
        self.counted
    }

    #[inline]
    pub fn order(&mut self, now: Time) {
        self.counted(now);
        let sent = &mut self.counted.orders;
        add(&mut self.slices[0][place(self.last[0])].orders, &mut sent.second);
        add(&mut self.slices[1][place(self.last[1])].orders, &mut sent.minute);
        sent.day = sent.day.saturating_add(1);
    }

    #[inline]
    pub fn cancel(&mut self, now: Time) {
        self.counted(now);
        let sent = &mut self.counted.cancels;
        add(&mut self.slices[0][place(self.last[0])].cancels, &mut sent.second);
        add(&mut self.slices[1][place(self.last[1])].cancels, &mut sent.minute);
        sent.day = sent.day.saturating_add(1);
    }

    /// Forgets what is older than the windows.
    #[inline(never)]
    fn roll(&mut self, now: Time) {
        let Counted { orders, cancels } = &mut self.counted;
        let sums = [(&mut orders.second, &mut cancels.second), (&mut orders.minute, &mut cancels.minute)];
        let windows = self.slices.iter_mut().zip(&mut self.last).zip(SLICE_NS).zip(sums);
        self.rolls_at = Time(u64::MAX);
        for (((slices, last), slice_ns), (orders, cancels)) in windows {
            let slice = now.0 / slice_ns;
            let passed = slice.saturating_sub(*last).min(SLICES as u64);
            if passed == SLICES as u64 {
                (*slices, *orders, *cancels) = ([Slice::EMPTY; SLICES], 0, 0);
            }
            for n in 1..=passed % SLICES as u64 {
                let old = &mut slices[place(slice - passed + n)];
                *orders -= old.orders;
                *cancels -= old.cancels;
                *old = Slice::EMPTY;
            }
            *last = slice.max(*last);
            let over = (*last).saturating_add(1).saturating_mul(slice_ns);
            self.rolls_at = self.rolls_at.min(Time(over));
        }
    }

    /// Goes on from what was sent before this run, in the same day.
    pub fn carry(&mut self, track: &CarriedTrack) {
        (self.counted.orders.day, self.counted.cancels.day) = (track.orders, track.cancels);
    }

    /// A new day begins.
    pub fn new_day(&mut self) {
        (self.counted.orders.day, self.counted.cancels.day) = (0, 0);
    }
}

#[inline]
fn place(slice: u64) -> usize {
    (slice % SLICES as u64) as usize
}

/// One more in a slice and in the sum of slices, as long as both can be told.
#[inline]
fn add(slice: &mut u32, sum: &mut u32) {
    if let (Some(more), Some(all)) = (slice.checked_add(1), sum.checked_add(1)) {
        (*slice, *sum) = (more, all);
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
