//! Wakers: how a stage of a simulation has time come to a moment at which it has something to do, though nothing happens
//! then.
//!
//! Live, clock events come in any silence. A simulated market has none, and what is due would wait for whatever event
//! comes next, of whatever instrument: what is read beside what is traded would then change what a run does.

use super::answers::Answer;
use super::lane::LaneSender;
use crate::domain::{Slot, Time};

/// Moments that are asked for at once, mostly: each earlier than the one asked for before.
const ASKED_AT_FIRST: usize = 16;

/// See the module. It asks by [answers](Answer) that say nothing.
#[derive(Default)]
pub struct Waker {
    /// Where it asks; absent where it need not, or where somebody else sends what is to be asked.
    lane: Option<LaneSender<Answer>>,
    origin: u8,
    number: u64,
    /// Moments asked for that have not come, the earliest last.
    asked: Vec<Time>,
    /// The last one that was asked for.
    last: Time,
}

impl Waker {
    /// Nothing asked for yet, by what [`Answer::origin`] says.
    #[must_use]
    pub fn new(origin: u8) -> Self {
        Self { origin, asked: Vec::with_capacity(ASKED_AT_FIRST), ..Self::default() }
    }

    /// The same asking by a lane, at most once an event.
    #[must_use]
    pub fn by(self, lane: LaneSender<Answer>) -> Self {
        Self { lane: Some(lane), ..self }
    }

    /// How many events its lane has room for.
    #[inline]
    #[must_use]
    pub fn room(&self) -> u64 {
        self.lane.as_ref().map_or(u64::MAX, LaneSender::events_room)
    }

    /// When a stage is woken whose next thing to do is due at `next`.
    #[inline]
    #[must_use]
    pub fn wakes_at(&self, next: Time) -> Time {
        if self.lane.is_some() { next } else { Time(u64::MAX) }
    }

    /// [Asks](Self::ask) by its lane, if it has one.
    #[inline]
    pub fn wake(&mut self, next: Time, now: Time, seq: u64) {
        if self.lane.is_some()
            && let Some(answer) = self.ask(next, now, seq)
            && let Some(lane) = &mut self.lane
        {
            lane.push(answer);
        }
    }

    /// What is to be asked at the end of the event `seq`, at `now`, where the next thing to do is due at `next`; `None`
    /// where that has been asked for. A moment that has come is asked for once: what is still due after that waits for
    /// the next event, or time might never go on.
    #[inline]
    pub fn ask(&mut self, next: Time, now: Time, seq: u64) -> Option<Answer> {
        while self.asked.last().is_some_and(|at| *at <= now) {
            self.asked.pop();
        }
        if next == Time(u64::MAX) || self.asked.last().is_some_and(|at| *at <= next) {
            return None;
        }
        let due = next.max(now);
        if due == now && self.last == now {
            return None;
        }
        self.last = due;
        self.asked.push(due);
        self.number += 1;
        Some(Answer { due, cause_seq: seq, origin: self.origin, number: self.number, slot: Slot::clock() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_is_asked_for_once_and_an_earlier_one_beside_it() {
        let mut waker = Waker::new(2);
        let mut due = |next: u64, now: u64| waker.ask(Time(next), Time(now), 7).map(|answer| answer.due.0);
        assert_eq!((due(u64::MAX, 5), due(100, 10), due(100, 20)), (None, Some(100), None));
        assert_eq!((due(50, 30), due(100, 50)), (Some(50), None), "it is asked for already");
        assert_eq!((due(200, 99), due(200, 100)), (None, Some(200)), "the earlier one comes first");
        assert_eq!((due(150, 150), due(150, 150)), (Some(150), None), "time goes on");
    }
}
