//! The order manager against a naive one: random requests on a random market, with risk and execution behind it and a
//! venue that fills in parts, cancels late and refuses now and then.

use algo_trader::domain::event::{Command, Denial, Event, Report, Rules, Trade};
use algo_trader::domain::order::{OrderState, ReportKind};
use algo_trader::domain::{
    DenyReason, Extras, Instrument, InstrumentId, InstrumentTable, Kill, Level, Market, Notional, Order,
    OrderId, OrderKind, OrderStatus, PausedBy, PlaceError, Price, Qty, Scope, Side, Slot, StrategyId, Time,
    TimeInForce,
};
use algo_trader::execution::{ExecutionStage, GatewayMessage, Record, RecordKind};
use algo_trader::journal::{Entry, JournalHeader, JournalReader, JournalStrategy, Recovery, recover};
use algo_trader::market::book::BookKeeper;
use algo_trader::market::message::MarketBody;
use algo_trader::market::{MarketMessage, Top};
use algo_trader::pipeline::{Answer, LaneReceiver, LaneSender, Stage, Stop, Threading, lane};
use algo_trader::risk::{RiskLimits, RiskStage, Verdict, VerdictBody};
use algo_trader::run::{Summary, replay_frames};
use algo_trader::strategy::desk::{Desk, DeskState};
use algo_trader::strategy::stage::Seat;
use algo_trader::strategy::{Action, BUILT_IN, Context, Intent, Strategy, StrategyStage};
use algo_trader::venue::binance::filters::Filters;
use algo_trader::venue::local::demo_instruments;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[path = "support/everything.rs"]
mod everything;
#[path = "support/naive_manager.rs"]
mod naive;
#[path = "support/pipeline.rs"]
mod support;
use naive::{Fact, How, Trigger};

/// Only bought to hold, each entry protected.
const HELD: InstrumentId = InstrumentId(0);
/// Stops, pairs, icebergs.
const OTHER: InstrumentId = InstrumentId(1);
const LOT: i64 = 100_000;
/// What the venue takes of [`OTHER`] at the market at once, in one history of four.
const AT_MARKET_MAX: Qty = Qty(LOT * 6);

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn within(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low) as u64) as i64
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What the strategy asked for, besides what intents say.
#[derive(Debug, Default)]
struct Asked {
    waits: Vec<(OrderId, InstrumentId, Trigger)>,
    pairs: Vec<(OrderId, OrderId, i64)>,
    deadlines: Vec<(OrderId, Time)>,
    /// Orders that traded after their end.
    late: BTreeSet<OrderId>,
    ended: BTreeMap<OrderId, OrderStatus>,
    fills: Vec<(OrderId, Side, Qty)>,
    /// How much was asked for of what waits and only reduces.
    reducing: BTreeMap<OrderId, Qty>,
}

struct Dice {
    rng: Rng,
    asked: Arc<Mutex<Asked>>,
}

impl Dice {
    fn act(&mut self, ctx: &mut Context<'_>, top: &Top) {
        let mut asked = self.asked.lock().expect("no panic holds it");
        let rng = &mut self.rng;
        let qty = Qty(LOT * rng.within(1, 20));
        let mid = top.mid().0;
        let soon = ctx.now().plus(Duration::from_millis(rng.below(400) + 1));
        let near = |rng: &mut Rng| Price(mid + rng.within(-12, 13));
        let waits = |asked: &mut Asked, id, above, how| asked.waits.push((id, OTHER, Trigger { above, how }));
        match rng.below(12) {
            0..=2 => {
                let (stop, target) = (Price(mid - rng.within(2, 15)), Price(mid + rng.within(2, 15)));
                let bracket = ctx.bracket(HELD, Side::Buy, qty).stop_at(stop);
                let bracket = match rng.below(3) {
                    0 => bracket.at_market().take_profit_at(target),
                    1 => bracket.at_limit(Price(mid - rng.within(-3, 4))).trail_by_bps(3),
                    _ => bracket.at_limit(Price(mid)).trail_by(Price(9)).enter_by(soon),
                };
                let _ = bracket.send();
            }
            3 => {
                let held = ctx.position(HELD).qty.0;
                if held > LOT {
                    let _ = ctx.sell(HELD, Qty(held / 2 / LOT * LOT)).at_market().reduce_only().send();
                }
            }
            4 => {
                let ids: Vec<_> = ctx.protections().iter().map(|p| p.entry).collect();
                if let Some(id) = ids.get(rng.below(8) as usize) {
                    let _ = ctx.protect(*id).stop_at(Price(mid - rng.within(1, 9))).arm();
                }
            }
            5 => {
                let buy = rng.one_in(2);
                let price = near(rng);
                let order = if buy { ctx.buy(OTHER, qty) } else { ctx.sell(OTHER, qty) };
                let reduces = rng.one_in(3);
                let order = if reduces { order.reduce_only() } else { order };
                let (order, above, how) = match rng.below(4) {
                    0 => (order.stop_at(price), buy, How::At(price.0)),
                    1 => (order.take_profit_at(price), !buy, How::At(price.0)),
                    2 => (order.stop_limit(price, Price(price.0 + 2)), buy, How::At(price.0)),
                    _ => (order.take_profit_limit(price, price), !buy, How::At(price.0)),
                };
                if let Ok(id) = order.send() {
                    waits(&mut asked, id, above, how);
                    if reduces {
                        asked.reducing.insert(id, qty);
                    }
                }
            }
            6 => {
                let (bps, distance) = (rng.within(1, 5) as u16, rng.within(1, 12));
                if let Ok(id) = ctx.sell(OTHER, qty).trail_by_bps(bps).send() {
                    waits(&mut asked, id, false, How::Bps(bps.into()));
                }
                if let Ok(id) = ctx.buy(OTHER, qty).trail_by(Price(distance)).send() {
                    waits(&mut asked, id, true, How::Distance(distance));
                }
            }
            7 | 8 => {
                let (stop, target) = (Price(mid - rng.within(2, 9)), Price(mid + rng.within(2, 9)));
                let one = if rng.one_in(3) {
                    let id = ctx.sell(OTHER, qty).take_profit_at(target).send();
                    id.inspect(|id| waits(&mut asked, *id, true, How::At(target.0)))
                } else {
                    ctx.sell(OTHER, qty).at_limit(target).send()
                };
                let other = ctx.sell(OTHER, qty).stop_at(stop).send();
                if let (Ok(one), Ok(other)) = (one, other) {
                    waits(&mut asked, other, false, How::At(stop.0));
                    if ctx.one_cancels_other(one, other).is_ok() {
                        asked.pairs.push((one, other, qty.0));
                    }
                }
            }
            9 => {
                let order = ctx.buy(OTHER, Qty(LOT * 20)).at_limit(near(rng)).iceberg(Qty(LOT * 3));
                let _ = order.send();
            }
            10 => {
                if let Ok(id) = ctx.buy(OTHER, qty).at_limit(near(rng)).good_till(soon).send() {
                    asked.deadlines.push((id, soon));
                }
            }
            _ => {
                let of = if rng.one_in(3) { HELD } else { OTHER };
                let ids: Vec<_> = ctx.open_orders(of).map(|o| o.order.id).collect();
                if !ids.is_empty() {
                    let _ = ctx.cancel(ids[rng.below(ids.len() as u64) as usize]);
                }
            }
        }
    }
}

