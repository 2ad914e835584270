//! A capture of streams and of answers, which lie in files of the same time, is one feed once imported: the events are those
//! that the capture itself gives, and so is a backtest over them.

#[path = "support/frames.rs"]
mod frames;
mod support {
    pub mod backtest;
    pub mod history;
}

use algo_trader::domain::{InstrumentId, InstrumentTable, Level, Market, Side, Time};
use algo_trader::history::capture::{Capture, CaptureOptions, WhenFull};
use algo_trader::history::import::{self, ImportError, ImportKind, ImportOptions, Imported};
use algo_trader::history::recording::{Recording, RecordingOptions};
use algo_trader::history::{Catalogue, HistoryError, Query};
use algo_trader::market::book::Book;
use algo_trader::net::{FrameSource, SourceId};
use algo_trader::run::backtest::{BacktestOptions, Kept, Source, known_to, run_backtest};
use algo_trader::run::{Config, PipelineOptions};
use algo_trader::strategy::{Context, Strategy, StrategySpec};
use algo_trader::venue::binance::{Decoder, interruption};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use algo_trader::venue::{Decoded, LevelBuffer};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::history::{import as import_one, read_with};
use tempfile::{TempDir, tempdir};

const STREAMS: SourceId = SourceId(0);
const ANSWERS: SourceId = SourceId(1);

/// Captures a generated market: streams in files of three seconds, the book twice as an answer, in the midst of them.
fn captured(dir: &Path) -> Vec<PathBuf> {
    let usdm: Vec<_> = demo_instruments().into_iter().filter(|i| i.market == Market::UsdM).collect();
    let flow = FlowConfig { duration: Duration::from_secs(10), ..FlowConfig::new(5, usdm) };
    let mut market = FlowSource::new(&flow).expect("a market");
    let sources = [
        frames::source("streams", Market::UsdM, None),
        frames::source("book", Market::UsdM, Some("BTCUSDT")),
    ];
    let options = CaptureOptions {
        when_full: WhenFull::Wait,
        rotate_every: Duration::from_secs(3),
        ..CaptureOptions::new(dir.into())
    };
    let mut capture = Capture::start(&sources, &options).expect("a capture starts");
    let (mut again, mut begun, mut interrupted) = (None, None, false);
    while let Some(frame) = market.next_frame().expect("frames without end") {
        let answer = frame.bytes.starts_with(b"{\"lastUpdateId\"");
        let from = if answer { ANSWERS } else { STREAMS };
        let begun = *begun.get_or_insert(frame.received);
        if !interrupted && frame.received > begun.plus(Duration::from_secs(8)) {
            interrupted = true;
            assert!(capture.push(
                STREAMS,
                frame.received,
                interruption("BTCUSDT", frame.received).as_bytes()
            ));
        }
        assert!(capture.push(from, frame.received, frame.bytes));
        if answer {
            again = Some((frame.received.plus(Duration::from_secs(2)), frame.bytes.to_vec()));
        }
        if let Some((_, book)) = again.take_if(|(due, _)| *due < frame.received) {
            assert!(capture.push(ANSWERS, frame.received, &book));
        }
    }
    assert!(capture.finish().is_complete());
    import::files(&[dir.to_owned()]).expect("files").files
}

fn configured(path: &Path) -> Config {
    let text = format!(
        "{}\n[backtest]\nfill = \"depth\"\nbalance = \"100000\"\n[[strategy]]\nname = \"imbalance-maker\"\n\
         instruments = [\"binance:usdm:BTCUSDT\"]\n[strategy.params]\nqty = \"0.010\"\nthreshold = 0.1\nhold_ms = 200\n",
        support::backtest::LIMITS
    );
    let catalogue = Catalogue::open(path).expect("a history");
    let more = known_to(&catalogue, &["binance:usdm:BTCUSDT".into()], &[], 3);
    Config::from_text_and(&text, "test.toml", path, &more).unwrap_or_else(|e| panic!("{e}"))
}

fn import_all(history: &Path, files: &[PathBuf]) -> Vec<Imported> {
    let configured = demo_instruments();
    let options = ImportOptions { configured, ..ImportOptions::default() };
    let imported = files.iter().map(|file| import_one(history, ImportKind::Capture, file, &options));
    imported.map(|one| one.unwrap_or_else(|e| panic!("{e}"))).collect()
}

