//! Orders that wait for a price, pairs of which one cancels the other, and orders that end at a time.

use crate::domain::event::Trade;
use crate::domain::{
    Extras, InstrumentId, Order, OrderId, OrderKind, OrderStatus, PlaceError, Price, Qty, Side, TimeInForce,
};
use crate::strategy::context::View;
use crate::strategy::desk::Desk;
use crate::strategy::intent::{Action, Change, Intent};

/// How far behind the best price a trigger stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Trail {
    /// It does not move.
    #[default]
    None,
    /// Hundredths of a per cent of the best price.
    Bps(u16),
    /// A distance in price units.
    Distance(Price),
}

impl Trail {
    /// Whether it can be: 1 to 9,999 hundredths of a per cent, or a positive distance.
    #[must_use]
    pub const fn is_sound(self) -> bool {
        match self {
            Trail::None => true,
            Trail::Bps(bps) => bps > 0 && bps < 10_000,
            Trail::Distance(distance) => distance.0 > 0,
        }
    }

    /// The trigger price with this best price: above it for what a rise triggers, below it otherwise.
    #[must_use]
    pub fn trigger(self, above: bool, best: Price) -> Option<Price> {
        let sign = if above { 1 } else { -1 };
        match self {
            Trail::None => None,
            Trail::Distance(distance) => Some(Price(best.0.saturating_add(sign * distance.0))),
            Trail::Bps(bps) => {
                let scaled = i128::from(best.0) * i128::from(10_000 + sign * i64::from(bps));
                // A price is at or beyond the exact product if and only if it is so of this rounding.
                let up = i128::from(above && scaled.rem_euclid(10_000) != 0);
                i64::try_from(scaled.div_euclid(10_000) + up).ok().map(Price)
            }
        }
    }
}

/// An order that waits for its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Held {
    /// Which of the desk's orders.
    pub order: OrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Whether a price that rises triggers it.
    pub above: bool,
    /// Whether it is a stop: those go first.
    pub is_stop: bool,
    /// The trigger price; zero until the first trade of one that trails.
    pub stop: Price,
    /// How it trails.
    pub trail: Trail,
    /// The best price since it is held, of one that trails; zero before the first trade.
    pub best: Price,
    /// Whether it was triggered, and goes out as soon as it can.
    pub due: bool,
}

impl Held {
    fn new(order: &Order) -> Self {
        let bps = order.extras.trailing_bps;
        Self {
            order: order.id,
            instrument: order.instrument,
            above: order.kind.triggers_above(order.side),
            is_stop: order.kind.is_stop(),
            stop: order.extras.stop_price,
            trail: if bps == 0 { Trail::None } else { Trail::Bps(bps) },
            best: Price(0),
            due: false,
        }
    }

    /// Takes a trade's price in.
    fn follow(&mut self, price: Price) {
        if self.trail != Trail::None {
            let better = if self.above { price < self.best } else { price > self.best };
            if self.best.0 == 0 || better {
                self.best = price;
                self.stop = self.trail.trigger(self.above, price).unwrap_or(self.stop);
            }
        }
    }

    /// Whether this price triggers it.
    #[must_use]
    pub fn is_reached(&self, price: Price) -> bool {
        self.stop.0 > 0 && if self.above { price >= self.stop } else { price <= self.stop }
    }
}

impl Desk {
    /// Holds an order that is among the desk's already.
    pub(in crate::strategy) fn hold(&mut self, order: &Order) {
        if order.kind.is_conditional() {
            let held = &mut self.state.manager.held;
            // By number, so that the order does not depend on when it was decided to hold it.
            held.insert(held.partition_point(|h| h.order < order.id), Held::new(order));
        } else {
            self.slice(order);
        }
        self.set_status(order.id, OrderStatus::Open);
    }

    fn set_status(&mut self, id: OrderId, status: OrderStatus) {
        if let Some(state) = self.state.orders.iter_mut().find(|o| o.order.id == id) {
            state.status = status;
        }
    }

