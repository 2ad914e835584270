//! What a kill is to close and nothing closes, since nothing is sent: there is no way to send it, or an order of before may
//! still close it.
//!
//! Owns: since when that is so of each strategy's position, and how often it is told. It changes nothing that is decided: what is asked
//! for, and when, the strategies' stage knows (`strategy::flatten`), which nobody hears where it asks for nothing.

use super::Judge;
use crate::domain::{InstrumentId, Kill, PausedBy, Qty, StrategyId, Time};
use crate::risk::rule::{RuleList, quote_units};
use crate::risk::watch::{Switched, Unclosed};

/// An order that leaves at once is over at once: one without an answer for so long is told, ns of the sequencer's time.
const UNANSWERED_NS: u64 = 2_000_000_000;
/// Looked at, and told, this often, ns: who is told takes it for over three seconds after the last time.
const LOOK_EVERY_NS: u64 = 1_000_000_000;
/// After a kill the first order that closes is on its way for less, ns.
const FIRST_WITHIN_NS: u64 = 1_500_000_000;
/// A run that goes on has its market and its venue by then, ns.
const STARTED_WITHIN_NS: u64 = 10_000_000_000;
/// After an order that came to nothing the next comes within less, ns.
const NEXT_WITHIN_NS: u64 = 6_000_000_000;
/// And so after one of too little.
const NEXT_SMALL_WITHIN_NS: u64 = 65_000_000_000;

/// What is known of what is sent for the instruments that kills close.
#[derive(Debug)]
pub(super) struct Unsent {
    instruments: usize,
    /// By strategy and, within it, by instrument, until when nothing is to be told: what closes it may be on its way.
    quiet_until: Vec<Time>,
    look_at: Time,
}

impl Unsent {
    /// Nothing, of so many.
    pub fn new(strategies: usize, instruments: usize) -> Self {
        Self { instruments, quiet_until: vec![Time(0); strategies * instruments], look_at: Time(0) }
    }

    fn place(&self, strategy: StrategyId, of: InstrumentId) -> usize {
        strategy.index() * self.instruments + of.index()
    }

    fn quiet_until(&mut self, strategy: StrategyId, of: InstrumentId) -> Option<&mut Time> {
        let place = self.place(strategy, of);
        self.quiet_until.get_mut(place)
    }

    fn quiet(&mut self, strategy: StrategyId, of: InstrumentId, until: Time) {
        if let Some(at) = self.quiet_until(strategy, of) {
            *at = (*at).max(until);
        }
    }

    /// A kill came: what is to close its positions is sent first of all.
    pub fn killed(&mut self, kill: &Kill, now: Time) {
        let within = if kill.carried { STARTED_WITHIN_NS } else { FIRST_WITHIN_NS };
        let until = now.plus_nanos(within);
        self.quiet_until.iter_mut().for_each(|at| *at = (*at).max(until));
    }

    /// What closes a position was sent.
    pub fn sent(&mut self, strategy: StrategyId, of: InstrumentId, now: Time) {
        self.quiet(strategy, of, now.plus_nanos(NEXT_WITHIN_NS));
    }

    /// What closes a position came to nothing, for this reason.
    pub fn failed(&mut self, strategy: StrategyId, of: InstrumentId, why: Unclosed, now: Time) {
        let within = if why.is_small() { NEXT_SMALL_WITHIN_NS } else { NEXT_WITHIN_NS };
        self.quiet(strategy, of, now.plus_nanos(within));
    }

    /// A position changed: what was too little to be an order is asked for at once, and not only after its minute.
    pub fn changed(&mut self, strategy: StrategyId, of: InstrumentId, now: Time) {
        // What waits for the start of a run waits on.
        let latest = now.plus_nanos(STARTED_WITHIN_NS);
        if let Some(at) = self.quiet_until(strategy, of) {
            *at = (*at).min(latest);
        }
    }

    /// Whether what closes a position may be on its way.
    pub fn is_quiet(&self, strategy: StrategyId, of: InstrumentId, now: Time) -> bool {
        self.quiet_until.get(self.place(strategy, of)).is_none_or(|until| now < *until)
    }
}

impl<R: RuleList> Judge<R> {
    /// Tells, if it is time to, what a kill is to close and nothing is sent for.
    #[inline]
    pub(super) fn tell_unsent_if_due(&mut self) {
        if self.watch.is_some() && self.switches.any() && self.now >= self.unsent.look_at {
            self.unsent.look_at = self.now.plus_nanos(LOOK_EVERY_NS);
            self.tell_unanswered();
            (0..u16::MAX).take(self.table.len()).for_each(|of| self.tell_unsent(InstrumentId(of)));
        }
    }

    /// Orders of before that may still close something, and have no answer.
    #[cold]
    fn tell_unanswered(&mut self) {
        for at in 0..self.live.len() {
            let order = self.live.at(at).state.order;
            let leaves = order.leaves_at_once(self.facts[order.instrument.index()].of_bars);
            let left = self.is_left(order.strategy, order.instrument);
            if !leaves || !left || !self.switches.closes(order.strategy, order.instrument) {
                continue;
            }
            // While it is there nothing else is sent.
            self.unsent.sent(order.strategy, order.instrument, self.now);
            let since: Time = *self.live.at_mut(at).awaited_since.get_or_insert(self.now);
            if self.now.since(since) >= UNANSWERED_NS {
                self.tell(Switched::NotClosed(order.instrument, Unclosed::Unanswered));
            }
        }
    }

    #[cold]
    fn tell_unsent(&mut self, of: InstrumentId) {
        if !self.exposure.is_held(of) {
            return;
        }
        // Each reason once, however many hold it.
        for why in [Unclosed::Suspended, Unclosed::NoMarket, Unclosed::LessThanALot] {
            let mut strategies = (0..=u8::MAX).take(self.sent.len()).map(StrategyId);
            if strategies.any(|strategy| self.why_unsent(strategy, of) == Some(why)) {
                self.tell(Switched::NotClosed(of, why));
            }
        }
    }

    /// Why nothing is sent, if anything is to be closed.
    fn why_unsent(&self, strategy: StrategyId, of: InstrumentId) -> Option<Unclosed> {
        let held = self.exposure.held(strategy, of).abs();
        let closes = held != Qty::ZERO && self.switches.closes(strategy, of);
        if !closes || self.unsent.is_quiet(strategy, of, self.now) {
            return None;
        }
        // What waits for a person is told apart.
        if self.paused.is_paused_by(of, PausedBy::Difference) && self.switches.closes_by_carried(strategy, of)
        {
            return None;
        }
        if self.is_left(strategy, of) {
            let suspended = self.paused.is_suspended(of);
            return Some(if suspended { Unclosed::Suspended } else { Unclosed::NoMarket });
        }
        let instrument = self.table.get(of);
        // What a commission leaves of a position is nothing to tell.
        let least = quote_units(instrument.min_notional, instrument.notional_decimals());
        let worth = self.exposure.value(of, self.exposure.mark_of(of), held);
        (least > 0 && worth >= least).then_some(Unclosed::LessThanALot)
    }
}
