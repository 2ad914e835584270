//! What a protection covers, where it leaves, and what becomes of it.

use super::super::{RETRY_NS, RETRY_SMALL_NS};
use super::super::{Redo, Trail};
use super::*;
use crate::domain::DenyReason;
use crate::domain::event::{Command, Denial, FeeAsset};
use crate::domain::instrument::tests::sample;
use crate::domain::order::ReportKind;
use crate::domain::{
    Binds, Extras, Instrument, InstrumentTable, Level, Market, Measure, OrderKind, PausedBy, Refused,
    StrategyId, Subject,
};
use crate::strategy::desk::Wanted;
use crate::strategy::desk::tests::buy;
use crate::strategy::intent::Action;

const BTC: InstrumentId = InstrumentId(0);

/// What the venue says of an order at 100.
fn told(order: OrderId, side: Side, kind: ReportKind, qty: i64, trade_id: u64) -> Report {
    Report {
        instrument: BTC,
        order,
        strategy: StrategyId(0),
        side,
        kind,
        qty: Qty(qty),
        price: Price(100),
        fee: 0,
        fee_asset: FeeAsset::Quote,
        trade_id,
        maker: false,
    }
}

#[test]
fn an_exit_that_the_venue_refuses_is_asked_for_again_after_a_while_and_not_at_every_touch() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    for refusal in [ReportKind::Rejected, ReportKind::Expired] {
        let mut view = View::new(&table, 0);
        let mut desk = Desk::new(StrategyId(0), 1);
        let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
        let terms = Terms { stop: Price(90), ..Terms::default() };
        desk.protect(&view, entry, terms).expect("it can be");
        let side = |order: OrderId| if order == entry { Side::Buy } else { Side::Sell };
        let report = |order: OrderId, kind: ReportKind, qty: i64| told(order, side(order), kind, qty, 1);
        desk.on_report(&report(entry, ReportKind::Fill, 10), Time(1));
        desk.take_intents().for_each(drop);
        let top = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
        // What one touch sends.
        let mut touch = |at: u64| {
            view.now = Time(at);
            desk.guard(&view, BTC, top);
            let sent: Vec<_> = desk.take_intents().filter_map(|i| i.new_order().map(|o| o.id)).collect();
            for exit in &sent {
                desk.on_report(&report(*exit, refusal, 0), Time(at));
            }
            sent.len()
        };
        let sent: Vec<_> =
            [10, 20, 30, 10 + RETRY_NS - 1, 10 + RETRY_NS, 20 + RETRY_NS].map(&mut touch).into();
        assert_eq!(sent, [1, 0, 0, 0, 1, 0], "{refusal:?}");
        assert_eq!(desk.protection(entry).map(|p| p.covered), Some(Qty(10)), "it is protected still");
    }
}

#[test]
fn what_fills_after_all_was_sold_trails_the_market_from_then_on() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let (view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
    let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
    let trail = Trail::Distance(Price(5));
    desk.protect(&view, entry, Terms { trail, ..Terms::default() }).expect("it can be");
    let sell = desk.place(&view, &Wanted { side: Side::Sell, qty: Qty(4), ..buy() }, Trail::None);
    let sell = sell.expect("a sound order");
    let fill = |desk: &mut Desk, order: OrderId, qty: i64, trade_id: u64| {
        let side = if order == entry { Side::Buy } else { Side::Sell };
        desk.on_report(&told(order, side, ReportKind::Fill, qty, trade_id), Time(trade_id));
    };
    let trade = |price: i64| Trade {
        instrument: BTC,
        id: 1,
        price: Price(price),
        qty: Qty(1),
        venue_time: Time(0),
        aggressor: Side::Buy,
        aggregate: false,
    };
    let stop = |desk: &Desk| desk.protection(entry).expect("it is open").stop_now();
    fill(&mut desk, entry, 4, 1);
    desk.follow_protections(&trade(110));
    assert_eq!(stop(&desk), Some(Price(105)));
    fill(&mut desk, sell, 4, 2);
    fill(&mut desk, entry, 6, 3);
    assert_eq!(stop(&desk), Some(Price(95)), "from what it filled at, not from the 110 of before");
    desk.follow_protections(&trade(101));
    assert_eq!(stop(&desk), Some(Price(96)));
}

