//! What is asked for to close a position, how much of it and how often.

use super::*;
use crate::domain::event::{Command, FeeAsset, Report};
use crate::domain::instrument::tests::sample;
use crate::domain::order::ReportKind;
use crate::domain::{Binds, DenyReason, Instrument, Level, Market, Measure, OrderId, Subject};
use crate::market::Top;

const BTC: InstrumentId = InstrumentId(0);

/// A kill of everything, and a desk with so much of an instrument of which an order is at most of so much.
fn killed(held: i64, max: i64) -> (Flatten, Desk, View) {
    killed_in_lots(held, max, Qty(1))
}

/// The same, of which an order is of such lots.
fn killed_in_lots(held: i64, max: i64, lot: Qty) -> (Flatten, Desk, View) {
    let bounds = Instrument { max_qty: Qty(max), lot, min_qty: lot, ..sample(Market::Spot, "BTCUSDT") };
    let table = InstrumentTable::new(vec![bounds]).expect("one instrument");
    let (mut view, mut desk) = (View::new(&table, 0), Desk::new(StrategyId(0), 1));
    view.tops[0] = Top { bid: Level::new(80, 5), ask: Level::new(81, 5), valid: true };
    desk.state.positions[0].qty = Qty(held);
    let mut flatten = Flatten::new(&table, 1);
    flatten.kill(&Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: true, carried: false });
    (flatten, desk, view)
}

/// What one attempt asks for.
fn attempt(flatten: &mut Flatten, desk: &mut Desk, view: &View) -> Option<(OrderId, Qty)> {
    flatten.close(desk, &[BTC], view);
    desk.take_intents().find_map(|i| i.new_order().map(|o| (o.id, o.qty)))
}

fn sold(order: OrderId, qty: Qty) -> Report {
    Report {
        instrument: BTC,
        order,
        strategy: StrategyId(0),
        side: Side::Sell,
        kind: ReportKind::Fill,
        qty,
        price: Price(80),
        fee: 0,
        fee_asset: FeeAsset::Quote,
        trade_id: order.0,
        maker: false,
    }
}

#[test]
fn what_is_more_than_the_venue_takes_at_once_is_closed_in_parts() {
    let (mut flatten, mut desk, view) = killed(15, 6);
    let mut parts = Vec::new();
    while let Some((order, qty)) = attempt(&mut flatten, &mut desk, &view) {
        assert_eq!(attempt(&mut flatten, &mut desk, &view), None, "one after the other");
        desk.on_report(&sold(order, qty), Time(1));
        parts.push(qty.0);
    }
    assert_eq!((parts, desk.state.positions[0].qty), (vec![6, 6, 3], Qty(0)));
}

#[test]
fn what_an_earlier_run_was_to_close_waits_where_the_account_differs_until_somebody_looked_or_says_it_anew() {
    let held_back = || {
        let (mut flatten, desk, mut view) = killed(15, 100);
        flatten.release(Scope::All);
        flatten.kill(&Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: true, carried: true });
        view.paused.take(Command::Pause(BTC, PausedBy::Difference));
        (flatten, desk, view)
    };
    let asked =
        |(flatten, desk, view): &mut (Flatten, Desk, View)| attempt(flatten, desk, view).map(|(_, qty)| qty);
    let all = Some(Qty(15));
    // A person has looked.
    let mut looked = held_back();
    assert_eq!(asked(&mut looked), None);
    looked.2.paused.take(Command::Unpause(BTC, PausedBy::Difference));
    assert_eq!(asked(&mut looked), all);
    // What is paused for another reason was never held back by it.
    let mut paused = held_back();
    paused.2.paused.take(Command::Unpause(BTC, PausedBy::Difference));
    paused.2.paused.take(Command::Pause(BTC, PausedBy::Operator));
    assert_eq!(asked(&mut paused), all);
    // A kill in this run closes, of the same scope and of another; what is carried over says nothing new.
    for scope in [Scope::All, Scope::Instrument(BTC)] {
        let mut said = held_back();
        let again = |carried, flatten| Kill { scope, cause: DenyReason::Killed, flatten, carried };
        for kill in [again(true, true), again(false, false)] {
            said.0.kill(&kill);
            assert_eq!(asked(&mut said), None, "{kill:?}");
        }
        said.0.kill(&again(false, true));
        said.0.kill(&again(true, true));
        assert_eq!(asked(&mut said), all, "{scope:?}");
    }
    let mut released = held_back();
    released.0.release(Scope::All);
    released.2.paused.take(Command::Unpause(BTC, PausedBy::Difference));
    assert_eq!(asked(&mut released), None);
}

