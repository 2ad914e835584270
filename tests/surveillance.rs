//! Each detector finds its pattern where it was planted, and seldom where it was not.
//!
//! For each: a hundred sequences with the pattern, its sizes, times and numbers drawn at random, and a thousand without,
//! half of which come near it in one respect. All have a market that trades and strategies that do what strategies do.
//! What is drawn depends on the seed alone.

use algo_trader::calendar::Calendar;
use algo_trader::domain::event::Report;
use algo_trader::domain::order::ReportKind;
use algo_trader::domain::{
    ClientOrderId, Extras, InstrumentId, Order, OrderId, OrderKind, Price, Qty, Side, Slot, StrategyId, Time,
    TimeInForce,
};
use algo_trader::execution::{Record, RecordKind};
use algo_trader::journal::Entry;
use algo_trader::surveillance::{
    Act, Alert, Close, CloseSettings, Detector, Ignition, IgnitionSettings, Observer, Reaction, Seen,
    Spoofing, SpoofingSettings, Stuffing, StuffingSettings, Surveillance, Wash, WashSettings,
};
use std::collections::HashMap;
use std::sync::Arc;

const PLANTED: u64 = 100;
const CLEAN: u64 = 1_000;
const RECALL_MIN: f64 = 0.95;
const PRECISION_MIN: f64 = 0.80;

const SECONDS: f64 = 180.0;
/// Five past seven in the evening, UTC, of a Wednesday: New York closes in 55 minutes.
const BEGIN: u64 = 1_720_638_300_000_000_000;
/// That close.
const CLOSE: u64 = 1_720_641_600_000_000_000;
const IT: InstrumentId = InstrumentId(0);

/// A sequence being made: a price path, and what happens on it.
struct World {
    random: u64,
    begin: u64,
    /// Middle prices, ten a second, in hundredths.
    path: Vec<f64>,
    seen: Vec<Seen>,
    orders: u64,
    trades: u64,
}

impl World {
    /// A market of `SECONDS` that begins at `begin`.
    fn new(seed: u64, begin: u64) -> Self {
        let mut world =
            Self { random: seed * 2 + 1, begin, path: Vec::new(), seen: Vec::new(), orders: 0, trades: 0 };
        (0..20).for_each(|_| {
            world.uniform();
        });
        let spread = world.between(0.1, 0.5);
        let mut price = 6_000_000.0;
        for _ in 0..(SECONDS * 10.0) as usize + 20 {
            world.path.push(price);
            price *= 1.0 + spread * 1e-4 * world.normal();
        }
        world
    }

    fn uniform(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.uniform()
    }

    fn count(&mut self, from: usize, to: usize) -> usize {
        from + (self.uniform() * (to - from + 1) as f64) as usize
    }

