//! What a desk takes, refuses, holds and books.

use super::*;
use crate::domain::event::Command;
use crate::domain::instrument::tests::sample;
use crate::domain::{DenyReason, InstrumentTable, Kill, Level, Market, Scope};
use crate::market::Top;

const BTC: InstrumentId = InstrumentId(0);

fn view() -> View {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let mut view = View::new(&table, 0);
    view.tops[0] = Top { bid: Level::new(99, 5), ask: Level::new(101, 5), valid: true };
    view
}

/// A sound order.
pub(in crate::strategy) fn buy() -> Wanted {
    Wanted {
        instrument: BTC,
        side: Side::Buy,
        kind: OrderKind::Limit,
        tif: TimeInForce::Gtc,
        qty: Qty(10),
        price: Price(100),
        reduce_only: false,
        extras: Extras::NONE,
    }
}

#[test]
fn requests_that_cannot_be_are_refused_and_counted() {
    let (mut desk, view) = (Desk::new(StrategyId(0), 1), view());
    assert_eq!(desk.cancel(&view, OrderId(9)), Err(PlaceError::UnknownOrder));
    let refused = |desk: &mut Desk, wanted: Wanted, trail| desk.place(&view, &wanted, trail).err();
    let stop = Wanted { kind: OrderKind::Stop, ..buy() };
    let both = Extras { stop_price: Price(5), trailing_bps: 5, ..Extras::NONE };
    let all = Extras { iceberg_qty: Qty(10), ..Extras::NONE };
    for (wanted, trail, refusal) in [
        (Wanted { qty: Qty(0), ..buy() }, Trail::None, PlaceError::NoQuantity),
        (Wanted { price: Price(0), ..buy() }, Trail::None, PlaceError::NoPrice),
        (stop, Trail::None, PlaceError::BadTrigger),
        (Wanted { extras: both, ..stop }, Trail::None, PlaceError::BadTrigger),
        (stop, Trail::Distance(Price(0)), PlaceError::BadTrigger),
        (Wanted { extras: Extras::stop(Price(5)), ..buy() }, Trail::None, PlaceError::BadTrigger),
        (Wanted { extras: all, ..buy() }, Trail::None, PlaceError::BadIceberg),
        (Wanted { instrument: InstrumentId(9), ..buy() }, Trail::None, PlaceError::NotYours),
        (
            Wanted { kind: OrderKind::PostOnly, tif: TimeInForce::Ioc, ..buy() },
            Trail::None,
            PlaceError::BadTimeInForce,
        ),
    ] {
        assert_eq!(refused(&mut desk, wanted, trail), Some(refusal), "{wanted:?}");
    }
    for _ in 0..INTENTS_PER_EVENT_MAX {
        desk.place(&view, &buy(), Trail::None).expect("a sound order");
    }
    assert_eq!(refused(&mut desk, buy(), Trail::None), Some(PlaceError::TooManyIntents));
    assert_eq!(desk.refused.total(), 11);
    let of = |reason: PlaceError| {
        desk.refused.by_reason().find(|(refused, _)| *refused == reason).map(|(_, count)| count)
    };
    assert_eq!([PlaceError::BadTrigger, PlaceError::NoQuantity].map(of), [Some(4), Some(1)]);
    assert_eq!(of(PlaceError::NotLinkable), None);
    desk.trade_only(&[]);
    desk.take_intents();
    assert_eq!(refused(&mut desk, buy(), Trail::None), Some(PlaceError::NotYours));
}

#[test]
fn what_the_venue_holds_is_sent_and_what_it_does_not_is_held() {
    let mut view = view();
    let stop = Wanted { kind: OrderKind::Stop, extras: Extras::stop(Price(105)), ..buy() };
    for (native, held) in [(false, 1), (true, 0)] {
        view.forms[0].conditional = native;
        let mut desk = Desk::new(StrategyId(0), 1);
        desk.place(&view, &stop, Trail::None).expect("a sound order");
        let sent = desk.take_intents().filter(|i| i.new_order().is_some()).count();
        assert_eq!((desk.state.manager.held().len(), sent), (held, 1 - held));
    }
    // Of two that cancel each other one is held here, unless the venue takes both as a list.
    let mut desk = Desk::new(StrategyId(0), 1);
    let a = desk.place(&view, &buy(), Trail::None).expect("a sound order");
    let b = desk.place(&view, &stop, Trail::None).expect("a sound order");
    desk.link(&view, a, b).expect("they can be");
    let sent: Vec<_> = desk.take_intents().filter_map(|i| i.new_order().map(|o| o.id)).collect();
    assert_eq!(sent, [a]);
}

