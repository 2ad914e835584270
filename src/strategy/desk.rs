//! A strategy's desk: its orders, positions, timers and protections, and the order manager that guards them.
//!
//! The order manager stands before risk: a stop or take-profit that triggers becomes an intent at the event that
//! triggered it, and is approved like any other.

use super::intent::{Action, INTENTS_PER_EVENT_MAX, Intent};
use crate::domain::event::{Denial, Report};
use crate::domain::order::{Applied, OrderState, ReportKind};
use crate::domain::{
    Extras, InstrumentId, Order, OrderId, OrderKind, OrderStatus, PlaceError, Position, Price, Qty, Side,
    StrategyId, Time, TimeInForce,
};
use crate::market::Top;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Places for a strategy's open orders.
pub const OPEN_ORDERS_MAX: usize = 256;
/// Places for a strategy's timers.
pub const TIMERS_MAX: usize = 256;

/// A stop and a take-profit around what an order has filled, one cancelling the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// The order whose fills are protected.
    pub entry: OrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// The entry's side.
    pub side: Side,
    /// Leave when the touch is at or worse than this.
    pub stop: Option<Price>,
    /// Leave when the touch is at or better than this.
    pub take_profit: Option<Price>,
    /// Filled and not yet left.
    pub covered: Qty,
    /// The exit under way, if one is.
    pub exit: Option<OrderId>,
    entry_final: bool,
}

