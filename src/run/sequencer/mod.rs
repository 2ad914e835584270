//! The sequencer: the one writer of the ring. It gives every event its place and its time.
//!
//! In a replay it is conservative: before it lets time come to *t*, every stage has handled all events up to
//! *t* − floor, so every answer due by *t* is known and enters first. No thread's timing can change the order. In a
//! simulation there is no floor to that: an order may arrive, and a timer be due, at any moment, each of which is an
//! event at its own time. It waits for the stages at every event; simulations run on one thread, where that is nothing.
//!
//! Live it waits for nobody: time is the wall clock's, never going back, and an answer enters when it is there and due.
//! The journal keeps the places, and a replay of it puts every answer where it was.

mod passing;
mod put;

use super::fee_rates::FeeRates;
use super::interrupt::Interrupt;
use crate::domain::event::{DepthHead, Kind, LEVELS_PER_SLOT, READ_TO_PUBLISH_SHIFT, Report};
use crate::domain::order::ReportKind;
use crate::domain::{InstrumentId, InstrumentTable, Level, Slot, Time};
use crate::market::book::BookKeeper;
use crate::pipeline::group::Step;
use crate::pipeline::{
    Answer, AnswerQueue, Group, Idle, LaneReceiver, Progress, RingProducer, StampClock, Stop, StopReason,
};
use std::collections::VecDeque;

/// Answers that wait for their time; more make it allocate, never drop.
const ANSWERS_WAITING_MAX: usize = 65_536;
/// Events remembered by time until the stages have handled them.
const MARKS_MAX: usize = 65_536;

/// The run was stopped: nothing more can be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// See the module.
pub struct Sequencer {
    producer: RingProducer,
    /// The stages that run on this very thread.
    local: Option<Group<BookKeeper>>,
    progress: Progress,
    answers: Vec<LaneReceiver<Answer>>,
    queue: AnswerQueue,
    marks: VecDeque<(u64, Time)>,
    /// How far the stages had come when that was last asked.
    handled: u64,
    /// How far it may run ahead of the stages, ns.
    lookahead_ns: u64,
    floor_ns: u64,
    chunk_slots: usize,
    clock: StampClock,
    idle: Idle,
    stop: Stop,
    live: bool,
    /// Whether slots are handed to the stages of this thread past the ring.
    direct: bool,
    seq: u64,
    time: Time,
    /// Events before which the sequencer had to wait for the stages.
    drains: u64,
    entered: u64,
    /// What commissions in third assets are worth, where that is asked for.
    fee_rates: Option<Box<FeeRates>>,
    /// Net positions by instrument, as the answers that entered say; empty where nobody asks.
    net: Vec<i64>,
    /// Looked at now and then while answers enter; what only has time come to moments reads nothing for long.
    interrupt: Interrupt,
}

/// How many answers enter between two such looks.
const HEED_EVERY: u64 = 1 << 14;

/// What a sequencer is made of.
pub struct SequencerParts {
    /// The ring's writer.
    pub producer: RingProducer,
    /// Slots of the ring.
    pub ring_slots: usize,
    /// The stages that run on the feed's thread, if any do.
    pub local: Option<Group<BookKeeper>>,
    /// How far the last stage has come.
    pub progress: Progress,
    /// Where answers come from.
    pub answers: Vec<LaneReceiver<Answer>>,
    /// No answer is due sooner than this after its cause, ns, but in a simulation what only has time come to a moment.
    pub floor_ns: u64,
    /// For stamps.
    pub clock: StampClock,
    /// How the feed's thread waits.
    pub idle: Idle,
    /// Ends the run.
    pub stop: Stop,
    /// Time is the wall clock's: answers enter when they are there, and no stage is waited for.
    pub live: bool,
    /// Events are no real ones: where all stages run on the feed's thread, they are handed over past the ring.
    pub simulated: bool,
}

