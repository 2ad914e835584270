//! However orders are asked for, no limit is exceeded at any event, by an accountant who adds everything up anew; and
//! positions and profits are the sums of their fills. What a loss or a kill stopped is asked back at every event until the
//! venue has acknowledged it, and then nothing of it is live but what waits to leave a position that nothing closes.
//!
//! Two hundred thousand intents, ten million with ALGO_TRADER_LONG_TESTS=1.

#[path = "support/accountant.rs"]
mod accountant;

use accountant::Accountant;
use algo_trader::domain::event::{Command, FeeAsset, Quote, Report, Trade};
use algo_trader::domain::order::{OrderState, ReportKind};
use algo_trader::domain::{
    DenyReason, Extras, Instrument, InstrumentId, InstrumentTable, Kill, Level, Market, Order, OrderId,
    OrderKind, Position, Price, Qty, Scope, Side, Slot, StrategyId, Time, TimeInForce,
};
use algo_trader::market::Top;
use algo_trader::market::book::BookKeeper;
use algo_trader::pipeline::{Answer, LaneReceiver, LaneSender, Stage, Stop, lane};
use algo_trader::risk::limits::{LossLimits, OwnLimits, Pace, RateLimits, ScaleLimits};
use algo_trader::risk::stage::KILL_CANCELS_PER_EVENT_MAX;
use algo_trader::risk::{RiskLimits, RiskSetup, RiskStage, Verdict, VerdictBody};
use algo_trader::strategy::desk::DeskState;
use algo_trader::strategy::{Action, Intent};
use algo_trader::venue::local::demo_instruments;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const STRATEGIES: usize = 3;
const BEGIN: u64 = 1_723_161_253_000_000_000;
const UNIT: i64 = 100_000_000;
/// Verdicts of one event at most: an intent's each, and the cancels of a kill.
const PER_EVENT: usize = 256;
/// A cancel that nobody answered is asked for again within this.
const ASKED_AGAIN_NS: u64 = 500_000_000;

/// A xorshift generator.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Five instruments with decimals of several kinds, in two markets.
fn instruments() -> Vec<Instrument> {
    let demo = demo_instruments();
    let of = |market| demo.iter().find(|i| i.market == market).expect("the demo has one").clone();
    let (spot, future) = (of(Market::Spot), of(Market::UsdM));
    let named = |from: &Instrument, symbol: &str| Instrument { symbol: symbol.into(), ..from.clone() };
    let mut fine = named(&spot, "FINEUSDT");
    (fine.price_decimals, fine.qty_decimals) = (8, 8);
    (fine.tick, fine.lot, fine.min_qty, fine.max_qty) = (Price(1), Qty(1_000), Qty(1_000), Qty(i64::MAX));
    let mut all =
        vec![spot.clone(), fine, future.clone(), named(&future, "OTHERUSDT"), named(&spot, "LASTUSDT")];
    for instrument in &mut all {
        instrument.min_notional.0 = 0;
    }
    all
}