impl Strategy for Dice {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        if top.is_two_sided() && self.rng.one_in(3) {
            self.act(ctx, top);
        }
    }
    fn on_fill(&mut self, _ctx: &mut Context<'_>, fill: &Report) {
        self.asked.lock().expect("no panic holds it").fills.push((fill.order, fill.side, fill.qty));
    }
    fn on_order(&mut self, _ctx: &mut Context<'_>, order: &OrderState, _denied: Option<DenyReason>) {
        if order.status.is_final() {
            let mut asked = self.asked.lock().expect("no panic holds it");
            let before = asked.ended.insert(order.order.id, order.status);
            let is_late = asked.late.contains(&order.order.id);
            assert!(before.is_none() || is_late, "an order ends once");
        }
    }
}

const BEGIN: u64 = 1_723_161_253_000_000_000;

/// An order at the venue.
struct AtVenue {
    order: Order,
    left: i64,
    cancel: bool,
}

struct World {
    rng: Rng,
    strategy: StrategyStage,
    risk: RiskStage,
    execution: ExecutionStage,
    books: BookKeeper,
    market: LaneSender<MarketMessage>,
    records: LaneReceiver<Record>,
    gateway: LaneReceiver<GatewayMessage>,
    denials: LaneReceiver<Answer>,
    asked: Arc<Mutex<Asked>>,
    venue: Vec<AtVenue>,
    reports: Vec<Slot>,
    /// Entries that are over, of which a trade may be told yet, with what they have left.
    over: Vec<(Order, i64)>,
    late: u64,
    history: Vec<Fact>,
    recovery: Recovery,
    instruments: Vec<Instrument>,
    mid: i64,
    top: Top,
    paused: [bool; 2],
    killed: bool,
    /// Whether its dice throw kills, how many there were, and how many orders that waited they ended.
    with_kills: bool,
    kills: u64,
    ended_by_kills: u64,
    trades: u64,
    seq: u64,
    now: Time,
    venue_fills: BTreeMap<OrderId, i64>,
    exits: u64,
    triggered: u64,
    pairs_filled: u64,
    parts: u64,
    split: u64,
    cut: u64,
    due_now: Vec<OrderId>,
    excused: BTreeSet<OrderId>,
    records_now: usize,
    touched: bool,
    changed_now: BTreeSet<OrderId>,
}

impl World {
    fn new(seed: u64) -> Self {
        let asked = Arc::new(Mutex::new(Asked::default()));
        let dice = Dice { rng: Rng(seed | 1), asked: Arc::clone(&asked) };
        Self::of(seed, Box::new(dice), asked)
    }

    fn of(seed: u64, strategy: Box<dyn Strategy>, asked: Arc<Mutex<Asked>>) -> Self {
        let future = demo_instruments().into_iter().find(|i| i.market == Market::UsdM).expect("a future");
        let mut instruments = vec![future.clone(), future];
        instruments[1].symbol = "OTHERUSDT".into();
        for i in &mut instruments {
            (i.tick, i.lot, i.min_qty) = (Price(1), Qty(LOT), Qty(LOT));
            i.max_qty = Qty(i64::MAX);
            i.min_notional = Notional(0);
        }
        let table = InstrumentTable::new(instruments.clone()).expect("two instruments");
        let stop = Stop::new();
        let (market, market_in) = lane("market", 64, 4, &stop);
        let (intents, intents_in) = lane("intents", 512, 16, &stop);
        let (verdicts, verdicts_in) = lane("verdicts", 512, 128, &stop);
        let (records_out, records) = lane("records", 512, 16, &stop);
        let (gateway_out, gateway) = lane("gateway", 512, 16, &stop);
        let (denials_out, denials) = lane("denials", 512, 16, &stop);
        let seat = Seat {
            label: "dice".into(),
            spec: &BUILT_IN[0],
            instruments: vec![HELD, OTHER],
            strategy,
            desk: Desk::new(StrategyId(0), 2),
            wants_book: false,
            panicked: std::cell::Cell::new(false),
        };
        let limits = RiskLimits {
            order_notional_max: i64::MAX,
            position_notional_max: i64::MAX,
            gross_notional_max: i64::MAX,
            open_orders_max: 60,
            orders_per_second_max: 200,
            price_collar_bps: 5_000,
            ..RiskLimits::NONE
        };
        let market_max = if seed.is_multiple_of(4) { AT_MARKET_MAX } else { Qty(i64::MAX) };
        let header = JournalHeader {
            instruments: instruments.clone(),
            strategies: vec![JournalStrategy {
                label: "dice".into(),
                name: "dice".into(),
                instruments: vec![HELD, OTHER],
            }],
            ..JournalHeader::default()
        };
        Self {
            rng: Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            strategy: StrategyStage::new(&table, vec![seat], 0, market_in, intents)
                .with_market_max(vec![Qty(i64::MAX), market_max]),
            risk: RiskStage::new(&table, 1, limits, intents_in, verdicts, Some(denials_out), 0),
            execution: ExecutionStage::new(&table, 1, 1, verdicts_in, records_out, gateway_out),
            books: BookKeeper::new(table.all(), |_| false),
            market,
            records,
            gateway,
            denials,
            asked,
            venue: Vec::new(),
            reports: Vec::new(),
            over: Vec::new(),
            late: 0,
            history: Vec::new(),
            recovery: Recovery::new(&header),
            instruments,
            mid: 50_000,
            top: Top::default(),
            paused: [false; 2],
            killed: false,
            with_kills: seed.is_multiple_of(2),
            kills: 0,
            ended_by_kills: 0,
            trades: 0,
            seq: 0,
            now: Time(BEGIN),
            venue_fills: BTreeMap::new(),
            exits: 0,
            triggered: 0,
            pairs_filled: 0,
            parts: 0,
            split: 0,
            cut: 0,
            due_now: Vec::new(),
            excused: BTreeSet::new(),
            records_now: 0,
            touched: false,
            changed_now: BTreeSet::new(),
        }
    }

    fn desk(&self) -> &DeskState {
        &self.strategy.seats()[0].desk.state
    }

    /// The next event of a random market or of the venue.
    fn next_slot(&mut self) -> Slot {
        if !self.reports.is_empty() && self.rng.one_in(2) {
            return self.reports.remove(0);
        }
        if self.rng.one_in(3) && self.venue_moves() {
            return self.reports.remove(0);
        }
        let instrument = if self.rng.one_in(2) { HELD } else { OTHER };
        // Now and then a gap.
        let step = if self.rng.one_in(60) { 40 } else { 3 };
        self.mid = (self.mid + self.rng.within(-step, step + 1)).clamp(49_500, 50_500);
        if self.killed && self.rng.one_in(12) {
            return self.switch();
        }
        match self.rng.below(80) {
            1 if self.with_kills && !self.killed => self.switch(),
            0 => {
                let index = instrument.index();
                self.paused[index] ^= true;
                let command = if self.paused[index] { Command::Pause } else { Command::Unpause };
                Slot::command(command(instrument, PausedBy::Operator))
            }
            1 => Slot::clock(),
            2..=40 => self.trade(instrument, self.mid),
            other => self.quote(self.mid, other > 44),
        }
    }

