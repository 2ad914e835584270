//! Hundreds of pairs in one process: every book exact, every pair traded, memory within a bound, and the same orders
//! however the work is spread over threads.

#[path = "support/pipeline.rs"]
mod support;

use algo_trader::domain::{Instrument, InstrumentId, InstrumentTable, Qty};
use algo_trader::market::Bar;
use algo_trader::pipeline::Threading;
use algo_trader::run::summary::peak_memory_bytes;
use algo_trader::run::{Config, Summary, replay_frames};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::{FlowConfig, FlowSource, generated_instruments, small_qty};
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;
use support::threads;

const PAIRS: usize = 300;
/// Of 255 strategies that a run can hold: so many have one pair each, one more has all the others.
const ALONE: usize = 240;
/// What both runs may hold at their peak, two generated markets and the test harness included: 1.3 MB a pair.
const MEMORY_MAX: u64 = 400_000_000;

/// Long in every second bar, on as many instruments as it is given.
struct Alternate {
    sizes: Vec<(InstrumentId, Qty)>,
}

impl Strategy for Alternate {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let Some(&(id, qty)) = self.sizes.iter().find(|(id, _)| *id == bar.instrument) else { return };
        let flat = ctx.position(id).qty == Qty::ZERO;
        let order = if flat { ctx.buy(id, qty) } else { ctx.sell(id, qty) };
        // A refusal is counted by the desk; the next bar tries again.
        let _ = order.at_market().send();
    }
}

fn build_alternate(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let sizes = setup.instruments.iter().map(|id| (*id, small_qty(setup.table.get(*id)))).collect();
    Ok(Box::new(Alternate { sizes }))
}

const MORE: &[StrategySpec] =
    &[StrategySpec { name: "alternate", doc: "in and out, bar by bar", params: &[], build: build_alternate }];

fn configuration(table: &InstrumentTable) -> Config {
    // Sixty pairs' bars close at once.
    let mut text = String::from(
        "[risk]\nunset = \"default\"\ngross_notional_max = \"100000000\"\norders_per_second_max = 1000\n",
    );
    let mut strategy = |name: &str, label: &str, of: &[Instrument], params: &str| {
        let names: Vec<String> = of.iter().map(|i| format!("\"{}\"", i.name())).collect();
        let _ = writeln!(
            text,
            "[[strategy]]\nname = \"{name}\"\nlabel = \"{label}\"\ninstruments = [{}]\n[strategy.params]\n{params}",
            names.join(", ")
        );
    };
    let (alone, together) = table.all().split_at(ALONE);
    for (index, instrument) in alone.iter().enumerate() {
        let (name, params) = [
            ("ma-cross", "fast = 2\nslow = 3\n"),
            ("rsi-reversion", ""),
            ("imbalance-maker", "threshold = 0.05\nhold_ms = 200\n"),
        ][index % 3];
        let qty = algo_trader::domain::decimal::Scaled {
            value: small_qty(instrument).0.into(),
            decimals: instrument.qty_decimals,
        };
        let params = format!("{params}qty = \"{qty}\"");
        strategy(name, &format!("{name}-{index}"), std::slice::from_ref(instrument), &params);
    }
    strategy("alternate", "the-others", together, "");
    Config::from_text_with_instruments(&text, "many pairs", table.clone()).expect("a good configuration")
}

fn run(config: &Config, threading: Threading) -> Summary {
    let mut flow = FlowConfig::new(7, config.instruments.all().to_vec()).with_events_per_s(80);
    // A bar a second, of which the first is handed to nobody: it may lack trades.
    flow.duration = Duration::from_secs(6);
    let mut source = FlowSource::new(&flow).expect("a market that can be made");
    let mut options = threads(threading);
    options.pipeline.strategies = MORE;
    replay_frames(config, &mut source, options).expect("a good run")
}

