//! Two orders of which one cancels the other, as one list of their venue's: made in one event, they go out side by side.

use crate::domain::{Order, OrderId};
use crate::strategy::context::View;
use crate::strategy::desk::Desk;
use crate::strategy::intent::Action;

impl Desk {
    /// Whether nothing cancels it, or is cancelled by it, yet.
    pub(super) fn is_unlinked(&self, order: &Order) -> bool {
        self.state.manager.linked(order.id).is_none() && order.other_leg().is_none()
    }

    /// Has two orders that were made in this event, and are not sent yet, sent as one list where their venue holds such;
    /// whether it does. They then need nothing of the order manager: the venue cancels the one for the other.
    pub(super) fn send_as_list(&mut self, view: &View, a: OrderId, b: OrderId) -> bool {
        let at = |id| self.outbox.iter().position(|i| i.new_order().is_some_and(|o| o.id == id));
        let (Some(a), Some(b)) = (at(a), at(b)) else { return false };
        let (first, second) = (a.min(b), a.max(b));
        let of = |at: usize| self.outbox[at].new_order().copied();
        let (Some(mut leg), Some(mut other)) = (of(first), of(second)) else { return false };
        let (Some(there), Some(back)) = (leg.id.distance(other.id), other.id.distance(leg.id)) else {
            return false;
        };
        if there <= 0 || !view.forms(leg.instrument).holds_pair(&leg, &other) {
            return false;
        }
        (leg.extras.other_leg, other.extras.other_leg) = (there, back);
        for (at, order) in [(first, leg), (second, other)] {
            self.outbox[at].action = Action::New(order);
            self.replace(&order);
        }
        // Side by side: risk judges both at once, and both go out in one request. What is between them comes after: it may
        // be of the first, and is of nothing that is not sent yet.
        self.outbox[first + 1..=second].rotate_right(1);
        // The desk has them in the order in which they go out, as one that is built again from the journal does.
        let orders = &mut self.state.orders;
        let at = |id| orders.iter().position(|o| o.order.id == id);
        if let (Some(first), Some(second)) = (at(leg.id), at(other.id))
            && first < second
        {
            orders[first + 1..=second].rotate_right(1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Redo, Trail};
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{
        Extras, InstrumentTable, Market, OrderKind, PlaceError, Price, Qty, StrategyId, Time,
    };
    use crate::strategy::desk::Wanted;
    use crate::strategy::desk::tests::buy;

    fn view() -> View {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
        View::new(&table, 0)
    }

    #[test]
    fn two_that_cancel_each_other_are_one_list_where_the_venue_holds_such_and_they_can_be() {
        let target = Wanted { kind: OrderKind::PostOnly, price: Price(95), ..buy() };
        let stop = Wanted { kind: OrderKind::Stop, extras: Extras::stop(Price(105)), ..buy() };
        let mut view = view();
        view.forms[0] = crate::venue::NativeForms::BINANCE_SPOT;
        let mut desk = Desk::new(StrategyId(3), 1);
        let a = desk.place(&view, &target, Trail::None).expect("a sound order");
        desk.good_till(&view, a, Time(9)).expect("it can be");
        let between = desk.place(&view, &buy(), Trail::None).expect("a sound order");
        let b = desk.place(&view, &stop, Trail::None).expect("a sound order");
        desk.link(&view, b, a).expect("they can be");
        assert_eq!(desk.link(&view, a, b), Err(PlaceError::NotLinkable), "they are already");
        assert_eq!(desk.link(&view, b, between), Err(PlaceError::NotLinkable), "one of them is");
        let state = |id| desk.order(id).expect("live");
        assert_eq!((state(a).other_leg(), state(b).other_leg()), (Some(b), Some(a)));
        assert_eq!(state(between).other_leg(), None);
        assert!(desk.state.manager.held().is_empty() && desk.state.manager.linked(a).is_none());
        let actions: Vec<Action> = desk.take_intents().map(|i| i.action).collect();
        let leg = |action: &Action| match action {
            Action::New(order) => Some((order.id, order.extras.other_leg)),
            _ => None,
        };
        let sent: Vec<_> = actions.iter().map(leg).collect();
        assert_eq!(sent, [Some((a, 2)), Some((b, -2)), None, Some((between, 0))], "side by side");
        // What the journal has of it makes the same desk.
        let (mut again, mut event) = (Desk::new(StrategyId(3), 1), Redo::default());
        actions.iter().for_each(|action| again.redo(action, &mut event));
        assert_eq!(again.state, desk.state);

        let limit = Wanted { kind: OrderKind::Limit, ..target };
        let less = Wanted { qty: Qty(9), ..stop };
        let hides = Wanted { extras: Extras { iceberg_qty: Qty(1), ..Extras::NONE }, ..target };
        for (target, stop, oco, why) in [
            (target, stop, false, "the instrument has no lists"),
            (limit, stop, true, "a list's target is post-only"),
            (hides, stop, true, "an iceberg"),
            (target, Wanted { reduce_only: true, ..stop }, true, "one only reduces"),
        ] {
            view.forms[0].oco = oco;
            let mut desk = Desk::new(StrategyId(3), 1);
            let a = desk.place(&view, &target, Trail::None).expect("a sound order");
            let b = desk.place(&view, &stop, Trail::None).expect("a sound order");
            desk.link(&view, a, b).expect("they can be");
            assert_eq!(
                (desk.state.manager.linked(a), desk.state.manager.held().len()),
                (Some(b), 1),
                "{why}"
            );
            assert!(desk.state.orders.iter().all(|o| o.order.other_leg().is_none()), "{why}");
        }
        let a = desk.place(&view, &target, Trail::None).expect("a sound order");
        let b = desk.place(&view, &less, Trail::None).expect("a sound order");
        assert_eq!(desk.link(&view, a, b), Err(PlaceError::NotLinkable), "of other quantities");
    }
}