    /// Kills everything, or lets it go.
    fn switch(&mut self) -> Slot {
        self.killed ^= true;
        let kill = Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: false, carried: false };
        Slot::command(if self.killed { Command::Kill(kill) } else { Command::Release(Scope::All) })
    }

    /// A top of both instruments about this price, with which a clock event comes.
    fn quote(&mut self, mid: i64, valid: bool) -> Slot {
        let level = |price| Level { price: Price(price), qty: Qty(LOT) };
        self.top = Top { bid: level(mid - 1), ask: level(mid + 1), valid };
        for instrument in [HELD, OTHER] {
            let body = MarketBody::Top(instrument, self.top);
            self.market.push(MarketMessage { seq: self.seq + 1, body });
        }
        self.touched = self.top.is_two_sided();
        Slot::clock()
    }

    fn trade(&self, instrument: InstrumentId, price: i64) -> Slot {
        Slot::trade(&Trade {
            instrument,
            price: Price(price),
            qty: Qty(LOT),
            id: self.seq,
            venue_time: self.now,
            aggressor: Side::Buy,
            aggregate: false,
        })
    }

    /// The venue does something with one of its orders.
    fn venue_moves(&mut self) -> bool {
        if !self.over.is_empty() && self.rng.one_in(10) {
            return self.tell_late();
        }
        if self.venue.is_empty() {
            return false;
        }
        let index = self.rng.below(self.venue.len() as u64) as usize;
        let at = &mut self.venue[index];
        let market = at.order.kind == OrderKind::Market;
        let (kind, qty) = match self.rng.below(if market { 4 } else { 9 }) {
            0 => (ReportKind::Accepted, 0),
            1 if self.rng.one_in(6) => (ReportKind::Rejected, 0),
            1 if self.rng.one_in(4) => (ReportKind::Expired, 0),
            1 | 2 => (ReportKind::Fill, LOT * self.rng.within(1, at.left / LOT + 1)),
            3 => (ReportKind::Fill, at.left),
            _ if at.cancel => (ReportKind::Canceled, 0),
            _ => return false,
        };
        at.left -= qty;
        self.trades += 1;
        let order = at.order;
        *self.venue_fills.entry(order.id).or_default() += qty;
        let over = at.left == 0 || !matches!(kind, ReportKind::Accepted | ReportKind::Fill);
        if over {
            let left = self.venue.remove(index).left;
            if left > 0 && order.instrument == HELD && order.side == Side::Buy {
                self.over.push((order, left));
                // The desk remembers some dozens.
                self.over.drain(..self.over.len().saturating_sub(8));
            }
        }
        self.report(&order, kind, qty);
        true
    }

    /// The venue says what it traded of an entry that it said was over.
    fn tell_late(&mut self) -> bool {
        let (order, left) = self.over.remove(0);
        self.late += 1;
        self.trades += 1;
        self.asked.lock().expect("no panic holds it").late.insert(order.id);
        let traded = LOT * self.rng.within(1, left / LOT + 1);
        self.report(&order, ReportKind::Fill, traded);
        true
    }

    fn report(&mut self, order: &Order, kind: ReportKind, qty: i64) {
        self.reports.push(Slot::report(&Report {
            instrument: order.instrument,
            order: order.id,
            strategy: order.strategy,
            side: order.side,
            kind,
            qty: Qty(qty),
            price: Price(self.mid),
            fee: 0,
            fee_asset: algo_trader::domain::event::FeeAsset::Quote,
            trade_id: self.trades,
            maker: false,
        }));
    }

    fn step(&mut self) {
        self.touched = false;
        let slot = self.next_slot();
        self.happen(slot);
    }

    fn happen(&mut self, mut slot: Slot) {
        let waiting = self.waiting();
        let is_kill = matches!(slot.event(), Event::Command(Command::Kill(_)));
        self.kills += u64::from(is_kill);
        self.seq += 1;
        self.now = Time(self.now.0 + self.rng.below(3_000_000));
        slot.stamp(self.now, 0, 0);
        self.note_facts(&slot);
        Stage::on_slot(&mut self.strategy, self.seq, &slot, &self.books);
        Stage::on_slot(&mut self.risk, self.seq, &slot, &self.books);
        Stage::on_slot(&mut self.execution, self.seq, &slot, &self.books);
        self.recovery.take(&Entry::Slot(Slot::from_canonical(&slot.canonical())));
        self.take_records();
        while let Some(denial) = self.denials.pop_up_to(u64::MAX) {
            if let Event::Denial(denied) = denial.slot.event() {
                let asked = self.asked.lock().expect("no panic holds it");
                let reduces = asked.reducing.contains_key(&denied.order);
                assert!(!reduces || denied.reason != DenyReason::NotReducing, "{denied:?}");
            }
            self.reports.push(denial.slot);
        }
        self.take_orders();
        self.check();
        if is_kill {
            let left = self.waiting();
            assert!(left == 0 || self.is_crowded(), "event {}: {left} of {waiting} wait on", self.seq);
            self.ended_by_kills += waiting - left;
        }
    }

    /// How many orders wait for their price, or for the next part of them to go out, and do not only reduce.
    fn waiting(&self) -> u64 {
        let desk = self.desk();
        let waits = |o: &&OrderState| {
            let id = o.order.id;
            let manager = &desk.manager;
            let is_held = manager.held().iter().any(|h| h.order == id);
            let is_bare = manager.slicings().iter().any(|s| s.parent == id && s.child.is_none());
            !o.order.reduce_only && (is_held || is_bare)
        };
        desk.orders.iter().filter(waits).count() as u64
    }

    fn note_facts(&mut self, slot: &Slot) {
        match slot.event() {
            Event::Trade(trade) => self.history.push(Fact::Trade(trade.instrument, trade.price)),
            Event::Report(r) if r.kind == ReportKind::Fill => {
                if r.instrument == HELD {
                    let position = self.desk().positions[0].qty.0;
                    let after = position + r.side.signed(r.qty).0;
                    assert!(after >= 0, "what only reduces never flips a position");
                }
                self.history.push(Fact::Fill(r.instrument, r.order, r.side, r.qty));
            }
            _ => {}
        }
    }

    fn take_records(&mut self) {
        let mut parent = None;
        self.records_now = 0;
        self.changed_now.clear();
        while let Some(record) = self.records.pop_up_to(self.seq) {
            self.records_now += 1;
            assert_eq!(record.seq, self.seq, "a child is judged at the event that triggered it");
            let read = match record.is_long() {
                true => Record::from_canonical_long(&record.canonical_long()),
                false => Record::from_canonical(&record.canonical()),
            };
            self.recovery.take(&Entry::Record(read.expect("it reads back")));
            let id = record.order.id;
            match record.kind {
                RecordKind::Protected => {
                    self.changed_now.insert(id);
                    self.history.push(Fact::Protected(id));
                }
                RecordKind::ChildOf => parent = Some(id),
                RecordKind::Order | RecordKind::Denied => {
                    if let Some(entry) = parent.take()
                        && record.order.reduce_only
                        && record.order.instrument == HELD
                    {
                        assert_eq!(record.order.kind, OrderKind::Market);
                        self.exits += 1;
                        self.history.push(Fact::Leaves { exit: id, entry });
                    }
                }
                RecordKind::Due => {
                    self.due_now.push(id);
                }
                _ => {}
            }
        }
        let mut asked = self.asked.lock().expect("no panic holds it");
        for (id, instrument, trigger) in asked.waits.drain(..) {
            self.history.push(Fact::Waits(id, instrument, trigger));
        }
    }

    fn take_orders(&mut self) {
        while let Some(message) = self.gateway.pop_up_to(self.seq) {
            match message {
                GatewayMessage::New { order, .. } => {
                    let order = *order.get();
                    assert!(
                        !order.kind.is_conditional() && order.extras.is_none(),
                        "the venue has no such order"
                    );
                    let asked = self.asked.lock().expect("no panic holds it");
                    if let Some(asked) = asked.reducing.get(&order.id) {
                        assert!(order.qty <= *asked && order.qty.0 % LOT == 0, "{order:?} of {asked:?}");
                        self.cut += u64::from(order.qty < *asked);
                    }
                    self.venue.push(AtVenue { order, left: order.qty.0, cancel: false });
                }
                GatewayMessage::Cancel { order, .. } => {
                    for at in self.venue.iter_mut().filter(|at| at.order.id == order) {
                        at.cancel = true;
                    }
                }
                #[allow(unreachable_patterns, reason = "gateways may learn more")]
                _ => {}
            }
        }
    }

    fn check(&mut self) {
        self.check_recovery();
        self.check_protections();
        self.check_waiting();
        self.check_pairs();
        self.check_icebergs();
        self.check_deadlines();
    }

    /// A journal that ends here gives the desk as it is.
    fn check_recovery(&self) {
        let (recovered, live) = (self.recovery.desks().next().expect("one desk"), self.desk());
        if self.kills > 0 {
            // Which orders risk takes back the journal tells its reader, and nobody tells the desk before it is done: what
            // becomes of each is the same, where it stands until then is not.
            let ids = |desk: &DeskState| desk.orders.iter().map(|o| o.order).collect::<Vec<_>>();
            assert_eq!(ids(recovered), ids(live), "event {}: orders", self.seq);
            let (a, b) = (&recovered.manager, &live.manager);
            assert_eq!(a.held(), b.held(), "event {}: waiting", self.seq);
            assert_eq!(a.protections(), b.protections(), "event {}: protections", self.seq);
            let parts = |desk: &DeskState| {
                let slicings = desk.manager.slicings().iter();
                slicings.map(|s| (s.parent, s.child.map(|c| c.order.id))).collect::<Vec<_>>()
            };
            assert_eq!(parts(recovered), parts(live), "event {}: icebergs", self.seq);
            assert_eq!(a.triggered(), b.triggered(), "event {}: triggered", self.seq);
            return;
        }
        // Part by part, so that a difference can be read.
        for (a, b) in recovered.orders.iter().zip(&live.orders) {
            assert_eq!(a, b, "event {}: orders", self.seq);
        }
        let (a, b) = (&recovered.manager, &live.manager);
        assert_eq!(a.held(), b.held(), "event {}: waiting", self.seq);
        assert_eq!(a.protections(), b.protections(), "event {}: protections", self.seq);
        assert_eq!(a.slicings(), b.slicings(), "event {}: icebergs", self.seq);
        assert_eq!(recovered, live, "event {}", self.seq);
    }

    /// What is covered is what each entry filled and is still open.
    fn check_protections(&mut self) {
        let desk = self.desk();
        let mut covered = BTreeMap::new();
        for p in desk.manager.protections().iter().filter(|p| p.covered.0 > 0) {
            assert!(covered.insert(p.entry, p.covered.0).is_none(), "one protection an entry");
        }
        let protected: BTreeSet<_> = self
            .history
            .iter()
            .filter_map(|f| if let Fact::Protected(id) = f { Some(*id) } else { None })
            .collect();
        let open = naive::open_by_entry(&self.history, HELD, &|id| protected.contains(&id));
        assert_eq!(covered, open, "event {}", self.seq);
        assert_eq!(covered.values().sum::<i64>(), desk.positions[0].qty.0, "all that is held is covered");
        // Whatever the touch has reached is on its way out.
        for p in desk.manager.protections().iter().filter(|p| p.covered.0 > 0 && self.touched) {
            let reached = p.stop_now().is_some_and(|s| self.top.bid.price <= s);
            let waits = p.exit.is_some() || p.retry_at > self.now || self.selling() || self.is_crowded();
            // One that was moved in this event is guarded from the next on.
            let waits = waits || self.changed_now.contains(&p.entry);
            assert!(!reached || waits, "event {}: {p:?}", self.seq);
        }
    }

    /// Whether something else is on its way out: what is held is not sold twice.
    fn selling(&self) -> bool {
        self.desk().orders.iter().any(|o| o.order.instrument == HELD && o.order.side == Side::Sell)
    }

    /// Whether so much was asked in this event that something may have had to wait.
    fn is_crowded(&self) -> bool {
        self.records_now >= 14
    }

    /// Nothing waits that was triggered, and nothing went out that was not.
    fn check_waiting(&mut self) {
        let manager = &self.strategy.seats()[0].desk.state.manager;
        let waiting = manager.held().iter().filter(|h| !h.due).map(|h| h.order);
        if self.paused[OTHER.index()] || self.is_crowded() {
            self.excused.extend(waiting.clone());
        }
        for id in waiting {
            let pair =
                manager.linked(id).is_some_and(|s| manager.held().iter().any(|h| h.order == s && h.due));
            if !pair && !self.excused.contains(&id) {
                assert!(!naive::was_triggered(&self.history, id), "event {}: {id:?} waits on", self.seq);
            }
        }
        for id in std::mem::take(&mut self.due_now) {
            assert!(naive::was_triggered(&self.history, id), "event {}: {id:?} was not", self.seq);
            self.triggered += 1;
        }
    }

    /// Of two orders that cancel each other one at most is with the venue, and both never trade more than one would.
    fn check_pairs(&mut self) {
        let asked = self.asked.lock().expect("no panic holds it");
        for &(a, b, qty) in &asked.pairs {
            let with_venue = |id| self.venue.iter().any(|at| at.order.id == id);
            assert!(!with_venue(a) || !with_venue(b), "event {}: both are with the venue", self.seq);
            let filled = |id| self.venue_fills.get(&id).copied().unwrap_or_default();
            assert!(filled(a) + filled(b) <= qty, "event {}: {a:?} and {b:?} traded too much", self.seq);
            self.pairs_filled += u64::from(filled(a) + filled(b) == qty);
        }
    }

    /// A part shows at a time, and the strategy hears of every fill as of the whole.
    fn check_icebergs(&mut self) {
        let desk = self.desk();
        let (mut parts, mut split) = (0, 0);
        for slicing in desk.manager.slicings() {
            let whole =
                desk.orders.iter().find(|o| o.order.id == slicing.parent).expect("the whole is there");
            let Some(child) = slicing.child else { continue };
            // What is no iceberg is more than the venue takes at the market at once.
            let is_iceberg = whole.order.kind != OrderKind::Market;
            let shown = if is_iceberg { whole.order.extras.iceberg_qty } else { AT_MARKET_MAX };
            assert!(child.order.qty <= shown && child.leaves() <= whole.leaves(), "{whole:?} {child:?}");
            parts += 1;
            split += u64::from(!is_iceberg);
        }
        let asked = self.asked.lock().expect("no panic holds it");
        let told: i64 = asked.fills.iter().map(|(_, side, qty)| side.signed(*qty).0).sum();
        assert_eq!(told, desk.positions.iter().map(|p| p.qty.0).sum::<i64>());
        drop(asked);
        self.parts += parts;
        self.split += split;
    }

    /// At its time an order is taken back.
    fn check_deadlines(&mut self) {
        let (now, crowded) = (self.now, self.is_crowded());
        let asked = self.asked.lock().expect("no panic holds it");
        let due = asked.deadlines.iter().filter(|d| d.1 <= now && !crowded);
        for (id, _) in due {
            let stands = self.desk().orders.iter().find(|o| o.order.id == *id);
            let status = stands.map_or(OrderStatus::PendingCancel, |o| o.status);
            assert_eq!(status, OrderStatus::PendingCancel, "it is on its way back, or gone");
        }
    }
}

