//! The recorded session, whole: what is in it is found, whatever the threads, every time.

#[path = "support/recordings.rs"]
mod recordings;
#[path = "support/pipeline.rs"]
mod support;

use algo_trader::domain::Market;
use algo_trader::history::recording::{Recording, RecordingOptions};
use algo_trader::journal::JournalReader;
use algo_trader::net::FrameSource;
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::{Config, ReplayOptions, Summary, replay_frames, replay_journal};
use std::path::{Path, PathBuf};
use support::{Frames, threads};

/// Recorded files whose name begins so; `None`, with a line that says so, where there are none.
fn recorded(prefix: &str) -> Option<Vec<PathBuf>> {
    let folder = recordings::folder("binance-20240808")?;
    let entries = std::fs::read_dir(folder).expect("the folder is readable");
    let mut paths: Vec<_> = entries.map(|e| e.expect("the folder is readable").path()).collect();
    paths.retain(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix)));
    paths.sort();
    Some(paths)
}

fn open(paths: &[PathBuf]) -> Recording {
    Recording::open(paths, &RecordingOptions::default()).expect("good recordings")
}

fn replay(paths: &[PathBuf], options: ReplayOptions) -> Summary {
    replay_frames(&Config::embedded_default(), &mut open(paths), options).expect("a good run")
}

/// The frames of one recorded file, in memory.
fn in_memory(path: &Path, market: Market, symbol: &str) -> Frames {
    let mut frames = Frames::new(market, symbol);
    let mut recording = open(&[path.to_owned()]);
    while let Some(frame) = recording.next_frame().expect("a good file") {
        frames.all.push((frame.received, frame.bytes.to_vec()));
    }
    frames
}

#[test]
fn every_recorded_frame_is_used_and_the_books_agree_with_the_venue_at_every_shared_update() {
    let Some(paths) = recorded("") else { return };
    let summary = replay(&paths, threads(Threading::Inline));
    let feed = summary.feed.expect("frames were fed");
    assert_eq!((feed.frames, feed.snapshots, feed.decode_errors), (446_308, 5, 0));
    assert_eq!((feed.ignored, feed.unknown_instruments, feed.clock_backwards), (0, 0, 0));
    assert_eq!(summary.malformed_lines, 0);
    let books = summary.book_totals();
    assert_eq!((books.gaps, books.crossed), (0, 0));
    assert_eq!((books.bbo_checked, books.bbo_equal), (5_193, 5_193));
    for (name, checked) in [
        ("binance:usdm:BTCUSDT", 629),
        ("binance:usdm:ETHUSDT", 551),
        ("binance:spot:BTCUSDT", 1_072),
        ("binance:spot:ETHUSDT", 1_056),
        ("binance:coinm:BTCUSD_PERP", 1_885),
    ] {
        let (_, book) = summary.books.iter().find(|(i, _)| i.name() == name).expect("configured");
        assert_eq!((book.bbo_checked, book.bbo_equal, book.top.valid), (checked, checked, true), "{name}");
    }
    assert!(summary.execution.orders > 0 && summary.execution.fills > 0);
    assert_eq!((summary.execution.overfills, summary.execution.unknown_reports), (0, 0));
}

#[test]
fn the_order_stream_is_the_same_for_every_way_to_spread_threads_and_to_wait() {
    let Some(paths) = recorded("spot-ethusdt-20240808") else { return };
    let mut options = threads(Threading::Inline);
    options.frames_max = Some(6_000);
    let first = replay(&paths, options);
    assert!(first.execution.orders > 0);
    for threading in Threading::ALL {
        for wait in Wait::ALL {
            let mut options = threads(threading);
            options.pipeline.wait = Some(wait);
            options.pipeline.oversubscribe = true;
            options.frames_max = Some(6_000);
            let summary = replay(&paths, options);
            let hash = &summary.order_stream_sha256;
            assert_eq!(
                (hash, summary.seq),
                (&first.order_stream_sha256, first.seq),
                "{threading:?} {wait:?}"
            );
        }
    }
}

