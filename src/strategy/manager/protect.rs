//! Protections: a stop and a take-profit around what an entry filled, of which the first that is reached leaves.

use super::held::Trail;
use crate::domain::event::{Report, Trade};
use crate::domain::order::OrderState;
use crate::domain::{InstrumentId, Order, OrderId, PlaceError, Position, Price, Qty, Side, Time};
use crate::market::Top;
use crate::strategy::context::View;
use crate::strategy::desk::Desk;
use crate::strategy::intent::Change;

/// Where what an entry filled is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Protection {
    /// The order whose fills are protected.
    pub entry: OrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// The entry's side.
    pub side: Side,
    /// Leave when the touch is at or worse than this; zero for none.
    pub stop: Price,
    /// Leave when the touch is at or better than this; zero for none.
    pub take_profit: Price,
    /// How the stop trails the last trade; it moves to the better side only.
    pub trail: Trail,
    /// The best price since something is covered, of one that trails: that of the fill, or of a trade since. Zero where
    /// nothing is covered, and, of one that trails only since, before the first trade.
    pub best: Price,
    /// Whether that is the price of a fill, and nothing traded since.
    #[serde(default)]
    pub(super) of_fill: bool,
    /// Filled and still open.
    pub covered: Qty,
    /// The exit under way, if one is.
    pub exit: Option<OrderId>,
    /// No exit is asked for before: risk denied the last one.
    pub retry_at: Time,
    /// How much the wallet had enough for when it had too little for the exit: so much is asked for before
    /// [`retry_at`](Self::retry_at). Zero: nothing is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) affordable: Qty,
    /// The venue had too little for the last exit, whatever the wallet has: the next asks for no more than this. Zero: no such
    /// bound.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) most: Qty,
    /// Whether the entry can fill no more.
    pub(super) entry_final: bool,
}

fn is_zero(qty: &Qty) -> bool {
    *qty == Qty::ZERO
}

/// What a protection is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Terms {
    /// See [`Protection::stop`].
    pub stop: Price,
    /// See [`Protection::take_profit`].
    pub take_profit: Price,
    /// See [`Protection::trail`].
    pub trail: Trail,
}

impl Terms {
    /// Whether they can be, and leave somewhere.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        let leaves = self.stop.0 > 0 || self.take_profit.0 > 0 || !matches!(self.trail, Trail::None);
        leaves && self.stop.0 >= 0 && self.take_profit.0 >= 0 && self.trail.is_sound()
    }

    /// Whether an entry on `side`, at this limit if it has one, is not at its stop wherever it may be: a price that is not
    /// stopped must be there short of the target, and at the limit or better.
    #[must_use]
    pub fn leave_room(&self, side: Side, limit: Option<Price>) -> bool {
        let beyond = |price: Price| match side {
            Side::Buy => self.stop < price,
            Side::Sell => self.stop > price,
        };
        let target = (self.take_profit.0 > 0).then_some(self.take_profit);
        self.stop.0 <= 0 || [target, limit].into_iter().flatten().all(beyond)
    }
}

impl Protection {
    fn new(entry: &Order, terms: Terms, covered: Qty) -> Self {
        let Terms { stop, take_profit, trail } = terms;
        Self {
            entry: entry.id,
            instrument: entry.instrument,
            side: entry.side,
            stop,
            take_profit,
            trail,
            best: Price(0),
            of_fill: false,
            covered,
            exit: None,
            retry_at: Time(0),
            affordable: Qty::ZERO,
            most: Qty::ZERO,
            entry_final: false,
        }
    }

    /// The price at which the stop now leaves; `None` without one.
    #[must_use]
    pub fn stop_now(&self) -> Option<Price> {
        // A long leaves below the best trade, a short above.
        let short = self.side == Side::Sell;
        let trailing = (self.best.0 > 0).then(|| self.trail.trigger(short, self.best)).flatten();
        let fixed = (self.stop.0 > 0).then_some(self.stop);
        match (fixed, trailing) {
            (Some(a), Some(b)) => Some(if short { a.min(b) } else { a.max(b) }),
            (a, b) => a.or(b),
        }
    }

