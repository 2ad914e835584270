//! A strategy's desk: its orders, positions and timers, and the order manager that holds what its venue does not.
//!
//! Facts and decisions are kept apart: `on_report` and `on_denial` book what happened, and everything that sends
//! something leaves an [`Intent`] behind. So a journal, which has the facts and what was sent, is enough to build a desk
//! again without deciding anything anew.

mod ended;
mod refusals;

use super::context::View;
use super::intent::{Action, Change, INTENTS_PER_EVENT_MAX, Intent, Note};
use super::manager::{Manager, Protection, Trail};
use super::sizing::{Sized, Sizer};
use crate::domain::event::{Denial, Report};
use crate::domain::order::{Applied, OrderState, ReportKind};
use crate::domain::{
    Extras, InstrumentId, Order, OrderId, OrderKind, OrderStatus, PlaceError, Position, Price, Qty, Side,
    StrategyId, Time, TimeInForce,
};
pub use ended::Ended;
pub use refusals::Refusals;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Places for a strategy's open orders.
pub const OPEN_ORDERS_MAX: usize = 256;
/// Places for a strategy's timers.
pub const TIMERS_MAX: usize = 256;

/// What of a desk outlives a crash.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct DeskState {
    /// Orders that are not final, as the strategy asked for them.
    pub orders: Vec<OrderState>,
    /// Positions, by instrument.
    pub positions: Vec<Position>,
    /// What the order manager holds.
    pub manager: Manager,
    /// Orders made so far.
    pub order_count: u64,
    /// Orders that ended of late.
    #[serde(default, skip_serializing_if = "Ended::is_empty")]
    pub ended: Ended,
}

impl DeskState {
    /// Orders that were with the venue, or on their way: not what is held, and of an iceberg the part that shows.
    pub fn with_the_venue(&self) -> impl Iterator<Item = &OrderState> {
        let own = |o: &&OrderState| {
            let id = o.order.id;
            let manager = &self.manager;
            !manager.held().iter().any(|h| h.order == id)
                && !manager.slicings().iter().any(|s| s.parent == id)
        };
        let parts = self.manager.slicings().iter().filter_map(|s| s.child.as_ref());
        self.orders.iter().filter(own).chain(parts)
    }
}

/// One strategy's state.
#[derive(Debug)]
pub struct Desk {
    /// Whose.
    pub strategy: StrategyId,
    /// Orders, positions, and what is held.
    pub state: DeskState,
    timers: BinaryHeap<Reverse<(Time, u64)>>,
    timer_count: u64,
    /// Whether a timer was set that the stage has not seen yet.
    timer_set: bool,
    pub(super) outbox: Vec<Intent>,
    /// Held orders that ended without an answer from outside; the strategy is yet to hear of it.
    pub(super) notices: Vec<OrderState>,
    /// Whether the order manager has something to send that waits for room, the book, or another order.
    pub(super) restless: bool,
    /// Which instruments it trades.
    own: Vec<bool>,
    /// Orders that a kill is to end, and that are held still.
    pub(super) ending: Vec<OrderId>,
    /// Requests refused before they became intents.
    pub refused: Refusals,
    /// How the strategy's orders are sized, where its configuration says.
    pub sizer: Option<Sizer>,
    /// The last size that was given.
    pub sized: Option<Sized>,
    /// Sizes that were asked for and came to nothing, so that nothing was ordered.
    pub sized_at_nothing: u64,
}

/// What an order is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Of what.
    pub instrument: InstrumentId,
    /// Which way.
    pub side: Side,
    /// How priced.
    pub kind: OrderKind,
    /// How long.
    pub tif: TimeInForce,
    /// How much.
    pub qty: Qty,
    /// The limit, of a kind that has one.
    pub price: Price,
    /// Only to make the position smaller.
    pub reduce_only: bool,
    /// What only some orders have.
    pub extras: Extras,
}

impl Wanted {
    fn order(&self, id: OrderId, strategy: StrategyId) -> Order {
        let &Wanted { instrument, side, kind, tif, qty, price, reduce_only, extras } = self;
        let price = if kind.has_limit() { price } else { Price(0) };
        // Which orders are in one list, linking alone says.
        let extras = Extras { other_leg: 0, ..extras };
        Order { id, strategy, instrument, side, kind, tif, reduce_only, qty, price, extras }
    }
}

/// What an answer did to an order of the desk.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// The order as it now is.
    pub order: OrderState,
    /// Whether anything changed.
    pub changed: bool,
}

