//! Closing what a kill is to close: at the market, again and again until nothing is left.
//!
//! The orders are the strategy's own, so that its position, the journal and risk agree; they only reduce, which is all
//! that the kill switch lets through.

mod pace;

pub use pace::ClosingPace;

use super::context::View;
use super::desk::{Desk, Wanted};
use super::manager::{RETRY_SMALL_NS, Trail};
use crate::domain::event::{Account, Command, Denial, FeeAsset};
use crate::domain::{
    Extras, InstrumentId, InstrumentTable, Kill, Order, OrderKind, PausedBy, Price, Qty, Refused, Scope,
    Side, StrategyId, Time, TimeInForce, VenueId, kill,
};
use crate::venue::binance::client::is_of_balance;
use pace::{AGAIN_NS, InVain};

/// What is to be closed.
#[derive(Debug)]
pub(super) struct Flatten {
    venue_of: Vec<VenueId>,
    scopes: Vec<Scope>,
    /// Those of them that an earlier run's kills alone say.
    carried: Vec<Scope>,
    next: Time,
    short: Vec<Short>,
    in_vain: InVain,
    pace: ClosingPace,
}

/// What the last attempt to close a position came to.
#[derive(Debug)]
struct Short {
    strategy: StrategyId,
    instrument: InstrumentId,
    then: Then,
}

/// What the next attempt asks for.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// So much, for which there is enough balance.
    UpTo(Qty),
    /// Nothing before then: there is too little to be an order.
    Nothing(Time),
}

impl Short {
    fn is_of(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.strategy == strategy && self.instrument == instrument
    }
}

impl Flatten {
    /// Nothing; with room for whatever there is to close, of so many strategies.
    pub fn new(table: &InstrumentTable, strategies: usize) -> Self {
        let scopes = 1 + kill::venues(table).len() + strategies + table.len();
        Self {
            venue_of: kill::venues_of(table),
            scopes: Vec::with_capacity(scopes),
            carried: Vec::with_capacity(scopes),
            next: Time(0),
            short: Vec::with_capacity(table.len().max(64)),
            in_vain: InVain::new(table),
            pace: ClosingPace::default(),
        }
    }

    /// The same asking at another pace.
    pub fn at_pace(self, pace: ClosingPace) -> Self {
        Self { pace, ..self }
    }

    /// A kill came. There is room for every scope there is: whoever kills a hundred instruments one by one means all of them.
    pub fn kill(&mut self, kill: &Kill) {
        let known = self.scopes.contains(&kill.scope);
        let anew = !kill.carried && self.carried.contains(&kill.scope);
        if !kill.flatten {
            return;
        }
        if known && !anew {
            if !kill.carried && self.pace == ClosingPace::Slower {
                // Whoever says it again has seen that it is not closed.
                self.short.clear();
                self.in_vain.let_go(|_| true);
            }
            return;
        }
        if known {
            self.carried.retain(|scope| *scope != kill.scope);
        } else {
            self.scopes.push(kill.scope);
            self.carried.extend(kill.carried.then_some(kill.scope));
        }
        self.next = Time(0);
        self.short.clear();
        self.in_vain.clear();
    }

    /// A release came: what is not closed yet stays open.
    pub fn release(&mut self, scope: Scope) {
        for scopes in [&mut self.scopes, &mut self.carried] {
            scopes.retain(|s| *s != scope && scope != Scope::All);
        }
    }

    /// Whether there is anything to do at `now`.
    #[inline]
    pub fn is_due(&self, now: Time) -> bool {
        !self.scopes.is_empty() && now >= self.next
    }

    /// When something is to be done; at the end of time where nothing is.
    pub fn next_due(&self) -> Time {
        if self.scopes.is_empty() { Time(u64::MAX) } else { self.next }
    }

    /// Until when nothing is to be done after this attempt.
    pub fn done(&mut self, now: Time) {
        self.next = now.plus_nanos(AGAIN_NS);
    }

    /// Whether it is what closes something here.
    fn closes(&self, order: &Order) -> bool {
        let closes = order.reduce_only && order.kind == OrderKind::Market;
        closes && self.covers(order.strategy, order.instrument)
    }

