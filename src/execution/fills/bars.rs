//! Fills where a market is known by its bars alone.
//!
//! A bar comes as events: where it opens, the extremes in the order that the driver chose, and where it closes, at which
//! moment it is known. Between two of them the price is taken to have gone straight. Rules:
//! - A market order fills at the bar's price at its arrival. Between two bars it waits, and fills at the next one's
//!   open. Slippage makes it worse, and counts in what a wallet must have for it; one that comes to more than there is
//!   by then expires.
//! - A limit order that comes between two bars and crosses the last price waits for the next one's open too: there it takes,
//!   as a market order would and no further than its price, or rests where the open has gone beyond it, and expires where the
//!   margin that it needs is no longer there by then. One that may only make is rejected.
//! - A resting order fills at its price where the path passes it (`through`), or already where it comes to it
//!   (`touch`). Where a bar opens beyond its price, it fills at the open: a gap is better for a limit and worse for a stop.
//! - Of several orders on one stretch of the path the one that it comes to first is first; at one price stops are before
//!   limits, and older orders before younger.
//! - Stops and take-profits rest here, since nobody else sees the path. An order that the order manager triggered on the
//!   path comes as conditional and immediate-or-cancel, and fills at its trigger price where the path passed that on the way
//!   to the point that triggered it, or else at the price that was beyond it before: an open, or where its entry filled.
//!   So it does as long as it takes less than a bar to arrive; one that takes longer meets the market as it is then. One with
//!   a limit that this price does not meet takes what the path has come to by then, if that is as good, or rests.
//! - A reduce-only order fills no more than is left to reduce, and ends where nothing is.
//!
//! Any quantity fills whole: a bar does not say who would have been there.

use super::teller::Teller;
use crate::domain::event::Kline;
use crate::domain::order::ReportKind;
use crate::domain::{Bar, Order, OrderId, OrderKind, Passed, Price, Side, Time, TimeInForce};
use std::collections::VecDeque;

/// Places for orders of one instrument that rest or wait for a bar.
const ORDERS_MAX: usize = 256;
/// Points of the path that are remembered: an order may arrive some of them after its cause.
const POINTS_MAX: usize = 16;

/// The event that an order was asked for at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause {
    /// Its number.
    pub seq: u64,
    /// Its moment.
    pub time: Time,
}

/// A point of a bar's path.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// The event that it came with: a bar closes at the moment at which the next one opens, so its time does not tell.
    seq: u64,
    /// How long its bar is, ns; zero where nobody knows.
    bar_ns: u64,
    /// The point before it in its bar; none where the bar opens.
    before: Option<Price>,
    price: Price,
}

#[derive(Debug, Clone, Copy)]
struct Resting {
    order: Order,
    left: i64,
}

/// See the module.
pub struct BarMarket {
    touch: bool,
    resting: Vec<Resting>,
    /// Orders that came between two bars and would trade at once, or not at all.
    waiting: Vec<Order>,
    points: VecDeque<Point>,
    /// Whether a bar is under way.
    open: bool,
    price: Option<Price>,
    /// Volume of the last bar that closed.
    volume: i64,
}

impl BarMarket {
    /// A market without a bar yet. With `touch` a limit order fills where the path comes to its price.
    #[must_use]
    pub fn new(touch: bool) -> Self {
        Self {
            touch,
            resting: Vec::with_capacity(ORDERS_MAX),
            waiting: Vec::with_capacity(ORDERS_MAX),
            points: VecDeque::with_capacity(POINTS_MAX),
            open: false,
            price: None,
            volume: 0,
        }
    }

    /// The path goes on.
    pub(super) fn on_kline(&mut self, kline: &Kline, teller: &mut Teller) {
        let price = kline.close;
        let before = if self.open { self.price } else { None };
        if self.points.len() == POINTS_MAX {
            self.points.pop_front();
        }
        let bar_ns = kline.close_time.since(kline.open_time);
        self.points.push_back(Point { seq: teller.seq, bar_ns, before, price });
        self.price = Some(price);
        self.open = !kline.closed;
        match before {
            Some(before) => self.pass(before, price, teller),
            None => self.begin(price, teller),
        }
        if kline.closed {
            self.volume = kline.volume.0;
        }
    }

    /// Where the price is, of a bar that is under way.
    pub(super) fn price_within(&self) -> Option<Price> {
        self.price.filter(|_| self.open)
    }

    /// Whether no order rests or waits.
    pub(super) fn is_empty(&self) -> bool {
        self.resting.is_empty() && self.waiting.is_empty()
    }

    /// The path has come to `price` within a bar, with nobody there. Points of the path before are not remembered: only
    /// what is triggered at one asks for it.
    pub(super) fn pass_over(&mut self, price: Price) {
        (self.price, self.open) = (Some(price), true);
    }

    /// Bars have passed, the last of them this, with nobody there.
    pub(super) fn pass_over_bars(&mut self, passed: Passed, last: Bar) {
        if self.points.len() == POINTS_MAX {
            self.points.pop_front();
        }
        let Passed { seq, before } = passed;
        let price = last.close;
        self.points.push_back(Point { seq, bar_ns: 0, before: Some(before), price });
        (self.price, self.open, self.volume) = (Some(price), false, last.volume.0);
    }