#[test]
fn what_trails_has_its_stop_from_the_fill_on_though_the_market_falls_at_once() {
    let table = InstrumentTable::new(vec![sample(Market::UsdM, "BTCUSDT")]).expect("one instrument");
    for side in [Side::Buy, Side::Sell] {
        let (view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
        // Prices as far on the good side of 100.
        let at = |good: i64| Price(if side == Side::Buy { 100 + good } else { 100 - good });
        let entry = desk.place(&view, &Wanted { side, ..buy() }, Trail::None).expect("a sound order");
        let terms = Terms { trail: Trail::Distance(Price(5)), ..Terms::default() };
        desk.protect(&view, entry, terms).expect("it can be");
        let mut filled = 0;
        let mut fill = |desk: &mut Desk, price: Price| {
            filled += 1;
            let fill = Report { price, ..told(entry, side, ReportKind::Fill, 2, filled) };
            desk.on_report(&fill, Time(filled));
        };
        let stop = |desk: &Desk| desk.protection(entry).expect("it is open").stop_now();
        for (price, then) in [(0, -5), (1, -5), (-2, -7)] {
            fill(&mut desk, at(price));
            assert_eq!(stop(&desk), Some(at(then)), "the worst of the fills: {side} at {price}");
        }
        let falls = Trade {
            instrument: BTC,
            id: 1,
            price: at(-20),
            qty: Qty(1),
            venue_time: Time(0),
            aggressor: Side::Buy,
            aggregate: false,
        };
        desk.follow_protections(&falls);
        fill(&mut desk, at(-20));
        assert_eq!(stop(&desk), Some(at(-7)), "a worse trade, and a fill after it, move nothing");
        desk.take_intents().for_each(drop);
        let level = Level { price: at(-20), qty: Qty(5) };
        desk.guard(&view, BTC, Top { bid: level, ask: level, valid: true });
        let exit = desk.take_intents().find_map(|i| i.new_order().copied()).expect("it leaves");
        assert_eq!((exit.side, exit.qty, exit.reduce_only), (side.opposite(), Qty(8), true));
        desk.follow_protections(&Trade { price: at(3), ..falls });
        assert_eq!(stop(&desk), Some(at(-2)));
    }
}

#[test]
fn a_stop_that_is_reached_takes_back_what_rests_to_leave_and_leaves() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let (view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
    let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
    let terms = Terms { stop: Price(90), take_profit: Price(105), ..Terms::default() };
    desk.protect(&view, entry, terms).expect("it can be");
    let side = |order: OrderId| if order == entry { Side::Buy } else { Side::Sell };
    let report = |order: OrderId, kind: ReportKind, qty: i64| told(order, side(order), kind, qty, 1);
    desk.on_report(&report(entry, ReportKind::Fill, 10), Time(1));
    let target = Wanted { side: Side::Sell, price: Price(110), reduce_only: true, ..buy() };
    let target = desk.place(&view, &target, Trail::None).expect("a sound order");
    desk.on_report(&report(target, ReportKind::Accepted, 0), Time(1));
    desk.take_intents().for_each(drop);
    let touch = |desk: &mut Desk, bid: i64| -> Vec<Action> {
        desk.guard(&view, BTC, Top { bid: Level::new(bid, 5), ask: Level::new(bid + 1, 5), valid: true });
        desk.take_intents().map(|intent| intent.action).filter(|a| !matches!(a, Action::Note(_))).collect()
    };
    assert!(touch(&mut desk, 106).is_empty(), "a profit waits for the better one that was asked for");
    let cancel = Action::Cancel { order: target, strategy: StrategyId(0), instrument: BTC };
    assert_eq!(touch(&mut desk, 80), [cancel]);
    assert!(touch(&mut desk, 79).is_empty(), "it is asked for once");
    desk.on_report(&report(target, ReportKind::Canceled, 0), Time(2));
    let sent = touch(&mut desk, 78);
    let [Action::New(exit)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((exit.kind, exit.qty, exit.reduce_only), (OrderKind::Market, Qty(10), true));
}

#[test]
fn an_exit_is_asked_for_again_when_its_time_comes_though_the_touch_stands_still() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let measure = Some(Measure { subject: Subject::Value, binds: Binds::AtLeast });
    for (reason, measure, pause) in [
        (DenyReason::FatFinger, None, RETRY_NS),
        (DenyReason::MinNotional, None, RETRY_SMALL_NS),
        (DenyReason::Notional, measure, RETRY_SMALL_NS),
    ] {
        let mut view = View::new(&table, 0);
        let mut desk = Desk::new(StrategyId(0), 1);
        let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
        let terms = Terms { stop: Price(90), ..Terms::default() };
        desk.protect(&view, entry, terms).expect("it can be");
        // The touch is beyond the stop when the entry fills, and stays where it is.
        view.tops[0] = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
        desk.take_intents().for_each(drop);
        desk.on_report(&told(entry, Side::Buy, ReportKind::Fill, 10, 1), Time(1));
        let mut attended = |desk: &mut Desk, at: u64| {
            view.now = Time(at);
            desk.retries(&view);
            desk.attend(&view);
            let exit = desk.take_intents().find_map(|i| i.new_order().map(|o| o.id));
            (exit, desk.next_timer(&view))
        };
        let (exit, _) = attended(&mut desk, 1);
        let exit = exit.expect("it leaves at once");
        let strategy = StrategyId(0);
        let denial = Denial { order: exit, instrument: BTC, strategy, reason, limit: 0, value: 0, measure };
        desk.on_denial(&denial, Time(5), Qty(1));
        assert_eq!(attended(&mut desk, 6), (None, Some(Time(5 + pause))));
        let (again, timer) = attended(&mut desk, 5 + pause);
        assert!(again.is_some() && timer.is_none(), "{reason:?}");
    }
}

#[test]
fn of_what_cannot_be_sold_short_every_resting_sell_makes_way_for_a_stop() {
    for (market, makes_way) in [(Market::Spot, true), (Market::UsdM, false)] {
        let table = InstrumentTable::new(vec![sample(market, "BTCUSDT")]).expect("one instrument");
        let (view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
        let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
        let terms = Terms { stop: Price(90), ..Terms::default() };
        desk.protect(&view, entry, terms).expect("it can be");
        desk.on_report(&told(entry, Side::Buy, ReportKind::Fill, 10, 1), Time(1));
        let target = Wanted { side: Side::Sell, price: Price(110), ..buy() };
        desk.place(&view, &target, Trail::None).expect("a sound order");
        desk.take_intents().for_each(drop);
        desk.guard(&view, BTC, Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true });
        let actions: Vec<_> = desk.take_intents().map(|intent| intent.action).collect();
        let cancels = actions.iter().filter(|a| matches!(a, Action::Cancel { .. })).count();
        let exits = actions.iter().filter(|a| matches!(a, Action::New(_))).count();
        assert_eq!((cancels, exits), if makes_way { (1, 0) } else { (0, 1) }, "{actions:?}");
    }
}

#[test]
fn a_bracket_that_finds_no_place_for_its_protection_sends_nothing() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let (view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
    let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
    desk.protect(&view, entry, Terms { stop: Price(90), ..Terms::default() }).expect("it can be");
    let one = *desk.protection(entry).expect("just made");
    let places = desk.places();
    desk.state.manager.protections.resize(places, one);
    desk.take_intents().for_each(drop);
    let mut ctx = crate::strategy::Context { view: &view, desk: &mut desk };
    let refused = ctx.bracket(BTC, Side::Buy, Qty(10)).at_limit(Price(100)).stop_at(Price(90)).send();
    assert_eq!(refused, Err(PlaceError::TooManyOpenOrders));
    assert_eq!((desk.take_intents().count(), desk.state.orders.len()), (0, 1));
}

#[test]
fn a_stop_on_the_wrong_side_of_the_target_is_refused_and_changes_nothing() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let view = View::new(&table, 0);
    for (side, [stop, target]) in [(Side::Buy, [90, 110]), (Side::Sell, [110, 90])] {
        let mut desk = Desk::new(StrategyId(0), 1);
        let entry = desk.place(&view, &Wanted { side, ..buy() }, Trail::None).expect("a sound order");
        let terms =
            |stop, target| Terms { stop: Price(stop), take_profit: Price(target), ..Terms::default() };
        for (stop, target) in [(target, stop), (stop, stop)] {
            let refused = desk.protect(&view, entry, terms(stop, target));
            assert_eq!(refused, Err(PlaceError::Contradictory), "{side:?} {stop} {target}");
        }
        assert!(desk.protection(entry).is_none());
        desk.protect(&view, entry, terms(stop, target)).expect("it can be");
        assert_eq!(desk.protect(&view, entry, terms(target, stop)), Err(PlaceError::Contradictory));
        assert_eq!(desk.protection(entry).map(Protection::terms), Some(terms(stop, target)));
    }
}

