//! A bench for strategies: their authors say what the market does, and see what the strategy does.
//!
//! What runs is the pipeline that trades, in the test's own thread: books, bars and indicators, the order manager, risk, order
//! states, and the paper venue that fills. Nothing is written to a disk and nothing is random, so a test that passes once
//! passes always. A recording or a history is for a replay or a backtest; a bench is for a handful of events.
//!
//! ```
//! use algo_trader::domain::{OrderStatus, Side};
//! use algo_trader::testing::{Bench, Happened};
//!
//! let config = r#"
//!     [instruments]
//!     files = ["instruments/binance-spot.toml"]
//!     [market]
//!     bar = "time:60s"
//!     [risk]
//!     unset = "default"
//!     [[strategy]]
//!     name = "ma-cross"
//!     instruments = ["binance:spot:BTCUSDT"]
//!     [strategy.params]
//!     fast = 2
//!     slow = 4
//!     qty = "0.01"
//! "#;
//! let mut bench = Bench::of(config, &[]).expect("a good configuration");
//! let btc = bench.instrument("binance:spot:BTCUSDT");
//! bench.quote(btc, "60000.00", "60000.01");
//! for close in ["60000", "59990", "59980", "59970", "60100", "60200"] {
//!     bench.bar(btc, [close; 4], "1");
//! }
//! let bought = bench.happened().into_iter().find_map(|happened| match happened {
//!     Happened::Changed { order, .. } if order.status == OrderStatus::Filled => Some(order.order.side),
//!     _ => None,
//! });
//! assert_eq!(bought, Some(Side::Buy));
//! ```

use crate::domain::decimal::{self, Scaled};
use crate::domain::event::{Command, DepthHead, Kind, Report, Trade};
use crate::domain::order::OrderState;
use crate::domain::{
    DenyReason, Instrument, InstrumentId, Level, OrderId, Position, Price, Qty, Side, Slot, StrategyId, Time,
};
use crate::market::book::Book;
use crate::market::{Bar, BarSpec, Top};
use crate::pipeline::Threading;
use crate::run::config::ConfigError;
use crate::run::{Config, Pipeline, PipelineError, PipelineOptions, Summary};
use crate::strategy::{Awaited, Context, Protection, Strategy, StrategySpec};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When a bench begins: 2024-01-01T00:00:00Z.
const BEGINS: Time = Time(1_704_067_200_000_000_000);
/// From one event to the next.
const STEP: Duration = Duration::from_millis(100);

/// What a strategy did, or was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It has an order that it did not have before: one that it asked for, or that the order manager made for it.
    Placed(OrderState),
    /// One of its orders changed; `denied` says why, if risk denied it.
    Changed {
        /// As it is now.
        order: OrderState,
        /// Why risk denied it, if it did.
        denied: Option<DenyReason>,
    },
    /// One of its orders traded.
    Filled(Report),
}

/// Why there is no bench.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The configuration is not good.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its strategies cannot be made.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// What one strategy has, as of its last call.
#[derive(Debug, Default)]
struct Standing {
    orders: BTreeMap<OrderId, OrderState>,
    positions: BTreeMap<InstrumentId, Position>,
    protections: Vec<Protection>,
}

/// What the strategies did.
#[derive(Debug, Default)]
struct Log {
    happened: Vec<(StrategyId, Happened)>,
    standing: BTreeMap<StrategyId, Standing>,
}

/// A book as it was given.
#[derive(Debug, Clone)]
struct Shown {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// See the module. Events are 100 ms apart; when a method returns, all that the event led to has happened: orders have
/// arrived and were answered, and what strategies made of the answers too.
///
/// Its methods take prices and quantities as they are written. They panic where a test made a mistake, such as a price
/// with more decimals than the instrument's, and where a strategy panics.
pub struct Bench {
    config: Config,
    pipeline: Pipeline,
    log: Arc<Mutex<Log>>,
    shown: Vec<Option<Shown>>,
    /// The last trade's id, by instrument.
    trades: Vec<u64>,
    updates: u64,
}

impl Bench {
    /// A bench of this configuration, with the built-in instrument files, and of these strategies beside the built-in ones.
    ///
    /// # Errors
    /// [`BenchError`]: what a run would be refused for.
    pub fn of(config: &str, strategies: &'static [StrategySpec]) -> Result<Self, BenchError> {
        Self::new(Config::from_text_with_built_in(config, "bench.toml")?, strategies)
    }

