//! Orders that are over, of which a trade may be told yet: one that the venue was thought never to have had, or whose end
//! was told before the last of what it traded.
//!
//! Owns: what is needed to tell the strategy of such a trade, to protect it as the order's fills were to be, and to take it off
//! what was to cancel the order. It is a part
//! of the desk's state, so a run that goes on after a crash knows it too. Invariant: in bounded room, the oldest is forgotten
//! first; what was protected does not make way for what was not.

use crate::domain::order::OrderState;
use crate::domain::{OrderId, OrderStatus};
use crate::strategy::manager::Terms;
use serde::{Deserialize, Serialize};

/// How many are remembered, of those whose fills were protected and of the others.
const PLACES: usize = 32;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ended {
    protected: Ring,
    others: Ring,
}

/// One that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::strategy) struct EndedOrder {
    /// The number that the venue knows it by: of an iceberg that of its last part.
    known_as: OrderId,
    /// As the strategy asked for it.
    pub state: OrderState,
    /// How what it fills is protected, if it is.
    pub terms: Option<Terms>,
    /// The order that was to cancel it, and to be cancelled by it, if one was: what it fills that one is to fill no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<OrderId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Ring {
    orders: Vec<EndedOrder>,
    next: usize,
}

impl Ring {
    fn push(&mut self, order: EndedOrder) {
        if self.orders.len() < PLACES {
            self.orders.push(order);
        } else {
            self.orders[self.next] = order;
        }
        self.next = (self.next + 1) % PLACES;
    }
}

impl Ended {
    /// None, with room for all that are remembered.
    pub fn new() -> Self {
        let mut ended = Self::default();
        ended.reserve();
        ended
    }

    /// Takes the room that it needs, once.
    pub fn reserve(&mut self) {
        for ring in [&mut self.protected, &mut self.others] {
            ring.orders.reserve(PLACES.saturating_sub(ring.orders.len()));
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.protected.orders.is_empty() && self.others.orders.is_empty()
    }

    /// An order that was with the venue ended, unless it traded whole: then no more can come.
    pub(super) fn note(&mut self, state: OrderState, terms: Option<Terms>, linked: Option<OrderId>) {
        if state.leaves().0 <= 0 || state.status == OrderStatus::Denied {
            return;
        }
        let ring = if terms.is_some() { &mut self.protected } else { &mut self.others };
        ring.push(EndedOrder { known_as: state.order.id, state, terms, linked });
    }

    /// Each as the venue knows it: of an iceberg under the number of its last part.
    pub fn as_known(&self) -> impl Iterator<Item = OrderState> + '_ {
        self.protected.orders.iter().chain(&self.others.orders).map(|ended| {
            let mut state = ended.state;
            state.order.id = ended.known_as;
            state
        })
    }

    fn all(&mut self) -> impl Iterator<Item = &mut EndedOrder> {
        self.protected.orders.iter_mut().chain(&mut self.others.orders)
    }

    /// The order that the venue knows by this number.
    pub(super) fn find(&mut self, known_as: OrderId) -> Option<&mut EndedOrder> {
        self.all().find(|ended| ended.known_as == known_as)
    }

    /// The venue knows it by the number of this part.
    pub(in crate::strategy) fn is_known_as(&mut self, order: OrderId, part: OrderId) {
        self.all().filter(|ended| ended.state.order.id == order).for_each(|ended| ended.known_as = part);
    }

    /// What it fills is protected otherwise from now on, or not at all.
    pub(in crate::strategy) fn protect(&mut self, order: OrderId, terms: Option<Terms>) {
        self.all().filter(|ended| ended.state.order.id == order).for_each(|ended| ended.terms = terms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Order, Price, Qty};
    use crate::strategy::desk::tests::buy;

    #[test]
    fn what_was_protected_is_remembered_whatever_else_ends() {
        let order = |id| OrderState {
            status: OrderStatus::Canceled,
            ..OrderState::new(Order {
                id: OrderId(id),
                ..buy().order(OrderId(id), crate::domain::StrategyId(0))
            })
        };
        let terms = Some(Terms { stop: Price(90), ..Terms::default() });
        let mut ended = Ended::new();
        for id in 0..100u64 {
            ended.note(order(2 * id), if id < 40 { terms } else { None }, None);
            // Nothing more can come of these.
            ended.note(OrderState { filled: Qty(10), ..order(2 * id + 1) }, terms, None);
            ended.note(OrderState { status: OrderStatus::Denied, ..order(2 * id + 1) }, terms, None);
        }
        let known: Vec<u64> = (0..200).filter(|id| ended.find(OrderId(*id)).is_some()).collect();
        let expected = (8..40).chain(68..100).map(|id| 2 * id);
        assert_eq!(known, expected.collect::<Vec<_>>());
        assert_eq!(ended.find(OrderId(16)).and_then(|ended| ended.terms), terms);
        ended.protect(OrderId(16), None);
        ended.is_known_as(OrderId(16), OrderId(999));
        let numbers: Vec<u64> = ended.as_known().map(|state| state.order.id.0).collect();
        assert!(numbers.len() == 64 && numbers.contains(&999) && !numbers.contains(&16), "{numbers:?}");
        assert!(ended.find(OrderId(16)).is_none());
        assert_eq!(
            ended.find(OrderId(999)).map(|ended| (ended.state.order.id, ended.terms)),
            Some((OrderId(16), None))
        );
    }
}
