//! Real files: what an independent reader counts in them is what the history has. The figures were computed from the
//! files by a Python script of a few lines (`zipfile`, `gzip`, `json`, `decimal`), which shares nothing with the importer.

#[path = "support/recordings.rs"]
mod recordings;
#[path = "support/history.rs"]
mod support;

use algo_trader::domain::{Level, Time};
use algo_trader::history::import::{Columns, ImportKind, ImportOptions, Imported};
use algo_trader::history::recording::{Recording, RecordingOptions};
use algo_trader::history::{Catalogue, Query};
use algo_trader::net::FrameSource;
use algo_trader::run::Config;
use algo_trader::venue::binance::Decoder;
use algo_trader::venue::{Decoded, LevelBuffer};
use std::path::{Path, PathBuf};
use support::{Read, import, read_with};
use tempfile::tempdir;

fn options() -> ImportOptions {
    ImportOptions::default()
}

/// Imports a file that must be good, and reads it.
fn taken(
    kind: ImportKind,
    path: &Path,
    options: &ImportOptions,
) -> (Vec<Read>, algo_trader::history::catalogue::Entry) {
    let dir = tempdir().expect("a directory");
    let entry = match import(dir.path(), kind, path, options) {
        Ok(Imported::Added(entry, _)) => entry,
        other => panic!("{}: {other:?}", path.display()),
    };
    let (read, ..) = read_with(dir.path(), &Query::default());
    assert_eq!(read.len() as u64, entry.segments[0].rows);
    (read, entry)
}

/// Sum of closes and of volumes, in the units they are kept in.
fn sums(read: &[Read]) -> (i64, i64) {
    let bars = read.iter().map(|r| match &r.decoded {
        Decoded::Kline(bar) => (bar.close.0, bar.volume.0),
        other => panic!("not a bar: {other:?}"),
    });
    bars.fold((0, 0), |(close, volume), (c, v)| (close + c, volume + v))
}

#[test]
fn bars_of_stocks_in_the_shared_data_are_all_there_at_the_right_times() {
    let Some(stocks) = recordings::folder("stocks") else { return };
    let (spy, entry) = taken(ImportKind::Stocks, &stocks.join("daily/spy.zip"), &options());
    let segment = &entry.segments[0];
    assert_eq!((segment.instrument.as_str(), segment.series.as_str()), ("usa:spot:SPY", "bars-1d"));
    assert_eq!((segment.price_decimals, segment.qty_decimals, segment.gaps), (4, 0, None));
    assert_eq!((spy.len(), sums(&spy)), (5_849, (9_586_795_100, 523_995_767_985)));
    // A day ends at the next midnight of New York, in winter and in summer.
    assert_eq!((spy[0].time, spy[5_848].time), (883_803_600_000_000_000, 1_617_249_600_000_000_000));
    assert_eq!(spy.iter().map(|r| r.time / 1_000_000_000).sum::<u64>(), 7_314_674_734_800);

    let (ibm, entry) = taken(ImportKind::Stocks, &stocks.join("hour/ibm.zip"), &options());
    assert_eq!(entry.segments[0].series, "bars-1h");
    assert_eq!((ibm.len(), sums(&ibm)), (40_813, (52_934_941_257, 33_533_064_042)));

    let (minutes, entry) =
        taken(ImportKind::Stocks, &stocks.join("minute/spy-20131008_trade.zip"), &options());
    assert_eq!(entry.segments[0].series, "bars-1m");
    assert_eq!(minutes.len(), 828);
    // 04:01 of New York's summer.
    assert_eq!(
        minutes[0].time,
        "2013-10-08T08:01:00Z".parse::<jiff::Timestamp>().expect("a time").as_nanosecond() as u64
    );
    let decimals = u32::from(entry.segments[0].price_decimals);
    assert_eq!(sums(&minutes).0 * 10i64.pow(4 - decimals), 1_378_065_300);
    assert_eq!(sums(&minutes).1, 175_026_101);

    let (quotes, entry) =
        taken(ImportKind::Stocks, &stocks.join("minute/spy-20131007_quote.zip"), &options());
    assert_eq!((quotes.len(), entry.segments[0].series.as_str()), (908, "quotes-1m"));
}