    /// What the next attempt at a position asks for.
    fn next_asks(&mut self, strategy: StrategyId, instrument: InstrumentId, then: Then) {
        self.short.retain(|short| !short.is_of(strategy, instrument));
        self.short.push(Short { strategy, instrument, then });
    }

    /// Risk denied an order, of whose instrument, in such lots, its strategy holds so much: of a close for which there is too little balance
    /// the next asks for what there is enough for, at once, and what is too little to be an order is asked for after a while. Of several
    /// others in a row the next waits.
    pub fn denied(&mut self, order: &Order, denial: &Denial, held: Qty, lot: Qty, now: Time) {
        if !self.closes(order) {
            return;
        }
        let &Order { strategy, instrument, .. } = order;
        let affordable = denial.affordable(order.qty);
        if affordable.0 > 0 {
            self.next_asks(strategy, instrument, Then::UpTo(affordable));
            if self.pace.is_at_once_seldom() && affordable.in_lots(lot) > Qty::ZERO {
                return;
            }
        } else if denial.is_of_too_little(order.qty, held.abs().in_lots(lot)) {
            let until = now.plus_nanos(RETRY_SMALL_NS);
            return self.next_asks(strategy, instrument, Then::Nothing(until));
        }
        if self.pace.is_by_refusals() {
            self.in_vain.again(strategy, instrument, now);
        }
    }

    /// The venue refused an order, of an instrument in such lots, or it was not sent: of a close for which the account has too
    /// little, whatever the wallet has, the next asks for half, so that what is free leaves in the end. Of several in a row the next
    /// waits; while half is asked for, and half of that, the first time, or where all was asked for at once, none does.
    pub fn refused(&mut self, order: &Order, why: Refused, lot: Qty, now: Time) {
        if !self.closes(order) {
            return;
        }
        let &Order { strategy, instrument, .. } = order;
        let half = Qty(order.qty.0 / 2);
        // Half of less than two lots is nothing to ask for: all of it is asked for again.
        let halves = is_of_balance(why) && half.in_lots(lot) > Qty::ZERO;
        if halves || (is_of_balance(why) && !self.pace.is_by_refusals()) {
            self.next_asks(strategy, instrument, Then::UpTo(half));
        }
        let at_first = !self.in_vain.has(strategy, instrument);
        let at_once = self.pace.is_at_once_seldom() && self.in_vain.is_at_once(strategy, instrument);
        if self.pace.is_by_refusals() && !(halves && (at_first || at_once)) {
            self.in_vain.again(strategy, instrument, now);
        }
    }

    /// An order ended at the venue without a trade: of several in a row that were to close a position the next waits.
    pub fn untraded(&mut self, order: &Order, now: Time) {
        if self.pace != ClosingPace::Even && self.closes(order) {
            self.in_vain.again(order.strategy, order.instrument, now);
        }
    }

    /// Somebody traded with it: the next is asked for as the first was.
    pub fn traded(&mut self, strategy: StrategyId, instrument: InstrumentId) {
        self.in_vain.end(strategy, instrument);
    }

    /// An order traded or is over. Unless it was to close something itself, what it had locked, or brought, may be what lacked.
    pub fn let_go(&mut self, order: &Order, now: Time) {
        if !self.closes(order) {
            self.may_go(now, |instrument| instrument == order.instrument);
        }
    }

    /// Something happened that may have let go of instruments: what of them is to be closed is asked for at once, if seldom.
    fn may_go(&mut self, now: Time, is_meant: impl Fn(InstrumentId) -> bool) {
        match self.pace {
            ClosingPace::Slower | ClosingPace::SlowerUnheeding => self.in_vain.try_at_once(now, is_meant),
            ClosingPace::SlowerOften => self.in_vain.let_go(is_meant),
            ClosingPace::SlowerUntraded | ClosingPace::Even => {}
        }
    }

    /// A command that holds instruments back or lets go of them: what is let go of is asked for at once.
    pub fn held_back(&mut self, command: Command, view: &View) {
        let lets_go = matches!(command, Command::Unpause(..) | Command::Reopen(_) | Command::Unration(_));
        if self.pace.is_by_refusals() && lets_go {
            let concerned = |instrument| view.paused.concerned(command, instrument);
            self.in_vain.let_go(concerned);
            self.try_too_little(|short| concerned(short.instrument));
        }
    }