    /// Has two orders cancel each other.
    ///
    /// # Errors
    /// [`PlaceError::NotLinkable`], [`PlaceError::UnknownOrder`], [`PlaceError::TooManyIntents`],
    /// [`PlaceError::Stopped`].
    pub fn link(&mut self, view: &View, a: OrderId, b: OrderId) -> Result<(), PlaceError> {
        let find = |id| self.state.orders.iter().find(|o| o.order.id == id).copied();
        let (Some(first), Some(second)) = (find(a), find(b)) else {
            return self.refuse(PlaceError::UnknownOrder);
        };
        let (x, y) = (&first.order, &second.order);
        let sizes = x.side != y.side || first.leaves() == second.leaves();
        if self.state.manager.linked(a).is_none()
            && self.state.manager.linked(b).is_none()
            && self.send_as_list(view, a, b)
        {
            return Ok(());
        }
        let free = self.is_unlinked(&first.order) && self.is_unlinked(&second.order);
        let (held_a, held_b) = (self.state.manager.is_held(a), self.state.manager.is_held(b));
        // What was sent to a venue that holds such orders itself is still here within its event: it is held instead.
        let holdable = held_a || held_b || self.is_unsent_conditional(a) || self.is_unsent_conditional(b);
        if a == b || x.instrument != y.instrument || !sizes || !free || !holdable {
            return self.refuse(PlaceError::NotLinkable);
        }
        let to_be_held = [x, y].map(|o| self.is_unsent_conditional(o.id) && self.is_stopped(view, o));
        if to_be_held.contains(&true) {
            return self.refuse(PlaceError::Stopped);
        }
        let note = self.note(a, x.instrument, Change::Linked(b));
        self.emit(view, note, x.instrument)?;
        for id in [a, b] {
            self.hold_unsent(id);
        }
        self.state.manager.links.push((a, b));
        Ok(())
    }

    /// Has what this trade triggers go out. What trails has [followed](Self::follow) it already.
    pub(in crate::strategy) fn on_trade(&mut self, view: &View, trade: &Trade) {
        if self.state.manager.held.is_empty() {
            return;
        }
        // Stops first: of two that one trade triggers the worse is taken to have come first.
        for stops in [true, false] {
            // From the last: whatever `trigger` takes out of the list, none is passed over.
            for index in (0..self.state.manager.held.len()).rev() {
                let Some(&held) = self.state.manager.held.get(index) else { continue };
                let ours = held.instrument == trade.instrument && held.is_stop == stops && !held.due;
                if ours && held.is_reached(trade.price) {
                    self.trigger(view, held.order);
                }
            }
        }
        self.attend(view);
    }

    /// Moves what trails a trade.
    #[inline]
    pub fn follow(&mut self, trade: &Trade) {
        if self.state.manager.is_idle() {
            return;
        }
        self.follow_protections(trade);
        for held in self.state.manager.held.iter_mut().filter(|h| h.instrument == trade.instrument && !h.due)
        {
            held.follow(trade.price);
        }
    }

    /// A bar's path came to this price: what trails follows, and what it triggers goes out.
    pub(in crate::strategy) fn walk(&mut self, view: &View, instrument: InstrumentId, price: Price) {
        if self.state.manager.is_idle() {
            return;
        }
        let (qty, venue_time, aggressor) = (Qty(1), view.now, Side::Buy);
        let trade = Trade { instrument, price, qty, id: 0, venue_time, aggressor, aggregate: false };
        self.follow(&trade);
        self.on_trade(view, &trade);
    }

    fn trigger(&mut self, view: &View, id: OrderId) {
        let Some(order) = self.order(id) else { return };
        if (view.is_paused(order.instrument) && !order.reduce_only) || self.ending.contains(&id) {
            return;
        }
        let sibling = self.state.manager.linked(id);
        if sibling.is_some_and(|s| self.state.manager.held.iter().any(|h| h.order == s && h.due)) {
            return;
        }
        let note = self.note(id, order.instrument, Change::Due);
        if self.emit(view, note, order.instrument).is_err() {
            // The next trade triggers it again.
            return;
        }
        self.set_due(id);
        if let Some(sibling) = sibling.filter(|s| self.state.manager.is_held(*s)) {
            // It may be refused for want of room; `attend` asks again before this one goes out.
            self.release(view, sibling, OrderStatus::Canceled);
        }
    }