impl Sequencer {
    /// A sequencer at sequence number 0.
    #[must_use]
    pub fn new(parts: SequencerParts) -> Self {
        let alone = parts.local.as_ref().is_some_and(Group::is_whole_chain);
        Self {
            direct: parts.simulated && alone,
            producer: parts.producer,
            local: parts.local,
            progress: parts.progress,
            answers: parts.answers,
            queue: AnswerQueue::new(ANSWERS_WAITING_MAX),
            marks: VecDeque::with_capacity(MARKS_MAX),
            handled: 0,
            lookahead_ns: if parts.simulated { 0 } else { parts.floor_ns },
            floor_ns: parts.floor_ns,
            chunk_slots: (parts.ring_slots / 4).max(1),
            clock: parts.clock,
            idle: parts.idle,
            stop: parts.stop,
            live: parts.live,
            seq: 0,
            time: Time(0),
            drains: 0,
            entered: 0,
            fee_rates: None,
            net: Vec::new(),
            interrupt: Interrupt::default(),
        }
    }

    /// Ends, once this is raised, between two answers too.
    pub fn heed(&mut self, interrupt: Interrupt) {
        self.interrupt = interrupt;
    }

    /// Has commissions in third assets be valued as they enter, by the prices that are published; and those that an
    /// earlier run could not value, by the first.
    pub fn value_fees(&mut self, table: &InstrumentTable, unpriced: impl IntoIterator<Item = Report>) {
        self.fee_rates = Some(Box::new(FeeRates::new(table).owing(unpriced)));
    }

    /// Has positions be followed from the answers that enter. What a feed makes of them is then the same on any threads.
    pub fn follow_positions(&mut self, instruments: usize) {
        self.net = vec![0; instruments];
    }