/// Seeds and events a seed; `ALGO_TRADER_CASES` gives more.
fn cases() -> u64 {
    std::env::var("ALGO_TRADER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40)
}

#[test]
fn whatever_happens_what_is_held_is_protected_paired_and_recoverable() {
    let (mut exits, mut triggered, mut pairs, mut parts, mut cut, mut ended) = (0, 0, 0, 0, 0, 0);
    let (mut late, mut split, mut waited) = (0, 0, 0);
    for seed in 1..=cases() {
        let mut world = World::new(seed);
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (0..700).for_each(|_| world.step())));
        if let Err(panic) = outcome {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
        exits += world.exits;
        triggered += world.triggered;
        pairs += world.pairs_filled;
        parts += world.parts;
        (cut, ended, late) = (cut + world.cut, ended + world.ended_by_kills, late + world.late);
        split += world.split;
        // A run that goes on from here may have another clock: it waits for no moment of this one to ask for an exit again.
        let desks =
            |of: &[DeskState]| of[0].manager.protections().iter().map(|p| p.retry_at).collect::<Vec<_>>();
        let left = world.recovery.finish();
        waited += desks(&left.desks).iter().filter(|at| **at > world.now).count();
        assert!(desks(&left.resume().desks).iter().all(|at| *at == Time(0)), "seed {seed}");
    }
    println!(
        "{exits} exits, {triggered} triggered, {pairs} pair events, {parts} part events, {cut} cut, {ended} ended"
    );
    assert!(exits > 50 && triggered > 100 && pairs > 10 && parts > 100, "the histories say something");
    assert!(cut > 5, "what only reduces was asked for more than there was");
    assert!(ended > 100, "and kills had something to end");
    assert!(split > 100, "and what was too much for the market went out in parts: {split}");
    assert!(late > 50, "and entries traded after their end: {late}");
    assert!(waited > 10, "and some ended while an exit waited to be asked for again: {waited}");
}

