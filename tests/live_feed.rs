//! A live feed over TLS WebSocket: books equal the venue's, journals replay, nothing is lost or doubled.

#[path = "support/live.rs"]
mod live;
#[path = "support/wire.rs"]
mod wire;

use live::{LiveRun, config, symbols};
use std::time::Duration;
use wire::{Certificate, Fault, Venue};

const PACE: Duration = Duration::from_millis(5);

#[test]
fn books_equal_the_venues_and_the_journal_replays_to_the_same_orders() {
    let symbols = symbols(3);
    let venue = Venue::start(&symbols, PACE, Certificate::Good);
    let mut run = LiveRun::start(&config(&venue, &symbols, ""));
    run.until_whole();
    let mut whole = None;
    run.until("a good many frames", |s| s.frames > *whole.get_or_insert(s.frames) + 1_500);
    let summary = run.end_and_compare(&venue);
    let live = summary.live.as_ref().expect("a live run");
    let counts = live.markets[0].counts;
    assert_eq!(
        (counts.connects, counts.opened, counts.lost, counts.gaps, counts.interruptions),
        (1, 1, 0, 0, 0)
    );
    // Covered by the books that were fetched, however long that took.
    assert!(counts.accepted > 1_000 && counts.duplicates < counts.accepted / 4, "{counts:?}");
    assert!(summary.execution.orders > 0 && summary.execution.fills > 0, "{:?}", summary.execution);
    assert_eq!(summary.book_totals().gaps, 0);
    for name in ["socket", "tls", "decode", "sequence", "market", "gateway", "total"] {
        assert!(summary.latencies.iter().any(|l| l.name == name && !l.histogram.is_empty()), "{name}");
    }
}

#[test]
fn with_two_connections_the_loss_of_one_loses_and_doubles_nothing() {
    let symbols = symbols(2);
    let venue = Venue::start(&symbols, PACE, Certificate::Good);
    let mut run = LiveRun::start(&config(&venue, &symbols, "redundancy = 2"));
    run.until_whole();
    for fault in [Fault::Cut, Fault::Drop(5), Fault::Truncate, Fault::Duplicate, Fault::Drop(1), Fault::Cut] {
        // Both bring what the other may lose.
        let mut both = None;
        run.until("two connections", |s| {
            s.connections_live == 2 && s.frames > *both.get_or_insert(s.frames) + 400
        });
        let opened = venue.opened();
        venue.fault_one(&fault);
        if matches!(fault, Fault::Cut | Fault::Truncate) {
            wire::wait_for("a new connection", || venue.opened() > opened);
        }
    }
    let summary = run.end_and_compare(&venue);
    run.assert_every_trade_once();
    let counts = summary.live.as_ref().expect("live").markets[0].counts;
    assert_eq!((counts.gaps, counts.interruptions, counts.lost), (0, 0, 3), "{counts:?}");
    assert!(counts.duplicates > 500 && counts.fetches as usize == symbols.len(), "{counts:?}");
    assert_eq!(summary.book_totals().gaps, 0);
}

#[test]
fn an_announced_cut_and_old_age_leave_no_gap() {
    let symbols = symbols(2);
    let venue = Venue::start(&symbols, PACE, Certificate::Good);
    let mut run = LiveRun::start(&config(&venue, &symbols, "lifetime_s = 2"));
    run.until_whole();
    venue.fault(&Fault::Shutdown(Duration::from_secs(4)));
    // The one that takes its place, and those that take the place of what has grown old.
    wire::wait_for("the third connection after it", || venue.opened() >= 4);
    run.until_whole();
    wire::wait_for("the end of the one before", || venue.open_connections() == 1);
    let summary = run.end_and_compare(&venue);
    run.assert_every_trade_once();
    let counts = summary.live.as_ref().expect("live").markets[0].counts;
    assert_eq!(
        (counts.shutdowns_announced, counts.gaps, counts.interruptions, counts.lost),
        (1, 0, 0, 0),
        "{counts:?}"
    );
    assert!(counts.replaced >= 2, "{counts:?}");
}

#[test]
fn three_hundred_instruments_are_followed_at_once() {
    let symbols = symbols(300);
    let venue = Venue::start(&symbols, Duration::from_millis(200), Certificate::Good);
    let mut run = LiveRun::start(&config(&venue, &symbols, "snapshot_levels = 100"));
    run.until_whole();
    let summary = run.end_and_compare(&venue);
    let counts = summary.live.as_ref().expect("live").markets[0].counts;
    assert_eq!((counts.connects, counts.lost, counts.gaps), (1, 0, 0), "{counts:?}");
    assert_eq!(venue.messages(), 5, "subscribed by messages");
    let feed = summary.feed.expect("a live run");
    assert_eq!((feed.decode_errors, feed.unknown_instruments, feed.ignored), (0, 0, 5), "answers to them");
}