    /// A strategy's position is another than it was, as by what its entry filled before the kill took that back: what was too
    /// little to be an order may be enough now.
    pub fn position_changed(&mut self, strategy: StrategyId, instrument: InstrumentId) {
        self.try_too_little(|short| short.is_of(strategy, instrument));
    }

    /// What of these was too little to be an order is asked for at once.
    fn try_too_little(&mut self, is_meant: impl Fn(&Short) -> bool) {
        if self.pace == ClosingPace::Slower {
            self.short.retain(|short| !matches!(short.then, Then::Nothing(_)) || !is_meant(short));
        }
    }

    /// Something moved in the account: what of it is to be closed may leave with it.
    pub fn moved(&mut self, account: &Account, table: &InstrumentTable, now: Time) {
        let told = table.get(account.instrument);
        let asset = if account.asset == FeeAsset::Base { &told.base } else { &told.quote };
        self.may_go(now, |instrument| {
            let of = table.get(instrument);
            (&of.venue, of.market) == (&told.venue, told.market) && of.base == *asset
        });
    }

    /// The most that this attempt asks for; `None`: all of it. What there was enough for is said once.
    fn take_most(&mut self, strategy: StrategyId, instrument: InstrumentId, now: Time) -> Option<Qty> {
        let index = self.short.iter().position(|short| short.is_of(strategy, instrument))?;
        let then = self.short[index].then;
        if matches!(then, Then::Nothing(until) if until > now) {
            return Some(Qty::ZERO);
        }
        self.short.remove(index);
        if let Then::UpTo(most) = then { Some(most) } else { None }
    }

    fn covers(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        self.scopes.iter().any(|scope| self.is_in(*scope, strategy, instrument))
    }

    /// Whether nothing is to be closed before a person has looked: what an earlier run held may have left since, and what the
    /// account has of it be somebody else's.
    fn is_unlooked(&self, strategy: StrategyId, instrument: InstrumentId, view: &View) -> bool {
        let mut closing = self.scopes.iter().filter(|scope| self.is_in(**scope, strategy, instrument));
        view.paused.is_paused_by(instrument, PausedBy::Difference)
            && closing.all(|scope| self.carried.contains(scope))
    }

    /// Whether a scope has a strategy's orders of an instrument in it.
    pub fn is_in(&self, scope: Scope, strategy: StrategyId, instrument: InstrumentId) -> bool {
        scope.has(&self.venue_of, strategy, instrument)
    }

    /// Asks for the closing of what one desk has; true where it asked for something.
    pub fn close(&mut self, desk: &mut Desk, instruments: &[InstrumentId], view: &View) -> bool {
        let mut asked = false;
        for &instrument in instruments {
            let held = desk.state.positions[instrument.index()].qty;
            if held == Qty::ZERO || !self.covers(desk.strategy, instrument) {
                continue;
            }
            let leaving = desk.state.orders.iter().any(|o| {
                let o = &o.order;
                o.instrument == instrument && o.leaves_at_once(view.is_of_bars(instrument))
            });
            if leaving || !view.top(instrument).is_two_sided() || view.paused.is_suspended(instrument) {
                continue;
            }
            if self.is_unlooked(desk.strategy, instrument, view)
                || self.in_vain.waits(desk.strategy, instrument, view.now)
            {
                continue;
            }
            // No more than the venue takes at once: what is left goes when this has ended.
            let most = held.abs().min(view.largest(instrument, OrderKind::Market));
            let most = most.min(self.take_most(desk.strategy, instrument, view.now).unwrap_or(most));
            let qty = view.table.get(instrument).whole_lots(most);
            // Less than a lot cannot be closed.
            if qty == Qty::ZERO {
                continue;
            }
            let wanted = Wanted {
                instrument,
                side: if held.0 > 0 { Side::Sell } else { Side::Buy },
                kind: OrderKind::Market,
                tif: TimeInForce::Gtc,
                qty,
                price: Price(0),
                reduce_only: true,
                extras: Extras::NONE,
            };
            // What finds no room is asked for again.
            asked |= desk.place(view, &wanted, Trail::None).is_ok();
        }
        asked
    }
}

#[cfg(test)]
mod tests;