#[test]
fn what_the_wallet_has_enough_for_is_closed_where_it_has_too_little_for_all() {
    let (mut flatten, mut desk, view) = killed(15, 100);
    let (whole, qty) = attempt(&mut flatten, &mut desk, &view).expect("it is to be closed");
    assert_eq!(qty, Qty(15));
    let denied = |flatten: &mut Flatten, desk: &mut Desk, order: OrderId, (limit, value)| {
        let (reason, strategy) = (DenyReason::InsufficientBalance, StrategyId(0));
        let denial = Denial { order, instrument: BTC, strategy, reason, limit, value, measure: None };
        let settled = desk.on_denial(&denial, Time(1), Qty(1)).expect("it is live");
        flatten.denied(&settled.order.order, &denial, desk.state.positions[0].qty, Qty(1), Time(1));
    };
    // In units of 10^-8, of which a lot has 100,000.
    denied(&mut flatten, &mut desk, whole, (1_299_999, 1_500_000));
    let (part, qty) = attempt(&mut flatten, &mut desk, &view).expect("what there is enough for");
    assert_eq!(qty, Qty(12));
    desk.on_report(&sold(part, qty), Time(2));
    let (rest, qty) = attempt(&mut flatten, &mut desk, &view).expect("the rest");
    assert_eq!(qty, Qty(3));
    denied(&mut flatten, &mut desk, rest, (99_999, 300_000));
    assert_eq!(attempt(&mut flatten, &mut desk, &view).map(|sent| sent.1), Some(Qty(3)), "there may be more");
}

#[test]
fn of_what_the_venue_has_too_little_for_half_is_asked_for_until_what_is_free_has_left() {
    let (mut flatten, mut desk, view) = killed(16, 100);
    // Somebody's own order has eleven of them.
    let mut free = 5;
    let mut asked = Vec::new();
    while asked.len() < 12 {
        let Some((order, qty)) = attempt(&mut flatten, &mut desk, &view) else {
            asked.push(0);
            continue;
        };
        asked.push(qty.0);
        let sells = qty.0 <= free;
        let why = Refused { code: -2010, cause: 2, filter: 0 };
        let report = if sells {
            free -= qty.0;
            sold(order, qty)
        } else {
            let order = desk.order(order).expect("it is live");
            Report::refused(&order, ReportKind::Rejected, why)
        };
        let settled = desk.on_report(&report, Time(1)).expect("it is live");
        if !sells {
            flatten.refused(&settled.order.order, why, Qty(1), Time(1));
        }
    }
    assert_eq!(asked[..7], [16, 8, 4, 12, 6, 3, 1], "{asked:?}");
    assert_eq!((free, desk.state.positions[0].qty), (0, Qty(11)));
    // What a filter refuses is asked for as it was.
    let (order, _) = attempt(&mut flatten, &mut desk, &view).expect("it is asked for on");
    let of = desk.order(order).expect("it is live");
    flatten.refused(&of, Refused { code: -1013, cause: 1, filter: 1 }, Qty(1), Time(1));
    assert!(flatten.short.is_empty());
}

#[test]
fn what_nobody_trades_with_is_asked_for_less_and_less_often_until_somebody_does() {
    // Pauses between one that ends without a trade and the next, in units of the pace, over so many.
    let pauses = |pace: ClosingPace, traded_after: usize| {
        let (flatten, mut desk, mut view) = killed(16, 100);
        let mut flatten = flatten.at_pace(pace);
        let (mut pauses, mut last) = (Vec::new(), view.now);
        while pauses.len() < 10 {
            let Some((id, _)) = attempt(&mut flatten, &mut desk, &view) else {
                view.now = view.now.plus_nanos(AGAIN_NS);
                continue;
            };
            pauses.push(view.now.since(last) / AGAIN_NS);
            last = view.now;
            if pauses.len() == traded_after {
                desk.on_report(&sold(id, Qty(1)), view.now);
                flatten.traded(StrategyId(0), BTC);
            }
            let order = desk.order(id).expect("it is live");
            let ended = Report { kind: ReportKind::Expired, qty: Qty(0), ..sold(id, Qty(0)) };
            desk.on_report(&ended, view.now);
            if pauses.len() != traded_after {
                flatten.untraded(&order, view.now);
            }
            view.now = view.now.plus_nanos(AGAIN_NS);
        }
        pauses
    };
    for pace in [ClosingPace::Slower, ClosingPace::SlowerUntraded] {
        assert_eq!(pauses(pace, 0), [0, 1, 1, 1, 1, 2, 4, 8, 16, 16]);
        assert_eq!(pauses(pace, 7), [0, 1, 1, 1, 1, 2, 4, 1, 1, 1], "somebody traded");
    }
    let before = pauses(ClosingPace::Even, 0);
    assert_eq!(before, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1], "as journals of before have it");
}