    fn chance(&mut self, part: f64) -> bool {
        self.uniform() < part
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn side(&mut self) -> Side {
        if self.chance(0.5) { Side::Buy } else { Side::Sell }
    }

    fn price(&self, at: f64) -> f64 {
        self.path[((at * 10.0).max(0.0) as usize).min(self.path.len() - 1)]
    }

    /// Moves the price from `at` on by so many hundredths of a per cent, over so long.
    fn push(&mut self, at: f64, over: f64, bps: f64) {
        for (index, price) in self.path.iter_mut().enumerate() {
            let part = ((index as f64 / 10.0 - at) / over).clamp(0.0, 1.0);
            *price *= 1.0 + bps * 1e-4 * part;
        }
    }

    fn add(&mut self, at: f64, act: Act) {
        let time = Time(self.begin + (at.max(0.0) * 1e9) as u64);
        self.seen.push(Seen { time, instrument: IT, act });
    }

    fn order(&mut self, at: f64, strategy: u8, side: Side, qty: i64, rests: bool) -> OrderId {
        self.orders += 1;
        let order = OrderId(self.orders);
        let price = Price(if rests { self.price(at) as i64 } else { 0 });
        self.add(
            at,
            Act::Order { order, strategy: StrategyId(strategy), side, price, qty: Qty(qty), reduces: false },
        );
        order
    }

    fn cancel(&mut self, at: f64, order: OrderId) {
        self.add(at, Act::Cancel { order });
        self.add(at + 0.002, Act::Ended { order });
    }

    fn fill(&mut self, at: f64, order: OrderId, strategy: u8, side: Side, qty: i64, maker: bool) {
        self.trades += 1;
        let (price, trade_id) = (Price(self.price(at) as i64), self.trades);
        let aggressor = if maker { side.opposite() } else { side };
        self.add(at, Act::Trade { price, qty: Qty(qty), aggressor });
        let strategy = StrategyId(strategy);
        self.add(at, Act::Fill { order, strategy, side, price, qty: Qty(qty), maker, trade_id });
    }

    /// An order at the market that fills at once.
    fn take(&mut self, at: f64, strategy: u8, side: Side, qty: i64) {
        let order = self.order(at, strategy, side, qty, false);
        self.fill(at + 0.003, order, strategy, side, qty, false);
    }

    /// Everybody else's trades, a few a second.
    fn market(&mut self, per_second: f64) {
        let mut at = 0.0;
        while at < SECONDS {
            at += -(1.0 - self.uniform()).ln() / per_second;
            let rises = self.price(at + 0.2) > self.price(at);
            let aggressor = if self.chance(0.7) == rises { Side::Buy } else { Side::Sell };
            let qty = self.count(20, 300) as i64;
            let price = Price(self.price(at) as i64);
            self.add(at, Act::Trade { price, qty: Qty(qty), aggressor });
        }
    }

    /// Quotes of like size on both sides, taken back and sent anew, now and then filled in part or whole.
    fn maker(&mut self, strategy: u8) {
        let (pause, size) = (self.between(0.4, 3.0), self.count(20, 80) as i64);
        let mut at = self.between(0.0, 1.0);
        while at + pause < SECONDS {
            for side in [Side::Buy, Side::Sell] {
                let qty = size + self.count(0, 10) as i64;
                let order = self.order(at, strategy, side, qty, true);
                let until = at + pause * 0.95;
                if self.chance(0.15) {
                    let when = self.between(at, until);
                    let part = if self.chance(0.5) { qty } else { 1 + qty / 5 };
                    self.fill(when, order, strategy, side, part, true);
                    if part == qty {
                        continue;
                    }
                }
                self.cancel(until, order);
            }
            at += pause;
        }
    }

    /// A strategy that takes now and then, either way.
    fn taker(&mut self, strategy: u8) {
        let mut at = self.between(0.0, 20.0);
        while at < SECONDS - 1.0 {
            let (side, qty) = (self.side(), self.count(5, 60) as i64);
            self.take(at, strategy, side, qty);
            at += self.between(4.0, 40.0);
        }
    }

    /// How much traded between two moments, that way or any.
    fn traded(&self, from: f64, to: f64, way: Option<Side>) -> i64 {
        let at = |seconds: f64| Time(self.begin + (seconds.max(0.0) * 1e9) as u64);
        let within = self.seen.iter().filter(|seen| (at(from)..at(to)).contains(&seen.time));
        let qty = |seen: &Seen| match seen.act {
            Act::Trade { qty, aggressor, .. } if way.is_none_or(|way| way == aggressor) => Some(qty.0),
            _ => None,
        };
        within.filter_map(qty).sum()
    }

    /// What every sequence has.
    fn usual(&mut self) {
        let per_second = self.between(1.0, 4.0);
        self.market(per_second);
        if self.chance(0.8) {
            self.maker(10);
        }
        if self.chance(0.7) {
            self.taker(11);
        }
        if self.chance(0.5) {
            self.taker(12);
        }
    }

    fn finish(mut self) -> Vec<Seen> {
        self.seen.sort_by_key(|seen| seen.time);
        self.seen
    }
}

/// A sequence with the pattern (`planted`) or without, by its seed.
type Make = fn(seed: u64, planted: bool) -> Vec<Seen>;

fn finds(detector: &mut dyn Detector, sequence: &[Seen]) -> Option<Alert> {
    sequence.iter().find_map(|seen| detector.take(seen))
}

fn measure(name: &str, make: Make, detector: impl Fn() -> Box<dyn Detector>) {
    let mut found = 0;
    let mut example = String::new();
    for seed in 1..=PLANTED {
        if let Some(alert) = finds(&mut *detector(), &make(seed, true)) {
            assert_eq!((alert.detector, alert.strategy), (name, StrategyId(1)), "{}", alert.detail);
            example = alert.detail;
            found += 1;
        }
    }
    let wrong =
        (1..=CLEAN).filter(|seed| finds(&mut *detector(), &make(PLANTED + seed, false)).is_some()).count();
    let recall = f64::from(found) / PLANTED as f64;
    let precision = f64::from(found) / (f64::from(found) + wrong as f64).max(1.0);
    println!(
        "{name}: {found} of {PLANTED} found (recall {:.1} %), {wrong} of {CLEAN} clean ones taken for it (precision {:.1} %)",
        100.0 * recall,
        100.0 * precision
    );
    println!("  such as: {example}");
    assert!(recall >= RECALL_MIN, "{name}: recall {recall}");
    assert!(precision >= PRECISION_MIN, "{name}: precision {precision}");
}

/// Large orders on one side, a small one on the other that trades, and the large ones go.
fn spoof(world: &mut World, at: f64, ratio: f64, withdrawn: f64, within: f64) {
    let side = world.side();
    let small = world.count(5, 40) as i64;
    let layers = world.count(1, 5);
    let each = (small as f64 * ratio / layers as f64).ceil() as i64;
    let before = world.between(0.5, 12.0);
    let lead = world.between(0.1, 0.4);
    let large: Vec<OrderId> =
        (0..layers).map(|n| world.order(at - before + n as f64 * 0.02, 1, side, each, true)).collect();
    let order = world.order(at - lead, 1, side.opposite(), small, true);
    world.fill(at, order, 1, side.opposite(), small, true);
    let kept = layers - ((layers as f64 * withdrawn).ceil() as usize).min(layers);
    for (n, order) in large.into_iter().enumerate() {
        let gone = at + world.between(0.02, within);
        if n >= kept {
            world.cancel(gone, order);
        } else {
            world.fill(at + 15.0, order, 1, side, each, true);
        }
    }
}

#[test]
fn spoofing_and_layering_are_found() {
    let make: Make = |seed, planted| {
        let mut world = World::new(seed, BEGIN);
        world.usual();
        let hard = world.count(0, 5);
        let times = if planted { world.count(2, 4) } else { world.count(1, 3) };
        for n in 0..times {
            let at = 15.0 + 38.0 * n as f64 + world.between(0.0, 10.0);
            let (ratio, within) = (world.between(4.2, 14.0), world.between(0.1, 2.8));
            match (planted, hard) {
                (true, _) => spoof(&mut world, at, ratio, 1.0, within),
                // Once is no pattern.
                (false, 0) if n == 0 => spoof(&mut world, at, ratio, 1.0, within),
                // What trades is about as large as what goes.
                (false, 1) => {
                    let ratio = world.between(0.5, 3.0);
                    spoof(&mut world, at, ratio, 1.0, within);
                }
                // Most of it stays, and trades.
                (false, 2) => {
                    let stays = world.between(0.0, 0.4);
                    spoof(&mut world, at, ratio, stays, within);
                }
                _ => {}
            }
        }
        world.finish()
    };
    measure("spoofing", make, || Box::new(Spoofing::new(SpoofingSettings::default())));
}

#[test]
fn quote_stuffing_is_found() {
    fn burst(world: &mut World, at: f64, orders: usize, over: f64, life: f64, traded: f64) {
        for n in 0..orders {
            let sent = at + over * n as f64 / orders as f64;
            let side = world.side();
            let order = world.order(sent, 1, side, 10, true);
            let life = life * world.between(0.3, 1.2);
            if world.chance(traded) {
                world.fill(sent + life, order, 1, side, 10, true);
            } else {
                world.cancel(sent + life, order);
            }
        }
    }
    let make: Make = |seed, planted| {
        let mut world = World::new(seed, BEGIN);
        world.usual();
        let at = world.between(10.0, 150.0);
        let hard = world.count(0, 7);
        match (planted, hard) {
            (true, _) => {
                let (orders, life) = (world.count(50, 400), world.between(0.002, 0.12));
                let traded = world.between(0.0, 0.02);
                burst(&mut world, at, orders, 0.8, life, traded);
            }
            // Busy, but not that busy.
            (false, 0) => {
                let orders = world.count(10, 35);
                burst(&mut world, at, orders, 1.0, 0.05, 0.0);
            }
            // Many of them trade.
            (false, 1) => {
                let (orders, traded) = (world.count(50, 150), world.between(0.15, 0.6));
                burst(&mut world, at, orders, 0.9, 0.05, traded);
            }
            // They are there for a while.
            (false, 2) => burst(&mut world, at, 80, 0.8, 0.9, 0.0),
            // They come slowly.
            (false, 3) => {
                let orders = world.count(100, 300);
                burst(&mut world, at, orders, orders as f64 / 25.0, 0.05, 0.0);
            }
            _ => {}
        }
        world.finish()
    };
    measure("quote-stuffing", make, || Box::new(Stuffing::new(StuffingSettings::default())));
}

/// Sixty orders within a second, as a journal tells of them, each of which ends 2 ms later as this report says.
fn told_of(ended: ReportKind) -> Option<Alert> {
    let (mut observer, mut stuffing) = (Observer::default(), Stuffing::new(StuffingSettings::default()));
    let mut found = None;
    let mut take = |entry: Entry| {
        if let Some(seen) = observer.take(&entry) {
            found = stuffing.take(&seen).or(found.take());
        }
    };
    for n in 1..=60 {
        let order = Order {
            id: OrderId(n),
            strategy: StrategyId(0),
            instrument: IT,
            side: Side::Buy,
            kind: OrderKind::PostOnly,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(10),
            price: Price(100),
            extras: Extras::NONE,
        };
        let at = Time(BEGIN + n * 15_000_000);
        let mut slot = Slot::clock();
        slot.stamp(at, 0, 0);
        take(Entry::Slot(slot));
        let client_id = ClientOrderId::derive(7, order.id);
        take(Entry::Record(Record { seq: n, kind: RecordKind::Order, order, denied: None, client_id }));
        let mut slot = Slot::report(&Report::of(&order, ended));
        slot.stamp(at.plus_nanos(2_000_000), 0, 0);
        take(Entry::Slot(slot));
    }
    found
}

#[test]
fn orders_that_the_venue_refuses_are_no_stuffing_and_those_that_are_taken_back_are() {
    assert_eq!(told_of(ReportKind::Rejected), None, "who posts only is refused in a fast market");
    let told = told_of(ReportKind::Canceled).expect("forty are enough");
    assert_eq!(told.detector, "quote-stuffing");
}

#[test]
fn wash_trades_are_found() {
    /// One strategy buys, the other sells, about the same at about the same time.
    fn pair(world: &mut World, at: f64, parts: f64, apart: f64, away_bps: f64) {
        let side = world.side();
        let qty = world.count(50, 200) as i64;
        world.take(at, 1, side, qty);
        if away_bps > 0.0 {
            world.push(at + 0.05, 0.1, away_bps);
        }
        world.take(at + apart, 0, side.opposite(), ((qty as f64) * parts) as i64);
    }
    let make: Make = |seed, planted| {
        let mut world = World::new(seed, BEGIN);
        world.usual();
        let hard = world.count(0, 7);
        let mut at = world.between(5.0, 12.0);
        let pairs = match (planted, hard) {
            (true, _) => world.count(4, 9),
            (false, 0) => world.count(1, 2),
            (false, 1..=3) => world.count(3, 8),
            _ => 0,
        };
        for _ in 0..pairs {
            let (parts, apart) = (world.between(0.93, 1.0), world.between(0.005, 0.7));
            match (planted, hard) {
                (true, _) | (false, 0) => pair(&mut world, at, parts, apart, 0.0),
                (false, 1) => {
                    let parts = world.between(0.2, 0.8);
                    pair(&mut world, at, parts, apart, 0.0);
                }
                (false, 2) => {
                    let apart = world.between(1.5, 8.0);
                    pair(&mut world, at, parts, apart, 0.0);
                }
                _ => pair(&mut world, at, parts, 0.4, 5.0),
            }
            at += world.between(5.0, 17.0);
        }
        world.finish()
    };
    // Either of the two may be named: the one whose fill completed the pair.
    let make_named: Make = make;
    measure_wash(make_named);
}

fn measure_wash(make: Make) {
    /// Names the lower strategy of a pair, so that it does not matter whose fill came last.
    struct Either(Wash);
    impl Detector for Either {
        fn name(&self) -> &'static str {
            self.0.name()
        }
        fn take(&mut self, seen: &Seen) -> Option<Alert> {
            let alert = self.0.take(seen)?;
            assert!(alert.strategy.0 <= 1 || !alert.detail.is_empty());
            let strategy = if alert.strategy.0 <= 1 { StrategyId(1) } else { alert.strategy };
            Some(Alert { strategy, ..alert })
        }
    }
    measure("wash-trades", make, || Box::new(Either(Wash::new(WashSettings::default()))));
}

