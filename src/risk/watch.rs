//! What the kill switch did, told to whoever keeps it over a restart.
//!
//! The stage writes no file: it hands each change over, without waiting, and another thread writes it down.

use crate::domain::{Kill, Scope, Time};

/// Changes that may wait for the other thread: more than there are switches in any run that is real.
const SLOTS: usize = 4_096;

/// What happened to the kill switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    /// It was thrown.
    Killed(Kill),
    /// It was released.
    Released(Scope),
}

/// The stage's end.
#[derive(Debug)]
pub struct WatchSender(rtrb::Producer<(Switched, Time)>);

/// The other end.
#[derive(Debug)]
pub struct WatchReceiver(rtrb::Consumer<(Switched, Time)>);

/// Both ends.
#[must_use]
pub fn watch() -> (WatchSender, WatchReceiver) {
    let (sender, receiver) = rtrb::RingBuffer::new(SLOTS);
    (WatchSender(sender), WatchReceiver(receiver))
}

impl WatchSender {
    /// Tells what happened at `now`.
    pub(super) fn tell(&mut self, switched: Switched, now: Time) {
        // Nobody reads any more, or far too slowly: what is stopped stays stopped in this run all the same.
        let _ = self.0.push((switched, now));
    }
}

impl WatchReceiver {
    /// The next change, and when it was.
    pub fn next_change(&mut self) -> Option<(Switched, Time)> {
        self.0.pop().ok()
    }
}
