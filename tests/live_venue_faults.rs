//! The live feed against the local venue, under everything that can go wrong with one: each outcome has its type and its
//! counter, afterwards every book equals the venue's, and a certificate that does not verify is never accepted.

#[path = "support/local_live.rs"]
mod local_live;

use algo_trader::domain::Market;
use algo_trader::net::CertificateProblem;
use algo_trader::net::websocket::ConnectionError;
use algo_trader::run::LiveError;
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Fault, Server, ServerOptions, Stats, StreamAction, Tls};
use local_live::{Rig, venue};
use std::time::{Duration, Instant};

fn on_stream(action: StreamAction, stream: &str, nth: u64, count: u64) -> Fault {
    Fault::Stream { action, stream: Some(stream.into()), nth, count, ms: 0 }
}

/// So many connections came back.
fn came_back(count: u64) -> impl Fn(&Stats, &Stats) -> bool {
    move |before, now| now.upgrades >= before.upgrades + count
}

/// A fault of this name was done so often, and so many books were asked for anew.
fn done(fault: &'static str, times: u64, fetches: u64) -> impl Fn(&Stats, &Stats) -> bool {
    let of = move |stats: &Stats| stats.faults.get(fault).copied().unwrap_or_default();
    move |before, now| of(now) >= of(before) + times && now.rest_calls >= before.rest_calls + fetches
}

#[test]
fn cuts_are_told_by_interruptions_and_books_are_fetched_anew() {
    let mut rig = Rig::whole("");
    rig.suffer("a cut", Fault::Cut { market: None }, came_back(2));
    rig.suffer("a cut of spot", Fault::Cut { market: Some(Market::Spot) }, came_back(1));
    let outcome = rig.end();
    let (spot, usdm) = (outcome.market(Market::Spot).counts, outcome.market(Market::UsdM).counts);
    assert_eq!((spot.lost, spot.opened, spot.interruptions, spot.gaps), (2, 3, 4, 0), "{spot:?}");
    assert_eq!((usdm.lost, usdm.opened, usdm.interruptions, usdm.gaps), (1, 2, 1, 0), "{usdm:?}");
    assert!(spot.snapshots >= 6 && usdm.snapshots >= 2, "{spot:?} {usdm:?}");
    let cut = ["ended", "reset", "truncated"];
    assert!(outcome.endings().iter().all(|(label, _)| cut.contains(label)), "{:?}", outcome.endings());
}

#[test]
fn a_close_and_half_a_frame_are_told_apart() {
    let mut rig = Rig::whole("");
    rig.suffer("half a frame", Fault::Truncate, came_back(1));
    rig.suffer("the end of a lifetime", Fault::Expire, came_back(2));
    let outcome = rig.end();
    assert_eq!(outcome.endings(), [("closed", 2), ("truncated", 1)]);
    assert_eq!((outcome.count("gaps"), outcome.count("opened")), (0, 5));
}

#[test]
fn a_venue_that_stalls_is_given_up_and_found_again() {
    let mut rig = Rig::whole("silence_ms = 600");
    rig.suffer("a stall", Fault::Stall { ms: 1_300 }, came_back(2));
    let outcome = rig.end();
    for market in [Market::Spot, Market::UsdM] {
        let c = outcome.market(market).counts;
        assert!(c.silent >= 1 && c.lost == 0 && c.gaps == 0, "{c:?}");
    }
}

#[test]
fn a_dropped_diff_is_a_gap_of_that_book_alone() {
    let mut rig = Rig::whole("");
    let drop = |stream| on_stream(StreamAction::Drop, stream, 2, 1);
    // Only spot has this stream.
    rig.suffer("a drop", drop("ethusdt@depth@100ms"), done("drop", 1, 1));
    rig.suffer("a trade dropped", drop("ethusdt@trade"), done("drop", 1, 0));
    rig.suffer("a drop again", drop("ethusdt@depth@100ms"), done("drop", 1, 1));
    let outcome = rig.end();
    let (spot, usdm) = (outcome.market(Market::Spot).counts, outcome.market(Market::UsdM).counts);
    assert_eq!((spot.gaps, spot.lost, spot.interruptions, spot.snapshots), (2, 0, 0, 4), "{spot:?}");
    assert_eq!((usdm.gaps, usdm.lost, usdm.snapshots, usdm.fetches), (0, 0, 1, 1), "{usdm:?}");
    assert_eq!((rig.faults("drop"), outcome.endings()), (3, vec![]));
}