#[test]
fn more_that_are_reached_at_once_than_an_event_has_room_for_leave_one_event_later() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
    for trade_id in 1..=10 {
        let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
        desk.protect(&view, entry, Terms { stop: Price(90), ..Terms::default() }).expect("it can be");
        desk.on_report(&told(entry, Side::Buy, ReportKind::Fill, 10, trade_id), Time(1));
        desk.attend(&view);
        desk.take_intents().for_each(drop);
    }
    let exits = |desk: &mut Desk| {
        let exits = desk.take_intents().filter(|i| i.new_order().is_some()).count();
        (exits, desk.restless)
    };
    view.tops[0] = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
    desk.guard(&view, BTC, view.tops[0]);
    assert_eq!(exits(&mut desk), (8, true), "each takes a note and an order");
    desk.attend(&view);
    assert_eq!(exits(&mut desk), (2, false), "though the touch stands still");
}

#[test]
fn an_entry_that_makes_way_takes_its_own_protection_with_it_and_no_other() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    // The one that goes stands before or after the one that is reached.
    for first in [true, false] {
        let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
        let terms = Terms { stop: Price(90), ..Terms::default() };
        // While it is paused nothing of it is with the venue: it ends as soon as it is taken back.
        view.paused.take(Command::Pause(BTC, PausedBy::Operator));
        let hidden = Extras { iceberg_qty: Qty(5), ..Extras::NONE };
        let sell = Wanted { side: Side::Sell, price: Price(110), extras: hidden, ..buy() };
        let both = if first { [sell, buy()] } else { [buy(), sell] };
        let entries = both.map(|wanted| {
            let entry = desk.place(&view, &wanted, Trail::None).expect("a sound order");
            let stop = if wanted.side == Side::Sell { Price(200) } else { Price(90) };
            desk.protect(&view, entry, Terms { stop, ..terms }).expect("it can be");
            entry
        });
        let bought = entries[usize::from(first)];
        desk.on_report(&told(bought, Side::Buy, ReportKind::Fill, 10, 1), Time(1));
        desk.take_intents().for_each(drop);
        view.tops[0] = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
        desk.guard(&view, BTC, view.tops[0]);
        let protections = desk.state.manager.protections();
        assert_eq!(protections.iter().map(|p| p.entry).collect::<Vec<_>>(), [bought], "{first}");
        assert_eq!(protections[0].covered, Qty(10));
    }
}

