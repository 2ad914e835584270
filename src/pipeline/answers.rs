//! Answers: what comes back from risk and the venue, and where in the order of everything it enters.
//!
//! In a replay nothing may depend on thread timing, so an answer enters before the first event whose time is at or
//! after its due time, ties broken by cause and origin.

use super::lane::Sequenced;
use crate::domain::{Slot, Time};
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

/// A slot that wants to enter the ring.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// When it is due.
    pub due: Time,
    /// The event that caused it.
    pub cause_seq: u64,
    /// Which stage sent it: 0 risk, 1 gateway, 2 the orders' thread, 3 control; those that only [wake](Answer::wakes): 4
    /// market, 5 strategy, 6 gateway.
    pub origin: u8,
    /// Its place among the answers of that stage.
    pub number: u64,
    /// What enters.
    pub slot: Slot,
}

impl Sequenced for Answer {
    fn seq(&self) -> u64 {
        self.cause_seq
    }
}

/// The first origin of what has time come to a moment, for the sake of no order.
pub const WAKERS: u8 = 4;

impl Answer {
    /// Whether it only has time come to a moment at which something may be done that no order waits for.
    #[must_use]
    pub fn wakes(&self) -> bool {
        self.origin >= WAKERS
    }

    fn key(&self) -> (Time, u64, u8, u64) {
        (self.due, self.cause_seq, self.origin, self.number)
    }
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Answer {}
impl PartialOrd for Answer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Answer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Answers not yet due, earliest first, in room taken up front.
///
/// All answers of a run wait equally long, so they come in the order they are due in but for those of stages on other
/// threads, which come when they come. Those in order wait in a queue, the others in a heap.
#[derive(Debug)]
pub struct AnswerQueue {
    in_order: VecDeque<Answer>,
    others: BinaryHeap<Reverse<Answer>>,
}

/// Answers in order that wait at most; more of them go to the heap.
const IN_ORDER_MAX: usize = 1_024;

impl AnswerQueue {
    /// A queue with room for `capacity` answers before it has to allocate.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { in_order: VecDeque::with_capacity(IN_ORDER_MAX), others: BinaryHeap::with_capacity(capacity) }
    }

    /// Adds one.
    #[inline]
    pub fn push(&mut self, answer: &Answer) {
        let follows = self.in_order.back().is_none_or(|last| last.key() <= answer.key());
        if follows && self.in_order.len() < IN_ORDER_MAX {
            self.in_order.push_back(*answer);
        } else {
            self.others.push(Reverse(*answer));
        }
    }

    /// When the earliest is due.
    #[inline]
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        let first = self.in_order.front().map(|a| a.due);
        match self.others.peek() {
            None => first,
            Some(Reverse(other)) => Some(first.map_or(other.due, |due| due.min(other.due))),
        }
    }

    /// Takes the earliest.
    #[inline]
    pub fn pop(&mut self) -> Option<Answer> {
        if let Some(Reverse(other)) = self.others.peek()
            && self.in_order.front().is_none_or(|first| other < first)
        {
            return self.others.pop().map(|a| a.0);
        }
        let first = self.in_order.pop_front();
        if self.in_order.is_empty() {
            // Its room begins anew at the same memory, which is in the cache.
            self.in_order.clear();
        }
        first
    }

    /// Whether none is due by `time`.
    #[inline]
    #[must_use]
    pub fn is_calm_until(&self, time: Time) -> bool {
        self.next_due().is_none_or(|due| due > time)
    }

    /// Whether none waits but what [wakes](Answer::wakes).
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.in_order.iter().all(Answer::wakes) && self.others.iter().all(|answer| answer.0.wakes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_their_keys_whatever_the_order_they_were_added_in() {
        let mut random = 0x9E37_79B9_7F4A_7C15u64;
        let mut below = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        let mut queue = AnswerQueue::new(16);
        let mut naive: Vec<Answer> = Vec::new();
        let mut time = 0;
        for number in 0..50_000 {
            time += below(3);
            // Now and then from the past, as from another thread's lane; long stretches fill the queue.
            let due = Time(if below(10) == 0 { time.saturating_sub(below(50)) } else { time });
            let slot = Slot::clock();
            let answer = Answer { due, cause_seq: below(4), origin: below(2) as u8, number, slot };
            queue.push(&answer);
            naive.push(answer);
            let pops = if number % 5_000 < 2_500 { below(2) } else { below(4) };
            for _ in 0..pops {
                let first = (0..naive.len()).min_by_key(|at| naive[*at].key());
                let expected = first.map(|at| naive.swap_remove(at).key());
                assert_eq!(queue.next_due(), expected.map(|key| key.0));
                assert_eq!(queue.pop().map(|a| a.key()), expected);
            }
            assert_eq!(queue.is_settled(), naive.is_empty());
        }
    }
}
