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
        if !kill.flatten || (known && !anew) {
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
    /// the next asks for what there is enough for, and what is too little to be an order is asked for after a while. Of several in a row
    /// the next waits.
    pub fn denied(&mut self, order: &Order, denial: &Denial, held: Qty, lot: Qty, now: Time) {
        if !self.closes(order) {
            return;
        }
        let &Order { strategy, instrument, .. } = order;
        let affordable = denial.affordable(order.qty);
        if affordable.0 > 0 {
            self.next_asks(strategy, instrument, Then::UpTo(affordable));
        } else if denial.is_of_too_little(order.qty, held.abs().in_lots(lot)) {
            let until = now.plus_nanos(RETRY_SMALL_NS);
            return self.next_asks(strategy, instrument, Then::Nothing(until));
        }
        if self.pace == ClosingPace::Slower {
            self.in_vain.again(strategy, instrument, now);
        }
    }

    /// The venue refused an order, of an instrument in such lots, or it was not sent: of a close for which the account has too
    /// little, whatever the wallet has, the next asks for half, so that what is free leaves in the end. Of several in a row the next
    /// waits; while half is asked for, and half of that, the first time, none does.
    pub fn refused(&mut self, order: &Order, why: Refused, lot: Qty, now: Time) {
        if !self.closes(order) {
            return;
        }
        let &Order { strategy, instrument, .. } = order;
        let half = Qty(order.qty.0 / 2);
        // Half of less than two lots is nothing to ask for: all of it is asked for again.
        let halves = is_of_balance(why) && half.in_lots(lot) > Qty::ZERO;
        if halves || (is_of_balance(why) && self.pace != ClosingPace::Slower) {
            self.next_asks(strategy, instrument, Then::UpTo(half));
        }
        let at_first = halves && !self.in_vain.has(strategy, instrument);
        if self.pace == ClosingPace::Slower && !at_first {
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
    pub fn let_go(&mut self, order: &Order) {
        if self.pace == ClosingPace::Slower && !self.closes(order) {
            self.in_vain.try_at_once(|instrument| instrument == order.instrument);
        }
    }

    /// A command that holds instruments back or lets go of them: what is let go of is asked for at once.
    pub fn held_back(&mut self, command: Command, view: &View) {
        let lets_go = matches!(command, Command::Unpause(..) | Command::Reopen(_) | Command::Unration(_));
        if self.pace == ClosingPace::Slower && lets_go {
            self.in_vain.try_at_once(|instrument| view.paused.concerned(command, instrument));
        }
    }

    /// Something moved in the account: what of it is to be closed is asked for at once.
    pub fn moved(&mut self, account: &Account, table: &InstrumentTable) {
        if self.pace != ClosingPace::Slower {
            return;
        }
        let told = table.get(account.instrument);
        let asset = if account.asset == FeeAsset::Base { &told.base } else { &told.quote };
        self.in_vain.try_at_once(|instrument| {
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
mod tests {
    use super::*;
    use crate::domain::event::{Command, FeeAsset, Report};
    use crate::domain::instrument::tests::sample;
    use crate::domain::order::ReportKind;
    use crate::domain::{Binds, DenyReason, Instrument, Level, Market, Measure, OrderId, Subject};
    use crate::market::Top;

    const BTC: InstrumentId = InstrumentId(0);

    /// A kill of everything, and a desk with so much of an instrument of which an order is at most of so much.
    fn killed(held: i64, max: i64) -> (Flatten, Desk, View) {
        killed_in_lots(held, max, Qty(1))
    }

    /// The same, of which an order is of such lots.
    fn killed_in_lots(held: i64, max: i64, lot: Qty) -> (Flatten, Desk, View) {
        let bounds = Instrument { max_qty: Qty(max), lot, min_qty: lot, ..sample(Market::Spot, "BTCUSDT") };
        let table = InstrumentTable::new(vec![bounds]).expect("one instrument");
        let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
        view.tops[0] = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
        desk.state.positions[0].qty = Qty(held);
        let mut flatten = Flatten::new(&table, 1);
        flatten.kill(&Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: true, carried: false });
        (flatten, desk, view)
    }

    /// What one attempt asks for.
    fn attempt(flatten: &mut Flatten, desk: &mut Desk, view: &View) -> Option<(OrderId, Qty)> {
        flatten.close(desk, &[BTC], view);
        desk.take_intents().find_map(|i| i.new_order().map(|o| (o.id, o.qty)))
    }

    fn sold(order: OrderId, qty: Qty) -> Report {
        Report {
            instrument: BTC,
            order,
            strategy: StrategyId(0),
            side: Side::Sell,
            kind: ReportKind::Fill,
            qty,
            price: Price(80),
            fee: 0,
            fee_asset: FeeAsset::Quote,
            trade_id: order.0,
            maker: false,
        }
    }

    #[test]
    fn what_is_more_than_the_venue_takes_at_once_is_closed_in_parts() {
        let (mut flatten, mut desk, view) = killed(15, 6);
        let mut parts = Vec::new();
        while let Some((order, qty)) = attempt(&mut flatten, &mut desk, &view) {
            assert_eq!(attempt(&mut flatten, &mut desk, &view), None, "one after the other");
            desk.on_report(&sold(order, qty), Time(1));
            parts.push(qty.0);
        }
        assert_eq!((parts, desk.state.positions[0].qty), (vec![6, 6, 3], Qty(0)));
    }

    #[test]
    fn what_an_earlier_run_was_to_close_waits_where_the_account_differs_until_somebody_looked_or_says_it_anew()
     {
        let held_back = || {
            let (mut flatten, desk, mut view) = killed(15, 100);
            flatten.release(Scope::All);
            flatten.kill(&Kill {
                scope: Scope::All,
                cause: DenyReason::Killed,
                flatten: true,
                carried: true,
            });
            view.paused.take(Command::Pause(BTC, PausedBy::Difference));
            (flatten, desk, view)
        };
        let asked = |(flatten, desk, view): &mut (Flatten, Desk, View)| {
            attempt(flatten, desk, view).map(|(_, qty)| qty)
        };
        let all = Some(Qty(15));
        // A person has looked.
        let mut looked = held_back();
        assert_eq!(asked(&mut looked), None);
        looked.2.paused.take(Command::Unpause(BTC, PausedBy::Difference));
        assert_eq!(asked(&mut looked), all);
        // What is paused for another reason was never held back by it.
        let mut paused = held_back();
        paused.2.paused.take(Command::Unpause(BTC, PausedBy::Difference));
        paused.2.paused.take(Command::Pause(BTC, PausedBy::Operator));
        assert_eq!(asked(&mut paused), all);
        // A kill in this run closes, of the same scope and of another; what is carried over says nothing new.
        for scope in [Scope::All, Scope::Instrument(BTC)] {
            let mut said = held_back();
            let again = |carried, flatten| Kill { scope, cause: DenyReason::Killed, flatten, carried };
            for kill in [again(true, true), again(false, false)] {
                said.0.kill(&kill);
                assert_eq!(asked(&mut said), None, "{kill:?}");
            }
            said.0.kill(&again(false, true));
            said.0.kill(&again(true, true));
            assert_eq!(asked(&mut said), all, "{scope:?}");
        }
        let mut released = held_back();
        released.0.release(Scope::All);
        released.2.paused.take(Command::Unpause(BTC, PausedBy::Difference));
        assert_eq!(asked(&mut released), None);
    }

    #[test]
    fn what_the_wallet_has_enough_for_is_closed_where_it_has_too_little_for_all() {
        let (mut flatten, mut desk, view) = killed(15, 100);
        let (whole, qty) = attempt(&mut flatten, &mut desk, &view).expect("it is to be closed");
        assert_eq!(qty, Qty(15));
        let denied = |flatten: &mut Flatten, desk: &mut Desk, order: OrderId, (limit, value)| {
            let (reason, strategy) = (DenyReason::InsufficientBalance, StrategyId(0));
            let denial = Denial { order, instrument: BTC, strategy, reason, limit, value, measure: None };
            let settled = desk.on_denial(&denial, Time(1), Qty(1)).expect("it is live");
            flatten.denied(&settled.order.order, &denial, desk.state.positions[0].qty, Qty(1), Time(1));
        };
        // In units of 10^-8, of which a lot has 100,000.
        denied(&mut flatten, &mut desk, whole, (1_299_999, 1_500_000));
        let (part, qty) = attempt(&mut flatten, &mut desk, &view).expect("what there is enough for");
        assert_eq!(qty, Qty(12));
        desk.on_report(&sold(part, qty), Time(2));
        let (rest, qty) = attempt(&mut flatten, &mut desk, &view).expect("the rest");
        assert_eq!(qty, Qty(3));
        denied(&mut flatten, &mut desk, rest, (99_999, 300_000));
        assert_eq!(
            attempt(&mut flatten, &mut desk, &view).map(|sent| sent.1),
            Some(Qty(3)),
            "there may be more"
        );
    }

    #[test]
    fn of_what_the_venue_has_too_little_for_half_is_asked_for_until_what_is_free_has_left() {
        let (mut flatten, mut desk, view) = killed(16, 100);
        // Somebody's own order has eleven of them.
        let mut free = 5;
        let mut asked = Vec::new();
        while asked.len() < 12 {
            let Some((order, qty)) = attempt(&mut flatten, &mut desk, &view) else {
                asked.push(0);
                continue;
            };
            asked.push(qty.0);
            let sells = qty.0 <= free;
            let why = Refused { code: -2010, cause: 2, filter: 0 };
            let report = if sells {
                free -= qty.0;
                sold(order, qty)
            } else {
                let order = desk.order(order).expect("it is live");
                Report::refused(&order, ReportKind::Rejected, why)
            };
            let settled = desk.on_report(&report, Time(1)).expect("it is live");
            if !sells {
                flatten.refused(&settled.order.order, why, Qty(1), Time(1));
            }
        }
        assert_eq!(asked[..7], [16, 8, 4, 12, 6, 3, 1], "{asked:?}");
        assert_eq!((free, desk.state.positions[0].qty), (0, Qty(11)));
        // What a filter refuses is asked for as it was.
        let (order, _) = attempt(&mut flatten, &mut desk, &view).expect("it is asked for on");
        let of = desk.order(order).expect("it is live");
        flatten.refused(&of, Refused { code: -1013, cause: 1, filter: 1 }, Qty(1), Time(1));
        assert!(flatten.short.is_empty());
    }

    #[test]
    fn what_nobody_trades_with_is_asked_for_less_and_less_often_until_somebody_does() {
        // Pauses between one that ends without a trade and the next, in units of the pace, over so many.
        let pauses = |pace: ClosingPace, traded_after: usize| {
            let (flatten, mut desk, mut view) = killed(16, 100);
            let mut flatten = flatten.at_pace(pace);
            let (mut pauses, mut last) = (Vec::new(), view.now);
            while pauses.len() < 10 {
                let Some((id, _)) = attempt(&mut flatten, &mut desk, &view) else {
                    view.now = view.now.plus_nanos(AGAIN_NS);
                    continue;
                };
                pauses.push(view.now.since(last) / AGAIN_NS);
                last = view.now;
                if pauses.len() == traded_after {
                    desk.on_report(&sold(id, Qty(1)), view.now);
                    flatten.traded(StrategyId(0), BTC);
                }
                let order = desk.order(id).expect("it is live");
                let ended = Report { kind: ReportKind::Expired, qty: Qty(0), ..sold(id, Qty(0)) };
                desk.on_report(&ended, view.now);
                if pauses.len() != traded_after {
                    flatten.untraded(&order, view.now);
                }
                view.now = view.now.plus_nanos(AGAIN_NS);
            }
            pauses
        };
        for pace in [ClosingPace::Slower, ClosingPace::SlowerUntraded] {
            assert_eq!(pauses(pace, 0), [0, 1, 1, 1, 1, 2, 4, 8, 16, 16]);
            assert_eq!(pauses(pace, 7), [0, 1, 1, 1, 1, 2, 4, 1, 1, 1], "somebody traded");
        }
        let before = pauses(ClosingPace::Even, 0);
        assert_eq!(before, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1], "as journals of before have it");
    }

    /// What answers a close.
    type Answer = fn(&mut Flatten, &mut Desk, &View, OrderId);

    fn refuse(flatten: &mut Flatten, desk: &mut Desk, view: &View, id: OrderId, cause: u8) {
        let why = Refused { code: -2010, cause, filter: 0 };
        let order = desk.order(id).expect("it is live");
        let refused = Report::refused(&order, ReportKind::Rejected, why);
        let settled = desk.on_report(&refused, view.now).expect("it is live");
        flatten.refused(&settled.order.order, why, Qty(1), view.now);
    }

    /// The symbol does not trade.
    fn closed(flatten: &mut Flatten, desk: &mut Desk, view: &View, id: OrderId) {
        refuse(flatten, desk, view, id, 3);
    }

    /// Somebody's own order has all of it.
    fn locked(flatten: &mut Flatten, desk: &mut Desk, view: &View, id: OrderId) {
        refuse(flatten, desk, view, id, 2);
    }

    /// Somebody sold all of it.
    fn lacking(flatten: &mut Flatten, desk: &mut Desk, view: &View, order: OrderId) {
        let (reason, strategy) = (DenyReason::InsufficientBalance, StrategyId(0));
        let denial =
            Denial { order, instrument: BTC, strategy, reason, limit: 0, value: 1_500_000, measure: None };
        let settled = desk.on_denial(&denial, view.now, Qty(1)).expect("it is live");
        flatten.denied(&settled.order.order, &denial, Qty(16), Qty(1), view.now);
    }

    /// How often it asks in ten minutes.
    fn asks_of_ten_minutes(flatten: &mut Flatten, desk: &mut Desk, view: &mut View, answer: Answer) -> usize {
        let (mut asks, end) = (0, view.now.plus_nanos(600_000_000_000));
        while view.now < end {
            view.now = view.now.plus_nanos(AGAIN_NS);
            if let Some((id, _)) = attempt(flatten, desk, view) {
                asks += 1;
                answer(flatten, desk, view, id);
            }
        }
        asks
    }

    #[test]
    fn what_is_refused_or_denied_on_is_asked_for_seldom_and_at_once_when_what_held_it_lets_go() {
        let answers: [Answer; 3] = [closed, locked, lacking];
        for answer in answers {
            for pace in [ClosingPace::Even, ClosingPace::SlowerUntraded] {
                let (flatten, mut desk, mut view) = killed(16, 100);
                let mut flatten = flatten.at_pace(pace);
                let asks = asks_of_ten_minutes(&mut flatten, &mut desk, &mut view, answer);
                assert!(asks >= 2_000, "{asks} where journals of before have them all");
            }
            let (mut flatten, mut desk, mut view) = killed(16, 100);
            let asks = asks_of_ten_minutes(&mut flatten, &mut desk, &mut view, answer);
            assert!((100..170).contains(&asks), "{asks}");

            // The venue's hold is over, somebody's order, or something came into the account: at once, and once.
            let base = Account { instrument: BTC, asset: FeeAsset::Base, amount: 7, is_all: true, newest: 0 };
            let other = an_order();
            type LetsGo<'a> = &'a dyn Fn(&mut Flatten, &View);
            let lets_go: [LetsGo<'_>; 3] = [
                &|flatten, view| flatten.held_back(Command::Unpause(BTC, PausedBy::Venue), view),
                &|flatten, view| flatten.moved(&base, &view.table),
                &|flatten, _| flatten.let_go(&other),
            ];
            for lets_go in lets_go {
                assert_eq!(attempt(&mut flatten, &mut desk, &view), None);
                lets_go(&mut flatten, &view);
                let (id, _) = attempt(&mut flatten, &mut desk, &view).expect("at once");
                answer(&mut flatten, &mut desk, &view, id);
                view.now = view.now.plus_nanos(AGAIN_NS);
            }
            // What says nothing of it.
            let quote = Account { asset: FeeAsset::Quote, ..base };
            let lets_nothing_go: [LetsGo<'_>; 3] = [
                &|flatten, view| flatten.held_back(Command::Pause(BTC, PausedBy::Venue), view),
                &|flatten, view| flatten.moved(&quote, &view.table),
                &|flatten, _| flatten.let_go(&Order { reduce_only: true, ..other }),
            ];
            for lets_nothing_go in lets_nothing_go {
                lets_nothing_go(&mut flatten, &view);
                assert_eq!(attempt(&mut flatten, &mut desk, &view), None);
            }
        }
    }

    /// An order at the market that closes nothing.
    fn an_order() -> Order {
        Order {
            id: OrderId(77 << 8),
            strategy: StrategyId(0),
            instrument: BTC,
            side: Side::Buy,
            kind: OrderKind::Market,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(1),
            price: Price(0),
            extras: Extras::NONE,
        }
    }

    #[test]
    fn what_is_too_little_to_be_an_order_is_asked_for_after_a_while() {
        // Of three, and of three where an order is of twos: the one that is over would not be enough either.
        for (lot, asked) in [(Qty(1), Qty(3)), (Qty(2), Qty(2))] {
            let (mut flatten, mut desk, mut view) = killed_in_lots(3, 100, lot);
            let (order, qty) = attempt(&mut flatten, &mut desk, &view).expect("it is to be closed");
            assert_eq!(qty, asked);
            let (reason, strategy) = (DenyReason::Notional, StrategyId(0));
            let measure = Some(Measure { subject: Subject::Value, binds: Binds::AtLeast });
            let denial = Denial { order, instrument: BTC, strategy, reason, limit: 500, value: 400, measure };
            let settled = desk.on_denial(&denial, Time(7), lot).expect("it is live");
            flatten.denied(&settled.order.order, &denial, desk.state.positions[0].qty, lot, Time(7));
            view.now = Time(6 + RETRY_SMALL_NS);
            assert_eq!(attempt(&mut flatten, &mut desk, &view), None, "{lot:?}");
            view.now = Time(7 + RETRY_SMALL_NS);
            assert_eq!(attempt(&mut flatten, &mut desk, &view).map(|sent| sent.1), Some(asked));
        }
    }

    #[test]
    fn each_of_many_instruments_that_are_killed_one_by_one_is_closed() {
        let names: Vec<String> = (0..200).map(|n| format!("C{n}USDT")).collect();
        let table = InstrumentTable::new(names.iter().map(|name| sample(Market::Spot, name)).collect());
        let table = table.expect("two hundred instruments");
        let mut flatten = Flatten::new(&table, 1);
        let all: Vec<Scope> = table.all().iter().map(|of| Scope::Instrument(of.id)).collect();
        let others = [Scope::All, Scope::Venue(VenueId(0)), Scope::Strategy(StrategyId(0))];
        let room = flatten.scopes.capacity();
        for scope in all.iter().chain(&others) {
            // Who stopped it first may have left it open.
            for closes in [false, true, true] {
                flatten.kill(&Kill {
                    scope: *scope,
                    cause: DenyReason::Killed,
                    flatten: closes,
                    carried: false,
                });
            }
        }
        assert_eq!(flatten.scopes, [&all[..], &others].concat());
        assert_eq!(flatten.scopes.capacity(), room, "nothing is allocated for it");
        all.iter().chain(&others[1..]).for_each(|scope| flatten.release(*scope));
        assert_eq!(flatten.scopes, [Scope::All]);
    }
}