#[test]
fn a_trade_that_has_us_on_both_sides_is_a_wash_trade_at_once() {
    let mut wash = Wash::new(WashSettings::default());
    let fill = |strategy, side, order| Seen {
        time: Time(BEGIN),
        instrument: IT,
        act: Act::Fill {
            order: OrderId(order),
            strategy: StrategyId(strategy),
            side,
            price: Price(100),
            qty: Qty(5),
            maker: false,
            trade_id: 77,
        },
    };
    assert!(wash.take(&fill(1, Side::Buy, 1)).is_none());
    let alert = wash.take(&fill(1, Side::Sell, 2)).expect("the same trade");
    assert!(alert.detail.contains("trade 77"), "{}", alert.detail);
}

#[test]
fn momentum_ignition_is_found() {
    /// A burst one way that moves the price, and the way back at a profit.
    struct Burst {
        at: f64,
        fills: usize,
        over: f64,
        share: f64,
        bps: f64,
        after: f64,
        unwound: f64,
    }
    fn burst(world: &mut World, b: &Burst) {
        let side = world.side();
        let sign = if side == Side::Buy { 1.0 } else { -1.0 };
        let (now, then) = (world.price(b.at), world.price(b.at + b.over));
        // Whatever the market does by itself, the burst moves it by so much.
        let own = (then / now - 1.0) * 1e4;
        world.push(b.at, b.over, sign * b.bps - own);
        world.usual();
        // As much as makes it the share asked for of what trades that way.
        let others = world.traded(b.at + b.over - 5.0, b.at + b.over, Some(side)) as f64;
        let qty = (others * b.share / (1.0 - b.share) / b.fills as f64).ceil().max(5.0) as i64;
        for n in 0..b.fills {
            world.take(b.at + b.over * n as f64 / b.fills as f64, 1, side, qty);
        }
        let total = (b.fills as f64 * qty as f64 * b.unwound) as i64;
        let parts = 3;
        for n in 0..parts {
            let at = b.at + b.over + b.after + n as f64 * 0.4;
            if total / parts > 0 {
                world.take(at, 1, side.opposite(), total / parts + 1);
            }
        }
    }
    let make: Make = |seed, planted| {
        let mut world = World::new(seed, BEGIN);
        let hard = world.count(0, 7);
        let mut b = Burst {
            at: world.between(20.0, 90.0),
            fills: world.count(6, 14),
            over: world.between(1.5, 4.5),
            share: world.between(0.75, 0.98),
            bps: world.between(13.0, 40.0),
            after: world.between(1.0, 25.0),
            unwound: world.between(0.7, 1.0),
        };
        match (planted, hard) {
            (true, _) => burst(&mut world, &b),
            // The market moves, we are a small part of it.
            (false, 0) => {
                b.share = world.between(0.05, 0.35);
                burst(&mut world, &b);
            }
            // We keep what we bought.
            (false, 1) => {
                b.unwound = world.between(0.0, 0.3);
                burst(&mut world, &b);
            }
            // The price does not move.
            (false, 2) => {
                b.bps = world.between(-3.0, 4.0);
                burst(&mut world, &b);
            }
            // It takes its time.
            (false, 3) => {
                b.over = world.between(25.0, 60.0);
                burst(&mut world, &b);
            }
            _ => world.usual(),
        }
        world.finish()
    };
    measure("momentum-ignition", make, || Box::new(Ignition::new(IgnitionSettings::default())));
}