    /// A bar opens: what waited fills, and what rests beyond the open fills there.
    fn begin(&mut self, open: Price, teller: &mut Teller) {
        for order in std::mem::take(&mut self.waiting) {
            let at = if order.kind.has_limit() { order.price } else { open };
            if !teller.account.still_bears(&order, at) {
                // It came to more than was there when it was taken in, or what waited before it has taken that.
                teller.end(&order, 0, ReportKind::Expired);
            } else if order.tif == TimeInForce::Gtc && !crosses(&order, open) {
                self.rest(&order, teller);
            } else {
                self.at_once(&order, open, teller);
            }
        }
        let mut index = 0;
        while index < self.resting.len() && teller.has_room(2) {
            let Resting { order, left } = self.resting[index];
            if !is_beyond(&order, open, true)
                || !(self.touch || order.kind.is_conditional() || is_beyond(&order, open, false))
            {
                index += 1;
                continue;
            }
            self.resting.remove(index);
            if order.kind.is_conditional() {
                self.triggered(&order, left, open, teller);
            } else {
                self.trade(&order, left, open, true, teller);
            }
        }
    }

    /// The price goes straight from `from` to `to`.
    fn pass(&mut self, from: Price, to: Price, teller: &mut Teller) {
        let passed = |r: &Resting, touch: bool| {
            let at = trigger(&r.order);
            // What it comes from counts too: a limit that the path only came to, before, is passed by going on.
            let comes = if rises_to(&r.order) {
                from <= at && (at < to || (at == to && touch && from < to))
            } else {
                from >= at && (at > to || (at == to && touch && from > to))
            };
            comes.then_some(at)
        };
        while teller.has_room(2) {
            // The nearest first; at one price stops, then the oldest.
            let next = self.resting.iter().enumerate().filter_map(|(index, r)| {
                let touch = self.touch || r.order.kind.is_conditional();
                let at = passed(r, touch)?;
                Some((at.0.abs_diff(from.0), !r.order.kind.is_stop(), index, at))
            });
            let Some((_, _, index, at)) = next.min() else { break };
            let Resting { order, left } = self.resting.remove(index);
            if order.kind.is_conditional() {
                self.triggered(&order, left, at, teller);
            } else {
                self.trade(&order, left, at, true, teller);
            }
        }
    }

    /// A resting conditional order is triggered with the market at `price`.
    fn triggered(&mut self, order: &Order, left: i64, price: Price, teller: &mut Teller) {
        let now = Order { kind: order.kind.triggered(), ..*order };
        if now.kind == OrderKind::Market || now.side.at_least_as_aggressive(now.price, price) {
            let at = self.worsened(&now, left, price, teller);
            self.take(&now, left, at, true, teller);
        } else {
            self.resting.push(Resting { order: now, left });
        }
    }

    /// What a market or marketable order comes to; a limit is never passed.
    fn worsened(&self, order: &Order, qty: i64, price: Price, teller: &Teller) -> Price {
        let at = teller.worsened(order, qty, price, self.volume);
        match order.side {
            Side::Buy if order.kind.has_limit() => at.min(order.price),
            Side::Sell if order.kind.has_limit() => at.max(order.price),
            _ => at,
        }
    }

    /// Fills an order that rested, at its maker's fee.
    fn trade(&mut self, order: &Order, left: i64, price: Price, maker: bool, teller: &mut Teller) {
        let qty = teller.account.reducible(order, left);
        if qty > 0 {
            teller.fill(order, qty, price, maker, true);
        }
        if qty < left {
            teller.end(order, left - qty, ReportKind::Expired);
        } else {
            teller.account.ended(order, 0);
        }
    }

    /// What an order without a limit may come to, as far as is known when it is taken in.
    fn worst(&self, order: &Order, price: Price, teller: &Teller) -> Price {
        let triggered = if order.kind.is_conditional() { order.extras.stop_price } else { price };
        self.worsened(
            order,
            order.qty.0,
            if order.side == Side::Buy { price.max(triggered) } else { price },
            teller,
        )
    }

    /// Fills an order that takes; `rested`: it was among those that rest.
    fn take(&mut self, order: &Order, left: i64, price: Price, rested: bool, teller: &mut Teller) {
        let mut qty = teller.account.reducible(order, left);
        if order.kind == OrderKind::Market && !teller.account.still_pays(order, std::iter::once((qty, price)))
        {
            qty = 0;
        }
        if qty > 0 {
            teller.fill(order, qty, price, false, rested);
        }
        if qty < left {
            teller.end(order, if rested { left - qty } else { 0 }, ReportKind::Expired);
        } else {
            teller.account.ended(order, 0);
        }
    }

    /// An order that does not rest, with the market at `price`.
    fn at_once(&mut self, order: &Order, price: Price, teller: &mut Teller) {
        if crosses(order, price) {
            let at = self.worsened(order, order.qty.0, price, teller);
            self.take(order, order.qty.0, at, false, teller);
        } else {
            teller.end(order, 0, ReportKind::Expired);
        }
    }

