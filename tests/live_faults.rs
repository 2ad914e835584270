//! What goes wrong on the wire is told in types, counted, and mended: afterwards the books equal the venue's.

#[path = "support/live.rs"]
mod live;
#[path = "support/wire.rs"]
mod wire;

use algo_trader::net::CertificateProblem;
use algo_trader::net::websocket::ConnectionError;
use algo_trader::run::live::MarketOutcome;
use algo_trader::run::{LiveError, Summary};
use live::{LiveRun, config, symbols};
use std::time::{Duration, Instant};
use wire::{Certificate, Fault, Venue, Welcome, wait_for};

const PACE: Duration = Duration::from_millis(5);

/// A larger frame ends its connection.
const FRAME_BYTES_MAX: usize = 16 << 20;

/// A run to which `faults` happen, each once it is whole.
fn weathered(more: &str, faults: &[Fault]) -> MarketOutcome {
    let symbols = symbols(2);
    let venue = Venue::start(&symbols, PACE, Certificate::Good);
    let mut run = LiveRun::start(&config(&venue, &symbols, more));
    for fault in faults {
        run.until_whole();
        let opened = venue.opened();
        venue.fault(fault);
        let ends = match fault {
            Fault::Drop(_) | Fault::Cripple(_) | Fault::Lie | Fault::Duplicate | Fault::Reorder => false,
            Fault::Ping | Fault::Shutdown(_) => false,
            Fault::Huge(bytes) => *bytes > FRAME_BYTES_MAX,
            Fault::Cut | Fault::Stall(_) | Fault::Truncate => true,
            Fault::SlowFrame | Fault::Close | Fault::BadFrame | Fault::PingFlood => true,
        };
        if ends {
            wait_for("a new connection", || venue.opened() > opened);
        }
    }
    let summary = run.end_and_compare(&venue);
    market(&summary)
}

fn market(summary: &Summary) -> MarketOutcome {
    summary.live.as_ref().expect("a live run").markets[0].clone()
}

fn endings(outcome: &MarketOutcome) -> Vec<(&'static str, u64)> {
    outcome.endings.iter().map(|(label, count)| (*label, *count)).collect()
}

#[test]
fn a_cut_invalidates_the_books_until_they_are_fetched_anew() {
    let outcome = weathered("", &[Fault::Cut, Fault::Cut]);
    let c = outcome.counts;
    assert_eq!((c.lost, c.interruptions, c.opened, c.gaps), (2, 4, 3, 0), "{c:?}");
    assert!(c.snapshots >= 6, "{c:?}");
    let cuts: u64 = outcome.endings.values().sum();
    assert!(cuts == 2 && endings(&outcome).iter().all(|(l, _)| ["ended", "reset", "truncated"].contains(l)));
}

#[test]
fn a_connection_that_falls_silent_is_replaced() {
    let faults = [Fault::Stall(Duration::from_millis(3_500)), Fault::SlowFrame];
    let outcome = weathered("silence_ms = 2500", &faults);
    let c = outcome.counts;
    // At the end nothing moves, so that another one may just have been given up.
    assert!(c.silent >= 2 && (c.silent..=c.silent + 1).contains(&c.opened) && c.gaps == 0, "{c:?}");
    assert_eq!(outcome.endings.get("silent"), Some(&c.silent));
}

#[test]
fn a_lost_diff_is_a_gap_of_that_book_alone_and_the_connection_stays() {
    let outcome = weathered("", &[Fault::Drop(1), Fault::Drop(4), Fault::Drop(2)]);
    let c = outcome.counts;
    assert_eq!((c.lost, c.opened, c.interruptions), (0, 1, 0), "{c:?}");
    // Of four frames in a row of two instruments' three streams, one or two are diffs.
    assert!((1..=4).contains(&c.gaps) && c.snapshots == 2 + c.gaps, "{c:?}");
}

