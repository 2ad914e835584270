//! Backtests: events a second on one core, all stages on: `cargo bench --bench backtest [-- MILLIONS]`; `-- sweep [BARS]
//! [POINTS]` runs the sweep alone.
//!
//! Over so many million made-up trades (default 10) a strategy keeps two exponential averages of the price and turns its
//! position at every cross, by market orders that pass risk, are hashed and fill; then the same history is only read,
//! which bounds what a backtest can do. Over a recording, where there is one, a market maker quotes both sides, anew
//! every 100 ms, against depth with a queue model; its rate is also told by rows, a changed level each, as some peers
//! count. Then a sweep: pairs of exponential averages, 1,000 unless told otherwise, over a million bars of a minute, each
//! pair a backtest with its own account; first with nothing shared, for a few, then sharing, by one worker and by as many
//! as there are cores, which each are given points for as long a time. How linear that is, is told by the wall clock, and
//! by the time that each worker had a core, since others may have the machine too. `--json` prints one object.

#[path = "../tests/support/recordings.rs"]
mod recordings;
#[path = "strategies.rs"]
mod strategies;
#[path = "support.rs"]
mod support;

use algo_trader::domain::params::{ParamKind, ParamSpec};
use algo_trader::domain::{InstrumentId, Qty, Side, Time};
use algo_trader::history::catalogue::{Entry, Segment, SeriesKind, SeriesName};
use algo_trader::history::import::{ImportKind, ImportOptions, import_file};
use algo_trader::history::segment::{GapRule, Num, Row, SegmentWriter};
use algo_trader::history::{Catalogue, CatalogueWriter, HistoryEvents, Query};
use algo_trader::market::Bar;
use algo_trader::run::backtest::{BacktestOptions, Ran, Source, known_to, run_backtest};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::sweep::{Axis, Backtests, Choice, Search, Space, Task, search};
use algo_trader::run::{Config, PipelineOptions};
use algo_trader::statistics::outcome::Conventions;
use algo_trader::strategy::{Awaited, Condition, Context, IndicatorHandle, Strategy, StrategySpec};
use std::path::Path;
use std::time::Instant;
use strategies::{EmaCross, Maker};
use support::Rounds;

const LIMITS: &str = "[risk]\norder_notional_max = \"10000000000\"\nposition_notional_max = \"10000000000\"\n\
     gross_notional_max = \"10000000000\"\nopen_orders_max = 1000\norders_per_second_max = 100000\n\
     price_collar_bps = 10000\nunset = \"default\"\nmark_collar_bps = \"none\"\nfat_finger_multiple = \"none\"\n\
     book_age_ms_max = \"none\"\nlosses.daily_max = \"none\"\nlosses.strategy_daily_max = \"none\"\n\
     losses.drawdown_max = \"none\"\nlosses.strategy_drawdown_max = \"none\"\nlosses.velocity_max = \"none\"\n\
     [pipeline]\nstamp_one_in = 1000000\n";

/// Long while the fast average of closes is above the slow one, flat below.
struct BarCross {
    xyz: InstrumentId,
    fast: IndicatorHandle,
    slow: IndicatorHandle,
    above: Option<bool>,
}

impl Strategy for BarCross {
    fn heeds_quotes(&self) -> bool {
        false
    }

    fn awaits(&self, _instrument: InstrumentId, _held: Qty) -> Awaited {
        match self.above {
            Some(true) => Awaited::when(Condition::not_above(self.fast, self.slow)),
            Some(false) => Awaited::when(Condition::above(self.fast, self.slow)),
            None => Awaited::ANY_BAR,
        }
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, _bar: &Bar) {
        let (Some(fast), Some(slow)) = (ctx.indicator(self.fast), ctx.indicator(self.slow)) else { return };
        let above = fast[0] > slow[0];
        if self.above.replace(above) == Some(above) || ctx.open_orders(self.xyz).next().is_some() {
            return;
        }
        let change = if above { 1_000 } else { 0 } - ctx.position(self.xyz).qty.0;
        let _ = match change {
            0 => return,
            more if more > 0 => ctx.buy(self.xyz, Qty(more)).at_market().send(),
            less => ctx.sell(self.xyz, Qty(-less)).at_market().send(),
        };
    }
}