/// Nine whole runs, some of them on more threads than cores: minutes, so only where they are asked for.
#[test]
fn the_whole_recordings_give_one_order_stream_for_every_threading_and_wait() {
    let asked = std::env::var_os("ALGO_TRADER_LONG_TESTS").is_some_and(|value| value == "1");
    if !asked {
        println!("SKIPPED: set ALGO_TRADER_LONG_TESTS=1 to run the whole recordings nine times");
        return;
    }
    let Some(paths) = recorded("") else { return };
    let mut first: Option<(String, u64, u64)> = None;
    for threading in Threading::ALL {
        for wait in Wait::ALL {
            let mut options = threads(threading);
            options.pipeline.wait = Some(wait);
            options.pipeline.oversubscribe = true;
            let summary = replay(&paths, options);
            let found = (summary.order_stream_sha256, summary.seq, summary.execution.orders);
            println!("{threading:?} {wait:?}: {:.1} s, {}", summary.elapsed.as_secs_f64(), found.0);
            assert_eq!(*first.get_or_insert(found.clone()), found, "{threading:?} {wait:?}");
        }
    }
}

#[test]
fn the_order_stream_of_all_markets_together_is_the_same_every_time() {
    let Some(paths) = recorded("") else { return };
    let hashes = [Threading::Inline, Threading::Inline, Threading::Shared].map(|threading| {
        let mut options = threads(threading);
        options.frames_max = Some(20_000);
        replay(&paths, options).order_stream_sha256
    });
    assert!(hashes.iter().all(|h| *h == hashes[0]), "{hashes:?}");
}

#[test]
fn a_run_until_an_event_does_what_the_whole_run_did_until_then() {
    let Some(paths) = recorded("usdm-btcusdt") else { return };
    let journal_until = |until| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("run.journal");
        let mut options = threads(Threading::Inline);
        (options.until, options.pipeline.journal) = (until, Some(path.clone()));
        options.frames_max = Some(8_000);
        let summary = replay(&paths, options);
        let mut reader = JournalReader::open(&path).expect("a good journal");
        let mut slots = Vec::new();
        while let Some(slot) = reader.next_slot().expect("a good journal") {
            slots.push(slot.canonical());
        }
        assert_eq!(slots.len() as u64, summary.seq, "every slot is journaled");
        (summary, slots)
    };
    let (whole, all) = journal_until(None);
    let half = whole.seq / 2;
    let (part, some) = journal_until(Some(half));
    assert!(part.seq >= half && part.seq < whole.seq);
    assert!(some == all[..some.len()], "a prefix");
}

#[test]
fn a_journal_replays_to_the_same_order_stream() {
    let Some(paths) = recorded("spot-ethusdt-20240808") else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.journal");
    let mut options = threads(Threading::Shared);
    options.pipeline.journal = Some(path.clone());
    options.frames_max = Some(8_000);
    let first = replay(&paths, options);
    assert!(first.execution.fills > 0);
    for threading in Threading::ALL {
        let mut journal = JournalReader::open(&path).expect("a good journal");
        let again = replay_journal(&Config::embedded_default(), &mut journal, threads(threading))
            .expect("a good journal");
        let what = |s: &Summary| (s.order_stream_sha256.clone(), s.seq, s.execution);
        assert_eq!(what(&again), what(&first), "{threading:?}");
        assert!(!journal.torn() && journal.records() > 0);
    }
}

#[test]
fn a_trade_that_a_recording_has_twice_is_counted_and_in_no_bar() {
    let Some(paths) = recorded("spot-ethusdt-20240808") else { return };
    let mut whole = in_memory(&paths[0], Market::Spot, "ETHUSDT");
    whole.all.truncate(12_000);
    let is_trade = |(_, bytes): &(_, Vec<u8>)| bytes.windows(11).take(200).any(|w| w == b"\"e\":\"trade\"");
    let trades: Vec<_> = (0..whole.all.len()).filter(|i| is_trade(&whole.all[*i])).collect();
    let middle = trades.len() / 2;
    let run = |mut frames: Frames| {
        let options = threads(Threading::Inline);
        let summary = replay_frames(&Config::embedded_default(), &mut frames, options).expect("a good run");
        let json = summary.to_json();
        let count = |name: &str| json[name].as_u64().expect("a count");
        let bars: u64 = summary.books.iter().map(|(_, book)| book.bars).sum();
        let counts = ["repeated_trades", "missing_trades", "late_trades", "incomplete_bars"].map(count);
        (bars, summary.execution.fills, counts)
    };
    let (bars, fills, [repeated, missing, late, incomplete]) = run(whole.clone());
    assert_eq!((bars > 10, repeated, missing), (true, 0, 0));
    let mut doubled = whole.clone();
    doubled.all.insert(trades[middle + 1], whole.all[trades[middle]].clone());
    assert_eq!(run(doubled.clone()), (bars, fills, [1, missing, late, incomplete]));
    // It stands for none that is missing.
    doubled.all.remove(trades[middle - 20]);
    let (_, _, counts) = run(doubled);
    assert_eq!(counts[..2], [1, 1]);
    assert!(counts[3] > incomplete, "{counts:?}");
}

