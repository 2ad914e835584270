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
use algo_trader::run::backtest::{BacktestOptions, Kept, Ran, Source, known_to, run_backtest};
use algo_trader::run::{Config, PipelineOptions};
use algo_trader::strategy::{Context, Strategy, StrategySpec};
use algo_trader::venue::binance::{Decoder, interruption};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use algo_trader::venue::{Decoded, LevelBuffer};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
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
        "{}\n[backtest]\nfill = \"depth\"\nqty_decimals = 3\nequity_seconds = 1\nhistory = \"{}\"\n[[strategy]]\nname = \
         \"imbalance-maker\"\ninstruments = [\"binance:usdm:BTCUSDT\"]\n[strategy.params]\nqty = \"0.010\"\nthreshold = 0.1\nhold_ms = 200\n",
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

/// What is recorded of a symbol, a second apart each, beside its best bids and asks.
struct Streams<'a> {
    symbol: &'a str,
    depth: bool,
    /// Its streams of trades, and whether the prices in each go along with the quotes.
    trades: &'a [(&'a str, bool)],
}

/// A recording of that in a directory of its own; all of them have the same quotes.
fn recorded(dir: &Path, of: &Streams<'_>) -> PathBuf {
    std::fs::create_dir(dir).expect("a directory");
    let (lower, upper) = (of.symbol.to_lowercase(), of.symbol);
    let path = dir.join(format!("spot-{lower}-20240809.gz"));
    let file = std::fs::File::create(&path).expect("a file");
    let mut out = GzEncoder::new(file, Compression::fast());
    let (mut rng, mut bid) = (support::history::Rng(3), 6_000_000i64);
    let (begin, mut before) = (1_723_161_600_000u64, Vec::new());
    if of.depth {
        writeln!(out, "{begin}000000 {{\"lastUpdateId\":0,\"bids\":[],\"asks\":[]}}").expect("written");
    }
    for n in 1..=2_500u64 {
        let ms = begin + n * 1_000;
        bid += if rng.below(2) == 0 { -500 } else { 500 };
        let price = |cents: i64| format!("{}.{:02}000000", cents / 100, cents % 100);
        let (bid, ask, even) = (price(bid), price(bid + 1), price(6_000_000));
        let mut put = |nanos: u32, stream: &str, data: String| {
            writeln!(out, "{ms}{nanos:06} {{\"stream\":\"{lower}@{stream}\",\"data\":{data}}}")
                .expect("written");
        };
        let quote = format!(
            "{{\"u\":{n},\"s\":\"{upper}\",\"b\":\"{bid}\",\"B\":\"5.00000000\",\"a\":\"{ask}\",\"A\":\"5.00000000\"}}"
        );
        put(0, "bookTicker", quote);
        if of.depth {
            let gone = |price: &String, side: &str| match before.iter().find(|(of, _)| *of == side) {
                Some((_, old)) if old != price => format!("[\"{old}\",\"0.00000000\"],"),
                _ => String::new(),
            };
            let sides = [gone(&bid, "bid"), gone(&ask, "ask")];
            put(
                500,
                "depth@100ms",
                format!(
                    "{{\"e\":\"depthUpdate\",\"E\":{ms},\"s\":\"{upper}\",\"U\":{n},\"u\":{n},\"b\":[{}[\"{bid}\",\
                     \"5.00000000\"]],\"a\":[{}[\"{ask}\",\"5.00000000\"]]}}",
                    sides[0], sides[1]
                ),
            );
            before = vec![("bid", bid.clone()), ("ask", ask.clone())];
        }
        // The last at one moment, whatever comes before it.
        for (left, (trade, along)) in (1..=of.trades.len() as u32).rev().zip(of.trades) {
            let ids = match *trade {
                "trade" => format!("\"t\":{n}"),
                _ => format!("\"a\":{n},\"f\":{n},\"l\":{n}"),
            };
            let price = if *along { &ask } else { &even };
            let traded = format!(
                "{{\"e\":\"{trade}\",\"E\":{ms},\"s\":\"{upper}\",{ids},\"p\":\"{price}\",\"q\":\"0.01000000\",\"T\":{ms},\
                 \"m\":false,\"M\":true}}"
            );
            put(3_000 - left * 1_000, trade, traded);
        }
    }
    out.finish().expect("written");
    path
}