/// Asks at its first quotes for entries that wait, for an exit that does, and for an iceberg.
struct Waits {
    quotes: i64,
    asked: Arc<Mutex<Asked>>,
}

impl Strategy for Waits {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, _top: &Top) {
        self.quotes += i64::from(instrument == OTHER);
        match (instrument, self.quotes) {
            (OTHER, 1 | 2) => {
                // More than one event has room to end.
                for n in 0..10 {
                    let stop = Price(50_020 + self.quotes * 10 + n);
                    ctx.buy(OTHER, Qty(LOT)).stop_at(stop).send().expect("it waits");
                }
            }
            (OTHER, 3) => {
                let exit = ctx.sell(OTHER, Qty(LOT)).stop_at(Price(49_900)).reduce_only();
                exit.send().expect("it waits");
                let iceberg = ctx.buy(OTHER, Qty(LOT * 9)).at_limit(Price(50_000));
                iceberg.iceberg(Qty(LOT * 3)).send().expect("a part goes out");
            }
            _ => {}
        }
    }
    fn on_order(&mut self, _ctx: &mut Context<'_>, order: &OrderState, _denied: Option<DenyReason>) {
        if order.status.is_final() {
            self.asked.lock().expect("no panic holds it").ended.insert(order.order.id, order.status);
        }
    }
    fn on_fill(&mut self, _ctx: &mut Context<'_>, fill: &Report) {
        self.asked.lock().expect("no panic holds it").fills.push((fill.order, fill.side, fill.qty));
    }
}

#[test]
fn what_waits_ends_with_a_kill_for_good_unless_it_only_reduces() {
    let asked = Arc::new(Mutex::new(Asked::default()));
    let waits = Waits { quotes: 0, asked: Arc::clone(&asked) };
    let mut world = World::of(1, Box::new(waits), Arc::clone(&asked));
    for _ in 0..3 {
        let quote = world.quote(50_000, true);
        world.happen(quote);
    }
    assert_eq!((world.waiting(), world.venue.len()), (20, 1), "and a part is with the venue");
    let exit = world.desk().manager.held().last().expect("it was asked for last").order;
    for _ in 0..2 {
        let switched = world.switch();
        world.happen(switched);
    }
    // It trades before its cancel comes.
    let part = world.venue[0].order;
    assert!(world.venue.remove(0).cancel, "risk takes back what is open");
    let fill =
        Report { qty: part.qty, price: part.price, trade_id: 1, ..Report::of(&part, ReportKind::Fill) };
    let trade = world.trade(OTHER, 50_100);
    world.happen(trade);
    world.happen(Slot::report(&fill));
    let quote = world.quote(50_100, true);
    world.happen(quote);
    let sent: Vec<_> = world.venue.iter().map(|at| at.order).collect();
    assert_eq!(sent, [], "after the release nothing goes out");
    let held: Vec<_> = world.desk().manager.held().iter().map(|held| held.order).collect();
    assert_eq!(held, [exit], "what only reduces waits on");
    let ended = &asked.lock().expect("nobody panicked").ended;
    assert_eq!(ended.len(), 21, "the strategy is told of each, the iceberg among them");
    assert!(ended.values().all(|status| *status == OrderStatus::Canceled), "{ended:?}");
}

/// Buys at its first quote, and asks at its second for exits that wait and have a limit, the one of them in parts.
struct Leaves {
    quotes: i64,
    asked: Arc<Mutex<Asked>>,
}