/// What answers a close.
type Answer = fn(&mut Flatten, &mut Desk, &View, OrderId);

fn refuse(flatten: &mut Flatten, desk: &mut Desk, view: &View, id: OrderId, cause: u8) {
    let why = Refused { code: -2010, cause, filter: 0 };
    let order = desk.order(id).expect("it is live");
    let refused = Report::refused(&order, ReportKind::Rejected, why);
    let settled = desk.on_report(&refused, view.now).expect("it is live");
    flatten.refused(&settled.order.order, why, Qty(1), view.now);
}

/// The symbol does not trade.
fn closed(flatten: &mut Flatten, desk: &mut Desk, view: &View, id: OrderId) {
    refuse(flatten, desk, view, id, 3);
}

/// Somebody's own order has all of it.
fn locked(flatten: &mut Flatten, desk: &mut Desk, view: &View, id: OrderId) {
    refuse(flatten, desk, view, id, 2);
}

/// Somebody sold all of it.
fn lacking(flatten: &mut Flatten, desk: &mut Desk, view: &View, order: OrderId) {
    denied_with(flatten, desk, view, order, 0);
}

/// All of it is denied, for there is so much, in units of 10^-8, of which a lot has 100,000.
fn denied_with(flatten: &mut Flatten, desk: &mut Desk, view: &View, order: OrderId, limit: i64) {
    let (reason, strategy) = (DenyReason::InsufficientBalance, StrategyId(0));
    let denial = Denial { order, instrument: BTC, strategy, reason, limit, value: 1_600_000, measure: None };
    let settled = desk.on_denial(&denial, view.now, Qty(1)).expect("it is live");
    flatten.denied(&settled.order.order, &denial, Qty(16), Qty(1), view.now);
}

/// What happens that may have let go of what is to be closed.
type LetsGo<'a> = &'a dyn Fn(&mut Flatten, &View);

/// How often it asks in ten minutes, where this happens between any two moments at which it may.
fn asks_of_ten_minutes(
    (flatten, desk, view): &mut (Flatten, Desk, View),
    answer: Answer,
    happens: LetsGo<'_>,
) -> usize {
    let (mut asks, end) = (0, view.now.plus_nanos(600_000_000_000));
    while view.now < end {
        view.now = view.now.plus_nanos(AGAIN_NS);
        happens(flatten, view);
        if let Some((id, _)) = attempt(flatten, desk, view) {
            asks += 1;
            answer(flatten, desk, view, id);
        }
    }
    asks
}