/// An instrument of which an order is at least and at most of so much.
fn bounded(min: i64, max: i64) -> InstrumentTable {
    let bounds = Instrument { min_qty: Qty(min), max_qty: Qty(max), ..sample(Market::Spot, "BTCUSDT") };
    InstrumentTable::new(vec![bounds]).expect("one instrument")
}

/// Goes by the touch, and says how much each exit that was sent asks for, with its number.
fn exits(desk: &mut Desk, view: &View) -> Vec<(OrderId, i64)> {
    desk.guard(view, BTC, view.tops[0]);
    desk.take_intents().filter_map(|i| i.new_order().map(|o| (o.id, o.qty.0))).collect()
}

#[test]
fn what_is_more_than_the_venue_takes_at_once_leaves_in_parts_and_stays_protected() {
    // The least of what it takes of any order, and of one at the market.
    for (max, market_max) in [(6, None), (100, Some(6))] {
        let table = bounded(1, max);
        let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
        view.market_max.extend(market_max.map(Qty));
        let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
        desk.protect(&view, entry, Terms { stop: Price(90), ..Terms::default() }).expect("it can be");
        desk.on_report(&told(entry, Side::Buy, ReportKind::Fill, 10, 1), Time(1));
        desk.take_intents().for_each(drop);
        view.tops[0] = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
        let mut left = 10;
        for part in [6, 4] {
            let sent = exits(&mut desk, &view);
            let [(exit, qty)] = sent[..] else { panic!("{sent:?}") };
            assert_eq!((qty, desk.protection(entry).map(|p| p.covered)), (part, Some(Qty(left))));
            desk.on_report(&told(exit, Side::Sell, ReportKind::Fill, part, part as u64), Time(2));
            left -= part;
        }
        assert_eq!(desk.protection(entry), None);
    }
}

