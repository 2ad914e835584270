//! Lanes: single-producer, single-consumer queues between stages, whose messages carry the sequence that caused them.
//!
//! Between two stages of one thread a lane is emptied at every event, so it holds what one event may cause and no more,
//! and its few cache lines stay in the nearest cache. Between threads it holds what a stage may be behind.

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
    /// Whether the reader runs on the writer's thread, and so empties the lane at every event.
    within_thread: bool,
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
    make(name, slots.max(per_event_max), per_event_max, false, stop)
}

/// Makes a lane between two stages of one thread, of which the second handles each event right after the first.
#[must_use]
pub fn lane_within_thread<T>(
    name: &'static str,
    per_event_max: usize,
    stop: &Stop,
) -> (LaneSender<T>, LaneReceiver<T>) {
    make(name, per_event_max, per_event_max, true, stop)
}

fn make<T>(
    name: &'static str,
    slots: usize,
    per_event_max: usize,
    within_thread: bool,
    stop: &Stop,
) -> (LaneSender<T>, LaneReceiver<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(slots.max(1));
    let per_event_max = per_event_max.max(1);
    let sender = LaneSender { inner: producer, name, per_event_max, within_thread, stop: stop.clone() };
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
        if self.within_thread {
            return u64::MAX;
        }
        (self.inner.slots() / self.per_event_max) as u64
    }
}

impl<T> LaneReceiver<T> {
    /// Whether no message is there.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The next message, whatever caused it.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.inner.pop().ok()
    }

    /// Hands every message to `take`, where it lies, whatever caused it.
    #[inline]
    pub fn take_all(&mut self, mut take: impl FnMut(&T)) {
        while let Ok(message) = self.inner.peek() {
            take(message);
            let _ = self.inner.pop();
        }
    }
}

impl<T: Sequenced> LaneReceiver<T> {
    /// Hands every message caused by an event up to `seq` to `take`, where it lies.
    #[inline]
    pub fn take_up_to(&mut self, seq: u64, mut take: impl FnMut(&T)) {
        while let Ok(message) = self.inner.peek() {
            if message.seq() > seq {
                break;
            }
            take(message);
            let _ = self.inner.pop();
        }
    }

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
        to.push(Message(4));
        to.push(Message(5));
        to.push(Message(7));
        let mut taken = Vec::new();
        from.take_up_to(5, |m| taken.push(m.0));
        from.take_up_to(6, |m| taken.push(m.0));
        assert_eq!(taken, [4, 5]);
    }

    #[test]
    fn a_lane_within_a_thread_holds_one_event_at_a_time_and_overflows_all_the_same() {
        let stop = Stop::new();
        let (mut to, mut from) = lane_within_thread("test", 2, &stop);
        for seq in 1..100 {
            assert_eq!(to.events_room(), u64::MAX);
            to.push(Message(seq));
            to.push(Message(seq));
            let mut taken = 0;
            from.take_up_to(seq, |_| taken += 1);
            assert_eq!((taken, stop.reason()), (2, None));
        }
        for _ in 0..3 {
            to.push(Message(100));
        }
        assert_eq!(stop.reason(), Some(StopReason::LaneOverflow("test")));
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
