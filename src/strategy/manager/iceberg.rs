//! Icebergs, and what waited and is more than the venue takes at the market at once: orders of which a part at a time is
//! with the venue.

use crate::domain::event::Report;
use crate::domain::order::{Applied, OrderState, ReportKind};
use crate::domain::{Extras, Order, OrderId, OrderKind, OrderStatus, Qty, Side, Time};
use crate::strategy::context::View;
use crate::strategy::desk::{Desk, Settled};
use crate::strategy::intent::{Action, Change, Intent};

/// An order that goes out in parts. What the strategy sees is the whole; the parts are seen by risk and the venue. They are alike and
/// follow each other at once: to risk's rules on repeats those after the first are of the first's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Slicing {
    /// The whole.
    pub parent: OrderId,
    /// The part that is with the venue.
    pub child: Option<OrderState>,
}

impl Desk {
    /// Begins to send `order`, one of the desk's, in parts.
    pub(super) fn slice(&mut self, order: &Order) {
        let slicings = &mut self.state.manager.slicings;
        let place = slicings.partition_point(|s| s.parent < order.id);
        slicings.insert(place, Slicing { parent: order.id, child: None });
        self.restless = true;
    }

    /// Sends the first part of what was triggered and goes out in parts; false where there is no room. The two go together:
    /// that it goes out so is in the journal by its part alone.
    pub(super) fn go_out_in_parts(&mut self, view: &View, order: &Order) -> bool {
        if !self.has_room(2) {
            return false;
        }
        self.now_out(order);
        self.slice(order);
        let child = self.next_slice(view, order.id).map(OrderState::new);
        let slicings = self.state.manager.slicings.iter_mut();
        slicings.filter(|s| s.parent == order.id).for_each(|s| s.child = child);
        true
    }

    /// Sends the parts that are due.
    pub(super) fn next_slices(&mut self, view: &View) {
        let mut index = 0;
        while let Some(&slicing) = self.state.manager.slicings.get(index) {
            index += 1;
            if slicing.child.is_some() {
                continue;
            }
            if self.has_nothing_to_reduce(view, slicing.parent) {
                // What finds no room to say so ends with the next event.
                index -= usize::from(self.release(view, slicing.parent, OrderStatus::Canceled));
                continue;
            }
            let child = self.next_slice(view, slicing.parent);
            self.restless |= child.is_none();
            self.state.manager.slicings[index - 1].child = child.map(OrderState::new);
        }
    }

    /// Whether of what leaves at the market in parts nothing is left to leave with: the position is closed otherwise.
    fn has_nothing_to_reduce(&self, view: &View, parent: OrderId) -> bool {
        let whole = self.order(parent).filter(|whole| whole.kind == OrderKind::Market && whole.reduce_only);
        whole.is_some_and(|whole| self.left_to_reduce(view, &whole).0 <= 0)
    }

    /// How much of what goes out at the market in parts the next of them is for: no more than the venue takes at once, than
    /// there is to reduce, of what only reduces, and than leaves enough for an order beside it.
    fn next_at_market(&self, view: &View, state: &OrderState) -> Qty {
        let whole = Order { qty: state.leaves(), ..state.order };
        let of = view.table.get(whole.instrument);
        let most = of.whole_lots(view.largest(whole.instrument, OrderKind::Market));
        let left = if whole.reduce_only { self.left_to_reduce(view, &whole) } else { whole.qty };
        let top = view.top(whole.instrument);
        let price = if whole.side == Side::Buy { top.ask.price } else { top.bid.price };
        let rest = Qty((left.0 - most.0).max(0));
        let too_little = rest < of.min_qty || price.times(rest) < of.min_notional;
        let half = of.whole_lots(Qty(left.0 / 2));
        if rest.0 > 0 && too_little && half.0 > 0 { half } else { left.min(most) }
    }

    fn next_slice(&mut self, view: &View, parent: OrderId) -> Option<Order> {
        let state = self.state.orders.iter().find(|o| o.order.id == parent).copied()?;
        let whole = state.order;
        let paused = view.holds_back(&whole);
        if state.leaves().0 <= 0 || !self.has_room(2) || paused || !view.top(whole.instrument).is_two_sided()
        {
            return None;
        }
        let (left, shown) = (state.leaves().0, whole.extras.iceberg_qty.0);
        // A rest too small to be an order, or worth too little, goes with the last part.
        let (of, rest) = (view.table.get(whole.instrument), Qty((left - shown).max(0)));
        let last = rest < of.min_qty || whole.price.times(rest) < of.min_notional;
        let qty = match whole.kind {
            OrderKind::Market => self.next_at_market(view, &state),
            _ => Qty(if last { left } else { shown }),
        };
        if qty.0 <= 0 {
            return None;
        }
        let note = self.note(parent, whole.instrument, Change::ChildOf(parent));
        self.emit(view, note, whole.instrument).ok()?;
        let child = Order { id: self.next_id(), qty, extras: Extras::NONE, ..whole };
        let intent = Intent::new(view.seq, Action::New(child), view.top(whole.instrument));
        let triggered = self.state.manager.triggered.contains(&parent);
        self.emit_intent(Intent { goes_on: state.filled.0 > 0, triggered, ..intent }).ok()?;
        Some(child)
    }

