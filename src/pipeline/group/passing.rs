//! What stages do for many events at once, or pass over, since nothing would come of it.
//!
//! Stages say themselves what nothing would come of; what they are told instead leaves them as if every event had been
//! handled.

use super::{Group, Runner, StageSlot};
use crate::domain::event::Kind;
use crate::domain::{Passed, Price, Slot, Stretch, Time};
use crate::pipeline::stage::{Lull, Shared};
use crate::pipeline::stop::Stop;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<S: Shared> Group<S> {
    /// Whether nothing would come of this lull in any stage. What panics when it is asked stops the run, as at an event.
    #[inline]
    #[must_use]
    pub fn is_calm(&mut self, lull: &Lull) -> bool {
        if !self.is_whole_chain() {
            return false;
        }
        let Runner { stages, running, .. } = &mut self.runner;
        let asked = catch_unwind(AssertUnwindSafe(|| {
            stages.iter().enumerate().all(|(index, slot)| {
                *running = index;
                slot.stage.is_calm(lull)
            })
        }));
        asked.unwrap_or_else(|payload| {
            self.stop.stop(self.runner.panic_reason(payload.as_ref()));
            false
        })
    }

    /// Goes on as if the `slots` slots of this lull had been handled, the last of them at `price`.
    pub fn pass_over(&mut self, slots: u64, price: Price, lull: &Lull) {
        self.runner.seq += slots;
        let seq = self.runner.seq;
        for slot in &mut self.runner.stages {
            slot.stage.pass_over(seq, price, lull);
        }
        if let Some(progress) = &self.progress {
            progress.set(seq);
        }
    }

    /// Leaves of a stretch what nothing would come of in any stage; `first` is the lull that its first bar is.
    pub fn shorten(&mut self, first: &Lull, stretch: &mut Stretch<'_>) {
        if !self.is_calm(first) {
            return stretch.cut_to(0);
        }
        let Runner { stages, running, .. } = &mut self.runner;
        let asked = catch_unwind(AssertUnwindSafe(|| {
            for (index, slot) in stages.iter_mut().enumerate() {
                *running = index;
                slot.stage.shorten(stretch);
                if stretch.bars().is_empty() {
                    return;
                }
            }
        }));
        if let Err(payload) = asked {
            self.stop.stop(self.runner.panic_reason(payload.as_ref()));
            stretch.cut_to(0);
        }
    }

    /// Goes on as if the `slots` slots of this stretch had been handled; `before` is where the price was before its last
    /// close.
    pub fn pass_over_bars(&mut self, slots: u64, before: Price, stretch: &Stretch<'_>) {
        self.runner.seq += slots;
        let passed = Passed { seq: self.runner.seq, before };
        for slot in &mut self.runner.stages {
            slot.stage.pass_over_bars(passed, stretch);
        }
        if let Some(progress) = &self.progress {
            progress.set(passed.seq);
        }
    }

    /// Handles trades of one instrument, each an event of one slot, that come before `end` and are not to be timed: stages
    /// at the end of the chain that are calm in them are handed a run of them at once, up to where something comes for them.
    /// Says how many were handled; none where that cannot be done.
    #[inline]
    pub fn handle_trades(&mut self, trades: &[Slot], end: Time) -> usize {
        let runner = &mut self.runner;
        let Some(first) = trades.first() else { return 0 };
        let calm = |s: &&StageSlot<S>| s.stage.is_calm_in_trades(first.instrument());
        let calm = runner.stages.iter().rev().take_while(calm).count();
        let busy = runner.stages.len() - calm;
        // Where events end in a stage before, its like has to be asked after each.
        let ends = runner.stages[..busy].iter().any(|s| s.ends_events);
        if calm == 0 || busy == 0 || ends || runner.total.is_some() || self.stop.is_failed() {
            return 0;
        }
        let handled = runner.trades(trades, end, calm, &self.stop);
        if let Some(progress) = &self.progress {
            progress.set(runner.seq);
        }
        handled
    }
}

impl<S: Shared> Runner<S> {
    /// See [`Group::handle_trades`]; the last `calm` stages are.
    fn trades(&mut self, trades: &[Slot], mut end: Time, calm: usize, stop: &Stop) -> usize {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let Self { stages, shared, shared_used, running, seq, .. } = self;
            let busy = stages.len() - calm;
            let (busy, calm) = stages.split_at_mut(busy);
            let of = trades.first().map(Slot::instrument);
            let (mut handled, mut told) = (0, false);
            for slot in trades {
                if slot.kind() != Kind::Trade || slot.time() >= end || Some(slot.instrument()) != of {
                    break;
                }
                *seq += 1;
                if *shared_used {
                    shared.on_slot(slot);
                }
                for (index, s) in busy.iter_mut().enumerate() {
                    *running = index;
                    s.stage.on_slot(*seq, slot, shared);
                    end = end.min(s.stage.wakes_at());
                }
                handled += 1;
                told = calm.first().is_none_or(|s| s.stage.is_told());
                if told || stop.is_failed() {
                    break;
                }
            }
            if handled == 0 || stop.is_failed() {
                return handled;
            }
            // What something came for is an event like any other.
            let passed = handled - usize::from(told);
            for (index, s) in calm.iter_mut().enumerate() {
                *running = busy.len() + index;
                if passed > 0 {
                    s.stage.pass_over_trades(*seq - u64::from(told), &trades[..passed]);
                }
                if told {
                    s.stage.on_slot(*seq, &trades[passed], shared);
                }
                if s.ends_events && !s.stage.on_event_end() || stop.is_failed() {
                    break;
                }
            }
            handled
        }));
        outcome.unwrap_or_else(|payload| {
            stop.stop(self.panic_reason(payload.as_ref()));
            0
        })
    }
}