#[test]
fn marking_the_close_is_found() {
    let calendar = Arc::new(Calendar::built_in("us-equity").expect("built in"));
    let make: Make = |seed, planted| {
        // The sequence ends at the close, but for those that are nowhere near it.
        let hard = seed % 6;
        let near = planted || hard != 0;
        let begin = if near { CLOSE - (SECONDS * 1e9) as u64 } else { BEGIN - 3_600_000_000_000 };
        let mut world = World::new(seed, begin);
        let side = world.side();
        let sign = if side == Side::Buy { 1.0 } else { -1.0 };
        let at = SECONDS - world.between(15.0, 75.0);
        let over = world.between(5.0, 12.0);
        let (fills, mut bps) = (world.count(4, 12), world.between(16.0, 40.0));
        let (mut share, mut acts) = (world.between(0.35, 0.8), true);
        match (planted, hard) {
            // In all but where the market is.
            (true, _) | (false, 0) => {}
            // A small part of what trades.
            (false, 1) => share = world.between(0.01, 0.15),
            // The price goes the other way, or nowhere.
            (false, 2) => bps = world.between(-20.0, 1.0),
            _ => acts = false,
        }
        if acts {
            // From the beginning of the last two minutes the price does what is asked for, and nothing besides.
            let (first, last) = (world.price(SECONDS - 125.0), world.price(SECONDS));
            let flat = (last / first - 1.0) * 1e4;
            world.push(SECONDS - 125.0, 125.0, -flat);
            world.push(at, over, sign * bps);
        }
        let per_second = world.between(1.0, 2.0);
        world.market(per_second);
        world.maker(10);
        if world.chance(0.5) {
            world.taker(11);
        }
        if acts {
            let others = world.traded(SECONDS - 120.0, SECONDS, None) as f64;
            let each = (others * share / (1.0 - share) / fills as f64).ceil().max(1.0) as i64;
            for n in 0..fills {
                world.take(at + over * n as f64 / fills as f64 + 1.0, 1, side, each);
            }
        }
        world.finish()
    };
    measure("marking-the-close", make, || {
        let calendars = HashMap::from([(IT, Arc::clone(&calendar))]);
        Box::new(Close::new(CloseSettings::default(), calendars))
    });
}

