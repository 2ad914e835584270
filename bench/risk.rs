//! What risk takes for an intent: `cargo bench --bench risk`.
//!
//! `rules`: a stage with every limit in force, 200 instruments in ten groups, three strategies and 50 open orders judges
//! an order that passes every rule, and books it; then, not timed, the order is cancelled. `no rules`: the same with an
//! empty list of rules, which books the order, its exposure and its rates all the same, since what is judged later
//! depends on that. `passed on`: what needs neither. All alternate in one run, a batch each. Nothing may be allocated.
//! Intents come and verdicts leave by the lanes of stages that share a thread, as they do by default.
//!
//! `--intents N`; `--json` prints one object a row.

#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without")]

mod support;

use algo_trader::domain::event::{Quote, Report};
use algo_trader::domain::order::ReportKind;
use algo_trader::domain::{
    Extras, InstrumentId, InstrumentTable, Level, Order, OrderId, OrderKind, Price, Qty, Side, Slot,
    StrategyId, Time, TimeInForce,
};
use algo_trader::market::Top;
use algo_trader::market::book::BookKeeper;
use algo_trader::pipeline::{LaneReceiver, LaneSender, Stage, Stop, lane_within_thread};
use algo_trader::risk::limits::{LossLimits, Pace, RateLimits, ScaleLimits};
use algo_trader::risk::stage::KILL_CANCELS_PER_EVENT_MAX;
use algo_trader::risk::{
    EveryRule, NoRules, RiskLimits, RiskSetup, RiskStage, RuleList, Verdict, VerdictBody,
};
use algo_trader::strategy::intent::INTENTS_PER_EVENT_MAX;
use algo_trader::strategy::{Action, Intent};
use algo_trader::venue::local::generated_instruments;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use support::{host, number, verdict, wants_json};

/// At most so many ns for an intent in the middle.
const TARGET_NS: f64 = 500.0;
/// At most so many times the stage without rules.
const TARGET_RATIO: f64 = 5.0;

const INSTRUMENTS: usize = 200;
const OPEN: usize = 50;
const STRATEGIES: usize = 3;
/// Intents of one event: a time stamp costs as much as a tenth of one.
const BATCH: usize = 8;
const BEGIN: u64 = 1_723_161_253_000_000_000;
const UNIT: i64 = 100_000_000;

struct Counting;

static ALLOCATED: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: `place` came from `System` above, with this layout.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Every limit in force, none of them met.
fn limits() -> RiskLimits {
    let much = 9_000_000_000 * UNIT;
    let scale = ScaleLimits {
        long_notional_max: much,
        short_notional_max: much,
        gross_notional_max: much,
        net_notional_max: much,
        leverage_max: 1_000_000,
        share_pct_max: 100,
        open_orders_max: 10_000,
    };
    let pace = Pace { second: u32::MAX - 1, minute: u32::MAX - 1, day: u32::MAX - 1 };
    let rates = RateLimits { orders: pace, cancels: pace, messages: pace };
    RiskLimits {
        unset: false,
        capital: much,
        order_notional_max: much,
        order_qty_max: much,
        position_notional_max: much,
        gross_notional_max: much,
        open_orders_max: 1_000,
        orders_per_second_max: u32::MAX - 1,
        price_collar_bps: 500,
        mark_collar_bps: 1_000,
        fat_finger_multiple: 20,
        book_age_max_ns: 60_000_000_000,
        clock_lag_max_ns: 60_000_000_000,
        // Some ten orders of the strategy are within it.
        duplicate_window_ns: 20_000_000,
        quote_free_min: 1,
        scales: [scale; 5],
        share_from: 1,
        rates,
        strategy_rates: rates,
        order_to_trade_max: u32::MAX - 1,
        order_to_trade_from: 1,
        same_way_max: u32::MAX - 1,
        same_way_window_ns: 60_000_000_000,
        losses: LossLimits {
            daily_max: much,
            strategy_daily_max: much,
            drawdown_max: much,
            strategy_drawdown_max: much,
            consecutive_max: 1_000,
            velocity_max: much,
            velocity_window_ns: 60_000_000_000,
            flatten: false,
        },
    }
}

