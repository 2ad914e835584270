//! What stops: losses that are looked at, switches that are thrown, and the cancels that follow.
//!
//! Owns: when it is time to look, to publish and to take back. Invariant: what a switch stops is asked back until nothing
//! of it is left but what leaves at once, or protects what nothing else closes, so many in one event and again where nobody
//! answered.

use super::Judge;
use crate::domain::event::Command;
use crate::domain::{
    DenyReason, InstrumentId, Kill, Order, PausedBy, Price, Qty, Scope, Slot, StrategyId, Time,
};
use crate::risk::carried::Carried;
use crate::risk::rates::Sent;
use crate::risk::rule::RuleList;
use crate::risk::stage::{Verdict, VerdictBody};
use crate::risk::switch::Threw;
use crate::risk::watch::{Switched, Unclosed, WatchSender};

/// Losses are looked at this often between fills and orders, ns of the sequencer's time.
const LOOK_EVERY_NS: u64 = 10_000_000;
/// Snapshots are published this often, and after each trade, ns of the sequencer's time.
const PUBLISH_EVERY_NS: u64 = 250_000_000;
/// A cancel that was not answered is asked for again after this, ns.
const ASK_AGAIN_NS: u64 = 500_000_000;
/// How long losses wait at most for the market to value all that an earlier run left, once it says anything, ns.
const PRICES_AWAITED_NS: u64 = 10_000_000_000;
/// Cancels that a kill may cause in one event; what is left follows with the next.
pub const KILL_CANCELS_PER_EVENT_MAX: usize = 64;

impl<R: RuleList> Judge<R> {
    /// What no count of changes comes to.
    pub(super) const NEVER_LOOKED: u64 = u64::MAX;

    /// Stops; whether that says something new of what is stopped.
    pub(super) fn kill(&mut self, kill: &Kill) -> bool {
        let threw = self.switches.kill(kill);
        if threw != Threw::Nothing {
            (self.sweeping, self.sweep_at) = (true, self.now);
            self.tell(Switched::Killed(*kill));
            if kill.flatten {
                self.unsent.killed(kill, self.now);
            }
            self.tell_all_unlooked();
        }
        threw == Threw::New
    }

    /// Whether an order that is stopped stays, or may go out: it protects what is held, or leaves it as
    /// [`waits_to_leave`](crate::risk::live::LiveOrder::waits_to_leave) has it, and nothing else closes that. What closes needs all that is held to be free, and
    /// none of it to leave twice; what is to close it and may not yet needs nothing, and what protects it stays until then.
    pub(super) fn is_spared(&self, order: &Order, waits_to_leave: bool) -> bool {
        let &Order { strategy, instrument, .. } = order;
        (waits_to_leave || order.protects())
            && (!self.switches.closes(strategy, instrument) || self.waits_to_close(strategy, instrument))
    }

    /// Whether nothing closes it yet: it is an earlier run's kill that is to, and a person has not looked what the account has,
    /// or the venue, which is asked that first, takes no orders.
    fn waits_to_close(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        let may_not = self.paused.is_paused_by(instrument, PausedBy::Difference)
            || self.paused.is_suspended(instrument);
        !self.bares_what_waits && may_not && self.switches.closes_by_carried(strategy, instrument)
    }

    /// What waited to be closed may be now: what protects it is taken back.
    pub(super) fn sweep_what_waited(&mut self) {
        if self.switches.any() && !self.bares_what_waits {
            (self.sweeping, self.sweep_at) = (true, self.now);
        }
    }

    /// Losses are forgiven with what is let go, and with nothing else: a release of what is not stopped changes nothing.
    pub(super) fn release(&mut self, scope: Scope) {
        let nothing = match scope {
            Scope::All => !self.switches.any(),
            of => self.switches.cause(of).is_none(),
        };
        if nothing {
            return;
        }
        self.exposure.settle();
        if scope == Scope::All && self.switches.cause(scope).is_none() {
            // All that is stopped, of which each has its own losses; those of everything together stopped nothing.
            for strategy in (0..=u8::MAX).take(self.sent.len()) {
                self.forgive(Scope::Strategy(StrategyId(strategy)));
            }
        } else {
            self.forgive(scope);
        }
        self.switches.release(scope);
        // What is let go on with its losses is looked at anew.
        self.looked_at.fill(Self::NEVER_LOOKED);
        self.tell(Switched::Released(scope));
        self.tell_all_unlooked();
    }