    /// A bench of a configuration that was read already: [`Config::load`] reads a file. Its journal is not written.
    ///
    /// # Errors
    /// [`BenchError`]: what a run would be refused for.
    pub fn new(mut config: Config, strategies: &'static [StrategySpec]) -> Result<Self, BenchError> {
        config.journal.path = None;
        let log = Arc::<Mutex<Log>>::default();
        let of = Arc::clone(&log);
        let options = PipelineOptions {
            threading: Some(Threading::Inline),
            by_hand: true,
            strategies,
            wrap_strategies: Some(Box::new(move |id, instruments, inner| {
                let log = Arc::clone(&of);
                Box::new(Watched { id, instruments: instruments.to_vec(), inner, log })
            })),
            ..PipelineOptions::default()
        };
        let mut pipeline = Pipeline::build(&config, options)?;
        let (shown, trades) = (vec![None; config.instruments.len()], vec![0; config.instruments.len()]);
        // Nothing is before it: no answer can be due.
        let begun = pipeline.sequencer.advance(BEGINS);
        debug_assert!(begun.is_ok());
        Ok(Self { config, pipeline, log, shown, trades, updates: 0 })
    }

    /// What it runs by.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The instrument of this name, `binance:spot:BTCUSDT`.
    ///
    /// # Panics
    /// Where the configuration has no such instrument.
    #[must_use]
    pub fn instrument(&self, name: &str) -> InstrumentId {
        let found = self.config.instruments.by_name(name);
        found.unwrap_or_else(|| panic!("the configuration has no instrument {name:?}")).id
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.pipeline.sequencer.time()
    }

    /// A price of an instrument, as it is written.
    ///
    /// # Panics
    /// Where it is none, or has more decimals than the instrument's prices.
    #[must_use]
    pub fn price(&self, instrument: InstrumentId, text: &str) -> Price {
        let of = self.config.instruments.get(instrument);
        Price(number(of, "price", text, of.price_decimals))
    }

    /// A quantity of an instrument, as it is written.
    ///
    /// # Panics
    /// Where it is none, or has more decimals than the instrument's quantities.
    #[must_use]
    pub fn qty(&self, instrument: InstrumentId, text: &str) -> Qty {
        let of = self.config.instruments.get(instrument);
        Qty(number(of, "quantity", text, of.qty_decimals))
    }

    /// The best bid and ask become these, a thousand of the base asset at each: the book is these two levels.
    ///
    /// # Panics
    /// See [`Bench`].
    pub fn quote(&mut self, instrument: InstrumentId, bid: &str, ask: &str) {
        self.book(instrument, &[(bid, "1000")], &[(ask, "1000")]);
    }

    /// The whole book becomes this: prices and quantities, the best first.
    ///
    /// # Panics
    /// See [`Bench`].
    pub fn book(&mut self, instrument: InstrumentId, bids: &[(&str, &str)], asks: &[(&str, &str)]) {
        let read =
            |levels: &[(&str, &str)]| levels.iter().map(|level| self.level(instrument, *level)).collect();
        let shown = Shown { bids: read(bids), asks: read(asks) };
        self.shown[instrument.index()] = Some(shown);
        self.step();
        self.show(instrument);
        self.settle();
    }

    /// A trade; `aggressor` is who crossed the spread.
    ///
    /// # Panics
    /// See [`Bench`].
    pub fn trade(&mut self, instrument: InstrumentId, price: &str, qty: &str, aggressor: Side) {
        let (price, qty) = (self.price(instrument, price), self.qty(instrument, qty));
        self.step();
        self.trade_now(instrument, price, qty, aggressor);
        self.settle();
    }

    /// A whole bar of the configured length: trades at its open, high, low and close (at the low before the high where it
    /// rose), a quarter of the volume each, the last right before its end so that its market is no old one to who acts on it,
    /// and the time that closes it. Its book, where there was one, stays as it is.
    ///
    /// # Panics
    /// See [`Bench`]; and where the configuration has no bars by time (`[market] bar`).
    pub fn bar(&mut self, instrument: InstrumentId, [open, high, low, close]: [&str; 4], volume: &str) {
        let spec = self.config.market.bar;
        let (BarSpec::Time { seconds }, Some(begins)) = (spec, spec.begins_from(self.now())) else {
            panic!("bars of {spec} are made by trades: give those")
        };
        let prices = [open, high, low, close].map(|price| self.price(instrument, price));
        let [open, high, low, close] = prices;
        assert!(low <= open.min(close) && high >= open.max(close), "{prices:?} are no bar");
        let (first, second) = if close > open { (low, high) } else { (high, low) };
        let volume = self.qty(instrument, volume);
        let quarter = Qty(volume.0 / 4);
        let (length, grace) = (Duration::from_secs(seconds.into()), self.config.market.bar_grace_ms);
        for (after, price, qty) in [
            (length / 5, open, Qty(volume.0 - 3 * quarter.0)),
            (length / 5 * 2, first, quarter),
            (length / 5 * 3, second, quarter),
            (length - STEP, close, quarter),
        ] {
            self.until(begins.plus(after));
            self.trade_now(instrument, price, qty, if price >= open { Side::Buy } else { Side::Sell });
            self.settle();
        }
        self.until(begins.plus(length).plus(Duration::from_millis(u64::from(grace) + 1)));
        self.show(instrument);
        self.settle();
    }

