//! Lanes: single-producer, single-consumer queues between stages, whose messages carry the sequence that caused them.

use super::stop::{Stop, StopReason};

/// A message that knows which event caused it.
pub trait Sequenced {
    /// The causing event's sequence number.
    fn seq(&self) -> u64;
}

/// The writing end.
#[derive(Debug)]
pub struct LaneSender<T> {
    inner: rtrb::Producer<T>,
    name: &'static str,
    per_event_max: usize,
    stop: Stop,
}

/// The reading end.
#[derive(Debug)]
pub struct LaneReceiver<T> {
    inner: rtrb::Consumer<T>,
}

/// Makes a lane of `slots` messages, of which one event may cause at most `per_event_max`.
#[must_use]
pub fn lane<T>(
    name: &'static str,
    slots: usize,
    per_event_max: usize,
    stop: &Stop,
) -> (LaneSender<T>, LaneReceiver<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(slots.max(per_event_max));
    let sender =
        LaneSender { inner: producer, name, per_event_max: per_event_max.max(1), stop: stop.clone() };
    (sender, LaneReceiver { inner: consumer })
}

impl<T> LaneSender<T> {
    /// Puts a message in. The poller never takes more events than the lane has room for, so a full lane means that a
    /// stage sent more for one event than it declared: the process stops, nothing is dropped silently.
    #[inline]
    pub fn push(&mut self, message: T) {
        if self.inner.push(message).is_err() {
            self.stop.stop(StopReason::LaneOverflow(self.name));
        }
    }

    /// How many events' worth of messages surely fit now.
    #[inline]
    #[must_use]
    pub fn events_room(&self) -> u64 {
        (self.inner.slots() / self.per_event_max) as u64
    }
}

impl<T> LaneReceiver<T> {
    /// The next message, whatever caused it.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.inner.pop().ok()
    }
}

impl<T: Sequenced> LaneReceiver<T> {
    /// The next message caused by an event up to `seq`.
    #[inline]
    pub fn pop_up_to(&mut self, seq: u64) -> Option<T> {
        match self.inner.peek() {
            Ok(message) if message.seq() <= seq => self.inner.pop().ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Message(u64);
    impl Sequenced for Message {
        fn seq(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn messages_are_taken_up_to_the_event_and_no_further() {
        let stop = Stop::new();
        let (mut to, mut from) = lane("test", 8, 2, &stop);
        assert_eq!(to.events_room(), 4);
        to.push(Message(1));
        to.push(Message(3));
        assert_eq!(from.pop_up_to(0).map(|m| m.0), None);
        assert_eq!(from.pop_up_to(2).map(|m| m.0), Some(1));
        assert_eq!(from.pop_up_to(2).map(|m| m.0), None);
        assert_eq!(from.pop_up_to(3).map(|m| m.0), Some(3));
    }

    #[test]
    fn an_overflowing_lane_stops_the_process_and_says_which() {
        let stop = Stop::new();
        let (mut to, _from) = lane("market→strategy", 2, 1, &stop);
        for seq in 0..3 {
            to.push(Message(seq));
        }
        assert_eq!(stop.reason(), Some(StopReason::LaneOverflow("market→strategy")));
    }
}