fn limits() -> RiskLimits {
    let scale = ScaleLimits {
        long_notional_max: 40_000 * UNIT,
        short_notional_max: 30_000 * UNIT,
        gross_notional_max: 50_000 * UNIT,
        net_notional_max: 35_000 * UNIT,
        leverage_max: 90,
        share_pct_max: 60,
        open_orders_max: 24,
    };
    let pace = |second, minute, day| Pace { second, minute, day };
    let rates = RateLimits {
        orders: pace(40, 900, 60_000),
        cancels: pace(60, 1_500, 90_000),
        messages: pace(80, 2_000, 120_000),
    };
    let mut scales = [scale; 5];
    (scales[0].open_orders_max, scales[1].open_orders_max) = (8, 30);
    (scales[3].long_notional_max, scales[3].gross_notional_max) = (70_000 * UNIT, 80_000 * UNIT);
    scales[4] = ScaleLimits { open_orders_max: 60, net_notional_max: 60_000 * UNIT, ..ScaleLimits::NONE };
    RiskLimits {
        unset: false,
        capital: 100_000 * UNIT,
        order_notional_max: 12_000 * UNIT,
        order_qty_max: i64::MAX,
        position_notional_max: 25_000 * UNIT,
        gross_notional_max: 90_000 * UNIT,
        open_orders_max: 12,
        orders_per_second_max: 25,
        price_collar_bps: 300,
        mark_collar_bps: 400,
        fat_finger_multiple: 30,
        book_age_max_ns: 3_000_000_000,
        clock_lag_max_ns: 400_000_000,
        duplicate_window_ns: 200_000_000,
        quote_free_min: i64::MIN,
        scales,
        share_from: 8_000 * UNIT,
        rates,
        strategy_rates: RateLimits { orders: pace(u32::MAX, 500, 30_000), ..rates },
        order_to_trade_max: 12,
        order_to_trade_from: 50,
        same_way_max: 6,
        same_way_window_ns: 2_000_000_000,
        losses: LossLimits {
            daily_max: 250 * UNIT,
            strategy_daily_max: 120 * UNIT,
            drawdown_max: 300 * UNIT,
            strategy_drawdown_max: 150 * UNIT,
            consecutive_max: 8,
            velocity_max: 90 * UNIT,
            velocity_window_ns: 20_000_000_000,
            flatten: false,
        },
    }
}

/// An instrument whose orders may be more than those of each, and a strategy whose positions have to be smaller.
fn own_limits() -> OwnLimits {
    let [of_instruments, of_strategies, ..] = limits().scales;
    let mut own = OwnLimits { instruments: vec![None; 5], strategies: vec![None; STRATEGIES] };
    own.instruments[1] = Some(ScaleLimits { open_orders_max: 16, ..of_instruments });
    own.strategies[1] =
        Some(ScaleLimits { long_notional_max: 15_000 * UNIT, open_orders_max: 20, ..of_strategies });
    own
}

/// One risk stage, the market and the venue around it, and the accountant who looks on.
struct World {
    rng: Rng,
    table: InstrumentTable,
    books: BookKeeper,
    risk: RiskStage,
    intents: LaneSender<Intent>,
    verdicts: LaneReceiver<Verdict>,
    answers: LaneReceiver<Answer>,
    accountant: Accountant,
    mids: Vec<i64>,
    seq: u64,
    now: Time,
    orders: u64,
    trades: u64,
    asked: u64,
    denied: BTreeMap<&'static str, u64>,
    cancels: u64,
    kills_told: u64,
    /// What was stopped and live after the last event, and when a kill asked for an order back last.
    stopped: BTreeSet<OrderId>,
    asked_back: BTreeMap<OrderId, Time>,
}

impl World {
    fn new(seed: u64) -> Self {
        let table = InstrumentTable::new(instruments()).expect("five instruments");
        let stop = Stop::new();
        let (intents, intents_in) = lane("intents", 4_096, 64, &stop);
        let (verdicts_out, verdicts) = lane("verdicts", 4_096, PER_EVENT, &stop);
        let (answers_out, answers) = lane("answers", 4_096, PER_EVENT, &stop);
        let groups = vec![Some(0), None, Some(0), Some(1), Some(1)];
        let setup = RiskSetup { groups: groups.clone(), own_limits: own_limits(), ..RiskSetup::default() };
        let mut accountant = Accountant::new(&table, STRATEGIES, limits(), groups);
        accountant.own = own_limits();
        let risk =
            RiskStage::new(&table, STRATEGIES, limits(), intents_in, verdicts_out, Some(answers_out), 0)
                .with_setup(&setup);
        let mids = table.all().iter().map(|i| 100 * 10i64.pow(u32::from(i.price_decimals))).collect();
        Self {
            rng: Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            books: BookKeeper::new(table.all(), |_| false),
            accountant,
            risk,
            intents,
            verdicts,
            answers,
            mids,
            table,
            seq: 0,
            now: Time(BEGIN),
            orders: 0,
            trades: 0,
            asked: 0,
            denied: BTreeMap::new(),
            cancels: 0,
            kills_told: 0,
            stopped: BTreeSet::new(),
            asked_back: BTreeMap::new(),
        }
    }