impl Strategy for Leaves {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, _top: &Top) {
        self.quotes += i64::from(instrument == OTHER);
        match (instrument, self.quotes) {
            (OTHER, 1) => {
                ctx.buy(OTHER, Qty(LOT * 10)).at_market().send().expect("it goes out");
            }
            (OTHER, 2) => {
                let (stop, limit) = (Price(49_900), Price(49_890));
                let whole = ctx.sell(OTHER, Qty(LOT)).stop_limit(stop, limit).reduce_only().send();
                let parts = ctx.sell(OTHER, Qty(LOT * 9)).stop_limit(stop, limit).iceberg(Qty(LOT * 3));
                let parts = parts.reduce_only().send();
                let trigger = Trigger { above: false, how: How::At(49_900) };
                let waits = [whole, parts].map(|id| (id.expect("it waits"), OTHER, trigger));
                self.asked.lock().expect("no panic holds it").waits.extend(waits);
            }
            _ => {}
        }
    }
    fn on_fill(&mut self, _ctx: &mut Context<'_>, fill: &Report) {
        self.asked.lock().expect("no panic holds it").fills.push((fill.order, fill.side, fill.qty));
    }
}

#[test]
fn an_exit_with_a_limit_that_waits_leaves_though_it_is_stopped_unless_that_is_closed() {
    for closes in [false, true] {
        let asked = Arc::new(Mutex::new(Asked::default()));
        let leaves = Leaves { quotes: 0, asked: Arc::clone(&asked) };
        let mut world = World::of(1, Box::new(leaves), Arc::clone(&asked));
        let mut trades = 0;
        let mut fill = |world: &mut World| {
            let AtVenue { order, .. } = world.venue.remove(world.venue.len() - 1);
            trades += 1;
            let price = Price(50_000);
            let fill =
                Report { qty: order.qty, price, trade_id: trades, ..Report::of(&order, ReportKind::Fill) };
            world.happen(Slot::report(&fill));
        };
        let quote = world.quote(50_000, true);
        world.happen(quote);
        fill(&mut world);
        let quote = world.quote(50_000, true);
        world.happen(quote);
        assert_eq!((world.desk().manager.held().len(), world.venue.len()), (2, 0));
        world.happen(kill_all(closes));
        // What closes sends what it closes with; it trades nothing before the price comes.
        let closing = usize::from(closes);
        let trade = world.trade(OTHER, 49_895);
        world.happen(trade);
        let quote = world.quote(49_895, true);
        world.happen(quote);
        world.now = Time(world.now.0 + 2_000_000_000);
        world.happen(Slot::clock());
        let sent: Vec<_> =
            world.venue.iter().map(|at| (at.order.kind, at.order.qty.0 / LOT, at.cancel)).collect();
        if closes {
            assert_eq!(sent, [(OrderKind::Market, 10, false)]);
            continue;
        }
        assert_eq!(sent[closing..], [(OrderKind::Limit, 1, false), (OrderKind::Limit, 3, false)]);
        // The next part follows, and the whole of it rests after a further kill.
        fill(&mut world);
        world.happen(kill_all(false));
        world.happen(Slot::clock());
        let rest: Vec<_> = world.venue.iter().map(|at| (at.order.qty.0 / LOT, at.cancel)).collect();
        assert_eq!(rest, [(1, false), (3, false)]);
        // A run that goes on from the journal leaves them there, too; what closes takes them back.
        let desk = world.desk().clone();
        let out: Vec<OrderId> = world.venue.iter().map(|at| at.order.id).collect();
        assert!(out.iter().all(|id| desk.manager.was_triggered(*id)));
        world.now = Time(world.now.0 + 2_000_000_000);
        world.happen(kill_all(true));
        assert!(world.venue.iter().take(2).all(|at| at.cancel), "what closes needs them free");
        for flatten in [false, true] {
            let cancelled = taken_back(&desk, &world.instruments, kill_all(flatten));
            assert_eq!(cancelled, if flatten { out.clone() } else { vec![] });
        }
    }
}

/// Does at its quotes of one instrument, the first of which is 1, what the test says.
struct Script<F>(F, i64, Arc<Mutex<Asked>>);

impl<F: FnMut(&mut Context<'_>, i64) + Send> Strategy for Script<F> {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, _top: &Top) {
        if instrument == OTHER {
            self.1 += 1;
            (self.0)(ctx, self.1);
        }
    }
    fn on_fill(&mut self, _ctx: &mut Context<'_>, fill: &Report) {
        self.2.lock().expect("no panic holds it").fills.push((fill.order, fill.side, fill.qty));
    }
}

