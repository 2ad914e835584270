//! What is captured from a venue over TLS is what the venue sent, and replays as a run would have gone.

#[path = "support/live.rs"]
mod live;
#[path = "support/wire.rs"]
mod wire;

use algo_trader::domain::event::Event;
use algo_trader::domain::{InstrumentTable, Side};
use algo_trader::history::capture::{CaptureOptions, verify};
use algo_trader::history::recording::RecordingWriter;
use algo_trader::history::{Recording, RecordingOptions};
use algo_trader::journal::JournalReader;
use algo_trader::market::book::BookKeeper;
use algo_trader::net::{Endpoint, FrameSource};
use algo_trader::pipeline::Shared;
use algo_trader::run::{Config, LiveCapture, ReplayOptions, capture_live, replay_frames};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Fault, Running, Server, ServerOptions, Tls};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn config(venue: &Running, authority: &Path, more: &str) -> Config {
    let text = format!("[venue]\nca_file = {authority:?}\n{more}");
    let table = InstrumentTable::new(demo_instruments()).expect("the demo's instruments");
    let mut config = Config::from_text_with_instruments(&text, "test", table).expect("a good configuration");
    for endpoint in venue.endpoints() {
        let parsed = |url: &str, scheme| Endpoint::parse(url, scheme).expect("the venue's own address");
        let (stream, rest) = (parsed(&endpoint.stream_url, "wss"), parsed(&endpoint.rest_url, "https"));
        config.venue.set_endpoints(endpoint.market, stream, rest);
    }
    config
}

fn serve(dir: &Path, tls: Tls) -> (Running, PathBuf) {
    let authority = dir.join("ca.pem");
    let mut options = ServerOptions::generated(7, demo_instruments(), 300);
    options.ca_out = Some(authority.clone());
    options.tls = tls;
    (Server::start(options).expect("a venue"), authority)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a capture").map(|e| e.expect("an entry").path());
    let mut files: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "gz")).collect();
    files.sort();
    files
}

#[test]
fn a_live_capture_replays_without_a_gap_and_with_every_book_right() {
    let dir = tempfile::tempdir().expect("a directory");
    let (venue, authority) = serve(dir.path(), Tls::Good);
    // Two connections carry the same: what the second one brings is no news, and is not captured.
    let config = config(&venue, &authority, "redundancy = 2\n");
    let out = dir.path().join("capture");
    // Ended once there is enough of it, however long that takes.
    let mut options = LiveCapture { duration: Some(Duration::from_secs(120)), ..LiveCapture::default() };
    let (interrupt, mut whole) = (options.interrupt.clone(), None);
    options.progress = Some(Box::new(move |status| {
        if status.connections_live == 4 && status.books_synced == 3 {
            let begun = *whole.get_or_insert(status.frames);
            if status.frames > begun + 1_500 {
                interrupt.raise();
            }
        }
    }));
    let (captured, outcome, problem) =
        capture_live(&config, &CaptureOptions::new(out.clone()), options).expect("a capture");
    assert_eq!(problem, None);
    assert!(captured.report.is_complete(), "{:?}", captured.report);
    let counts = outcome.markets.iter().map(|m| m.counts);
    let (new, repeated) = counts.fold((0, 0), |(a, d), c| (a + c.accepted, d + c.duplicates));
    assert!(new > 300 && repeated > 300, "{new} new, {repeated} repeated");
    assert!(captured.report.counts.written >= new, "{:?}", captured.report.counts);
    assert!(captured.report.counts.written < new + 200, "repeated frames were captured");
    assert!(verify(&out).expect("a capture").is_good());

    let mut recording = Recording::open(&files(&out), &RecordingOptions::default()).expect("readable");
    let summary = replay_frames(&config, &mut recording, ReplayOptions::default()).expect("a replay");
    let feed = summary.feed.expect("frames");
    let books = summary.book_totals();
    assert_eq!((feed.decode_errors, feed.clock_backwards, feed.unknown_instruments), (0, 0, 0));
    assert_eq!(feed.snapshots, 3, "one for each instrument");
    assert_eq!((books.gaps, books.crossed), (0, 0));
    assert!(books.bbo_checked > 0 && books.bbo_checked == books.bbo_equal, "{books:?}");
    venue.stop().expect("a venue that lived");
}