    /// The net position of all strategies, as the answers that entered say; zero where it is not followed.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> i64 {
        self.net.get(instrument.index()).copied().unwrap_or_default()
    }

    fn follow(&mut self, slot: &Slot) {
        let Some(report) = slot.as_report() else { return };
        if let Some(net) = self.net.get_mut(report.instrument.index())
            && matches!(report.kind, ReportKind::Fill | ReportKind::Liquidated)
        {
            *net += report.side.signed(report.qty).0;
        }
    }

    /// The sequence number of the last slot published.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Up to which sequence number every stage has handled all. It reads what another thread writes: not for each event.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.progress.seq()
    }

    /// The time of the last event.
    #[must_use]
    pub fn time(&self) -> Time {
        self.time
    }

    /// Events before which the stages had to be waited for.
    #[must_use]
    pub fn drains(&self) -> u64 {
        self.drains
    }

    /// Answers that entered the ring.
    #[must_use]
    pub fn answers_entered(&self) -> u64 {
        self.entered
    }

    /// Lets time come to `time` (clamped: it never goes back): every answer due by then enters first.
    ///
    /// # Errors
    /// [`Stopped`].
    #[inline]
    pub fn advance(&mut self, time: Time) -> Result<(), Stopped> {
        let time = time.max(self.time);
        if self.live {
            return self.advance_live(time);
        }
        loop {
            let target = self.queue.next_due().map_or(time, |due| due.min(time));
            self.await_stages(Time(target.0.saturating_sub(self.lookahead_ns)))?;
            match self.queue.next_due() {
                // An earlier answer came in while waiting.
                Some(due) if due < target => {}
                Some(due) if due <= time => {
                    if let Some(mut answer) = self.queue.pop() {
                        self.time = self.time.max(due);
                        // What is handed over in no real time is not worth a stamp.
                        let now = if self.direct { 0 } else { self.clock.raw() };
                        answer.slot.stamp(self.time, now, 0);
                        self.entered += 1;
                        if self.entered.is_multiple_of(HEED_EVERY) && self.interrupt.is_raised() {
                            self.stop.stop(StopReason::Interrupted);
                            return Err(Stopped);
                        }
                        if !self.net.is_empty() {
                            self.follow(&answer.slot);
                        }
                        self.put(&answer.slot)?;
                        self.event_published();
                    }
                }
                _ => break,
            }
        }
        self.time = time;
        Ok(())
    }

    /// Lets the wall clock come to `time`: answers that are there and due enter.
    #[inline]
    fn advance_live(&mut self, time: Time) -> Result<(), Stopped> {
        self.time = time;
        self.collect();
        while self.queue.next_due().is_some_and(|due| due <= time) {
            let Some(mut answer) = self.queue.pop() else { break };
            if let Some(rates) = &mut self.fee_rates
                && answer.slot.kind() == Kind::Report
                && let Some(valued) = rates.valued(&answer.slot)
            {
                answer.slot = valued;
            }
            answer.slot.stamp(self.time, self.clock.raw(), 0);
            self.entered += 1;
            self.put(&answer.slot)?;
            self.event_published();
        }
        Ok(())
    }

    /// Whether an answer is there that is due by `time`.
    #[inline]
    #[must_use]
    pub fn answer_due(&self, time: Time) -> bool {
        self.queue.next_due().is_some_and(|due| due <= time)
    }

    /// Publishes an event of our own at the present time: what was never read is measured from its entry.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn publish_own(&mut self, slot: Slot) -> Result<(), Stopped> {
        self.publish(slot, self.clock.raw())
    }

    /// Publishes an event of one slot at the present time. `read` is the raw stamp of its bytes.
    ///
    /// # Errors
    /// [`Stopped`].
    #[inline]
    pub fn publish(&mut self, mut slot: Slot, read: u64) -> Result<(), Stopped> {
        let first = self.fee_rates.as_mut().is_some_and(|rates| rates.see(&slot));
        let now = self.stamp(read);
        slot.stamp(self.time, now, delta(read, now));
        self.put(&slot)?;
        self.event_published();
        if first { self.publish_late_worths() } else { Ok(()) }
    }

    /// Publishes what commissions are worth whose asset had no price before.
    #[cold]
    fn publish_late_worths(&mut self) -> Result<(), Stopped> {
        let late = self.fee_rates.as_mut().map(|rates| rates.late()).unwrap_or_default();
        late.into_iter().try_for_each(|slot| self.publish_own(slot))
    }

    /// Publishes a bar: two slots.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn publish_pair(&mut self, mut slots: [Slot; 2], read: u64) -> Result<(), Stopped> {
        let now = self.stamp(read);
        slots[0].stamp(self.time, now, delta(read, now));
        self.put(&slots[0])?;
        self.put(&slots[1])?;
        self.event_published();
        Ok(())
    }

    /// Publishes a depth event: its head and its levels, in chunks of at most a quarter of the ring.
    ///
    /// # Errors
    /// [`Stopped`].
    #[inline]
    pub fn publish_depth(
        &mut self,
        kind: Kind,
        head: &DepthHead,
        levels: &[Level],
        read: u64,
    ) -> Result<(), Stopped> {
        let now = self.stamp(read);
        let mut first = Slot::depth(kind, head);
        first.stamp(self.time, now, delta(read, now));
        let packs = levels.len().div_ceil(LEVELS_PER_SLOT);
        if packs < self.chunk_slots {
            self.put_depth(Some(&first), head.instrument, levels, true)?;
        } else {
            self.put(&first)?;
            let per_chunk = self.chunk_slots * LEVELS_PER_SLOT;
            let chunks = levels.chunks(per_chunk);
            let last = chunks.len() - 1;
            for (index, chunk) in chunks.enumerate() {
                self.put_depth(None, head.instrument, chunk, index == last)?;
            }
        }
        self.event_published();
        Ok(())
    }

    /// Publishes an event that lies ready as slots, the head first, at the present time.
    ///
    /// # Errors
    /// [`Stopped`].
    #[inline]
    pub fn publish_event(&mut self, slots: &[Slot], read: u64) -> Result<(), Stopped> {
        let now = self.stamp(read);
        let Some((first, others)) = slots.split_first() else { return Ok(()) };
        let mut first = *first;
        first.stamp(self.time, now, delta(read, now));
        if self.direct {
            self.hand_over(std::iter::once(&first).chain(others), slots.len());
        } else {
            self.put(&first)?;
            for chunk in others.chunks(self.chunk_slots) {
                self.put_all(chunk)?;
            }
        }
        self.event_published();
        Ok(())
    }

    /// Publishes a slot exactly as a journal holds it. Its time is the journal's.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn republish(&mut self, mut slot: Slot) -> Result<(), Stopped> {
        if slot.kind() != Kind::Levels {
            let time = slot.time();
            slot.stamp(time, self.clock.raw(), 0);
            self.time = self.time.max(time);
        }
        self.put(&slot)?;
        if slot.is_last() {
            self.event_published();
        }
        Ok(())
    }

    /// Lets time run on until no answer is left: orders under way arrive, and what they cause enters.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn settle(&mut self, latency_ns: u64) -> Result<(), Stopped> {
        self.publish_own(Slot::market_over())?;
        self.run_on(latency_ns)
    }

    /// The same while the market goes on: nothing is told of its end.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn run_on(&mut self, latency_ns: u64) -> Result<(), Stopped> {
        // Strategies may answer answers for ever; a run that ends does not wait for that.
        const ROUNDS_MAX: usize = 64;
        for _ in 0..ROUNDS_MAX {
            let until = self.time.plus_nanos(latency_ns + self.floor_ns + 1);
            self.advance(until)?;
            self.publish_own(Slot::clock())?;
            self.await_all()?;
            if self.queue.is_settled() {
                break;
            }
        }
        Ok(())
    }

    /// Waits until every stage has handled every event.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn await_all(&mut self) -> Result<(), Stopped> {
        let seq = self.seq;
        self.await_seq(seq)
    }

    /// Does what this thread's own stages have to do, and takes what has come back, without waiting.
    pub fn poll(&mut self) -> bool {
        let worked = match &mut self.local {
            Some(local) => matches!(local.step(), Step::Worked(_)),
            None => false,
        };
        self.collect();
        worked
    }

    /// Polls, and waits a little where there was nothing to do: other threads may need this core.
    fn work(&mut self) {
        if self.poll() {
            self.idle.reset();
        } else {
            self.idle.idle();
        }
    }

    /// Ends the ring and hands back the stages of this thread.
    #[must_use]
    pub fn finish(self) -> Option<Group<BookKeeper>> {
        let Self { producer, mut local, .. } = self;
        drop(producer);
        if let Some(group) = &mut local {
            while let Step::Worked(_) = group.step() {}
        }
        local
    }

    /// The publishing stamp of an event that was read at `read`. It is the hop's beginning; where every stage runs on
    /// this thread and the event's way through them is not stamped, nobody asks for it, and a stamp costs 13 ns.
    #[inline]
    fn stamp(&self, read: u64) -> u64 {
        match &self.local {
            Some(local) if local.is_whole_chain() && !local.samples(self.seq + 1) => read,
            _ => self.clock.raw(),
        }
    }

    #[inline]
    fn event_published(&mut self) {
        if let Some(local) = &mut self.local {
            while local.seq() < self.seq && matches!(local.step(), Step::Worked(_)) {}
        }
        // Where every stage runs on this thread, every event is handled. Of other threads nothing is asked here: what one of
        // them writes takes its time to be read, and the next event would wait for it.
        if !self.live
            && !self.local.as_ref().is_some_and(|local| local.is_whole_chain() && local.seq() == self.seq)
        {
            self.remember();
        }
        // Answers of stages on this thread are there at once; of others, whenever they come.
        self.collect();
    }

    /// Notes an event that other threads have yet to handle.
    fn remember(&mut self) {
        if self.marks.len() == MARKS_MAX
            && let Some((seq, _)) = self.marks.pop_front()
        {
            // What can no longer be remembered is waited for at once: a stop shows at the next publication.
            let _: Result<(), Stopped> = self.await_seq(seq);
        }
        self.marks.push_back((self.seq, self.time));
    }

    #[inline]
    fn collect(&mut self) {
        for lane in &mut self.answers {
            lane.take_all(|answer| self.queue.push(answer));
        }
    }

    /// Waits until the stages have handled every event up to `time`.
    #[inline]
    fn await_stages(&mut self, time: Time) -> Result<(), Stopped> {
        if self.marks.is_empty() {
            // Every stage has handled every event, and what they answered has been taken.
            return Ok(());
        }
        let mut seq = 0;
        while let Some(&(marked, at)) = self.marks.front() {
            if at > time {
                break;
            }
            seq = marked;
            self.marks.pop_front();
        }
        // Read only where what was read before does not do: see `event_published`.
        if seq > self.handled {
            self.handled = self.progress.seq();
            if seq > self.handled {
                self.drains += 1;
                self.await_seq(seq)?;
            }
        }
        self.collect();
        Ok(())
    }

    fn await_seq(&mut self, seq: u64) -> Result<(), Stopped> {
        self.idle.reset();
        while self.progress.seq() < seq {
            if self.stop.is_raised() {
                return Err(Stopped);
            }
            self.work();
        }
        self.collect();
        Ok(())
    }
}

#[inline]
fn delta(from: u64, to: u64) -> u32 {
    u32::try_from(to.saturating_sub(from) >> READ_TO_PUBLISH_SHIFT).unwrap_or(u32::MAX)
}
