//! What a desk once sent, taken in as a fact: how a journal's records build a desk again.

use super::Deadline;
use super::held::Trail;
use super::protect::Terms;
use crate::domain::order::OrderState;
use crate::domain::{Order, OrderId, OrderStatus};
use crate::strategy::desk::Desk;
use crate::strategy::intent::{Action, Change};

/// What one event's actions have in common while they are taken in.
#[derive(Debug, Default)]
pub struct Redo {
    /// Whose part, or protection, the next new order is.
    parent: Option<OrderId>,
}

impl Desk {
    /// Takes in what was sent. Nothing is decided, and nothing sent again.
    pub fn redo(&mut self, action: &Action, event: &mut Redo) {
        match *action {
            Action::New(order) => self.redo_new(&order, event.parent.take()),
            Action::Cancel { order, .. } => {
                let of = |s: &&super::Slicing| s.child.is_some_and(|c| c.order.id == order);
                let parent = self.state.manager.slicings.iter().find(of).map(|s| s.parent);
                self.cancel_sent(parent.unwrap_or(order));
            }
            Action::Hold(order) => {
                self.count(order.id);
                self.state.orders.push(OrderState::new(order));
                self.hold(&order);
            }
            Action::Note(note) => self.redo_note(note.order, note.change, event),
        }
    }

    fn redo_note(&mut self, id: OrderId, change: Change, event: &mut Redo) {
        match change {
            Change::Trails(trail) => self.set_trail(id, trail),
            Change::Released(status) => {
                self.end(id, status);
            }
            Change::Due => self.set_due(id),
            Change::Protected { stop, take_profit, trail } => {
                self.put_protection(id, Terms { stop, take_profit, trail });
            }
            Change::Unprotected => self.drop_protection(id),
            Change::Linked(other) => self.state.manager.links.push((id, other)),
            Change::GoodTill(time) => self.state.manager.deadlines.push(Deadline::new(id, time)),
            Change::ChildOf(parent) => event.parent = Some(parent),
        }
    }

    fn redo_new(&mut self, order: &Order, parent: Option<OrderId>) {
        if self.state.manager.is_held(order.id) {
            return self.now_out(order);
        }
        self.count(order.id);
        let Some(parent) = parent else { return self.state.orders.push(OrderState::new(*order)) };
        // The parts of what goes out in parts are its own; an exit, of the other side, is an order that the strategy sees.
        let protects = order.reduce_only && self.protection(parent).is_some();
        let in_parts = self.state.manager.is_held(parent) || self.slice_of(parent).is_some();
        let whole = self.order(parent).filter(|whole| in_parts && whole.side == order.side);
        if let Some(whole) = whole {
            if self.state.manager.is_held(parent) {
                let mut triggered = whole;
                triggered.kind = order.kind;
                triggered.extras.stop_price.0 = 0;
                triggered.extras.trailing_bps = 0;
                self.now_out(&triggered);
                self.slice(&triggered);
            }
            let slicings = self.state.manager.slicings.iter_mut();
            for slicing in slicings.filter(|s| s.parent == parent) {
                slicing.child = Some(OrderState::new(*order));
            }
            return;
        }
        self.state.orders.push(OrderState::new(*order));
        if protects {
            for p in self.state.manager.protections.iter_mut().filter(|p| p.entry == parent) {
                p.exit = Some(order.id);
            }
        }
    }

    fn count(&mut self, id: OrderId) {
        self.state.order_count = self.state.order_count.max(id.0 >> 8);
    }

    pub(in crate::strategy) fn set_trail(&mut self, id: OrderId, trail: Trail) {
        if let Some(held) = self.state.manager.held.iter_mut().find(|h| h.order == id) {
            held.trail = trail;
        }
    }

    /// Ends orders that risk denied, and whose denial is still on its way: after a crash it never comes.
    pub fn end_denied(&mut self, denied: &[OrderId]) {
        for id in denied {
            if self.on_slice_denied(*id).is_none() {
                self.end(*id, OrderStatus::Denied);
            }
        }
    }
}