#[test]
fn a_lost_connection_is_in_the_capture_and_a_replay_trusts_no_book_from_there_to_the_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let (venue, authority) = serve(dir.path(), Tls::Good);
    let config = config(&venue, &authority, "reconnect_min_ms = 20\nreconnect_max_ms = 200\n");
    let out = dir.path().join("capture");
    let mut options = LiveCapture { duration: Some(Duration::from_secs(120)), ..LiveCapture::default() };
    let (interrupt, control) = (options.interrupt.clone(), venue.control());
    // Cut once every book is in step, ended some time after.
    let mut cut = None;
    options.progress = Some(Box::new(move |status| {
        let whole = status.connections_live == 2 && status.books_synced == 3;
        match cut {
            None if whole => {
                control.inject(Fault::Cut { market: None });
                cut = Some(status.frames);
            }
            Some(frames) if whole && status.frames > frames + 1_500 => interrupt.raise(),
            _ => {}
        }
    }));
    let (captured, outcome, problem) =
        capture_live(&config, &CaptureOptions::new(out.clone()), options).expect("a capture");
    assert_eq!((problem, captured.report.is_complete()), (None, true));
    let told: u64 = outcome.markets.iter().map(|market| market.counts.interruptions).sum();
    let found = verify(&out).expect("a capture");
    assert!(found.is_good() && told >= 3, "{told}");
    assert_eq!(found.interruptions(), told);

    let replayed = |files: &[PathBuf]| {
        let mut recording = Recording::open(files, &RecordingOptions::default()).expect("readable");
        replay_frames(&config, &mut recording, ReplayOptions::default()).expect("a replay")
    };
    let summary = replayed(&files(&out));
    let (feed, books) = (summary.feed.expect("frames"), summary.book_totals());
    assert_eq!((feed.interruptions, feed.decode_errors, feed.snapshots), (told, 0, 6));
    // As live: an interruption is no gap, and nothing is compared with a book that is not to be trusted.
    assert_eq!((books.gaps, books.crossed), (0, 0));
    assert!(books.bbo_checked > 0 && books.bbo_checked == books.bbo_equal, "{books:?}");
    assert!(summary.books.iter().all(|(_, book)| !book.blind));
    // Without the books that came after it nothing is left to trade on, though diffs and quotes go on.
    let streams: Vec<PathBuf> =
        files(&out).into_iter().map(|file| without_later_books(&file, dir.path())).collect();
    let summary = replayed(&streams);
    assert_eq!(summary.feed.expect("frames").snapshots, 3);
    assert!(summary.books.iter().all(|(_, book)| book.blind && book.sync.gaps == 0), "{:?}", summary.books);
    venue.stop().expect("a venue that lived");
}

/// A copy of a captured file; of the file of an instrument's books the first one alone.
fn without_later_books(file: &Path, dir: &Path) -> PathBuf {
    let name = file.file_name().expect("a name");
    let mut recording = Recording::open(&[file.to_owned()], &RecordingOptions::default()).expect("readable");
    let of_books = recording.sources()[0].symbol.is_some();
    let copy = dir.join(name);
    let mut writer = RecordingWriter::create(&copy).expect("a file");
    let mut written = 0;
    while let Some(frame) = recording.next_frame().expect("readable") {
        if of_books && written > 0 {
            break;
        }
        writer.write(frame.received, frame.bytes).expect("written");
        written += 1;
    }
    writer.finish().expect("finished");
    copy
}