    /// One event and what is asked for at it.
    fn step(&mut self) {
        // Each event comes when losses are to be looked at again.
        self.now.0 += match self.rng.below(400) {
            0 => 3_600_000_000_000,
            1..=4 => 4_000_000_000,
            n => 10_000_000 + n * 100_000,
        };
        let (slot, command) = self.event();
        let count = match self.rng.below(8) {
            0 => 16,
            1..=4 => 1 + self.rng.below(3),
            _ => 0,
        };
        self.happen(slot, command, count);
    }

    /// An event at the present time, with so many intents; says what a kill asked back at it.
    fn happen(&mut self, mut slot: Slot, command: Option<Command>, count: u64) -> Vec<OrderId> {
        self.accountant.now = self.now;
        self.seq += 1;
        slot.stamp(self.now, 0, 0);
        self.tell(&slot, command);
        self.accountant.look(None);
        let asked: Vec<Intent> = (0..count).map(|_| self.intent()).collect();
        for intent in &asked {
            self.intents.push(*intent);
        }
        Stage::on_slot(&mut self.risk, self.seq, &slot, &self.books);
        let swept = self.take(&asked);
        assert!(self.accountant.violations.is_empty(), "{:#?}", self.accountant.violations);
        self.assert_asked_back(&swept);
        swept
    }

    /// Whatever was stopped and live before this event and still is was asked back, at this one or not long ago.
    fn assert_asked_back(&mut self, swept: &[OrderId]) {
        let stopped: BTreeSet<OrderId> = self.accountant.stopped_and_live().collect();
        // Where losses are as near to their limit as rounding goes, risk stops earlier than the accountant does.
        self.asked_back.extend(swept.iter().map(|id| (*id, self.now)));
        // As many as an event may cause: the others follow.
        if swept.len() < KILL_CANCELS_PER_EVENT_MAX {
            for id in stopped.intersection(&self.stopped) {
                let asked = self.asked_back.get(id).map(|at| self.now.since(*at));
                assert!(asked.is_some_and(|ago| ago < ASKED_AGAIN_NS), "{id:?} was asked back {asked:?} ago");
            }
        }
        self.stopped = stopped;
    }

    /// Kills `scope`, and lets the venue answer until nothing is asked back any more: some cancels it refuses at first, of
    /// some it never hears. Says how many orders were stopped.
    fn kill_and_settle(&mut self, scope: Scope, flatten: bool) -> usize {
        self.now.0 += 20_000_000;
        let kill = Command::Kill(Kill { scope, cause: DenyReason::Killed, flatten, carried: false });
        let mut outstanding = VecDeque::from(self.happen(Slot::command(kill), Some(kill), 0));
        let stopped = self.accountant.stopped_and_live().count();
        let mut silent = 0;
        // A cancel is heard of half of the time; those that are not are asked for again after half a second.
        while silent < 3 {
            let Some(id) = outstanding.pop_front() else {
                self.now.0 += ASKED_AGAIN_NS + 20_000_000;
                outstanding.extend(self.happen(Slot::clock(), None, 0));
                silent = if outstanding.is_empty() { silent + 1 } else { 0 };
                continue;
            };
            let live = self.accountant.live.iter().find(|live| live.order.id == id);
            let (Some(order), 1..) = (live.map(|live| live.order), self.rng.below(4)) else { continue };
            let kind = if self.rng.one_in(3) { ReportKind::CancelRejected } else { ReportKind::Canceled };
            self.now.0 += 11_000_000;
            let report = Slot::report(&Report::of(&order, kind));
            outstanding.extend(self.happen(report, None, 0));
        }
        stopped
    }

