//! Order flow: who trades on the local market, without being anyone.
//!
//! Owns: the fair value's random walk, the regimes, and the choice of each next operation. Sees the market only
//! through the engine's public face. Invariant: after [`OrderFlow::open`] neither side has fewer than
//! [`LEVELS_MIN`] levels, as long as nobody else takes from the book.

use super::config::{FlowError, FlowInstrument};
use super::engine::{MatchEvent, MatchingEngine, NewOrder};
use super::rng::Rng;
use crate::domain::{OrderKind, Price, Qty, Side, Time, TimeInForce};

/// Account of every order of the flow.
pub const FLOW_ACCOUNT: u32 = 0;
/// Fewest levels a side is let down to.
pub const LEVELS_MIN: usize = 50;
/// Levels a side is steered to.
const LEVELS_TARGET: usize = 200;
/// Most levels one taker sweeps.
const SWEEP_LEVELS_MAX: usize = 3;
/// A spread wider than this is closed by the next operation.
const SPREAD_TICKS_MAX: i64 = 5;
/// Mean number of operations that come together.
const BATCH_MEAN: u64 = 8;
/// Mean gap between operations that come together, ns, unless the rate asks for less.
const BATCH_GAP_NS: u64 = 50_000;
/// How much faster everything is in a burst.
const BURST_SPEED: u64 = 6;
/// Standard deviation of the fair value over a calm second, in millionths.
const VOLATILITY_PPM: i128 = 15;
/// Time in which the fair value falls back to its opening by a factor of e, ns.
const REVERSION_NS: i128 = 14_400_000_000_000;
const NANOS_PER_S: u64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Regime {
    Calm,
    /// Drifting this way, +1 or -1.
    Trend(i64),
    Burst,
}

/// Where the flow acts: the engine, and where what happens goes.
struct Floor<'a> {
    engine: &'a mut MatchingEngine,
    events: &'a mut Vec<MatchEvent>,
}

/// Best prices, in ticks.
#[derive(Debug, Clone, Copy)]
struct Touch {
    bid: i64,
    ask: i64,
}

/// When the next operation comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Nanoseconds from the operation before.
    pub nanos: u64,
    /// Whether the operations that come together end before it.
    pub ends_batch: bool,
}

/// The order flow of one instrument.
#[derive(Debug)]
pub struct OrderFlow {
    rng: Rng,
    tick: i64,
    lot: i64,
    /// Mean gap between operations that come together, and between batches.
    step_gap_ns: u64,
    batch_gap_ns: u64,
    /// The usual order: worth about 100 of the quote asset.
    base_lots: u64,
    max_lots: u64,
    opening_q16: i64,
    /// The fair value in ticks, with 16 fraction bits.
    fair_q16: i64,
    /// Typical distance of neighbouring levels, ticks.
    spacing: i64,
    regime: Regime,
    regime_ends: u64,
    moved: u64,
    batch_left: u64,
    /// Orders that may still rest, by side; those that do not are dropped when picked.
    live: [Vec<u64>; 2],
}

impl OrderFlow {
    /// The flow of `of`, with its own random stream `stream` of `seed`, starting at `start`.
    ///
    /// # Errors
    /// [`FlowError`] where the instrument cannot be generated.
    pub fn new(of: &FlowInstrument, seed: u64, stream: u64, start: Time) -> Result<Self, FlowError> {
        of.check()?;
        let (tick, lot) = (of.instrument.tick.0, of.instrument.lot.0);
        let ticks = of.opening.0 / tick;
        let unit = 10i128.pow(u32::from(of.instrument.notional_decimals()));
        let price = i128::from(of.opening.0);
        let lots_worth = |notional: i128| notional / price / i128::from(lot);
        let min_lots = (lots_worth(of.instrument.min_notional.0) + 1)
            .max(i128::from(of.instrument.min_qty.0 / lot))
            .max(lots_worth(100 * unit));
        let max_lots = (of.instrument.max_qty.0 / lot) as u64;
        Ok(Self {
            rng: Rng::new(seed, stream),
            tick,
            lot,
            step_gap_ns: BATCH_GAP_NS.min(NANOS_PER_S / u64::from(of.events_per_s) / 4),
            batch_gap_ns: BATCH_MEAN * NANOS_PER_S / u64::from(of.events_per_s),
            base_lots: u64::try_from(min_lots).unwrap_or(1).clamp(1, max_lots.min(1 << 32)),
            max_lots,
            opening_q16: ticks << 16,
            fair_q16: ticks << 16,
            spacing: (ticks / 200_000).max(1),
            regime: Regime::Calm,
            regime_ends: start.0,
            moved: start.0,
            batch_left: 0,
            live: [Vec::with_capacity(2048), Vec::with_capacity(2048)],
        })
    }

