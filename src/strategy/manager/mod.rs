//! The order manager: what a strategy asked for and its venue does not hold.
//!
//! It is a part of each strategy's [`Desk`](super::desk::Desk), so it stands before risk, sees the events that the
//! strategy sees, and a child it sends is an intent like any other, judged at the event that triggered it.
//!
//! | held | until | then |
//! | --- | --- | --- |
//! | stop, stop-limit, take-profit, take-profit-limit, trailing | a trade at the trigger price or beyond | the order goes out under the number it always had; at the market in parts, where it is more than its venue takes at once |
//! | protection: stop, trailing stop, take-profit around what an entry filled | the touch it would leave at is there | a market order, reduce-only, for what is covered |
//! | two orders that cancel each other, unless their venue takes them as one list | one is triggered, or trades | the other is taken back first, then the one goes out for what is left |
//! | iceberg | the part that shows has filled | the next part |
//! | good till a time | the sequencer's time | the order is taken back |
//!
//! Trigger rules. Orders are triggered by the last trade, as Binance triggers its own, so that native and held orders
//! behave alike; a price that has passed already triggers with the next trade. Protections are triggered by the touch,
//! which is where they leave, and a trailing one trails the last trade. Whatever a gap jumped over is triggered by the
//! first price beyond it, and leaves at that price, not at its own. Where one event triggers a stop and a take-profit,
//! the stop goes first. While the book cannot be trusted what was triggered waits. While its instrument is paused an
//! order that would not reduce is not triggered: once it is let go, the next trade beyond its price does it. What only
//! reduces goes out for what there is to reduce by then and is not on its way out. A stop does not share that with what rests
//! to leave, a target at a price that the market turned away from, linked or not: it is taken back first. A kill ends for good what waits and does
//! not only reduce, refuses what would wait so until it is released, and ends icebergs but those that only reduce and were triggered. What waits on goes out once it is triggered,
//! a limit order too.
//!
//! Invariants: what is covered is what the entry filled and is still open, at all times; at most one of two linked
//! orders is with the venue; nothing here decides by anything but events, so it is the same on any thread, and the
//! journal has what it takes to build it again (`journal/recover.rs`).

mod deadlines;
mod exits;
mod held;
mod iceberg;
mod killed;
mod lists;
mod protect;
mod redo;

use deadlines::Deadline;
pub use held::{Held, Trail};
pub use iceberg::Slicing;
pub use protect::{Protection, Terms};
pub use redo::Redo;

use crate::domain::{Order, OrderId, Time};

/// What was denied or refused is asked for again after this long, ns of the sequencer's time.
const RETRY_NS: u64 = 1_000_000_000;
/// The same where it was denied for being worth too little: that changes no faster than the price.
pub(super) const RETRY_SMALL_NS: u64 = 60_000_000_000;

/// What is held for one strategy.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Manager {
    pub(super) held: Vec<Held>,
    pub(super) protections: Vec<Protection>,
    pub(super) slicings: Vec<Slicing>,
    pub(super) links: Vec<(OrderId, OrderId)>,
    pub(super) deadlines: Vec<Deadline>,
    /// Orders that only reduce, waited for their price, and are limit orders since it came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) triggered: Vec<OrderId>,
}

impl Manager {
    /// Nothing held, with room for `places` of each kind, so that nothing is allocated later.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self {
            held: Vec::with_capacity(places),
            protections: Vec::with_capacity(places),
            slicings: Vec::with_capacity(places),
            links: Vec::with_capacity(places),
            deadlines: Vec::with_capacity(places),
            triggered: Vec::with_capacity(places),
        }
    }

    pub(super) fn reserve(&mut self, places: usize) {
        self.held.reserve(places);
        self.protections.reserve(places);
        self.slicings.reserve(places);
        self.links.reserve(places);
        self.deadlines.reserve(places);
        self.triggered.reserve(places);
    }

    /// Has exits that were not taken asked for anew at once, as a run that goes on does: when they were to be asked for again
    /// is a time of the clock before, which may have been ahead of the one there is now.
    pub(crate) fn ask_again(&mut self) {
        self.protections.iter_mut().for_each(|p| p.retry_at = Time(0));
    }

    /// Orders that wait for their price.
    #[must_use]
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Protections in force.
    #[must_use]
    pub fn protections(&self) -> &[Protection] {
        &self.protections
    }

    /// Icebergs under way.
    #[must_use]
    pub fn slicings(&self) -> &[Slicing] {
        &self.slicings
    }

    /// The order that `order` and it cancel each other with.
    #[must_use]
    pub fn linked(&self, order: OrderId) -> Option<OrderId> {
        self.links.iter().find_map(|&(a, b)| match order {
            o if o == a => Some(b),
            o if o == b => Some(a),
            _ => None,
        })
    }

    /// The order that `order` and it cancel each other with, if that waits for its price.
    #[must_use]
    pub fn waits_beside(&self, order: OrderId) -> Option<OrderId> {
        self.linked(order).filter(|other| self.is_held(*other))
    }

    /// Orders that only reduce, waited for their price, and are limit orders since it came.
    #[must_use]
    pub fn triggered(&self) -> &[OrderId] {
        &self.triggered
    }

    /// Whether an order, or the iceberg that it is a part of, only reduces, waited for its price, and is a limit order since.
    #[must_use]
    pub fn was_triggered(&self, order: OrderId) -> bool {
        let part = |s: &&Slicing| s.child.is_some_and(|child| child.order.id == order);
        let whole = self.slicings.iter().find(part).map_or(order, |s| s.parent);
        self.triggered.contains(&whole)
    }

    /// Whether an order leaves, and is one that a kill leaves in force though it does not wait for its price: it was triggered
    /// to, or is the target of a pair of which the other order waits.
    #[must_use]
    pub fn waits_to_leave(&self, order: &Order) -> bool {
        self.was_triggered(order.id) || (order.reduce_only && self.waits_beside(order.id).is_some())
    }

    pub(super) fn is_held(&self, order: OrderId) -> bool {
        self.held.iter().any(|h| h.order == order)
    }

    /// Forgets everything about an order that ended.
    pub(super) fn forget(&mut self, order: OrderId) {
        self.held.retain(|h| h.order != order);
        self.slicings.retain(|s| s.parent != order);
        self.links.retain(|&(a, b)| a != order && b != order);
        self.deadlines.retain(|d| d.order != order);
        self.triggered.retain(|o| *o != order);
    }
}