#[test]
fn doubled_and_overtaking_frames_do_no_harm() {
    let mut rig = Rig::whole("");
    let before = rig.venue.stats();
    for stream in ["ethusdt@depth@100ms", "ethusdt@bookTicker", "ethusdt@trade"] {
        rig.inject(on_stream(StreamAction::Duplicate, stream, 2, 2));
    }
    rig.until_seen("duplicates", |now| done("duplicate", 6, 0)(&before, now));
    rig.recover("duplicates");
    let doubled = rig.faults("duplicate");
    for stream in ["ethusdt@bookTicker", "ethusdt@trade"] {
        rig.inject(on_stream(StreamAction::Reorder, stream, 3, 2));
    }
    rig.until_seen("quotes and trades that overtake", |now| done("reorder", 4, 0)(&before, now));
    rig.recover("quotes and trades that overtake");
    let overtaking = on_stream(StreamAction::Reorder, "ethusdt@depth@100ms", 2, 1);
    rig.suffer("diffs that overtake", overtaking, done("reorder", 1, 1));
    let outcome = rig.end();
    let (spot, usdm) = (outcome.market(Market::Spot).counts, outcome.market(Market::UsdM).counts);
    assert!(doubled >= 4 && rig.faults("reorder") >= 3, "{:?}", rig.venue.stats().faults);
    assert!(spot.duplicates >= doubled, "{doubled}: {spot:?}");
    assert_eq!((spot.lost, spot.interruptions, spot.gaps, spot.snapshots), (0, 0, 1, 3), "{spot:?}");
    assert_eq!((usdm.gaps, usdm.lost, usdm.snapshots), (0, 0, 1), "{usdm:?}");
}

#[test]
fn a_stream_that_stands_still_catches_up() {
    let mut rig = Rig::whole("");
    let action = StreamAction::Delay;
    rig.suffer(
        "a delay",
        Fault::Stream { action, stream: None, nth: 1, count: 9, ms: 500 },
        done("delay", 1, 0),
    );
    let outcome = rig.end();
    assert_eq!((outcome.count("gaps"), outcome.count("lost"), outcome.count("interruptions")), (0, 0, 0));
    assert!(rig.faults("delay") > 0);
}

#[test]
fn an_upgrade_answered_200_is_tried_again_with_pauses() {
    let mut rig = Rig::whole("");
    rig.inject(Fault::NoUpgrade { count: 4 });
    rig.suffer("200 instead of 101", Fault::Cut { market: Some(Market::Spot) }, came_back(1));
    let outcome = rig.end();
    let spot = outcome.market(Market::Spot);
    assert_eq!(spot.endings.get("http_status"), Some(&4), "{:?}", spot.endings);
    assert_eq!((spot.counts.opened, outcome.market(Market::UsdM).counts.lost), (2, 0));
}

#[test]
fn a_huge_frame_is_passed_over_and_one_over_the_limit_ends_the_connection() {
    let mut rig = Rig::whole("");
    rig.suffer("10 MB", Fault::Huge { bytes: 10_000_000 }, done("huge", 2, 0));
    rig.suffer("20 MB", Fault::Huge { bytes: 20_000_000 }, came_back(2));
    let outcome = rig.end();
    assert_eq!(outcome.endings(), [("frame_too_large", 2)], "one a market");
    assert_eq!((outcome.count("opened"), outcome.count("gaps")), (4, 0));
    let feed = outcome.summary.feed.as_ref().expect("a live run");
    assert_eq!(
        feed.decode_errors + feed.ignored + feed.unknown_instruments,
        2,
        "the 10 MB are counted: {feed:?}"
    );
}

#[test]
fn bytes_that_trickle_are_given_up_in_the_stream_and_in_the_upgrade() {
    // The answer to an upgrade needs more than a second then.
    let mut rig = Rig::whole("silence_ms = 1000\nopen_timeout_ms = 700");
    let over = Instant::now() + Duration::from_secs(5);
    rig.suffer("a trickle", Fault::Trickle { ms: 5_000, bytes_per_s: 100 }, |before, now| {
        Instant::now() > over && came_back(2)(before, now)
    });
    let outcome = rig.end();
    for market in [Market::Spot, Market::UsdM] {
        let c = outcome.market(market).counts;
        assert!(c.silent >= 1 && c.open_timeouts >= 1 && c.gaps == 0, "{c:?}");
    }
}

