//! The ring: `disruptor` with one producer and a chain of pollers, one a thread group.
//!
//! Each group's poller sees a slot only after the group before has let go of it, so a stage at event *n* finds all
//! lane messages that earlier stages sent for events up to *n*.

use crate::domain::Slot;
use disruptor::{
    BusySpin, EventGuard, EventPoller, Polling, SingleConsumerBarrier, SingleProducer, SingleProducerBarrier,
    build_single_producer,
};

/// The one producer of the ring.
pub type RingProducer = SingleProducer<Slot, SingleConsumerBarrier>;

/// A group's poller: the first reads after the producer, the others after the group before.
pub enum RingPoller {
    /// Reads what the producer published.
    First(EventPoller<Slot, SingleProducerBarrier>),
    /// Reads what the group before has let go of.
    Later(EventPoller<Slot, SingleConsumerBarrier>),
}

/// A ring and its pollers, in chain order.
pub struct Ring {
    /// Publishes.
    pub producer: RingProducer,
    /// Poll; one a group, in order.
    pub pollers: Vec<RingPoller>,
}

/// What a poll found.
pub enum Polled<'a> {
    /// Slots from the first group's guard.
    First(EventGuard<'a, Slot, SingleProducerBarrier>),
    /// Slots from a later group's guard.
    Later(EventGuard<'a, Slot, SingleConsumerBarrier>),
    /// Nothing now.
    Empty,
    /// Nothing ever again: the producer is gone and all was read.
    Finished,
}

impl RingPoller {
    /// Takes up to `limit` slots.
    #[inline]
    pub fn take(&mut self, limit: u64) -> Polled<'_> {
        match self {
            RingPoller::First(poller) => match poller.take(limit) {
                Ok(guard) => Polled::First(guard),
                Err(Polling::NoEvents) => Polled::Empty,
                Err(Polling::Shutdown) => Polled::Finished,
            },
            RingPoller::Later(poller) => match poller.take(limit) {
                Ok(guard) => Polled::Later(guard),
                Err(Polling::NoEvents) => Polled::Empty,
                Err(Polling::Shutdown) => Polled::Finished,
            },
        }
    }
}

/// Builds a ring of `slots` slots (a power of two) with a chain of `groups` pollers.
#[must_use]
pub fn build_ring(slots: usize, groups: usize) -> Ring {
    let (first, builder) = build_single_producer(slots, Slot::default, BusySpin).new_event_poller();
    let mut pollers = vec![RingPoller::First(first)];
    if groups <= 1 {
        return Ring { producer: builder.build(), pollers };
    }
    let (poller, mut builder) = builder.and_then().new_event_poller();
    pollers.push(RingPoller::Later(poller));
    for _ in 2..groups {
        let (poller, next) = builder.and_then().new_event_poller();
        pollers.push(RingPoller::Later(poller));
        builder = next;
    }
    Ring { producer: builder.build(), pollers }
}
