//! Answers: what comes back from risk and the venue, and where in the order of everything it enters.
//!
//! In a replay nothing may depend on thread timing, so an answer enters before the first event whose time is at or
//! after its due time, ties broken by cause and origin.

use super::lane::Sequenced;
use crate::domain::{Slot, Time};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A slot that wants to enter the ring.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// When it is due.
    pub due: Time,
    /// The event that caused it.
    pub cause_seq: u64,
    /// Which stage sent it: 0 risk, 1 gateway.
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

impl Answer {
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
#[derive(Debug)]
pub struct AnswerQueue {
    heap: BinaryHeap<Reverse<Answer>>,
}

impl AnswerQueue {
    /// A queue with room for `capacity` answers before it has to allocate.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { heap: BinaryHeap::with_capacity(capacity) }
    }

    /// Adds one.
    #[inline]
    pub fn push(&mut self, answer: Answer) {
        self.heap.push(Reverse(answer));
    }

    /// When the earliest is due.
    #[inline]
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        self.heap.peek().map(|a| a.0.due)
    }

    /// Takes the earliest.
    #[inline]
    pub fn pop(&mut self) -> Option<Answer> {
        self.heap.pop().map(|a| a.0)
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}