    fn instrument(&mut self) -> InstrumentId {
        InstrumentId(self.rng.below(self.table.len() as u64) as u16)
    }

    fn top(&mut self, instrument: InstrumentId) -> Top {
        let mid = self.mids[instrument.index()];
        let half = (mid / 5_000).max(1);
        let qty = 10i64.pow(u32::from(self.table.get(instrument).qty_decimals));
        Top {
            bid: Level::new(mid - half, qty),
            ask: Level::new(mid + half, qty),
            valid: !self.rng.one_in(50),
        }
    }

    fn event(&mut self) -> (Slot, Option<Command>) {
        let instrument = self.instrument();
        let at = instrument.index();
        let step = (self.mids[at] / 400).max(1);
        let drift = self.rng.below(2 * step as u64 + 1) as i64 - step;
        match self.rng.below(20) {
            0..=5 => {
                self.mids[at] = (self.mids[at] + drift).max(step * 40);
                let top = self.top(instrument);
                let quote = Quote { instrument, bid: top.bid, ask: top.ask, update_id: self.seq };
                (Slot::quote(&quote), None)
            }
            6..=9 => {
                let late = if self.rng.one_in(60) { 900_000_000 } else { self.rng.below(300_000_000) };
                let trade = Trade {
                    instrument,
                    price: Price(self.mids[at] + drift / 4),
                    qty: Qty(1),
                    id: self.seq,
                    venue_time: Time(self.now.0 - late),
                    aggressor: Side::Buy,
                    aggregate: false,
                };
                (Slot::trade(&trade), None)
            }
            10..=17 => (self.report().map_or_else(Slot::clock, |report| Slot::report(&report)), None),
            18 if self.rng.one_in(30) => {
                let command = self.command();
                (Slot::command(command), Some(command))
            }
            _ => (Slot::clock(), None),
        }
    }

    fn command(&mut self) -> Command {
        let scope = match self.rng.below(4) {
            0 | 1 => Scope::All,
            2 => Scope::Strategy(StrategyId(self.rng.below(STRATEGIES as u64) as u8)),
            _ => Scope::Instrument(self.instrument()),
        };
        // Released more often than killed: what is stopped for ever tests little.
        if self.rng.below(4) > 0 {
            return Command::Release(scope);
        }
        Command::Kill(Kill {
            scope,
            cause: DenyReason::Killed,
            flatten: self.seq.is_multiple_of(3),
            carried: false,
        })
    }

    /// What the venue says of one of the orders; of some it never says anything.
    fn report(&mut self) -> Option<Report> {
        let count = self.accountant.live.len() as u64;
        let live = self.accountant.live.get(self.rng.below(count.max(1)) as usize)?;
        let (order, filled) = (live.order, live.filled);
        if order.id.0.is_multiple_of(17) && !self.rng.one_in(40) {
            return None;
        }
        let (kind, qty) = match self.rng.below(12) {
            0 | 1 => (ReportKind::Accepted, 0),
            2 => (ReportKind::Rejected, 0),
            3 | 4 => (ReportKind::Canceled, 0),
            5 => (ReportKind::CancelRejected, 0),
            6 => (ReportKind::Fill, [0, -5, i64::MAX, order.qty.0 - filled + 1][self.rng.below(4) as usize]),
            7..=9 => (ReportKind::Fill, order.qty.0 - filled),
            _ => (ReportKind::Fill, 1 + self.rng.below((order.qty.0 - filled) as u64) as i64),
        };
        let mid = self.mids[order.instrument.index()];
        // What lies far from the market rests.
        let near = order.kind.has_limit().then(|| order.price.0.abs_diff(mid) < mid.unsigned_abs() / 2);
        let (kind, qty) = if near == Some(false) && kind == ReportKind::Fill {
            (ReportKind::Accepted, 0)
        } else {
            (kind, qty)
        };
        let price = if order.kind.has_limit() { order.price.0 } else { mid };
        // Now and then the same trade is told again.
        self.trades += u64::from(!self.rng.one_in(10));
        let value = i128::from(price) * i128::from(qty.max(0));
        let decimals = u32::from(self.table.get(order.instrument).notional_decimals());
        let fee = (value / 10i128.pow(decimals) * i128::from(UNIT) / 1_000).clamp(0, 1 << 40) as i64;
        Some(Report {
            instrument: order.instrument,
            order: order.id,
            strategy: order.strategy,
            side: order.side,
            kind,
            qty: Qty(qty),
            price: Price(price),
            fee: fee - fee % 7,
            fee_asset: FeeAsset::Quote,
            trade_id: self.trades,
            maker: false,
        })
    }