    /// Fills an empty engine with a book around the opening price.
    pub fn open(&mut self, engine: &mut MatchingEngine, events: &mut Vec<MatchEvent>) {
        let floor = &mut Floor { engine, events };
        for side in [Side::Buy, Side::Sell] {
            let mut distance = 1;
            for _ in 0..LEVELS_TARGET {
                for _ in 0..1 + self.rng.below(2) {
                    self.place(side, self.fair() - sign(side) * distance, floor);
                }
                distance += 1 + self.rng.below(2 * self.spacing as u64) as i64;
            }
        }
    }

    /// Does the next operation, at `now`. Appends what happened to `events`.
    pub fn step(&mut self, now: Time, engine: &mut MatchingEngine, events: &mut Vec<MatchEvent>) {
        let (Some(bid), Some(ask)) = (engine.best(Side::Buy), engine.best(Side::Sell)) else {
            return self.open(engine, events);
        };
        let (bid, ask) = (bid.price.0 / self.tick, ask.price.0 / self.tick);
        let (touch, floor) = (Touch { bid, ask }, &mut Floor { engine, events });
        self.move_fair(now, (bid + ask) / 2);
        let fair = self.fair();
        if ask - bid > SPREAD_TICKS_MAX {
            return self.close_spread(touch, floor);
        }
        let tolerance = 2 * self.spacing;
        if ask + tolerance < fair && self.rng.chance(600) {
            return self.take_stale(Side::Buy, fair, floor);
        }
        if bid - tolerance > fair && self.rng.chance(600) {
            return self.take_stale(Side::Sell, fair, floor);
        }
        let side = side_of(self.rng.sign());
        let levels = floor.engine.level_count(side);
        if levels < LEVELS_MIN + 4 * SWEEP_LEVELS_MAX {
            let distance = self.far_distance();
            return self.place_behind(side, distance, touch, floor);
        }
        let takes = if self.regime == Regime::Calm { 60 } else { 100 };
        // Adds and cancels balance at the target, and pull towards it from both sides.
        let adds = (470 * (2 * LEVELS_TARGET).saturating_sub(levels) / LEVELS_TARGET) as u64;
        match self.rng.below(1000) {
            roll if roll < takes => self.take_at_market(side, floor),
            roll if roll < takes + 30 => self.reduce_one(side, floor),
            roll if roll < takes + 30 + adds => self.add(side, touch, floor),
            _ => self.cancel_one(side, levels > LEVELS_TARGET, floor),
        }
    }

    /// Draws when the next operation comes.
    pub fn gap(&mut self, engine: &MatchingEngine) -> Gap {
        let spread = match (engine.best(Side::Buy), engine.best(Side::Sell)) {
            (Some(bid), Some(ask)) => (ask.price.0 - bid.price.0) / self.tick,
            _ => i64::MAX,
        };
        if self.batch_left > 0 || spread > SPREAD_TICKS_MAX {
            self.batch_left = self.batch_left.saturating_sub(1);
            return Gap { nanos: 1 + self.rng.exponential(self.step_gap_ns), ends_batch: false };
        }
        self.batch_left = self.rng.exponential(2 * BATCH_MEAN - 1) / 2;
        let speed = if self.regime == Regime::Burst { BURST_SPEED } else { 1 };
        Gap { nanos: 1 + self.rng.exponential(self.batch_gap_ns / speed), ends_batch: true }
    }

    fn fair(&self) -> i64 {
        self.fair_q16 >> 16
    }