/// One strategy's state.
#[derive(Debug)]
pub struct Desk {
    /// Whose.
    pub strategy: StrategyId,
    /// Orders that are not final.
    pub orders: Vec<OrderState>,
    /// Positions, by instrument.
    pub positions: Vec<Position>,
    protections: Vec<Protection>,
    timers: BinaryHeap<Reverse<(Time, u64)>>,
    timer_count: u64,
    order_count: u64,
    outbox: Vec<Intent>,
    /// Requests refused before they became intents.
    pub refused: u64,
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
        Self {
            strategy,
            orders: Vec::with_capacity(OPEN_ORDERS_MAX),
            positions: vec![Position::default(); instruments],
            protections: Vec::with_capacity(OPEN_ORDERS_MAX),
            timers: BinaryHeap::with_capacity(TIMERS_MAX),
            timer_count: 0,
            order_count: 0,
            outbox: Vec::with_capacity(INTENTS_PER_EVENT_MAX),
            refused: 0,
        }
    }

    /// Requests made in this event, taken out.
    pub fn take_intents(&mut self) -> std::vec::Drain<'_, Intent> {
        self.outbox.drain(..)
    }

    fn emit(&mut self, seq: u64, action: Action, reference: Top) -> Result<(), PlaceError> {
        if self.outbox.len() >= INTENTS_PER_EVENT_MAX {
            self.refused += 1;
            return Err(PlaceError::TooManyIntents);
        }
        self.outbox.push(Intent { seq, action, reference });
        Ok(())
    }

    /// Makes an order and an intent of it.
    ///
    /// # Errors
    /// [`PlaceError`] where it cannot be one.
    #[expect(
        clippy::too_many_arguments,
        reason = "an order has this many properties; the builder names them"
    )]
    pub fn place(
        &mut self,
        seq: u64,
        reference: Top,
        instrument: InstrumentId,
        side: Side,
        kind: OrderKind,
        tif: TimeInForce,
        qty: Qty,
        price: Price,
        reduce_only: bool,
    ) -> Result<OrderId, PlaceError> {
        let refusal = if qty.0 <= 0 {
            Some(PlaceError::NoQuantity)
        } else if kind.has_limit() && price.0 <= 0 {
            Some(PlaceError::NoPrice)
        } else if self.orders.len() >= OPEN_ORDERS_MAX {
            Some(PlaceError::TooManyOpenOrders)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.refused += 1;
            return Err(refusal);
        }
        // The strategy is part of the number, so that numbers do not depend on how strategies share threads.
        let id = OrderId((self.order_count + 1) << 8 | u64::from(self.strategy.0));
        let price = if kind.has_limit() { price } else { Price(0) };
        let order = Order {
            id,
            strategy: self.strategy,
            instrument,
            side,
            kind,
            tif,
            reduce_only,
            qty,
            price,
            extras: Extras::NONE,
        };
        self.emit(seq, Action::New(order), reference)?;
        self.order_count += 1;
        self.orders.push(OrderState::new(order));
        Ok(id)
    }

    /// Asks for an order to be taken back; a repeat is no new request.
    ///
    /// # Errors
    /// [`PlaceError`] where there is no such live order.
    pub fn cancel(&mut self, seq: u64, reference: Top, id: OrderId) -> Result<(), PlaceError> {
        let Some(index) = self.orders.iter().position(|o| o.order.id == id) else {
            self.refused += 1;
            return Err(PlaceError::UnknownOrder);
        };
        if self.orders[index].status == OrderStatus::PendingCancel {
            return Ok(());
        }
        let Order { instrument, strategy, .. } = self.orders[index].order;
        self.emit(seq, Action::Cancel { order: id, strategy, instrument }, reference)?;
        self.orders[index].cancel_sent();
        Ok(())
    }

    /// Protects what `entry` fills from now on.
    ///
    /// # Errors
    /// [`PlaceError::UnknownOrder`] where there is no such live order.
    pub fn protect(
        &mut self,
        entry: OrderId,
        stop: Option<Price>,
        take_profit: Option<Price>,
    ) -> Result<(), PlaceError> {
        let Some(state) = self.orders.iter().find(|o| o.order.id == entry) else {
            self.refused += 1;
            return Err(PlaceError::UnknownOrder);
        };
        if self.protections.len() >= OPEN_ORDERS_MAX {
            self.refused += 1;
            return Err(PlaceError::TooManyOpenOrders);
        }
        self.protections.push(Protection {
            entry,
            instrument: state.order.instrument,
            side: state.order.side,
            stop,
            take_profit,
            covered: state.filled,
            exit: None,
            entry_final: false,
        });
        Ok(())
    }

    /// The protections in force.
    #[must_use]
    pub fn protections(&self) -> &[Protection] {
        &self.protections
    }

    /// Sends the exits that this top of book triggers.
    pub fn guard(&mut self, seq: u64, instrument: InstrumentId, top: Top) {
        if self.protections.is_empty() || !top.is_two_sided() {
            return;
        }
        for index in 0..self.protections.len() {
            let p = self.protections[index];
            if p.instrument != instrument || p.covered.0 <= 0 || p.exit.is_some() || !p.triggered(&top) {
                continue;
            }
            let exit = self.place(
                seq,
                top,
                instrument,
                p.side.opposite(),
                OrderKind::Market,
                TimeInForce::Gtc,
                p.covered,
                Price(0),
                true,
            );
            if let Ok(id) = exit {
                self.protections[index].exit = Some(id);
            }
        }
    }

    /// Asks to be woken.
    ///
    /// # Errors
    /// [`PlaceError::TooManyTimers`] where every place is taken.
    pub fn wake_at(&mut self, time: Time) -> Result<u64, PlaceError> {
        if self.timers.len() >= TIMERS_MAX {
            self.refused += 1;
            return Err(PlaceError::TooManyTimers);
        }
        self.timer_count += 1;
        self.timers.push(Reverse((time, self.timer_count)));
        Ok(self.timer_count)
    }

    /// When the next timer is due, if there is one.
    #[must_use]
    pub fn next_timer(&self) -> Option<Time> {
        self.timers.peek().map(|t| t.0.0)
    }

    /// The next timer due by `now`.
    pub fn due_timer(&mut self, now: Time) -> Option<u64> {
        match self.timers.peek() {
            Some(Reverse((time, _))) if *time <= now => self.timers.pop().map(|t| t.0.1),
            _ => None,
        }
    }

    /// Books what the venue says.
    pub fn on_report(&mut self, report: &Report) -> Option<Settled> {
        let index = self.orders.iter().position(|o| o.order.id == report.order)?;
        let state = &mut self.orders[index];
        let applied = state.apply(report.kind, report.qty, report.trade_id);
        let order = *state;
        if applied == Applied::Changed && report.kind == ReportKind::Fill {
            self.positions[report.instrument.index()].apply(
                report.side,
                report.qty,
                report.price,
                report.fee,
            );
            self.cover(&order, report.qty);
        }
        if order.status.is_final() {
            self.orders.remove(index);
            self.close(&order);
        }
        Some(Settled { order, changed: applied == Applied::Changed })
    }

    /// Books a denial.
    pub fn on_denial(&mut self, denial: &Denial) -> Option<Settled> {
        let index = self.orders.iter().position(|o| o.order.id == denial.order)?;
        let mut order = self.orders.remove(index);
        order.denied();
        // A denied exit would be denied again at every event: what it covered is given up rather than asked for
        // without end. The strategy hears of the denial.
        self.protections.retain(|p| p.exit != Some(order.order.id));
        self.close(&order);
        Some(Settled { order, changed: true })
    }

    fn cover(&mut self, order: &OrderState, qty: Qty) {
        for p in &mut self.protections {
            if p.entry == order.order.id {
                p.covered = Qty(p.covered.0.saturating_add(qty.0));
            } else if p.exit == Some(order.order.id) {
                p.covered = Qty((p.covered.0 - qty.0).max(0));
            }
        }
    }

    fn close(&mut self, order: &OrderState) {
        for p in &mut self.protections {
            if p.exit == Some(order.order.id) {
                p.exit = None;
            }
            if p.entry == order.order.id {
                p.entry_final = true;
            }
        }
        self.protections.retain(|p| !(p.entry_final && p.covered.0 == 0));
    }
}