const fn bars_of(name: &'static str, default: i64) -> ParamSpec {
    ParamSpec { name, doc: "bars", kind: ParamKind::Integer { min: 1, max: 10_000, default } }
}

static STRATEGIES: &[StrategySpec] = &[
    StrategySpec {
        name: "bar-cross",
        doc: "long while the fast average of closes is above the slow one",
        params: &[bars_of("fast", 10), bars_of("slow", 50)],
        build: |setup| {
            let xyz = setup.one_instrument()?;
            let (fast, slow) = (setup.params.integer("fast"), setup.params.integer("slow"));
            let (fast, slow) = (setup.indicator(xyz, "ema", &[fast])?, setup.indicator(xyz, "ema", &[slow])?);
            Ok(Box::new(BarCross { xyz, fast, slow, above: None }))
        },
    },
    StrategySpec {
        name: "ema-cross",
        doc: "long while the fast average of trades is above the slow one",
        params: &[],
        build: |setup| Ok(Box::new(EmaCross::new(setup.one_instrument()?))),
    },
    StrategySpec {
        name: "maker",
        doc: "quotes both touches",
        params: &[],
        build: |setup| Ok(Box::new(Maker::new(setup.one_instrument()?))),
    },
];

fn random() -> impl FnMut(u64) -> u64 {
    let mut random = 7u64;
    move |n| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.wrapping_mul(0x2545_F491_4F6C_DD1D) % n
    }
}

/// Makes a history of one series.
fn make(
    history: &Path,
    name: &SeriesName,
    base_quote: (&str, &str),
    add: impl FnOnce(&mut SegmentWriter) -> u64,
) {
    let mut catalogue = CatalogueWriter::open(history).expect("free");
    let aside = catalogue.aside();
    let mut writer = SegmentWriter::create(&aside, GapRule::None).expect("can be made");
    let rows = add(&mut writer);
    let stats = writer.finish().expect("can be closed");
    let file = CatalogueWriter::place(name, Time(stats.first), "bench");
    let segment = Segment::new(file, name, (base_quote.0.into(), base_quote.1.into()), &stats, true);
    let entry = Entry {
        id: "bench".into(),
        source: "made up".into(),
        source_bytes: 0,
        sha256: String::new(),
        taken_as: "bench".into(),
        imported: 0,
        rows,
        skipped: 0,
        rounded: 0,
        segments: vec![segment],
    };
    catalogue.add(entry, &[aside]).expect("can be added");
}

/// Made-up trades of `binance:usdm:BTCUSDT`.
fn make_trades(writer: &mut SegmentWriter, rows: u64) -> u64 {
    let (mut below, mut ms, mut price) = (random(), 1_723_075_200_000u64, 6_100_000u64);
    for id in 1..=rows {
        if below(3) == 0 {
            ms += below(60);
        }
        price = (price + below(21) - 10).max(1_000_000);
        let time = Time(ms * 1_000_000);
        let (price, qty) = (Num::new(price as i64, 2), Num::new(1 + below(5_000) as i64, 3));
        let aggressor = if below(2) == 0 { Side::Sell } else { Side::Buy };
        let row = Row::Trade { price, qty, id, venue_time: time, aggressor, aggregate: false };
        writer.push(time, &row).expect("good rows");
    }
    rows
}

/// Made-up bars of a minute.
fn make_bars(writer: &mut SegmentWriter, rows: u64) -> u64 {
    const MINUTE: u64 = 60_000_000_000;
    let (mut below, mut price) = (random(), 10_000i64);
    let first = 1_400_000_000_000_000_000 / MINUTE * MINUTE;
    for n in 0..rows {
        let open = price + below(7) as i64 - 3;
        price = (open + below(41) as i64 - 20).max(1_000);
        let (high, low) = (open.max(price) + below(9) as i64, open.min(price) - below(9) as i64);
        let (begin, end) = (first + n * MINUTE, first + (n + 1) * MINUTE);
        let row = Row::Bar {
            prices: [open, high, low, price].map(|price| Num::new(price, 2)),
            volume: Num::new(1_000 + below(5_000) as i64, 0),
            turnover: 0,
            trades: 10,
            open_time: Time(begin),
            close_time: Time(end - 1),
            closed: true,
        };
        writer.push(Time(end), &row).expect("good rows");
    }
    rows
}

