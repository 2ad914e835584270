//! What an earlier run's kill is to close and may not yet: what protects it, and what is told of it.

use crate::domain::event::{Command, FeeAsset, Report, Rules};
use crate::domain::instrument::tests::sample;
use crate::domain::order::{OrderState, ReportKind};
use crate::domain::{
    DenyReason, Extras, InstrumentId, InstrumentTable, Kill, Level, Market, Order, OrderId, OrderKind,
    PausedBy, Position, Price, Qty, Scope, Side, Slot, StrategyId, Time, TimeInForce, VenueId,
};
use crate::market::Top;
use crate::market::book::BookKeeper;
use crate::pipeline::{LaneReceiver, LaneSender, Stage, Stop, lane};
use crate::risk::stage::{Verdict, VerdictBody};
use crate::risk::watch::{Switched, Unclosed, WatchReceiver, watch};
use crate::risk::{RiskLimits, RiskStage};
use crate::strategy::desk::DeskState;
use crate::strategy::{Action, Intent};

const BEGIN: u64 = 1_723_161_253_000_000_000;
const BTC: InstrumentId = InstrumentId(0);

/// A run that goes on with one that held some of each of so many instruments, and had a stop at the venue for the first.
struct Rig {
    risk: RiskStage,
    books: BookKeeper,
    asks: LaneSender<Intent>,
    told: LaneReceiver<Verdict>,
    heard: WatchReceiver,
    seq: u64,
}

fn protects(n: u64) -> Order {
    Order {
        id: OrderId(n << 8),
        strategy: StrategyId(0),
        instrument: BTC,
        side: Side::Sell,
        kind: OrderKind::Stop,
        tif: TimeInForce::Gtc,
        reduce_only: true,
        qty: Qty(500_000),
        price: Price(0),
        extras: Extras { stop_price: Price(5_000_000), ..Extras::NONE },
    }
}

impl Rig {
    fn new(instruments: usize) -> Self {
        Self::holding(instruments, &[1_000_000])
    }

    /// The same where each strategy held so much, and the first had the stop.
    fn holding(instruments: usize, held: &[i64]) -> Self {
        let all = (0..instruments).map(|n| sample(Market::Spot, &format!("C{n}USDT"))).collect();
        let table = InstrumentTable::new(all).expect("distinct");
        let desk = |qty: &i64| {
            let mut position = Position::default();
            position.apply(Side::Buy, Qty(*qty), Price(6_000_000), 0);
            DeskState { positions: vec![position; instruments], ..DeskState::default() }
        };
        let mut desks: Vec<DeskState> = held.iter().map(desk).collect();
        desks[0].orders.push(OrderState::new(protects(1)));
        let stop = Stop::new();
        let ((asks, asked), (verdicts, told)) =
            (lane("intents", 8, 8, &stop), lane("verdicts", 256, 256, &stop));
        let (teller, heard) = watch();
        let risk = RiskStage::new(&table, desks.len(), RiskLimits::NONE, asked, verdicts, None, 0)
            .resuming(&desks)
            .with_watch(Some(teller));
        Self { risk, books: BookKeeper::new(table.all(), |_| false), asks, told, heard, seq: 0 }
    }

    /// Which orders are taken back at a command, and whether what is asked for at it goes out.
    fn event(&mut self, command: Option<Command>, new: Option<Order>) -> (Vec<u64>, Option<bool>) {
        self.seq += 1;
        let mut slot = command.map_or_else(Slot::clock, Slot::command);
        slot.stamp(Time(BEGIN + self.seq * 20_000_000), 0, 0);
        let at = |price| Level::new(price, 5);
        let top = Top { bid: at(6_000_000), ask: at(6_000_010), valid: true };
        if let Some(order) = new {
            self.asks.push(Intent::new(self.seq, Action::New(order), top));
        }
        Stage::on_slot(&mut self.risk, self.seq, &slot, &self.books);
        let (mut cancels, mut approved) = (Vec::new(), None);
        while let Some(Verdict { body, .. }) = self.told.pop_up_to(self.seq) {
            match body {
                VerdictBody::Cancel { order, .. } => cancels.push(order.0 >> 8),
                body => approved = Some(matches!(body, VerdictBody::Approved(_))),
            }
        }
        (cancels, approved)
    }

    fn cancels(&mut self, command: Command) -> Vec<u64> {
        self.event(Some(command), None).0
    }

    /// So much of an order was sold.
    fn sold(&mut self, order: &Order, qty: i64) {
        let report = Report {
            instrument: order.instrument,
            order: order.id,
            strategy: order.strategy,
            side: order.side,
            kind: ReportKind::Fill,
            qty: Qty(qty),
            price: Price(5_000_000),
            fee: 0,
            fee_asset: FeeAsset::Quote,
            trade_id: self.seq + 1,
            maker: false,
        };
        self.take(Slot::report(&report));
    }