    fn tell(&mut self, slot: &Slot, command: Option<Command>) {
        let instrument = slot.instrument();
        if let Some(quote) = slot.as_quote() {
            let mid = quote.bid.price.0 + (quote.ask.price.0 - quote.bid.price.0) / 2;
            self.accountant.quote(instrument, mid);
        } else if let Some(trade) = slot.as_trade() {
            self.accountant.trade(instrument, trade.price.0, trade.venue_time);
        } else if let Some(report) = slot.as_report() {
            self.accountant.report(&report);
        }
        match command {
            Some(Command::Kill(kill)) => self.accountant.kill(&kill),
            Some(Command::Release(scope)) => self.accountant.release(scope),
            _ => {}
        }
    }

    fn intent(&mut self) -> Intent {
        self.asked += 1;
        let instrument = self.instrument();
        let strategy = StrategyId(self.rng.below(STRATEGIES as u64) as u8);
        let reference = self.top(instrument);
        let live = self.accountant.live.len() as u64;
        if live > 0 && self.rng.one_in(6) {
            let order = self.accountant.live[self.rng.below(live) as usize].order;
            let action =
                Action::Cancel { order: order.id, strategy: order.strategy, instrument: order.instrument };
            return Intent::new(self.seq, action, reference);
        }
        self.orders += 1;
        let i = self.table.get(instrument).clone();
        let mid = self.mids[instrument.index()];
        let side = if self.rng.one_in(2) { Side::Buy } else { Side::Sell };
        let kind =
            OrderKind::from_code([0, 1, 1, 1, 2, 3, 4, 5, 6][self.rng.below(9) as usize]).expect("a kind");
        let reduce_only = self.rng.one_in(5);
        // Worth some 2,000 of the quote asset at most, but for what is out of all bounds.
        let one = 10i64.pow(u32::from(i.qty_decimals));
        let usual = one * (1 + self.rng.below(200) as i64) / 10;
        let held = self.accountant.cell(strategy.index(), instrument.index()).0.unsigned_abs() as i64;
        let qty = match self.rng.below(40) {
            0 => 0,
            1 => -usual,
            2 => i64::MAX,
            3 => 1,
            4 => i64::MIN,
            5 => usual * 100,
            6 => usual.saturating_mul(1_000_000),
            _ if reduce_only => held,
            _ => usual,
        };
        let qty = if self.rng.one_in(30) { qty } else { qty - qty % i.lot.0.max(1) };
        let far = mid / if self.rng.one_in(5) { 20 } else { 100 };
        let price = match self.rng.below(60) {
            0 => 0,
            1 => -mid,
            2 => i64::MAX,
            3 => i64::MIN,
            4 => mid.saturating_mul(1_000),
            _ => mid + self.rng.below(2 * far as u64 + 1) as i64 - far,
        };
        let price = if self.rng.one_in(30) { price } else { price - price % i.tick.0.max(1) };
        let stop_price =
            if kind.is_conditional() { Price(mid + self.rng.below(far as u64 + 1) as i64) } else { Price(0) };
        let order = Order {
            id: OrderId(self.orders),
            strategy,
            instrument,
            side,
            kind,
            tif: TimeInForce::Gtc,
            reduce_only,
            qty: Qty(qty),
            price: if kind.has_limit() { Price(price) } else { Price(0) },
            extras: Extras { stop_price, ..Extras::NONE },
        };
        Intent::new(self.seq, Action::New(order), reference)
    }