    fn move_fair(&mut self, now: Time, mid: i64) {
        if now.0 >= self.regime_ends {
            self.change_regime(now);
        }
        let elapsed = now.0.saturating_sub(self.moved).min(NANOS_PER_S);
        self.moved = now.0;
        let fair = i128::from(self.fair_q16);
        let sigma_1s = fair * VOLATILITY_PPM / 1_000_000;
        let (speed, drift_1s) = match self.regime {
            Regime::Calm => (1, 0),
            Regime::Trend(sign) => (1, i128::from(sign) * sigma_1s),
            Regime::Burst => (4, 0),
        };
        // A triangular draw on ±2^16 has a standard deviation of 2^16/√6: 160,521 is √6 times 2^16.
        let draw = i128::from(self.rng.below(1 << 16)) - i128::from(self.rng.below(1 << 16));
        let root = i128::from(elapsed.isqrt());
        let noise = speed * sigma_1s * root * draw * 160_521 / 31_623 / (1 << 32);
        let elapsed = i128::from(elapsed);
        let drift = drift_1s * elapsed / i128::from(NANOS_PER_S);
        let home = (i128::from(self.opening_q16) - fair) * elapsed / REVERSION_NS;
        let moved = i64::try_from(fair + noise + drift + home).unwrap_or(self.opening_q16);
        // The book follows by trading, a few levels at a time: it must not be left behind.
        let reach = 12 * self.spacing + 4;
        self.fair_q16 = moved
            .clamp((mid - reach) << 16, (mid + reach) << 16)
            .clamp(self.opening_q16 / 2, self.opening_q16 * 2);
    }

    fn change_regime(&mut self, now: Time) {
        let (regime, mean_ms) = match self.rng.below(10) {
            0..=4 => (Regime::Calm, 15_000),
            5..=7 => (Regime::Trend(self.rng.sign()), 8_000),
            _ => (Regime::Burst, 1_500),
        };
        self.regime = regime;
        self.regime_ends = now.0 + 200_000_000 + self.rng.exponential(mean_ms * 1_000_000);
    }

    /// Someone steps in at the touch farther from the fair value.
    fn close_spread(&mut self, touch: Touch, floor: &mut Floor<'_>) {
        let Touch { bid, ask } = touch;
        let (fair, back) = (self.fair(), self.rng.below(2) as i64);
        if fair - bid >= ask - fair {
            self.place(Side::Buy, (fair.min(ask - 1) - back).max(bid + 1), floor);
        } else {
            self.place(Side::Sell, (fair.max(bid + 1) + back).min(ask - 1), floor);
        }
    }

    /// Someone takes what rests on the wrong side of the fair value, up to it.
    fn take_stale(&mut self, side: Side, fair: i64, floor: &mut Floor<'_>) {
        let levels = 1 + self.rng.below(SWEEP_LEVELS_MAX as u64) as usize;
        let tif = if self.rng.chance(50) { TimeInForce::Fok } else { TimeInForce::Ioc };
        let Some(there) = self.sweepable(side, levels, floor.engine) else { return };
        let lots = if self.rng.chance(250) { there } else { 1 + self.rng.below(there) };
        let (kind, price) = (OrderKind::Limit, Price(fair * self.tick));
        self.submit(NewOrder { account: FLOW_ACCOUNT, side, kind, tif, price, qty: Qty(0) }, lots, floor);
    }

    fn take_at_market(&mut self, side: Side, floor: &mut Floor<'_>) {
        let side = match self.regime {
            Regime::Trend(sign) if self.rng.chance(300) => side_of(sign),
            _ => side,
        };
        let Some(there) = self.sweepable(side, SWEEP_LEVELS_MAX, floor.engine) else { return };
        let lots = self.rng.heavy_tailed(self.base_lots.div_ceil(8), 12).min(there);
        let (kind, tif) = (OrderKind::Market, TimeInForce::Ioc);
        let order = NewOrder { account: FLOW_ACCOUNT, side, kind, tif, price: Price(0), qty: Qty(0) };
        self.submit(order, lots, floor);
    }