    /// What the venue says of a part, as what it means for the whole. `None` if it is of no part.
    pub(in crate::strategy) fn on_slice_report(&mut self, report: &Report, now: Time) -> Option<Settled> {
        let of = |s: &Slicing| s.child.is_some_and(|c| c.order.id == report.order);
        let index = self.state.manager.slicings.iter().position(of)?;
        let slicing = self.state.manager.slicings[index];
        let mut child = slicing.child?;
        let applied = child.apply(report.kind, report.qty, report.trade_id);
        self.state.manager.slicings[index].child = Some(child);
        let place = self.state.orders.iter().position(|o| o.order.id == slicing.parent)?;
        if applied == Applied::Changed && report.kind == ReportKind::Fill {
            self.book(report);
        }
        let whole = &mut self.state.orders[place];
        let before = *whole;
        if applied == Applied::Changed && matches!(report.kind, ReportKind::Fill | ReportKind::CancelRejected)
        {
            whole.apply(report.kind, report.qty, report.trade_id);
        }
        if child.status.is_final() {
            self.state.manager.slicings[index].child = None;
            self.restless = true;
            let taken_back = whole.status == OrderStatus::PendingCancel;
            match child.status {
                OrderStatus::Filled if taken_back => whole.apply(ReportKind::Canceled, Qty::ZERO, 0),
                OrderStatus::Filled => Applied::Ignored,
                _ => whole.apply(report.kind, Qty::ZERO, 0),
            };
        }
        let order = *whole;
        let filled = report.kind == ReportKind::Fill && applied == Applied::Changed;
        if filled {
            self.cover(&order, report);
            self.shrink_linked(&order.order, self.state.manager.linked(order.order.id), report.qty);
        }
        if order != before && report.kind == ReportKind::CancelRejected {
            self.cancel_refused(order.order.id, now);
        }
        if order.status.is_final() {
            self.end(order.order.id, order.status);
            self.state.ended.is_known_as(order.order.id, report.order);
        }
        Some(Settled { order, changed: filled || order != before })
    }

    /// Risk denied a part: the whole ends with it. `None` if it was no part.
    pub(in crate::strategy) fn on_slice_denied(&mut self, id: OrderId) -> Option<Settled> {
        let of = |s: &&Slicing| s.child.is_some_and(|c| c.order.id == id);
        let parent = self.state.manager.slicings.iter().find(of)?.parent;
        let order = self.end(parent, OrderStatus::Denied)?;
        Some(Settled { order, changed: true })
    }