    /// Whether this touch is where to leave.
    pub(super) fn is_reached(&self, top: &Top) -> bool {
        let profit = (self.take_profit.0 > 0).then_some(self.take_profit);
        let profited = profit.is_some_and(|p| match self.side {
            Side::Buy => top.bid.price >= p,
            Side::Sell => top.ask.price <= p,
        });
        profited || self.stop_now().is_some_and(|stop| self.is_stopped(top, stop))
    }

    /// Whether this touch is where a stop at `stop` leaves: a long leaves at the bid, a short at the ask.
    pub(super) fn is_stopped(&self, top: &Top, stop: Price) -> bool {
        match self.side {
            Side::Buy => top.bid.price <= stop,
            Side::Sell => top.ask.price >= stop,
        }
    }

    /// Something filled at this price: what trails begins there, and not with the next trade, before which it would have no
    /// stop. Of several fills before that the worst counts.
    fn begin_at(&mut self, price: Price) {
        let worse = match self.side {
            Side::Buy => price < self.best,
            Side::Sell => price > self.best,
        };
        if self.trail != Trail::None && (self.best.0 == 0 || (self.of_fill && worse)) {
            (self.best, self.of_fill) = (price, true);
        }
    }

    /// What it is to be.
    #[must_use]
    pub const fn terms(&self) -> Terms {
        Terms { stop: self.stop, take_profit: self.take_profit, trail: self.trail }
    }

    fn is_over(&self) -> bool {
        self.entry_final && self.covered.0 == 0
    }
}

impl Desk {
    /// Protects what `entry` has filled and fills from now on; of an entry that is protected, changes how.
    ///
    /// # Errors
    /// [`PlaceError::UnknownOrder`] for an order that is neither live nor protected, [`PlaceError::BadTrigger`], and
    /// [`PlaceError::Contradictory`] where the stop would be reached before the target can be.
    pub fn protect(&mut self, view: &View, entry: OrderId, terms: Terms) -> Result<(), PlaceError> {
        let known = self.protection(entry).map(|p| (p.instrument, p.side));
        let known = known.or_else(|| self.order(entry).map(|order| (order.instrument, order.side)));
        let Some((instrument, side)) = known else { return self.refuse(PlaceError::UnknownOrder) };
        let Terms { stop, take_profit, trail } = terms;
        if !terms.is_sound() {
            return self.refuse(PlaceError::BadTrigger);
        }
        if !terms.leave_room(side, None) {
            return self.refuse(PlaceError::Contradictory);
        }
        if self.protection(entry).is_none() && !self.has_place_for_protection() {
            return self.refuse(PlaceError::TooManyOpenOrders);
        }
        let note = self.note(entry, instrument, Change::Protected { stop, take_profit, trail });
        self.emit(view, note, instrument)?;
        self.put_protection(entry, terms);
        Ok(())
    }

    pub(in crate::strategy) fn has_place_for_protection(&self) -> bool {
        self.state.manager.protections.len() < self.places()
    }

    /// Gives a protection up; an exit under way goes on.
    ///
    /// # Errors
    /// [`PlaceError::UnknownOrder`] where there is none.
    pub fn unprotect(&mut self, view: &View, entry: OrderId) -> Result<(), PlaceError> {
        let Some(protection) = self.protection(entry) else { return self.refuse(PlaceError::UnknownOrder) };
        let instrument = protection.instrument;
        let note = self.note(entry, instrument, Change::Unprotected);
        self.emit(view, note, instrument)?;
        self.drop_protection(entry);
        Ok(())
    }

    /// The protection of an entry.
    #[must_use]
    pub fn protection(&self, entry: OrderId) -> Option<&Protection> {
        self.state.manager.protections.iter().find(|p| p.entry == entry)
    }

    /// Makes a protection or changes it.
    pub(super) fn put_protection(&mut self, entry: OrderId, terms: Terms) {
        let Terms { stop, take_profit, trail } = terms;
        if let Some(p) = self.state.manager.protections.iter_mut().find(|p| p.entry == entry) {
            (p.stop, p.take_profit, p.trail) = (stop, take_profit, trail);
            self.restless = true;
            return self.state.ended.protect(entry, Some(terms));
        }
        let Some(state) = self.state.orders.iter().find(|o| o.order.id == entry).copied() else { return };
        self.state.manager.protections.push(Protection::new(&state.order, terms, state.filled));
        self.restless = true;
        self.clamp(state.order.instrument);
    }

