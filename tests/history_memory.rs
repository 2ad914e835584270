//! Memory of importing and of reading does not grow with the length of a history. Alone in its file: it measures the
//! whole process. `ALGO_TRADER_MEMORY_ROWS` sets the number of events; with 100,000,000 the bound is the same.

#[path = "support/history.rs"]
mod support;

use algo_trader::domain::{Side, Time};
use algo_trader::history::segment::{GapRule, Num, Row};
use algo_trader::history::{Catalogue, HistoryEvents, Query};
use std::path::Path;
use support::Rng;
use tempfile::tempdir;

const MB: u64 = 1_000_000;
const SYMBOLS: [&str; 4] = ["AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT"];

/// The most memory the process ever had, bytes.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok().map(|kb: u64| kb * 1024)
}

/// A segment of trades, in the catalogue.
fn write(dir: &Path, symbol: &str, rows: u64) {
    support::add_segment(dir, symbol, GapRule::TradeIds, |writer| {
        let (mut rng, mut time) = (Rng(symbol.as_bytes()[0].into()), 1_723_075_200_000_000_000);
        for id in 1..=rows {
            time += rng.below(5_000_000);
            let row = Row::Trade {
                price: Num::new(6_000_000 + rng.below(5_000) as i64, 2),
                qty: Num::new(1 + rng.below(100_000) as i64, 5),
                id,
                venue_time: Time(time),
                aggressor: if rng.below(2) == 0 { Side::Buy } else { Side::Sell },
                aggregate: false,
            };
            writer.push(Time(time), &row).expect("good rows");
        }
        rows
    });
}

#[test]
fn events_of_four_instruments_are_written_and_read_merged_in_64_mb() {
    if peak_bytes().is_none() {
        println!("SKIPPED: /proc/self/status has no VmHWM here");
        return;
    }
    let rows =
        std::env::var("ALGO_TRADER_MEMORY_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000_000u64);
    let dir = tempdir().expect("a directory");
    let before = peak_bytes().unwrap_or(0);
    SYMBOLS.iter().for_each(|symbol| write(dir.path(), symbol, rows / 4));
    let written = peak_bytes().unwrap_or(u64::MAX) - before;
    let catalogue = Catalogue::open(dir.path()).expect("there");
    let series = catalogue.series();
    let table = catalogue.instruments(&series).expect("a table");
    let mut events = HistoryEvents::open(&catalogue, &series, &table, &Query::default()).expect("opens");
    let (mut count, mut last) = (0, Time(0));
    while let Some(event) = events.next_event().expect("good") {
        assert!(event.time >= last);
        last = event.time;
        count += 1;
    }
    let taken = peak_bytes().unwrap_or(u64::MAX) - before;
    let bytes: u64 = series.iter().map(|s| s.bytes()).sum();
    println!(
        "{count} events, {:.1} MB on disk; memory: {:.1} MB to write, {:.1} MB with reading",
        bytes as f64 / MB as f64,
        written as f64 / MB as f64,
        taken as f64 / MB as f64
    );
    assert_eq!(count, rows / 4 * 4);
    assert!(taken < 64 * MB, "took {taken} bytes");
}
