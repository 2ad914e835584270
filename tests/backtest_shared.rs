//! What runs share, and what they pass over, changes nothing: against the same run with nothing kept, in which every event
//! is handled.

mod support {
    pub mod backtest;
    pub mod history;
}

use algo_trader::domain::event::Trade;
use algo_trader::domain::params::{ParamKind, ParamSpec};
use algo_trader::domain::{Event, InstrumentId, Passed, PlaceError, Price, Qty, Slot, Stretch, Time};
use algo_trader::history::Catalogue;
use algo_trader::history::catalogue::SeriesKind;
use algo_trader::market::book::BookKeeper;
use algo_trader::market::{Bar, Top};
use algo_trader::pipeline::{Lull, Stage, Threading, Wait};
use algo_trader::run::backtest::{BacktestOptions, Kept, Ran, Source, run_backtest};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::pipeline::TradingStage;
use algo_trader::run::sweep::{Axis, Backtests, Choice, Done, Search, Space, Task, search};
use algo_trader::run::{Config, PipelineOptions};
use algo_trader::statistics::outcome::Conventions;
use algo_trader::strategy::{Awaited, Condition, Context, IndicatorHandle, Measured, Strategy, StrategySpec};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::backtest::{BEGIN, MINUTE, config, minutes, quote, rows, trade};
use support::history::Rng;
use tempfile::tempdir;

const XYZ: &str = "usa:spot:XYZ";
const ABC: &str = "usa:spot:ABC";

/// Bars with gaps, and some that stand still.
fn walk(seed: u64, bars: usize) -> Vec<[i64; 4]> {
    let mut rng = Rng(seed);
    let mut price = 10_000i64;
    (0..bars)
        .map(|_| {
            let open = (price + rng.below(41) as i64 - 20).max(1_000);
            if rng.below(8) == 0 {
                price = open;
                return [open; 4];
            }
            price = (open + rng.below(121) as i64 - 60).max(1_000);
            let (high, low) =
                (open.max(price) + rng.below(40) as i64, open.min(price) - rng.below(40) as i64);
            [open, high, low, price]
        })
        .collect()
}

/// Does now and then whatever a strategy can do.
struct Restless {
    rng: Rng,
    heeds: bool,
    waits: bool,
    average: IndicatorHandle,
    of: InstrumentId,
}

impl Restless {
    fn act(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId) {
        let Some(top) = ctx.quote(instrument) else { return };
        let price = top.bid.price.0;
        let qty = Qty(1_000 + self.rng.below(3) as i64 * 1_000);
        let near = Price(price + self.rng.below(121) as i64 - 60);
        let buys = self.rng.below(2) == 0;
        let (below, above) = (Price(price - 45), Price(price + 45));
        let request = |ctx: &mut Context<'_>| -> Option<()> {
            let order = if buys { ctx.buy(instrument, qty) } else { ctx.sell(instrument, qty) };
            let order = match price % 5 {
                0 => order.at_limit(near),
                1 if buys => order.stop_at(above),
                1 => order.stop_at(below),
                2 => order.at_limit(near).good_till(GOOD_TILL),
                _ => order.at_market(),
            };
            order.send().ok().map(drop)
        };
        let _ = match self.rng.below(14) {
            0..=2 => request(ctx),
            3 => {
                ctx.bracket(instrument, side(buys), qty).at_market().trail_by(Price(50)).send().ok().map(drop)
            }
            4 | 5 => {
                let (stop, target) = if buys { (below, above) } else { (above, below) };
                let entry = ctx.bracket(instrument, side(buys), qty).at_market();
                entry.stop_at(stop).take_profit_at(target).send().ok().map(drop)
            }
            6 => ctx.wake_after(Duration::from_secs(self.rng.below(200))).ok().map(drop),
            7..=9 => {
                let held = ctx.position(instrument).qty.0;
                match held {
                    0 => None,
                    held if held > 0 => ctx.sell(instrument, Qty(held)).at_market().send().ok().map(drop),
                    held => ctx.buy(instrument, Qty(-held)).at_market().send().ok().map(drop),
                }
            }
            _ => {
                let open: Vec<_> = ctx.open_orders(instrument).map(|o| o.order.id).collect();
                open.into_iter().for_each(|id| assert_ne!(ctx.cancel(id), Err(PlaceError::UnknownOrder)));
                None
            }
        };
    }
}

