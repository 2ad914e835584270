//! What a stage is, and what the stages of one thread share.

use crate::domain::{InstrumentId, Passed, Price, Slot, Stretch, Time};

/// What the stages of one thread share: kept once, from the same slots, and lent to each of them.
///
/// It is handed a slot before any stage is. Stages on other threads have one of their own, which says the same, since
/// it was made from the same slots: so nothing here may depend on who shares it.
pub trait Shared: Send + 'static {
    /// The name in latency tables, before the name of the stage it is kept for.
    fn name(&self) -> &'static str;

    /// Whether it is of use to any stage of its thread: where it is not, it is handed nothing.
    fn is_used(&self) -> bool;

    /// Takes one slot.
    fn on_slot(&mut self, slot: &Slot);

    /// The middle of an instrument's book, where one is kept, in step with the venue and two-sided.
    fn middle(&self, _instrument: InstrumentId) -> Option<Price> {
        None
    }
}

/// Stages that share nothing.
impl Shared for () {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn is_used(&self) -> bool {
        false
    }

    fn on_slot(&mut self, _slot: &Slot) {}
}

/// Events of a simulated market that only say where a price has got to within a bar: a stretch of its path.
///
/// Where every stage is sure that nothing would come of them, they are passed over: nothing is published, and each stage
/// is told where the stretch ended. Events are counted as if they had been there, so a run that passes them over and one
/// that does not are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lull {
    /// Of what.
    pub instrument: InstrumentId,
    /// Whether the first of them is where a bar opens, which strategies may be told.
    pub opens: bool,
    /// When the last of them is.
    pub ends: Time,
    /// Whether the bar closes with them, and more bars may: a [`Stretch`].
    pub closes: bool,
}

/// One step of the way from an event to an order. Sees every slot in ring order, keeps its own state, reads no clock,
/// no socket, no random source, and shares nothing with another thread.
pub trait Stage<S: Shared = ()>: Send {
    /// The name in topologies, latency tables and messages.
    fn name(&self) -> &'static str;

    /// Whether [`Kind::Levels`](crate::domain::event::Kind::Levels) slots are of any use to it; others are spared them.
    fn wants_levels(&self) -> bool {
        false
    }

    /// Handles one slot. `seq` counts from 1 in a run; `shared` has seen the slot already.
    fn on_slot(&mut self, seq: u64, slot: &Slot, shared: &S);

    /// How many events it can handle before an outgoing lane might be full.
    fn room(&self) -> u64 {
        u64::MAX
    }

    /// Whether [`on_event_end`](Self::on_event_end) does anything; where not, it is not called.
    fn ends_events(&self) -> bool {
        true
    }

    /// Called when an event has ended here, before the stages after this one see its last slot: a journal writes here.
    /// False if the run cannot go on; the stages after this one then do not act on the event.
    fn on_event_end(&mut self) -> bool {
        true
    }

    /// Whether nothing at all would come of the events of this lull.
    fn is_calm(&self, _lull: &Lull) -> bool {
        false
    }

    /// Goes on as if the events of this lull had been, the last of them at `price` and with the number `seq`. Called only
    /// where every stage is calm.
    fn pass_over(&mut self, _seq: u64, _price: Price, _lull: &Lull) {}

    /// Leaves of a stretch, whose first bar is calm, the bars of which nothing at all would come; stages that come after are
    /// asked by what is left.
    fn shorten(&mut self, _stretch: &mut Stretch<'_>) {}

    /// Goes on as if the bars of this stretch had been. Called only where every stage has shortened it to its like.
    fn pass_over_bars(&mut self, _passed: Passed, _stretch: &Stretch<'_>) {}

    /// When it has asked to be woken, if it has: a run of trades ends before.
    fn wakes_at(&self) -> Time {
        Time(u64::MAX)
    }

    /// Whether trades of this instrument may be passed over in runs, as long as nothing comes from the stages before it.
    fn is_calm_in_trades(&self, _instrument: InstrumentId) -> bool {
        false
    }

    /// Whether something may have come from the stages before it that it has not taken yet.
    fn is_told(&self) -> bool {
        true
    }

    /// Goes on as if it had been handed these trades, events of one slot each of which the last has the number `seq`. Called
    /// only where it is [calm in them](Self::is_calm_in_trades) and was told nothing.
    fn pass_over_trades(&mut self, _seq: u64, _trades: &[Slot]) {}

    /// After a panic in it: which part of it that was, where it has parts that others wrote.
    fn at_fault(&self) -> Option<String> {
        None
    }

    /// Called once, after the last slot.
    fn on_finish(&mut self) {}

    /// The stage as what it is, to read its results after the run.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}