    /// Lots in the best `levels` levels a taker of `side` meets; `None` where the side is too thin to lose any.
    fn sweepable(&self, side: Side, levels: usize, engine: &MatchingEngine) -> Option<u64> {
        if engine.level_count(side.opposite()) < LEVELS_MIN + SWEEP_LEVELS_MAX {
            return None;
        }
        let depth = engine.depth(side.opposite()).take(levels);
        let units = depth.fold(0i64, |sum, level| sum.saturating_add(level.qty.0));
        Some((units / self.lot) as u64)
    }

    fn add(&mut self, side: Side, touch: Touch, floor: &mut Floor<'_>) {
        let distance = match self.rng.below(100) {
            0..=34 => 0,
            35..=49 => self.rng.below(3) as i64,
            50..=69 => {
                // Evenly over the logarithm of the distance: dense near the touch.
                let reach = self.spacing << self.rng.below(8);
                self.rng.below(reach as u64 + 1) as i64
            }
            _ => self.far_distance(),
        };
        self.place_behind(side, distance, touch, floor);
    }

    fn far_distance(&mut self) -> i64 {
        1 + self.rng.below(400 * self.spacing as u64) as i64
    }

    /// Places an order `distance` ticks behind where its side would quote now: at most the fair value, and never
    /// through the other side.
    fn place_behind(&mut self, side: Side, distance: i64, touch: Touch, floor: &mut Floor<'_>) {
        let half = self.rng.below(2) as i64;
        let ticks = match side {
            Side::Buy => (touch.ask - 1).min(self.fair() - half) - distance,
            Side::Sell => (touch.bid + 1).max(self.fair() + half) + distance,
        };
        self.place(side, ticks, floor);
    }

    fn place(&mut self, side: Side, ticks: i64, floor: &mut Floor<'_>) {
        let kind = if self.rng.chance(200) { OrderKind::PostOnly } else { OrderKind::Limit };
        let lots = self.rng.heavy_tailed(self.base_lots, 8);
        let (tif, price) = (TimeInForce::Gtc, Price(ticks.max(1) * self.tick));
        let order = NewOrder { account: FLOW_ACCOUNT, side, kind, tif, price, qty: Qty(0) };
        if let Some(number) = self.submit(order, lots, floor) {
            self.live[side as usize].push(number);
        }
    }

    fn submit(&self, order: NewOrder, lots: u64, floor: &mut Floor<'_>) -> Option<u64> {
        let qty = Qty(lots.min(self.max_lots) as i64 * self.lot);
        floor.engine.submit(&NewOrder { qty, ..order }, floor.events)
    }

    /// Cancels a random order of a side; where the side is deep, the farthest of four.
    fn cancel_one(&mut self, side: Side, far: bool, floor: &mut Floor<'_>) {
        let mut chosen: Option<(i64, u64)> = None;
        for _ in 0..if far { 4 } else { 1 } {
            let Some(number) = self.pick(side, floor.engine) else { return };
            let Some(order) = floor.engine.order(number) else { continue };
            let distance = -sign(side) * order.price.0;
            chosen = chosen.max(Some((distance, number)));
        }
        if let Some((_, number)) = chosen {
            floor.engine.cancel(number, floor.events);
        }
    }

    fn reduce_one(&mut self, side: Side, floor: &mut Floor<'_>) {
        let Some(order) = self.pick(side, floor.engine).and_then(|number| floor.engine.order(number)) else {
            return;
        };
        let half = order.leaves.0 / self.lot / 2;
        if half > 0 {
            floor.engine.reduce(order.order, Qty(half * self.lot), floor.events);
        }
    }

    /// A random order of a side that still rests; forgets those it meets that do not.
    fn pick(&mut self, side: Side, engine: &MatchingEngine) -> Option<u64> {
        let live = &mut self.live[side as usize];
        while !live.is_empty() {
            let at = self.rng.below(live.len() as u64) as usize;
            let number = live[at];
            if engine.order(number).is_some() {
                return Some(number);
            }
            live.swap_remove(at);
        }
        None
    }
}

/// +1 for bids, -1 for asks.
fn sign(side: Side) -> i64 {
    match side {
        Side::Buy => 1,
        Side::Sell => -1,
    }
}

fn side_of(sign: i64) -> Side {
    if sign > 0 { Side::Buy } else { Side::Sell }
}
