//! The queue between the receiving thread and the writing one: frames one after another in a ring of bytes.
//!
//! Owns: the layout in the ring. Invariant: a frame is in it whole or not at all, so a reader that sees a head finds the
//! frame behind it, or soon will.

use crate::domain::Time;
use crate::net::SourceId;
use rtrb::{Consumer, Producer, RingBuffer};

/// Length (4), source (2), unused (2), receive time (8).
const HEAD_BYTES: usize = 16;

#[derive(Debug)]
pub(super) struct QueueSender {
    /// `None` once closed.
    ring: Option<Producer<u8>>,
    capacity: usize,
}

#[derive(Debug)]
pub(super) struct QueueReceiver {
    ring: Consumer<u8>,
}

/// One frame in the queue; its bytes may lie on both sides of the ring's end.
pub(super) struct Queued<'a> {
    pub(super) source: SourceId,
    pub(super) received: Time,
    pub(super) frame: [&'a [u8]; 2],
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Popped {
    Frame,
    Empty,
    Closed,
}

pub(super) fn bounded(bytes: usize) -> (QueueSender, QueueReceiver) {
    let (producer, consumer) = RingBuffer::new(bytes);
    (QueueSender { ring: Some(producer), capacity: bytes }, QueueReceiver { ring: consumer })
}

impl QueueSender {
    #[inline]
    pub(super) fn push(&mut self, source: SourceId, received: Time, frame: &[u8]) -> bool {
        let Some(ring) = &mut self.ring else { return false };
        let bytes = HEAD_BYTES + frame.len();
        // Room only grows behind our back; the second look is at what the reader has freed since.
        if ring.cached_slots() < bytes && ring.slots() < bytes {
            return false;
        }
        let Ok(length) = u32::try_from(frame.len()) else { return false };
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(&length.to_le_bytes());
        head[4..6].copy_from_slice(&source.0.to_le_bytes());
        head[8..].copy_from_slice(&received.0.to_le_bytes());
        // Neither is refused: there is room for both.
        ring.push_entire_slice(&head).is_ok() && ring.push_entire_slice(frame).is_ok()
    }

    /// Whether an empty queue has room for the frame.
    pub(super) fn could_ever_take(&self, frame: &[u8]) -> bool {
        // A reader that has gone frees nothing any more.
        self.ring.as_ref().is_some_and(|ring| !ring.is_abandoned())
            && HEAD_BYTES + frame.len() <= self.capacity
    }

    pub(super) fn close(&mut self) {
        self.ring = None;
    }
}

impl QueueReceiver {
    /// Hands the next frame to `take`.
    pub(super) fn pop(&mut self, take: impl FnOnce(Queued<'_>)) -> Popped {
        // Asked first: what was pushed before the sender went is seen by what follows.
        let closed = self.ring.is_abandoned();
        let Ok(head) = self.ring.read_chunk(HEAD_BYTES) else {
            return if closed { Popped::Closed } else { Popped::Empty };
        };
        let mut bytes = [0; HEAD_BYTES];
        let (one, two) = head.as_slices();
        bytes[..one.len()].copy_from_slice(one);
        bytes[one.len()..].copy_from_slice(two);
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (length, source) = (word(0) as usize, SourceId(word(4) as u16));
        let received = Time(u64::from(word(8)) | u64::from(word(12)) << 32);
        // The head is read again with its frame, once that is there too.
        let Ok(all) = self.ring.read_chunk(HEAD_BYTES + length) else {
            return if closed { Popped::Closed } else { Popped::Empty };
        };
        let (one, two) = all.as_slices();
        let frame = match one.len().checked_sub(HEAD_BYTES) {
            Some(_) => [&one[HEAD_BYTES..], two],
            None => [&two[HEAD_BYTES - one.len()..], &[]],
        };
        take(Queued { source, received, frame });
        all.commit_all();
        Popped::Frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pop(queue: &mut QueueReceiver) -> Result<(u16, u64, Vec<u8>), Popped> {
        let mut found = None;
        let popped = queue.pop(|q| found = Some((q.source.0, q.received.0, q.frame.concat())));
        found.ok_or(popped)
    }

    #[test]
    fn frames_come_out_as_they_went_in_wherever_the_ring_ends() {
        let (mut sender, mut receiver) = bounded(101);
        for n in 0..1_000u64 {
            let frame: Vec<u8> = (0..n % 40).map(|i| (i + n) as u8).collect();
            assert!(sender.push(SourceId(n as u16), Time(n << 33 | 7), &frame));
            assert!(sender.push(SourceId(9), Time(1), b"x"));
            assert_eq!(pop(&mut receiver), Ok((n as u16, n << 33 | 7, frame)));
            assert_eq!(pop(&mut receiver), Ok((9, 1, b"x".to_vec())));
            assert_eq!(pop(&mut receiver), Err(Popped::Empty));
        }
    }

    #[test]
    fn a_full_queue_refuses_a_frame_whole_and_a_closed_one_is_emptied_first() {
        let (mut sender, mut receiver) = bounded(2 * HEAD_BYTES + 10);
        assert!(sender.push(SourceId(1), Time(1), b"12345"));
        assert!(!sender.push(SourceId(1), Time(2), b"123456"));
        assert!(sender.push(SourceId(1), Time(3), b"12345"));
        assert!(!sender.could_ever_take(&[0; 27]) && sender.could_ever_take(&[0; 26]));
        sender.close();
        assert_eq!(pop(&mut receiver), Ok((1, 1, b"12345".to_vec())));
        assert_eq!(pop(&mut receiver), Ok((1, 3, b"12345".to_vec())));
        assert_eq!(pop(&mut receiver), Err(Popped::Closed));
    }
}