#[test]
fn a_futures_trade_that_cannot_be_read_makes_its_bar_incomplete_and_leaves_its_book_alone() {
    let Some(paths) = recorded("usdm-ethusdt-20240808") else { return };
    let mut whole = in_memory(&paths[0], Market::UsdM, "ETHUSDT");
    whole.all.truncate(30_000);
    let is_trade = |(_, bytes): &(_, Vec<u8>)| bytes.windows(11).take(200).any(|w| w == b"\"e\":\"trade\"");
    let trades: Vec<_> = (0..whole.all.len()).filter(|i| is_trade(&whole.all[*i])).collect();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal_of = |name: &str| dir.path().join(name).with_extension("journal");
    let counts = |summary: &Summary| {
        let totals = summary.book_totals();
        let bars: u64 = summary.books.iter().map(|(_, book)| book.bars).sum();
        (bars, totals.incomplete_bars, totals.gaps, summary.books.iter().any(|(_, book)| book.blind))
    };
    let run = |name: &str, mut frames: Frames| {
        let mut options = threads(Threading::Inline);
        options.pipeline.journal = Some(journal_of(name));
        let summary = replay_frames(&Config::embedded_default(), &mut frames, options).expect("a good run");
        (summary.feed.as_ref().map(|feed| feed.decode_errors), counts(&summary))
    };
    let (_, (bars, incomplete, gaps, blind)) = run("whole", whole.clone());
    // One that has others of its bar on both sides.
    let second = |at: usize| {
        let frame = String::from_utf8(whole.all[trades[at]].1.clone()).expect("frames are UTF-8");
        let (_, time) = frame.split_once("\"T\":").expect("a trade has its time");
        time[..10].to_owned()
    };
    let middle = (trades.len() / 2..).find(|at| second(at - 5) == second(at + 5)).expect("a busy second");
    let mut cut = whole.clone();
    cut.all[trades[middle]].1.truncate(100);
    assert_eq!(run("cut", cut), (Some(1), (bars - 1, incomplete + 1, gaps, blind)));
    let mut journal = JournalReader::open(&journal_of("cut")).expect("a good journal");
    let again = replay_journal(&Config::embedded_default(), &mut journal, threads(Threading::Inline))
        .expect("it reads");
    assert_eq!(counts(&again), (bars - 1, incomplete + 1, gaps, blind), "as the journal has it");
}