#[test]
fn a_diff_that_cannot_be_read_takes_its_book_away_until_it_is_fetched_anew_and_the_connection_stays() {
    let outcome = weathered("", &[Fault::Cripple(1), Fault::Cripple(3), Fault::Cripple(1)]);
    let c = outcome.counts;
    assert_eq!((c.lost, c.opened, c.unread, c.gaps), (0, 1, 5, 0), "{c:?}");
    // What comes while its book is out of step already is no news.
    assert!((3..=5).contains(&c.interruptions) && c.snapshots >= 2 + 3, "{c:?}");
}

#[test]
fn books_that_the_venues_own_best_bid_and_ask_contradict_are_fetched_anew() {
    let symbols = symbols(2);
    let venue = Venue::start(&symbols, PACE, Certificate::Good);
    let mut run = LiveRun::start(&config(&venue, &symbols, ""));
    run.until_whole();
    let fetched = venue.depth_requests();
    venue.fault(&Fault::Lie);
    wait_for("books fetched anew", || venue.depth_requests() >= fetched + 3);
    let summary = run.good();
    let c = market(&summary).counts;
    assert!(c.books_contradicted >= 2 && c.contradictions >= 3 * c.books_contradicted, "{c:?}");
    assert_eq!((c.interruptions, c.gaps, c.lost), (c.books_contradicted, 0, 0), "{c:?}");
    assert_eq!(run.interruptions(), c.interruptions);
    assert_eq!(run.replayed().order_stream_sha256, summary.order_stream_sha256, "the journal replays to it");
}

#[test]
fn doubled_and_overtaking_frames_do_no_harm() {
    let outcome = weathered("", &[Fault::Duplicate, Fault::Reorder, Fault::Duplicate, Fault::Reorder]);
    let c = outcome.counts;
    assert_eq!((c.lost, c.opened), (0, 1), "{c:?}");
    assert!(c.duplicates >= 2, "{c:?}");
}

#[test]
fn diffs_that_overtake_each_other_are_mended_by_a_fetch() {
    let outcome = weathered("streams = [\"depth@100ms\"]", &[Fault::Reorder, Fault::Reorder, Fault::Reorder]);
    let c = outcome.counts;
    assert_eq!((c.lost, c.opened, c.interruptions), (0, 1, 0), "{c:?}");
    assert!(c.snapshots >= 2 && c.snapshots == 2 + c.gaps, "{c:?}");
}

#[test]
fn a_frame_cut_in_half_and_broken_frames_end_the_connection_by_name() {
    let outcome = weathered("", &[Fault::Truncate, Fault::BadFrame, Fault::Close]);
    assert_eq!(endings(&outcome), [("closed", 1), ("protocol", 1), ("truncated", 1)]);
    assert_eq!(outcome.counts.opened, 4);
}

#[test]
fn a_huge_frame_is_passed_over_and_one_over_the_limit_ends_the_connection() {
    let outcome = weathered("", &[Fault::Huge(10_000_000)]);
    assert_eq!((outcome.counts.lost, outcome.counts.opened), (0, 1), "{:?}", outcome.counts);
    let outcome = weathered("", &[Fault::Huge(17_000_000)]);
    assert_eq!(endings(&outcome), [("frame_too_large", 1)]);
}

#[test]
fn pings_are_answered() {
    let symbols = symbols(1);
    let venue = Venue::start(&symbols, PACE, Certificate::Good);
    let mut run = LiveRun::start(&config(&venue, &symbols, ""));
    run.until_whole();
    for pings in 1..=3 {
        venue.fault(&Fault::Ping);
        wait_for("the answer", || venue.pongs() == pings);
    }
    let summary = run.end_and_compare(&venue);
    assert_eq!((market(&summary).pongs, venue.pongs()), (3, 3));
}

#[test]
fn a_flood_of_pings_by_one_who_takes_no_pong_ends_the_connection() {
    let outcome = weathered("", &[Fault::PingFlood]);
    assert_eq!(endings(&outcome), [("protocol", 1)]);
}

#[test]
fn too_many_requests_are_waited_out() {
    let symbols = symbols(2);
    let venue = Venue::start(&symbols, PACE, Certificate::Good);
    venue.refuse_depth(2);
    let mut run = LiveRun::start(&config(&venue, &symbols, ""));
    run.until_whole();
    let summary = run.end_and_compare(&venue);
    let c = market(&summary).counts;
    assert_eq!((c.rate_limited, c.snapshots, venue.depth_requests()), (2, 2, 4), "{c:?}");
}

