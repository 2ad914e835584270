//! Two orders that the venue holds as one list, of which one cancels the other: risk approves both or neither, counts and
//! locks what only one of them can trade once, and both are handed over or neither.

use algo_trader::domain::event::{FeeAsset, Report};
use algo_trader::domain::order::{OrderState, ReportKind};
use algo_trader::domain::wallet::StartingBalance;
use algo_trader::domain::{
    ClientOrderId, DenyReason, Extras, Instrument, InstrumentId, InstrumentTable, Level, Market, Notional,
    Order, OrderId, OrderKind, Position, Price, Qty, Side, Slot, StrategyId, TimeInForce, Wallets,
};
use algo_trader::execution::GatewayMessage;
use algo_trader::execution::live::{LiveGateway, handover};
use algo_trader::market::Top;
use algo_trader::market::book::BookKeeper;
use algo_trader::pipeline::{Answer, LaneReceiver, LaneSender, Stage, StampClock, Stop, lane};
use algo_trader::risk::{Approved, RiskLimits, RiskStage, Verdict, VerdictBody};
use algo_trader::strategy::desk::DeskState;
use algo_trader::strategy::{Action, Intent};
use algo_trader::venue::binance::filters::Filters;
use algo_trader::venue::local::demo_instruments;
use std::sync::Arc;

/// What each order of the list is for.
const QTY: i64 = 5_000;
const TARGET: i64 = 51_000;
const STOP: i64 = 49_000;
const ONE_QUOTE: i64 = 100_000_000;

struct Rig {
    risk: RiskStage,
    books: BookKeeper,
    intents: LaneSender<Intent>,
    verdicts: LaneReceiver<Verdict>,
    answers: LaneReceiver<Answer>,
    seq: u64,
}

/// Of no decimals, so that a price times a quantity is a value in whole units of quote.
fn instrument() -> Instrument {
    let spot = demo_instruments().into_iter().find(|i| i.market == Market::Spot).expect("one of spot");
    Instrument {
        price_decimals: 0,
        qty_decimals: 0,
        tick: Price(1),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(1_000_000),
        min_notional: Notional(0),
        ..spot
    }
}

fn no_limits() -> RiskLimits {
    RiskLimits {
        order_notional_max: i64::MAX,
        position_notional_max: i64::MAX,
        gross_notional_max: i64::MAX,
        open_orders_max: 9,
        orders_per_second_max: 9,
        price_collar_bps: 5_000,
        ..RiskLimits::NONE
    }
}

impl Rig {
    fn new(limits: RiskLimits, more: impl FnOnce(RiskStage, &InstrumentTable) -> RiskStage) -> Self {
        let table = InstrumentTable::new(vec![instrument()]).expect("one instrument");
        let books = BookKeeper::new(table.all(), |_| false);
        let stop = Stop::new();
        let (intents, intents_in) = lane("intents", 16, 16, &stop);
        let (verdicts_out, verdicts) = lane("verdicts", 128, 128, &stop);
        let (answers_out, answers) = lane("answers", 32, 32, &stop);
        let risk = RiskStage::new(&table, 1, limits, intents_in, verdicts_out, Some(answers_out), 0);
        Self { risk: more(risk, &table), books, intents, verdicts, answers, seq: 0 }
    }

    /// What risk says of these, asked for at one event.
    fn ask(&mut self, orders: &[Order]) -> Vec<Result<Approved<Order>, DenyReason>> {
        self.seq += 1;
        let level = |price| Level { price: Price(price), qty: Qty(1) };
        let reference = Top { bid: level(49_999), ask: level(50_001), valid: true };
        for order in orders {
            self.intents.push(Intent::new(self.seq, Action::New(*order), reference));
        }
        Stage::on_slot(&mut self.risk, self.seq, &Slot::clock(), &self.books);
        let mut said = Vec::new();
        while let Some(verdict) = self.verdicts.pop_up_to(self.seq) {
            said.push(match verdict.body {
                VerdictBody::Approved(order) => Ok(order),
                VerdictBody::Denied(_, reason) => Err(reason),
                other => panic!("{other:?}"),
            });
        }
        while self.answers.pop_up_to(self.seq).is_some() {}
        said
    }

    fn one(&mut self, order: Order) -> Result<(), DenyReason> {
        let said = self.ask(&[order]);
        assert_eq!(said.len(), 1);
        said[0].map(|_| ())
    }

    /// Whether both are approved; where not, why.
    fn pair(&mut self) -> Result<[Approved<Order>; 2], DenyReason> {
        let said = self.ask(&pair(1));
        match said[..] {
            [Ok(target), Ok(stop)] => Ok([target, stop]),
            [Err(why), Err(also)] if why == also => Err(why),
            _ => panic!("both or neither: {said:?}"),
        }
    }

    fn report(&mut self, report: &Report) {
        self.seq += 1;
        Stage::on_slot(&mut self.risk, self.seq, &Slot::report(report), &self.books);
    }