/// What a bad TLS gives, by its mode.
const BAD_TLS: [(Tls, &str); 5] = [
    (Tls::UnknownAuthority, "certificate_unknown_issuer"),
    (Tls::WrongHost, "certificate_wrong_name"),
    (Tls::Expired, "certificate_expired"),
    (Tls::OldProtocol, "tls_alert"),
    (Tls::Tls11, "tls"),
];

#[test]
fn a_venue_whose_tls_goes_bad_is_not_spoken_to_until_it_is_good_again() {
    let mut rig = Rig::whole("");
    let mut most = Vec::new();
    for (mode, _) in BAD_TLS {
        let before = rig.venue.stats();
        let began = Instant::now();
        rig.inject(Fault::Tls { mode });
        rig.inject(Fault::Cut { market: None });
        rig.until("nothing live", |s| s.connections_live == 0 && s.books_synced == 0);
        rig.until_seen("it is tried again", |now| now.tls_failures >= before.tls_failures + 6);
        let stats = rig.venue.stats();
        let spoken = (stats.upgrades - before.upgrades, stats.rest_calls - before.rest_calls, stats.clients);
        assert_eq!(spoken, (0, 0, 0), "{mode:?}");
        rig.inject(Fault::Tls { mode: Tls::Good });
        rig.recover(mode.label());
        // Pauses of 10, 20, 40 and 80 ms at least, and of 100 from then on.
        most.push(5 + began.elapsed().as_millis() as u64 / 100);
    }
    let outcome = rig.end();
    for market in [Market::Spot, Market::UsdM] {
        let of = outcome.market(market);
        for ((_, label), most) in BAD_TLS.into_iter().zip(&most) {
            let count = of.endings.get(label).copied().unwrap_or_default();
            assert!((1..=*most).contains(&count), "{label}, at most {most}: {:?}", of.endings);
        }
        assert_eq!((of.counts.opened, of.counts.gaps), (6, 0));
    }
}