    fn take(&mut self, mut slot: Slot) {
        self.seq += 1;
        slot.stamp(Time(BEGIN + self.seq * 20_000_000), 0, 0);
        Stage::on_slot(&mut self.risk, self.seq, &slot, &self.books);
    }

    /// What is told over so many seconds in which nothing happens.
    fn over(&mut self, seconds: u64) -> Vec<Switched> {
        for _ in 0..seconds {
            self.seq += 49;
            self.take(Slot::clock());
        }
        self.heard()
    }

    fn heard(&mut self) -> Vec<Switched> {
        std::iter::from_fn(|| self.heard.next_change()).map(|(switched, _)| switched).collect()
    }
}

fn kill(scope: Scope, carried: bool) -> Command {
    Command::Kill(Kill { scope, cause: DenyReason::Killed, flatten: true, carried })
}

const SUSPEND: Command = Command::Suspend(VenueId(0));
const REOPEN: Command = Command::Reopen(VenueId(0));
const DIFFERS: Command = Command::Pause(BTC, PausedBy::Difference);
const AGREES: Command = Command::Unpause(BTC, PausedBy::Difference);

#[test]
fn what_protects_what_an_earlier_run_was_to_close_stays_until_it_may_be_closed() {
    let nothing: Vec<u64> = Vec::new();
    let carried = kill(Scope::All, true);
    let waiting = || {
        let mut rig = Rig::new(1);
        for command in [SUSPEND, carried, DIFFERS, REOPEN] {
            assert_eq!(rig.cancels(command), nothing, "{command:?}");
        }
        assert_eq!(rig.event(None, None).0, nothing);
        rig
    };
    // Another goes out meanwhile, and both are taken back once a person has looked.
    let mut looked = waiting();
    assert_eq!(looked.event(None, Some(protects(2))), (nothing.clone(), Some(true)));
    assert_eq!(looked.cancels(AGREES), [1, 2]);
    assert_eq!(looked.event(None, None).0, nothing, "once");
    assert_eq!(looked.event(None, Some(protects(3))).1, Some(false), "it is closed");
    // A kill of this run closes at once.
    for scope in [Scope::All, Scope::Instrument(BTC)] {
        assert_eq!(waiting().cancels(kill(scope, false)), [1], "{scope:?}");
    }
    let mut agreed = Rig::new(1);
    assert_eq!((agreed.cancels(SUSPEND), agreed.cancels(carried)), (nothing.clone(), nothing.clone()));
    assert_eq!(agreed.cancels(REOPEN), [1], "the account is as it was left");
    assert_eq!(Rig::new(1).cancels(carried), [1]);
    let mut released = waiting();
    assert_eq!(
        (released.cancels(Command::Release(Scope::All)), released.cancels(AGREES)),
        (nothing.clone(), nothing)
    );
}

#[test]
fn a_journal_from_before_what_protects_stayed_replays_as_it_ran() {
    let mut rig = Rig::new(1);
    rig.risk = rig.risk.with_waiting_bared(true);
    assert!(rig.cancels(SUSPEND).is_empty());
    assert_eq!(rig.cancels(kill(Scope::All, true)), [1]);
}

#[test]
fn what_waits_for_a_person_and_leaves_by_its_own_stop_is_told_as_closed() {
    let waits = Switched::NotClosed(BTC, Unclosed::Unlooked);
    let mut rig = Rig::new(1);
    for command in [SUSPEND, kill(Scope::All, true), DIFFERS, REOPEN] {
        rig.cancels(command);
    }
    assert!(rig.heard().contains(&waits));
    assert_eq!(rig.event(None, Some(protects(2))).1, Some(true));
    rig.sold(&protects(1), 500_000);
    assert_eq!(rig.heard(), [], "some is left");
    rig.sold(&protects(2), 500_000);
    assert_eq!(rig.heard(), [Switched::Decided(BTC), Switched::Closed(BTC)]);
}

#[test]
fn what_a_kill_closes_is_told_as_closed_when_nothing_but_less_than_a_lot_is_left() {
    let told = |lot: i64, flatten: bool| {
        let mut rig = Rig::new(1);
        let rules = Rules { lot: Qty(lot), min_qty: Qty(lot), ..sample(Market::Spot, "C0USDT").rules() };
        rig.take(Slot::rules(&rules));
        assert_eq!(rig.event(None, Some(protects(2))).1, Some(true));
        let kill = Kill { scope: Scope::All, cause: DenyReason::Killed, flatten, carried: false };
        rig.cancels(Command::Kill(kill));
        rig.heard();
        rig.sold(&protects(1), 500_000);
        assert_eq!(rig.heard(), [], "some is left");
        rig.sold(&protects(2), 499_900);
        rig.heard()
    };
    assert_eq!(told(1_000, true), [Switched::Closed(BTC)]);
    assert_eq!(told(10, true), [], "ten lots are left");
    assert_eq!(told(1_000, false), [], "what was not to be closed");
}

