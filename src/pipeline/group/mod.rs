//! A group: consecutive stages on one thread, sharing one poller of the ring.
//!
//! The same code serves every threading mode: inline is one group polled by the feed thread itself, dedicated is a
//! group a stage.

mod passing;

use super::clock::StampClock;
use super::latency::{Interval, Intervals, Sampler, StageHistogram, StageTally};
use super::ring::{Polled, RingPoller};
use super::stage::{Shared, Stage};
use super::stop::{Stop, StopReason, panic_text};
use super::wait::Idle;
use crate::domain::Slot;
use crate::domain::event::Kind;
use crossbeam_utils::CachePadded;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far the last group has come: the sequencer must know before it lets time run on.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    seq: Arc<CachePadded<AtomicU64>>,
}

impl Progress {
    /// Everything up to this sequence number has been handled by every stage.
    #[inline]
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq.load(Ordering::Acquire)
    }

    #[inline]
    fn set(&self, seq: u64) {
        self.seq.store(seq, Ordering::Release);
    }
}

/// What a poll of a group did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Handled this many slots.
    Worked(u64),
    /// There was nothing to do.
    Idle,
    /// There never will be again.
    Finished,
}

/// The most slots taken at once: small enough that the next group starts soon, large enough to share the cost of the
/// poll among a burst.
const BATCH_SLOTS_MAX: u64 = 64;

/// Stages on one thread, and what they share.
pub struct Group<S: Shared = ()> {
    poller: RingPoller,
    runner: Runner<S>,
    stop: Stop,
    progress: Option<Progress>,
}

struct Runner<S: Shared> {
    /// What the stages share, if any of them uses it, and how long it takes.
    shared: S,
    shared_used: bool,
    shared_latency: StageTally,
    stages: Vec<StageSlot<S>>,
    /// Positions of the stages that want levels: nearly all slots hold some.
    levels_to: Vec<usize>,
    clock: StampClock,
    sampler: Sampler,
    hop: StageTally,
    total: Option<(StageTally, Intervals)>,
    seq: u64,
    /// How many slots surely fit the outgoing lanes; asked anew only when used up.
    credit: u64,
    /// Position of the stage that runs now, should it panic.
    running: usize,
    /// Whether the present event is stamped stage by stage.
    sampled: bool,
    entered: u64,
    /// Raw stamp of when the present event's bytes were read, or were due.
    read: u64,
}

struct StageSlot<S: Shared> {
    stage: Box<dyn Stage<S>>,
    wants_levels: bool,
    ends_events: bool,
    latency: StageTally,
}

/// What is left of a group after its run.
pub struct GroupResult<S: Shared = ()> {
    /// The stages, to read their results from.
    pub stages: Vec<Box<dyn Stage<S>>>,
    /// What they shared.
    pub shared: S,
    /// Latency of the hop into the group, of each stage, and (last group only) of the whole way.
    pub latencies: Vec<StageHistogram>,
    /// Latency of the whole way by stretches of the run (last group only).
    pub intervals: Vec<Interval>,
}

impl<S: Shared> Group<S> {
    /// A group of `stages` behind `poller`, to which `shared` is lent. The last group of the chain is given the progress to publish.
    #[must_use]
    pub fn new(
        poller: RingPoller,
        stages: Vec<Box<dyn Stage<S>>>,
        shared: S,
        clock: StampClock,
        sampler: Sampler,
        stop: Stop,
        progress: Option<Progress>,
    ) -> Self {
        let hop_name = stages.first().map_or("hop", |s| hop_name(s.name()));
        let shared_name = stages.first().map_or("shared", |s| shared_name(shared.name(), s.name()));
        let total = progress.as_ref().map(|_| {
            let doc = "frame read (or due, when paced) to the last stage's exit";
            (StageTally::new("total", doc), Intervals::new())
        });
        let stages: Vec<_> = stages
            .into_iter()
            .map(|stage| StageSlot {
                wants_levels: stage.wants_levels(),
                ends_events: stage.ends_events(),
                latency: StageTally::new(stage.name(), "stage entry to exit, one event"),
                stage,
            })
            .collect();
        let levels_to = (0..).zip(&stages).filter(|(_, s)| s.wants_levels).map(|(index, _)| index).collect();
        let runner = Runner {
            shared_used: shared.is_used(),
            shared_latency: StageTally::new(shared_name, "event handled by what the stages share"),
            shared,
            // A stage alone is bounded by the stamps of its thread: there is nothing to save.
            sampler: if stages.len() > 1 { sampler } else { Sampler::every() },
            levels_to,
            stages,
            clock,
            hop: StageTally::new(hop_name, "slot published to entry into this group's first stage"),
            total,
            seq: 0,
            credit: 0,
            running: 0,
            sampled: true,
            entered: 0,
            read: 0,
        };
        Self { poller, runner, stop, progress }
    }