/// A venue that does not open its doors to so many attempts, and then does: what became of it, and how long that took.
fn welcomed(welcome: Welcome, attempts: u64, more: &str) -> (MarketOutcome, Duration) {
    let symbols = symbols(1);
    let venue = Venue::start(&symbols, PACE, Certificate::Good);
    venue.welcome(welcome);
    let begun = Instant::now();
    let mut run = LiveRun::start(&config(&venue, &symbols, more));
    wait_for("an attempt", || venue.accepted() >= attempts);
    assert_eq!(venue.opened(), 0);
    venue.welcome(Welcome::Upgrade);
    run.until_whole();
    let took = begun.elapsed();
    (market(&run.end_and_compare(&venue)), took)
}

#[test]
fn a_venue_that_answers_wrongly_is_tried_again_with_pauses() {
    for (welcome, label) in [
        (Welcome::Status(200), "http_status"),
        (Welcome::Status(503), "http_status"),
        (Welcome::Alert, "tls_alert"),
        (Welcome::Garbage, "tls"),
    ] {
        let (outcome, took) = welcomed(welcome, 5, "");
        let [(ending, count)] = endings(&outcome)[..] else { panic!("{:?}", outcome.endings) };
        assert_eq!(ending, label);
        // Pauses of 10, 20, 40 and 80 ms at least, and of 100 from then on.
        let most = 5 + took.as_millis() as u64 / 100;
        assert!((4..=most).contains(&count), "{label}: {count} attempts in {took:?}");
        assert_eq!(outcome.counts.opened, 1);
    }
}

#[test]
fn a_venue_that_wants_no_more_attempts_is_left_alone_for_as_long_as_it_says() {
    let (outcome, took) = welcomed(Welcome::Status(429), 1, "");
    assert!(took >= Duration::from_secs(2), "Retry-After: {took:?}");
    assert_eq!((endings(&outcome), outcome.counts.connects), (vec![("http_status", 1)], 2));
}

#[test]
fn an_answer_that_trickles_in_is_given_up() {
    let (outcome, _) = welcomed(Welcome::SlowLoris, 1, "open_timeout_ms = 4000");
    assert_eq!((outcome.counts.open_timeouts, outcome.counts.opened), (1, 1), "{:?}", outcome.counts);
    assert_eq!(endings(&outcome), [("open_timeout", 1)]);
}

/// A run that cannot begin, and why.
fn refused(certificate: Certificate, more: &str) -> ConnectionError {
    let symbols = symbols(1);
    let venue = Venue::start(&symbols, PACE, certificate);
    let mut run = LiveRun::start(&config(&venue, &symbols, more));
    match run.ended() {
        Err(LiveError::Venue { error, summary, .. }) => {
            assert_eq!((venue.opened(), venue.depth_requests()), (0, 0), "nothing was said to it");
            assert_eq!(summary.feed.map(|f| f.lines), Some(0));
            error
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a bad certificate was accepted"),
    }
}

#[test]
fn a_certificate_that_does_not_verify_is_never_accepted() {
    let certificate = |problem| ConnectionError::Certificate(problem);
    assert_eq!(refused(Certificate::Good, "ca_file = \"\""), certificate(CertificateProblem::UnknownIssuer));
    assert_eq!(refused(Certificate::WrongName, ""), certificate(CertificateProblem::WrongName));
    assert_eq!(refused(Certificate::Expired, ""), certificate(CertificateProblem::Expired));
}

#[test]
fn any_certificate_is_accepted_only_by_the_explicit_setting() {
    for certificate in [Certificate::WrongName, Certificate::Expired, Certificate::Good] {
        let symbols = symbols(1);
        let venue = Venue::start(&symbols, PACE, certificate);
        let more = "ca_file = \"\"\naccept_any_certificate = true";
        let mut run = LiveRun::start(&config(&venue, &symbols, more));
        run.until_whole();
        run.end_and_compare(&venue);
    }
}