/// When some of its orders end.
const GOOD_TILL: Time = Time(BEGIN + 300 * MINUTE);

fn side(buys: bool) -> algo_trader::domain::Side {
    if buys { algo_trader::domain::Side::Buy } else { algo_trader::domain::Side::Sell }
}

impl Strategy for Restless {
    fn heeds_quotes(&self) -> bool {
        self.heeds
    }
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, _top: &Top) {
        if self.heeds && self.rng.below(12) == 0 {
            self.act(ctx, instrument);
        }
    }
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        // Long stretches in which nothing is done, begun by what an indicator says.
        let rises = ctx.indicator(self.average).is_some_and(|v| bar.close.0 as f64 * 0.01 > v[0]);
        if bar.instrument != self.of || (rises && self.rng.below(3) == 0) {
            self.act(ctx, bar.instrument);
        }
    }
    fn awaits(&self, instrument: InstrumentId, _held: Qty) -> Awaited {
        match self.waits && instrument == self.of {
            true => Awaited::when(Condition::above(Measured::Close, self.average)),
            false => Awaited::ANY_BAR,
        }
    }
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        if self.rng.below(400) < 3 {
            self.act(ctx, trade.instrument);
        }
    }
    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        self.act(ctx, self.of);
    }
}

const fn number(name: &'static str, default: i64) -> ParamSpec {
    ParamSpec { name, doc: "", kind: ParamKind::Integer { min: 0, max: 1_000, default } }
}

static STRATEGIES: &[StrategySpec] = &[StrategySpec {
    name: "restless",
    doc: "does now and then whatever a strategy can do",
    params: &[number("seed", 1), number("heeds", 0), number("waits", 0), number("period", 9)],
    build: |setup| {
        let of = setup.instruments[0];
        let average = setup.indicator(of, "ema", &[setup.params.integer("period").max(1)])?;
        let rng = Rng(setup.params.integer("seed") as u64 * 77 + 5);
        let is = |name| setup.params.integer(name) != 0;
        let (heeds, waits) = (is("heeds"), is("waits"));
        Ok(Box::new(Restless { rng, heeds, waits, average, of }))
    },
}];

/// A stage that counts the slots that it is handed, and, where it is alert, is never calm.
struct Counting {
    stage: TradingStage,
    alert: bool,
    slots: Arc<AtomicU64>,
    /// How many of them closed a bar.
    closes: Arc<AtomicU64>,
}

impl Stage<BookKeeper> for Counting {
    fn name(&self) -> &'static str {
        self.stage.name()
    }
    fn wants_levels(&self) -> bool {
        self.stage.wants_levels()
    }
    fn on_slot(&mut self, seq: u64, slot: &Slot, shared: &BookKeeper) {
        self.slots.fetch_add(1, Ordering::Relaxed);
        if let Event::Kline(bar) = slot.event() {
            self.closes.fetch_add(u64::from(bar.closed), Ordering::Relaxed);
        }
        self.stage.on_slot(seq, slot, shared);
    }
    fn room(&self) -> u64 {
        self.stage.room()
    }
    fn ends_events(&self) -> bool {
        self.stage.ends_events()
    }
    fn on_event_end(&mut self) -> bool {
        self.stage.on_event_end()
    }
    fn is_calm(&self, lull: &Lull) -> bool {
        !self.alert && self.stage.is_calm(lull)
    }
    fn pass_over(&mut self, seq: u64, price: Price, lull: &Lull) {
        self.stage.pass_over(seq, price, lull);
    }
    fn shorten(&mut self, stretch: &mut Stretch<'_>) {
        self.stage.shorten(stretch);
    }
    fn is_calm_in_trades(&self, instrument: InstrumentId) -> bool {
        !self.alert && self.stage.is_calm_in_trades(instrument)
    }
    fn wakes_at(&self) -> Time {
        self.stage.wakes_at()
    }
    fn is_told(&self) -> bool {
        self.stage.is_told()
    }
    fn pass_over_trades(&mut self, seq: u64, trades: &[Slot]) {
        self.stage.pass_over_trades(seq, trades);
    }
    fn pass_over_bars(&mut self, passed: Passed, stretch: &Stretch<'_>) {
        self.stage.pass_over_bars(passed, stretch);
    }
    fn on_finish(&mut self) {
        self.stage.on_finish();
    }
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self.stage.into_any()
    }
}