/// A recording of best bids and asks and of trades, and of no depth; `trade` is what its stream of trades is.
fn without_depth(dir: &Path, trade: &str) -> PathBuf {
    recorded(&dir.join(trade), &Streams { symbol: "BTCUSDT", depth: false, trades: &[(trade, true)] })
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

/// A configuration of that cross on each of these.
fn crosses(settings: &str, symbols: &[&str]) -> Config {
    let (bars, cross) = CROSS_OF_BARS.split_once("[[strategy]]").expect("a strategy");
    let of =
        |symbol: &&str| format!("[[strategy]]\nlabel = \"{symbol}\"{}", cross.replace("BTCUSDT", symbol));
    let text = format!(
        "{}\n{settings}\n{bars}\n[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n{}",
        support::backtest::LIMITS,
        symbols.iter().map(of).collect::<String>()
    );
    Config::from_text_with_built_in(&text, "t.toml").unwrap_or_else(|e| panic!("{e}"))
}

/// A backtest over recordings, and one over their history.
fn both_ways(config: &Config, files: &[PathBuf]) -> [Ran; 2] {
    let history = tempdir().expect("a directory");
    for file in files {
        import_one(history.path(), ImportKind::Capture, file, &ImportOptions::default()).expect("imported");
    }
    let catalogue = Catalogue::open(history.path()).expect("a history");
    let run =
        |source| run_backtest(config, source, BacktestOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    [run(Source::Frames(&mut recording(files))), run(Source::History(&catalogue))]
}

#[test]
fn where_aggregates_are_configured_they_count_however_late_the_first_comes() {
    let dir = tempdir().expect("a directory");
    let config = crosses("[venue]\nstreams = [\"aggTrade\", \"bookTicker\", \"depth@100ms\"]", &["BTCUSDT"]);
    let of = |name: &str, trades: &[(&str, bool)]| {
        let file = recorded(&dir.path().join(name), &Streams { symbol: "BTCUSDT", depth: true, trades });
        both_ways(&config, &[file])
    };
    // Single trades, which say nothing of where the market goes, come before the aggregates of each second.
    let both = of("both", &[("trade", false), ("aggTrade", true)]);
    let alone = of("alone", &[("aggTrade", true)]);
    for (both, alone) in both.iter().zip(&alone) {
        let (told, fills) = (&both.summary, both.outcome.fills.len());
        assert!(told.execution.orders > 20 && fills > 20, "{} orders, {fills} fills", told.execution.orders);
        assert!(both.outcome.fills == alone.outcome.fills);
    }
    assert_eq!(both[0].summary.order_stream_sha256, both[1].summary.order_stream_sha256);
    // The page says so of what it is true of.
    let single = of("single", &[("trade", true)]);
    let told = |ran: &Ran| {
        let settings = ran.outcome.provenance.settings.iter();
        let of_trades = settings.filter(|(key, _)| key.starts_with("trades"));
        of_trades.map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>()
    };
    for ran in both.iter().chain(&alone) {
        assert_eq!(told(ran), ["trades of binance:spot:BTCUSDT: aggregates"]);
    }
    for ran in &single {
        assert!(!ran.outcome.fills.is_empty() && told(ran).is_empty(), "{:?}", told(ran));
    }
}

#[test]
fn trades_that_are_numbered_anew_after_an_interruption_are_the_market_that_orders_fill_by() {
    let dir = tempdir().expect("a directory");
    let config = crosses("[backtest]\nfill = \"trades\"", &["BTCUSDT"]);
    let whole = without_depth(dir.path(), "trade");
    let mut lines = String::new();
    let file = std::fs::File::open(&whole).expect("a file");
    GzDecoder::new(file).read_to_string(&mut lines).expect("it reads");
    // After two hundred trades an interruption, and from there on the next one has this number.
    let fills = |next: u64| {
        let folder = dir.path().join(next.to_string());
        std::fs::create_dir(&folder).expect("a directory");
        let path = folder.join("spot-btcusdt-20240809.gz");
        let mut out = GzEncoder::new(std::fs::File::create(&path).expect("a file"), Compression::fast());
        for line in lines.lines() {
            let id =
                line.split_once("\"t\":").and_then(|(_, rest)| rest.split(',').next()?.parse::<u64>().ok());
            let Some(id) = id.filter(|id| *id > 200) else {
                writeln!(out, "{line}").expect("written");
                continue;
            };
            if id == 201 {
                let (time, _) = line.split_once(' ').expect("a time");
                let at = Time(time.parse().expect("a number"));
                writeln!(out, "{time} {}", interruption("BTCUSDT", at)).expect("written");
            }
            let numbered = format!("\"t\":{}", next + id - 201);
            writeln!(out, "{}", line.replace(&format!("\"t\":{id}"), &numbered)).expect("written");
        }
        out.finish().expect("written");
        let source = Source::Frames(&mut recording(&[path]));
        let ran = run_backtest(&config, source, BacktestOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        ran.outcome.fills
    };
    let gap = fills(10_000);
    assert!(gap.len() > 20);
    assert!(fills(1) == gap);
}

#[test]
fn what_is_recorded_of_one_instrument_says_nothing_of_another() {
    let dir = tempdir().expect("a directory");
    let config = crosses("", &["BTCUSDT", "ETHUSDT"]);
    let of = |symbol, depth| {
        let streams = Streams { symbol, depth, trades: &[("trade", true)] };
        recorded(&dir.path().join(symbol), &streams)
    };
    let ran = both_ways(&config, &[of("BTCUSDT", true), of("ETHUSDT", false)]);
    for ran in &ran {
        let eth = config.instruments.by_name("binance:spot:ETHUSDT").expect("there").id;
        let fills = ran.outcome.fills.iter().filter(|fill| fill.instrument == eth).count();
        let told: Vec<_> = ran.summary.unmet_orders().collect();
        assert!(fills > 20 && told.is_empty(), "{fills} fills, {told:?}");
    }
    assert!(ran[0].outcome.fills == ran[1].outcome.fills, "a feed is what its frames are");
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