fn recording(files: &[PathBuf]) -> Recording {
    Recording::open(files, &RecordingOptions::default()).expect("a recording")
}

/// A capture that was imported whole: its directory, its files, and the history beside it.
fn imported() -> (TempDir, Vec<PathBuf>, PathBuf) {
    let dir = tempdir().expect("a directory");
    let (files, history) = (captured(&dir.path().join("capture")), dir.path().join("history"));
    import_all(&history, &files);
    (dir, files, history)
}

/// What the capture says, decoded with the instruments of the history.
fn decoded(files: &[PathBuf], table: &InstrumentTable) -> Vec<(u64, Decoded, Vec<Level>)> {
    let (mut frames, mut decoder, mut buffer) = (recording(files), Decoder::new(table), LevelBuffer::new());
    let sources = frames.sources().to_vec();
    let mut all = Vec::new();
    while let Some(frame) = frames.next_frame().expect("readable") {
        let source = &sources[usize::from(frame.source.0)];
        let event = decoder.decode(source, frame.bytes, &mut buffer).expect("a frame of the market");
        all.push((frame.received.0, event, buffer.levels.to_vec()));
    }
    all
}

#[test]
fn streams_and_answers_of_one_time_are_one_feed() {
    let dir = tempdir().expect("a directory");
    let (capture, history) = (dir.path().join("capture"), dir.path().join("history"));
    let files = captured(&capture);
    let answers: Vec<_> = files.iter().filter(|f| f.to_string_lossy().contains("btcusdt")).collect();
    assert!(files.len() >= 5 && (1..=2).contains(&answers.len()), "{files:?}");
    // Whatever comes first, and in several goes.
    let (first, rest) = files.split_at(2);
    import_all(&history, rest);
    import_all(&history, first);
    assert!(import_all(&history, &files).iter().all(|one| matches!(one, Imported::Known(_))));

    let (events, series, table) = read_with(&history, &Query::default());
    let expected = decoded(&files, &table);
    let books = expected.iter().filter(|(_, event, _)| matches!(event, Decoded::DepthSnapshot(_))).count();
    assert_eq!((events.len(), books), (expected.len(), 2));
    assert_eq!(events.iter().filter(|event| matches!(event.decoded, Decoded::Interrupted(_))).count(), 1);
    for (event, (time, decoded, levels)) in events.iter().zip(&expected) {
        assert_eq!((event.time, event.series, &event.decoded), (*time, 0, decoded));
        let levels: &[Level] = match decoded {
            Decoded::DepthDiff(_) | Decoded::DepthSnapshot(_) | Decoded::DepthPartial(_) => levels,
            _ => &[],
        };
        assert_eq!(event.levels, levels);
    }
    assert_eq!(series.len(), 1);
    let (first, last) = (expected.first().expect("events").0, expected.last().expect("events").0);
    assert_eq!((series[0].first(), series[0].last(), series[0].gaps), (Time(first), Time(last), Some(0)));

    // From the midst on, what is left is the same.
    let from = Time(first + (last - first) / 2);
    let later = read_with(&history, &Query { from: Some(from), ..Query::default() }).0;
    let expected = expected.iter().filter(|(time, ..)| *time >= from.0);
    assert!(later.iter().map(|e| (e.time, &e.decoded)).eq(expected.map(|(time, event, _)| (*time, event))));
}

#[test]
fn a_backtest_over_an_imported_capture_is_one_over_the_capture() {
    let (_dir, files, history) = imported();
    let config = configured(&history);
    let catalogue = Catalogue::open(&history).expect("a history");
    let run = |source| {
        let options = BacktestOptions::default();
        run_backtest(&config, source, options).expect("runs").summary
    };
    let (over_history, over_capture) =
        (run(Source::History(&catalogue)), run(Source::Frames(&mut recording(&files))));
    assert!(over_capture.execution.orders > 20, "{} orders", over_capture.execution.orders);
    assert_eq!(over_history.execution.orders, over_capture.execution.orders);
    assert_eq!(over_history.order_stream_sha256, over_capture.order_stream_sha256);
}