struct World<R> {
    risk: RiskStage<R>,
    books: BookKeeper,
    intents: LaneSender<Intent>,
    verdicts: LaneReceiver<Verdict>,
    tops: Vec<Top>,
    sizes: Vec<(i64, i64)>,
    seq: u64,
    now: Time,
    orders: u64,
}

type Lanes = (LaneReceiver<Intent>, LaneSender<Verdict>);

impl<R: RuleList> World<R> {
    fn new(stage: impl FnOnce(&InstrumentTable, Lanes) -> RiskStage<R>) -> Self {
        let table = InstrumentTable::new(generated_instruments(INSTRUMENTS)).expect("distinct");
        let stop = Stop::new();
        // As where the stages share a thread, which is the default: no longer than what an event can cause.
        let intents_max = INTENTS_PER_EVENT_MAX * STRATEGIES;
        let verdicts_max = intents_max + KILL_CANCELS_PER_EVENT_MAX;
        let (intents, intents_in) = lane_within_thread("intents", intents_max, &stop);
        let (verdicts_out, verdicts) = lane_within_thread("verdicts", verdicts_max, &stop);
        let groups = (0..INSTRUMENTS).map(|i| Some((i % 10) as u16)).collect();
        let setup = RiskSetup { groups, ..RiskSetup::default() };
        let risk = stage(&table, (intents_in, verdicts_out)).with_setup(&setup);
        let mut tops = Vec::new();
        let mut sizes = Vec::new();
        for i in table.all() {
            let tick = i.tick.0.max(1);
            let mid = (10i64.pow(u32::from(i.price_decimals)) * 100).max(tick * 10_000);
            let mid = mid - mid % tick;
            let lot = i.lot.0.max(1);
            let wanted = (i.min_notional.0 / i128::from(mid) * 3) as i64;
            let qty = wanted.max(i.min_qty.0).max(lot) / lot * lot + lot;
            tops.push(Top {
                bid: Level::new(mid - tick, qty),
                ask: Level::new(mid + tick, qty),
                valid: true,
            });
            sizes.push((qty, tick));
        }
        let books = BookKeeper::new(table.all(), |_| false);
        let now = Time(BEGIN);
        let mut world = Self { risk, books, intents, verdicts, tops, sizes, seq: 0, now, orders: 0 };
        world.quotes();
        for n in 0..OPEN {
            let order = world.order(n * 4 % INSTRUMENTS, n % STRATEGIES);
            assert!(world.ask(&[order]), "the open orders are approved");
            world.report(&order, ReportKind::Accepted);
        }
        world
    }

    /// A slot at the next moment.
    fn slot(&mut self, mut slot: Slot) {
        self.seq += 1;
        self.now = self.now.plus_nanos(1_000_000);
        slot.stamp(self.now, 0, 0);
        Stage::on_slot(&mut self.risk, self.seq, &slot, &self.books);
    }

    /// A quote of every instrument.
    fn quotes(&mut self) {
        for index in 0..INSTRUMENTS {
            let Top { bid, ask, .. } = self.tops[index];
            let instrument = InstrumentId(index as u16);
            self.slot(Slot::quote(&Quote { instrument, bid, ask, update_id: self.seq }));
        }
    }

    fn order(&mut self, instrument: usize, strategy: usize) -> Order {
        self.orders += 1;
        let (qty, tick) = self.sizes[instrument];
        let price = self.tops[instrument].bid.price.0 - tick * (self.orders % 50) as i64;
        Order {
            id: OrderId(self.orders),
            strategy: StrategyId(strategy as u8),
            instrument: InstrumentId(instrument as u16),
            side: Side::Buy,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(qty),
            price: Price(price),
            extras: Extras::NONE,
        }
    }

    fn push(&mut self, action: Action, instrument: InstrumentId) {
        let reference = self.tops[instrument.index()];
        self.intents.push(Intent::new(self.seq + 1, action, reference));
    }

    fn ask(&mut self, orders: &[Order]) -> bool {
        for order in orders {
            self.push(Action::New(*order), order.instrument);
        }
        self.slot(Slot::clock());
        let mut all = true;
        while let Some(verdict) = self.verdicts.pop_up_to(self.seq) {
            if let VerdictBody::Denied(order, reason) = verdict.body {
                eprintln!("denied: {reason}: {order:?}");
            }
            all &= matches!(verdict.body, VerdictBody::Approved(_));
        }
        all
    }

