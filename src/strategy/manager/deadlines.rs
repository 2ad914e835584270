//! Orders with an end: taken back when it comes, wherever they are, and so ended as any that is cancelled.

use super::RETRY_NS;
use crate::domain::{OrderId, OrderStatus, PlaceError, Time};
use crate::strategy::context::View;
use crate::strategy::desk::Desk;
use crate::strategy::intent::Change;

/// When an order is to be taken back, wherever it is; it is forgotten with its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::strategy) struct Deadline {
    pub(in crate::strategy) order: OrderId,
    pub(in crate::strategy) at: Time,
    /// Whether a cancel is under way: what is asked for is not asked for again until it is refused.
    pub(in crate::strategy) asked: bool,
}

impl Deadline {
    pub(in crate::strategy) const fn new(order: OrderId, at: Time) -> Self {
        Self { order, at, asked: false }
    }
}

impl Desk {
    /// Takes an order back at `time`.
    ///
    /// # Errors
    /// [`PlaceError::UnknownOrder`], [`PlaceError::TooManyIntents`].
    pub fn good_till(&mut self, view: &View, id: OrderId, time: Time) -> Result<(), PlaceError> {
        let Some(instrument) = self.instrument_of(id) else { return self.refuse(PlaceError::UnknownOrder) };
        let note = self.note(id, instrument, Change::GoodTill(time));
        self.emit(view, note, instrument)?;
        self.state.manager.deadlines.push(Deadline::new(id, time));
        Ok(())
    }

    /// When something is due by time alone, if anything is.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.state.manager.deadlines.iter().filter(|d| !d.asked).map(|d| d.at).min()
    }

    /// Takes back what has come to its time.
    pub(in crate::strategy) fn expire(&mut self, view: &View) {
        let due = |d: &&Deadline| !d.asked && d.at <= view.now;
        while let Some(&Deadline { order: id, .. }) = self.state.manager.deadlines.iter().find(due) {
            if self.state.manager.is_held(id) {
                if !self.release(view, id, OrderStatus::Canceled) {
                    return;
                }
            } else if let Err(refusal) = self.take_back(view, id) {
                if refusal == PlaceError::TooManyIntents {
                    return;
                }
                self.state.manager.deadlines.retain(|d| d.order != id);
            }
        }
    }

    /// Notes that the venue refused a cancel of an order that goes on: where its time has come, it is asked again.
    pub(in crate::strategy) fn cancel_refused(&mut self, id: OrderId, now: Time) {
        for deadline in self.state.manager.deadlines.iter_mut().filter(|d| d.order == id && d.asked) {
            *deadline = Deadline::new(id, deadline.at.max(now.plus_nanos(RETRY_NS)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Redo, Trail};
    use super::*;
    use crate::domain::event::{FeeAsset, Report};
    use crate::domain::instrument::tests::sample;
    use crate::domain::order::ReportKind;
    use crate::domain::{
        Extras, InstrumentId, InstrumentTable, Level, Market, OrderKind, Price, Qty, Side, StrategyId,
    };
    use crate::market::Top;
    use crate::strategy::desk::Wanted;
    use crate::strategy::desk::tests::buy;
    use crate::strategy::intent::Action;

    fn told(order: OrderId, kind: ReportKind) -> Report {
        Report {
            instrument: InstrumentId(0),
            order,
            strategy: StrategyId(0),
            side: Side::Buy,
            kind,
            qty: Qty(0),
            price: Price(100),
            fee: 0,
            fee_asset: FeeAsset::Quote,
            trade_id: 0,
            maker: false,
        }
    }

    /// The orders that are to be taken back, of what one event sent; all of it is taken in by `again` too.
    fn cancelled(desk: &mut Desk, again: &mut Desk) -> Vec<OrderId> {
        let mut event = Redo::default();
        let sent: Vec<Action> = desk.take_intents().map(|intent| intent.action).collect();
        sent.iter().for_each(|action| again.redo(action, &mut event));
        let cancels = sent.iter().filter_map(|action| match action {
            Action::Cancel { order, .. } => Some(*order),
            _ => None,
        });
        cancels.collect()
    }

    #[test]
    fn what_waits_is_cancelled_at_its_end_as_what_the_venue_has_is() {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
        let stop = Wanted { kind: OrderKind::Stop, extras: Extras::stop(Price(105)), ..buy() };
        for (wanted, held) in [(stop, true), (buy(), false)] {
            let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
            let order = desk.place(&view, &wanted, Trail::None).expect("a sound order");
            desk.good_till(&view, order, Time(50)).expect("it can be");
            view.now = Time(50);
            desk.expire(&view);
            let ended = match held {
                true => desk.next_notice().map(|ended| ended.status),
                false => desk.on_report(&told(order, ReportKind::Canceled), Time(60)).map(|s| s.order.status),
            };
            assert_eq!((ended, desk.order(order)), (Some(OrderStatus::Canceled), None), "held: {held}");
        }
    }

    #[test]
    fn an_end_that_the_venue_refuses_is_asked_for_again_until_the_order_is_over() {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
        let shows_a_part = Extras { iceberg_qty: Qty(5), ..Extras::NONE };
        for extras in [Extras::NONE, shows_a_part] {
            let mut view = View::new(&table, 0);
            view.tops[0] = Top { bid: Level::new(99, 5), ask: Level::new(101, 5), valid: true };
            let mut desk = Desk::new(StrategyId(0), 1);
            let mut again = Desk::new(StrategyId(0), 1);
            let order = desk.place(&view, &Wanted { extras, ..buy() }, Trail::None).expect("a sound order");
            desk.good_till(&view, order, Time(50)).expect("it can be");
            desk.attend(&view);
            // What the venue knows it by: an iceberg is known by its part.
            let slice = desk.slice_of(order).and_then(|s| s.child).map(|child| child.order.id);
            let with_venue = slice.unwrap_or(order);
            assert_eq!(slice.is_some(), extras == shows_a_part);
            let answer = |desk: &mut Desk, again: &mut Desk, kind, at| {
                for desk in [desk, again] {
                    desk.on_report(&told(with_venue, kind), Time(at));
                }
            };
            assert!(cancelled(&mut desk, &mut again).is_empty());
            answer(&mut desk, &mut again, ReportKind::Accepted, 5);
            // The strategy's own cancel, refused before the end has come, leaves the end as it was.
            desk.cancel(&view, order).expect("it is live");
            assert_eq!(cancelled(&mut desk, &mut again), [with_venue]);
            assert_eq!(desk.next_deadline(), None, "it is being taken back");
            answer(&mut desk, &mut again, ReportKind::CancelRejected, 10);
            assert_eq!(desk.next_deadline(), Some(Time(10 + RETRY_NS)));

            for (now, asked, next) in [
                (9 + RETRY_NS, false, Some(Time(10 + RETRY_NS))),
                (10 + RETRY_NS, true, None),
                (11 + RETRY_NS, false, None),
            ] {
                view.now = Time(now);
                desk.expire(&view);
                let sent = cancelled(&mut desk, &mut again);
                assert_eq!((sent == [with_venue], desk.next_deadline()), (asked, next), "at {now}");
            }
            answer(&mut desk, &mut again, ReportKind::CancelRejected, 20 + RETRY_NS);
            assert_eq!(desk.next_deadline(), Some(Time(20 + 2 * RETRY_NS)), "refused: asked again later");
            assert_eq!(again.state, desk.state, "what the journal has of it makes the same desk");
            answer(&mut desk, &mut again, ReportKind::Canceled, 30 + RETRY_NS);
            assert_eq!((desk.next_deadline(), desk.order(order)), (None, None));
        }
    }
}