#[test]
fn what_is_too_little_to_be_sold_is_given_up_once_its_entry_fills_no_more() {
    let table = bounded(5, 100);
    let denial = |exit: OrderId, binds, (limit, value)| Denial {
        order: exit,
        instrument: BTC,
        strategy: StrategyId(0),
        reason: DenyReason::LotSize,
        limit,
        value,
        measure: Some(Measure { subject: Subject::Quantity, binds }),
    };
    for goes_on in [true, false] {
        let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
        let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
        desk.protect(&view, entry, Terms { stop: Price(90), ..Terms::default() }).expect("it can be");
        desk.on_report(&told(entry, Side::Buy, ReportKind::Fill, 3, 1), Time(1));
        desk.take_intents().for_each(drop);
        view.tops[0] = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
        let sent = exits(&mut desk, &view);
        let [(exit, 3)] = sent[..] else { panic!("{sent:?}") };
        if !goes_on {
            desk.on_report(&told(entry, Side::Buy, ReportKind::Canceled, 0, 0), Time(2));
        }
        desk.on_denial(&denial(exit, Binds::AtLeast, (5, 3)), Time(3), Qty(1));
        assert_eq!(desk.protection(entry).is_some(), goes_on);
        if goes_on {
            assert_eq!(desk.next_timer(&view), Some(Time(3 + RETRY_SMALL_NS)));
            assert_eq!(exits(&mut desk, &view), []);
            // It is enough as soon as more of it has filled.
            desk.on_report(&told(entry, Side::Buy, ReportKind::Fill, 7, 2), Time(4));
            let sent = exits(&mut desk, &view);
            let [(exit, 10)] = sent[..] else { panic!("{sent:?}") };
            // Too large it is not for ever: the venue's rules may change.
            desk.on_denial(&denial(exit, Binds::AtMost, (9, 10)), Time(5), Qty(1));
            assert_eq!(desk.next_timer(&view), Some(Time(5 + RETRY_NS)));
        }
    }
}