/// A run, and how many slots its stages were handed, and how many of those closed a bar.
fn run(config: &Config, catalogue: &Catalogue, alert: bool, kept: Option<Arc<Kept>>) -> (Ran, u64, u64) {
    let (slots, closes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (counted, closed) = (Arc::clone(&slots), Arc::clone(&closes));
    let pipeline = PipelineOptions {
        strategies: STRATEGIES,
        wrap: Some(Box::new(move |stage| {
            Box::new(Counting { stage, alert, slots: Arc::clone(&counted), closes: Arc::clone(&closed) })
        })),
        ..PipelineOptions::default()
    };
    let options = BacktestOptions { decisions: true, pipeline, kept, ..BacktestOptions::default() };
    let ran = run_backtest(config, Source::History(catalogue), options).expect("runs");
    (ran, slots.load(Ordering::Relaxed), closes.load(Ordering::Relaxed))
}

fn assert_same(one: &Ran, other: &Ran, what: &str) {
    assert_eq!(one.summary.order_stream_sha256, other.summary.order_stream_sha256, "{what}");
    assert_eq!(one.decisions, other.decisions, "{what}");
    assert_eq!((one.events, &one.summary.denials), (other.events, &other.summary.denials), "{what}");
    assert_eq!(one.summary.execution, other.summary.execution, "{what}");
    assert!(one.outcome == other.outcome, "{what}");
}

fn restless(seed: u64, instruments: &str, more: &str) -> String {
    format!(
        "{more}\n[[strategy]]\nname = \"restless\"\ninstruments = [{instruments}]\n[strategy.params]\nseed = {seed}\n\
         heeds = {}\nwaits = {}",
        seed % 2,
        u8::from(seed % 4 != 2),
    )
}

#[test]
fn what_is_passed_over_and_what_is_kept_changes_nothing() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(3, 400));
    minutes(dir.path(), ABC, &walk(4, 333));
    let (mut passed, mut whole_bars, mut orders, mut closed) = (0, 0, 0, 0);
    for seed in 1..=24u64 {
        let instruments =
            if seed % 3 == 0 { "\"usa:spot:XYZ\", \"usa:spot:ABC\"" } else { "\"usa:spot:XYZ\"" };
        let path = ["adverse", "favourable", "nearest", "low-first"][seed as usize % 4];
        // Points of equity often, answers at once and late, and losses that throw the switch in some runs.
        let more = format!(
            "[backtest]\npath = \"{path}\"\nequity_seconds = {}\norder_latency = \"{}\"",
            [45, 60, 3_600][seed as usize % 3],
            ["0s", "30s", "2ms", "90s"][seed as usize / 2 % 4]
        );
        let (mut config, catalogue) = config(dir.path(), &[XYZ, ABC], &restless(seed, instruments, &more));
        if seed % 5 == 0 {
            config.risk.limits.losses.strategy_daily_max = 60_000_000;
            config.risk.limits.losses.velocity_max = 80_000_000;
        }
        if seed % 4 == 1 {
            let (from, until) = (Time(BEGIN + 50 * MINUTE), Time(BEGIN + 301 * MINUTE));
            (config.backtest.from, config.backtest.until) = (Some(from), Some(until));
        }
        let (whole, all_slots, all_closes) = run(&config, &catalogue, true, None);
        let (calm, slots, closes) = run(&config, &catalogue, false, None);
        let what = format!("seed {seed}: {all_slots} slots, {slots} of them handled");
        assert_same(&whole, &calm, &what);
        let b = &config.backtest;
        let kept = Arc::new(Kept::new(b.from, b.until, 1 << 30));
        for _ in 0..2 {
            let (shared, ..) = run(&config, &catalogue, false, Some(Arc::clone(&kept)));
            assert_same(&whole, &shared, &what);
        }
        assert!(kept.bytes() > 0, "{what}");
        // Hardly any room: bars are read, and indicators computed, by the run itself.
        let little = Arc::new(Kept::new(b.from, b.until, 64));
        assert_same(&whole, &run(&config, &catalogue, false, Some(little)).0, &what);
        assert!(slots < all_slots, "{what}");
        passed += all_slots - slots;
        whole_bars += all_closes - closes;
        orders += whole.summary.execution.orders;
        closed += whole.outcome.trips.iter().filter(|trip| trip.exit_time.is_some()).count();
    }
    // Of six stages each.
    assert!(whole_bars > 6 * 500, "{whole_bars}");
    assert!(passed > 20_000 && orders > 1_000 && closed > 300, "{passed} {orders} {closed}");
}