impl Protection {
    fn triggered(&self, top: &Top) -> bool {
        let (stop, take_profit) = (self.stop, self.take_profit);
        match self.side {
            // A long leaves at the bid, a short at the ask.
            Side::Buy => {
                stop.is_some_and(|s| top.bid.price <= s) || take_profit.is_some_and(|t| top.bid.price >= t)
            }
            Side::Sell => {
                stop.is_some_and(|s| top.ask.price >= s) || take_profit.is_some_and(|t| top.ask.price <= t)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Level;

    fn top(bid: i64, ask: i64) -> Top {
        Top { bid: Level::new(bid, 5), ask: Level::new(ask, 5), valid: true }
    }

    fn fill(order: OrderId, side: Side, qty: i64, trade_id: u64) -> Report {
        Report {
            instrument: InstrumentId(0),
            order,
            strategy: StrategyId(0),
            side,
            kind: ReportKind::Fill,
            qty: Qty(qty),
            price: Price(100),
            fee: 0,
            trade_id,
            maker: false,
        }
    }

    fn buy(desk: &mut Desk, qty: i64) -> OrderId {
        desk.place(
            1,
            top(99, 101),
            InstrumentId(0),
            Side::Buy,
            OrderKind::Limit,
            TimeInForce::Gtc,
            Qty(qty),
            Price(100),
            false,
        )
        .expect("a sound order")
    }

    #[test]
    fn protection_covers_exactly_what_has_filled() {
        let mut desk = Desk::new(StrategyId(0), 1);
        let entry = buy(&mut desk, 10);
        desk.protect(entry, Some(Price(95)), Some(Price(110))).expect("a live order");
        desk.take_intents();
        desk.guard(2, InstrumentId(0), top(90, 91));
        assert_eq!(desk.take_intents().count(), 0, "nothing filled, nothing to protect");
        desk.on_report(&fill(entry, Side::Buy, 4, 1));
        desk.guard(3, InstrumentId(0), top(96, 97));
        assert_eq!(desk.take_intents().count(), 0, "above the stop");
        desk.guard(4, InstrumentId(0), top(95, 96));
        let exits: Vec<_> = desk.take_intents().collect();
        let [Intent { action: Action::New(exit), .. }] = exits[..] else { panic!("one exit") };
        assert_eq!((exit.side, exit.qty, exit.reduce_only), (Side::Sell, Qty(4), true));
        desk.guard(5, InstrumentId(0), top(94, 95));
        assert_eq!(desk.take_intents().count(), 0, "the exit is under way");
        desk.on_report(&fill(exit.id, Side::Sell, 4, 2));
        assert_eq!(desk.positions[0].qty, Qty(0));
        desk.on_report(&fill(entry, Side::Buy, 6, 3));
        desk.guard(6, InstrumentId(0), top(94, 95));
        let again: Vec<_> = desk.take_intents().collect();
        assert!(matches!(again[..], [Intent { action: Action::New(o), .. }] if o.qty == Qty(6)));
    }

    #[test]
    fn requests_that_cannot_be_are_refused_and_counted() {
        let mut desk = Desk::new(StrategyId(0), 1);
        assert_eq!(desk.cancel(1, top(1, 2), OrderId(9)), Err(PlaceError::UnknownOrder));
        for _ in 0..INTENTS_PER_EVENT_MAX {
            buy(&mut desk, 1);
        }
        let more = desk.place(
            1,
            top(99, 101),
            InstrumentId(0),
            Side::Buy,
            OrderKind::Market,
            TimeInForce::Gtc,
            Qty(1),
            Price(0),
            false,
        );
        assert_eq!(more, Err(PlaceError::TooManyIntents));
        assert_eq!(desk.refused, 2);
    }

    #[test]
    fn timers_come_in_time_order() {
        let mut desk = Desk::new(StrategyId(0), 1);
        let late = desk.wake_at(Time(20)).expect("room");
        let soon = desk.wake_at(Time(10)).expect("room");
        assert_eq!(desk.due_timer(Time(5)), None);
        assert_eq!(desk.due_timer(Time(20)), Some(soon));
        assert_eq!(desk.due_timer(Time(20)), Some(late));
        assert_eq!(desk.due_timer(Time(20)), None);
    }
}