#[test]
fn what_would_wait_while_it_is_stopped_is_refused_but_what_only_reduces() {
    let mut view = view();
    let stop = Wanted { kind: OrderKind::Stop, extras: Extras::stop(Price(105)), ..buy() };
    let trailing = Wanted { extras: Extras::NONE, ..stop };
    let reducing = Wanted { reduce_only: true, ..stop };
    let kill = Kill {
        scope: Scope::Strategy(StrategyId(0)),
        cause: DenyReason::Drawdown,
        flatten: false,
        carried: false,
    };
    for (strategy, native, refused) in [(0, false, true), (0, true, false), (1, false, false)] {
        view.forms[0].conditional = native;
        let mut desk = Desk::new(StrategyId(strategy), 1);
        view.stopped.take(&Command::Kill(kill));
        let refusal = refused.then_some(PlaceError::Stopped);
        assert_eq!(desk.place(&view, &stop, Trail::None).err(), refusal, "what goes out risk denies");
        let trailed = desk.place(&view, &trailing, Trail::Distance(Price(3)));
        assert_eq!(trailed.err(), (strategy == 0).then_some(PlaceError::Stopped));
        // What is linked with what goes out waits, too.
        let plain = desk.place(&view, &buy(), Trail::None).expect("risk judges it");
        for (wanted, is_stopped) in [(stop, strategy == 0), (reducing, false)] {
            if let Ok(waits) = desk.place(&view, &wanted, Trail::None) {
                let linked = desk.link(&view, plain, waits).err();
                let expected = if is_stopped { Some(PlaceError::Stopped) } else { None };
                assert!(linked == expected || (linked.is_some() && strategy == 1), "{wanted:?}: {linked:?}");
                let is_held = desk.state.manager.held().iter().any(|held| held.order == waits);
                assert_eq!(is_held, !is_stopped || strategy == 1, "{wanted:?}");
            }
        }
        view.stopped.take(&Command::Release(Scope::All));
        assert_eq!(desk.place(&view, &stop, Trail::None).err(), None, "it is let go");
    }
}

#[test]
fn a_trade_of_an_order_that_is_over_is_booked() {
    let (mut desk, view) = (Desk::new(StrategyId(0), 1), view());
    let id = desk.place(&view, &buy(), Trail::None).expect("a sound order");
    let report = |kind, qty, trade_id| Report {
        instrument: BTC,
        order: id,
        strategy: StrategyId(0),
        side: Side::Buy,
        kind,
        qty: Qty(qty),
        price: Price(100),
        fee: 0,
        fee_asset: crate::domain::event::FeeAsset::Quote,
        trade_id,
        maker: false,
    };
    desk.on_report(&report(ReportKind::Rejected, 0, 0), Time(1));
    assert!(desk.order(id).is_none());
    let late = desk.on_report(&report(ReportKind::Fill, 4, 1), Time(2)).expect("it is remembered");
    assert!(late.changed, "the strategy is told of it");
    let told = (late.order.order.id, late.order.status, late.order.filled);
    assert_eq!(told, (id, OrderStatus::Rejected, Qty(4)));
    assert!(desk.on_report(&report(ReportKind::Canceled, 0, 0), Time(3)).is_none());
    assert_eq!(desk.state.positions[0].qty, Qty(4));
    let whole = desk.on_report(&report(ReportKind::Fill, 6, 2), Time(4)).expect("it is remembered");
    assert_eq!((whole.order.status, whole.order.filled), (OrderStatus::Filled, Qty(10)));
    let strangers = Report { order: OrderId(99), ..report(ReportKind::Fill, 1, 3) };
    assert!(desk.on_report(&strangers, Time(5)).is_none(), "whose it is nobody knows");
    assert_eq!(desk.state.positions[0].qty, Qty(11), "but it is money");
}

#[test]
fn what_an_order_trades_after_its_end_is_taken_off_what_was_to_cancel_it() {
    let view = view();
    for (shows_a_part, side_of_stop, after) in [
        (false, Side::Buy, [Some(6), None]),
        (true, Side::Buy, [Some(6), None]),
        (false, Side::Sell, [None; 2]),
    ] {
        let mut desk = Desk::new(StrategyId(0), 1);
        let iceberg_qty = Qty(if shows_a_part { 9 } else { 0 });
        let target = Wanted { extras: Extras { iceberg_qty, ..Extras::NONE }, ..buy() };
        let target = desk.place(&view, &target, Trail::None).expect("a sound order");
        let extras = Extras::stop(Price(105));
        let stop = Wanted { kind: OrderKind::Stop, side: side_of_stop, extras, ..buy() };
        let stop = desk.place(&view, &stop, Trail::None).expect("a sound order");
        desk.link(&view, target, stop).expect("they can be");
        desk.attend(&view);
        let part = desk.slice_of(target).and_then(|s| s.child).map(|child| child.order.id);
        assert_eq!(part.is_some(), shows_a_part);
        let report = |kind, qty, trade_id| Report {
            instrument: BTC,
            order: part.unwrap_or(target),
            strategy: StrategyId(0),
            side: Side::Buy,
            kind,
            qty: Qty(qty),
            price: Price(100),
            fee: 0,
            fee_asset: crate::domain::event::FeeAsset::Quote,
            trade_id,
            maker: false,
        };
        desk.on_report(&report(ReportKind::Canceled, 0, 0), Time(1));
        desk.attend(&view);
        assert_eq!((desk.order(target), desk.order(stop).map(|o| o.qty.0)), (None, Some(10)));
        // A desk that is read back knows it, too.
        let read = serde_json::from_str(&serde_json::to_string(&desk.state).expect("it is plain"));
        let mut again = Desk::resumed(StrategyId(0), read.expect("it is read back"));
        for desk in [&mut desk, &mut again] {
            for (trade, (qty, left)) in (1..).zip([4, 6].into_iter().zip(after)) {
                desk.on_report(&report(ReportKind::Fill, qty, trade), Time(2)).expect("it is remembered");
                desk.attend(&view);
                assert_eq!(desk.order(stop).map(|o| o.qty.0), left, "after trade {trade}");
            }
            assert!(desk.state.manager.held().is_empty());
        }
    }
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