    fn end(&mut self, order: &Order) {
        self.report(&Report::of(order, ReportKind::Expired));
    }

    /// Total and locked of the base asset, in whole units.
    fn base(&self) -> (i128, i128) {
        let base = instrument().base;
        let wallet = self.risk.wallets().assets().iter().find(|a| a.asset == base).expect("it has one");
        let unit = 10i128.pow(u32::from(wallet.decimals));
        (wallet.total / unit, wallet.locked / unit)
    }
}

fn sell(id: u64, qty: i64, price: i64) -> Order {
    Order {
        id: OrderId(id << 8),
        strategy: StrategyId(0),
        instrument: InstrumentId(0),
        side: Side::Sell,
        kind: OrderKind::Limit,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(qty),
        price: Price(price),
        extras: Extras::NONE,
    }
}

/// A target and a stop, by the numbers `id` and the one after.
fn pair(id: u64) -> [Order; 2] {
    let leg = |away| Extras { other_leg: away, ..Extras::NONE };
    let target = Order { kind: OrderKind::PostOnly, extras: leg(1), ..sell(id, QTY, TARGET) };
    let extras = Extras { stop_price: Price(STOP), ..leg(-1) };
    [target, Order { kind: OrderKind::Stop, extras, ..sell(id + 1, QTY, 0) }]
}

fn wallets(table: &InstrumentTable, base: i64) -> Wallets {
    let of = instrument();
    let start = [(of.base.clone(), base), (of.quote.clone(), 0)];
    let start = start.map(|(asset, amount)| StartingBalance {
        venue: of.venue.clone(),
        market: of.market,
        asset,
        amount: amount * ONE_QUOTE,
    });
    Wallets::new(table, &start).expect("they fit")
}

#[test]
fn what_only_one_of_two_can_trade_counts_once_until_both_are_over() {
    // As much as the target and one more order of its worth come to.
    let worth = 2 * QTY * TARGET * ONE_QUOTE;
    let by_position = RiskLimits { position_notional_max: worth, ..no_limits() };
    let by_gross = RiskLimits { gross_notional_max: worth, ..no_limits() };
    for (limits, denied) in [(by_position, DenyReason::PositionLimit), (by_gross, DenyReason::GrossExposure)]
    {
        let mut rig = Rig::new(limits, |risk, _| risk);
        rig.pair().expect("both fit");
        rig.one(sell(9, QTY, TARGET)).expect("the list counts once");
        assert_eq!(rig.one(sell(10, 1, TARGET)), Err(denied), "but it counts, by the one that is worth more");
        let [target, stop] = pair(1);
        rig.end(&target);
        if denied == DenyReason::GrossExposure {
            // The stop counts for itself now, at its own price: 5,000 × 2,000 less.
            rig.one(sell(11, 200, 50_000)).expect("as much as the stop is worth less");
            assert_eq!(rig.one(sell(12, 1, TARGET)), Err(denied));
        } else {
            assert_eq!(rig.one(sell(12, 1, TARGET)), Err(denied), "the stop counts as the target did");
        }
        rig.end(&stop);
        rig.one(sell(13, 4_000, TARGET)).expect("both are over");
    }
}

#[test]
fn both_are_approved_or_neither_and_they_are_two_by_number_and_by_rate() {
    for (limits, denied) in [
        (RiskLimits { open_orders_max: 1, ..no_limits() }, DenyReason::OpenOrders),
        (RiskLimits { orders_per_second_max: 1, ..no_limits() }, DenyReason::OrderRate),
        (
            RiskLimits { order_notional_max: QTY * TARGET * ONE_QUOTE - 1, ..no_limits() },
            DenyReason::OrderTooLarge,
        ),
    ] {
        let mut rig = Rig::new(limits, |risk, _| risk);
        assert_eq!(rig.pair().map(|_| ()), Err(denied));
        rig.one(sell(9, 10, TARGET)).expect("nothing of the two is live, or counted as sent");
    }
    let two = RiskLimits { open_orders_max: 2, orders_per_second_max: 2, ..no_limits() };
    let mut rig = Rig::new(two, |risk, _| risk);
    rig.pair().expect("two are two");
    assert_eq!(rig.one(sell(9, 10, TARGET)), Err(DenyReason::OpenOrders));
}

#[test]
fn no_more_lists_are_approved_than_the_venue_takes() {
    let mut rig = Rig::new(no_limits(), |risk, table| {
        let mut filters = Filters::from(table.get(InstrumentId(0)));
        filters.counts.lists = Some(1);
        risk.with_filters(vec![filters])
    });
    rig.pair().expect("one list");
    let again = rig.ask(&pair(3));
    assert!(again.iter().all(|said| *said == Err(DenyReason::MaxNumOrderLists)), "{again:?}");
    rig.one(sell(9, 10, TARGET)).expect("an order by itself is no list");
    let [target, stop] = pair(1);
    rig.end(&stop);
    assert!(rig.ask(&pair(3)).iter().all(Result::is_err), "the target is live still");
    rig.end(&target);
    assert!(rig.ask(&pair(5)).iter().all(Result::is_ok));
}