/// A kill closes what the first of two strategies holds, of which was asked for too little to be an order, and what the second
/// holds, which is half a lot.
fn too_little_of_one_of_two() -> Rig {
    let mut rig = Rig::holding(1, &[1_000_000, 500]);
    let rules = Rules { lot: Qty(1_000), min_qty: Qty(1_000), ..sample(Market::Spot, "C0USDT").rules() };
    rig.take(Slot::rules(&rules));
    rig.cancels(kill(Scope::All, false));
    let part = Order { kind: OrderKind::Market, qty: Qty(1), extras: Extras::NONE, ..protects(2) };
    assert_eq!(rig.event(None, Some(part)).1, Some(false));
    let denied = Switched::NotClosed(BTC, Unclosed::Denied(DenyReason::LotSize));
    assert!(rig.heard().contains(&denied));
    rig
}

#[test]
fn less_than_a_lot_is_told_though_another_strategy_waits_with_too_little_for_an_order() {
    let mut rig = too_little_of_one_of_two();
    assert_eq!(rig.over(1), [], "the first may be on its way");
    assert_eq!(rig.over(9), [Switched::NotClosed(BTC, Unclosed::LessThanALot); 9]);
}

#[test]
fn what_was_too_little_for_an_order_and_changed_is_told_within_seconds_where_nothing_is_sent_for_it() {
    let of_no_market = |told: Vec<Switched>| {
        let no_market = Switched::NotClosed(BTC, Unclosed::NoMarket);
        told.into_iter().filter(|told| *told == no_market).count()
    };
    let mut rig = too_little_of_one_of_two();
    assert_eq!(of_no_market(rig.over(20)), 0, "it is asked for each minute alone");
    rig.sold(&protects(1), 500_000);
    assert_eq!((of_no_market(rig.over(9)), of_no_market(rig.over(3))), (0, 3));
}

#[test]
fn of_what_a_commission_left_is_not_said_that_an_order_could_close_it() {
    let held = |lot: i64| {
        let mut rig = Rig::holding(1, &[1_000_000, 500]);
        rig.take(Slot::rules(&Rules { lot: Qty(lot), ..sample(Market::Spot, "C0USDT").rules() }));
        rig.sold(&protects(1), 500_000);
        rig.over(1);
        let snapshot = rig.heard.snapshot();
        let snapshot = snapshot.lock().expect("nobody panicked");
        (snapshot.values[0] > 0, snapshot.lots_held[0])
    };
    assert_eq!((held(1), held(500_000), held(500_001)), ((true, true), (true, true), (true, false)));
}

#[test]
fn of_two_hundred_that_wait_for_a_person_each_is_told_once() {
    const N: u16 = 200;
    let unlooked = |of: u16| Switched::NotClosed(InstrumentId(of), Unclosed::Unlooked);
    let differs = |of: u16| Command::Pause(InstrumentId(of), PausedBy::Difference);
    let count = |told: &[Switched], of: fn(&Switched) -> bool| told.iter().filter(|told| of(told)).count();
    let is_difference: fn(&Switched) -> bool = |told| matches!(told, Switched::Differs(_));
    let is_unlooked: fn(&Switched) -> bool =
        |told| matches!(told, Switched::NotClosed(_, Unclosed::Unlooked));
    for one_by_one in [false, true] {
        let mut rig = Rig::new(usize::from(N));
        let scopes: Vec<Scope> = if one_by_one {
            (0..N).map(|of| Scope::Instrument(InstrumentId(of))).collect()
        } else {
            vec![Scope::All]
        };
        // Nobody listens meanwhile.
        let kills: Vec<Command> = scopes.iter().map(|scope| kill(*scope, true)).collect();
        let pauses: Vec<Command> = (0..N).map(differs).collect();
        let all = if one_by_one { [pauses, kills] } else { [kills, pauses] };
        all.concat().into_iter().for_each(|command| drop(rig.event(Some(command), None)));
        let last = Kill {
            scope: Scope::Venue(VenueId(0)),
            cause: DenyReason::Killed,
            flatten: false,
            carried: false,
        };
        rig.event(Some(Command::Kill(last)), None);
        let told = rig.heard();
        assert_eq!(count(&told, is_difference), usize::from(N));
        assert_eq!(count(&told, is_unlooked), usize::from(N));
        assert!((0..N).all(|of| told.contains(&unlooked(of))));
        assert_eq!(told.last(), Some(&Switched::Killed(last)), "what comes after is heard");
        // A kill of this run decides of what is in it alone, and nothing is told of the others anew.
        rig.event(Some(kill(Scope::Instrument(InstrumentId(7)), false)), None);
        assert_eq!(rig.heard()[1..], [Switched::Decided(InstrumentId(7))]);
        rig.event(Some(Command::Unpause(InstrumentId(9), PausedBy::Difference)), None);
        assert_eq!(rig.heard().first(), Some(&Switched::Agrees(InstrumentId(9))));
        rig.event(Some(Command::Release(Scope::All)), None);
        let told = rig.heard();
        assert_eq!((count(&told, |told| matches!(told, Switched::Decided(_))), told.len()), (198, 199));
    }
}
