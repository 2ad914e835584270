//! What a thread does while there is nothing to do.

use std::time::Duration;

/// How a polling thread waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Poll again at once: lowest latency, a whole core. Never more spinning threads than cores.
    Spin,
    /// Give the core to whoever is ready, then poll again.
    Yield,
    /// Poll, then yield, then sleep for up to 1 ms: for hosts shared with other work.
    Backoff,
}

impl Wait {
    /// Every way to wait.
    pub const ALL: [Wait; 3] = [Wait::Spin, Wait::Yield, Wait::Backoff];

    /// The name used in configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Wait::Spin => "spin",
            Wait::Yield => "yield",
            Wait::Backoff => "backoff",
        }
    }

    /// The way with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.label() == label)
    }
}

/// The state of one waiting thread.
#[derive(Debug, Clone)]
pub struct Idle {
    wait: Wait,
    crowded: bool,
    empty_polls: u32,
}

impl Idle {
    const SPINS: u32 = 64;
    const YIELDS: u32 = 256;
    const SLEEP_MIN: Duration = Duration::from_micros(20);
    const SLEEP_MAX: Duration = Duration::from_millis(1);

    /// A thread that waits this way.
    #[must_use]
    pub const fn new(wait: Wait) -> Self {
        Self { wait, crowded: false, empty_polls: 0 }
    }

    /// As [`new`](Self::new), on a host with more spinning threads than cores: a spinning thread gives its core up
    /// now and then, or the one it waits for would not run until the kernel's next tick, milliseconds later.
    #[must_use]
    pub const fn crowded(wait: Wait, crowded: bool) -> Self {
        Self { wait, crowded, empty_polls: 0 }
    }

    /// There was work: the next wait starts short again.
    #[inline]
    pub fn reset(&mut self) {
        self.empty_polls = 0;
    }

    /// There was none: wait once.
    #[inline]
    pub fn idle(&mut self) {
        match self.wait {
            Wait::Spin if self.crowded => {
                self.empty_polls = self.empty_polls.wrapping_add(1);
                if self.empty_polls.is_multiple_of(Self::SPINS) {
                    std::thread::yield_now();
                } else {
                    std::hint::spin_loop();
                }
            }
            Wait::Spin => std::hint::spin_loop(),
            Wait::Yield => std::thread::yield_now(),
            Wait::Backoff => {
                self.empty_polls = self.empty_polls.saturating_add(1);
                if self.empty_polls < Self::SPINS {
                    std::hint::spin_loop();
                } else if self.empty_polls < Self::YIELDS {
                    std::thread::yield_now();
                } else {
                    let doublings = ((self.empty_polls - Self::YIELDS) / 16).min(6);
                    std::thread::sleep((Self::SLEEP_MIN * (1 << doublings)).min(Self::SLEEP_MAX));
                }
            }
        }
    }
}
