//! What a stage is.

use crate::domain::Slot;

/// One step of the way from an event to an order. Sees every slot in ring order, keeps its own state, reads no clock,
/// no socket, no random source, and shares nothing.
pub trait Stage: Send {
    /// The name in topologies, latency tables and messages.
    fn name(&self) -> &'static str;

    /// Whether [`Kind::Levels`](crate::domain::event::Kind::Levels) slots are of any use to it; others are spared them.
    fn wants_levels(&self) -> bool {
        false
    }

    /// Handles one slot. `seq` counts from 1 in a run.
    fn on_slot(&mut self, seq: u64, slot: &Slot);

    /// How many events it can handle before an outgoing lane might be full.
    fn room(&self) -> u64 {
        u64::MAX
    }

    /// Called when an event has ended here, before the stages after this one see its last slot: a journal writes here.
    /// False if the run cannot go on; the stages after this one then do not act on the event.
    fn on_event_end(&mut self) -> bool {
        true
    }

    /// Called once, after the last slot.
    fn on_finish(&mut self) {}

    /// The stage as what it is, to read its results after the run.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}
