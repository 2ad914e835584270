//! What the run asks of the sending thread, and what it sees of it.

use crate::domain::InstrumentId;
use crate::venue::binance::client::Paused;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the run asks of the thread, and what it sees of it.
#[derive(Debug, Default)]
pub struct OrdersControl {
    pub(super) stage: AtomicU8,
    pub(super) trading: AtomicBool,
    /// Why no orders are taken, while none are: a place in [`PAUSES`]. Set before `trading` is.
    pub(super) paused: AtomicU8,
    /// How the key stands: a place in [`KeyState::ALL`].
    pub(super) key: AtomicU8,
    /// How orders of an earlier run stand is known.
    pub(super) settled: AtomicBool,
    pub(super) over: AtomicBool,
    /// Instruments that were not added yet.
    standby: Mutex<Vec<InstrumentId>>,
    /// It ended by a panic.
    died: AtomicBool,
}

/// Held by the thread that sends orders: notes that it ended by a panic, if it does, so that nobody waits for it.
#[derive(Debug)]
pub(in crate::run) struct NotesDeath(Arc<OrdersControl>);

impl Drop for NotesDeath {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.note_pause(Paused::Stopped);
            self.0.died.store(true, Ordering::Release);
            self.0.over.store(true, Ordering::Release);
        }
    }
}

pub(super) const RUNNING: u8 = 0;
const FINISH_KEEP: u8 = 1;
pub(super) const FINISH_CANCEL: u8 = 2;

const PAUSES: [Paused; 7] = [
    Paused::Starting,
    Paused::Clock,
    Paused::Key,
    Paused::Limits,
    Paused::NoConnection,
    Paused::Stopped,
    Paused::NoSession,
];

/// Whether the venue takes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It does, as far as is known.
    Taken,
    /// It does not now: it is asked now and then whether it does again.
    Refused,
    /// It does not, and nothing that this run could see would change that.
    Useless,
}

impl KeyState {
    const ALL: [Self; 3] = [Self::Taken, Self::Refused, Self::Useless];

    /// What is wrong with it, and what ends that; none where nothing is.
    #[must_use]
    pub const fn problem(self) -> Option<&'static str> {
        match self {
            Self::Taken => None,
            Self::Refused => Some(
                "the venue refuses the key (-2015): look at its list of addresses and its rights there; it is asked about \
                 now and then, and orders go on once it is taken again",
            ),
            Self::Useless => {
                Some("the key cannot be used: the log says why; mend that, and start the run again")
            }
        }
    }
}

impl OrdersControl {
    /// Notes why no orders are taken.
    pub(super) fn note_pause(&self, why: Paused) {
        let at = PAUSES.iter().position(|known| *known == why).unwrap_or(0);
        self.paused.store(u8::try_from(at).unwrap_or(0), Ordering::Release);
        self.trading.store(false, Ordering::Release);
    }

    /// Notes how the key stands.
    pub(super) fn note_key(&self, state: KeyState) {
        let at = KeyState::ALL.iter().position(|known| *known == state).unwrap_or(0);
        self.key.store(u8::try_from(at).unwrap_or(0), Ordering::Release);
    }

    /// Notes which instruments stand by.
    pub(in crate::run) fn note_standby(&self, standby: &[InstrumentId]) {
        standby.clone_into(&mut self.standby.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes that one of them was added.
    pub(super) fn note_added(&self, instrument: InstrumentId) {
        self.standby.lock().unwrap_or_else(PoisonError::into_inner).retain(|of| *of != instrument);
    }

    /// Whether an instrument stands by: it was not added yet.
    #[must_use]
    pub fn stands_by(&self, instrument: InstrumentId) -> bool {
        self.standby.lock().unwrap_or_else(PoisonError::into_inner).contains(&instrument)
    }

    /// How the key stands.
    #[must_use]
    pub fn key(&self) -> KeyState {
        let at = usize::from(self.key.load(Ordering::Acquire));
        KeyState::ALL.get(at).copied().unwrap_or(KeyState::Taken)
    }

    /// Why the venue takes no orders; none while it takes them.
    #[must_use]
    pub fn pause(&self) -> Option<Paused> {
        if self.is_open() {
            return None;
        }
        PAUSES.get(usize::from(self.paused.load(Ordering::Acquire))).copied()
    }

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

    /// What the thread that sends orders is to hold.
    pub(in crate::run) fn notes_death(self: &Arc<Self>) -> NotesDeath {
        NotesDeath(Arc::clone(self))
    }

    /// Whether the thread ended by a panic: orders go nowhere any more.
    #[must_use]
    pub fn has_died(&self) -> bool {
        self.died.load(Ordering::Acquire)
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