#[test]
fn ticks_of_stocks_in_the_shared_data_are_all_there() {
    let Some(stocks) = recordings::folder("stocks") else { return };
    for (file, rows, shares, turnover) in [
        ("tick/bac-20131007_trade.zip", 88_172, 64_411_712, 8_928_691_038_000i64),
        ("tick/spy-20131007_trade.zip", 250_601, 97_062_721, 162_974_840_187_600),
    ] {
        let (trades, entry) = taken(ImportKind::Stocks, &stocks.join(file), &options());
        let unit = 10i64.pow(4 - u32::from(entry.segments[0].price_decimals));
        let sum = trades.iter().fold((0, 0, 0), |(n, shares, turnover), read| match &read.decoded {
            Decoded::Trade(t) => (n + 1, shares + t.qty.0, turnover + t.price.0 * unit * t.qty.0),
            _ => (n, shares, turnover),
        });
        assert_eq!(sum, (rows, shares, turnover), "{file}");
    }
    let (quotes, entry) = taken(ImportKind::Stocks, &stocks.join("tick/bac-20131007_quote.zip"), &options());
    let unit = 10i64.pow(4 - u32::from(entry.segments[0].price_decimals));
    let sum: i64 = quotes
        .iter()
        .map(|read| match &read.decoded {
            Decoded::Quote(q) => (q.bid.price.0 + q.ask.price.0) * unit + q.bid.qty.0 + q.ask.qty.0,
            _ => 0,
        })
        .sum();
    assert_eq!((quotes.len(), sum), (476_855, 207_230_262_200));
}

#[test]
fn stocks_are_adjusted_as_exact_decimals_would_be() {
    let Some(stocks) = recordings::folder("stocks") else { return };
    let adjusted = ImportOptions { adjust: Some(stocks.join("adjust")), ..options() };
    let (aapl, entry) = taken(ImportKind::Stocks, &stocks.join("daily/aapl.zip"), &adjusted);
    assert_eq!(
        (entry.segments[0].series.as_str(), entry.segments[0].price_decimals),
        ("bars-1d-adjusted", 8)
    );
    assert_eq!(sums(&aapl), (10_148_442_083_245, 2_505_777_530_199));
}

#[test]
fn crypto_bars_in_the_shared_data_are_all_there_and_their_gaps_are_counted() {
    let Some(folder) = recordings::folder("crypto-bars") else { return };
    let (bars, entry) =
        taken(ImportKind::CryptoBars, &folder.join("coinbase/daily/btcusd_trade.zip"), &options());
    let segment = &entry.segments[0];
    assert_eq!((segment.instrument.as_str(), segment.series.as_str()), ("coinbase:spot:BTCUSD", "bars-1d"));
    assert_eq!((segment.gaps, segment.missing), (Some(8), 34));
    assert_eq!((bars.len(), sums(&bars)), (1_318, (372_505_203, 1_343_145_604_130_809)));

    let quote = folder.join("coinbase/daily/btcusd_quote.zip");
    let dir = tempdir().expect("a directory");
    let error = import(dir.path(), ImportKind::CryptoBars, &quote, &options())
        .expect_err("sums of floats")
        .to_string();
    assert!(error.contains("--round-qty"), "{error}");
    let rounded = ImportOptions { round_qty: Some(8), ..options() };
    let (quotes, entry) = taken(ImportKind::CryptoBars, &quote, &rounded);
    let sizes: i64 = quotes
        .iter()
        .map(|read| match &read.decoded {
            Decoded::Quote(q) => q.bid.qty.0 + q.ask.qty.0,
            _ => 0,
        })
        .sum();
    assert_eq!((quotes.len(), sizes, entry.rounded), (1_332, 1_962_621_257_266, 651));
}