    /// The part of `parent` that is with the venue; `None` where it is no iceberg, or none of it is there.
    pub(in crate::strategy) fn slice_of(&self, parent: OrderId) -> Option<&Slicing> {
        self.state.manager.slicings.iter().find(|s| s.parent == parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::FeeAsset;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{InstrumentId, InstrumentTable, Level, Market, Notional, Price, StrategyId};
    use crate::market::Top;
    use crate::strategy::desk::Wanted;
    use crate::strategy::desk::tests::buy;
    use crate::strategy::manager::{Redo, Trail};

    /// A report of a part.
    fn of_part(part: &Order, kind: ReportKind, qty: Qty, trade_id: u64) -> Report {
        Report {
            instrument: InstrumentId(0),
            order: part.id,
            strategy: StrategyId(0),
            side: part.side,
            kind,
            qty,
            price: Price(100),
            fee: 0,
            fee_asset: FeeAsset::Quote,
            trade_id,
            maker: true,
        }
    }

    #[test]
    fn what_waited_and_is_more_than_the_venue_takes_at_the_market_goes_out_in_parts() {
        // How much was asked for, whether it only reduces, how much is held, the least value of an order, the parts, and how it
        // ends.
        for (qty, reduces, held, least, parts, ends) in [
            (10, true, 10, 0, vec![4, 4, 2], OrderStatus::Filled),
            (10, false, 0, 0, vec![4, 4, 2], OrderStatus::Filled),
            (10, true, 7, 0, vec![4, 3], OrderStatus::Canceled),
            (10, true, 4, 0, vec![4], OrderStatus::Filled),
            (4, true, 9, 0, vec![4], OrderStatus::Filled),
            // Of five one would be left over, which is worth too little.
            (9, true, 9, 150, vec![4, 2, 3], OrderStatus::Filled),
        ] {
            let what = format!("{qty}, {reduces}, {held}, {least}");
            let mut instrument = sample(Market::UsdM, "BTCUSDT");
            instrument.min_notional = Notional(least);
            let mut view = View::new(&InstrumentTable::new(vec![instrument]).expect("one"), 0);
            view.tops[0] = Top { bid: Level::new(99, 5), ask: Level::new(101, 5), valid: true };
            view.market_max = vec![Qty(4)];
            let (mut desk, mut again) = (Desk::new(StrategyId(0), 1), Desk::new(StrategyId(0), 1));
            for desk in [&mut desk, &mut again] {
                desk.state.positions[0].qty = Qty(held);
            }
            let extras = Extras::stop(Price(100));
            let stop = Wanted { side: Side::Sell, kind: OrderKind::Stop, extras, ..buy() };
            let stop = Wanted { qty: Qty(qty), reduce_only: reduces, ..stop };
            let stop = desk.place(&view, &stop, Trail::None).expect("a sound order");
            desk.walk(&view, InstrumentId(0), Price(100));
            let mut sent = Vec::new();
            let mut ended = None;
            while desk.order(stop).is_some() && sent.len() < 20 {
                let mut event = Redo::default();
                let mut part = None;
                for action in desk.take_intents().map(|intent| intent.action) {
                    again.redo(&action, &mut event);
                    if let Action::New(order) = action {
                        assert!(part.replace(order).is_none(), "{what}: one at a time");
                    }
                }
                assert_eq!(again.state, desk.state, "{what}: what the journal has of it makes the same desk");
                let Some(part) = part else { break };
                assert_eq!((part.kind, part.reduce_only), (OrderKind::Market, reduces), "{what}");
                sent.push(part.qty.0);
                // What closes what is held is nothing that a kill ends.
                desk.end_what_is_held(&view, |_| true);
                assert_eq!(desk.ending.is_empty(), reduces || part.id == stop, "{what}");
                desk.ending.clear();
                let fill = of_part(&part, ReportKind::Fill, part.qty, sent.len() as u64);
                ended = desk.on_report(&fill, Time(1)).map(|settled| settled.order.status);
                again.on_report(&fill, Time(1));
                desk.attend(&view);
            }
            let ended = desk.next_notice().map(|notice| notice.status).or(ended);
            assert_eq!((sent, ended), (parts, Some(ends)), "{what}");
            assert!(desk.state.orders.is_empty() && desk.state.manager.slicings.is_empty(), "{what}");
        }
    }

    /// The parts of an order of 10 that shows 3.
    fn parts(min_qty: i64, min_notional: i128) -> Vec<i64> {
        let mut instrument = sample(Market::Spot, "BTCUSDT");
        (instrument.min_qty, instrument.min_notional) = (Qty(min_qty), Notional(min_notional));
        let mut view = View::new(&InstrumentTable::new(vec![instrument]).expect("one"), 0);
        view.tops[0] = Top { bid: Level::new(99, 5), ask: Level::new(101, 5), valid: true };
        let mut desk = Desk::new(StrategyId(0), 1);
        let extras = Extras { iceberg_qty: Qty(3), ..Extras::NONE };
        desk.place(&view, &Wanted { extras, ..buy() }, Trail::None).expect("it can be");
        let mut parts = Vec::new();
        while !desk.state.orders.is_empty() && parts.len() < 20 {
            desk.take_intents();
            desk.next_slices(&view);
            let Some(part) = desk.state.manager.slicings.first().and_then(|slicing| slicing.child) else {
                break;
            };
            parts.push(part.order.qty.0);
            let fill = of_part(&part.order, ReportKind::Fill, part.order.qty, parts.len() as u64);
            desk.on_report(&fill, Time(1)).expect("one of its own");
        }
        parts
    }

    #[test]
    fn what_would_be_too_little_for_an_order_goes_with_the_last_part() {
        assert_eq!(parts(1, 0), [3, 3, 3, 1]);
        assert_eq!(parts(2, 0), [3, 3, 4]);
        // One of them is worth 100.
        assert_eq!(parts(1, 100), [3, 3, 3, 1]);
        assert_eq!(parts(1, 101), [3, 3, 4]);
    }
}