    /// The same without the latency of the whole way, where events are not received and nobody asks how long they take.
    #[must_use]
    pub fn untimed(mut self) -> Self {
        self.runner.total = None;
        self
    }

    /// Handles what is there, once. Never waits.
    #[inline]
    pub fn step(&mut self) -> Step {
        let runner = &mut self.runner;
        // Only this thread fills the lanes, so what fitted a moment ago still fits, less what was handled since.
        if runner.credit == 0 {
            runner.credit = runner.room();
        }
        let limit = runner.credit.min(BATCH_SLOTS_MAX);
        if limit == 0 {
            return Step::Idle;
        }
        let before = runner.seq;
        // A panic is caught while the guard is still held, and the flag raised before it drops: stages after this one
        // see the flag before they see slots that were never handled.
        let panicked = match self.poller.take(limit) {
            Polled::First(mut guard) => runner.run(&mut guard, &self.stop),
            Polled::Later(mut guard) => runner.run(&mut guard, &self.stop),
            Polled::Empty => return Step::Idle,
            Polled::Finished => return Step::Finished,
        };
        if panicked {
            return Step::Finished;
        }
        let after = self.runner.seq;
        self.runner.credit -= after - before;
        if let Some(progress) = &self.progress {
            progress.set(after);
        }
        Step::Worked(after - before)
    }

    /// Handles slots that their publisher hands over itself, rather than by the ring: where all stages run on its thread, it
    /// would only be read where it was just written.
    #[inline]
    pub fn handle<'s>(&mut self, slots: impl Iterator<Item = &'s Slot>) {
        // Where a stage fails, the flag is raised, and the publisher sees it.
        let _ = self.runner.run(slots, &self.stop);
        if let Some(progress) = &self.progress {
            progress.set(self.runner.seq);
        }
    }

    /// Runs until the producer is gone and everything is handled, or the run is stopped.
    pub fn run(mut self, mut idle: Idle) -> GroupResult<S> {
        loop {
            match self.step() {
                Step::Worked(_) => idle.reset(),
                Step::Idle => {
                    // Asked only when idle: a stop ends waiting, never a batch in the middle.
                    if self.stop.is_failed() {
                        break;
                    }
                    idle.idle();
                }
                Step::Finished => break,
            }
        }
        self.finish()
    }

    /// Ends the group and hands out its results.
    #[must_use]
    pub fn finish(mut self) -> GroupResult<S> {
        let stop = self.stop.clone();
        let runner = &mut self.runner;
        if !stop.is_failed() {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                for slot in &mut runner.stages {
                    slot.stage.on_finish();
                }
            }));
            if let Err(payload) = outcome {
                let message = panic_text(payload.as_ref());
                stop.stop(StopReason::StagePanicked {
                    stage: "finish",
                    seq: runner.seq,
                    part: None,
                    message,
                });
            }
        }
        let mut latencies = vec![self.runner.hop.done()];
        if self.runner.shared_used {
            latencies.push(self.runner.shared_latency.done());
        }
        let mut stages = Vec::new();
        for slot in self.runner.stages {
            latencies.push(slot.latency.done());
            stages.push(slot.stage);
        }
        let mut intervals = Vec::new();
        if let Some((total, cuts)) = self.runner.total {
            latencies.push(total.done());
            intervals = cuts.done();
        }
        GroupResult { stages, shared: self.runner.shared, latencies, intervals }
    }

    /// The sequence number of the last slot handled.
    #[inline]
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.runner.seq
    }

    /// Whether every stage of the pipeline is in this group: it is the first (whoever polls it knows) and the last.
    #[inline]
    #[must_use]
    pub fn is_whole_chain(&self) -> bool {
        self.progress.is_some()
    }

    /// Whether the way through the stages of the event with this sequence number is stamped.
    #[inline]
    #[must_use]
    pub fn samples(&self, seq: u64) -> bool {
        self.runner.sampler.takes(seq)
    }

    /// The names of the stages, in order.
    #[must_use]
    pub fn stage_names(&self) -> Vec<&'static str> {
        self.runner.stages.iter().map(|s| s.stage.name()).collect()
    }
}

impl<S: Shared> Runner<S> {
    #[inline]
    fn room(&self) -> u64 {
        self.stages.iter().map(|s| s.stage.room()).min().unwrap_or(u64::MAX)
    }