#[test]
fn every_zip_of_the_shared_data_is_taken_and_has_as_many_events_as_rows() {
    let (Some(stocks), Some(crypto)) = (recordings::folder("stocks"), recordings::folder("crypto-bars"))
    else {
        return;
    };
    let dir = tempdir().expect("a directory");
    let (mut files, mut rows) = (0, 0);
    for (folder, kind) in [(stocks, ImportKind::Stocks), (crypto, ImportKind::CryptoBars)] {
        for path in zips(&folder) {
            let options = ImportOptions { round_qty: Some(8), ..options() };
            match import(dir.path(), kind, &path, &options) {
                Ok(Imported::Added(entry, _)) => {
                    assert_eq!(entry.segments.iter().map(|s| s.rows).sum::<u64>(), entry.rows);
                    rows += entry.rows;
                }
                other => panic!("{}: {other:?}", path.display()),
            }
            files += 1;
        }
    }
    assert_eq!((files, rows), (63, 1_733_356));
    let series = Catalogue::open(dir.path()).expect("there").series();
    assert_eq!(series.iter().map(|s| s.rows).sum::<u64>(), rows);
    let mut read = 0;
    for venue in ["usa:", "binance:", "bybit:", "coinbase:"] {
        let names = series.iter().map(|s| s.name.instrument.clone()).filter(|name| name.starts_with(venue));
        let query = Query { instruments: names.collect(), ..Query::default() };
        let (events, ..) = read_with(dir.path(), &query);
        assert!(events.is_sorted_by_key(|r| (r.time, r.series)), "{venue}");
        read += events.len() as u64;
    }
    assert_eq!(read, rows);
    // A run knows a symbol by its market, so it cannot have the same one of two venues.
    let catalogue = Catalogue::open(dir.path()).expect("there");
    let error = catalogue.instruments(&series).expect_err("two venues have BTCUSDT").to_string();
    assert!(error.contains("one venue"), "{error}");
}

fn zips(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "zip") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_recording_in_the_history_is_event_for_event_what_its_frames_say() {
    let Some(folder) = recordings::folder("binance-20240808") else { return };
    for (file, trades, quotes, diffs, levels) in [
        ("spot-btcusdt-20240808.gz", 9_757, 28_040, 3_451, 126_090),
        ("usdm-btcusdt-20240808.gz", 21_313, 66_089, 6_551, 445_521),
        ("coinm-btcusd_perp-20240809.gz", 2_949, 29_219, 17_948, 363_658),
    ] {
        let path = folder.join(file);
        let dir = tempdir().expect("a directory");
        let imported = import(dir.path(), ImportKind::Capture, &path, &options());
        assert!(matches!(imported, Ok(Imported::Added(..))), "{imported:?}");
        let catalogue = Catalogue::open(dir.path()).expect("there");
        let series = catalogue.series();
        assert_eq!((series.len(), series[0].gaps), (1, Some(0)), "{file}");
        // Read at the precision that is configured, as a backtest does.
        let table = Config::embedded_default().instruments;
        let query = Query::default();
        let mut events =
            algo_trader::history::HistoryEvents::open(&catalogue, &series, &table, &query).expect("opens");
        let mut recording = Recording::open(&[path], &RecordingOptions::default()).expect("a recording");
        let source = recording.sources()[0].clone();
        let (mut decoder, mut buffer) = (Decoder::new(&table), LevelBuffer::new());
        let mut counts = [0usize; 4];
        while let Some(frame) = recording.next_frame().expect("good") {
            let expected = decoder.decode(&source, frame.bytes, &mut buffer).expect("good");
            let event = events.next_event().expect("good").expect("as many events as frames");
            assert_eq!((event.time, event.decoded), (frame.received, expected), "{file}:{}", frame.line);
            assert!(event.levels == levels_of(&expected, &buffer), "{file}:{}", frame.line);
            match expected {
                Decoded::Trade(_) => counts[0] += 1,
                Decoded::Quote(_) => counts[1] += 1,
                Decoded::DepthDiff(_) => counts[2] += 1,
                _ => {}
            }
            counts[3] += event.levels.len();
        }
        assert!(events.next_event().expect("good").is_none(), "{file}");
        assert_eq!(counts, [trades, quotes, diffs, levels], "{file}");
    }
}

