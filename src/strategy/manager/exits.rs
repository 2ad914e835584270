//! Exits of protections: when one is sent, how much it leaves with, and what is done where it is not taken.

use super::protect::Protection;
use super::{RETRY_NS, RETRY_SMALL_NS};
use crate::domain::event::Denial;
use crate::domain::order::OrderState;
use crate::domain::{
    DenyReason, Extras, InstrumentId, Market, Order, OrderId, OrderKind, OrderStatus, Price, Qty, Refused,
    Side, Time, TimeInForce,
};
use crate::market::Top;
use crate::strategy::context::View;
use crate::strategy::desk::{Desk, Wanted};
use crate::strategy::intent::{Action, Change};
use crate::venue::binance::client::is_of_balance;

impl Desk {
    /// Sends the exits that this top of book triggers.
    #[inline]
    pub(in crate::strategy) fn guard(&mut self, view: &View, instrument: InstrumentId, top: Top) {
        if self.restless {
            self.attend(view);
        }
        if !self.state.manager.protections.is_empty()
            && top.is_two_sided()
            && !view.paused.is_suspended(instrument)
        {
            self.guard_all(view, instrument, top);
        }
    }

    fn guard_all(&mut self, view: &View, instrument: InstrumentId, top: Top) {
        let mut index = 0;
        while let Some(p) = self.state.manager.protections.get(index) {
            // What costs least is asked first: this is each quote's way.
            if p.instrument != instrument || p.exit.is_some() || !p.is_reached(&top) {
                index += 1;
                continue;
            }
            let p = *p;
            // Where the wallet had too little for all of it, what it has enough for goes at once.
            let most = if view.now < p.retry_at { p.affordable } else { p.most(view) };
            if most.min(p.covered).0 > 0 {
                let exit = self.leave(view, &p, &top, most);
                // What made way may have been the entry of another, which is gone from the list with it.
                let protections = &mut self.state.manager.protections;
                let Some(now_at) = protections.iter().position(|other| other.entry == p.entry) else {
                    continue;
                };
                protections[now_at].exit = exit;
                index = now_at;
            }
            index += 1;
        }
        self.give_up_dust(view, instrument);
    }

    /// Sends the exits that the tops of book as they stand trigger: what an answer made room for, or what is asked for
    /// again, does not wait for the touch to change. On bars the path says when.
    pub(super) fn guard_standing(&mut self, view: &View) {
        let mut index = 0;
        while let Some(instrument) = self.state.manager.protections.get(index).map(|p| p.instrument) {
            let top = view.top(instrument);
            let count = self.state.manager.protections.len();
            if top.is_two_sided() && !view.is_of_bars(instrument) && !view.paused.is_suspended(instrument) {
                self.guard_all(view, instrument, top);
            }
            // From the first again where some were given up, so that none is passed over.
            index = if self.state.manager.protections.len() < count { 0 } else { index + 1 };
        }
    }

    /// When the next exit is asked for again, if one is to be.
    pub(in crate::strategy) fn next_retry(&self, view: &View) -> Option<Time> {
        let waits = |p: &&Protection| {
            p.covered.0 > 0 && p.exit.is_none() && p.retry_at > view.now && !view.is_of_bars(p.instrument)
        };
        self.state.manager.protections.iter().filter(waits).map(|p| p.retry_at).min()
    }

    /// Whether the time of an exit to be asked for again has come: it is looked after at this event.
    pub(in crate::strategy) fn retries(&mut self, view: &View) -> bool {
        let due = |p: &Protection| {
            p.covered.0 > 0 && p.exit.is_none() && p.retry_at > Time(0) && p.retry_at <= view.now
        };
        let retries = self.state.manager.protections.iter().any(due);
        self.restless |= retries;
        retries
    }

    /// Gives up what is less than a lot, of entries that fill no more: a fee that was taken from what was bought leaves
    /// such a rest, which can never be sold.
    fn give_up_dust(&mut self, view: &View, instrument: InstrumentId) {
        let lot = view.table.get(instrument).lot;
        let dust = |p: &&Protection| {
            p.instrument == instrument
                && p.entry_final
                && p.exit.is_none()
                && p.covered.0 > 0
                && p.covered < lot
        };
        while let Some(entry) = self.state.manager.protections.iter().find(dust).map(|p| p.entry) {
            // Refused for want of room, it is given up at the next touch.
            if !self.has_room(1) || self.unprotect(view, entry).is_err() {
                return;
            }
        }
    }