#[test]
fn what_is_refused_or_denied_on_is_asked_for_seldom_and_at_once_when_what_held_it_lets_go() {
    let base = Account { instrument: BTC, asset: FeeAsset::Base, amount: 7, is_all: true, newest: 0 };
    let quote = Account { asset: FeeAsset::Quote, ..base };
    let other = an_order();
    let nothing: LetsGo<'_> = &|_, _| ();
    // Of what is locked half, and half of that, without a pause: what is free by now leaves within a second or so.
    let answers: [(Answer, usize); 3] = [(closed, 1), (locked, 5), (lacking, 1)];
    for (answer, asks_at_once) in answers {
        for pace in [ClosingPace::Even, ClosingPace::SlowerUntraded] {
            let (flatten, desk, view) = killed(16, 100);
            let asks = asks_of_ten_minutes(&mut (flatten.at_pace(pace), desk, view), answer, nothing);
            assert!(asks >= 2_000, "{asks} where journals of before have them all");
        }
        // The venue's hold is over, somebody's order, or something came into the account: at once, and once.
        let lets_go: [LetsGo<'_>; 3] = [
            &|flatten, view| flatten.held_back(Command::Unpause(BTC, PausedBy::Venue), view),
            &|flatten, view| flatten.moved(&base, &view.table, view.now),
            &|flatten, view| flatten.let_go(&other, view.now),
        ];
        for lets_go in lets_go {
            let mut rig = killed(16, 100);
            let asks = asks_of_ten_minutes(&mut rig, answer, nothing);
            assert!((100..170).contains(&asks), "{asks}");
            let (flatten, desk, view) = &mut rig;
            assert_eq!(attempt(flatten, desk, view), None);
            lets_go(flatten, view);
            let mut asked = 0;
            while let Some((id, _)) = attempt(flatten, desk, view) {
                asked += 1;
                answer(flatten, desk, view, id);
                view.now = view.now.plus_nanos(AGAIN_NS);
            }
            assert_eq!(asked, asks_at_once);
            // What says nothing of it.
            let lets_nothing_go: [LetsGo<'_>; 3] = [
                &|flatten, view| flatten.held_back(Command::Pause(BTC, PausedBy::Venue), view),
                &|flatten, view| flatten.moved(&quote, &view.table, view.now),
                &|flatten, view| flatten.let_go(&Order { reduce_only: true, ..other }, view.now),
            ];
            for lets_nothing_go in lets_nothing_go {
                lets_nothing_go(flatten, view);
                assert_eq!(attempt(flatten, desk, view), None);
            }
        }
    }
}

#[test]
fn what_may_have_let_go_of_it_again_and_again_makes_it_no_more_frequent() {
    let base = Account { instrument: BTC, asset: FeeAsset::Base, amount: 7, is_all: true, newest: 0 };
    let other = an_order();
    let happens: [LetsGo<'_>; 2] = [
        // Another strategy makes a market in it, say, or another hand trades in the account.
        &|flatten, view| flatten.let_go(&other, view.now),
        &|flatten, view| flatten.moved(&base, &view.table, view.now),
    ];
    // What is locked is asked for in parts each time.
    let answers: [(Answer, usize); 3] = [(closed, 170), (lacking, 170), (locked, 220)];
    for happens in happens {
        for (answer, most) in answers {
            let asks = asks_of_ten_minutes(&mut killed(16, 100), answer, happens);
            assert!((100..most).contains(&asks), "{asks}");
            let (flatten, desk, view) = killed(16, 100);
            let mut before = (flatten.at_pace(ClosingPace::SlowerOften), desk, view);
            let asks = asks_of_ten_minutes(&mut before, answer, happens);
            assert!(asks >= 2_000, "{asks} where journals of before have them all");
        }
    }
}

#[test]
fn what_there_is_enough_for_at_last_goes_without_a_pause() {
    let base = Account { instrument: BTC, asset: FeeAsset::Base, amount: 7, is_all: true, newest: 0 };
    for (pace, waits) in [(ClosingPace::Slower, false), (ClosingPace::SlowerOften, true)] {
        let (flatten, desk, view) = killed(16, 100);
        let mut rig = (flatten.at_pace(pace), desk, view);
        asks_of_ten_minutes(&mut rig, lacking, &|_, _| ());
        let (flatten, desk, view) = &mut rig;
        flatten.moved(&base, &view.table, view.now);
        let (id, _) = attempt(flatten, desk, view).expect("at once");
        denied_with(flatten, desk, view, id, 700_000);
        view.now = view.now.plus_nanos(AGAIN_NS);
        assert_eq!(attempt(flatten, desk, view).map(|sent| sent.1), (!waits).then_some(Qty(7)), "{pace:?}");
    }
}

/// An order at the market that closes nothing.
fn an_order() -> Order {
    Order {
        id: OrderId(77 << 8),
        strategy: StrategyId(0),
        instrument: BTC,
        side: Side::Buy,
        kind: OrderKind::Market,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(1),
        price: Price(0),
        extras: Extras::NONE,
    }
}

#[test]
fn what_is_too_little_to_be_an_order_is_asked_for_after_a_while() {
    // Of three, and of three where an order is of twos: the one that is over would not be enough either.
    for (lot, asked) in [(Qty(1), Qty(3)), (Qty(2), Qty(2))] {
        let (mut flatten, mut desk, mut view) = killed_in_lots(3, 100, lot);
        let (order, qty) = attempt(&mut flatten, &mut desk, &view).expect("it is to be closed");
        assert_eq!(qty, asked);
        view.now = Time(7);
        too_little(&mut flatten, &mut desk, &view, order);
        view.now = Time(6 + RETRY_SMALL_NS);
        assert_eq!(attempt(&mut flatten, &mut desk, &view), None, "{lot:?}");
        view.now = Time(7 + RETRY_SMALL_NS);
        assert_eq!(attempt(&mut flatten, &mut desk, &view).map(|sent| sent.1), Some(asked));
    }
}