fn config(strategy: &str, catalogue: &Catalogue) -> Config {
    let text = format!(
        "{LIMITS}[backtest]\nqueue = \"power:3\"\n[[strategy]]\nname = \"{strategy}\"\n\
         instruments = [\"binance:usdm:BTCUSDT\"]"
    );
    let more = known_to(catalogue, &["binance:usdm:BTCUSDT".into()], &[], 3);
    Config::from_text_and(&text, "bench.toml", Path::new(""), &more).expect("good")
}

fn run(config: &Config, catalogue: &Catalogue) -> Ran {
    let pipeline = PipelineOptions { strategies: STRATEGIES, ..PipelineOptions::default() };
    let options = BacktestOptions { pipeline, ..BacktestOptions::default() };
    run_backtest(config, Source::History(catalogue), options).expect("runs")
}

fn read(config: &Config, catalogue: &Catalogue) -> f64 {
    let (series, begun) = (catalogue.series(), Instant::now());
    let mut events =
        HistoryEvents::open(catalogue, &series, &config.instruments, &Query::default()).expect("opens");
    let mut count = 0u64;
    while let Some(event) = events.next_event().expect("good") {
        std::hint::black_box(&event);
        count += 1;
    }
    count as f64 / begun.elapsed().as_secs_f64() / 1e6
}

/// M events/s of three rounds, the orders and fills of one, and how fast the same is only read.
fn measure(what: &str, strategy: &str, history: &Path) -> serde_json::Value {
    let catalogue = Catalogue::open(history).expect("there");
    let config = config(strategy, &catalogue);
    let (mut ours, mut reading) = (Rounds::default(), Rounds::default());
    let mut last = None;
    for _ in 0..3 {
        let ran = run(&config, &catalogue);
        ours.push(ran.summary.elapsed.as_secs_f64() * 1e6 / ran.events as f64);
        reading.push(1.0 / read(&config, &catalogue));
        last = Some(ran);
    }
    let ran = last.expect("three rounds");
    let rate = |us_per_event: f64| 1.0 / us_per_event;
    let (best, median) = (rate(ours.min()), rate(ours.median()));
    let (orders, fills) = (ran.summary.execution.orders, ran.outcome.fills.len());
    let rows = rows(&config, &catalogue) as f64 / ran.events as f64;
    if !support::wants_json() {
        println!(
            "{what:<34} {best:6.2} M events/s (median {median:.2}), {:.2} M rows/s; only read {:6.1}; {} events, \
             {orders} orders, {fills} fills",
            best * rows,
            rate(reading.min()),
            ran.events
        );
    }
    serde_json::json!({
        "events": ran.events, "orders": orders, "fills": fills, "million_events_per_s": best,
        "million_events_per_s_median": median, "million_rows_per_s": best * rows, "read_only": rate(reading.min()),
    })
}

/// Rows of a history: a level of a depth event each, and whatever else.
fn rows(config: &Config, catalogue: &Catalogue) -> u64 {
    let series = catalogue.series();
    let mut events =
        HistoryEvents::open(catalogue, &series, &config.instruments, &Query::default()).expect("opens");
    let mut rows = 0;
    while let Some(event) = events.next_event().expect("good") {
        rows += event.levels.len().max(1) as u64;
    }
    rows
}

/// Time that this thread's process had on cores so far, s.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Nanoseconds a bar and point, by the wall and by the cores' time, and what is shared.
fn sweep_by(backtests: &Backtests<'_>, space: &Space, points: u64, workers: usize, bars: u64) -> (f64, f64) {
    let whole = backtests.whole().expect("there is data");
    let all = space.points(Choice::Grid).expect("few");
    // From all over the grid: at its beginning averages cross more often, which takes longer.
    let tasks: Vec<Task> = all
        .iter()
        .step_by((all.len() / points.max(1) as usize).max(1))
        .take(points as usize)
        .map(|&point| Task::of(point, whole))
        .collect();
    let stop = Interrupt::default();
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let mut run =
        Search { evaluate: backtests, space, workers, results: None, stop: &stop, progress: &mut |_| {} };
    let done = search(&mut run, &tasks).expect("runs");
    assert!(done.iter().all(|one| one.result.is_ok()), "{:?}", done.first());
    let each = (tasks.len() as u64 * bars) as f64;
    (begun.elapsed().as_secs_f64() * 1e9 / each, (cpu_seconds() - cpu) * 1e9 / each)
}