#[test]
fn a_wallet_locks_for_the_two_what_one_of_them_needs_until_both_are_over() {
    let mut rig = Rig::new(no_limits(), |risk, table| risk.with_wallets(wallets(table, QTY)));
    assert_eq!(rig.base(), (i128::from(QTY), 0));
    rig.pair().expect("there is enough for the one that trades");
    assert_eq!(rig.base(), (i128::from(QTY), i128::from(QTY)));
    assert_eq!(rig.one(sell(9, 1, TARGET)), Err(DenyReason::InsufficientBalance));
    let [target, stop] = pair(1);
    let fill = Report {
        qty: Qty(1_000),
        price: Price(TARGET),
        fee_asset: FeeAsset::Quote,
        trade_id: 7,
        ..Report::of(&target, ReportKind::Fill)
    };
    rig.report(&fill);
    assert_eq!(rig.base(), (4_000, 4_000), "what the target sold is neither there nor locked");
    rig.end(&stop);
    assert_eq!(rig.base(), (4_000, 4_000), "the target needs the rest still");
    rig.end(&target);
    assert_eq!(rig.base(), (4_000, 0));
    rig.one(sell(9, 4_000, TARGET)).expect("all of it is free");

    // The same where the stop is what trades.
    let mut rig = Rig::new(no_limits(), |risk, table| risk.with_wallets(wallets(table, QTY)));
    rig.pair().expect("there is enough");
    rig.end(&target);
    let (price, trade_id) = (Price(STOP), 8);
    rig.report(&Report { qty: Qty(QTY), price, trade_id, ..Report::of(&stop, ReportKind::Fill) });
    assert_eq!(rig.base(), (0, 0));
}

#[test]
fn a_list_that_an_earlier_run_left_counts_and_locks_once_too() {
    let limits = RiskLimits { position_notional_max: 2 * QTY * TARGET * ONE_QUOTE, ..no_limits() };
    let orders = pair(1).map(OrderState::new).to_vec();
    let left = DeskState { orders, positions: vec![Position::default()], ..DeskState::default() };
    let mut rig = Rig::new(limits, |risk, table| {
        risk.with_wallets(wallets(table, 2 * QTY)).resuming(std::slice::from_ref(&left))
    });
    assert_eq!(rig.base(), (i128::from(2 * QTY), i128::from(QTY)));
    rig.one(sell(9, QTY, TARGET)).expect("there is as much again");
    assert_eq!(rig.one(sell(10, 1, TARGET)), Err(DenyReason::PositionLimit));
    pair(1).iter().for_each(|order| rig.end(order));
    assert_eq!(rig.base(), (i128::from(2 * QTY), i128::from(QTY)));
    rig.one(sell(11, QTY, TARGET)).expect("nothing of it counts any more");
}

#[test]
fn both_are_handed_over_or_both_come_back() {
    let mut rig = Rig::new(no_limits(), |risk, _| risk);
    let single = rig.ask(&[sell(9, 10, TARGET)])[0].expect("approved");
    let legs = rig.pair().expect("approved");
    for (slots, closed, handed, refused) in [(3, false, 3, 0), (2, false, 1, 2), (3, true, 0, 3)] {
        let poll = mio::Poll::new().expect("a poll");
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker"));
        let (sender, mut receiver) = handover(slots, waker);
        let stop = Stop::new();
        let (mut messages, messages_in) = lane("messages", 8, 8, &stop);
        let (answers_out, mut answers) = lane("answers", 8, 8, &stop);
        if closed {
            sender.closing().close();
        }
        let mut gateway = LiveGateway::new(messages_in, sender, answers_out, StampClock::new());
        for order in [single, legs[0], legs[1]] {
            let client_id = ClientOrderId::derive(1, order.get().id);
            messages.push(GatewayMessage::New { seq: 1, order, client_id });
        }
        Stage::on_slot(&mut gateway, 1, &Slot::clock(), &rig.books);
        let taken = std::iter::from_fn(|| receiver.pop()).count();
        let back: Vec<_> = std::iter::from_fn(|| answers.pop_up_to(1)).collect();
        assert_eq!((taken, back.len()), (handed, refused), "{slots} places, closed: {closed}");
        let kinds = back.iter().filter_map(|answer| answer.slot.as_report()).map(|report| report.kind);
        assert!(kinds.into_iter().all(|kind| kind == ReportKind::Rejected));
        let counts = gateway.counts();
        assert_eq!(counts.handed, handed as u64);
        assert_eq!(counts.refused_full + counts.refused_closed, refused as u64);
    }
}
