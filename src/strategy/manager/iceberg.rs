//! Icebergs: an order of which a part at a time is with the venue.

use crate::domain::event::Report;
use crate::domain::order::{Applied, OrderState, ReportKind};
use crate::domain::{Extras, Order, OrderId, OrderStatus, Qty, Time};
use crate::strategy::context::View;
use crate::strategy::desk::{Desk, Settled};
use crate::strategy::intent::{Action, Change, Intent};

/// An iceberg under way. What the strategy sees is the whole; the parts are seen by risk and the venue. They are alike and
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

    /// Sends the parts that are due.
    pub(super) fn next_slices(&mut self, view: &View) {
        for index in 0..self.state.manager.slicings.len() {
            let slicing = self.state.manager.slicings[index];
            if slicing.child.is_some() {
                continue;
            }
            let child = self.next_slice(view, slicing.parent);
            self.restless |= child.is_none();
            self.state.manager.slicings[index].child = child.map(OrderState::new);
        }
    }

    fn next_slice(&mut self, view: &View, parent: OrderId) -> Option<Order> {
        let state = self.state.orders.iter().find(|o| o.order.id == parent).copied()?;
        let whole = state.order;
        let paused = view.holds_back(&whole);
        if state.leaves().0 <= 0 || !self.has_room(2) || paused || !view.top(whole.instrument).is_two_sided()
        {
            return None;
        }
        let note = self.note(parent, whole.instrument, Change::ChildOf(parent));
        self.emit(view, note, whole.instrument).ok()?;
        let (left, shown) = (state.leaves().0, whole.extras.iceberg_qty.0);
        // A rest too small to be an order, or worth too little, goes with the last part.
        let (of, rest) = (view.table.get(whole.instrument), Qty((left - shown).max(0)));
        let last = rest < of.min_qty || whole.price.times(rest) < of.min_notional;
        let qty = Qty(if last { left } else { shown });
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
    use crate::strategy::manager::Trail;

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
            let fill = Report {
                instrument: InstrumentId(0),
                order: part.order.id,
                strategy: StrategyId(0),
                side: part.order.side,
                kind: ReportKind::Fill,
                qty: part.order.qty,
                price: Price(100),
                fee: 0,
                fee_asset: FeeAsset::Quote,
                trade_id: parts.len() as u64,
                maker: true,
            };
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