#[test]
fn streams_of_one_time_twice_are_refused() {
    let (dir, files, history) = imported();
    // The same frames in one file: other bytes, and nothing new.
    let again = dir.path().join("again");
    std::fs::create_dir(&again).expect("a directory");
    let bytes: Vec<u8> = files[..2].iter().flat_map(|file| std::fs::read(file).expect("readable")).collect();
    let file = again.join(files[0].file_name().expect("a name"));
    std::fs::write(&file, bytes).expect("written");
    let options = ImportOptions { configured: demo_instruments(), ..ImportOptions::default() };
    let refused = import_one(&history, ImportKind::Capture, &file, &options);
    assert!(matches!(refused, Err(ImportError::History(HistoryError::Overlap(_)))), "{refused:?}");
}

/// A whole book and when it was seen.
type Seen = (Time, Vec<Level>);

/// What a [`Watcher`] of the present run saw.
static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

/// Writes down every book.
struct Watcher;

impl Strategy for Watcher {
    fn on_book(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, book: &Book) {
        let levels = book.levels(Side::Buy).chain(book.levels(Side::Sell)).collect();
        SEEN.lock().expect("nobody panicked").push((ctx.now(), levels));
    }
}

static WATCHER: &[StrategySpec] = &[StrategySpec {
    name: "watcher",
    doc: "writes down every book",
    params: &[],
    build: |setup| {
        setup.want_book();
        Ok(Box::new(Watcher))
    },
}];

#[test]
fn a_range_begins_with_the_book_that_the_whole_has() {
    let (_dir, files, history) = imported();
    let mut config = configured(&history);
    config.strategies[0].name = "watcher".into();
    config.strategies[0].params = Default::default();
    let catalogue = Catalogue::open(&history).expect("a history");
    let seen = |config: &Config, source: Source<'_>, kept| {
        let pipeline = PipelineOptions { strategies: WATCHER, ..PipelineOptions::default() };
        let options = BacktestOptions { pipeline, kept, ..BacktestOptions::default() };
        run_backtest(config, source, options).expect("runs");
        let mut seen = std::mem::take(&mut *SEEN.lock().expect("nobody panicked"));
        seen.dedup();
        seen
    };
    let whole = seen(&config, Source::History(&catalogue), None);
    let (first, last) = (whole[0].0, whole[whole.len() - 1].0);
    assert!(whole.len() > 50 && last.since(first) > 6_000_000_000, "{} books", whole.len());
    for ms in [1, 700, 1_950, 2_100, 4_333, 6_000] {
        let from = first.plus_nanos(ms * 1_000_000);
        config.backtest.from = Some(from);
        let (before, after) = whole.split_at(whole.partition_point(|(time, _)| *time < from));
        let mut expected = vec![(from, before[before.len() - 1].1.clone())];
        expected.extend_from_slice(after);
        expected.dedup();
        let kept = || Some(Arc::new(Kept::new(None, None, 1 << 30)));
        for kept in [None, kept()] {
            assert!(seen(&config, Source::History(&catalogue), kept) == expected, "{ms} ms on");
        }
        assert!(seen(&config, Source::Frames(&mut recording(&files)), None) == expected, "{ms} ms on");
    }
    // After the interruption there is none, in a part no more than in the whole.
    config.backtest.from = Some(first.plus_nanos(8_800_000_000));
    assert!(seen(&config, Source::History(&catalogue), None).is_empty());
    assert!(seen(&config, Source::Frames(&mut recording(&files)), None).is_empty());
}