#[test]
fn what_the_built_in_strategies_do_not_wait_for_is_passed_over_and_changes_nothing() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(11, 4_000));
    let cases = [
        ("ma-cross", "fast = 5\nslow = 20\nqty = \"1\"\nstop_bps = 0"),
        ("ma-cross", "fast = 8\nslow = 90\nqty = \"1\"\nstop_bps = 40"),
        ("ma-cross", "fast = 20\nslow = 50\ncapital = \"5000\"\nstop_bps = 0"),
        ("rsi-reversion", "rsi_period = 9\nqty = \"1\""),
        ("rsi-reversion", "oversold = 40.0\noverbought = 60.0\nbb_deviations = 1.0\nqty = \"1\""),
    ];
    for (n, (name, params)) in cases.into_iter().enumerate() {
        for seconds in [45, 3_600, 86_400] {
            let strategy = |label: &str| {
                format!(
                    "[[strategy]]\nname = \"{name}\"\nlabel = \"{label}\"\ninstruments = [\"{XYZ}\"]\n\
                     [strategy.params]\n{params}\n"
                )
            };
            // Two of a kind, and with another, act at other bars.
            let other = "[[strategy]]\nname = \"ma-cross\"\nlabel = \"other\"\ninstruments = [\"usa:spot:XYZ\"]\n\
                         [strategy.params]\nfast = 3\nslow = 200\nqty = \"2\"\nstop_bps = 0\n";
            let more = if n % 2 == 0 { strategy("two") } else { other.to_owned() };
            let text = format!("[backtest]\nequity_seconds = {seconds}\n{}{more}", strategy("one"));
            let (config, catalogue) = config(dir.path(), &[XYZ], &text);
            let (whole, _, all_closes) = run(&config, &catalogue, true, None);
            let (calm, _, closes) = run(&config, &catalogue, false, None);
            let what = format!("{name} {params}: {closes} of {all_closes}");
            assert_same(&whole, &calm, &what);
            assert_eq!(whole.outcome.equity, calm.outcome.equity, "{what}");
            let kept = Arc::new(Kept::new(None, None, 1 << 30));
            assert_same(&whole, &run(&config, &catalogue, false, Some(kept)).0, &what);
            assert!(closes * 2 < all_closes, "{what}");
            assert!(whole.outcome.fills.len() > 10, "{what}: {} fills", whole.outcome.fills.len());
        }
    }
}

