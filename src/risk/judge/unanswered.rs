//! What a kill is to close, where an order that may close it has no answer: nothing more is sent until it has one.
//!
//! Owns: since when each such order is waited for, and how often that is told. It changes nothing that is decided.

use super::Judge;
use crate::domain::order::OrderState;
use crate::domain::{Qty, Time};
use crate::risk::rule::RuleList;
use crate::risk::watch::{Switched, Unclosed};

/// An order that leaves at once is over at once: one without an answer for so long is told, ns of the sequencer's time.
const UNANSWERED_NS: u64 = 2_000_000_000;
/// Looked at, and told, this often, ns: who is told takes it for over three seconds after the last time.
const LOOK_EVERY_NS: u64 = 1_000_000_000;

impl<R: RuleList> Judge<R> {
    /// Tells, if it is time to, what a kill is to close and waits for the answer of an order of before.
    #[inline]
    pub(super) fn tell_unanswered_if_due(&mut self) {
        if self.watch.is_some() && self.switches.any() && self.now >= self.unanswered_at {
            self.unanswered_at = self.now.plus_nanos(LOOK_EVERY_NS);
            self.tell_unanswered();
        }
    }

    #[cold]
    fn tell_unanswered(&mut self) {
        for at in 0..self.live.len() {
            let OrderState { order, filled, .. } = self.live.at(at).state;
            let leaves = order.leaves_at_once(self.facts[order.instrument.index()].of_bars);
            let held = self.exposure.held(order.strategy, order.instrument) != Qty::ZERO;
            // What trades has its answer.
            let waits = leaves && held && filled == Qty::ZERO;
            if !waits || !self.switches.closes(order.strategy, order.instrument) {
                continue;
            }
            let since: Time = *self.live.at_mut(at).awaited_since.get_or_insert(self.now);
            if self.now.since(since) >= UNANSWERED_NS {
                self.tell(Switched::NotClosed(order.instrument, Unclosed::Unanswered));
            }
        }
    }
}
