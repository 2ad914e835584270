//! The live feed against the local venue: several markets at once, its books, and recorded frames served again.

#[path = "support/local_live.rs"]
mod local_live;
#[path = "support/recordings.rs"]
mod recordings;

use algo_trader::domain::event::Event;
use algo_trader::domain::{Instrument, InstrumentTable, Market, Side};
use algo_trader::history::{Recording, RecordingOptions};
use algo_trader::journal::JournalReader;
use algo_trader::market::book::BookKeeper;
use algo_trader::net::FrameSource;
use algo_trader::pipeline::Shared;
use algo_trader::pipeline::Wait;
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{Config, LiveOptions, LiveStatus, ReplayOptions, Summary, replay_journal, run_live};
use algo_trader::venue::local::serve::{Fault, Origin, Pace, Running, Server, ServerOptions};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments, generated_instruments};
use local_live::{LiveRun, ca_file, sections};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Follows a venue until `done`, which is called with each status, says that it is enough.
fn follow(config: &Config, journal: &Path, mut done: impl FnMut(&LiveStatus) -> bool) -> Summary {
    let interrupt = Interrupt::default();
    let mut options = LiveOptions { interrupt: interrupt.clone(), ..LiveOptions::default() };
    let (shown, statuses) = channel();
    // After the end nobody listens.
    options.progress = Some(Box::new(move |s| {
        let _ = shown.send(*s);
    }));
    options.pipeline.journal = Some(journal.into());
    options.pipeline.wait = Some(Wait::Backoff);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run_live(config, options));
        let end = Instant::now() + Duration::from_secs(120);
        // It fails, or takes too long: what was not reached is found by who asked.
        while let Ok(status) = statuses.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if done(&status) {
                break;
            }
        }
        interrupt.raise();
        run.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Whether a venue whose feed has ended was heard to its end: nothing more comes.
#[derive(Default)]
struct Heard {
    frames: u64,
    times: u32,
}

impl Heard {
    fn is_at_the_end(&mut self, venue: &Running, status: &LiveStatus) -> bool {
        let same = venue.stats().feed_ended && status.frames == self.frames;
        self.times = if same { self.times + 1 } else { 0 };
        self.frames = status.frames;
        self.times >= 4
    }
}