    /// What surveillance stopped lost nothing by it: a throttle that is over is no pardon for the day's losses.
    fn forgive(&mut self, scope: Scope) {
        let cause = self.switches.cause(scope);
        if cause.is_none() || (cause == Some(DenyReason::Surveillance) && scope != Scope::All) {
            return;
        }
        self.losses.forget(scope, &self.exposure);
        if self.prices_by.is_some() {
            self.released.push(scope);
        }
    }

    /// Tells of an order that a kill closes a position by, and that was not taken.
    #[inline]
    pub(super) fn tell_unclosed(&mut self, order: &Order, why: impl FnOnce() -> Unclosed) {
        if self.is_closing(order) {
            let why = why();
            self.unsent.failed(order.strategy, order.instrument, why, self.now);
            self.tell(Switched::NotClosed(order.instrument, why));
        }
    }

    /// Notes that what a kill closes a position by is on its way, if it is.
    #[cold]
    pub(super) fn note_closing(&mut self, order: &Order) {
        if self.is_closing(order) {
            self.unsent.sent(order.strategy, order.instrument, self.now);
        }
    }

    /// Whether a kill closes a position by this order.
    fn is_closing(&self, order: &Order) -> bool {
        let of_bars = self.facts.get(order.instrument.index()).is_some_and(|facts| facts.of_bars);
        let closes = order.leaves_at_once(of_bars) && self.switches.any();
        closes && self.switches.closes(order.strategy, order.instrument)
    }

    /// Tells of what is held and not closed by a kill of an earlier run until a person has looked what the account has, and of
    /// what was and is no longer. Each change is told once: who hears of it must not hear of all of them with each.
    fn tell_all_unlooked(&mut self) {
        (0..u16::MAX).take(self.table.len()).for_each(|of| self.tell_unlooked(InstrumentId(of)));
    }

    /// The same of one instrument.
    pub(super) fn tell_unlooked(&mut self, of: InstrumentId) {
        if self.watch.is_none() {
            return;
        }
        let mut strategies = (0..=u8::MAX).take(self.sent.len()).map(StrategyId);
        let waits = |strategy| self.is_left(strategy, of) && self.switches.closes_by_carried(strategy, of);
        let unlooked = self.switches.any()
            && self.paused.is_paused_by(of, PausedBy::Difference)
            && strategies.any(waits);
        let Some(told) = self.unlooked.get_mut(of.index()).filter(|told| **told != unlooked) else { return };
        *told = unlooked;
        self.tell(if unlooked { Switched::NotClosed(of, Unclosed::Unlooked) } else { Switched::Decided(of) });
    }

    /// Whether there is anything to close: less than a lot is nothing.
    pub(super) fn is_left(&self, strategy: StrategyId, of: InstrumentId) -> bool {
        self.table.get(of).whole_lots(self.exposure.held(strategy, of).abs()) != Qty::ZERO
    }

    /// Tells, where a position that a kill closes has changed, that nothing is left of it, if so: whoever heard that it does
    /// not close would go by that on.
    #[inline]
    pub(super) fn tell_if_closed(&mut self, strategy: StrategyId, of: InstrumentId) {
        if self.watch.is_some() && self.switches.any() && self.switches.closes(strategy, of) {
            self.unsent.changed(strategy, of, self.now);
            self.tell_closed(of);
        }
    }

    #[cold]
    fn tell_closed(&mut self, of: InstrumentId) {
        self.tell_unlooked(of);
        let mut strategies = (0..=u8::MAX).take(self.sent.len()).map(StrategyId);
        if !strategies.any(|strategy| self.is_left(strategy, of) && self.switches.closes(strategy, of)) {
            self.tell(Switched::Closed(of));
        }
    }

    pub(super) fn tell(&mut self, switched: Switched) {
        let now = self.now;
        if let Some(watch) = &mut self.watch {
            watch.tell(switched, now);
        }
    }

    /// Whether nothing would come of bars of this instrument: no order is to be taken back, and what they say of its worth
    /// is no loss over its limit and told to nobody.
    pub fn is_calm(&self, instrument: InstrumentId) -> bool {
        let at_stake = self.exposure.is_held(instrument) || self.exposure.is_unsettled();
        !self.sweeping && (!at_stake || (self.losses.are_unlimited() && self.watch.is_none()))
    }