#[test]
fn what_the_wallet_has_enough_for_leaves_at_once_where_it_has_too_little_for_all() {
    let table = bounded(1, 100);
    let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
    let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
    desk.protect(&view, entry, Terms { stop: Price(90), ..Terms::default() }).expect("it can be");
    desk.on_report(&told(entry, Side::Buy, ReportKind::Fill, 10, 1), Time(1));
    desk.take_intents().for_each(drop);
    view.tops[0] = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
    // In units of 10^-8, of which a lot has 100,000.
    let denied = |desk: &mut Desk, order: OrderId, (limit, value), at: u64| {
        let (reason, strategy) = (DenyReason::InsufficientBalance, StrategyId(0));
        let denial = Denial { order, instrument: BTC, strategy, reason, limit, value, measure: None };
        desk.on_denial(&denial, Time(at), Qty(1)).expect("it is live");
    };
    let one = |sent: Vec<(OrderId, i64)>| match sent[..] {
        [sent] => sent,
        _ => panic!("{sent:?}"),
    };
    let (exit, qty) = one(exits(&mut desk, &view));
    assert_eq!(qty, 10);
    view.now = Time(5);
    denied(&mut desk, exit, (799_999, 1_000_000), 5);
    let (exit, qty) = one(exits(&mut desk, &view));
    assert_eq!(qty, 7, "whole lots of what is free");
    // If there is less meanwhile, it is asked for again after a while, and not as fast as it is denied.
    denied(&mut desk, exit, (399_999, 700_000), 5);
    assert_eq!((exits(&mut desk, &view), desk.next_timer(&view)), (vec![], Some(Time(5 + RETRY_NS))));
    view.now = Time(5 + RETRY_NS);
    let (exit, qty) = one(exits(&mut desk, &view));
    assert_eq!(qty, 10);
    denied(&mut desk, exit, (799_999, 1_000_000), 5 + RETRY_NS);
    let (exit, qty) = one(exits(&mut desk, &view));
    assert_eq!(qty, 7);
    desk.on_report(&told(exit, Side::Sell, ReportKind::Fill, 7, 2), Time(6 + RETRY_NS));
    assert_eq!(exits(&mut desk, &view), [], "the rest after a while");
    assert_eq!(desk.protection(entry).map(|p| p.covered), Some(Qty(3)));
    view.now = Time(5 + 2 * RETRY_NS);
    let (exit, qty) = one(exits(&mut desk, &view));
    assert_eq!(qty, 3);
    denied(&mut desk, exit, (99_999, 300_000), 5 + 2 * RETRY_NS);
    assert_eq!(exits(&mut desk, &view), [], "that is less than a lot");
    assert_eq!(desk.next_timer(&view), Some(Time(5 + 3 * RETRY_NS)));
}

#[test]
fn what_an_entry_traded_after_its_end_is_protected_as_the_rest_of_it_was_to_be() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    // How it ended, what it filled before and was sold again, where it was to leave, and whether it was given up.
    for (end, before, stop, given_up) in [
        (ReportKind::Rejected, 0, 90, false),
        (ReportKind::Canceled, 4, 90, false),
        (ReportKind::Expired, 4, 95, false),
        (ReportKind::Canceled, 4, 90, true),
    ] {
        let what = format!("{end:?} {before} {stop} {given_up}");
        let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
        // What the journal has of it makes the same desk.
        let (mut again, mut trades) = (Desk::new(StrategyId(0), 1), 0);
        let mut report = |desk: &mut Desk, again: &mut Desk, order: OrderId, side, kind, qty| {
            trades += 1;
            let report = told(order, side, kind, qty, trades);
            again.on_report(&report, Time(trades));
            desk.on_report(&report, Time(trades))
        };
        let redo = |desk: &mut Desk, again: &mut Desk| -> Vec<Order> {
            let (mut event, mut sent) = (Redo::default(), Vec::new());
            let actions: Vec<Action> = desk.take_intents().map(|intent| intent.action).collect();
            for action in &actions {
                again.redo(action, &mut event);
                sent.extend(if let Action::New(order) = action { Some(*order) } else { None });
            }
            assert_eq!(again.state, desk.state, "{what}");
            sent
        };
        let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
        desk.protect(&view, entry, Terms { stop: Price(90), ..Terms::default() }).expect("it can be");
        redo(&mut desk, &mut again);
        if before > 0 {
            report(&mut desk, &mut again, entry, Side::Buy, ReportKind::Fill, before);
        }
        report(&mut desk, &mut again, entry, Side::Buy, end, 0);
        if before > 0 {
            let terms = Terms { stop: Price(stop), ..Terms::default() };
            desk.protect(&view, entry, terms).expect("it is protected still");
            if given_up {
                desk.unprotect(&view, entry).expect("it is protected");
            }
            let sell = Wanted { side: Side::Sell, qty: Qty(before), ..buy() };
            let sell = desk.place(&view, &sell, Trail::None).expect("a sound order");
            redo(&mut desk, &mut again);
            report(&mut desk, &mut again, sell, Side::Sell, ReportKind::Fill, before);
        }
        assert_eq!((desk.protection(entry), desk.state.positions[0].qty), (None, Qty(0)), "{what}");
        let late = report(&mut desk, &mut again, entry, Side::Buy, ReportKind::Fill, 3);
        let late = late.expect("it is remembered");
        assert_eq!((late.changed, late.order.filled), (true, Qty(before + 3)), "{what}");
        let covers = desk.protection(entry).map(|p| (p.covered, p.terms().stop));
        assert_eq!(covers, (!given_up).then_some((Qty(3), Price(stop))), "{what}");
        view.tops[0] = Top { bid: Level::new(stop, 5), ask: Level::new(stop + 1, 5), valid: true };
        desk.guard(&view, BTC, view.tops[0]);
        let exits = redo(&mut desk, &mut again);
        let sent: Vec<_> = exits.iter().map(|exit| (exit.kind, exit.qty, exit.reduce_only)).collect();
        let expected = if given_up { vec![] } else { vec![(OrderKind::Market, Qty(3), true)] };
        assert_eq!(sent, expected, "{what}");
        for exit in exits {
            report(&mut desk, &mut again, exit.id, Side::Sell, ReportKind::Fill, 3);
            assert_eq!(desk.protection(entry), None, "{what}");
        }
        assert_eq!(again.state, desk.state, "{what}");
    }
}