    /// Sends the exit of a protection, of no more than `most`; `None` where it has to be tried again.
    fn leave(&mut self, view: &View, p: &Protection, top: &Top, most: Qty) -> Option<OrderId> {
        let side = p.side.opposite();
        let held = side.opposite().signed(self.position(p.instrument).qty).0;
        let qty = Qty(p.covered.0.min(held - self.leaving_already(view, p.instrument, side, None)));
        if qty < p.covered && p.stop_now().is_some_and(|stop| p.is_stopped(top, stop)) {
            self.make_way(view, p.instrument, side, false);
        }
        // On the path of a bar the price it leaves at is known: the order says which.
        let of_bars = view.is_of_bars(p.instrument);
        let (kind, tif, extras) = match p.stop_now().filter(|_| of_bars) {
            Some(stop) if p.is_stopped(top, stop) => {
                let stop = Self::on_tick(view, p.instrument, side, stop);
                (OrderKind::Stop, TimeInForce::Ioc, Extras::stop(stop))
            }
            _ if of_bars => {
                let profit = Self::on_tick(view, p.instrument, side, p.take_profit);
                (OrderKind::TakeProfit, TimeInForce::Ioc, Extras::stop(profit))
            }
            _ => (OrderKind::Market, TimeInForce::Gtc, Extras::NONE),
        };
        // No more than the venue takes at once: what is left goes when this has ended. And in whole lots: a fee that was taken
        // from what was bought leaves less than a lot, which cannot be sold.
        let qty =
            view.table.get(p.instrument).whole_lots(qty.min(most).min(view.largest(p.instrument, kind)));
        let wanted = Wanted {
            instrument: p.instrument,
            side,
            kind,
            tif,
            qty,
            price: Price(0),
            reduce_only: true,
            extras,
        };
        let wanted = self.rounded(view, &wanted);
        if wanted.qty.0 <= 0 {
            return None;
        }
        if !self.has_room(2) {
            // With the next event, whether or not the touch moves.
            self.restless = true;
            return None;
        }
        let child = self.note(p.entry, p.instrument, Change::ChildOf(p.entry));
        self.emit(view, child, p.instrument).ok()?;
        let order = self.make(&wanted);
        self.emit(view, Action::New(order), p.instrument).ok()?;
        self.state.orders.push(OrderState::new(order));
        Some(order.id)
    }

    /// Takes back what the strategy itself rests to leave with, of which the market may never come: a stop that is reached
    /// does not wait for it. Once it is gone what leaves is sent for what it stood for. A stop with a limit, which may come
    /// to rest too, has nothing make way that is as good: another stop, or one that was triggered.
    pub(super) fn make_way(&mut self, view: &View, instrument: InstrumentId, side: Side, for_limit: bool) {
        for _ in 0..self.places() {
            let rests = |o: &&OrderState| {
                o.status != OrderStatus::PendingCancel && self.makes_way(view, o, instrument, side, for_limit)
            };
            let Some(order) = self.state.orders.iter().find(rests).map(|o| o.order.id) else { return };
            // What finds no room is taken back at the next touch.
            if self.take_back(view, order).is_err() {
                return;
            }
        }
    }

    /// Whether something that makes way is still there.
    pub(super) fn is_in_the_way(
        &self,
        view: &View,
        instrument: InstrumentId,
        side: Side,
        for_limit: bool,
    ) -> bool {
        self.state.orders.iter().any(|o| self.makes_way(view, o, instrument, side, for_limit))
    }

    /// Whether an order can do nothing but leave: of what cannot be sold short every sell is of what is held.
    fn leaves(view: &View, order: &Order) -> bool {
        let long_only = view.table.get(order.instrument).market == Market::Spot;
        order.reduce_only || (long_only && order.side == Side::Sell)
    }