    /// Time comes to `now`, with an event whose price or fill is not taken in yet: it is the day's that begins here.
    #[inline]
    pub fn come_to(&mut self, now: Time) {
        self.now = now;
        if self.losses.is_new_day(now) {
            self.begin_day();
        }
    }

    #[cold]
    fn begin_day(&mut self) {
        self.exposure.settle();
        self.losses.begin_day(self.now, &self.exposure);
        self.day_awaits = self.prices_by.is_some();
        self.sent.iter_mut().for_each(Sent::new_day);
        self.sent_all.new_day();
        self.trades_today.fill(0);
    }

    /// Whether losses have to wait: an earlier run's positions are worth what the market says, and until it has said so they
    /// stand at what they cost. Not for ever: what it says nothing of must not keep all other losses from being seen.
    fn await_prices(&mut self) -> bool {
        let Some(by) = self.prices_by else { return false };
        if !self.exposure.is_priced() {
            if by == Time(0) && self.heard {
                self.prices_by = Some(self.now.plus_nanos(PRICES_AWAITED_NS));
            }
            if by == Time(0) || self.now < by {
                return true;
            }
        }
        self.prices_by = None;
        self.losses.start_window(&self.exposure);
        for scope in std::mem::take(&mut self.released) {
            self.losses.forget(scope, &self.exposure);
        }
        if std::mem::take(&mut self.day_awaits) {
            self.losses.start_day(&self.exposure);
        }
        false
    }

    /// Whether no price of this instrument could make it do anything but value what is held. What another moved and nobody
    /// has valued yet may be a loss over its limit, which is seen at the next look.
    pub fn is_calm_in_trades(&self, instrument: InstrumentId) -> bool {
        let at_stake = self.exposure.is_held(instrument) || self.exposure.is_unsettled();
        !self.sweeping && (self.losses.are_unlimited() || !at_stake)
    }

    /// Looks at losses, if it is time to.
    #[inline]
    pub fn on_time(&mut self, seq: u64) {
        if self.now >= self.look_at {
            self.look_at = self.now.plus_nanos(LOOK_EVERY_NS);
            self.look(seq, None);
            self.tell_unsent_if_due();
            if self.now >= self.publish_at {
                self.publish();
            }
        }
    }

    /// Whoever is to be told has room for what there is to tell.
    pub fn watched_by(&mut self, watch: Option<WatchSender>) {
        self.watch = watch;
        // Who has nobody to tell may not have looked at what came last.
        if self.watch.is_some() && self.exposure.is_unsettled() {
            self.exposure.settle();
        }
        self.publish();
    }

    /// Copies what others may see; nothing where they look just now: the next time is soon enough.
    #[cold]
    fn publish(&mut self) {
        let Some(mut snapshot) = self.watch.as_ref().and_then(WatchSender::snapshot) else { return };
        self.publish_at = self.now.plus_nanos(PUBLISH_EVERY_NS);
        snapshot.time = self.now;
        snapshot.awaits_prices = self.prices_by.is_some();
        self.losses.copy_to(&mut snapshot, &self.exposure);
        self.exposure.copy_to(&mut snapshot);
        snapshot.sent.clear();
        snapshot.sent.extend(self.sent.iter_mut().map(|sent| sent.counted(self.now)));
        snapshot.sent_all = self.sent_all.counted(self.now);
        snapshot.trades_today.clone_from(&self.trades_today);
        snapshot.turned_away.clone_from(&self.turned_away);
        snapshot.pauses.copy_from(&self.paused);
        let (now, window_ns) = (self.now, self.limits.same_way_window_ns);
        snapshot.same_way.clear();
        snapshot.same_way.extend(self.habits.iter().map(|habits| habits.standing(now, window_ns)));
        snapshot.silent_ns.clear();
        snapshot.silent_ns.extend(self.facts.iter().map(|facts| facts.silent_ns(now)));
        snapshot.clock_lag_ns = self.clock_lag_ns;
        let instruments = self.table.all().iter();
        snapshot.quote_free.clear();
        snapshot.quote_free.extend(instruments.map(|of| self.wallets.quote_free(of.id)));
    }