fn venue_with(tls: Tls) -> algo_trader::venue::local::serve::Running {
    let mut options = ServerOptions::generated(3, demo_instruments(), 100);
    options.tls = tls;
    Server::start(options).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_run_does_not_begin_with_a_certificate_that_does_not_verify() {
    for (tls, problem) in [
        (Tls::UnknownAuthority, CertificateProblem::UnknownIssuer),
        (Tls::WrongHost, CertificateProblem::WrongName),
        (Tls::Expired, CertificateProblem::Expired),
    ] {
        let mut rig = Rig::with(venue_with(tls), demo_instruments(), "");
        let LiveError::Venue { error, summary, .. } = rig.refused() else { panic!("another error") };
        assert_eq!(error, ConnectionError::Certificate(problem));
        let stats = rig.venue.stats();
        assert_eq!((stats.upgrades, stats.rest_calls, summary.feed.map(|f| f.lines)), (0, 0, Some(0)));
    }
}

#[test]
fn a_venue_of_old_is_never_spoken_to() {
    for (tls, label) in [(Tls::OldProtocol, "tls_alert"), (Tls::Tls11, "tls")] {
        let mut rig = Rig::with(venue_with(tls), demo_instruments(), "accept_any_certificate = true");
        // Six of two markets that are tried alike, and what the venue has counted is told.
        rig.until_seen("it is tried", |now| now.tls_failures >= 6);
        rig.until("it goes on", |s| s.connections_live == 0);
        let summary = rig.run.good();
        let markets = &summary.live.as_ref().expect("a live run").markets;
        for market in markets {
            assert!(market.endings.get(label).is_some_and(|n| *n >= 1), "{tls:?}: {:?}", market.endings);
            assert_eq!((market.endings.len(), market.counts.opened), (1, 0));
        }
        assert_eq!((rig.venue.stats().upgrades, rig.venue.stats().rest_calls), (0, 0));
    }
}

#[test]
fn any_certificate_is_accepted_only_by_the_explicit_setting() {
    for tls in [Tls::UnknownAuthority, Tls::WrongHost, Tls::Expired] {
        let mut rig = Rig::with(venue_with(tls), demo_instruments(), "accept_any_certificate = true");
        rig.recover(tls.label());
        assert_eq!(rig.end().endings(), []);
    }
}

#[test]
fn rest_calls_that_fail_are_counted_by_kind_and_made_again() {
    let mut rig = Rig::with(venue(), demo_instruments(), "");
    let rest = |status, delay_ms| Fault::Rest { status, count: 2, delay_ms, retry_after_s: 1 };
    for (status, delay_ms) in [(503, 0), (429, 0), (500, 100), (418, 0), (200, 300)] {
        rig.inject(rest(status, delay_ms));
    }
    rig.recover("REST faults");
    let outcome = rig.end();
    assert_eq!(rig.faults("rest"), 10);
    let counts = ["fetch_failures", "rate_limited", "fetch_refusals", "snapshots"];
    assert_eq!(counts.map(|name| outcome.count(name)), [4, 4, 0, 3]);
    // Diffs that came while one was on its way were kept in vain, which is told as an interruption.
    assert!(outcome.count("interruptions") <= 8);
}

#[test]
fn a_symbol_that_the_venue_does_not_know_is_set_aside_and_the_others_trade_on() {
    let mut instruments = demo_instruments();
    let mut gone = instruments[0].clone();
    (gone.symbol, gone.base) = ("GONEUSDT".into(), "GONE".into());
    instruments.insert(0, gone);
    let mut rig = Rig::with(venue(), instruments, "");
    rig.until("three books in step, one aside", |s| (s.books, s.books_synced, s.books_aside) == (4, 3, 1));
    rig.look("the beginning");
    // A gap of another book is mended at once, whatever became of that one.
    let before = rig.venue.stats();
    rig.inject(on_stream(StreamAction::Drop, "ethusdt@depth@100ms", 1, 1));
    rig.until_seen("a fetch", |now| done("drop", 1, 1)(&before, now));
    rig.until("in step again", |s| s.books_synced == 3);
    rig.look("a drop");
    let calls = rig.venue.stats().rest_calls;
    let outcome = rig.end();
    let spot = outcome.market(Market::Spot);
    let c = spot.counts;
    assert_eq!(
        (c.fetch_refusals, c.books_set_aside, spot.books_aside, spot.books),
        (1, 1, 1, (3, 2)),
        "{c:?}"
    );
    assert_eq!((c.gaps, c.snapshots, calls), (1, 3, 5), "asked for once: {c:?}");
    assert!(outcome.summary.execution.orders > 0);
    let text = outcome.summary.live.as_ref().expect("live").text();
    assert!(text.contains("books that the venue refuses, set aside: 1"), "{text}");
}

#[test]
fn a_trade_that_does_not_come_is_noticed_by_its_id_and_its_bar_handed_to_nobody() {
    let spot = |i: &algo_trader::domain::Instrument| i.market == Market::Spot;
    let instruments: Vec<_> = demo_instruments().into_iter().filter(spot).collect();
    let traded = instruments.last().expect("a spot market").symbol.to_lowercase();
    let mut rig = Rig::with(venue(), instruments, "");
    rig.recover("the beginning");
    // The bar that was under way at the start lacks trades anyway: what is dropped is to be of a later one.
    std::thread::sleep(Duration::from_millis(1_500));
    let dropped = on_stream(StreamAction::Drop, &format!("{traded}@trade"), 1, 1);
    rig.suffer("a trade dropped", dropped, done("drop", 1, 0));
    // It is missing once it was not overtaken for two seconds, in which bars of a second close.
    std::thread::sleep(Duration::from_millis(4_000));
    let outcome = rig.end();
    assert_eq!((outcome.count("trades_missing"), outcome.count("interruptions")), (1, 0));
    let bars = |summary: &algo_trader::run::Summary| {
        let totals = summary.book_totals();
        let closed: u64 = summary.books.iter().map(|(_, book)| book.bars).sum();
        (totals.missing_trades, totals.incomplete_bars, closed)
    };
    let (missing, incomplete, closed) = bars(&outcome.summary);
    // The first and the one that lacks the trade; where that lies between two, both of them.
    assert!(missing == 1 && (2..=3).contains(&incomplete) && closed >= 2, "{:?}", bars(&outcome.summary));
    // What became of such bars is the journal's to say, whatever is configured now.
    rig.run.config.market.incomplete_bars = algo_trader::market::IncompleteBars::Give;
    assert_eq!(bars(&rig.run.replayed()), (missing, incomplete, closed), "as in the journal's replay");
    let json = outcome.summary.to_json();
    assert_eq!([&json["missing_trades"], &json["incomplete_bars"]], [missing, incomplete]);
}