    pub(super) fn set_due(&mut self, id: OrderId) {
        if let Some(held) = self.state.manager.held.iter_mut().find(|h| h.order == id) {
            held.due = true;
            self.restless = true;
        }
    }

    /// Sends what is due and what else waits only for room or for the book. Cheap where nothing does.
    #[inline]
    pub(in crate::strategy) fn attend(&mut self, view: &View) {
        if self.restless {
            self.attend_to_all(view);
        }
    }

    fn attend_to_all(&mut self, view: &View) {
        self.restless = false;
        self.go_on_ending(view);
        let mut index = 0;
        while index < self.state.manager.held.len() {
            let held = self.state.manager.held[index];
            if held.due && !self.send_due(view, &held) {
                self.restless = true;
            }
            // What was sent or released is gone from the list.
            if self.state.manager.held.get(index).is_some_and(|h| h.order == held.order) {
                index += 1;
            }
        }
        self.next_slices(view);
        self.guard_standing(view);
    }

    /// Whether a due order is settled: sent, or gone.
    fn send_due(&mut self, view: &View, held: &Held) -> bool {
        let Some(mut order) = self.order(held.order) else { return true };
        if order.qty.0 <= 0 {
            return self.release(view, held.order, OrderStatus::Canceled);
        }
        if view.holds_back(&order)
            || !view.top(order.instrument).is_two_sided()
            || !self.is_alone(view, held.order)
        {
            return false;
        }
        let at_market = !view.is_of_bars(order.instrument) && !order.kind.has_limit();
        let largest =
            view.table.get(order.instrument).whole_lots(view.largest(order.instrument, OrderKind::Market));
        // Less than a lot is no part.
        let largest = if at_market && largest.0 > 0 { largest } else { Qty(i64::MAX) };
        let mut in_parts = order.qty > largest;
        if order.reduce_only {
            let left = self.left_to_reduce(view, &order);
            if held.is_stop && left < order.qty && self.waits_for_room(view, &order, left) {
                return false;
            }
            if left.0 <= 0 {
                return self.release(view, held.order, OrderStatus::Canceled);
            }
            in_parts = left > largest;
            // Of what goes out in parts risk judges each.
            if order.extras.iceberg_qty.0 == 0 && !in_parts {
                order.qty = left;
            }
        }
        let iceberg_qty = order.extras.iceberg_qty;
        if view.is_of_bars(order.instrument) && iceberg_qty.0 == 0 {
            // On the path of a bar the price that triggered it is known: the order says which.
            let stop = Self::on_tick(view, order.instrument, order.side, held.stop);
            (order.tif, order.extras.stop_price, order.extras.trailing_bps) = (TimeInForce::Ioc, stop, 0);
        } else {
            order.kind = order.kind.triggered();
            order.extras = Extras { iceberg_qty, ..Extras::NONE };
        }
        if in_parts {
            // More than the venue takes at once.
            return self.go_out_in_parts(view, &order);
        }
        if iceberg_qty.0 > 0 && (iceberg_qty >= order.qty || !view.forms(order.instrument).holds(&order)) {
            if iceberg_qty >= order.qty {
                order.extras = Extras::NONE;
            } else {
                return self.go_out_in_parts(view, &order);
            }
        }
        let triggered = rests_to_leave(&order);
        let intent = Intent::new(view.seq, Action::New(order), view.top(order.instrument));
        if self.emit_intent(Intent { triggered, ..intent }).is_err() {
            return false;
        }
        self.now_out(&order);
        true
    }

    /// A held order went out as this one, or goes out in parts from now on.
    pub(super) fn now_out(&mut self, order: &Order) {
        self.replace(order);
        self.unhold(order.id);
        if rests_to_leave(order) {
            self.state.manager.triggered.push(order.id);
        }
    }