    fn report(&mut self, order: &Order, kind: ReportKind) {
        let report = Report::of(order, kind);
        self.slot(Slot::report(&report));
    }
}

fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q) as usize]
}

/// Nanoseconds an intent of each batch, and what was allocated meanwhile.
#[derive(Default)]
struct Timed {
    ns: Vec<f64>,
    allocated: u64,
}

impl Timed {
    fn time(&mut self, counts: bool, work: impl FnOnce()) {
        let before = ALLOCATED.load(Ordering::Relaxed);
        let begun = Instant::now();
        work();
        let took = begun.elapsed().as_nanos() as f64 / BATCH as f64;
        if counts {
            self.allocated += ALLOCATED.load(Ordering::Relaxed) - before;
            self.ns.push(took);
        }
    }
}

/// One batch of orders, judged or booked alone, and cancelled again.
fn round<R: RuleList>(world: &mut World<R>, round: usize, counts: bool, timed: &mut Timed) {
    if round.is_multiple_of(64) {
        world.quotes();
    }
    let orders: [Order; BATCH] =
        std::array::from_fn(|n| world.order((round * 7 + n * 13) % INSTRUMENTS, (round + n) % STRATEGIES));
    let mut approved = false;
    timed.time(counts, || approved = world.ask(&orders));
    assert!(approved, "every order passes every rule");
    for order in &orders {
        world.report(order, ReportKind::Canceled);
    }
}

fn main() {
    let intents = number("--intents", 200_000);
    let mut every: World<EveryRule> = World::new(|table, (intents, verdicts)| {
        RiskStage::new(table, STRATEGIES, limits(), intents, verdicts, None, 0)
    });
    let mut none: World<NoRules> = World::new(|table, (intents, verdicts)| {
        RiskStage::without_rules(table, STRATEGIES, limits(), intents, verdicts)
    });
    let [mut rules, mut bare, mut passed] = [Timed::default(), Timed::default(), Timed::default()];
    for timed in [&mut rules, &mut bare, &mut passed] {
        timed.ns.reserve(intents);
    }
    let rounds = intents / BATCH;
    for n in 0..rounds + rounds / 10 {
        let counts = n >= rounds / 10;
        round(&mut every, n, counts, &mut rules);
        round(&mut none, n, counts, &mut bare);
        let orders: [Order; BATCH] = std::array::from_fn(|n| none.order(n * 13 % INSTRUMENTS, 0));
        passed.time(counts, || {
            for order in &orders {
                none.push(Action::Hold(*order), order.instrument);
            }
            none.slot(Slot::clock());
            while none.verdicts.pop_up_to(none.seq).is_some() {}
        });
    }
    let allocated = rules.allocated + bare.allocated + passed.allocated;
    let [p50, p99] = [0.5, 0.99].map(|q| quantile(&mut rules.ns, q));
    let [bare50, bare99] = [0.5, 0.99].map(|q| quantile(&mut bare.ns, q));
    let [passed50, passed99] = [0.5, 0.99].map(|q| quantile(&mut passed.ns, q));
    let ratio = p50 / bare50;
    if wants_json() {
        println!(
            "{{\"rules_p50_ns\":{p50:.1},\"rules_p99_ns\":{p99:.1},\"bare_p50_ns\":{bare50:.1},\"bare_p99_ns\":{bare99:.1},\
             \"passed_on_p50_ns\":{passed50:.1},\"ratio\":{ratio:.3},\"allocations\":{allocated}}}"
        );
        return;
    }
    println!("{}", host());
    println!(
        "{INSTRUMENTS} instruments, {OPEN} open orders, {STRATEGIES} strategies, every rule; ns an intent"
    );
    println!("{:<10} {:>8} {:>8}", "", "p50", "p99");
    println!("{:<10} {p50:>8.1} {p99:>8.1}   {}", "rules", verdict(p50, TARGET_NS));
    println!("{:<10} {bare50:>8.1} {bare99:>8.1}", "no rules");
    println!("{:<10} {passed50:>8.1} {passed99:>8.1}", "passed on");
    println!("{ratio:.2} times no rules   {}", verdict(ratio, TARGET_RATIO));
    println!("{allocated} allocations   {}", verdict(allocated as f64, 0.0));
}