#[test]
fn a_frame_that_cannot_be_read_is_the_same_gap_in_a_run_its_capture_and_the_replay_of_that() {
    let symbols = live::symbols(2);
    let venue = wire::Venue::start(&symbols, Duration::from_millis(5), wire::Certificate::Good);
    let config = live::config(&venue, &symbols, "");
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("capture");
    // A run and a capture follow the venue at once, and each loses one diff of its own.
    let mut run = live::LiveRun::start(&config);
    run.until_whole();
    let whole = Arc::new(Mutex::new((0, false)));
    let shown = Arc::clone(&whole);
    let mut options = LiveCapture { duration: Some(Duration::from_secs(120)), ..LiveCapture::default() };
    let interrupt = options.interrupt.clone();
    options.progress = Some(Box::new(move |status| {
        let in_step = status.connections_live == 1 && status.books_synced == 2;
        *shown.lock().expect("no panic") = (status.frames, in_step);
    }));
    let (capturing, to) = (config.clone(), CaptureOptions::new(out.clone()));
    let capture = std::thread::spawn(move || capture_live(&capturing, &to, options));
    let captured_more = || {
        let before = whole.lock().expect("no panic").0;
        wire::wait_for("a capture in step", || {
            let (frames, in_step) = *whole.lock().expect("no panic");
            in_step && frames > before + 300
        });
    };
    captured_more();
    venue.fault(&wire::Fault::Cripple(1));
    captured_more();
    run.until_whole();
    venue.freeze();
    run.until_quiet();
    let mut before = u64::MAX;
    wire::wait_for("the last frame", || {
        std::thread::sleep(Duration::from_millis(600));
        let frames = whole.lock().expect("no panic").0;
        std::mem::replace(&mut before, frames) == frames
    });
    interrupt.raise();
    let (captured, outcome, problem) = capture.join().expect("no panic").expect("a capture");
    assert_eq!((problem, captured.report.is_complete()), (None, true));
    let summary = run.good();
    let of_run = summary.live.as_ref().expect("live").markets[0].counts;
    let of_capture = outcome.markets[0].counts;
    for c in [of_run, of_capture] {
        assert_eq!((c.unread, c.gaps, c.interruptions, c.snapshots), (1, 0, 1, 3), "{c:?}");
    }

    let mut recording = Recording::open(&files(&out), &RecordingOptions::default()).expect("readable");
    let journal = dir.path().join("replay.journal");
    let mut options = ReplayOptions::default();
    options.pipeline.journal = Some(journal.clone());
    let replayed = replay_frames(&config, &mut recording, options).expect("a replay");
    let (feed, books) = (replayed.feed.expect("frames"), replayed.book_totals());
    assert_eq!((feed.decode_errors, feed.interruptions, feed.snapshots), (1, 1, 3));
    assert_eq!((books.gaps, books.crossed), (0, 0));
    // In both journals one book is hidden once, from the frame that cannot be read to the book that was fetched for it.
    let slots = |path: &Path| {
        let mut journal = JournalReader::open(path).expect("a journal");
        std::iter::from_fn(move || journal.next_slot().expect("it reads")).collect::<Vec<_>>()
    };
    let theirs = venue.books();
    for path in [&run.journal, &journal] {
        let table = config.instruments.all();
        let mut keeper = BookKeeper::new(table, |_| true);
        let (mut lost, mut valid) = (Vec::new(), vec![false; table.len()]);
        for slot in slots(path) {
            keeper.on_slot(&slot);
            for instrument in table.iter().filter(|_| slot.is_last()) {
                let is = keeper.valid(instrument.id).is_some();
                if std::mem::replace(&mut valid[instrument.id.index()], is) && !is {
                    assert!(matches!(slot.event(), Event::Interrupted(_)), "{:?}", slot.event());
                    lost.push(instrument.id);
                }
            }
        }
        assert_eq!(lost.len(), 1, "{}", path.display());
        for instrument in table {
            let sync = keeper.valid(instrument.id).expect("in step in the end");
            let side =
                |side| sync.book().levels(side).map(|l| (l.price.0, l.qty.0)).collect::<wire::Levels>();
            let book = &theirs[&instrument.symbol];
            assert_eq!(sync.last_update_id(), book.last_id, "{}", instrument.symbol);
            assert!(side(Side::Buy) == book.bids && side(Side::Sell) == book.asks, "{}", instrument.symbol);
        }
    }
}

#[test]
fn a_venue_that_cannot_be_trusted_is_not_captured() {
    let dir = tempfile::tempdir().expect("a directory");
    let (venue, authority) = serve(dir.path(), Tls::Expired);
    let config = config(&venue, &authority, "");
    let options = LiveCapture { duration: Some(Duration::from_secs(120)), ..LiveCapture::default() };
    let out = dir.path().join("capture");
    let (captured, _, problem) =
        capture_live(&config, &CaptureOptions::new(out), options).expect("files at least");
    let problem = problem.expect("a reason");
    assert!(problem.contains("expired"), "{problem}");
    assert_eq!(captured.report.counts.written, 0);
}
