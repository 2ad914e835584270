//! Orders that are not over, as risk remembers them.

use crate::domain::order::OrderState;
use crate::domain::{InstrumentId, Order, OrderId, Price, Time};

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct LiveOrder {
    /// The order and where it stands.
    pub state: OrderState,
    /// The price that it is valued at.
    pub price: Price,
    /// What of it has not traded is worth, units of 10^-8 quote.
    pub value: i128,
    /// The other order of its list, where that is counted for both: of the two only one can trade.
    pub counted_by: Option<OrderId>,
    /// When the kill switch asked for its cancel.
    pub asked_at: Option<Time>,
    /// Since when it was seen to be what a kill closes a position by, and not to be over.
    pub awaited_since: Option<Time>,
    /// Whether it goes on with an order of before: its trades are those of that order.
    pub goes_on: bool,
    /// Whether it only reduces, waited for its price where the order manager is, and is a limit order since that came.
    pub triggered: bool,
    /// The order that it and this one cancel each other with, and that waits for its price where the order manager is.
    pub beside: Option<OrderId>,
}

impl LiveOrder {
    pub const fn new(order: Order, price: Price, value: i128) -> Self {
        Self {
            state: OrderState::new(order),
            price,
            value,
            counted_by: None,
            asked_at: None,
            awaited_since: None,
            goes_on: false,
            triggered: false,
            beside: None,
        }
    }

    /// Whether it leaves, and is one that a kill leaves in force: it was triggered to, or is the target of a pair of which
    /// the other order waits.
    pub fn waits_to_leave(&self) -> bool {
        self.triggered || (self.state.order.reduce_only && self.beside.is_some())
    }
}

/// All of them, the oldest first. What they are looked for by stands apart, since each of them is cache lines long and
/// every new order looks through them all.
#[derive(Debug)]
pub(super) struct LiveOrders {
    orders: Vec<LiveOrder>,
    /// Of each, in the same places.
    ids: Vec<OrderId>,
    instruments: Vec<InstrumentId>,
    /// How many there are, by instrument.
    count_in: Vec<u32>,
}

impl LiveOrders {
    /// None, with room for so many.
    pub fn new(instruments: usize, room: usize) -> Self {
        Self {
            orders: Vec::with_capacity(room),
            ids: Vec::with_capacity(room),
            instruments: Vec::with_capacity(room),
            count_in: vec![0; instruments],
        }
    }

    pub fn len(&self) -> usize {
        self.orders.len()
    }

    #[inline]
    pub fn push(&mut self, order: LiveOrder) {
        let Order { id, instrument, .. } = order.state.order;
        self.orders.push(order);
        self.ids.push(id);
        self.instruments.push(instrument);
        self.count_in[instrument.index()] += 1;
    }

    /// Where an order stands. Those of late are asked for most.
    #[inline]
    pub fn find(&self, id: OrderId) -> Option<usize> {
        self.ids.iter().rposition(|of| *of == id)
    }

    pub fn remove(&mut self, at: usize) {
        self.orders.remove(at);
        self.ids.remove(at);
        self.count_in[self.instruments.remove(at).index()] -= 1;
    }

    pub fn at(&self, at: usize) -> &LiveOrder {
        &self.orders[at]
    }

    /// To change all of it but whose and which it is.
    pub fn at_mut(&mut self, at: usize) -> &mut LiveOrder {
        &mut self.orders[at]
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, LiveOrder> {
        self.orders.iter_mut()
    }

    /// Those of an instrument, the newest first; nothing is looked through beyond the oldest of them.
    #[inline]
    pub fn of(&self, instrument: InstrumentId) -> impl Iterator<Item = &LiveOrder> {
        let count = self.count_in[instrument.index()] as usize;
        let places = self.instruments.iter().zip(&self.orders).rev();
        places.filter(move |(of, _)| **of == instrument).map(|(_, order)| order).take(count)
    }
}