/// The command that makes the report's curves: a run a point, each measured in a process of its own.
#[test]
fn the_demo_measures_what_each_further_pair_costs() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let report = dir.path().join("report");
    let output = Command::new(env!("CARGO_BIN_EXE_algo-trader"))
        .args([
            "demo",
            "--seconds",
            "1",
            "--speed",
            "max",
            "--instrument-counts",
            "1,20",
            "--json",
            "--report",
        ])
        .arg(&report)
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("20 instruments: p50 "), "{said}");
    let read = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).expect("JSON");
    let printed = read(&output.stdout)["instruments"].clone();
    let written = read(&std::fs::read(report.join("latency.json")).expect("written"))["instruments"].clone();
    assert_eq!(printed, written);
    let points = printed.as_array().expect("a list");
    let counts: Vec<_> =
        points.iter().map(|p| (p["instruments"].as_u64(), p["strategies"].as_u64())).collect();
    assert_eq!(counts, [(Some(1), Some(1)), (Some(20), Some(20))]);
    for point in points {
        let number = |key: &str| point[key].as_f64().unwrap_or_default();
        assert!(
            number("peak_memory_bytes") > number("market_memory_bytes") + number("book_bytes"),
            "{point}"
        );
        assert!(number("market_memory_bytes") > 0.0 && number("frames_per_s") > 0.0, "{point}");
        let stages = point["stages"].as_array().expect("a list");
        let whole = stages.iter().find(|s| s["name"] == "total").expect("the whole way is a stage");
        assert!(whole["p99_ns"].as_u64() >= whole["p50_ns"].as_u64() && whole["p50_ns"].as_u64() > Some(0));
    }
    let book_bytes = |index: usize| points[index]["book_bytes"].as_u64().unwrap_or_default();
    assert_eq!(book_bytes(1), 20 * book_bytes(0), "a book costs the same however many there are");
    let page = std::fs::read_to_string(report.join("index.html")).expect("written");
    assert!(page.contains("Many instruments") && page.contains("Memory by number of instruments"));
}

#[test]
fn three_hundred_pairs_are_followed_and_traded_exactly_and_within_bounds() {
    let table = InstrumentTable::new(generated_instruments(PAIRS)).expect("distinct instruments");
    let config = configuration(&table);
    let inline = run(&config, Threading::Inline);
    let feed = inline.feed.expect("frames were fed");
    assert_eq!((feed.snapshots, feed.decode_errors, feed.unknown_instruments), (PAIRS as u64, 0, 0));
    let books = inline.book_totals();
    assert_eq!((books.gaps, books.crossed), (0, 0));
    assert!(books.bbo_checked > 10 * PAIRS as u64, "{books:?}");
    assert_eq!(books.bbo_checked, books.bbo_equal);
    assert_eq!(inline.books.len(), PAIRS);
    for (instrument, book) in &inline.books {
        assert!(book.top.valid && book.bbo_checked > 0, "{}: {book:?}", instrument.name());
        assert!(book.book_bytes <= 256 << 10, "{}: {} bytes", instrument.name(), book.book_bytes);
    }

    // Every pair has a strategy; all sixty of the one that has many were traded by it, each with its own position.
    assert_eq!(inline.strategies.len(), PAIRS);
    let traded = |of: &str| {
        let results = inline.strategies.iter().filter(|r| r.label.starts_with(of));
        results.filter(|r| r.position.fills > 0).count()
    };
    assert_eq!(traded("the-others"), PAIRS - ALONE);
    for name in ["ma-cross", "imbalance-maker"] {
        assert!(traded(name) > 10, "{name}: {} of {}", traded(name), ALONE / 3);
    }
    assert_eq!((inline.execution.overfills, inline.execution.unknown_reports), (0, 0));

    let shared = run(&config, Threading::Shared);
    assert_eq!(shared.order_stream_sha256, inline.order_stream_sha256);
    assert_eq!((shared.seq, shared.execution), (inline.seq, inline.execution));
    let peak = peak_memory_bytes();
    println!(
        "{} frames, {} orders, peak memory {} MB",
        feed.frames,
        inline.execution.orders,
        peak / 1_000_000
    );
    assert!(peak > 0 && peak < MEMORY_MAX, "{peak} bytes at the peak");
}
