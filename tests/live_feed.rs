//! A live feed over TLS WebSocket: books equal the venue's, journals replay, nothing is lost or doubled.

#[path = "support/live.rs"]
mod live;
#[path = "support/wire.rs"]
mod wire;

use live::{LiveRun, config, symbols};
use std::time::Duration;
use wire::{Certificate, Venue};

const PACE: Duration = Duration::from_millis(5);

#[test]
fn books_equal_the_venues_and_the_journal_replays_to_the_same_orders() {
    let symbols = symbols(3);
    let venue = Venue::start(&symbols, PACE, Certificate::Good);
    let mut run = LiveRun::start(&config(&venue, &symbols, ""));
    run.until_whole();
    std::thread::sleep(Duration::from_secs(1));
    let summary = run.end_and_compare(&venue);
    let live = summary.live.as_ref().expect("a live run");
    let counts = live.markets[0].counts;
    println!("{counts:?} {:?}", summary.execution);
    assert_eq!((counts.connects, counts.opened, counts.lost, counts.gaps, counts.interruptions), (1, 1, 0, 0, 0));
    assert!(counts.accepted > 1_000 && counts.duplicates == 0, "{counts:?}");
    assert!(summary.execution.orders > 0 && summary.execution.fills > 0, "{:?}", summary.execution);
    assert_eq!(summary.book_totals().gaps, 0);
    for name in ["socket", "tls", "decode", "sequence", "market", "gateway", "total"] {
        assert!(summary.latencies.iter().any(|l| l.name == name && !l.histogram.is_empty()), "{name}");
    }
}