#[test]
fn two_markets_on_redundant_connections_equal_the_venues_books_after_a_cut() {
    let mut flow = FlowConfig::new(42, demo_instruments()).with_events_per_s(300);
    flow.duration = Duration::from_secs(6);
    let mut options = ServerOptions::new(Origin::Generated { flow, wall_clock: true });
    options.wait_for_clients = 4;
    let venue = Server::start(options).unwrap_or_else(|error| panic!("{error}"));
    let ca = ca_file(&venue);
    let text = format!(
        "{}[risk]\nunset = \"default\"\n[paper]\nfill = \"touch\"\n[[strategy]]\nname = \"imbalance-maker\"\ninstruments = [\"binance:usdm:BTCUSDT\"]\n\
         [strategy.params]\nqty = \"0.010\"\nthreshold = 0.05\nhold_ms = 100\n",
        sections(&venue, ca.path(), "redundancy = 2")
    );
    let table = InstrumentTable::new(demo_instruments()).expect("distinct");
    let config =
        Config::from_text_with_instruments(&text, "test", table).unwrap_or_else(|error| panic!("{error}"));
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let (mut cut, mut heard) = (false, Heard::default());
    let summary = follow(&config, &journal, |status| {
        let whole = status.connections_live == 4 && status.books_synced == status.books && status.books == 3;
        if !cut && whole && status.frames > 400 {
            cut = venue.control().inject(Fault::Cut { market: Some(Market::Spot) });
        }
        heard.is_at_the_end(&venue, status) && whole
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
fn streams_of_usdm_are_asked_for_by_the_way_that_leads_to_them() {
    let flow = FlowConfig::new(7, demo_instruments()).with_events_per_s(300);
    let options = ServerOptions::new(Origin::Generated { flow, wall_clock: true });
    let venue = Server::start(options).unwrap_or_else(|error| panic!("{error}"));
    let ca = ca_file(&venue);
    let streams =
        "streams = [\"trade\", \"aggTrade\", \"bookTicker\", \"depth@100ms\", \"kline_1m\"]\nredundancy = 2";
    let config = local_live::config(&venue, ca.path(), demo_instruments(), streams);
    let mut run = LiveRun::start(&config);
    run.until_whole();
    let (mut begun, mut cut) = (None, false);
    run.until("frames of both ways, before and after a cut", |s| {
        cut = cut || (s.frames > 500 && venue.control().inject(Fault::Cut { market: Some(Market::UsdM) }));
        let whole = cut && s.connections_live == 6 && s.books_synced == s.books;
        whole && s.frames > *begun.get_or_insert(s.frames + 1_000)
    });
    run.good();
    let usdm = run.config.instruments.all().iter().find(|i| i.market == Market::UsdM).expect("one").id;
    let (mut came, mut aggregates) = (BTreeMap::new(), Vec::new());
    for slot in run.slots().into_iter().filter(|slot| slot.instrument() == usdm) {
        let kind = match slot.event() {
            Event::Trade(trade) if trade.aggregate => {
                aggregates.push(trade.id);
                "aggregate"
            }
            Event::Trade(_) => "trade",
            Event::Quote(_) => "quote",
            Event::DepthDiff(_) => "diff",
            Event::Kline(_) => "kline",
            _ => continue,
        };
        *came.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(came.keys().copied().collect::<Vec<_>>(), ["aggregate", "diff", "kline", "quote", "trade"]);
    assert!(came.values().all(|count| *count > 1), "{came:?}");
    assert!(aggregates.is_sorted_by(|one, next| one < next), "each once: {aggregates:?}");
}

/// So many pairs' streams are more than a request line holds: they are subscribed to by messages.
#[test]
fn a_hundred_pairs_on_one_connection_are_subscribed_to_and_every_book_comes() {
    let mut instruments = generated_instruments(134);
    instruments.retain(|i| i.market == Market::Spot);
    let mut options = ServerOptions::generated(5, instruments.clone(), 10);
    options.limits.weight = Some(1_000_000);
    let venue = Server::start(options).unwrap_or_else(|error| panic!("{error}"));
    let ca = ca_file(&venue);
    let mut run = LiveRun::start(&local_live::config(&venue, ca.path(), instruments, ""));
    run.until("a hundred books over one connection", |s| {
        (s.connections, s.connections_live, s.books, s.books_synced) == (1, 1, 101, 101)
    });
    assert!(venue.stats().subscriptions >= 300, "{:?}", venue.stats());
    let summary = run.good();
    let counts = summary.live.as_ref().expect("a live run").markets[0].counts;
    assert_eq!((counts.refused_subscriptions, counts.gaps, counts.lost), (0, 0, 0), "{counts:?}");
}

#[test]
fn recorded_frames_served_again_give_the_recorded_quotes() {
    let Some((paths, instruments)) = recorded_spot() else { return };
    let source = Recording::open(&paths, &RecordingOptions::default()).unwrap_or_else(|e| panic!("{e}"));
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
    let mut heard = Heard::default();
    let summary =
        follow(&config, &dir.path().join("run.journal"), |status| heard.is_at_the_end(&venue, status));
    let (feed, books) = (summary.feed.expect("a live run"), summary.book_totals());
    assert_eq!(feed.frames, venue.stats().frames, "every frame came");
    assert_eq!((feed.decode_errors, books.gaps, books.crossed), (0, 0, 0));
    assert!(books.bbo_checked > 1_000 && books.bbo_equal == books.bbo_checked, "{books:?}");
}

/// Files and instruments of the spot recordings, where they are.
fn recorded_spot() -> Option<(Vec<PathBuf>, Vec<Instrument>)> {
    let entries = std::fs::read_dir(recordings::folder("binance-20240808")?).expect("it is there");
    let mut paths: Vec<_> = entries.map(|e| e.expect("readable").path()).collect();
    paths.retain(|p| p.to_string_lossy().contains("spot-"));
    paths.sort();
    let config = Config::embedded_default();
    let spot = config.instruments.all().iter().filter(|i| i.market == Market::Spot);
    Some((paths, spot.cloned().collect()))
}

/// Trades, quotes and diffs by their venue's ids, of one instrument each.
type Ids = BTreeMap<(Market, String, &'static str), Vec<u64>>;

/// What is in the frames of a source, read with no code of the feed's.
fn ids_of_frames(source: &mut dyn FrameSource) -> Ids {
    let sources = source.sources().to_vec();
    let mut ids = Ids::new();
    while let Some(frame) = source.next_frame().expect("a source") {
        let json: serde_json::Value = serde_json::from_slice(frame.bytes).expect("JSON");
        let Some((symbol, stream)) = json["stream"].as_str().and_then(|name| name.split_once('@')) else {
            continue;
        };
        let (kind, id) = match stream {
            "trade" => ("trade", "t"),
            "bookTicker" => ("quote", "u"),
            _ if stream.starts_with("depth@") => ("diff", "u"),
            _ => continue,
        };
        let key = (sources[usize::from(frame.source.0)].market, symbol.to_uppercase(), kind);
        if stream == "depth@0ms" {
            continue;
        }
        ids.entry(key).or_default().push(json["data"][id].as_u64().expect("an id"));
    }
    ids
}

fn ids_of_run(run: &LiveRun) -> Ids {
    let instruments = run.config.instruments.all();
    let mut ids = Ids::new();
    for slot in run.slots() {
        let (kind, id) = match slot.event() {
            Event::Trade(trade) => ("trade", trade.id),
            Event::Quote(quote) => ("quote", quote.update_id),
            Event::DepthDiff(head) => ("diff", head.last_id),
            Event::DepthSnapshot(head) => ("book", head.last_id),
            _ => continue,
        };
        let of = &instruments[slot.instrument().index()];
        ids.entry((of.market, of.symbol.clone(), kind)).or_default().push(id);
    }
    ids
}

/// Follows `venue` over two connections a market, of which the older one is cut again and again; every event of
/// `expected` comes, once.
fn one_of_two_is_cut(venue: &Running, instruments: Vec<Instrument>, markets: usize, expected: &Ids) {
    let ca = ca_file(venue);
    let config = local_live::config(venue, ca.path(), instruments, "redundancy = 2\nreconnect_max_ms = 50");
    let mut run = LiveRun::start(&config);
    let mut cuts = 0;
    while !venue.stats().feed_ended {
        // Each cut was made good, and what was on its way by then has come, on whichever of the two it was: what the
        // older one had still to bring, the newer one was too late for.
        let upgrades = 2 * markets as u64 + cuts;
        let mut both = None;
        run.until("every connection", |s| {
            let stats = venue.stats();
            let whole = s.connections_live == 2 * markets && stats.upgrades >= upgrades;
            let on_its_way = stats.frames_sent.saturating_sub(s.frames);
            let goes_on = whole && s.frames > *both.get_or_insert(s.frames + 2 * on_its_way + 50);
            goes_on || stats.feed_ended
        });
        if venue.stats().feed_ended {
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
        assert!(venue.control().inject(Fault::CutOne { market: None }));
        cuts += markets as u64;
    }
    run.until_quiet();
    let summary = run.good();
    let live = summary.live.as_ref().expect("a live run");
    let sum =
        |of: fn(&algo_trader::run::live::MarketOutcome) -> u64| live.markets.iter().map(of).sum::<u64>();
    assert!(cuts >= 3 * markets as u64, "{cuts} cuts");
    assert_eq!(sum(|m| m.counts.lost), cuts);
    assert_eq!((sum(|m| m.counts.gaps), sum(|m| m.counts.interruptions)), (0, 0));
    let (books, mut ours): (Ids, Ids) = ids_of_run(&run).into_iter().partition(|(key, _)| key.2 == "book");
    assert!(books.values().all(|ids| ids.len() == 1), "each book was fetched once: {books:?}");
    // The venue makes the diffs of 100 ms of those that a futures market sends at once; their gaps were counted above.
    ours.retain(|key, _| *key != (Market::UsdM, key.1.clone(), "diff"));
    assert_eq!(ours.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (key, expected) in expected {
        let ours = ours.get_mut(key).expect("the same keys");
        let mut expected = expected.clone();
        // Trades may overtake each other; an id that is sent twice is one event.
        ours.sort_unstable();
        expected.sort_unstable();
        expected.dedup();
        // The one book that is fetched covers the diffs before.
        let begin = books.get(&(key.0, key.1.clone(), "book")).map_or(0, |ids| ids[0]);
        if key.2 == "diff" {
            ours.retain(|id| *id > begin);
            expected.retain(|id| *id > begin);
        }
        let missing: Vec<_> = expected.iter().filter(|id| ours.binary_search(id).is_err()).take(9).collect();
        assert!(expected.len() > 30, "{key:?}: {} from {begin}", expected.len());
        assert!(*ours == expected, "{key:?}: {} of {}, missing {missing:?}", ours.len(), expected.len());
    }
}

#[test]
fn of_two_connections_one_is_cut_again_and_again_and_no_event_is_lost_or_doubled() {
    let mut flow = FlowConfig::new(7, demo_instruments()).with_events_per_s(400);
    flow.duration = Duration::from_secs(10);
    let expected = ids_of_frames(&mut FlowSource::new(&flow).unwrap_or_else(|error| panic!("{error}")));
    let mut options = ServerOptions::new(Origin::Generated { flow, wall_clock: true });
    options.wait_for_clients = 4;
    let venue = Server::start(options).unwrap_or_else(|error| panic!("{error}"));
    one_of_two_is_cut(&venue, demo_instruments(), 2, &expected);
}

#[test]
fn recorded_frames_over_two_connections_of_which_one_is_cut_again_and_again_all_come_once() {
    let Some((paths, instruments)) = recorded_spot() else { return };
    let open = || Recording::open(&paths, &RecordingOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let expected = ids_of_frames(&mut open());
    let mut options = ServerOptions::recorded(Box::new(open()), instruments.clone());
    options.pace = Pace::Times(30.0);
    options.wait_for_clients = 2;
    let venue = Server::start(options).unwrap_or_else(|error| panic!("{error}"));
    one_of_two_is_cut(&venue, instruments, 1, &expected);
}