#[test]
fn a_part_of_a_feed_trades_as_the_whole_does_from_there_on() {
    let (_dir, files, history) = imported();
    let mut config = configured(&history);
    let catalogue = Catalogue::open(&history).expect("a history");
    let run = |config: &Config, source: Source<'_>| {
        run_backtest(config, source, BacktestOptions::default()).expect("runs").outcome
    };
    let whole = run(&config, Source::History(&catalogue));
    let flat: Vec<Time> = whole.trips.iter().filter_map(|trip| trip.exit_time).collect();
    assert!(flat.len() > 3, "{} round trips", flat.len());
    let begun = |from: Time| from.since(whole.from) > 2_500_000_000;
    let mut later = 0;
    for from in flat.into_iter().filter(|exit| begun(*exit)).map(|exit| exit.plus_nanos(1)) {
        config.backtest.from = Some(from);
        config.backtest.warm_up = Duration::from_secs(1);
        let part = run(&config, Source::History(&catalogue));
        later += part.fills.len();
        assert!(part.from >= from && part.fills.iter().all(|fill| fill.time >= from));
        let frames = run(&config, Source::Frames(&mut recording(&files)));
        assert_eq!((frames.fills, frames.equity), (part.fills, part.equity), "{from}");
    }
    assert!(later > 0, "no part trades");
}

fn program(args: &[&str]) -> (String, String) {
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_algo-trader")).args(args).output();
    let ran = ran.expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    (text(&ran.stdout), text(&ran.stderr))
}

#[test]
fn a_walk_forward_over_a_feed_trades_in_later_windows_and_tells_of_a_book_that_is_none() {
    let (dir, _files, history) = imported();
    let file = dir.path().join("my.toml").display().to_string();
    let text = format!(
        "{}\n[backtest]\nfill = \"depth\"\nqty_decimals = 3\nhistory = \"{}\"\n[[strategy]]\nname = \"imbalance-maker\"\n\
         instruments = [\"binance:usdm:BTCUSDT\"]\n[strategy.params]\nqty = \"0.010\"\nthreshold = 0.1\nhold_ms = 200\n",
        support::backtest::LIMITS,
        history.display()
    );
    std::fs::write(&file, text).expect("written");
    let args =
        ["sweep", "--config", &file, "--param", "hold_ms=100,200", "--walk-forward", "3s,2s", "--json"];
    let (out, told) = program(&args);
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let windows = report["walk_forward"]["windows"].as_array().expect("windows");
    assert_eq!(windows.len(), 3, "{report:#}");
    // In the last the book is lost.
    for window in &windows[..2] {
        let traded = window["out_of_sample"]["traded"].as_f64();
        assert!(traded.is_some_and(|traded| traded > 0.0), "{window:#}");
    }
    assert!(told.contains("binance:usdm:BTCUSDT") && told.contains("no book in the end"), "{told}");
    let (out, _) = program(&["backtest", "--config", &file, "--json"]);
    let result: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let blind = result["blind_books"][0].as_str().unwrap_or_default();
    assert!(blind.contains("interrupted, and no book came since"), "{result:#}");
}

/// A recording, in a directory of its own, of best bids and asks and of trades a second apart, and of no depth; `trade` is
/// what its stream of trades is.
fn without_depth(dir: &Path, trade: &str) -> PathBuf {
    let dir = dir.join(trade);
    std::fs::create_dir(&dir).expect("a directory");
    let path = dir.join("spot-btcusdt-20240809.gz");
    let file = std::fs::File::create(&path).expect("a file");
    let mut out = GzEncoder::new(file, Compression::fast());
    let (mut rng, mut bid) = (support::history::Rng(3), 6_000_000i64);
    for n in 1..=2_500u64 {
        let ms = 1_723_161_600_000 + n * 1_000;
        bid += if rng.below(2) == 0 { -500 } else { 500 };
        let price = |cents: i64| format!("{}.{:02}000000", cents / 100, cents % 100);
        let (bid, ask) = (price(bid), price(bid + 1));
        let quote = format!(
            "{{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"u\":{n},\"s\":\"BTCUSDT\",\"b\":\"{bid}\",\
             \"B\":\"5.00000000\",\"a\":\"{ask}\",\"A\":\"5.00000000\"}}}}"
        );
        let ids =
            if trade == "trade" { format!("\"t\":{n}") } else { format!("\"a\":{n},\"f\":{n},\"l\":{n}") };
        let traded = format!(
            "{{\"stream\":\"btcusdt@{trade}\",\"data\":{{\"e\":\"{trade}\",\"E\":{ms},\"s\":\"BTCUSDT\",{ids},\
             \"p\":\"{ask}\",\"q\":\"0.01000000\",\"T\":{ms},\"m\":false,\"M\":true}}}}"
        );
        writeln!(out, "{ms}000000 {quote}\n{ms}001000 {traded}").expect("written");
    }
    out.finish().expect("written");
    path
}