    /// An order arrives that an event had asked for.
    pub(super) fn arrive(&mut self, order: &Order, cause: Cause, teller: &mut Teller) {
        let Some(price) = self.price else { return teller.unmet(order) };
        if !order.extras.is_none() && !order.kind.is_conditional() {
            return teller.say(order, ReportKind::Rejected);
        }
        let full = self.resting.len() + self.waiting.len() >= ORDERS_MAX;
        let crosses = crosses(order, price);
        if full || (order.kind == OrderKind::PostOnly && crosses) {
            return teller.say(order, ReportKind::Rejected);
        }
        let worst = self.worst(order, price, teller);
        if !teller.admits(order, price, worst) {
            return;
        }
        teller.say(order, ReportKind::Accepted);
        let immediate = order.tif != TimeInForce::Gtc;
        match order.kind {
            kind if kind.is_conditional() && immediate => self.on_path(order, cause, price, teller),
            kind if kind.is_conditional() => {
                self.rest(order, teller);
                if self.open && is_beyond(order, price, true) {
                    self.resting.pop();
                    self.triggered(order, order.qty.0, price, teller);
                }
            }
            _ => self.meet(order, price, teller),
        }
    }

    /// A market or limit order meets the market at `price`, or waits for the next bar.
    fn meet(&mut self, order: &Order, price: Price, teller: &mut Teller) {
        let immediate = order.tif != TimeInForce::Gtc;
        match order.kind {
            OrderKind::Market if !self.open => self.waiting.push(*order),
            OrderKind::Limit if !self.open && (immediate || crosses(order, price)) => {
                self.waiting.push(*order);
            }
            OrderKind::Market => self.at_once(order, price, teller),
            OrderKind::Limit if immediate || crosses(order, price) => self.at_once(order, price, teller),
            _ => self.rest(order, teller),
        }
    }

    fn rest(&mut self, order: &Order, teller: &mut Teller) {
        teller.account.rests(order, order.qty.0);
        self.resting.push(Resting { order: *order, left: order.qty.0 });
    }

    /// An order that the path triggered on its way to where it was asked for.
    fn on_path(&mut self, order: &Order, cause: Cause, price: Price, teller: &mut Teller) {
        let now = Order { kind: order.kind.triggered(), tif: TimeInForce::Gtc, ..*order };
        let taken_ns = teller.now.since(cause.time);
        let point = self.points.iter().rev().find(|point| point.seq <= cause.seq);
        let Some(point) = point.filter(|point| point.bar_ns == 0 || taken_ns < point.bar_ns) else {
            // The bar that triggered it is long over.
            return self.meet(&now, price, teller);
        };
        let at = match point.before {
            // It was beyond the trigger before it was there to be triggered: a path that goes on from there, even back
            // towards the trigger, gives nothing better.
            Some(before) if is_beyond(order, before, true) => before,
            Some(_) if is_beyond(order, point.price, true) => trigger(order),
            // It opened beyond it, or was sent for a price of earlier.
            _ => point.price,
        };
        if now.kind == OrderKind::Market || now.side.at_least_as_aggressive(now.price, at) {
            let at = self.worsened(&now, order.qty.0, at, teller);
            self.take(&now, order.qty.0, at, false, teller);
        } else if self.open && crosses(&now, price) {
            // The path has gone on beyond its limit, as to an open: resting there it would be behind the market.
            self.at_once(&now, price, teller);
        } else {
            self.rest(&now, teller);
        }
    }

    /// Takes an order back.
    pub(super) fn cancel(&mut self, id: OrderId, teller: &mut Teller) {
        if let Some(index) = self.resting.iter().position(|r| r.order.id == id) {
            let Resting { order, left } = self.resting.remove(index);
            teller.end(&order, left, ReportKind::Canceled);
        } else if let Some(index) = self.waiting.iter().position(|order| order.id == id) {
            let order = self.waiting.remove(index);
            teller.end(&order, 0, ReportKind::Canceled);
        }
    }

    /// Takes everything back.
    pub(super) fn cancel_all(&mut self, teller: &mut Teller) {
        while let Some(id) = self.resting.first().map(|r| r.order.id).or(self.waiting.first().map(|o| o.id)) {
            self.cancel(id, teller);
        }
    }
}

/// Whether an order would trade at once with the market at `price`.
fn crosses(order: &Order, price: Price) -> bool {
    order.kind == OrderKind::Market || order.side.at_least_as_aggressive(order.price, price)
}

/// Where an order trades, or is triggered.
fn trigger(order: &Order) -> Price {
    if order.kind.is_conditional() { order.extras.stop_price } else { order.price }
}

/// Whether a price that rises comes to it.
fn rises_to(order: &Order) -> bool {
    if order.kind.is_conditional() { order.kind.triggers_above(order.side) } else { order.side == Side::Sell }
}

/// Whether a market at `price` is beyond where an order trades or is triggered, or, with `touch`, there.
fn is_beyond(order: &Order, price: Price, touch: bool) -> bool {
    let at = trigger(order);
    (touch && price == at) || if rises_to(order) { price > at } else { price < at }
}