#[test]
fn an_alert_comes_with_its_reaction_and_is_not_repeated_at_once() {
    struct Always;
    impl Detector for Always {
        fn name(&self) -> &'static str {
            "always"
        }
        fn take(&mut self, seen: &Seen) -> Option<Alert> {
            let (time, instrument) = (seen.time, seen.instrument);
            let (detector, strategy) = ("always", StrategyId(3));
            Some(Alert { detector, time, strategy, instrument, detail: String::new() })
        }
    }
    let told_at = |reaction: Reaction, quiet_seconds: u64| {
        let mut surveillance =
            Surveillance::new(vec![(Box::new(Always), reaction)], quiet_seconds * 1_000_000_000);
        let mut told = Vec::new();
        for second in 0..25u64 {
            let time = Time(BEGIN + second * 1_000_000_000);
            let act = Act::Trade { price: Price(1), qty: Qty(1), aggressor: Side::Buy };
            let seen = Seen { time, instrument: IT, act };
            surveillance.take(&seen, |alert, done| {
                assert_eq!((alert.strategy.0, done), (3, reaction));
                told.push(second);
            });
        }
        told
    };
    assert_eq!(told_at(Reaction::Warn, 10), [0, 10, 20]);
    // What stops is not held back for as long: it may have been released meanwhile.
    for reaction in [Reaction::Throttle, Reaction::Halt] {
        assert_eq!(told_at(reaction, 600), [0, 5, 10, 15, 20]);
        assert_eq!(told_at(reaction, 10), [0, 5, 10, 15, 20]);
    }
}