/// All of it is too little to be an order.
fn too_little(flatten: &mut Flatten, desk: &mut Desk, view: &View, order: OrderId) {
    let (reason, strategy) = (DenyReason::Notional, StrategyId(0));
    let measure = Some(Measure { subject: Subject::Value, binds: Binds::AtLeast });
    let denial = Denial { order, instrument: BTC, strategy, reason, limit: 500, value: 400, measure };
    let lot = view.table.get(BTC).lot;
    let settled = desk.on_denial(&denial, view.now, lot).expect("it is live");
    flatten.denied(&settled.order.order, &denial, desk.state.positions[0].qty, lot, view.now);
}

#[test]
fn what_was_too_little_to_be_an_order_is_asked_for_at_once_where_it_may_be_enough_or_the_kill_is_said_again()
{
    let kill = Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: true, carried: false };
    let happens: [LetsGo<'_>; 3] = [
        &|flatten, _| flatten.position_changed(StrategyId(0), BTC),
        &|flatten, view| flatten.held_back(Command::Unpause(BTC, PausedBy::Venue), view),
        &|flatten, _| flatten.kill(&kill),
    ];
    for (nth, happens) in happens.into_iter().enumerate() {
        for (pace, asked) in [(ClosingPace::Slower, Some(Qty(3))), (ClosingPace::SlowerUnheeding, None)] {
            let (flatten, mut desk, mut view) = killed(3, 100);
            let mut flatten = flatten.at_pace(pace);
            let (order, _) = attempt(&mut flatten, &mut desk, &view).expect("it is to be closed");
            too_little(&mut flatten, &mut desk, &view, order);
            view.now = view.now.plus_nanos(AGAIN_NS);
            // What says nothing of it.
            flatten.position_changed(StrategyId(1), BTC);
            flatten.held_back(Command::Pause(BTC, PausedBy::Venue), &view);
            flatten.kill(&Kill { flatten: false, ..kill });
            flatten.kill(&Kill { carried: true, ..kill });
            assert_eq!(attempt(&mut flatten, &mut desk, &view), None, "{nth}");
            happens(&mut flatten, &view);
            let then = attempt(&mut flatten, &mut desk, &view).map(|sent| sent.1);
            assert_eq!(then, asked, "{nth} {pace:?}");
        }
    }
    // What waits for another reason goes by the kill that is said again, too, and once.
    let mut rig = killed(16, 100);
    asks_of_ten_minutes(&mut rig, closed, &|_, _| ());
    let (flatten, desk, view) = &mut rig;
    assert_eq!(attempt(flatten, desk, view), None);
    flatten.kill(&kill);
    let (order, _) = attempt(flatten, desk, view).expect("somebody asks for it");
    closed(flatten, desk, view, order);
    view.now = view.now.plus_nanos(AGAIN_NS);
    assert_eq!(attempt(flatten, desk, view), None);
}

#[test]
fn each_of_many_instruments_that_are_killed_one_by_one_is_closed() {
    let names: Vec<String> = (0..200).map(|n| format!("C{n}USDT")).collect();
    let table = InstrumentTable::new(names.iter().map(|name| sample(Market::Spot, name)).collect());
    let table = table.expect("two hundred instruments");
    let mut flatten = Flatten::new(&table, 1);
    let all: Vec<Scope> = table.all().iter().map(|of| Scope::Instrument(of.id)).collect();
    let others = [Scope::All, Scope::Venue(VenueId(0)), Scope::Strategy(StrategyId(0))];
    let room = flatten.scopes.capacity();
    for scope in all.iter().chain(&others) {
        // Who stopped it first may have left it open.
        for closes in [false, true, true] {
            flatten.kill(&Kill { scope: *scope, cause: DenyReason::Killed, flatten: closes, carried: false });
        }
    }
    assert_eq!(flatten.scopes, [&all[..], &others].concat());
    assert_eq!(flatten.scopes.capacity(), room, "nothing is allocated for it");
    all.iter().chain(&others[1..]).for_each(|scope| flatten.release(*scope));
    assert_eq!(flatten.scopes, [Scope::All]);
}