impl World {
    /// One whose strategy does so.
    fn scripted(script: impl FnMut(&mut Context<'_>, i64) + Send + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Asked::default()));
        Self::of(1, Box::new(Script(script, 0, Arc::clone(&asked))), asked)
    }

    /// The venue trades so much of the newest of its orders; what has traded whole is gone.
    fn fill_newest(&mut self, qty: i64) {
        let at = self.venue.last_mut().expect("an order is there");
        at.left -= qty;
        let (order, left) = (at.order, at.left);
        if left == 0 {
            self.venue.pop();
        }
        self.trades += 1;
        let (qty, price, trade_id) = (Qty(qty), Price(self.mid), self.trades);
        self.happen(Slot::report(&Report { qty, price, trade_id, ..Report::of(&order, ReportKind::Fill) }));
    }

    /// A quote of both instruments about this price, and what comes of it.
    fn quoted(&mut self, mid: i64) {
        let quote = self.quote(mid, true);
        self.happen(quote);
    }
}

/// Throws the kill switch over everything.
fn kill_all(flatten: bool) -> Slot {
    Slot::command(Command::Kill(Kill {
        scope: Scope::All,
        cause: DenyReason::Killed,
        flatten,
        carried: false,
    }))
}

#[test]
fn what_an_entry_fills_on_after_a_kill_is_closed_though_the_part_before_was_too_little_to_be_an_order() {
    let mut world = World::scripted(|ctx, quotes| {
        if quotes == 1 {
            ctx.buy(OTHER, Qty(LOT * 10)).at_limit(Price(50_000)).send().expect("it goes out");
        }
    });
    let rules = Rules { instrument: OTHER, min_qty: Qty(LOT * 5), ..world.instruments[1].rules() };
    world.happen(Slot::rules(&rules));
    world.quoted(50_000);
    world.fill_newest(LOT * 2);
    world.happen(kill_all(true));
    let answers = std::mem::take(&mut world.reports);
    let denied: Vec<_> = answers.iter().map(Slot::event).collect();
    assert!(matches!(denied[..], [Event::Denial(Denial { reason: DenyReason::LotSize, .. })]), "{denied:?}");
    answers.into_iter().for_each(|answer| world.happen(answer));
    let later = |world: &mut World| {
        world.now = Time(world.now.0 + 250_000_000);
        world.happen(Slot::clock());
    };
    later(&mut world);
    let there =
        |world: &World| world.venue.iter().map(|at| (at.order.qty.0 / LOT, at.cancel)).collect::<Vec<_>>();
    assert_eq!(there(&world), [(10, true)], "it is too little yet, and what is open is taken back");
    // The rest fills before that comes.
    world.fill_newest(LOT * 8);
    later(&mut world);
    assert_eq!(there(&world), [(10, false)]);
    let close = world.venue[0].order;
    assert_eq!((close.side, close.kind, close.reduce_only), (Side::Sell, OrderKind::Market, true));
}

/// What risk takes back at this event, of a run that goes on with this desk.
fn taken_back(desk: &DeskState, instruments: &[Instrument], mut slot: Slot) -> Vec<OrderId> {
    let table = InstrumentTable::new(instruments.to_vec()).expect("two instruments");
    let stop = Stop::new();
    let (_intents, intents_in) = lane("intents", 512, 16, &stop);
    let (verdicts, mut told) = lane("verdicts", 512, 128, &stop);
    let risk = RiskStage::new(&table, 1, RiskLimits::NONE, intents_in, verdicts, None, 0);
    let mut risk = risk.resuming(std::slice::from_ref(desk));
    slot.stamp(Time(BEGIN + 1_000_000_000), 0, 0);
    Stage::on_slot(&mut risk, 1, &slot, &BookKeeper::new(table.all(), |_| false));
    let mut cancelled = Vec::new();
    while let Some(Verdict { body: VerdictBody::Cancel { order, .. }, .. }) = told.pop_up_to(1) {
        cancelled.push(order);
    }
    cancelled
}

#[test]
fn a_target_stays_beside_its_stop_that_waits_though_it_is_stopped_unless_that_is_closed() {
    for (reduces, post_only) in [(true, false), (true, true), (false, false)] {
        let pair = Arc::new(Mutex::new(None));
        let made = Arc::clone(&pair);
        let mut world = World::scripted(move |ctx, quotes| match quotes {
            1 => {
                ctx.buy(OTHER, Qty(LOT * 10)).at_market().send().expect("it goes out");
            }
            2 => {
                let target = ctx.sell(OTHER, Qty(LOT * 10)).at_limit(Price(50_100));
                let target = if post_only { target.post_only() } else { target };
                let target = if reduces { target.reduce_only() } else { target };
                let target = target.send().expect("it goes out");
                let stop = ctx.sell(OTHER, Qty(LOT * 10)).stop_at(Price(49_900)).reduce_only();
                let stop = stop.send().expect("it waits");
                ctx.one_cancels_other(target, stop).expect("they can be");
                *made.lock().expect("nobody panicked") = Some((target, stop));
            }
            4 => {
                let (_, stop) = made.lock().expect("nobody panicked").expect("it was made");
                ctx.cancel(stop).expect("it waits");
            }
            _ => {}
        });
        world.quoted(50_000);
        world.fill_newest(LOT * 10);
        world.quoted(50_000);
        let (target, stop) = pair.lock().expect("nobody panicked").expect("it was made");
        let waiting = |world: &World| world.desk().manager.held().iter().map(|h| h.order).collect::<Vec<_>>();
        let there = |world: &World| world.venue.iter().map(|at| (at.order.id, at.cancel)).collect::<Vec<_>>();
        assert_eq!((there(&world), waiting(&world)), (vec![(target, false)], vec![stop]));
        world.happen(kill_all(false));
        world.happen(Slot::clock());
        assert_eq!((there(&world), waiting(&world)), (vec![(target, !reduces)], vec![stop]));
        // A run that goes on from the journal leaves it there, too; what closes takes it back.
        let back = |flatten| taken_back(world.desk(), &world.instruments, kill_all(flatten));
        assert_eq!((back(false), back(true)), (if reduces { vec![] } else { vec![target] }, vec![target]));
        // By itself it is an order like any other.
        world.quoted(50_000);
        world.quoted(50_000);
        assert_eq!((there(&world), waiting(&world)), (vec![(target, true)], vec![]));
    }
}

#[test]
fn what_would_wait_is_refused_while_it_is_stopped_and_goes_out_with_no_release() {
    let refused = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&refused);
    let mut world = World::scripted(move |ctx, _| {
        let entry = ctx.buy(OTHER, Qty(LOT)).stop_at(Price(50_100)).send().err();
        let bracket =
            ctx.bracket(OTHER, Side::Buy, Qty(LOT)).at_breakout(Price(50_100)).stop_at(Price(49_900));
        let bracket = bracket.send().err();
        let exit = ctx.sell(OTHER, Qty(LOT)).stop_at(Price(49_900)).reduce_only().send().err();
        told.lock().expect("nobody panicked").push([entry, bracket, exit]);
    });
    world.happen(kill_all(false));
    world.quoted(50_000);
    assert_eq!(world.desk().manager.held().len(), 1, "what only reduces waits");
    world.happen(Slot::command(Command::Release(Scope::All)));
    let trade = world.trade(OTHER, 50_200);
    world.happen(trade);
    assert_eq!((world.venue.len(), world.desk().manager.held().len()), (0, 1));
    world.quoted(50_000);
    let stopped = Some(PlaceError::Stopped);
    let refused = refused.lock().expect("nobody panicked");
    assert_eq!(*refused, [[stopped, stopped, None], [None; 3]]);
}

/// Risk by itself, with limits that nothing here meets.
struct Judging {
    risk: RiskStage,
    books: BookKeeper,
    intents: LaneSender<Intent>,
    verdicts: LaneReceiver<Verdict>,
    seq: u64,
}

impl Judging {
    fn of(instrument: &Instrument) -> Self {
        let table = InstrumentTable::new(vec![instrument.clone()]).expect("one instrument");
        let stop = Stop::new();
        let (intents, intents_in) = lane("intents", 8, 8, &stop);
        let (verdicts_out, verdicts) = lane("verdicts", 8, 8, &stop);
        let limits = RiskLimits {
            order_notional_max: i64::MAX,
            position_notional_max: i64::MAX,
            gross_notional_max: i64::MAX,
            open_orders_max: 9,
            orders_per_second_max: 9,
            price_collar_bps: 5_000,
            ..RiskLimits::NONE
        };
        let risk = RiskStage::new(&table, 1, limits, intents_in, verdicts_out, None, 0);
        Self { risk, books: BookKeeper::new(table.all(), |_| false), intents, verdicts, seq: 0 }
    }

    fn happen(&mut self, slot: &Slot) {
        self.seq += 1;
        Stage::on_slot(&mut self.risk, self.seq, slot, &self.books);
    }

    /// What it says of an order that is asked for at this event.
    fn asked(&mut self, slot: &Slot, order: Order) -> Result<(), DenyReason> {
        let level = |price| Level { price: Price(price), qty: Qty(LOT) };
        let reference = Top { bid: level(50_000), ask: level(50_010), valid: true };
        self.intents.push(Intent::new(self.seq + 1, Action::New(order), reference));
        self.happen(slot);
        match self.verdicts.pop_up_to(self.seq).expect("a verdict").body {
            VerdictBody::Approved(_) => Ok(()),
            VerdictBody::Denied(_, reason) => Err(reason),
            other => panic!("{other:?}"),
        }
    }
}

/// What risk says of an order, after the rules of its instrument changed or did not.
fn judged(instrument: &Instrument, change: Option<Rules>, order: Order) -> Result<(), DenyReason> {
    let mut judging = Judging::of(instrument);
    judging.happen(&change.map_or_else(Slot::clock, |rules| Slot::rules(&rules)));
    judging.asked(&Slot::clock(), order)
}