/// Trades of an instrument, some at one moment, between them aggregate ones that are not to be traded by, and where `quotes`
/// a quote now and then.
fn ticks(dir: &Path, name: &str, seed: u64, count: u64, quotes: bool) {
    let mut rng = Rng(seed);
    let (mut time, mut price) = (BEGIN, 10_000i64);
    let (mut trades, mut tops) = (Vec::new(), Vec::new());
    for _ in 0..count {
        time += rng.below(4) * 700_000 * rng.below(90);
        price = (price + rng.below(21) as i64 - 10).max(1_000);
        let aggressor = side(rng.below(2) == 0);
        trades.push(trade(time, price, 1_000 + rng.below(9_000) as i64, aggressor, false));
        // Aggregate ones too, as a recording has them beside the others.
        if time % 5 == 0 {
            trades.push(trade(time, price + 40, 500, aggressor, true));
        }
        if rng.below(12) == 0 {
            tops.push(quote(time + 1, (price - 2, 5_000), (price + 2, 5_000)));
        }
    }
    rows(dir, name, SeriesKind::Trades, &trades);
    if quotes {
        rows(dir, name, SeriesKind::Quotes, &tops);
    }
}

#[test]
fn trades_in_runs_do_what_they_do_one_by_one() {
    let dir = tempdir().expect("a directory");
    ticks(dir.path(), XYZ, 21, 9_000, false);
    ticks(dir.path(), ABC, 22, 4_000, true);
    let (mut passed, mut orders, mut denials) = (0, 0, Vec::new());
    for seed in 1..=16u64 {
        let both = "\"usa:spot:XYZ\", \"usa:spot:ABC\"";
        let instruments =
            [both, "\"usa:spot:XYZ\"", "\"usa:spot:XYZ\"", "\"usa:spot:ABC\""][seed as usize % 4];
        let more = format!(
            "[backtest]\nequity_seconds = {}\norder_latency = \"{}\"",
            [45, 60, 3_600][seed as usize % 3],
            ["0s", "30s", "2ms", "9s"][seed as usize / 2 % 4]
        );
        let (mut config, catalogue) = config(dir.path(), &[XYZ, ABC], &restless(seed, instruments, &more));
        // With two instruments too, of which one is held near its limit while the other trades.
        if seed % 5 == 0 || seed % 8 == 4 {
            config.risk.limits.losses.strategy_daily_max = 60_000_000;
            config.risk.limits.losses.velocity_max = 80_000_000;
        }
        if seed % 7 == 1 {
            let (from, until) = (Time(BEGIN + MINUTE), Time(BEGIN + 3 * MINUTE));
            (config.backtest.from, config.backtest.until) = (Some(from), Some(until));
        }
        let (whole, all_slots, _) = run(&config, &catalogue, true, None);
        let (calm, slots, _) = run(&config, &catalogue, false, None);
        let what = format!("seed {seed}: {all_slots} slots, {slots} of them handled");
        assert_same(&whole, &calm, &what);
        let kept = Arc::new(Kept::new(config.backtest.from, config.backtest.until, 1 << 30));
        assert_same(&whole, &run(&config, &catalogue, false, Some(kept)).0, &what);
        passed += all_slots - slots;
        orders += whole.summary.execution.orders;
        denials.extend(whole.summary.denials.iter().map(|denial| denial.0));
    }
    let killed = denials.iter().any(|reason| reason.contains("loss"));
    assert!(passed > 100_000 && orders > 1_000 && killed, "{passed} {orders} {denials:?}");
}