#[test]
fn what_cannot_be_read_right_before_a_silence_withholds_the_bar_that_may_lack_it_and_no_other() {
    let Some(paths) = recorded("spot-ethusdt-20240808") else { return };
    let mut whole = in_memory(&paths[0], Market::Spot, "ETHUSDT");
    whole.all.truncate(12_000);
    let is_trade = |(_, bytes): &(_, Vec<u8>)| bytes.windows(11).take(200).any(|w| w == b"\"e\":\"trade\"");
    let trades: Vec<_> = (0..whole.all.len()).filter(|i| is_trade(&whole.all[*i])).collect();
    let received = |at: usize| whole.all[trades[at]].0;
    // So long that it closes the bar.
    let is_last = |at: &usize| received(at + 1).since(received(*at)) > 2_500_000_000;
    let last = (1_000..trades.len() - 1).find(is_last).expect("there is a silence");
    let (before, at) = (trades[last - 1], trades[last]);
    let now = received(last);
    let run = |mut frames: Frames| {
        let options = threads(Threading::Inline);
        let summary = replay_frames(&Config::embedded_default(), &mut frames, options).expect("a good run");
        let totals = summary.book_totals();
        let unread = summary.feed.as_ref().map(|feed| feed.decode_errors);
        (unread, totals.incomplete_bars, totals.missing_trades)
    };
    let (_, incomplete, _) = run(whole.clone());
    // An aggregate one, where each is there by itself.
    let mut beside = whole.clone();
    let aggregate = r#"{"stream":"ethusdt@aggTrade","data":{"e":"aggTrade","E":1723161"#;
    beside.all.insert(at + 1, (now, aggregate.into()));
    assert_eq!(run(beside), (Some(1), incomplete, 0));
    // The last: the bar that was open, and the next one, by its id.
    let mut cut = whole.clone();
    cut.all[at].1.truncate(120);
    let lacking = (Some(1), incomplete + 2, 1);
    assert_eq!(run(cut.clone()), lacking);
    // What comes behind it, and is of before it, says nothing of it.
    let mut again = cut.clone();
    again.all.insert(at + 1, (now, whole.all[before].1.clone()));
    assert_eq!(run(again), lacking);
    let (_, overtaken) = cut.all.remove(before);
    cut.all.insert(at, (now, overtaken));
    assert_eq!(run(cut), lacking);
}

#[test]
fn one_diff_left_out_is_one_gap_and_the_book_is_hidden_until_the_next_snapshot() {
    let Some(paths) = recorded("usdm-btcusdt") else { return };
    let whole = in_memory(&paths[0], Market::UsdM, "BTCUSDT");
    let is_diff = |bytes: &[u8]| bytes.windows(11).take(200).any(|w| w == b"depthUpdate");
    let diffs: Vec<_> = (0..whole.all.len()).filter(|i| is_diff(&whole.all[*i].1)).collect();
    let mut broken = whole.clone();
    broken.all.remove(diffs[diffs.len() / 2]);
    let usdm_btc = |s: &Summary| {
        let (_, book) = s.books.iter().find(|(i, _)| i.name() == "binance:usdm:BTCUSDT").expect("configured");
        *book
    };
    let run = |mut frames: Frames| {
        let config = Config::embedded_default();
        replay_frames(&config, &mut frames, threads(Threading::Inline)).expect("a good run")
    };
    let (good, bad) = (run(whole.clone()), run(broken.clone()));
    assert_eq!((usdm_btc(&good).sync.gaps, usdm_btc(&good).top.valid), (0, true));
    assert_eq!((usdm_btc(&bad).sync.gaps, usdm_btc(&bad).top.valid), (1, false));
    assert!(bad.execution.orders < good.execution.orders, "no order from a book that cannot be trusted");

    // The very last diff, so that none after it tells: one that cannot be read takes the book away by itself.
    let mut crippled = whole.clone();
    crippled.all[diffs[diffs.len() - 1]].1.pop();
    let bad = run(crippled);
    assert_eq!(bad.feed.as_ref().map(|feed| feed.decode_errors), Some(1));
    assert_eq!((usdm_btc(&bad).sync.gaps, usdm_btc(&bad).top.valid), (0, false));

    // A snapshot that stands at the last diff but one: the last one then follows it.
    let text = |index: usize| String::from_utf8(broken.all[index].1.clone()).expect("frames are UTF-8");
    let last = (0..broken.all.len()).rev().find(|i| is_diff(&broken.all[*i].1)).expect("there are diffs");
    let frame = text(last);
    let number = |key: &str| {
        let from = frame.find(key).expect("a diff has it") + key.len();
        frame[from..].split(',').next().expect("a number").parse::<u64>().expect("a number")
    };
    let id = number("\"pu\":");
    let snapshot = format!(
        r#"{{"lastUpdateId":{id},"E":1,"T":1,"bids":[["20000.00","1.000"]],"asks":[["90000.00","1.000"]]}}"#
    );
    let time = broken.all.last().expect("frames").0;
    broken.push(time.0, snapshot);
    let healed = usdm_btc(&run(broken));
    assert_eq!((healed.sync.gaps, healed.sync.snapshots, healed.top.valid), (1, 2, true));
}