    /// Time passes, and nothing else happens: timers and the ends of orders come when they are due, to 100 ms.
    ///
    /// # Panics
    /// Where a strategy panics.
    pub fn pass(&mut self, duration: Duration) {
        self.until(self.now().plus(duration));
        self.settle();
    }

    /// The instrument's market data is lost, a trade with it: its book is not to be trusted until it is given anew, and its
    /// open bar is not whole.
    ///
    /// # Panics
    /// Where a strategy panics.
    pub fn lose(&mut self, instrument: InstrumentId) {
        self.shown[instrument.index()] = None;
        self.trades[instrument.index()] += 1;
        self.step();
        self.publish(Slot::interrupted(instrument));
        self.settle();
    }

    /// An operator, or the venue, has a say: what is killed, released, paused.
    ///
    /// # Panics
    /// Where a strategy panics.
    pub fn command(&mut self, command: Command) {
        self.step();
        self.publish(Slot::command(command));
        self.settle();
    }

    /// What the strategies did and were told since this was last asked, in order.
    #[must_use]
    pub fn happened(&mut self) -> Vec<Happened> {
        std::mem::take(&mut lock(&self.log).happened).into_iter().map(|(_, happened)| happened).collect()
    }

    /// Open orders of the first strategy, held ones among them.
    #[must_use]
    pub fn open_orders(&self) -> Vec<OrderState> {
        self.open_orders_of(StrategyId(0))
    }

    /// Open orders of a strategy, by its place in the configuration, held ones among them.
    #[must_use]
    pub fn open_orders_of(&self, strategy: StrategyId) -> Vec<OrderState> {
        let log = lock(&self.log);
        log.standing.get(&strategy).map(|own| own.orders.values().copied().collect()).unwrap_or_default()
    }

    /// What protects the first strategy's entries: what is covered, and where it is left.
    #[must_use]
    pub fn protections(&self) -> Vec<Protection> {
        self.protections_of(StrategyId(0))
    }

    /// What protects a strategy's entries, by its place in the configuration.
    #[must_use]
    pub fn protections_of(&self, strategy: StrategyId) -> Vec<Protection> {
        lock(&self.log).standing.get(&strategy).map(|own| own.protections.clone()).unwrap_or_default()
    }

    /// The position of the first strategy.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Position {
        self.position_of(StrategyId(0), instrument)
    }

    /// The position of a strategy, by its place in the configuration.
    #[must_use]
    pub fn position_of(&self, strategy: StrategyId, instrument: InstrumentId) -> Position {
        let log = lock(&self.log);
        let own = log.standing.get(&strategy);
        own.and_then(|own| own.positions.get(&instrument)).copied().unwrap_or_default()
    }

    /// Ends it, and says what a run would: results, fees, denials by reason, the order stream's hash.
    #[must_use]
    pub fn finish(self) -> Summary {
        Summary::collect(&self.config, self.pipeline, None, 0, Duration::ZERO, None)
    }

    fn level(&self, instrument: InstrumentId, (price, qty): (&str, &str)) -> Level {
        Level { price: self.price(instrument, price), qty: self.qty(instrument, qty) }
    }

    /// Publishes an instrument's book, if it was given one.
    fn show(&mut self, instrument: InstrumentId) {
        let Some(Shown { bids, asks }) = &self.shown[instrument.index()] else { return };
        self.updates += 1;
        let id = self.updates;
        let (bid_count, ask_count) = (bids.len() as u32, asks.len() as u32);
        let head = DepthHead {
            instrument,
            first_id: id,
            last_id: id,
            prev_id: 0,
            venue_time: Time(0),
            bids: bid_count,
            asks: ask_count,
        };
        let levels = [&bids[..], &asks[..]].concat();
        let published = self.pipeline.sequencer.publish_depth(Kind::DepthSnapshot, &head, &levels, 0);
        self.check(published);
    }