#[test]
fn a_part_of_what_is_kept_is_that_part_of_what_is_read() {
    let dir = tempdir().expect("a directory");
    ticks(dir.path(), XYZ, 23, 3_000, true);
    minutes(dir.path(), XYZ, &walk(8, 60));
    minutes(dir.path(), ABC, &walk(9, 60));
    let both = "\"usa:spot:XYZ\", \"usa:spot:ABC\"";
    let (mut config, catalogue) = config(dir.path(), &[XYZ, ABC], &restless(3, both, ""));
    let kept = Arc::new(Kept::new(None, None, 1 << 30));
    let mut rng = Rng(31);
    for _ in 0..40 {
        // At the end of a bar, right before, right after, and within it.
        let mut edge = || {
            let minute = BEGIN + MINUTE * rng.below(25);
            Time((minute + [0, 0, 1, MINUTE / 3][rng.below(4) as usize]).saturating_sub(rng.below(2)))
        };
        let (one, other) = (edge(), edge());
        let (from, until) = (one.min(other), one.max(other).plus_nanos(2 * MINUTE));
        (config.backtest.from, config.backtest.until) = (Some(from), Some(until));
        let (read, ..) = run(&config, &catalogue, true, None);
        let (shared, ..) = run(&config, &catalogue, true, Some(Arc::clone(&kept)));
        assert_same(&read, &shared, &format!("from {from} until {until}"));
        assert_eq!(read.events, shared.events);
    }
}

#[test]
fn stages_on_other_threads_pass_nothing_over_and_do_the_same() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(5, 300));
    let (config, catalogue) = config(dir.path(), &[XYZ], &restless(2, "\"usa:spot:XYZ\"", ""));
    let on = |threading| {
        let pipeline = PipelineOptions {
            strategies: STRATEGIES,
            threading: Some(threading),
            wait: Some(Wait::Yield),
            oversubscribe: true,
            ..PipelineOptions::default()
        };
        let options = BacktestOptions { decisions: true, pipeline, ..BacktestOptions::default() };
        run_backtest(&config, Source::History(&catalogue), options).expect("runs")
    };
    assert_same(&on(Threading::Inline), &on(Threading::Shared), "shared");
}

fn swept(backtests: &Backtests<'_>, space: &Space, workers: usize, parts: u64) -> Vec<Done> {
    let whole = backtests.whole().expect("there is data");
    let points = space.points(Choice::Grid).expect("few");
    let span = |part: u64| {
        let at = |n: u64| Time(whole.from.0 + (whole.until.0 - whole.from.0) * n / parts);
        algo_trader::run::sweep::Span { from: at(part), until: at(part + 1) }
    };
    let tasks: Vec<Task> = (0..parts)
        .flat_map(|part| {
            points.iter().map(move |&point| Task { with_equity: true, ..Task::of(point, span(part)) })
        })
        .collect();
    let stop = Interrupt::default();
    let mut all =
        Search { evaluate: backtests, space, workers, results: None, stop: &stop, progress: &mut |_| {} };
    search(&mut all, &tasks).expect("runs")
}

#[test]
fn a_sweep_that_shares_is_one_that_does_not_whatever_room_there_is() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &walk(6, 500));
    let (config, catalogue) = config(dir.path(), &[XYZ], &restless(2, "\"usa:spot:XYZ\"", ""));
    let axis = |text: &str| Axis::parse(text).expect("an axis");
    let space = Space::new(vec![axis("seed=1..3"), axis("period=2..10:4")]).expect("a space");
    let made = |bytes: Option<usize>| {
        let (stop, by) = (Interrupt::default(), Conventions::default());
        let backtests =
            Backtests::new(&config, &catalogue, STRATEGIES, &space, stop, by).expect("parameters");
        match bytes {
            Some(bytes) => backtests.sharing(bytes),
            None => backtests,
        }
    };
    for parts in [1, 3] {
        let nothing = swept(&made(Some(0)), &space, 1, parts);
        assert!(nothing.iter().all(|one| one.result.is_ok()), "{:?}", nothing[0]);
        // All of it; the bars and one stretch of indicators, or so; the bars alone; not even those.
        for bytes in [None, Some(94_000), Some(65_000), Some(10_000)] {
            let backtests = made(bytes);
            for workers in [1, 2] {
                let done = swept(&backtests, &space, workers, parts);
                assert_eq!(done, nothing, "{bytes:?} bytes, {workers} workers, {parts} parts");
            }
            let (kept, most) = (backtests.shared_bytes(), bytes.unwrap_or(usize::MAX));
            assert!(kept <= most && (kept > 0) == (most > 10_000), "{kept} of {most} bytes");
        }
    }
}