fn levels_of<'a>(decoded: &Decoded, buffer: &'a LevelBuffer) -> &'a [Level] {
    match decoded {
        Decoded::DepthDiff(_) | Decoded::DepthSnapshot(_) | Decoded::DepthPartial(_) => &buffer.levels,
        _ => &[],
    }
}

#[test]
fn bars_of_a_plain_csv_are_all_there() {
    let Some(folder) = recordings::folder("indicators") else { return };
    let csv = ImportOptions {
        instrument: Some("usa:spot:TEST".into()),
        base: Some("TEST".into()),
        quote: Some("USD".into()),
        columns: Columns { every: Some("1d".into()), given: Vec::new() },
        ..options()
    };
    let (bars, _) = taken(ImportKind::Csv, &folder.join("quotes.csv"), &csv);
    assert_eq!(bars.len(), 502);
    let Decoded::Kline(first) = bars[0].decoded else { panic!("a bar") };
    assert_eq!((first.open.0, first.close.0, first.volume.0), (21_261, 21_280, 96_708_880));
    assert_eq!(
        first.open_time,
        Time("2017-01-03T00:00:00Z".parse::<jiff::Timestamp>().expect("a time").as_nanosecond() as u64)
    );
}

/// Runs the program; its standard output, or its messages where it failed.
fn program(args: &[&str]) -> Result<String, (Option<i32>, String)> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_algo-trader"));
    let output = command.args(args).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err((output.status.code(), text(&output.stderr)))
    }
}

#[test]
fn a_capture_is_taken_as_the_recording_that_it_was_made_of_by_the_program_too() {
    let Some(folder) = recordings::folder("binance-20240808") else { return };
    let recording = folder.join("spot-ethusdt-20240808.gz").display().to_string();
    let dir = tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (capture, one, two, out) = (at("capture"), at("1"), at("2"), at("out"));
    program(&["capture", "--from", &recording, "--out", &capture, "--max-file-mb", "1"]).expect("captured");
    program(&["import", "capture", &recording, "--dir", &one]).expect("imported");
    let told = program(&["import", "capture", &capture, "--dir", &two, "--json"]).expect("imported");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((told["rows"].as_u64(), told["failed"].as_u64()), (Some(33_618), Some(0)));
    let read = |dir: &str| read_with(Path::new(dir), &Query::default()).0;
    assert!(read(&one) == read(&two), "differs");

    let list = program(&["history", "list", "--dir", &two, "--json"]).expect("listed");
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(
        (list[0]["instrument"].as_str(), list[0]["gaps"].as_u64()),
        (Some("binance:spot:ETHUSDT"), Some(0))
    );
    program(&["history", "verify", "--dir", &two]).expect("good");
    program(&["export", "--dir", &two, "--out", &out, "--format", "csv"]).expect("exported");
    let rows =
        |file: &str| std::fs::read_to_string(Path::new(&out).join(file)).expect("there").lines().count() - 1;
    assert_eq!(rows("binance_spot_ETHUSDT-feed-trades.csv"), 6_106);
    assert_eq!(rows("binance_spot_ETHUSDT-feed-quotes.csv"), 24_077);
    assert_eq!(rows("binance_spot_ETHUSDT-feed-depth.csv"), 108_814);

    // 1 where the work failed, 2 where the command was wrong, or what is there is in the way.
    let failed = |args: &[&str]| program(args).expect_err("must fail");
    let (code, text) = failed(&["export", "--dir", &two, "--out", &out, "--format", "csv"]);
    assert!(code == Some(2) && text.contains("is there already"), "{text}");
    let (code, text) = failed(&["import", "binance", &recording, "--dir", &one]);
    assert!(code == Some(1) && text.contains("SYMBOL-TYPE-DATE.zip"), "{text}");
    let (code, text) = failed(&["import", "nasdaq", &recording, "--dir", &one]);
    assert!(code == Some(2) && text.contains("crypto-bars"), "{text}");
    let (code, text) = failed(&["export", "--dir", &at("none"), "--out", &out]);
    assert!(code == Some(1) && text.contains("algo-trader import"), "{text}");
    let (code, text) = failed(&["history", "remove", "xyz", "--dir", &one]);
    assert!(code == Some(1) && text.contains("xyz"), "{text}");
}
