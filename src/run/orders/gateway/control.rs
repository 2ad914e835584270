//! What the run asks of the sending thread, and what it sees of it.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// What the run asks of the thread, and what it sees of it.
#[derive(Debug, Default)]
pub struct OrdersControl {
    pub(super) stage: AtomicU8,
    pub(super) trading: AtomicBool,
    /// How orders of an earlier run stand is known.
    pub(super) settled: AtomicBool,
    pub(super) over: AtomicBool,
}

pub(super) const RUNNING: u8 = 0;
const FINISH_KEEP: u8 = 1;
pub(super) const FINISH_CANCEL: u8 = 2;

impl OrdersControl {
    /// Asks for the end: what is under way is waited for, open orders are cancelled first where `cancel` says so.
    pub fn finish(&self, cancel: bool) {
        self.stage.store(if cancel { FINISH_CANCEL } else { FINISH_KEEP }, Ordering::Release);
    }

    /// Whether the venue takes orders.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.trading.load(Ordering::Acquire)
    }

    /// Whether orders are taken, and how those of an earlier run stand is known.
    #[must_use]
    pub fn is_trading(&self) -> bool {
        self.trading.load(Ordering::Acquire) && self.settled.load(Ordering::Acquire)
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