/// A cross of averages over bars of ten seconds of that recording.
const CROSS_OF_BARS: &str = "[market]\nbar = \"time:10s\"\n[[strategy]]\nname = \"ma-cross\"\n\
     instruments = [\"binance:spot:BTCUSDT\"]\n[strategy.params]\nfast = 2\nslow = 4\nqty = \"0.01\"\n";

#[test]
fn a_recorded_feed_is_taken_for_what_is_in_it() {
    let dir = tempdir().expect("a directory");
    let run = |trade: &str, fill: &str, source: Option<&Path>, file: &Path| {
        let text = format!(
            "{}\n[backtest]\nfill = \"{fill}\"\n[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n{CROSS_OF_BARS}",
            support::backtest::LIMITS
        );
        let config = Config::from_text_with_built_in(&text, "t.toml").unwrap_or_else(|e| panic!("{e}"));
        let options = BacktestOptions::default();
        let ran = match source {
            Some(history) => {
                let catalogue = Catalogue::open(history).expect("a history");
                run_backtest(&config, Source::History(&catalogue), options)
            }
            None => run_backtest(&config, Source::Frames(&mut recording(&[file.to_owned()])), options),
        };
        ran.unwrap_or_else(|e| panic!("{trade} {fill}: {e}"))
    };
    let mut all = Vec::new();
    for trade in ["trade", "aggTrade"] {
        let file = without_depth(dir.path(), trade);
        let history = dir.path().join(format!("history-{trade}"));
        import_one(&history, ImportKind::Capture, &file, &ImportOptions::default()).expect("imported");
        for fill in ["auto", "quotes"] {
            for source in [Some(history.as_path()), None] {
                let ran = run(trade, fill, source, &file);
                let bars = ran.summary.books.iter().map(|(_, book)| book.bars).sum::<u64>();
                assert!(bars > 240 && ran.outcome.fills.len() > 20, "{trade} {fill}: {bars} bars");
                assert_eq!(
                    (ran.summary.execution.rejected, ran.summary.unmet.len()),
                    (0, 0),
                    "{trade} {fill}"
                );
                all.push(ran.outcome.fills);
            }
        }
        // Whoever asks for depth all the same is told why nothing comes of it.
        let none = run(trade, "depth", Some(&history), &file);
        let (orders, told) = (none.summary.execution.orders, none.summary.unmet_orders().collect::<Vec<_>>());
        assert!(none.outcome.fills.is_empty() && orders > 20, "{trade}: {orders} orders");
        assert_eq!(
            told,
            [format!("{orders} of the orders of binance:spot:BTCUSDT met no book in step when they arrived")]
        );
    }
    assert!(all.iter().all(|fills| *fills == all[0]), "one market, whatever its trades are streamed as");
}

#[test]
fn on_paper_orders_fill_by_quotes_where_there_is_no_depth() {
    let dir = tempdir().expect("a directory");
    let instruments = concat!(env!("CARGO_MANIFEST_DIR"), "/config/instruments/binance-spot.toml");
    let text =
        format!("{}\n[instruments]\nfiles = [\"{instruments}\"]\n{CROSS_OF_BARS}", support::backtest::LIMITS);
    let config = dir.path().join("my.toml").display().to_string();
    std::fs::write(&config, text).expect("written");
    let recording = without_depth(dir.path(), "trade").display().to_string();
    let (out, _) = program(&["replay", "--config", &config, "--json", &recording]);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let [orders, fills, rejected] = ["orders", "fills", "rejected"].map(|key| json[key].as_u64());
    assert!(orders > Some(20), "{json:#}");
    // Each is for less than a quote shows.
    assert_eq!((fills, rejected), (orders, Some(0)), "{json:#}");
    // At the quote that was there when it arrived: the taker's fee, and what is bought dearer by a tick than it is sold.
    assert_eq!(json["unmet_orders"].as_array().map(Vec::len), Some(0), "{json:#}");
}