fn sweep(dir: &Path, bars: u64, points: u64) -> serde_json::Value {
    let history = dir.join("bars");
    let name = SeriesName { every: Some("1m".into()), ..SeriesName::new("usa:spot:XYZ", SeriesKind::Bars) };
    make(&history, &name, ("XYZ", "USD"), |writer| make_bars(writer, bars));
    let catalogue = Catalogue::open(&history).expect("there");
    let text = format!(
        "{LIMITS}[backtest]\nbalance = \"1000000\"\nequity_seconds = 86400\n[[strategy]]\nname = \"bar-cross\"\n\
         instruments = [\"usa:spot:XYZ\"]"
    );
    let more = known_to(&catalogue, &["usa:spot:XYZ".into()], &[], 3);
    let config = Config::from_text_and(&text, "bench.toml", Path::new(""), &more).expect("good");
    let axis = |text: &str| Axis::parse(text).expect("an axis");
    let space = Space::new(vec![axis("fast=5..100:5"), axis("slow=110..600:10")]).expect("a space");
    let made = || {
        let (stop, by) = (Interrupt::default(), Conventions::default());
        Backtests::new(&config, &catalogue, STRATEGIES, &space, stop, by).expect("parameters")
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (alone, _) = sweep_by(&made().sharing(0), &space, (points / 50).clamp(1, 20), 1, bars);
    let one = made();
    let (wall_one, cpu_one) = sweep_by(&one, &space, points.div_ceil(cores as u64), 1, bars);
    let all = made();
    let (wall_all, cpu_all) = sweep_by(&all, &space, points, cores, bars);
    let (linear, linear_by_cpu) = (wall_one / wall_all / cores as f64, cpu_one / cpu_all);
    let rate = |ns: f64| 1e3 / ns;
    if !support::wants_json() {
        println!(
            "a sweep of {points} pairs over {bars} bars: {alone:.0} ns a bar and point with nothing shared; sharing, \
             {wall_one:.0} by one worker ({:.2} M bars/s), {wall_all:.0} by {cores} ({:.2} M bars/s); {linear:.2} of \
             linear by the wall, {linear_by_cpu:.2} by the time on cores; {} MiB shared",
            rate(wall_one),
            rate(wall_all),
            all.shared_bytes() >> 20
        );
    }
    serde_json::json!({
        "points": points, "bars": bars, "ns_alone": alone, "ns_one_worker": wall_one, "ns_all_cores": wall_all,
        "cores": cores, "linear": linear, "linear_by_cpu": linear_by_cpu,
        "million_bars_per_s_one_worker": rate(wall_one), "million_bars_per_s": rate(wall_all),
    })
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let number = |at: usize, default: u64| numbers.get(at).copied().unwrap_or(default);
    let sweep_alone = std::env::args().any(|arg| arg == "sweep");
    let dir = tempfile::tempdir().expect("a directory");
    let mut all = serde_json::Map::new();
    all.insert("host".into(), support::host().into());
    let (bars, points) =
        if sweep_alone { (number(0, 1_000_000), number(1, 1_000)) } else { (1_000_000, 1_000) };
    if !sweep_alone {
        single(dir.path(), number(0, 10), &mut all);
    }
    all.insert("sweep".into(), sweep(dir.path(), bars, points));
    if support::wants_json() {
        println!("{:#}", serde_json::Value::Object(all));
    }
}

fn single(dir: &Path, millions: u64, all: &mut serde_json::Map<String, serde_json::Value>) {
    let trades = dir.join("trades");
    let name = SeriesName::new("binance:usdm:BTCUSDT", SeriesKind::Trades);
    make(&trades, &name, ("BTC", "USDT"), |writer| make_trades(writer, millions * 1_000_000));
    all.insert("trades".into(), measure("EMA cross over trades", "ema-cross", &trades));
    if let Some(folder) = recordings::folder("binance-20240808") {
        let depth = dir.join("depth");
        let mut history = CatalogueWriter::open(&depth).expect("free");
        let file = folder.join("usdm-btcusdt-20240808.gz");
        import_file(&mut history, ImportKind::Capture, &file, &ImportOptions::default(), &mut |_| true)
            .expect("imported");
        drop(history);
        all.insert("depth".into(), measure("market maker on depth, power queue", "maker", &depth));
    }
}