    /// Whether this rests to leave with, and is no protection's.
    fn makes_way(
        &self,
        view: &View,
        o: &OrderState,
        instrument: InstrumentId,
        side: Side,
        for_limit: bool,
    ) -> bool {
        let (order, manager) = (&o.order, &self.state.manager);
        order.instrument == instrument
            && order.side == side
            && Self::leaves(view, order)
            && order.kind != OrderKind::Market
            && order.tif == TimeInForce::Gtc
            && !(for_limit && (order.kind.is_stop() || manager.triggered.contains(&order.id)))
            && !manager.is_held(order.id)
            && !manager.protections.iter().any(|p| p.exit == Some(order.id))
    }

    /// What is on its way out already: market orders of `side`, and those that can only leave, `but` this one.
    pub(super) fn leaving_already(
        &self,
        view: &View,
        instrument: InstrumentId,
        side: Side,
        but: Option<OrderId>,
    ) -> i64 {
        let leaves = |o: &&OrderState| {
            let order = &o.order;
            let held = self.state.manager.is_held(order.id);
            // Of two in one list only one can trade: the first stands for both while it is there.
            let second =
                order.extras.other_leg < 0 && order.other_leg().is_some_and(|o| self.order(o).is_some());
            order.instrument == instrument
                && order.side == side
                && Some(order.id) != but
                && !held
                && !second
                && (order.kind == OrderKind::Market || Self::leaves(view, order))
        };
        self.state.orders.iter().filter(leaves).map(|o| o.leaves().0).fold(0, i64::saturating_add)
    }

    /// A denied exit: what could never be sold is given up, since it would be denied without end; anything else is asked for
    /// again after a while, and for want of balance what there is enough for at once. Less than the least order could never
    /// be sold once its entry fills no more.
    pub(in crate::strategy) fn exit_denied(&mut self, exit: &Order, denial: &Denial, now: Time, lot: Qty) {
        let protections = &mut self.state.manager.protections;
        let Some(index) = protections.iter().position(|p| p.exit == Some(exit.id)) else { return };
        let p = &mut protections[index];
        let too_little = denial.is_of_too_little(exit.qty, p.covered.in_lots(lot));
        let is_lasting = match denial.reason {
            DenyReason::DataOnly => true,
            DenyReason::LotSize | DenyReason::MarketLotSize => too_little && p.entry_final,
            _ => false,
        };
        if is_lasting {
            protections.remove(index);
            return;
        }
        p.retry_at = now.plus_nanos(if too_little { RETRY_SMALL_NS } else { RETRY_NS });
        p.most = Qty::ZERO;
        // What was itself no more than that is not asked for anew before then.
        p.affordable = if exit.qty > p.affordable { denial.affordable(exit.qty) } else { Qty::ZERO };
    }

    /// An exit that the venue did not take, or let expire before any of it traded: asked for again after a while, and not at
    /// the very next touch, which would be as often as the market moves. Where the account has too little, though the wallet has
    /// enough (somebody else's order has it locked), half of it is asked for, and half of that: what is free leaves in the end.
    pub(in crate::strategy) fn exit_refused(&mut self, exit: &Order, why: Option<Refused>, now: Time) {
        let too_little = why.is_some_and(is_of_balance);
        for p in self.state.manager.protections.iter_mut().filter(|p| p.exit == Some(exit.id)) {
            (p.retry_at, p.affordable) = (now.plus_nanos(RETRY_NS), Qty::ZERO);
            p.most = if too_little { Qty(exit.qty.0 / 2) } else { Qty::ZERO };
        }
    }

    /// A price on the venue's tick that a leaving order of `side` is no better off with.
    pub(super) fn on_tick(view: &View, instrument: InstrumentId, side: Side, price: Price) -> Price {
        let tick = view.table.get(instrument).tick.0.max(1);
        let below = price.0 - price.0.rem_euclid(tick);
        let up = side == Side::Buy && below != price.0;
        Price((if up { below.saturating_add(tick) } else { below }).max(tick))
    }
}

impl Protection {
    /// The most that the next exit asks for; all of it again where what the venue had too little for has come to less than a lot.
    fn most(&self, view: &View) -> Qty {
        let bound = view.table.get(self.instrument).whole_lots(self.most);
        if bound.0 > 0 { bound } else { self.covered }
    }
}