    /// Goes on from what an earlier run left to losses and the day's counts.
    pub fn carry(&mut self, carried: &Carried) {
        self.losses.carry(carried, &self.exposure);
        if carried.day_ends_ns == 0 {
            return;
        }
        self.sent_all.carry(&carried.whole);
        for (at, track) in carried.strategies.iter().enumerate().take(self.sent.len()) {
            self.sent[at].carry(track);
            self.trades_today[at] = track.trades;
        }
    }

    /// Takes back what is open of what is stopped, if something may be.
    #[inline]
    pub fn sweep_if_due(&mut self, seq: u64) {
        if self.sweeping && self.now >= self.sweep_at {
            self.sweep(seq);
        }
    }

    /// Looks at losses: of all, and of one strategy or each.
    #[inline]
    pub(super) fn look(&mut self, seq: u64, strategy: Option<StrategyId>) {
        if self.exposure.is_unsettled() {
            self.exposure.settle();
        }
        if self.await_prices() {
            return;
        }
        // Peaks are of use to limits, and to who is told of them.
        if !self.losses.have_limits() && self.watch.is_none() {
            return;
        }
        let changes = self.exposure.changes();
        match strategy {
            // Time alone loses nothing: the peak and the day's start stay, and the best of a window only falls.
            Some(strategy) if self.looked_at[strategy.index()] == changes => {}
            // Where there is a window it is looked at all the same: what is told of it passes with time.
            None if !self.losses.have_window() && self.looked_at.iter().all(|at| *at == changes) => {}
            Some(strategy) => {
                self.look_at_all(seq);
                self.look_at(seq, strategy, changes);
            }
            None => {
                self.look_at_all(seq);
                for index in (0..=u8::MAX).take(self.losses.strategies()) {
                    self.look_at(seq, StrategyId(index), changes);
                }
            }
        }
    }

    fn look_at_all(&mut self, seq: u64) {
        if let Some(kill) = self.losses.of_all(self.now, &self.exposure) {
            self.latch(seq, &kill);
        }
    }

    fn look_at(&mut self, seq: u64, strategy: StrategyId, changes: u64) {
        self.looked_at[strategy.index()] = changes;
        if let Some(kill) = self.losses.of_strategy(strategy, &self.exposure) {
            self.latch(seq, &kill);
        }
    }

    /// A loss is over its limit: stops at once, and says so in the ring, where everybody else hears of it. What somebody
    /// stopped before is no exception: whoever did may have meant to keep the position, and not to lose all of it.
    #[cold]
    fn latch(&mut self, seq: u64, kill: &Kill) {
        // It stopped this once, before a restart, say: what was to be closed was said then, and what protects what is not to be
        // closed stays.
        if self.switches.is_thrown_by(kill.scope, kill.cause) {
            return;
        }
        if self.kill(kill) {
            self.answer(seq, || Slot::command(Command::Kill(*kill)));
        }
    }

    /// Takes back what is open of what is stopped, but for what leaves at once or is spared.
    #[cold]
    fn sweep(&mut self, seq: u64) {
        let (mut asked, mut left) = (0, false);
        for at in 0..self.live.len() {
            let live = self.live.at(at);
            let (order, waits_to_leave) = (live.state.order, live.waits_to_leave());
            let Order { id, strategy, instrument, .. } = order;
            // What leaves at once is how what is stopped is closed: taken back, it would have to be sent again.
            let leaves = order.leaves_at_once(self.facts[instrument.index()].of_bars);
            if leaves
                || self.switches.stops(strategy, instrument).is_none()
                || self.is_spared(&order, waits_to_leave)
            {
                continue;
            }
            left = true;
            let live = self.live.at_mut(at);
            if live.asked_at.is_some_and(|asked| self.now.since(asked) < ASK_AGAIN_NS) {
                continue;
            }
            if asked == KILL_CANCELS_PER_EVENT_MAX {
                break;
            }
            asked += 1;
            live.asked_at = Some(self.now);
            let body = VerdictBody::Cancel { order: id, strategy, instrument };
            self.verdicts.push(Verdict { seq, decided: [Price(0); 2], body });
            self.count_cancel(strategy);
        }
        self.sweeping = left;
        // Where there was more than an event may cause, the next goes on.
        let pause = if asked == KILL_CANCELS_PER_EVENT_MAX { 0 } else { LOOK_EVERY_NS };
        self.sweep_at = self.now.plus_nanos(pause);
    }
}