    /// Takes what risk said, in order: of each intent, and the cancels of what is stopped, which are handed out.
    fn take(&mut self, asked: &[Intent]) -> Vec<OrderId> {
        let mut asked = asked.iter();
        let mut swept = Vec::new();
        while let Some(Verdict { body, .. }) = self.verdicts.pop_up_to(self.seq) {
            match body {
                VerdictBody::Approved(approved) => {
                    let intent = asked.next().expect("a verdict is of an intent");
                    let order = *approved.get();
                    assert_eq!(intent.new_order(), Some(&order));
                    self.accountant.asked(&order, &intent.reference);
                    self.accountant.approve(&order, &intent.reference);
                }
                VerdictBody::Denied(order, reason) => {
                    let intent = asked.next().expect("a verdict is of an intent");
                    assert_eq!(intent.new_order(), Some(&order));
                    self.accountant.asked(&order, &intent.reference);
                    *self.denied.entry(reason.label()).or_default() += 1;
                }
                VerdictBody::Cancel { order, strategy, .. } => {
                    // One that was asked for, or, once all that was asked for is answered, one that a kill causes.
                    if let Some(Intent { action: Action::Cancel { .. }, .. }) = asked.as_slice().first() {
                        asked.next();
                    } else {
                        swept.push(order);
                        self.cancels += 1;
                    }
                    self.accountant.cancel(strategy);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(asked.len(), 0, "every intent has its verdict");
        while let Some(answer) = self.answers.pop_up_to(self.seq) {
            self.kills_told +=
                u64::from(matches!(answer.slot.event(), algo_trader::domain::Event::Command(_)));
        }
        swept
    }
}

/// Positions are the sums of fills, and profit is what was got less what was paid and the worth of what is held.
fn assert_booked(world: &World) {
    for s in 0..STRATEGIES {
        for i in 0..world.table.len() {
            let position = world.risk.position(StrategyId(s as u8), InstrumentId(i as u16));
            let (qty, cash, fees) = world.accountant.cell(s, i);
            assert_eq!(i128::from(position.qty.0), qty);
            assert_eq!(position.realised.0, position.cost.0 - cash, "to the last digit");
            assert_eq!(i128::from(position.fees), fees);
        }
    }
    assert_eq!(world.risk.profit(), world.accountant.profit_rounded());
}

#[test]
fn no_limit_is_exceeded_at_any_event_and_every_fill_is_booked() {
    let long = std::env::var("ALGO_TRADER_LONG_TESTS").is_ok_and(|v| v == "1");
    let (seeds, each) = if long { (20, 500_000) } else { (4, 50_000) };
    let (mut asked, mut approved, mut denied) = (0, 0, BTreeMap::<&str, u64>::new());
    let (mut fills, mut latched, mut cancels, mut told) = (0, 0, 0, 0);
    let (mut taken_back, mut spared, mut by_own) = ([0; 3], 0, 0);
    for seed in 1..=seeds {
        let mut world = World::new(seed);
        let mut steps = 0u64;
        while world.asked < each {
            world.step();
            steps += 1;
            if steps.is_multiple_of(1_000) {
                assert_booked(&world);
            }
        }
        assert_booked(&world);
        let scopes = [Scope::Strategy(StrategyId(1)), Scope::Instrument(InstrumentId(2)), Scope::All];
        for (taken, scope) in taken_back.iter_mut().zip(scopes) {
            let release = Command::Release(Scope::All);
            world.now.0 += 20_000_000;
            world.happen(Slot::command(release), Some(release), 0);
            for _ in 0..200 {
                world.step();
            }
            // Who closes what they stopped takes back what was left to leave with, too.
            for flatten in [false, true] {
                let stopped = world.kill_and_settle(scope, flatten);
                *if flatten { &mut spared } else { &mut *taken } += stopped;
                let left: Vec<OrderId> = world.accountant.stopped_and_live().collect();
                assert!(
                    left.is_empty(),
                    "{left:?} are live although {scope} is killed and every cancel answered"
                );
                assert!(!flatten || world.accountant.spared() == 0);
            }
        }
        assert_booked(&world);
        asked += world.asked;
        approved += world.accountant.approved;
        by_own += world.accountant.approved_by_own;
        latched += world.accountant.latched;
        cancels += world.cancels;
        told += world.kills_told;
        fills += (0..STRATEGIES)
            .flat_map(|s| (0..world.table.len()).map(move |i| (s, i)))
            .map(|(s, i)| world.risk.position(StrategyId(s as u8), InstrumentId(i as u16)).fills)
            .sum::<u64>();
        for (reason, count) in world.denied {
            *denied.entry(reason).or_default() += count;
        }
    }
    println!(
        "{asked} intents, {approved} approved, {fills} fills, {latched} latched by losses, {told} told, {cancels} cancels of kills"
    );
    for (reason, count) in &denied {
        println!("  {count:>9} {reason}");
    }
    assert!(approved > asked / 200 && fills > approved / 10 && latched > 0 && cancels > 0 && told > 0);
    println!(
        "  taken back of a strategy, an instrument, everything: {taken_back:?}; where it is closed: {spared}"
    );
    println!("  {by_own} orders approved by an instrument's own limit, over that of each");
    assert!(by_own > 0);
    assert!(taken_back.iter().all(|taken| *taken > 0) && spared > 0, "{taken_back:?} {spared}");
    assert!(denied.len() > 25, "the histories meet most limits: {denied:?}");
}

#[test]
fn a_run_of_trades_is_taken_only_where_no_price_in_it_and_no_loss_elsewhere_can_stop_anything() {
    let table = InstrumentTable::new(instruments()).expect("five instruments");
    let books = BookKeeper::new(table.all(), |_| false);
    let (held, other) = (InstrumentId(0), InstrumentId(1));
    let mut position = Position::default();
    position.apply(Side::Buy, Qty(1_000), Price(10_000), 0);
    let positions = vec![position];
    let desk = DeskState { positions, ..DeskState::default() };
    let bid = Level::new(9_000, 5);
    let quote = Slot::quote(&Quote { instrument: held, bid, ask: Level::new(9_002, 5), update_id: 1 });
    for (daily_max, limited) in [(UNIT, true), (i64::MAX, false)] {
        let stop = Stop::new();
        let ((_asks, asked), (verdicts, _told)) =
            (lane("intents", 8, 8, &stop), lane("verdicts", 8, 8, &stop));
        let losses = LossLimits { daily_max, ..LossLimits::NONE };
        let limits = RiskLimits { losses, ..RiskLimits::NONE };
        let mut risk =
            RiskStage::new(&table, 1, limits, asked, verdicts, None, 0).resuming(std::slice::from_ref(&desk));
        let mut calm_after = |seq: u64, mut slot: Slot, ns: u64| {
            slot.stamp(Time(BEGIN + ns), 0, 0);
            Stage::on_slot(&mut risk, seq, &slot, &books);
            let calm = |of| Stage::<BookKeeper>::is_calm_in_trades(&risk, of);
            (calm(held), calm(other))
        };
        assert_eq!(calm_after(1, Slot::clock(), 0), (!limited, true), "what is held moves what is lost");
        // Losses are not looked at again so soon: whatever comes next may find one over its limit.
        assert_eq!(calm_after(2, quote, 1), (!limited, !limited));
        assert_eq!(calm_after(3, Slot::clock(), 1_000_000_000), (!limited, true));
    }
}

#[test]
fn what_waits_at_the_venue_to_leave_stays_with_all_of_its_list_until_a_kill_closes() {
    use OrderKind::{Limit, PostOnly, Stop as Stopping, StopLimit, TakeProfit};
    let table = InstrumentTable::new(instruments()).expect("five instruments");
    let books = BookKeeper::new(table.all(), |_| false);
    let held = InstrumentId(1);
    let lot = table.get(held).lot.0;
    let order = |n: u64, kind: OrderKind, reduce_only, other_leg| Order {
        id: OrderId(n << 8),
        strategy: StrategyId(0),
        instrument: held,
        side: Side::Sell,
        kind,
        tif: TimeInForce::Gtc,
        reduce_only,
        qty: Qty(lot),
        price: if kind.has_limit() { Price(10_000_000_000) } else { Price(0) },
        extras: Extras {
            stop_price: if kind.is_conditional() { Price(9_000_000_000) } else { Price(0) },
            other_leg,
            ..Extras::NONE
        },
    };
    let waits = [(Stopping, 0), (StopLimit, 0), (TakeProfit, 0), (PostOnly, 1), (Stopping, -1)];
    let waits = (1..).zip(waits).map(|(n, (kind, leg))| order(n, kind, true, leg));
    // Who trades by them is stopped: what rests, and what waits to hold more.
    let trades = [order(6, Limit, true, 0), order(7, Stopping, false, 0), order(8, PostOnly, false, 0)];
    let mut position = Position::default();
    position.apply(Side::Buy, Qty(lot * 100), Price(10_000_000_000), 0);
    let orders: Vec<OrderState> = waits.clone().chain(trades).map(OrderState::new).collect();
    let desk = DeskState { positions: vec![Position::default(), position], orders, ..DeskState::default() };
    let stop = Stop::new();
    let ((mut asks, asked), (verdicts, mut told)) =
        (lane("intents", 8, 8, &stop), lane("verdicts", PER_EVENT, PER_EVENT, &stop));
    let limits = RiskLimits::NONE;
    let mut risk =
        RiskStage::new(&table, 1, limits, asked, verdicts, None, 0).resuming(std::slice::from_ref(&desk));
    let mut seq = 0;
    // What is taken back at an event, and whether what is asked for at it goes out.
    let mut event = |mut slot: Slot, new: Option<Order>| {
        seq += 1;
        slot.stamp(Time(BEGIN + seq * 1_000_000_000), 0, 0);
        let top = Top { bid: Level::new(10_000_000_000, 5), ask: Level::new(10_000_000_001, 5), valid: true };
        new.iter().for_each(|order| asks.push(Intent::new(seq, Action::New(*order), top)));
        Stage::on_slot(&mut risk, seq, &slot, &books);
        let (mut cancels, mut approved) = (Vec::new(), None);
        while let Some(Verdict { body, .. }) = told.pop_up_to(seq) {
            match body {
                VerdictBody::Cancel { order, .. } => cancels.push(order.0 >> 8),
                VerdictBody::Approved(_) => approved = Some(true),
                VerdictBody::Denied(_, reason) => {
                    assert_eq!(reason, DenyReason::Killed);
                    approved = Some(false);
                }
                other => panic!("{other:?}"),
            }
        }
        (cancels, approved)
    };
    let kill = |flatten| {
        Slot::command(Command::Kill(Kill {
            scope: Scope::All,
            cause: DenyReason::Killed,
            flatten,
            carried: false,
        }))
    };
    assert_eq!(event(kill(false), None).0, [6, 7, 8]);
    // What was asked for and not heard of is asked for again, and nothing else.
    assert_eq!(event(Slot::clock(), Some(order(9, Stopping, true, 0))), (vec![6, 7, 8], Some(true)));
    assert_eq!(event(Slot::clock(), Some(order(10, Limit, true, 0))).1, Some(false));
    assert_eq!(event(Slot::clock(), Some(order(11, Stopping, false, 0))).1, Some(false));
    assert_eq!(event(kill(true), None).0, [1, 2, 3, 4, 5, 6, 7, 8, 9], "what closes needs all of it free");
    assert_eq!(event(Slot::clock(), Some(order(12, Stopping, true, 0))).1, Some(false));
}
