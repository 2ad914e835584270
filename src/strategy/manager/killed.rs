//! What a kill takes back of what is held: the venue knows nothing of it, so risk, which takes back what is open, cannot.
//!
//! What waits and only reduces stays, and goes out when it is triggered: at the market, or as a limit order, which rests if
//! it must, as one does that its venue triggers. It leaves a position that nobody else leaves, so risk lets it pass, unless
//! the kill closes that. An iceberg rests without having waited, and ends whichever way it goes.

use crate::domain::order::OrderState;
use crate::domain::{InstrumentId, OrderKind, OrderStatus};
use crate::strategy::context::View;
use crate::strategy::desk::Desk;

impl Desk {
    /// Ends, as if they were cancelled, the orders of these instruments that wait and do not only reduce, and icebergs once
    /// the part that shows is gone, which risk takes back. Whether there are any. A release does not bring them back: what
    /// finds no room in this event ends in the next.
    pub(in crate::strategy) fn end_what_is_held(
        &mut self,
        view: &View,
        is_stopped: impl Fn(InstrumentId) -> bool,
    ) -> bool {
        let Self { state, ending, .. } = self;
        let manager = &state.manager;
        let ends = |o: &&OrderState| {
            let order = &o.order;
            let waits = manager.is_held(order.id) && !order.reduce_only;
            let leaves = manager.triggered.contains(&order.id)
                || (order.reduce_only && order.kind == OrderKind::Market);
            let is_iceberg = manager.slicings.iter().any(|s| s.parent == order.id) && !leaves;
            (waits || is_iceberg) && is_stopped(order.instrument)
        };
        for state in state.orders.iter().filter(ends) {
            if !ending.contains(&state.order.id) {
                ending.push(state.order.id);
            }
        }
        if ending.is_empty() {
            return false;
        }
        self.restless = true;
        self.attend(view);
        true
    }

    /// Goes on with what is to end.
    pub(super) fn go_on_ending(&mut self, view: &View) {
        let mut index = 0;
        while let Some(&id) = self.ending.get(index) {
            let slicing = self.slice_of(id);
            if slicing.is_some_and(|slicing| slicing.child.is_some()) {
                index += 1;
                continue;
            }
            if self.state.manager.is_held(id) || slicing.is_some() {
                if !self.has_room(1) {
                    self.restless = true;
                    return;
                }
                self.release(view, id, OrderStatus::Canceled);
            }
            self.ending.remove(index);
        }
    }
}