    /// Protects what an entry that is over traded after all, unless what it filled before is protected still. The oldest
    /// first, as if it had been there all the time.
    pub(in crate::strategy) fn protect_again(&mut self, entry: &OrderState, terms: Terms) {
        let protections = &mut self.state.manager.protections;
        if protections.iter().any(|p| p.entry == entry.order.id) {
            return;
        }
        let at = protections.iter().position(|p| p.entry > entry.order.id).unwrap_or(protections.len());
        let again = Protection { entry_final: true, ..Protection::new(&entry.order, terms, Qty::ZERO) };
        protections.insert(at, again);
    }

    pub(super) fn drop_protection(&mut self, entry: OrderId) {
        self.state.ended.protect(entry, None);
        self.state.manager.protections.retain(|p| p.entry != entry);
    }

    /// Moves the stops that trail.
    pub(super) fn follow_protections(&mut self, trade: &Trade) {
        for p in &mut self.state.manager.protections {
            if p.trail == Trail::None || p.instrument != trade.instrument || p.covered.0 == 0 {
                continue;
            }
            let better = match p.side {
                Side::Buy => trade.price > p.best,
                Side::Sell => trade.price < p.best,
            };
            if p.best.0 == 0 || better {
                p.best = trade.price;
            }
            p.of_fill = false;
        }
    }

    /// A fill of `order`, which the position has in it already: what is covered grows, or shrinks.
    pub(in crate::strategy) fn cover(&mut self, order: &OrderState, fill: &Report) {
        if self.state.manager.protections.is_empty() {
            return;
        }
        for p in &mut self.state.manager.protections {
            if p.entry == order.order.id {
                p.covered = Qty(p.covered.0.saturating_add(fill.qty.0 - fill.taken().0));
                // What was too little may be enough now.
                p.retry_at = Time(0);
                p.begin_at(fill.price);
                self.restless = true;
            } else if p.exit == Some(order.order.id) {
                p.covered = Qty((p.covered.0 - fill.qty.0).max(0));
                p.affordable = Qty((p.affordable.0 - fill.qty.0).max(0));
                // More than that may be free by now: what had it locked is asked about by twice as much each time.
                p.most = Qty(if p.most.0 > 0 { order.order.qty.0.saturating_mul(2) } else { 0 });
            }
        }
        self.clamp(order.order.instrument);
    }

    /// No more is covered than is held: what was closed otherwise is taken off the oldest first.
    pub(in crate::strategy) fn clamp(&mut self, instrument: InstrumentId) {
        let held = self.position(instrument).qty.0;
        for side in [Side::Buy, Side::Sell] {
            let open = side.signed(Qty(held)).0.max(0);
            let ours = |p: &&mut Protection| p.instrument == instrument && p.side == side;
            let protections = &mut self.state.manager.protections;
            let covered =
                protections.iter_mut().filter(ours).fold(0i64, |sum, p| sum.saturating_add(p.covered.0));
            let mut excess = covered - open;
            for p in protections.iter_mut().filter(ours) {
                let cut = excess.clamp(0, p.covered.0);
                p.covered = Qty(p.covered.0 - cut);
                excess -= cut;
            }
        }
        // What fills later is followed from then on, not from what was the best before.
        for p in self.state.manager.protections.iter_mut().filter(|p| p.covered.0 == 0) {
            (p.best, p.of_fill) = (Price(0), false);
        }
        self.state.manager.protections.retain(|p| !p.is_over());
    }

    /// An order ended: an exit leaves room for the next, an entry fills no more.
    pub(in crate::strategy) fn settle_protections(&mut self, order: OrderId) {
        for p in &mut self.state.manager.protections {
            if p.exit == Some(order) {
                p.exit = None;
                self.restless = true;
            }
            p.entry_final |= p.entry == order;
        }
        self.state.manager.protections.retain(|p| !p.is_over());
    }

    pub(super) fn position(&self, instrument: InstrumentId) -> Position {
        self.state.positions.get(instrument.index()).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