fn ruled() -> (Instrument, Order) {
    let mut instrument =
        demo_instruments().into_iter().find(|i| i.market == Market::Spot).expect("one of spot");
    (instrument.tick, instrument.lot, instrument.min_qty) = (Price(10), Qty(100), Qty(200));
    (instrument.max_qty, instrument.min_notional) = (Qty(10_000), Notional(20_000_000));
    let order = Order {
        id: OrderId(256),
        strategy: StrategyId(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind: OrderKind::Limit,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(1_000),
        price: Price(50_000),
        extras: Extras::NONE,
    };
    (instrument, order)
}

#[test]
fn a_stop_limit_that_has_traded_rests_and_is_not_met() {
    let (instrument, plain) = ruled();
    let mut judging = Judging::of(&instrument);
    let extras = Extras::stop(Price(49_990));
    let (id, side, price) = (OrderId(1), Side::Sell, Price(49_980));
    let sell = Order { id, side, price, kind: OrderKind::StopLimit, extras, qty: Qty(1_000), ..plain };
    let buy = |id| Order {
        id: OrderId(id),
        side: Side::Buy,
        kind: OrderKind::Limit,
        price: Price(50_000),
        extras: Extras::NONE,
        qty: Qty(1_000),
        ..plain
    };
    assert_eq!(judging.asked(&Slot::clock(), sell), Ok(()));
    let accepted = Report::of(&sell, ReportKind::Accepted);
    assert_eq!(judging.asked(&Slot::report(&accepted), buy(2)), Ok(()), "it waits for its price");
    let fill = Report { qty: Qty(400), price, trade_id: 1, ..Report::of(&sell, ReportKind::Fill) };
    assert_eq!(judging.asked(&Slot::report(&fill), buy(3)), Err(DenyReason::SelfTrade));
}

#[test]
fn a_refusal_names_the_filter() {
    let (instrument, order) = ruled();
    for (order, said) in [
        (order, Ok(())),
        (Order { price: Price(50_001), ..order }, Err(DenyReason::PriceFilter)),
        (Order { qty: Qty(1_001), ..order }, Err(DenyReason::LotSize)),
        (Order { qty: Qty(100), ..order }, Err(DenyReason::LotSize)),
        (Order { qty: Qty(10_100), ..order }, Err(DenyReason::LotSize)),
        (Order { qty: Qty(300), ..order }, Err(DenyReason::MinNotional)),
        (
            Order { qty: Qty(300), kind: OrderKind::Market, price: Price(0), ..order },
            Err(DenyReason::MinNotional),
        ),
    ] {
        assert_eq!(judged(&instrument, None, order), said, "{order:?}");
    }
    assert_eq!(DenyReason::MinNotional.label(), "MIN_NOTIONAL");
}

#[test]
fn a_changed_tick_or_lot_takes_effect_at_its_event() {
    let (instrument, order) = ruled();
    let off = Order { price: Price(50_005), qty: Qty(1_050), ..order };
    assert_eq!(judged(&instrument, None, off), Err(DenyReason::PriceFilter));
    let finer = Rules { tick: Price(5), lot: Qty(50), ..instrument.rules() };
    assert_eq!(judged(&instrument, Some(finer), off), Ok(()));
    let coarser = Rules { tick: Price(100), lot: Qty(1_000), ..instrument.rules() };
    assert_eq!(
        judged(&instrument, Some(coarser), Order { price: Price(50_010), ..order }),
        Err(DenyReason::PriceFilter)
    );
    assert_eq!(
        judged(&instrument, Some(coarser), Order { qty: Qty(1_500), ..order }),
        Err(DenyReason::LotSize)
    );
}

#[test]
fn an_order_off_a_step_goes_to_the_safe_side_before_anybody_sees_it() {
    let (instrument, order) = ruled();
    let filters = Filters::from(&instrument);
    let stop =
        |side, price| Order { side, kind: OrderKind::Stop, extras: Extras::stop(Price(price)), ..order };
    let sell = Order { side: Side::Sell, price: Price(50_001), qty: Qty(1_099), ..order };
    let (rounded, bought) = (filters.round(&sell), filters.round(&Order { price: Price(50_009), ..order }));
    assert_eq!((rounded.price, rounded.qty, bought.price), (Price(50_010), Qty(1_000), Price(50_000)));
    // Trades happen on ticks: it triggers at the same ones.
    assert_eq!(filters.round(&stop(Side::Buy, 50_001)).extras.stop_price, Price(50_010));
    assert_eq!(filters.round(&stop(Side::Sell, 50_009)).extras.stop_price, Price(50_000));
    assert_eq!(judged(&instrument, None, bought), Ok(()));
}

fn everything(threading: Threading, journal: Option<&Path>) -> Summary {
    let mut options = support::threads(threading);
    options.pipeline.strategies = &everything::EVERYTHING;
    options.pipeline.journal = journal.map(Path::to_owned);
    replay_frames(&everything::config(), &mut support::small_market(12_000), options)
        .expect("runs to its end")
}

#[test]
fn what_is_held_makes_the_same_orders_on_any_threads() {
    let summaries = Threading::ALL.map(|threading| support::within(300, move || everything(threading, None)));
    assert!(summaries[0].execution.fills > 20, "{:?}", summaries[0].execution);
    for other in &summaries[1..] {
        assert_eq!(other.order_stream_sha256, summaries[0].order_stream_sha256);
    }
}

#[test]
fn a_journal_cut_anywhere_gives_what_was_held_then() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("run.journal");
    let summary = everything(Threading::Inline, Some(&path));
    let (header, whole) = recover(&path).expect("a journal");
    assert!(whole.finished && whole.seq > 10_000 && summary.execution.orders > 30);
    assert!(whole.desks[0].order_count > 30);
    let bytes = std::fs::read(&path).expect("a journal");
    let cut_path = dir.path().join("cut.journal");
    let (mut rng, mut unlike) = (Rng(0x9E37_79B9), 0);
    for _ in 0..25 {
        let length = bytes.len() / 10 + rng.below((bytes.len() - bytes.len() / 10) as u64) as usize;
        std::fs::write(&cut_path, &bytes[..length]).expect("room");
        let (_, cut) = recover(&cut_path).expect("it reads to its last whole block");
        assert!(!cut.finished && cut.seq <= whole.seq);
        // The same by the whole journal, up to that event and its records.
        let mut reader = JournalReader::open(&path).expect("a journal");
        let (mut recovery, mut seq) = (Recovery::new(&header), 0);
        while let Some(entry) = reader.next_entry().expect("it reads") {
            seq += u64::from(matches!(entry, Entry::Slot(_)));
            if seq > cut.seq {
                break;
            }
            recovery.take(&entry);
        }
        assert_eq!(recovery.finish(), cut);
        unlike += u64::from(
            !cut.desks[0].manager.protections().is_empty() || !cut.desks[0].manager.held().is_empty(),
        );
    }
    assert!(unlike > 0, "something was held at some cut");
}