#[test]
fn of_an_exit_that_the_venue_has_too_little_for_half_is_asked_for_until_what_is_free_has_left() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let mut view = View::new(&table, 0);
    let mut desk = Desk::new(StrategyId(0), 1);
    let entry = desk.place(&view, &buy(), Trail::None).expect("a sound order");
    desk.protect(&view, entry, Terms { stop: Price(90), ..Terms::default() }).expect("it can be");
    desk.on_report(&told(entry, Side::Buy, ReportKind::Fill, 10, 1), Time(1));
    desk.take_intents().for_each(drop);
    let top = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
    // Somebody's own order has seven of the ten, until he takes it back.
    let (mut free, mut asked) = (3, Vec::new());
    for second in 1..=14 {
        if second == 10 {
            free += 7;
        }
        view.now = Time(10 + second * RETRY_NS);
        // What has left is followed by more at once.
        for _ in 0..8 {
            desk.guard(&view, BTC, top);
            desk.attend(&view);
            let exits: Vec<_> = desk.take_intents().filter_map(|i| i.new_order().copied()).collect();
            for exit in exits {
                asked.push((second, exit.qty.0));
                let report = if exit.qty.0 <= free {
                    free -= exit.qty.0;
                    told(exit.id, Side::Sell, ReportKind::Fill, exit.qty.0, asked.len() as u64 + 1)
                } else {
                    let why = Refused { code: -2010, cause: 2, filter: 0 };
                    Report::refused(&exit, ReportKind::Rejected, why)
                };
                desk.on_report(&report, view.now);
            }
        }
    }
    // Half, and half of that, until what is free has left; then by twice as much each time.
    let locked: Vec<_> = asked.iter().take_while(|(second, _)| *second < 10).copied().collect();
    assert_eq!(locked[..5], [(1, 10), (2, 5), (3, 2), (3, 4), (4, 2)], "{asked:?}");
    assert!(locked.iter().any(|(_, qty)| *qty == 7) && !locked.iter().any(|(_, qty)| *qty == 0), "{asked:?}");
    let left: i64 = asked.iter().filter(|(second, _)| *second >= 10).map(|(_, qty)| qty).sum();
    let orders = asked.iter().filter(|(second, _)| *second >= 10).count();
    assert!(desk.protection(entry).is_none() && left <= 14 && orders <= 4, "{asked:?}");
}