impl Desk {
    /// An empty desk for a run with `instruments` instruments.
    #[must_use]
    pub fn new(strategy: StrategyId, instruments: usize) -> Self {
        let state = DeskState {
            orders: Vec::with_capacity(OPEN_ORDERS_MAX),
            positions: vec![Position::default(); instruments],
            manager: Manager::new(OPEN_ORDERS_MAX),
            order_count: 0,
            ended: Ended::new(),
        };
        Self {
            strategy,
            state,
            timers: BinaryHeap::with_capacity(TIMERS_MAX),
            timer_count: 0,
            timer_set: false,
            outbox: Vec::with_capacity(INTENTS_PER_EVENT_MAX),
            notices: Vec::with_capacity(OPEN_ORDERS_MAX),
            restless: false,
            own: vec![true; instruments],
            ending: Vec::with_capacity(OPEN_ORDERS_MAX),
            refused: Refusals::default(),
            sizer: None,
            sized: None,
            sized_at_nothing: 0,
        }
    }

    /// A desk that goes on from where another was.
    #[must_use]
    pub fn resumed(strategy: StrategyId, mut state: DeskState) -> Self {
        let mut desk = Self::new(strategy, state.positions.len());
        // Room is taken once.
        state.orders.reserve(OPEN_ORDERS_MAX);
        state.manager.reserve(OPEN_ORDERS_MAX);
        state.ended.reserve();
        (desk.state, desk.restless) = (state, true);
        desk
    }

    /// From now on it trades these instruments alone.
    pub(super) fn trade_only(&mut self, instruments: &[InstrumentId]) {
        self.own.fill(false);
        for instrument in instruments {
            if let Some(own) = self.own.get_mut(instrument.index()) {
                *own = true;
            }
        }
    }