    fn trade_now(&mut self, instrument: InstrumentId, price: Price, qty: Qty, aggressor: Side) {
        let last = &mut self.trades[instrument.index()];
        *last += 1;
        let (id, venue_time) = (*last, self.now());
        let aggregate = self.config.venue.aggregates_alone();
        self.publish(Slot::trade(&Trade { instrument, price, qty, id, venue_time, aggressor, aggregate }));
    }

    /// Comes to the moment of the next event.
    fn step(&mut self) {
        let at = self.now().plus(STEP);
        let advanced = self.pipeline.sequencer.advance(at);
        self.check(advanced);
    }

    /// Lets time come to `until`, in steps, so that what is due on the way comes when it is.
    fn until(&mut self, until: Time) {
        while self.now() < until {
            let at = self.now().plus(STEP).min(until);
            let advanced = self.pipeline.sequencer.advance(at);
            self.check(advanced);
            self.publish(Slot::clock());
        }
    }

    fn publish(&mut self, slot: Slot) {
        let published = self.pipeline.sequencer.publish_own(slot);
        self.check(published);
    }

    /// Lets all that was begun come to its end.
    fn settle(&mut self) {
        let latency_ns = self.config.paper.order_latency_us.saturating_mul(1_000);
        let settled = self.pipeline.sequencer.run_on(latency_ns);
        self.check(settled);
    }

    fn check<E>(&self, result: Result<(), E>) {
        if result.is_err() {
            let why = self.pipeline.stop.reason().map(|reason| reason.to_string());
            panic!("{}", why.unwrap_or_else(|| "the run ended".to_owned()));
        }
    }
}

fn number(of: &Instrument, what: &str, text: &str, decimals: u8) -> i64 {
    decimal::parse(text.as_bytes(), decimals).unwrap_or_else(|error| {
        let unit = Scaled { value: 1, decimals };
        panic!("{what} {text:?} of {}: {error} (its smallest unit is {unit})", of.name())
    })
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    // Where a strategy panicked the test does, too; what was noted until then is true.
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A strategy, and what it does noted.
struct Watched {
    id: StrategyId,
    instruments: Vec<InstrumentId>,
    inner: Box<dyn Strategy>,
    log: Arc<Mutex<Log>>,
}

impl Watched {
    fn call(&mut self, ctx: &mut Context<'_>, call: impl FnOnce(&mut dyn Strategy, &mut Context<'_>)) {
        call(self.inner.as_mut(), ctx);
        let mut log = lock(&self.log);
        let Log { happened, standing } = &mut *log;
        let own = standing.entry(self.id).or_default();
        let had = std::mem::take(&mut own.orders);
        for &instrument in &self.instruments {
            own.positions.insert(instrument, ctx.position(instrument));
            own.orders.extend(ctx.open_orders(instrument).map(|order| (order.order.id, *order)));
        }
        own.protections = ctx.protections().to_vec();
        let new = own.orders.values().filter(|order| !had.contains_key(&order.order.id));
        happened.extend(new.map(|order| (self.id, Happened::Placed(*order))));
    }

    fn note(&self, what: Happened) {
        lock(&self.log).happened.push((self.id, what));
    }
}

impl Strategy for Watched {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, top: &Top) {
        self.call(ctx, |s, ctx| s.on_quote(ctx, instrument, top));
    }
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.call(ctx, |s, ctx| s.on_trade(ctx, trade));
    }
    fn on_book(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, book: &Book) {
        self.call(ctx, |s, ctx| s.on_book(ctx, instrument, book));
    }
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.call(ctx, |s, ctx| s.on_bar(ctx, bar));
    }
    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Report) {
        self.note(Happened::Filled(*fill));
        self.call(ctx, |s, ctx| s.on_fill(ctx, fill));
    }
    fn on_order(&mut self, ctx: &mut Context<'_>, order: &OrderState, denied: Option<DenyReason>) {
        self.note(Happened::Changed { order: *order, denied });
        self.call(ctx, |s, ctx| s.on_order(ctx, order, denied));
    }
    fn heeds_quotes(&self) -> bool {
        self.inner.heeds_quotes()
    }
    fn awaits(&self, instrument: InstrumentId, held: Qty) -> Awaited {
        self.inner.awaits(instrument, held)
    }
    fn on_timer(&mut self, ctx: &mut Context<'_>, timer: u64) {
        self.call(ctx, |s, ctx| s.on_timer(ctx, timer));
    }
}
