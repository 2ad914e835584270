//! The one flag that ends a run early, and why it was raised.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Why a run ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// The person asked (Ctrl-C, SIGTERM).
    Interrupted,
    /// A stage panicked at the event with this sequence number.
    StagePanicked {
        /// Which stage.
        stage: &'static str,
        /// At which event.
        seq: u64,
        /// Which part of the stage, where it has such: a strategy.
        part: Option<String>,
        /// What the panic said.
        message: String,
    },
    /// A stage sent more messages for one event than its lane was made for.
    LaneOverflow(&'static str),
    /// A stage cannot go on: the journal's disk is full, say.
    StageFailed {
        /// Which stage.
        stage: &'static str,
        /// What went wrong.
        message: String,
    },
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::Interrupted => f.write_str("interrupted"),
            StopReason::StagePanicked { stage, seq, part: None, message } => {
                write!(f, "the {stage} stage panicked at event {seq}: {message}")
            }
            StopReason::StagePanicked { seq, part: Some(part), message, .. } => {
                write!(f, "{part} panicked at event {seq}: {message}")
            }
            StopReason::LaneOverflow(lane) => {
                write!(
                    f,
                    "the lane {lane} overflowed: a stage sent more messages for one event than declared"
                )
            }
            StopReason::StageFailed { stage, message } => write!(f, "the {stage} stage failed: {message}"),
        }
    }
}

/// What a caught panic said.
#[must_use]
pub fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

/// Shared by every thread of a run. The first fault stays; an interruption gives way to it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    raised: AtomicBool,
    failed: AtomicBool,
    reason: Mutex<Option<StopReason>>,
}

impl Stop {
    /// Not raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the run. Takes a lock, which only a run that is over ever does.
    #[cold]
    pub fn stop(&self, reason: StopReason) {
        let is_fault = reason != StopReason::Interrupted;
        if let Ok(mut slot) = self.inner.reason.lock()
            && matches!(*slot, None | Some(StopReason::Interrupted))
        {
            *slot = Some(reason);
        }
        if is_fault {
            self.inner.failed.store(true, Ordering::Release);
        }
        self.inner.raised.store(true, Ordering::Release);
    }

    /// Whether the run is to end.
    #[inline]
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.inner.raised.load(Ordering::Acquire)
    }

    /// Whether it is to end by a fault: then what is in the ring must not be acted on. An interruption is none.
    #[inline]
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.inner.failed.load(Ordering::Acquire)
    }

    /// Why, if it is.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        self.inner.reason.lock().ok().and_then(|r| r.clone())
    }
}
