//! What an earlier run's kill is to close and may not yet: what protects it.

use crate::domain::event::Command;
use crate::domain::instrument::tests::sample;
use crate::domain::order::OrderState;
use crate::domain::{
    DenyReason, Extras, InstrumentId, InstrumentTable, Kill, Level, Market, Order, OrderId, OrderKind,
    PausedBy, Position, Price, Qty, Scope, Side, Slot, StrategyId, Time, TimeInForce, VenueId,
};
use crate::market::Top;
use crate::market::book::BookKeeper;
use crate::pipeline::{LaneReceiver, LaneSender, Stage, Stop, lane};
use crate::risk::stage::{Verdict, VerdictBody};
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
        qty: Qty(100_000),
        price: Price(0),
        extras: Extras { stop_price: Price(5_000_000), ..Extras::NONE },
    }
}

impl Rig {
    fn new(instruments: usize) -> Self {
        let all = (0..instruments).map(|n| sample(Market::Spot, &format!("C{n}USDT"))).collect();
        let table = InstrumentTable::new(all).expect("distinct");
        let mut position = Position::default();
        position.apply(Side::Buy, Qty(1_000_000), Price(6_000_000), 0);
        let orders = vec![OrderState::new(protects(1))];
        let desk = DeskState { positions: vec![position; instruments], orders, ..DeskState::default() };
        let stop = Stop::new();
        let ((asks, asked), (verdicts, told)) =
            (lane("intents", 8, 8, &stop), lane("verdicts", 256, 256, &stop));
        let risk = RiskStage::new(&table, 1, RiskLimits::NONE, asked, verdicts, None, 0)
            .resuming(std::slice::from_ref(&desk));
        Self { risk, books: BookKeeper::new(table.all(), |_| false), asks, told, seq: 0 }
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