    /// How much of an order that only reduces there is to reduce, in whole lots: the position may be smaller than when it
    /// was asked for, and what is on its way out already cannot be left again. So risk judges it too, and would deny it whole.
    pub(super) fn left_to_reduce(&self, view: &View, order: &Order) -> Qty {
        let leaving = self.leaving_already(view, order.instrument, order.side, Some(order.id));
        let left = self.held_against(order).saturating_sub(leaving);
        if left >= order.qty.0 {
            return order.qty;
        }
        view.table.get(order.instrument).whole_lots(Qty(left))
    }

    /// How much is held that an order of this side makes less.
    fn held_against(&self, order: &Order) -> i64 {
        order.side.opposite().signed(self.position(order.instrument).qty).0
    }

    /// Whether a stop that could go out for no more than `left` waits for what rests to leave with, at a price that the
    /// market turned away from: that is taken back.
    fn waits_for_room(&mut self, view: &View, order: &Order, left: Qty) -> bool {
        let of = view.table.get(order.instrument);
        if of.whole_lots(Qty(self.held_against(order).min(order.qty.0))) <= left {
            return false;
        }
        let for_limit = order.kind.has_limit();
        self.make_way(view, order.instrument, order.side, for_limit);
        self.is_in_the_way(view, order.instrument, order.side, for_limit)
    }

    /// Whether no linked order stands in the way; one that does is taken back.
    fn is_alone(&mut self, view: &View, id: OrderId) -> bool {
        let Some(sibling) = self.state.manager.linked(id) else { return true };
        let Some(state) = self.state.orders.iter().find(|o| o.order.id == sibling) else { return true };
        if self.state.manager.is_held(sibling) {
            return self.release(view, sibling, OrderStatus::Canceled);
        }
        if state.status != OrderStatus::PendingCancel {
            // Refused for want of room, it is asked for again with the next event.
            let _ = self.take_back(view, sibling);
        }
        false
    }

    /// The order as it is now asked for: what is held changes until it is sent.
    pub(super) fn replace(&mut self, order: &Order) {
        if let Some(state) = self.state.orders.iter_mut().find(|o| o.order.id == order.id) {
            state.order = *order;
        }
    }

    fn unhold(&mut self, id: OrderId) {
        self.state.manager.held.retain(|h| h.order != id);
    }

    /// Ends a held order; false where there was no room to say so.
    pub(in crate::strategy) fn release(&mut self, view: &View, id: OrderId, ended: OrderStatus) -> bool {
        let Some(order) = self.order(id) else { return true };
        let note = self.note(id, order.instrument, Change::Released(ended));
        if self.emit(view, note, order.instrument).is_err() {
            self.restless = true;
            return false;
        }
        if let Some(state) = self.end(id, ended) {
            self.notices.push(state);
        }
        true
    }

    /// A linked order traded: the one that is held beside it, or was when it ended, shrinks, or is of no use any more.
    pub(in crate::strategy) fn shrink_linked(&mut self, filled: &Order, linked: Option<OrderId>, qty: Qty) {
        let Some(other) = linked else { return };
        if !self.state.manager.is_held(other) {
            return;
        }
        let Some(state) = self.state.orders.iter_mut().find(|o| o.order.id == other) else { return };
        let left = if state.order.side == filled.side { state.order.qty.0 - qty.0 } else { 0 };
        state.order.qty = Qty(left.max(0));
        if left <= 0 {
            self.set_due(other);
        }
    }
}

/// Whether one that waited is, now that its price has come, a limit order that only reduces.
fn rests_to_leave(order: &Order) -> bool {
    order.reduce_only && order.kind == OrderKind::Limit
}