    /// Handles the slots of one guard; true if a stage panicked.
    fn run<'g>(&mut self, slots: impl Iterator<Item = &'g Slot>, stop: &Stop) -> bool {
        // A run stopped by a fault handles nothing more: what an earlier stage left out must not be acted on.
        if stop.is_failed() {
            return true;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for slot in slots {
                self.seq += 1;
                if !self.slot(slot, stop) {
                    return true;
                }
            }
            false
        }));
        match outcome {
            Ok(failed) => failed,
            Err(payload) => {
                stop.stop(self.panic_reason(payload.as_ref()));
                true
            }
        }
    }

    /// The running stage panicked.
    #[cold]
    fn panic_reason(&self, payload: &(dyn std::any::Any + Send)) -> StopReason {
        let running = self.stages.get(self.running);
        StopReason::StagePanicked {
            stage: running.map_or("pipeline", |s| s.stage.name()),
            seq: self.seq,
            part: running.and_then(|s| s.stage.at_fault()),
            message: panic_text(payload),
        }
    }

    /// Hands one slot to the stages; false if one of them cannot go on.
    #[inline]
    fn slot(&mut self, slot: &Slot, stop: &Stop) -> bool {
        if slot.is_first() {
            self.sampled = self.sampler.takes(self.seq);
            self.read = slot.published().saturating_sub(slot.read_to_publish());
            if self.sampled {
                self.entered = self.clock.raw();
                self.hop.record(self.clock.nanos(slot.published(), self.entered));
            }
        }
        if self.shared_used {
            self.shared.on_slot(slot);
        }
        if !slot.is_last() {
            if slot.kind() == Kind::Levels {
                self.levels(slot);
            } else {
                self.middle(slot);
            }
            return true;
        }
        self.last(slot, stop)
    }

    /// Hands levels that its event goes on after to the stages that want them.
    #[inline]
    fn levels(&mut self, slot: &Slot) {
        for &index in &self.levels_to {
            if let Some(s) = self.stages.get_mut(index) {
                self.running = index;
                s.stage.on_slot(self.seq, slot, &self.shared);
            }
        }
    }

    /// Hands another slot that its event goes on after to the stages.
    fn middle(&mut self, slot: &Slot) {
        for (index, s) in self.stages.iter_mut().enumerate() {
            self.running = index;
            s.stage.on_slot(self.seq, slot, &self.shared);
        }
    }

    /// Hands an event's last slot to the stages.
    #[inline]
    fn last(&mut self, slot: &Slot, stop: &Stop) -> bool {
        let mut before = self.entered;
        if self.sampled && self.shared_used {
            let after = self.clock.raw();
            self.shared_latency.record(self.clock.nanos(before, after));
            before = after;
        }
        let Self { stages, shared, clock, running, seq, sampled, .. } = self;
        let mut pass = Pass { seq: *seq, slot, shared, stop, clock, sampled: *sampled, running, before };
        let done = match stages.as_mut_slice() {
            // The whole chain, each stage called from a place of its own: the processor then knows the target by the
            // place, where a loop's one call would lead elsewhere each time.
            [a, b, c, d, e, f] => {
                pass.through(0, a)
                    && pass.through(1, b)
                    && pass.through(2, c)
                    && pass.through(3, d)
                    && pass.through(4, e)
                    && pass.through(5, f)
            }
            others => others.iter_mut().enumerate().all(|(index, stage)| pass.through(index, stage)),
        };
        before = pass.before;
        if !done {
            return false;
        }
        if let Some((total, intervals)) = &mut self.total {
            let end = if self.sampled { before } else { self.clock.raw() };
            let latency_ns = self.clock.nanos(self.read, end);
            total.record(latency_ns);
            intervals.record(latency_ns, end, &self.clock);
        }
        true
    }
}

/// An event's last slot on its way through the stages.
struct Pass<'a, S: Shared> {
    seq: u64,
    slot: &'a Slot,
    shared: &'a S,
    stop: &'a Stop,
    clock: &'a StampClock,
    sampled: bool,
    running: &'a mut usize,
    /// Raw stamp of when the stage before was left.
    before: u64,
}

impl<S: Shared> Pass<'_, S> {
    /// Hands it to one stage; false if the run cannot go on.
    #[inline(always)]
    fn through(&mut self, index: usize, s: &mut StageSlot<S>) -> bool {
        *self.running = index;
        s.stage.on_slot(self.seq, self.slot, self.shared);
        // A stage whose lane overflowed has left a message out: the stages after it must not act on the event.
        if s.ends_events && !s.stage.on_event_end() || self.stop.is_failed() {
            return false;
        }
        if self.sampled {
            let after = self.clock.raw();
            s.latency.record(self.clock.nanos(self.before, after));
            self.before = after;
        }
        true
    }
}

fn hop_name(first_stage: &'static str) -> &'static str {
    match first_stage {
        "market" => "hop-to-market",
        "strategy" => "hop-to-strategy",
        "risk" => "hop-to-risk",
        "execution" => "hop-to-execution",
        "journal" => "hop-to-journal",
        "gateway" => "hop-to-gateway",
        _ => "hop",
    }
}

fn shared_name(shared: &'static str, first_stage: &'static str) -> &'static str {
    match (shared, first_stage) {
        ("books", "strategy") => "books-of-strategy",
        ("books", "journal") => "books-of-gateway",
        ("books", "gateway") => "books-of-gateway",
        _ => shared,
    }
}
