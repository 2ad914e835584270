//! The live feed against the local venue: several markets at once, its books, and recorded frames served again.

#[path = "support/frames.rs"]
mod frames;

use algo_trader::domain::{InstrumentTable, Market, Side};
use algo_trader::history::{Recording, RecordingOptions};
use algo_trader::journal::JournalReader;
use algo_trader::market::book::BookKeeper;
use algo_trader::pipeline::Shared;
use algo_trader::pipeline::Wait;
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{Config, LiveOptions, LiveStatus, ReplayOptions, Summary, replay_journal, run_live};
use algo_trader::venue::local::serve::{Fault, Origin, Pace, Running, Server, ServerOptions};
use algo_trader::venue::local::{FlowConfig, demo_instruments};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// `[venue]` sections that lead to a running venue.
fn sections(venue: &Running, ca: &Path, more: &str) -> String {
    let mut text = format!("[venue]\nca_file = {ca:?}\nsilence_ms = 3000\nreconnect_min_ms = 20\n{more}\n");
    for at in venue.endpoints() {
        text += &format!("[venue.{}]\nstream = {:?}\nrest = {:?}\n", at.market, at.stream_url, at.rest_url);
    }
    text
}

fn ca_file(venue: &Running) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(venue.ca_pem().expect("TLS").as_bytes()).expect("written");
    file
}

/// Follows a venue until `done` says that it is enough; `meanwhile` is called with each status.
fn follow(config: &Config, journal: &Path, mut done: impl FnMut(&LiveStatus) -> bool) -> Summary {
    let (interrupt, status) = (Interrupt::default(), Arc::new(Mutex::new(LiveStatus::default())));
    let shown = Arc::clone(&status);
    let mut options = LiveOptions { interrupt: interrupt.clone(), ..LiveOptions::default() };
    options.progress = Some(Box::new(move |s| *shown.lock().expect("no panic") = *s));
    options.pipeline.journal = Some(journal.into());
    options.pipeline.wait = Some(Wait::Backoff);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run_live(config, options));
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end && !run.is_finished() {
            if done(&status.lock().expect("no panic")) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        interrupt.raise();
        run.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"))
    })
}

#[test]
fn two_markets_on_redundant_connections_equal_the_venues_books_after_a_cut() {
    let mut flow = FlowConfig::new(42, demo_instruments()).with_events_per_s(300);
    flow.duration = Duration::from_secs(4);
    let mut options = ServerOptions::new(Origin::Generated { flow, wall_clock: true });
    options.wait_for_clients = 4;
    let venue = Server::start(options).unwrap_or_else(|error| panic!("{error}"));
    let ca = ca_file(&venue);
    let text = format!(
        "{}[paper]\nfill = \"touch\"\n[[strategy]]\nname = \"imbalance-maker\"\ninstruments = [\"binance:usdm:BTCUSDT\"]\n\
         [strategy.params]\nqty = \"0.010\"\nthreshold = 0.05\nhold_ms = 100\n",
        sections(&venue, ca.path(), "redundancy = 2")
    );
    let table = InstrumentTable::new(demo_instruments()).expect("distinct");
    let config =
        Config::from_text_with_instruments(&text, "test", table).unwrap_or_else(|error| panic!("{error}"));
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let begun = Instant::now();
    let (mut cut, mut ended) = (false, None);
    let summary = follow(&config, &journal, |status| {
        let whole = status.connections_live == 4 && status.books_synced == status.books && status.books == 3;
        if !cut && whole && begun.elapsed() > Duration::from_secs(1) {
            cut = venue.control().inject(Fault::Cut { market: Some(Market::Spot) });
        }
        if ended.is_none() && venue.stats().feed_ended {
            ended = Some(Instant::now());
        }
        ended.is_some_and(|at: Instant| at.elapsed() > Duration::from_secs(1)) && whole
    });
    assert!(cut, "{:?}", summary.live);
    let live = summary.live.as_ref().expect("a live run");
    let counts: Vec<_> = live.markets.iter().map(|m| (m.market, m.counts)).collect();
    assert_eq!((counts[0].0, counts[1].0), (Market::Spot, Market::UsdM));
    assert_eq!((counts[0].1.lost, counts[1].1.lost, counts[1].1.gaps), (2, 0, 0), "{counts:?}");
    assert!(counts[1].1.duplicates > 100, "{counts:?}");
    let mut keeper = BookKeeper::new(config.instruments.all(), |_| true);
    let mut reader = JournalReader::open(&journal).expect("a journal");
    while let Some(slot) = reader.next_slot().expect("it reads") {
        keeper.on_slot(&slot);
    }
    for instrument in config.instruments.all() {
        let theirs = venue.book(instrument.market, &instrument.symbol, 100).expect("served");
        let ours = keeper.valid(instrument.id).unwrap_or_else(|| panic!("{} is invalid", instrument.name()));
        assert_eq!(ours.last_update_id(), theirs.update_id, "{}", instrument.name());
        let side = |side| ours.book().levels(side).take(100).collect::<Vec<_>>();
        assert!(side(Side::Buy) == theirs.bids && side(Side::Sell) == theirs.asks, "{}", instrument.name());
    }
    let mut reader = JournalReader::open(&journal).expect("a journal");
    let again = replay_journal(&config, &mut reader, ReplayOptions::default()).expect("it replays");
    assert_eq!(again.order_stream_sha256, summary.order_stream_sha256);
    assert!(summary.execution.orders > 0, "{:?}", summary.execution);
}

#[test]
fn recorded_frames_served_again_give_the_recorded_quotes() {
    let Some(recorded) = frames::recorded() else { return };
    drop(recorded);
    let root = std::env::var_os("ALGO_TRADER_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        std::path::PathBuf::from,
    );
    let mut paths: Vec<_> = std::fs::read_dir(root.join("binance-20240808"))
        .expect("it was there")
        .map(|e| e.expect("readable").path())
        .filter(|p| p.to_string_lossy().contains("spot-"))
        .collect();
    paths.sort();
    let source = Recording::open(&paths, &RecordingOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let instruments: Vec<_> = Config::embedded_default()
        .instruments
        .all()
        .iter()
        .filter(|i| i.market == Market::Spot)
        .cloned()
        .collect();
    let mut options = ServerOptions::recorded(Box::new(source), instruments.clone());
    options.pace = Pace::Times(120.0);
    options.wait_for_clients = 1;
    let venue = Server::start(options).unwrap_or_else(|error| panic!("{error}"));
    let ca = ca_file(&venue);
    let text = sections(&venue, ca.path(), "streams = [\"trade\", \"bookTicker\", \"depth@100ms\"]");
    let table = InstrumentTable::new(instruments).expect("distinct");
    let config =
        Config::from_text_with_instruments(&text, "test", table).unwrap_or_else(|error| panic!("{error}"));
    let dir = tempfile::tempdir().expect("a directory");
    let mut ended = None;
    let summary = follow(&config, &dir.path().join("run.journal"), |_| {
        if ended.is_none() && venue.stats().feed_ended {
            ended = Some(Instant::now());
        }
        ended.is_some_and(|at: Instant| at.elapsed() > Duration::from_millis(500))
    });
    let (feed, books) = (summary.feed.expect("a live run"), summary.book_totals());
    assert_eq!(feed.frames, venue.stats().frames, "every frame came");
    assert_eq!((feed.decode_errors, books.gaps, books.crossed), (0, 0, 0));
    assert!(books.bbo_checked > 1_000 && books.bbo_equal == books.bbo_checked, "{books:?}");
}