impl super::Manager {
    /// Whether no trade can matter.
    #[inline]
    pub(in crate::strategy) fn is_idle(&self) -> bool {
        self.held.is_empty() && self.protections.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Redo;
    use super::*;
    use crate::domain::event::{FeeAsset, Report};
    use crate::domain::instrument::tests::sample;
    use crate::domain::order::ReportKind;
    use crate::domain::{Instrument, InstrumentTable, Level, Market, OrderKind, StrategyId, Time};
    use crate::market::Top;
    use crate::strategy::desk::Wanted;
    use crate::strategy::desk::tests::buy;

    const BTC: InstrumentId = InstrumentId(0);

    #[test]
    fn a_stop_has_what_rests_to_leave_with_make_way_and_leaves_with_all_that_is_held() {
        let table = |market| InstrumentTable::new(vec![sample(market, "BTCUSDT")]).expect("one instrument");
        let stop = (OrderKind::Stop, Price(0), Extras::stop(Price(100)));
        let stop_limit = (OrderKind::StopLimit, Price(98), Extras::stop(Price(100)));
        let profit = (OrderKind::TakeProfit, Price(0), Extras::stop(Price(100)));
        // What waits, on which market, whether what rests says that it only reduces, how much of it there is, and what of ten
        // then goes out, at once and once that is gone.
        for (waits, market, says, resting, at_once, then) in [
            (stop, Market::UsdM, true, 10, None, Some(10)),
            (stop, Market::UsdM, true, 4, None, Some(10)),
            (stop, Market::UsdM, false, 10, Some(10), None),
            (stop, Market::Spot, false, 10, None, Some(10)),
            (stop_limit, Market::UsdM, true, 10, None, Some(10)),
            (profit, Market::UsdM, true, 4, Some(6), None),
        ] {
            let what = format!("{waits:?}, {market:?}, {says}, {resting}");
            let (mut view, mut desk) = (View::new(&table(market), 0), Desk::new(StrategyId(0), 1));
            view.tops[0] = Top { bid: Level::new(99, 5), ask: Level::new(101, 5), valid: true };
            desk.state.positions[0].qty = Qty(10);
            let sell = Wanted { side: Side::Sell, reduce_only: true, ..buy() };
            let (kind, price, extras) = waits;
            let waits = desk.place(&view, &Wanted { kind, price, extras, ..sell }, Trail::None);
            let target = Wanted { price: Price(120), qty: Qty(resting), reduce_only: says, ..sell };
            let target = desk.place(&view, &target, Trail::None).expect("a sound order");
            desk.take_intents();
            let sent = |desk: &mut Desk| {
                let mut out = (None, false);
                for intent in desk.take_intents() {
                    match intent.action {
                        Action::New(order) if Ok(order.id) == waits => out.0 = Some(order.qty.0),
                        Action::Cancel { order, .. } if order == target => out.1 = true,
                        _ => {}
                    }
                }
                out
            };
            desk.walk(&view, BTC, Price(if kind.is_stop() { 100 } else { 120 }));
            assert_eq!(sent(&mut desk), (at_once, then.is_some()), "{what}");
            desk.attend(&view);
            assert_eq!(sent(&mut desk), (None, false), "{what}: asked for once");
            if then.is_none() {
                continue;
            }
            let told = Report {
                instrument: BTC,
                order: target,
                strategy: StrategyId(0),
                side: Side::Sell,
                kind: ReportKind::Fill,
                qty: Qty(2),
                price: Price(120),
                fee: 0,
                fee_asset: FeeAsset::Quote,
                trade_id: 1,
                maker: true,
            };
            // It may trade on its way out.
            desk.on_report(&told, Time(1));
            desk.attend(&view);
            assert_eq!(sent(&mut desk), (None, false), "{what}: it is there still");
            desk.on_report(&Report { kind: ReportKind::Canceled, qty: Qty(0), ..told }, Time(1));
            desk.attend(&view);
            assert_eq!(sent(&mut desk), (then.map(|qty| qty - 2), false), "{what}");
        }
        // One that was triggered too, and rests, is as good as another with a limit, and not as one without.
        for (second, way) in [(stop_limit, false), (stop, true)] {
            let (mut view, mut desk) = (View::new(&table(Market::UsdM), 0), Desk::new(StrategyId(0), 1));
            view.tops[0] = Top { bid: Level::new(99, 5), ask: Level::new(101, 5), valid: true };
            desk.state.positions[0].qty = Qty(10);
            for (kind, price, extras) in [second, stop_limit] {
                let sell = Wanted { side: Side::Sell, reduce_only: true, kind, price, extras, ..buy() };
                desk.place(&view, &sell, Trail::None).expect("a sound order");
            }
            let last = desk.state.manager.held[1].order;
            desk.trigger(&view, last);
            desk.attend(&view);
            desk.take_intents();
            desk.walk(&view, BTC, Price(100));
            let taken = |i: Intent| matches!(i.action, Action::Cancel { order, .. } if order == last);
            assert_eq!(desk.take_intents().any(taken), way, "{second:?}");
            assert_eq!(desk.state.manager.held.len(), usize::from(way), "what finds nothing to leave ends");
        }
    }

    #[test]
    fn what_only_reduces_goes_out_for_what_there_is_to_reduce_in_whole_lots() {
        let lots = Instrument { lot: Qty(2), ..sample(Market::UsdM, "BTCUSDT") };
        let table = InstrumentTable::new(vec![lots]).expect("one instrument");
        for side in [Side::Buy, Side::Sell] {
            // What is held, what is on its way out, and what then goes out of ten.
            for (held, leaving, sent) in [
                (10, 0, Some(10)),
                (12, 0, Some(10)),
                (7, 0, Some(6)),
                (10, 4, Some(6)),
                (4, 4, None),
                (-9, 0, None),
            ] {
                let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
                view.tops[0] = Top { bid: Level::new(99, 5), ask: Level::new(101, 5), valid: true };
                desk.state.positions[0].qty = side.opposite().signed(Qty(held));
                let reducing = Wanted { side, reduce_only: true, ..buy() };
                let stop = Wanted { kind: OrderKind::Stop, extras: Extras::stop(Price(100)), ..reducing };
                let stop = desk.place(&view, &stop, Trail::None).expect("a sound order");
                if leaving > 0 {
                    let market = Wanted { kind: OrderKind::Market, qty: Qty(leaving), ..reducing };
                    desk.place(&view, &market, Trail::None).expect("a sound order");
                }
                // What the journal has of it makes the same desk.
                let (mut again, mut event) = (Desk::new(StrategyId(0), 1), Redo::default());
                again.state.positions = desk.state.positions.clone();
                let mut redo = |desk: &mut Desk| -> Vec<Action> {
                    let actions: Vec<_> = desk.take_intents().map(|intent| intent.action).collect();
                    actions.iter().for_each(|action| again.redo(action, &mut event));
                    assert_eq!(again.state, desk.state);
                    actions
                };
                redo(&mut desk);
                desk.walk(&view, BTC, Price(100));
                let actions = redo(&mut desk);
                let went = actions.iter().find_map(|action| match action {
                    Action::New(order) if order.id == stop => Some(order.qty.0),
                    _ => None,
                });
                let what = format!("{side:?}: {held} held, {leaving} leaving");
                assert_eq!((went, desk.order(stop).map(|order| order.qty.0)), (sent, sent), "{what}");
                let ended = desk.next_notice().map(|ended| (ended.order.id, ended.status));
                assert_eq!(ended, sent.is_none().then_some((stop, OrderStatus::Canceled)), "{what}");
                if let Some(qty) = sent {
                    let fill = Report {
                        instrument: BTC,
                        order: stop,
                        strategy: StrategyId(0),
                        side,
                        kind: ReportKind::Fill,
                        qty: Qty(qty),
                        price: Price(100),
                        fee: 0,
                        fee_asset: FeeAsset::Quote,
                        trade_id: 1,
                        maker: false,
                    };
                    let settled = desk.on_report(&fill, Time(1)).expect("it is live");
                    assert_eq!(settled.order.status, OrderStatus::Filled, "{what}");
                }
            }
        }
    }
}
