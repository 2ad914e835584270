//! How often what a kill is to close is asked for, where that comes to nothing.
//!
//! Owns: how often in a row each position was asked for in vain, and until when it waits. Invariant: nothing waits longer than
//! [`LONGEST_NS`]. What a hold lets go of does not wait at all; nor does, once in [`AT_ONCE_EVERY_NS`], what an order that is
//! over, or something that came into the account, may have been wanting for: where one strategy is stopped and another makes a
//! market in the same instrument, every fill looks like that. What the ring is not told of, as when somebody else's order is
//! taken back that had the balance locked, the next attempt finds.

use crate::domain::{InstrumentId, InstrumentTable, StrategyId, Time};

/// Between two attempts, ns of the sequencer's time: the first may have met orders that were not cancelled yet.
pub(super) const AGAIN_NS: u64 = 250_000_000;
/// So often in a row what is to close a position may come to nothing before the next waits longer, twice as long each time, so
/// many times: a market that is empty or halted for hours costs no day's worth of orders.
pub(super) const AT_ONE_PACE: u32 = 4;
const DOUBLINGS: u32 = 4;
/// The longest pause between two attempts, ns.
pub(super) const LONGEST_NS: u64 = AGAIN_NS << DOUBLINGS;
/// What may have held a position up lets go of it again and again: it is asked for at once so seldom, ns.
pub(super) const AT_ONCE_EVERY_NS: u64 = 60_000_000_000;
// What the status tells of it is told for longer than that (`run::control`, OVER_AFTER_NS).
const _: () = assert!(LONGEST_NS <= 5_000_000_000);

/// What makes the closing of a position less frequent where it comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClosingPace {
    /// Whatever it comes to nothing by.
    #[default]
    Slower,
    /// The same, but what is too little to be an order waits its minute whatever becomes of the position, and a kill that is
    /// asked for again says nothing new. The journal that is replayed is from before either was heeded.
    SlowerUnheeding,
    /// The same, but for what is asked for at once: whatever may have held it up makes it so, however often, and a part of it
    /// waits as all of it does. The journal that is replayed is from before that was seldom.
    SlowerOften,
    /// That nobody trades with it: the journal that is replayed is from before refusals and denials made it so.
    SlowerUntraded,
    /// Nothing: the journal that is replayed is from before anything did.
    Even,
}

impl ClosingPace {
    /// Whether refusals and denials make it less frequent, too.
    pub(crate) fn is_by_refusals(self) -> bool {
        matches!(self, Self::Slower | Self::SlowerUnheeding | Self::SlowerOften)
    }

    /// Whether what may have held it up makes it so no more than seldom.
    pub(crate) fn is_at_once_seldom(self) -> bool {
        matches!(self, Self::Slower | Self::SlowerUnheeding)
    }
}

/// What was asked for in vain.
#[derive(Debug)]
pub(super) struct InVain(Vec<One>);

/// A position that was to be closed, and was not by the last that was sent for it.
#[derive(Debug)]
struct One {
    strategy: StrategyId,
    instrument: InstrumentId,
    /// How often in a row.
    times: u32,
    /// Nothing is asked for before.
    next: Time,
    /// What is asked for, or was last, does not wait for its time, and nor does a part of it.
    at_once: bool,
    /// What may have held it up makes it so no more before.
    at_once_from: Time,
}

impl One {
    fn is_of(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        (self.strategy, self.instrument) == (strategy, instrument)
    }
}

impl InVain {
    /// Nothing, with room for so much.
    pub fn new(table: &InstrumentTable) -> Self {
        Self(Vec::with_capacity(table.len().max(64)))
    }

    /// What was sent for it came to nothing: after several in a row the next waits.
    pub fn again(&mut self, strategy: StrategyId, instrument: InstrumentId, now: Time) {
        let index = self.0.iter().position(|one| one.is_of(strategy, instrument)).unwrap_or_else(|| {
            let never = Time(0);
            self.0.push(One {
                strategy,
                instrument,
                times: 0,
                next: never,
                at_once: false,
                at_once_from: never,
            });
            self.0.len() - 1
        });
        let one = &mut self.0[index];
        one.at_once = false;
        one.times = one.times.saturating_add(1);
        let doublings = one.times.saturating_sub(AT_ONE_PACE).min(DOUBLINGS);
        if doublings > 0 {
            one.next = now.plus_nanos(AGAIN_NS << doublings);
        }
    }

    /// Whether anything was sent for it in vain.
    pub fn has(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.0.iter().any(|one| one.is_of(strategy, instrument))
    }

    /// Whether what was sent for it last did not wait for its time.
    pub fn is_at_once(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.0.iter().any(|one| one.is_of(strategy, instrument) && one.at_once)
    }

    /// Whether it is to wait.
    pub fn waits(&self, strategy: StrategyId, instrument: InstrumentId, now: Time) -> bool {
        self.0.iter().any(|one| one.is_of(strategy, instrument) && one.next > now)
    }

    /// Some of it was closed: the next is asked for as the first was.
    pub fn end(&mut self, strategy: StrategyId, instrument: InstrumentId) {
        self.0.retain(|one| !one.is_of(strategy, instrument));
    }

    /// What held up these instruments has let go: the next is asked for at once. Where that comes to nothing either, the one
    /// after it waits as long as before.
    pub fn let_go(&mut self, is_meant: impl Fn(InstrumentId) -> bool) {
        for one in self.0.iter_mut().filter(|one| is_meant(one.instrument)) {
            (one.next, one.at_once) = (Time(0), true);
        }
    }

    /// What may have held up these instruments has let go: the same, of what waits and was not asked for so of late.
    pub fn try_at_once(&mut self, now: Time, is_meant: impl Fn(InstrumentId) -> bool) {
        let waits = |one: &&mut One| is_meant(one.instrument) && one.next > now && now >= one.at_once_from;
        for one in self.0.iter_mut().filter(waits) {
            (one.next, one.at_once) = (Time(0), true);
            one.at_once_from = now.plus_nanos(AT_ONCE_EVERY_NS);
        }
    }

    /// All begins anew.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