    /// Requests made in this event, taken out.
    pub fn take_intents(&mut self) -> std::vec::Drain<'_, Intent> {
        self.outbox.drain(..)
    }

    /// Whether nothing is left of this event: nothing to send, to tell or to look after, and no timer that was set.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.outbox.is_empty() && self.notices.is_empty() && !self.restless && !self.timer_set
    }

    /// Whether no price could make it do anything.
    pub(super) fn is_calm(&self) -> bool {
        self.is_quiet() && self.state.manager.is_idle()
    }

    /// Notes that timers have been looked at.
    #[inline]
    pub(super) fn timers_seen(&mut self) {
        self.timer_set = false;
    }

    /// A held order that ended, of which the strategy is to hear.
    pub(super) fn next_notice(&mut self) -> Option<OrderState> {
        (!self.notices.is_empty()).then(|| self.notices.remove(0))
    }

    pub(super) const fn places(&self) -> usize {
        OPEN_ORDERS_MAX
    }

    pub(super) fn has_room(&self, intents: usize) -> bool {
        self.outbox.len() + intents <= INTENTS_PER_EVENT_MAX
    }

    /// Asks for room for requests that go together.
    pub(super) fn want_room(&mut self, intents: usize) -> Result<(), PlaceError> {
        if self.has_room(intents) { Ok(()) } else { self.refuse(PlaceError::TooManyIntents) }
    }

    pub(super) fn refuse<T>(&mut self, refusal: PlaceError) -> Result<T, PlaceError> {
        self.refused.count(refusal);
        Err(refusal)
    }

    pub(super) fn emit(
        &mut self,
        view: &View,
        action: Action,
        instrument: InstrumentId,
    ) -> Result<(), PlaceError> {
        self.emit_intent(Intent::new(view.seq, action, view.top(instrument)))
    }

    pub(super) fn emit_intent(&mut self, intent: Intent) -> Result<(), PlaceError> {
        if !self.has_room(1) {
            return self.refuse(PlaceError::TooManyIntents);
        }
        self.outbox.push(intent);
        Ok(())
    }

    pub(super) fn note(&self, order: OrderId, instrument: InstrumentId, change: Change) -> Action {
        Action::Note(Note { order, strategy: self.strategy, instrument, change })
    }

    /// The number of the next order.
    ///
    /// The strategy is part of it, so that numbers do not depend on how strategies share threads.
    pub(super) fn next_id(&mut self) -> OrderId {
        self.state.order_count += 1;
        OrderId(self.state.order_count << 8 | u64::from(self.strategy.0))
    }

    pub(super) fn make(&mut self, wanted: &Wanted) -> Order {
        let (id, strategy) = (self.next_id(), self.strategy);
        wanted.order(id, strategy)
    }

    /// What is off a step of the venue, moved to the safe side: strategy, risk and venue know one order, not two.
    pub(super) fn rounded(&self, view: &View, wanted: &Wanted) -> Wanted {
        let Some(filters) = view.rounding.get(wanted.instrument.index()) else { return *wanted };
        let Order { qty, price, mut extras, .. } = filters.round(&wanted.order(OrderId(0), self.strategy));
        if extras.iceberg_qty.0 == 0 && wanted.extras.iceberg_qty.0 > 0 {
            // Less than a lot was to show: that is no iceberg, and not to be one that shows it all.
            extras.iceberg_qty = qty;
        }
        Wanted { qty, price, extras, ..*wanted }
    }

    /// The live order with this number.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<Order> {
        self.state.orders.iter().find(|o| o.order.id == id).map(|o| o.order)
    }

    pub(super) fn instrument_of(&self, id: OrderId) -> Option<InstrumentId> {
        self.order(id).map(|order| order.instrument)
    }

    /// Makes an order and an intent of it, or has the order manager hold it where the venue does not.
    ///
    /// # Errors
    /// [`PlaceError`] where it cannot be one.
    pub fn place(&mut self, view: &View, wanted: &Wanted, trail: Trail) -> Result<OrderId, PlaceError> {
        // Nothing is wrong with it: it is not counted among the refused.
        if view.now < view.trades_from {
            return Err(PlaceError::WarmingUp);
        }
        if self.own.get(wanted.instrument.index()) != Some(&true) {
            return self.refuse(PlaceError::NotYours);
        }
        let rounded = self.rounded(view, wanted);
        let wanted = &rounded;
        if let Some(refusal) = self.refusal(wanted, trail) {
            return self.refuse(refusal);
        }
        // On bars that form says that the path has triggered it, which is for the order manager to say.
        let said = wanted.kind.is_conditional() && wanted.tif == TimeInForce::Ioc;
        if said && view.is_of_bars(wanted.instrument) {
            return self.refuse(PlaceError::BadTrigger);
        }
        let by_distance = matches!(trail, Trail::Distance(_));
        let plain = wanted.order(OrderId(0), self.strategy);
        let is_held = by_distance || !view.forms(plain.instrument).holds(&plain);
        // What goes out at once risk denies.
        if is_held && plain.kind.is_conditional() && self.is_stopped(view, &plain) {
            return self.refuse(PlaceError::Stopped);
        }
        // A note of the distance goes with it.
        if !self.has_room(1 + usize::from(by_distance)) {
            return self.refuse(PlaceError::TooManyIntents);
        }
        let order = self.make(wanted);
        self.state.orders.push(OrderState::new(order));
        if is_held {
            self.emit(view, Action::Hold(order), order.instrument)?;
            self.hold(&order);
        } else {
            self.emit(view, Action::New(order), order.instrument)?;
        }
        if by_distance {
            let note = self.note(order.id, order.instrument, Change::Trails(trail));
            self.emit(view, note, order.instrument)?;
            self.set_trail(order.id, trail);
        }
        Ok(order.id)
    }

    /// Whether a kill stops what is to wait here; what only reduces it does not.
    pub(super) fn is_stopped(&self, view: &View, order: &Order) -> bool {
        !order.reduce_only && view.stopped.is_stopped(self.strategy, order.instrument)
    }

    fn refusal(&self, wanted: &Wanted, trail: Trail) -> Option<PlaceError> {
        let Wanted { kind, qty, price, extras, .. } = wanted;
        let trails = trail != Trail::None || extras.trailing_bps != 0;
        let triggers = usize::from(trails) + usize::from(extras.stop_price.0 > 0);
        let sound = match kind.is_conditional() {
            true => {
                triggers == 1 && extras.stop_price.0 >= 0 && trail.is_sound() && extras.trailing_bps < 10_000
            }
            false => !trails && extras.stop_price.0 == 0,
        };
        let shown = extras.iceberg_qty;
        let hides = shown.0 > 0 && shown < *qty && kind.has_limit() && wanted.tif == TimeInForce::Gtc;
        if qty.0 <= 0 {
            Some(PlaceError::NoQuantity)
        } else if kind.has_limit() && price.0 <= 0 {
            Some(PlaceError::NoPrice)
        } else if !sound {
            Some(PlaceError::BadTrigger)
        } else if *kind == OrderKind::PostOnly && wanted.tif != TimeInForce::Gtc {
            Some(PlaceError::BadTimeInForce)
        } else if shown.0 != 0 && !hides {
            Some(PlaceError::BadIceberg)
        } else if self.state.orders.len() >= OPEN_ORDERS_MAX {
            Some(PlaceError::TooManyOpenOrders)
        } else {
            None
        }
    }

    pub(super) fn is_unsent_conditional(&self, id: OrderId) -> bool {
        self.outbox.iter().any(|i| i.new_order().is_some_and(|o| o.id == id && o.kind.is_conditional()))
    }

    /// Holds a conditional order that was made in this event and is not sent yet.
    pub(super) fn hold_unsent(&mut self, id: OrderId) {
        let unsent = |i: &&mut Intent| i.new_order().is_some_and(|o| o.id == id && o.kind.is_conditional());
        let Some(intent) = self.outbox.iter_mut().find(unsent) else { return };
        if let Action::New(order) = intent.action {
            intent.action = Action::Hold(order);
            self.hold(&order);
        }
    }

    /// Asks for an order to be taken back; a repeat is no new request.
    ///
    /// # Errors
    /// [`PlaceError`] where there is no such live order.
    pub fn cancel(&mut self, view: &View, id: OrderId) -> Result<(), PlaceError> {
        if self.order(id).is_none() {
            return self.refuse(PlaceError::UnknownOrder);
        }
        if self.state.manager.is_held(id) {
            let released = self.release(view, id, OrderStatus::Canceled);
            return if released { Ok(()) } else { Err(PlaceError::TooManyIntents) };
        }
        self.take_back(view, id)
    }

    /// Takes back an order that is with the venue, or on its way.
    pub(super) fn take_back(&mut self, view: &View, id: OrderId) -> Result<(), PlaceError> {
        let Some(index) = self.state.orders.iter().position(|o| o.order.id == id) else {
            return Err(PlaceError::UnknownOrder);
        };
        let slicing = self.slice_of(id).copied();
        if let Some(slicing) = slicing
            && slicing.child.is_none()
        {
            let released = self.release(view, id, OrderStatus::Canceled);
            return if released { Ok(()) } else { Err(PlaceError::TooManyIntents) };
        }
        if self.state.orders[index].status != OrderStatus::PendingCancel {
            let order = slicing.and_then(|s| s.child).map_or(id, |child| child.order.id);
            let Order { instrument, strategy, .. } = self.state.orders[index].order;
            self.emit(view, Action::Cancel { order, strategy, instrument }, instrument)?;
        }
        self.cancel_sent(id);
        Ok(())
    }

    /// Notes that a cancel of one of the desk's orders was sent.
    pub(super) fn cancel_sent(&mut self, id: OrderId) {
        if let Some(state) = self.state.orders.iter_mut().find(|o| o.order.id == id) {
            state.cancel_sent();
        }
        self.state.manager.deadlines.iter_mut().filter(|d| d.order == id).for_each(|d| d.asked = true);
        let slicings = self.state.manager.slicings.iter_mut().filter(|s| s.parent == id);
        for child in slicings.filter_map(|s| s.child.as_mut()) {
            child.cancel_sent();
        }
    }

    /// Notes that a cancel that was sent, of an order that is with the venue, counts as not sent: what has a time to end at is
    /// ended at it, as if nobody had asked.
    pub(crate) fn cancel_unsent(&mut self, id: OrderId) {
        let Manager { slicings, deadlines, .. } = &mut self.state.manager;
        let part = slicings.iter_mut().find(|s| s.child.is_some_and(|child| child.order.id == id));
        let mut whole = id;
        if let Some(slicing) = part {
            whole = slicing.parent;
            slicing.child.iter_mut().for_each(taken_back_no_more);
        }
        self.state.orders.iter_mut().filter(|o| o.order.id == whole).for_each(taken_back_no_more);
        deadlines.iter_mut().filter(|d| d.order == whole).for_each(|d| d.asked = false);
    }

    /// Asks to be woken.
    ///
    /// # Errors
    /// [`PlaceError::TooManyTimers`] where every place is taken.
    pub fn wake_at(&mut self, time: Time) -> Result<u64, PlaceError> {
        if self.timers.len() >= TIMERS_MAX {
            return self.refuse(PlaceError::TooManyTimers);
        }
        self.timer_count += 1;
        self.timer_set = true;
        self.timers.push(Reverse((time, self.timer_count)));
        Ok(self.timer_count)
    }

    /// When something is due by time alone, if anything is.
    #[must_use]
    pub fn next_timer(&self, view: &View) -> Option<Time> {
        let timer = self.timers.peek().map(|t| t.0.0);
        [timer, self.next_deadline(), self.next_retry(view)].into_iter().flatten().min()
    }

    /// The next timer due by `now`.
    pub fn due_timer(&mut self, now: Time) -> Option<u64> {
        match self.timers.peek() {
            Some(Reverse((time, _))) if *time <= now => self.timers.pop().map(|t| t.0.1),
            _ => None,
        }
    }

    /// Books what the venue says.
    pub fn on_report(&mut self, report: &Report, now: Time) -> Option<Settled> {
        if report.kind.is_of_position() {
            if let Some(position) = self.state.positions.get_mut(report.instrument.index()) {
                position.apply_report(report);
            }
            self.clamp(report.instrument);
            return None;
        }
        let Some(index) = self.state.orders.iter().position(|o| o.order.id == report.order) else {
            return self.on_slice_report(report, now).or_else(|| self.on_late(report));
        };
        let state = &mut self.state.orders[index];
        let applied = state.apply(report.kind, report.qty, report.trade_id);
        let order = *state;
        if applied == Applied::Changed && report.kind == ReportKind::Fill {
            self.book(report);
            self.cover(&order, report);
            self.shrink_linked(&order.order, self.state.manager.linked(order.order.id), report.qty);
        }
        if applied == Applied::Changed && report.kind == ReportKind::CancelRejected {
            self.cancel_refused(order.order.id, now);
        }
        if order.status.is_final() {
            if order.filled == Qty::ZERO && matches!(report.kind, ReportKind::Rejected | ReportKind::Expired)
            {
                self.exit_refused(&order.order, report.refusal(), now);
            }
            self.end(order.order.id, order.status);
        }
        Some(Settled { order, changed: applied == Applied::Changed })
    }

    /// A report of an order that is over: a trade is money whatever became of its order, and is told once. What an entry
    /// bought so is protected as the rest of it was to be, and what it was linked with is for so much less. `None` where
    /// nobody remembers the order.
    fn on_late(&mut self, report: &Report) -> Option<Settled> {
        if report.kind != ReportKind::Fill || report.qty.0 <= 0 {
            return None;
        }
        self.book(report);
        let Some(ended) = self.state.ended.find(report.order) else {
            self.clamp(report.instrument);
            return None;
        };
        ended.state.apply(report.kind, report.qty, report.trade_id);
        let (order, terms, linked) = (ended.state, ended.terms, ended.linked);
        if let Some(terms) = terms {
            self.protect_again(&order, terms);
        }
        self.cover(&order, report);
        self.shrink_linked(&order.order, linked, report.qty);
        Some(Settled { order, changed: true })
    }

    pub(super) fn book(&mut self, report: &Report) {
        if let Some(position) = self.state.positions.get_mut(report.instrument.index()) {
            position.book(report);
        }
    }

    /// Books a denial.
    pub fn on_denial(&mut self, denial: &Denial, now: Time, lot: Qty) -> Option<Settled> {
        let Some(state) = self.state.orders.iter().find(|o| o.order.id == denial.order) else {
            return self.on_slice_denied(denial.order);
        };
        let order = state.order;
        self.exit_denied(&order, denial, now, lot);
        let order = self.end(order.id, OrderStatus::Denied)?;
        Some(Settled { order, changed: true })
    }

    /// An order ended: it and all that hung on it is gone.
    pub(super) fn end(&mut self, id: OrderId, ended: OrderStatus) -> Option<OrderState> {
        let index = self.state.orders.iter().position(|o| o.order.id == id)?;
        let mut order = self.state.orders.remove(index);
        order.status = ended;
        let linked = self.state.manager.linked(id);
        // What was held alone never traded, and never will.
        if !self.state.manager.is_held(id) {
            let terms = self.protection(id).map(Protection::terms);
            self.state.ended.note(order, terms, linked);
        }
        // What waited for it to end may go.
        self.restless |= linked.is_some();
        self.state.manager.forget(id);
        self.settle_protections(id);
        Some(order)
    }
}

fn taken_back_no_more(state: &mut OrderState) {
    state.apply(ReportKind::CancelRejected, Qty::ZERO, 0);
}

#[cfg(test)]
pub(super) mod tests;
