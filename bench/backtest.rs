//! Backtests: events a second on one core, all stages on: `cargo bench --bench backtest [-- MILLIONS]`.
//!
//! Over so many million made-up trades (default 10) a strategy keeps two exponential averages of the price and turns its
//! position at every cross, by market orders that pass risk, are hashed and fill; then the same history is only read,
//! which bounds what a backtest can do. Over a recording, where there is one, a market maker quotes both sides, anew
//! every 100 ms, against depth with a queue model. `--json` prints one object.

#[path = "../tests/support/recordings.rs"]
mod recordings;
#[path = "support.rs"]
mod support;

use algo_trader::domain::event::Trade;
use algo_trader::domain::order::OrderState;
use algo_trader::domain::{InstrumentId, OrderStatus, Price, Qty, Side, Time};
use algo_trader::history::catalogue::{Entry, Segment, SeriesKind, SeriesName};
use algo_trader::history::import::{ImportKind, ImportOptions, import_file};
use algo_trader::history::segment::{GapRule, Num, Row, SegmentWriter};
use algo_trader::history::{Catalogue, CatalogueWriter, HistoryEvents, Query};
use algo_trader::market::Top;
use algo_trader::run::backtest::{BacktestOptions, Ran, Source, known_to, run_backtest};
use algo_trader::run::{Config, PipelineOptions};
use algo_trader::strategy::{Context, Strategy, StrategySpec};
use std::path::Path;
use std::time::{Duration, Instant};
use support::Rounds;

const LIMITS: &str = "[risk]\norder_notional_max = \"10000000000\"\nposition_notional_max = \"10000000000\"\n\
     gross_notional_max = \"10000000000\"\nopen_orders_max = 1000\norders_per_second_max = 100000\n\
     price_collar_bps = 10000\nunset = \"default\"\nmark_collar_bps = \"none\"\nfat_finger_multiple = \"none\"\n\
     book_age_ms_max = \"none\"\nlosses.daily_max = \"none\"\nlosses.strategy_daily_max = \"none\"\n\
     losses.drawdown_max = \"none\"\nlosses.strategy_drawdown_max = \"none\"\nlosses.velocity_max = \"none\"\n\
     [pipeline]\nstamp_one_in = 1000000\n";

/// Long while the fast average of trades is above the slow one, short below.
struct EmaCross {
    btc: InstrumentId,
    fast: f64,
    slow: f64,
    trades: u64,
    above: Option<bool>,
}

impl Strategy for EmaCross {
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        let price = trade.price.0 as f64;
        if self.trades == 0 {
            (self.fast, self.slow) = (price, price);
        }
        self.trades += 1;
        self.fast += (price - self.fast) * (2.0 / 501.0);
        self.slow += (price - self.slow) * (2.0 / 2_001.0);
        let above = self.fast > self.slow;
        if self.trades < 2_000 || self.above == Some(above) || ctx.open_orders(self.btc).next().is_some() {
            return;
        }
        self.above = Some(above);
        let change = (if above { 1_000 } else { -1_000 }) - ctx.position(self.btc).qty.0;
        let _ = match change {
            0 => return,
            more if more > 0 => ctx.buy(self.btc, Qty(more)).at_market().send(),
            less => ctx.sell(self.btc, Qty(-less)).at_market().send(),
        };
    }
}

/// Quotes both touches, anew every 100 ms.
struct Maker {
    btc: InstrumentId,
    next: Time,
}

impl Strategy for Maker {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _: InstrumentId, top: &Top) {
        if !top.is_two_sided() || ctx.now() < self.next {
            return;
        }
        self.next = ctx.now().plus(Duration::from_millis(100));
        loop {
            let live = |o: &&OrderState| o.status != OrderStatus::PendingCancel;
            let found = ctx.open_orders(self.btc).find(live).map(|o| o.order.id);
            let Some(id) = found else { break };
            if ctx.cancel(id).is_err() {
                break;
            }
        }
        let _ = ctx.buy(self.btc, Qty(10)).at_limit(Price(top.bid.price.0)).post_only().send();
        let _ = ctx.sell(self.btc, Qty(10)).at_limit(Price(top.ask.price.0)).post_only().send();
    }
}

static STRATEGIES: &[StrategySpec] = &[
    StrategySpec {
        name: "ema-cross",
        doc: "long while the fast average of trades is above the slow one",
        params: &[],
        build: |setup| {
            let btc = setup.one_instrument()?;
            Ok(Box::new(EmaCross { btc, fast: 0.0, slow: 0.0, trades: 0, above: None }))
        },
    },
    StrategySpec {
        name: "maker",
        doc: "quotes both touches",
        params: &[],
        build: |setup| Ok(Box::new(Maker { btc: setup.one_instrument()?, next: Time(0) })),
    },
];

/// A history of made-up trades of `binance:usdm:BTCUSDT`.
fn make_trades(history: &Path, rows: u64) {
    let mut catalogue = CatalogueWriter::open(history).expect("free");
    let aside = catalogue.aside();
    let mut writer = SegmentWriter::create(&aside, GapRule::TradeIds).expect("can be made");
    let (mut random, mut ms, mut price) = (7u64, 1_723_075_200_000u64, 6_100_000u64);
    let mut below = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.wrapping_mul(0x2545_F491_4F6C_DD1D) % n
    };
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
    let stats = writer.finish().expect("can be closed");
    let name = SeriesName::new("binance:usdm:BTCUSDT", SeriesKind::Trades);
    let file = CatalogueWriter::place(&name, Time(stats.first), "bench");
    let segment = Segment::new(file, &name, ("BTC".into(), "USDT".into()), &stats, true);
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

fn config(strategy: &str, catalogue: &Catalogue) -> Config {
    let text = format!(
        "{LIMITS}[backtest]\nqueue = \"power:3\"\n[[strategy]]\nname = \"{strategy}\"\n\
         instruments = [\"binance:usdm:BTCUSDT\"]"
    );
    let more = known_to(catalogue, &["binance:usdm:BTCUSDT".into()], 3);
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
    if !support::wants_json() {
        println!(
            "{what:<34} {best:6.2} M events/s (median {median:.2}); only read {:6.1}; {} events, {orders} orders, {fills} fills",
            rate(reading.min()),
            ran.events
        );
    }
    serde_json::json!({
        "events": ran.events, "orders": orders, "fills": fills, "million_events_per_s": best,
        "million_events_per_s_median": median, "read_only": rate(reading.min()),
    })
}

fn main() {
    let millions = std::env::args().skip(1).find_map(|arg| arg.parse::<u64>().ok()).unwrap_or(10);
    let dir = tempfile::tempdir().expect("a directory");
    let trades = dir.path().join("trades");
    make_trades(&trades, millions * 1_000_000);
    let mut all = serde_json::Map::new();
    all.insert("host".into(), support::host().into());
    all.insert("trades".into(), measure("EMA cross over trades", "ema-cross", &trades));
    if let Some(folder) = recordings::folder("binance-20240808") {
        let depth = dir.path().join("depth");
        let mut history = CatalogueWriter::open(&depth).expect("free");
        let file = folder.join("usdm-btcusdt-20240808.gz");
        import_file(&mut history, ImportKind::Capture, &file, &ImportOptions::default(), &mut |_| true)
            .expect("imported");
        drop(history);
        all.insert("depth".into(), measure("market maker on depth, power queue", "maker", &depth));
    }
    if support::wants_json() {
        println!("{:#}", serde_json::Value::Object(all));
    }
}
